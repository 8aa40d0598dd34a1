"""Verifications of the chain: who asked, how far it is, what was wrong."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import alarms, changes, lanes
from appliance import db as ground
from appliance.db import Base, Instant, db
from appliance.recordings import chain

WAITING, RUNNING, DONE = "waiting", "running", "done"
SHOWN = 200  # faults kept of one check


class RecordingCheck(Base):
    """One walk along the whole chain. `seal` is the newest seal at its end, to be written down outside."""

    __tablename__ = "recording_checks"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant())
    ended_at: Mapped[datetime | None] = mapped_column(Instant())
    author: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(10))
    checked_count: Mapped[int] = mapped_column(default=0)
    wrong_count: Mapped[int] = mapped_column(default=0)
    wrong: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    seal: Mapped[str] = mapped_column(String(64), default="")


def ask(lane: str = "default") -> RecordingCheck:
    """A new check; the worker does it after the commit when a lane is given. One that waits already is enough."""
    waiting = db.session.scalar(select(RecordingCheck).where(RecordingCheck.state == WAITING).limit(1))
    if waiting:
        return waiting
    found = RecordingCheck(at=ground.now(), author=changes.actor.get().name, state=WAITING, wrong=[])
    db.session.add(found)
    db.session.flush()
    if lane:
        lanes.put(lane, "jobs.recordings.verify", found.id)
    return found


def finished(found: RecordingCheck, wrong: list[chain.Wrong]) -> None:
    """What the walk gave goes into the row; faults raise an alarm, a clean walk ends it."""
    found.state, found.ended_at, found.wrong, found.wrong_count = DONE, ground.now(), wrong[:SHOWN], len(wrong)
    found.seal, found.checked_count = chain.newest()[1], chain.count()
    if wrong:
        alarms.put("recordings_broken", count=len(wrong))
    else:
        alarms.clear("recordings_broken")


def last() -> list[RecordingCheck]:
    """The newest ten."""
    return list(db.session.scalars(select(RecordingCheck).order_by(RecordingCheck.id.desc()).limit(10)))
