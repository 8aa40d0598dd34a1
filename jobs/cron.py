"""The cron process: RQ's own scheduler with our timetable; what is due goes through the outbox like every other job.

One per home (the supervisor sees to it). A run missed while it was down is not made up for: every job asks the rows what is due.
"""

import logging
from importlib import import_module

from flask import Flask
from rq.cron import CronJob, CronScheduler

from appliance import db as ground
from appliance import lanes
from appliance.app import bare_app
from appliance.db import db
from appliance.errors import Busy
from jobs.timetable import TIMETABLE

log = logging.getLogger("bentevi.cron")
LONGEST_SLEEP_SECONDS = 2.0


class Cron(CronScheduler):
    """RQ's scheduler, which would hand over pickled calls; ours are lines of the outbox, so a dead Redis loses none."""

    app: Flask

    def enqueue_jobs(self) -> list[CronJob]:
        """Ask for everything that is due and does not wait already."""
        due = [job for job in self.get_jobs() if job.should_run()]
        with self.app.app_context():
            for job in due:
                job.set_enqueue_time(ground.now())
                try:
                    if not lanes.is_asked(job.func_name):
                        lanes.put(job.queue_name, job.func_name, 0)
                    db.session.commit()
                except (Busy, *ground.AWAY) as why:
                    db.session.rollback()
                    log.warning("%s is left out this time: %s", job.func_name, why)
        return due


    def calculate_sleep_interval(self) -> float:
        """Awake often enough to be known again soon after Redis was emptied; RQ's own would sleep for up to a minute."""
        return min(LONGEST_SLEEP_SECONDS, float(super().calculate_sleep_interval()))


def main() -> None:
    """Watch the clock until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    Cron.app = bare_app()
    ground.serve()
    cron = Cron(connection=lanes.connection())
    for timed in TIMETABLE:
        module, _dot, name = timed.function.rpartition(".")
        function = getattr(import_module(module), name)
        cron.register(function, timed.lane, interval=timed.every_seconds or None, cron=timed.at or None)
    cron.start()


if __name__ == "__main__":
    main()
