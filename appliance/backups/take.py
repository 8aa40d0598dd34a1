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
        ground.read_only()
        backup = db.session.get(Backup, backup_id)
        is_over, is_complete = backup is None or backup.is_over, backup is not None and backup.state == DONE
        db.session.rollback()
        if is_over:
            return is_complete
        tell(backup_id, state=RUNNING)
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
    ground.read_only()
    policy = policies.current()
    where, keep_count, kind = destination.of(policy), policy.keep_count, policy.kind
    revision = newest_number()
    db.session.rollback()
    store.prepare(where)
    tell(backup_id, kind=kind, step=attempts.ROWS, progress=0)
    said = content.stage(machine, backup_id, revision, _teller(backup_id, attempts.ROWS, say))
    tell(backup_id, step=attempts.FILES, progress=0)
    saved = store.save(where, machine.home, [*said.folders, content.STAGE], content.LEFT_OUT, _teller(backup_id, attempts.FILES, say))
    content.clear(machine)
    tell(backup_id, step=TIDYING, progress=0, snapshot=saved.snapshot)
    say(TIDYING, 0)
    lacking = _tidied(where, keep_count)
    if saved.unread:
        lacking = " ".join((lacking, _("%(count)s files went while they were read.", count=len(saved.unread)))).strip()

    def complete() -> None:
        alarms.clear("backup_failed")
        alarms.clear("backup_old")
        _set(backup_id, state=DONE, step="", progress=100, ended_at=ground.now(), row_count=said.row_count, size_bytes=saved.size_bytes,
             added_bytes=saved.added_bytes, reason=lacking[:500])

    ground.patiently(complete)
    log.info("backups %s: complete, %s rows, %s bytes, %s new", backup_id, said.row_count, saved.size_bytes, saved.added_bytes)


def tell(backup_id: int, **values: object) -> None:
    """What changed, onto the row, with a sign of life; waits while the database is locked."""
    ground.patiently(lambda: _set(backup_id, **values))


def beat(backup_id: int, **values: object) -> None:
    """A sign of life. One the database does not take now is left out: the next one comes soon."""
    try:
        _set(backup_id, **values)
    except ground.AWAY as why:
        db.session.rollback()
        if ground.trouble(why) not in ground.PASSING:
            raise
        log.info("backups %s: no sign of life now, the database is %s", backup_id, ground.trouble(why))


def _set(backup_id: int, **values: object) -> None:
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

    def tidy() -> None:
        gone = select(Backup.id).where(Backup.state == DONE, Backup.snapshot.not_in(kept))
        db.session.execute(update(Backup).where(Backup.id.in_(gone)).values(state=FORGOTTEN))
        db.session.commit()

    ground.patiently(tidy)
    return ""


def _failed(backup_id: int, reason: str) -> None:
    db.session.rollback()
    log.error("backups %s: failed: %s", backup_id, reason)

    def failed() -> None:
        alarms.put("backup_failed", reason=reason[:300])
        _set(backup_id, state=FAILED, ended_at=ground.now(), reason=reason[:500], step="")

    ground.patiently(failed)
