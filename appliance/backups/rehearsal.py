"""The rehearsal: a backup is read back, restored into a scratch database and compared; sealed secrets are opened, recordings are looked at.

Nothing of the home is touched. What it finds stands on the row of the backup, on the page “Now”, and as an alarm when it is bad.
"""

import hashlib
import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from flask_babel import gettext as _
from sqlalchemy import func, select, text

from appliance import alarms, settings
from appliance import db as ground
from appliance.backup_policy import model as policies
from appliance.backup_policy.attempts import BAD, DONE, GOOD, RUNNING, Backup
from appliance.backups import content, destination, restore, scratch, store, take
from appliance.backups.destination import Destination
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.recordings.model import READY, Recording

log = logging.getLogger("bentevi.backups")
SAMPLE = 20  # so many recordings, chosen anew each night, are read back and compared with their seals


class Bad(Exception):
    """The backup could not be restored, or is not what it should be."""


def run(backup_id: int) -> bool:
    """Rehearse the restore of this backup; whether it went well. May run twice and be killed. Raises Busy while another works, Refused
    when there is no place of backups, and one of db.AWAY when the exchange's own database does not answer for minutes: none of them says
    anything of the backup, whose rehearsal is still to come."""
    with take.alone():
        ground.read_only()
        backup = db.session.get(Backup, backup_id)
        if backup is None or backup.state != DONE:
            db.session.rollback()
            return False
        snapshot, where, began = backup.snapshot, destination.of(policies.current()), time.monotonic()
        db.session.rollback()
        take.tell(backup_id, rehearsal=RUNNING)
        machine = settings.load()
        reason = ""
        folder = Path(tempfile.mkdtemp(prefix="rehearsal-", dir=_swept(machine.home / "backup")))
        try:
            _rehearse(backup_id, where, snapshot, folder)
        except (Bad, Refused, Busy) as why:
            reason = str(why)
        except OSError as why:
            reason = _("The scratch database cannot be written: %(why)s", why=why.strerror or str(why))
        except BaseException as why:
            _ended(backup_id, f"{type(why).__name__}: {why}", time.monotonic() - began)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        _ended(backup_id, reason, time.monotonic() - began)
    return not reason


def _swept(folder: Path) -> Path:
    """What a killed rehearsal left holds rows in clear: it goes first."""
    for left in folder.glob("rehearsal-*"):
        shutil.rmtree(left, ignore_errors=True)
    return folder


def _ended(backup_id: int, reason: str, seconds: float) -> None:
    db.session.rollback()
    if reason:
        log.error("backups %s: the rehearsal failed: %s", backup_id, reason)
    take.tell(backup_id, rehearsal=BAD if reason else GOOD, rehearsal_reason=reason[:500], rehearsed_at=ground.now(), rehearsal_seconds=round(seconds))

    def alarm() -> None:
        if reason:
            alarms.put("backup_rehearsal", reason=reason[:300])
        else:
            alarms.clear("backup_rehearsal")
        db.session.commit()

    ground.patiently(alarm)


def _rehearse(backup_id: int, where: Destination, snapshot: str, folder: Path) -> None:
    where.look()
    store.verify(where, ground.now().toordinal())
    said = restore.manifest(where, snapshot)
    content.need_room(folder, next((one.size_bytes for one in store.entries(where, snapshot, content.STAGE) if one.path == content.ROWS), 0))
    app = scratch.on_file(folder / "scratch.sqlite")
    beaten_at = [time.monotonic()]

    def told(_name: str, _done: int, _total: int) -> None:
        if time.monotonic() - beaten_at[0] > 30:
            beaten_at[0] = time.monotonic()
            take.beat(backup_id)

    with store.opened(where, snapshot, content.ROWS) as stream:
        found = scratch.fill(app, stream, said.heads, told)
    if content.held(found) != said.tables:
        raise Bad(_("The rows are not those the backup says it holds."))
    with app.app_context():
        recordings = _look_at_rows(where, snapshot)
        sample = list(db.session.execute(select(Recording.name, Recording.digest).where(Recording.state == READY).order_by(func.random()).limit(SAMPLE)))
        db.session.remove()
        db.engine.dispose()
    _look_at_recordings(where, snapshot, recordings, sample, folder)


def _look_at_rows(where: Destination, snapshot: str) -> dict[str, int]:
    """In the scratch database: SQLite finds it whole, and the key of the backup opens what was sealed. Recordings by their path."""
    answer = db.session.scalar(text("PRAGMA integrity_check"))
    if answer != "ok":
        raise Bad(str(answer))
    with store.opened(where, snapshot, "secrets/key") as stream:
        key = stream.read().strip()
    sealed = next((value for table in ("extensions", "trunks", "backup_policy") for value in [_sealed(table)] if value), "")
    if sealed:
        try:
            Fernet(key).decrypt(sealed.encode())
        except (InvalidToken, ValueError) as why:
            raise Bad(_("The key in the backup does not open its passwords.")) from why
    return {f"recordings/{name}": size for name, size in db.session.execute(select(Recording.name, Recording.size_bytes).where(Recording.state == READY))}


def _sealed(table: str) -> str:
    column = "encryption_password" if table == "backup_policy" else "password"
    return str(db.session.scalar(text(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL LIMIT 1")) or "")


def _look_at_recordings(where: Destination, snapshot: str, wanted: dict[str, int], sample: "list[Any]", folder: Path) -> None:
    """Every recording of the rows lies in the backup in its length, and a sample of them is what was sealed; those that were lost before
    are another alarm's affair."""
    if not wanted:
        return
    there = {one.path: one.size_bytes for one in store.entries(where, snapshot, "recordings")}
    wrong = [path for path, size in wanted.items() if there.get(path) != size and _is_here(path, size)]
    if wrong:
        raise Bad(_("%(count)s recordings are missing in the backup, for example %(name)s.", count=len(wrong), name=wrong[0]))
    chosen = [(name, digest) for name, digest in sample if f"recordings/{name}" in there]
    store.bring(where, snapshot, folder / "sample", [f"recordings/{name}" for name, _digest in chosen])
    for name, digest in chosen:
        file = folder / "sample" / "recordings" / name
        with open(file, "rb") as stream:
            read = hashlib.file_digest(stream, "sha256").hexdigest()
        if read != digest and _digest_here(name) == digest:
            raise Bad(_("The recording %(name)s in the backup is not the one that was sealed.", name=name))


def _is_here(path: str, size: int) -> bool:
    file = settings.load().home / path
    return file.exists() and file.stat().st_size == size


def _digest_here(name: str) -> str:
    file = settings.load().home / "recordings" / name
    if not file.exists():
        return ""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

