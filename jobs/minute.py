"""What is done every minute, one thing after the other in one job: a process for each would compute more than they do."""

import logging
from importlib import import_module

from appliance.db import db
from appliance.errors import Busy
from jobs.timetable import EACH_MINUTE

log = logging.getLogger("bentevi.minute")


class NotAllDone(Exception):
    """Some things of this minute ended badly; the text names each with its reason."""


def run(_: int = 0) -> None:
    """Everything of EACH_MINUTE in its order; what ends badly keeps none of the others from its turn; what
    waits for Asterisk or the database has another turn soon. May run twice. Raises NotAllDone."""
    failed = []
    for name in EACH_MINUTE:
        module, _dot, function = name.rpartition(".")
        try:
            getattr(import_module(module), function)(0)
        except Busy as why:
            log.info("%s: in the next minute: %s", name, why)
        except Exception as why:  # of whatever kind: the next one has nothing to do with it
            log.exception("%s", name)
            failed.append(f"{name}: {type(why).__name__}: {why}")
        db.session.rollback()
    if failed:
        raise NotAllDone("; ".join(failed))
