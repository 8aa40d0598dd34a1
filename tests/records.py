"""What tests of stored conversations share: waiting until everything is stored, killing processes, reading rows."""

import os
import signal
import time

from sqlalchemy import select

from appliance import records, settings, supervisor
from appliance.calls.model import Call
from appliance.calls.raw import RecordFile
from appliance.db import db
from appliance.telephony import runtime
from tests.rows import began_at

WAIT_SECONDS = 60.0


def wait_recorded(seconds: float = WAIT_SECONDS) -> list[Call]:
    """Every conversation that began in this test, oldest first, once none is open and every file is read to its end."""
    ends_at = time.monotonic() + seconds
    while True:
        left = unread()
        open_ids = list(db.session.scalars(select(Call.id).where(Call.ended_at.is_(None))))
        if not left and not open_ids:
            found = list(db.session.scalars(select(Call).where(Call.started_at >= began_at()).order_by(Call.started_at, Call.id)))
            db.session.commit()
            return found
        db.session.rollback()  # an open transaction of ours would keep the process from writing
        assert time.monotonic() < ends_at, f"unread: {left}, open: {open_ids}\n{log()}"
        time.sleep(0.1)


def log() -> str:
    """The end of the process's own log."""
    return "\n".join((settings.load().log / "records.log").read_text().splitlines()[-30:])


def unread() -> dict[str, int]:
    """File → bytes that are not stored yet."""
    folder = settings.load().asterisk / "log"
    left = {}
    for name, (kind, _count) in records.RECORDS.items():
        path = folder / name
        if path.exists():
            row = db.session.scalar(select(RecordFile).where(RecordFile.kind == kind).order_by(RecordFile.id.desc()).limit(1))
            offset = row.offset if row and row.inode == path.stat().st_ino else 0
            if path.stat().st_size != offset:
                left[name] = path.stat().st_size - offset
    db.session.rollback()
    return left


def quiet() -> None:
    """No channel is up and all lines of earlier tests are stored, so that none comes while this one looks."""
    control = runtime.control(settings.load())
    ends_at = time.monotonic() + WAIT_SECONDS
    while "0 active channels" not in runtime.command(control, "core show channels count"):
        assert time.monotonic() < ends_at
        time.sleep(0.1)
    time.sleep(0.3)  # CDR and CEL are written behind the channel's end
    while unread():
        assert time.monotonic() < ends_at
        time.sleep(0.1)


def kill(name: str) -> None:
    """SIGKILL for a process of the session's home; the supervisor starts it again."""
    child = supervisor.read_state(settings.load()).get(name)
    if child and supervisor.born(child.pid) == child.born:
        os.kill(child.pid, signal.SIGKILL)
