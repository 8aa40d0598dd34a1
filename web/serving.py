"""gunicorn's settings for the process of pages: the program is read once, by the parent, and its workers share that memory.

So a small machine starts in half the time, and a worker costs what it changes (some 30 MB) instead of the whole program (140 MB).
"""

import gc
import os

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from appliance import db

preload_app = True


def pre_fork(_parent: Arbiter, _worker: Worker) -> None:
    """What is there now is not collected any more: a collector that visits it would copy every page of it."""
    gc.freeze()


def post_fork(_parent: Arbiter, worker: Worker) -> None:
    """Connections of the parent are the parent's. When the home is moved to another database, the parent has to begin anew, not its workers."""
    with worker.app.wsgi().app_context():
        db.db.engine.dispose(close=False)
    db.serve(os.getppid())
