"""Making a backup: rows of one moment into the stage, stage and files into the store, old ones out of it."""

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask_babel import gettext as _
from sqlalchemy import select, update

from appliance import alarms, settings
from appliance import db as ground
from appliance.backup_policy import attempts
from appliance.backup_policy import model as policies
from appliance.backup_policy.attempts import DONE, FAILED, FORGOTTEN, RUNNING, TIDYING, Backup
from appliance.backups import content, destination, store
from appliance.backups.destination import Destination
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.revisions.model import newest_number

log = logging.getLogger("bentevi.backups")
BEAT_SECONDS = 2.0

Say = Callable[[str, int], None]  # step, per cent


def run(backup_id: int, say: Say = lambda _step, _percent: None) -> bool:
    """Make the backup of this row; whether it is complete. May be delivered twice and killed at any point: one at a time works, and the
    next one finds what was carried.

    Every end is on the row. Raises Busy when another process is at it.
    """
    with alone():
        backup = db.session.get(Backup, backup_id)
        if backup is None or backup.is_over:
            db.session.rollback()
            return backup is not None and backup.state == DONE
        backup.state, backup.beat_at = RUNNING, ground.now()
        db.session.commit()
        try:
            _make(backup_id, say)
        except (Refused, Busy) as why:
            _failed(backup_id, str(why))
            return False
        except BaseException as why:  # the row must not say for ever that it is being made
            _failed(backup_id, f"{type(why).__name__}: {why}")
            raise
        finally:
            content.clear(settings.load())
    return True


@contextmanager
def alone() -> Iterator[None]:
    """One process at a time makes or rehearses a backup, or restores one; the lock dies with its holder. Raises Busy."""
    machine = settings.load()
    (machine.home / "backup").mkdir(mode=0o700, exist_ok=True)
    with open(machine.home / "backup" / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as why:
            raise Busy(_("A backup is being made, rehearsed or restored just now. Wait until it is over.")) from why
        yield


def _make(backup_id: int, say: Say) -> None:
    machine = settings.load()
    policy = policies.current()
    where, keep_count, kind = destination.of(policy), policy.keep_count, policy.kind
    revision = newest_number()
    db.session.rollback()
    store.prepare(where)
    beat(backup_id, kind=kind, step=attempts.ROWS, progress=0)
    said = content.stage(machine, backup_id, revision, _teller(backup_id, attempts.ROWS, say))
    beat(backup_id, step=attempts.FILES, progress=0)
    saved = store.save(where, machine.home, [*said.folders, content.STAGE], content.LEFT_OUT, _teller(backup_id, attempts.FILES, say))
    content.clear(machine)
    beat(backup_id, step=TIDYING, progress=0, snapshot=saved.snapshot)
    say(TIDYING, 0)
    lacking = _tidied(where, keep_count)
    if saved.unread:
        lacking = " ".join((lacking, _("%(count)s files went while they were read.", count=len(saved.unread)))).strip()
    db.session.execute(update(Backup).where(Backup.id == backup_id).values(
        state=DONE, step="", progress=100, ended_at=ground.now(), beat_at=ground.now(), row_count=said.row_count, size_bytes=saved.size_bytes,
        added_bytes=saved.added_bytes, reason=lacking[:500],
    ))
    alarms.clear("backup_failed")
    alarms.clear("backup_old")
    db.session.commit()
    log.info("backups %s: complete, %s rows, %s bytes, %s new", backup_id, said.row_count, saved.size_bytes, saved.added_bytes)


def beat(backup_id: int, **values: object) -> None:
    """A sign of life, with what changed. Commits."""
    db.session.execute(update(Backup).where(Backup.id == backup_id).values(beat_at=ground.now(), **values))
    db.session.commit()


def _teller(backup_id: int, step: str, say: Say) -> Callable[[int, int], None]:
    told_at = [0.0]

    def told(done: int, total: int) -> None:
        if time.monotonic() - told_at[0] > BEAT_SECONDS:
            told_at[0] = time.monotonic()
            percent = min(99, 100 * done // max(1, total))
            beat(backup_id, progress=percent)
            say(step, percent)

    return told


def _tidied(where: Destination, keep_count: int) -> str:
    """Old backups go; a sentence when that did not work: the new one is complete all the same."""
    try:
        store.forget(where, keep_count)
        kept = [one.name for one in store.snapshots(where)]
    except (Refused, Busy) as why:
        return _("Old backups could not be removed: %(why)s", why=str(why))
    gone = select(Backup.id).where(Backup.state == DONE, Backup.snapshot.not_in(kept))
    db.session.execute(update(Backup).where(Backup.id.in_(gone)).values(state=FORGOTTEN))
    db.session.commit()
    return ""


def _failed(backup_id: int, reason: str) -> None:
    db.session.rollback()
    log.error("backups %s: failed: %s", backup_id, reason)
    db.session.execute(update(Backup).where(Backup.id == backup_id).values(
        state=FAILED, ended_at=ground.now(), beat_at=ground.now(), reason=reason[:500], step=""))
    alarms.put("backup_failed", reason=reason[:300])
    db.session.commit()
