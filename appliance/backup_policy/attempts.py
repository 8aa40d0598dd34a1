"""Backups: each attempt as a row, how far it is, what it holds, and how its rehearsal went (SYS-20)."""

from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from appliance import db as ground
from appliance import lanes
from appliance.db import Base, Instant, Large, db

WAITING, RUNNING, DONE, FAILED, FORGOTTEN = "waiting", "running", "done", "failed", "forgotten"
STATES = {
    WAITING: _l("waiting"), RUNNING: _l("being made"), DONE: _l("complete"), FAILED: _l("failed"), FORGOTTEN: _l("removed, newer ones are kept"),
}
ROWS, FILES, TIDYING = "rows", "files", "tidying"
STEPS = {"": "", ROWS: _l("reading the database"), FILES: _l("carrying what is new"), TIDYING: _l("removing old backups")}
GOOD, BAD = "good", "bad"
REHEARSALS = {"": _l("not rehearsed"), RUNNING: _l("being rehearsed"), GOOD: _l("restored and compared"), BAD: _l("could not be restored")}

SHOWN = 60
OLD = timedelta(days=2)            # the last good backup may be so old before an alarm says so
SILENT = timedelta(minutes=15)     # a running one that has given no sign of life for so long was killed


def N_(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


CUT_OFF = N_("It was cut off: the machine or its worker stopped. The next one goes on from what was carried already.")


class Backup(Base):
    """One attempt. `snapshot` is its name in the store; sizes are bytes."""

    __tablename__ = "backups"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(12), index=True, default=WAITING)
    step: Mapped[str] = mapped_column(String(12), default="")
    progress: Mapped[int] = mapped_column(default=0)                        # per cent of the step
    reason: Mapped[str] = mapped_column(String(500), default="")            # why it failed, or what it lacks
    asked_by: Mapped[str] = mapped_column(String(80), default="")           # "" for the clock
    kind: Mapped[str] = mapped_column(String(10), default="")               # where it went
    at: Mapped[datetime] = mapped_column(Instant(), index=True)
    beat_at: Mapped[datetime] = mapped_column(Instant())                    # the last sign of life
    ended_at: Mapped[datetime | None] = mapped_column(Instant())
    snapshot: Mapped[str] = mapped_column(String(64), default="", index=True)
    row_count: Mapped[int] = mapped_column(Large, default=0)
    size_bytes: Mapped[int] = mapped_column(Large, default=0)
    added_bytes: Mapped[int] = mapped_column(Large, default=0)
    rehearsal: Mapped[str] = mapped_column(String(12), default="")
    rehearsal_reason: Mapped[str] = mapped_column(String(500), default="")
    rehearsed_at: Mapped[datetime | None] = mapped_column(Instant())
    rehearsal_seconds: Mapped[int] = mapped_column(default=0)

    @property
    def seconds(self) -> int:
        """How long it took, or takes until now."""
        return round(((self.ended_at or ground.now()) - self.at).total_seconds())

    @property
    def is_over(self) -> bool:
        return self.state not in (WAITING, RUNNING)


def ask(asked_by: str = "") -> Backup:
    """Order a backup; one that waits or runs already is given instead."""
    found = open_one()
    if found is None:
        found = new(asked_by)
        lanes.put("backups", "jobs.backups.run", found.id)
    return found


def new(asked_by: str) -> Backup:
    """The row of an attempt that begins now."""
    now = ground.now()
    backup = Backup(state=WAITING, asked_by=asked_by[:80], at=now, beat_at=now)
    db.session.add(backup)
    db.session.flush()
    return backup


def open_one() -> Backup | None:
    """The one that waits or runs."""
    give_up_silent()
    return db.session.scalar(select(Backup).where(Backup.state.in_((WAITING, RUNNING))).order_by(Backup.id).limit(1))


def give_up_silent() -> None:
    """Those nobody works on any more though they say so, and rehearsals too."""
    silent = Backup.beat_at < ground.now() - SILENT
    open_ = update(Backup).where(Backup.state.in_((WAITING, RUNNING)), silent)
    db.session.execute(open_.values(state=FAILED, ended_at=ground.now(), reason=CUT_OFF))
    db.session.execute(update(Backup).where(Backup.rehearsal == RUNNING, silent).values(rehearsal="", rehearsal_reason=CUT_OFF))


def newest() -> list[Backup]:
    """The last attempts, newest first."""
    return list(db.session.scalars(select(Backup).order_by(Backup.id.desc()).limit(SHOWN)))


def last_good() -> Backup | None:
    """The newest complete one."""
    return db.session.scalar(select(Backup).where(Backup.state == DONE).order_by(Backup.id.desc()).limit(1))


def last_rehearsed() -> Backup | None:
    """The newest one whose rehearsal ended."""
    return db.session.scalar(select(Backup).where(Backup.rehearsal.in_((GOOD, BAD))).order_by(Backup.rehearsed_at.desc()).limit(1))
