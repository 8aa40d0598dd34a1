"""Conversations that were: one Call per conversation, its CallSteps in order. Written only by appliance/calls/record.py."""

from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance.db import Base, Instant

INBOUND, OUTBOUND, INTERNAL = "inbound", "outbound", "internal"
DIRECTIONS = {INBOUND: _l("received"), OUTBOUND: _l("made"), INTERNAL: _l("internal")}

# What became of a conversation. OPEN only while it lasts; reports show conversations that are over.
OPEN, ANSWERED, NO_ANSWER, BUSY, FAILED, REFUSED = "open", "answered", "no_answer", "busy", "failed", "refused"
STATES = {
    OPEN: _l("in progress"), ANSWERED: _l("answered"), NO_ANSWER: _l("not answered"), BUSY: _l("busy"), FAILED: _l("failed"),
    REFUSED: _l("refused"),
}

CALLER, CALLED, SYSTEM = "caller", "called", "system"
SIDES = {CALLER: _l("caller"), CALLED: _l("called party"), SYSTEM: _l("exchange")}

ARRIVED, ROUTE, DESTINATION, TRUNK, RING, ANSWER, HOLD, TRANSFER, PICKUP, PARK, CONFERENCE, QUEUE, CLOSED, IVR, RATING, REFUSAL, END, DIVERTED, PERSON = (
    "arrived", "route", "destination", "trunk", "ring", "answer", "hold", "transfer", "pickup", "park", "conference", "queue", "closed", "ivr",
    "rating", "refusal", "end", "diverted", "person",
)
KINDS = {
    ARRIVED: _l("arrived"), ROUTE: _l("route"), DESTINATION: _l("destination"), TRUNK: _l("left by trunk"), RING: _l("rang"),
    ANSWER: _l("answered"), HOLD: _l("on hold"), TRANSFER: _l("transferred"), PICKUP: _l("picked up"), PARK: _l("parked"),
    CONFERENCE: _l("conference"), QUEUE: _l("queue"), CLOSED: _l("out of hours"), IVR: _l("menu"), RATING: _l("rating"),
    REFUSAL: _l("refused"), END: _l("ended"), DIVERTED: _l("follow-me"), PERSON: _l("password given"),
}


class Call(Base):
    """A conversation: one linkedid of Asterisk joined with its consult calls. Names and cost centres are those of its time.

    wait_seconds counts from the first queue entered (else from the start) to the first answer by a person, or to the end;
    ring_seconds while at least one phone rang before that answer; talk_seconds while two parties were joined, holds included;
    hold_seconds how much of that one of them was on hold. Rounded to whole seconds once, so that every total agrees.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_started_at_id", "started_at", "id"),
        Index("ix_calls_from_number_started_at", "from_number", "started_at"),
        Index("ix_calls_to_number_started_at", "to_number", "started_at"),
        Index("ix_calls_reached_number_started_at", "reached_number", "started_at"),
        Index("ix_calls_from_cost_centre_id_started_at", "from_cost_centre_id", "started_at"),
        Index("ix_calls_to_cost_centre_id_started_at", "to_cost_centre_id", "started_at"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(20))               # Asterisk's systemname
    linkedid: Mapped[str] = mapped_column(String(60), unique=True)
    protocol: Mapped[str] = mapped_column(String(30), index=True)  # what a caller can quote; follows from the linkedid
    state: Mapped[str] = mapped_column(String(12))
    is_cut: Mapped[bool] = mapped_column(default=False)          # Asterisk died meanwhile; the end is the last moment it was seen alive
    direction: Mapped[str] = mapped_column(String(8))
    started_at: Mapped[datetime] = mapped_column(Instant())
    answered_at: Mapped[datetime | None] = mapped_column(Instant())
    ended_at: Mapped[datetime | None] = mapped_column(Instant())
    from_number: Mapped[str] = mapped_column(String(40))
    from_name: Mapped[str] = mapped_column(String(80))
    from_extension_id: Mapped[int | None]
    from_cost_centre_id: Mapped[int | None]
    from_cost_centre: Mapped[str] = mapped_column(String(80))
    to_number: Mapped[str] = mapped_column(String(40))          # as it was called
    to_name: Mapped[str] = mapped_column(String(80))
    reached_number: Mapped[str] = mapped_column(String(40))     # who answered last, else who rang last: “who received the call”
    reached_name: Mapped[str] = mapped_column(String(80))
    reached_extension_id: Mapped[int | None]
    to_cost_centre_id: Mapped[int | None]                        # of the extension reached
    to_cost_centre: Mapped[str] = mapped_column(String(80))
    trunk_id: Mapped[int | None]
    trunk: Mapped[str] = mapped_column(String(80))
    wait_seconds: Mapped[int] = mapped_column(default=0)
    ring_seconds: Mapped[int] = mapped_column(default=0)
    talk_seconds: Mapped[int] = mapped_column(default=0)
    hold_seconds: Mapped[int] = mapped_column(default=0)
    hang_up_side: Mapped[str] = mapped_column(String(8))
    cause: Mapped[int] = mapped_column(default=0)                # Q.850
    recording_count: Mapped[int] = mapped_column(default=0)
    is_forgotten: Mapped[bool] = mapped_column(default=False, server_default=false())  # people outside were taken out of it (retention)

    steps: Mapped[list["CallStep"]] = relationship(
        order_by="CallStep.position", cascade="all, delete-orphan", passive_deletes=True, back_populates="call",
    )
    queue_visits: Mapped[list["QueueVisit"]] = relationship(order_by="QueueVisit.position", cascade="all, delete-orphan", passive_deletes=True)
    ivr_visits: Mapped[list["IvrVisit"]] = relationship(order_by="IvrVisit.position", cascade="all, delete-orphan", passive_deletes=True)


class CallStep(Base):
    """One thing that happened in a conversation; `word` and `row_id` name the row it speaks of, `name` as it was called then."""

    __tablename__ = "call_steps"
    __table_args__ = (
        Index("ix_call_steps_closed_at", "at", "id", sqlite_where=text("kind = 'closed'"), postgresql_where=text("kind = 'closed'")),  # small
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime] = mapped_column(Instant())
    ended_at: Mapped[datetime | None] = mapped_column(Instant())
    word: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[int | None]
    name: Mapped[str] = mapped_column(String(80))
    number: Mapped[str] = mapped_column(String(40))
    result: Mapped[str] = mapped_column(String(40))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)

    call: Mapped[Call] = relationship(back_populates="steps")

    @property
    def is_skipped(self) -> bool:
        """A queue that was asked to help another one and could not: the caller never came to it."""
        return self.kind == QUEUE and self.result.startswith("skipped ")


# How a visit of a queue ended. Only a CLOSED one was never offered to the queue's members.
ABANDONED, TIMEOUT, KEY, FULL, NO_AGENTS, NOT_TAKEN = "abandoned", "timeout", "key", "full", "no_agents", "not_taken"
WENT_ON, ENDED = "went_on", "ended"  # of an IVR, beside ABANDONED and CLOSED: to another destination, or the exchange hung up


class QueueVisit(Base):
    """A caller's visit of a queue, written when the conversation is over; what reports filter by stands here too, as of that time.

    `started_at` is when the conversation began: it counts in that hour, as in the call report. `wait_ms` is until somebody
    answered, else until the visit ended; `talk_ms` while the member talked, holds included. `is_within`: answered within
    `target_seconds`; `is_short`: abandoned in less than `abandon_seconds`; both targets are the queue's of that time.
    """

    __tablename__ = "queue_visits"
    __table_args__ = (
        Index("ix_queue_visits_started_at", "started_at"),
        Index("ix_queue_visits_queue_id_started_at", "queue_id", "started_at"),
        Index("ix_queue_visits_extension_id_started_at", "extension_id", "started_at"),
        Index("ix_queue_visits_number_started_at", "number", "started_at"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(Instant())
    direction: Mapped[str] = mapped_column(String(8))
    number: Mapped[str] = mapped_column(String(40))              # of the other side: who called, or whom we called
    from_cost_centre_id: Mapped[int | None]
    to_cost_centre_id: Mapped[int | None]
    queue_id: Mapped[int]
    queue: Mapped[str] = mapped_column(String(80), default="")
    ivr_id: Mapped[int | None]                                   # the IVR the caller came through
    entered_at: Mapped[datetime] = mapped_column(Instant())
    left_at: Mapped[datetime] = mapped_column(Instant())
    outcome: Mapped[str] = mapped_column(String(12))
    next_word: Mapped[str] = mapped_column(String(40), default="")  # where it overflowed to
    next_id: Mapped[int | None]
    wait_ms: Mapped[int]
    talk_ms: Mapped[int]
    extension_id: Mapped[int | None]                             # the member who answered
    member_number: Mapped[str] = mapped_column(String(40), default="")
    member_name: Mapped[str] = mapped_column(String(80), default="")
    is_transferred: Mapped[bool] = mapped_column(default=False)  # the member passed the caller on
    is_within: Mapped[bool] = mapped_column(default=False)
    is_short: Mapped[bool] = mapped_column(default=False)
    target_percent: Mapped[int] = mapped_column(default=80)
    target_seconds: Mapped[int] = mapped_column(default=20)
    abandon_seconds: Mapped[int] = mapped_column(default=3)


class IvrVisit(Base):
    """A call in an IVR, however often it came back to it; `queue_id` and `extension_id` are what it led to, if it did."""

    __tablename__ = "ivr_visits"
    __table_args__ = (
        Index("ix_ivr_visits_started_at", "started_at"),
        Index("ix_ivr_visits_ivr_id_started_at", "ivr_id", "started_at"),
        Index("ix_ivr_visits_number_started_at", "number", "started_at"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(Instant())      # of the conversation, as in QueueVisit
    direction: Mapped[str] = mapped_column(String(8))
    number: Mapped[str] = mapped_column(String(40))
    from_cost_centre_id: Mapped[int | None]
    to_cost_centre_id: Mapped[int | None]
    ivr_id: Mapped[int]
    ivr: Mapped[str] = mapped_column(String(80), default="")
    entered_at: Mapped[datetime] = mapped_column(Instant())
    left_at: Mapped[datetime] = mapped_column(Instant())
    outcome: Mapped[str] = mapped_column(String(12))
    queue_id: Mapped[int | None]
    extension_id: Mapped[int | None]
