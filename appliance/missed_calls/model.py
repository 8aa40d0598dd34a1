"""The ledger of missed calls (Perdidas): every caller whom nobody answered, and what became of it (QUE-36)."""

from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, Instant

OPEN, RETURNED, CALLED_AGAIN, CLOSED = "open", "returned", "called_again", "closed"
STATES = {OPEN: _l("open"), RETURNED: _l("returned"), CALLED_AGAIN: _l("called again"), CLOSED: _l("closed")}

ABANDONED, TIMEOUT, NO_AGENTS, FULL, OUT_OF_HOURS, HOLIDAY, UNANSWERED = (
    "abandoned", "timeout", "no_agents", "full", "out_of_hours", "holiday", "unanswered",
)
REASONS = {
    ABANDONED: _l("gave up in the queue"), TIMEOUT: _l("waited too long"), NO_AGENTS: _l("nobody available"), FULL: _l("the queue was full"),
    OUT_OF_HOURS: _l("out of hours"), HOLIDAY: _l("holiday or event"), UNANSWERED: _l("not answered"),
}


class MissedCall(Base):
    """One caller who was not answered. `number_key` is the number in the one form numbers are compared in (numbers.key)."""

    __tablename__ = "missed_calls"
    __table_args__ = (
        Index("ix_missed_calls_at_id", "at", "id"),
        Index("ix_missed_calls_state_number_key", "state", "number_key"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), unique=True)
    at: Mapped[datetime] = mapped_column(Instant())                  # when the call began
    ended_at: Mapped[datetime] = mapped_column(Instant())
    number: Mapped[str] = mapped_column(String(40))                  # "" when it was withheld
    number_key: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(20))
    queue_id: Mapped[int | None] = mapped_column(index=True)         # the last queue it was in, with its name of then
    queue: Mapped[str] = mapped_column(String(80))
    wait_seconds: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    resolved_at: Mapped[datetime | None] = mapped_column(Instant())
    resolved_by: Mapped[str] = mapped_column(String(120), default="")  # the extension that called back or answered, or the person who closed it
    resolving_call_id: Mapped[int | None] = mapped_column(ForeignKey("calls.id", ondelete="SET NULL"), index=True)
    after_seconds: Mapped[int | None]                                # from the end of the missed call to the answer of the other
    note: Mapped[str] = mapped_column(String(200), default="")
