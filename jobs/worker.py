"""The worker process: takes jobs from the lanes, each inside the application.

While it lives it relays the outbox, and restarts Asterisk for waiting settings as soon as no call is up.
"""

import logging
import threading
import time

from flask import Flask
from rq import Worker
from rq.job import Job
from rq.serializers import JSONSerializer

from appliance import applying, db, lanes
from appliance.app import bare_app
from appliance.errors import Busy

log = logging.getLogger("bentevi.worker")
RELAY_SECONDS = 2.0


class BenteviWorker(Worker):
    """A worker whose jobs run inside the application."""

    app: Flask

    def perform_job(self, job: Job, queue: object) -> bool:  # type: ignore[override]
        """One job, with rows at hand. An error is logged whole by RQ and stays on the job."""
        with self.app.app_context():
            return bool(super().perform_job(job, queue))  # type: ignore[arg-type]


def _relay_for_ever(app: Flask) -> None:
    """Lines of the outbox that their writer could not hand over (Redis was dead, or it was); restarts that wait for calls to end."""
    while True:
        with app.app_context():
            try:
                if _something_waits():
                    lanes.relay()
                    applying.restart()
            except Busy as why:
                log.warning("outbox or restart waits: %s", why)
        time.sleep(RELAY_SECONDS)


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
    threading.Thread(target=_relay_for_ever, args=(app,), daemon=True).start()
    worker = BenteviWorker(list(lanes.LANES), connection=lanes.connection(), serializer=JSONSerializer, worker_ttl=60,
                           maintenance_interval=30)
    worker.work(logging_level="INFO")


if __name__ == "__main__":
    main()
