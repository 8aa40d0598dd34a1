"""Revisions: every complete configuration that was in force, and the attempts to put one in force."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, Instant, db

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"


class Revision(Base):
    """A configuration that came into force. Its files and rows lie in home/revisions/<number>."""

    __tablename__ = "revisions"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant())
    author: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(200))
    change_count: Mapped[int]
    changed_files: Mapped[list[str]] = mapped_column(JSON)
    restart_needed: Mapped[list[str]] = mapped_column(JSON)
    proved_at: Mapped[datetime | None] = mapped_column(Instant())  # when a second Asterisk booted cold with it


class Attempt(Base):
    """One press of “Aplicar”: its steps as they happen, and what became of it."""

    __tablename__ = "attempts"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant())
    ended_at: Mapped[datetime | None] = mapped_column(Instant())
    author: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20))
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON)       # {"name", "state", "seconds"}
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON)    # {"text", "file", "line", "word", "row_id"}
    warning: Mapped[str] = mapped_column(String(400), default="")
    revision: Mapped[int | None]

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in (DONE, FAILED)


def newest() -> Revision | None:
    """The revision in force, as far as the rows know."""
    return db.session.scalar(select(Revision).order_by(Revision.number.desc()).limit(1))


def newest_number() -> int:
    """Its number, 0 before the first."""
    return db.session.scalar(select(func.max(Revision.number))) or 0


def proved_number() -> int:
    """The newest revision a second Asterisk booted cold with, 0 when there is none."""
    return db.session.scalar(select(func.max(Revision.number)).where(Revision.proved_at.is_not(None))) or 0


def last_attempt() -> Attempt | None:
    """The newest attempt, whatever became of it."""
    return db.session.scalar(select(Attempt).order_by(Attempt.id.desc()).limit(1))
