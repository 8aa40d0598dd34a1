"""The worker process: takes jobs from the lanes, each inside the application.

`python -m jobs.worker LANE…` serves these lanes. While it lives it relays the outbox, hands back jobs whose pause before another try
is over, restarts Asterisk for waiting settings as soon as no call is up, and gives back report files that a killed worker left lying.
"""

import logging
import sys
import threading
import time

from flask import Flask
from rq import Queue, Worker
from rq.job import Job
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from appliance import applying, db, lanes
from appliance.app import bare_app
from appliance.errors import Busy
from jobs import reports

log = logging.getLogger("bentevi.worker")
RELAY_SECONDS = 2.0
TIDY_SECONDS = 10.0
_still = threading.Lock()  # held while the thread beside the worker works, and while the worker forks


class BenteviWorker(Worker):
    """A worker whose jobs run inside the application."""

    app: Flask

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """The child is made while the thread beside holds nothing: a lock it held would stay locked in the child for ever."""
        with _still:
            super().fork_work_horse(job, queue)

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """One job, with rows at hand. An error is logged whole by RQ and stays on the job."""
        with self.app.app_context():
            db.db.engine.dispose(close=False)  # connections of the parent are the parent's
            return bool(super().perform_job(job, queue))


def keep_reason(job: Job, kind: type[BaseException], why: BaseException, _trace: object) -> bool:
    """What went wrong, for the page of jobs: RQ itself keeps it only when no other try is left."""
    job.meta["reason"] = f"{kind.__name__}: {why}"[:300]
    job.save_meta()
    return True


def register_again(worker: Worker) -> None:
    """A worker whose entry is gone from Redis (it was emptied, or slept too long) would work on, unknown to `status` and to the lanes."""
    if worker.birth_date and not worker.connection.hexists(worker.key, "queues"):
        worker.connection.delete(worker.key)
        worker.register_birth()


def _relay_for_ever(app: Flask, worker: Worker) -> None:
    """Lines of the outbox that their writer could not hand over, jobs to be tried again, restarts that wait for calls to end."""
    again = RQScheduler(list(lanes.LANES), connection=lanes.connection(), serializer=JSONSerializer)
    tidied = -TIDY_SECONDS
    pause = RELAY_SECONDS if "default" in lanes_of_this_worker() else TIDY_SECONDS  # of several workers one looks often
    while True:
        with _still, app.app_context():
            try:
                if time.monotonic() - tidied >= TIDY_SECONDS:
                    tidied = time.monotonic()
                    with lanes.needs_redis():
                        register_again(worker)
                        again.acquire_locks()  # one of several workers holds each lane's
                        again.heartbeat()
                        again.enqueue_scheduled_jobs()
                    if "reports" in lanes_of_this_worker():
                        reports.tidy()
                if _something_waits():
                    lanes.relay()
                    applying.restart()
            except (Busy, *db.AWAY) as why:  # a database that is locked or away comes back, this thread would not
                log.warning("outbox, restart or reports wait: %s", why)
                db.db.session.rollback()
        time.sleep(pause)


def lanes_of_this_worker() -> list[str]:
    """Those named when it was started, in their order; else all."""
    return sys.argv[1:] or list(lanes.LANES)


def _something_waits() -> bool:
    """Looked at without taking the write lock: most of the time nothing does."""
    db.read_only()
    waits = lanes.is_waiting() or bool(applying.waiting_restart())
    db.db.session.rollback()
    return waits


def main() -> None:
    """Work until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    BenteviWorker.app = app = bare_app()
    db.serve()
    worker = BenteviWorker(lanes_of_this_worker(), connection=lanes.connection(), serializer=JSONSerializer, worker_ttl=60,
                           maintenance_interval=30, exception_handlers=[keep_reason])
    threading.Thread(target=_relay_for_ever, args=(app, worker), daemon=True).start()
    worker.work(logging_level="INFO")


if __name__ == "__main__":
    main()
