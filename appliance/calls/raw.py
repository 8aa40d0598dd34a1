"""What is kept of the record files: how far they are read, the lines of young conversations, and what could not be read."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, Instant, Large


class RecordFile(Base):
    """One file Asterisk wrote, and where we have read it to; (id, offset) names a line for good, inodes are given again."""

    __tablename__ = "record_files"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))                  # cel, cdr, queue
    inode: Mapped[int] = mapped_column(Large)
    head: Mapped[str] = mapped_column(String(32), default="")      # digest of its first line
    offset: Mapped[int] = mapped_column(Large, default=0)
    line_count: Mapped[int] = mapped_column(default=0)
    bad_count: Mapped[int] = mapped_column(default=0)
    is_finished: Mapped[bool] = mapped_column(default=False)


class RecordLine(Base):
    """A line of a conversation, kept until some days after its end so that it can be built again when more come.

    `call_id` is empty while no conversation is known that it belongs to. `shift` as in lines.Line.
    """

    __tablename__ = "record_lines"
    __table_args__ = (UniqueConstraint("file_id", "offset", name="uq_record_lines_place"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int]
    offset: Mapped[int] = mapped_column(Large)
    kind: Mapped[str] = mapped_column(String(8))
    at: Mapped[float] = mapped_column(Float(53))
    shift: Mapped[float] = mapped_column(Float(53))
    uniqueid: Mapped[str] = mapped_column(String(60))
    call_id: Mapped[int | None] = mapped_column(index=True)
    text: Mapped[str] = mapped_column(Text)


class RecordChannel(Base):
    """Which conversation a channel belongs to, while its lines are kept."""

    __tablename__ = "record_channels"
    uniqueid: Mapped[str] = mapped_column(String(60), primary_key=True)
    linkedid: Mapped[str] = mapped_column(String(60))             # as it was seen last
    call_id: Mapped[int] = mapped_column(index=True)


class BadLine(Base):
    """A line that could not be read, for support."""

    __tablename__ = "bad_lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(index=True)
    offset: Mapped[int] = mapped_column(Large)
    at: Mapped[datetime] = mapped_column(Instant())
    reason: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)


class QueueEvent(Base):
    """A line of queue_log; queue reports read these. `at` has whole seconds, order within one is that of ids."""

    __tablename__ = "queue_events"
    __table_args__ = (
        UniqueConstraint("file_id", "offset", name="uq_queue_events_place"),
        Index("ix_queue_events_queue_at", "queue", "at"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int]
    offset: Mapped[int] = mapped_column(Large)
    at: Mapped[datetime] = mapped_column(Instant())
    call_id: Mapped[int | None] = mapped_column(index=True)
    uniqueid: Mapped[str] = mapped_column(String(60), index=True)
    queue: Mapped[str] = mapped_column(String(80))
    member: Mapped[str] = mapped_column(String(80))
    event: Mapped[str] = mapped_column(String(40))
    data: Mapped[list[Any]] = mapped_column(JSON)


class AsteriskBoot(Base):
    """One run of Asterisk, and what is stored of the channels it made; jobs/records.py compares that with its own count."""

    __tablename__ = "asterisk_boots"
    id: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(String(120), unique=True)  # pid and birth of the process
    started_at: Mapped[float] = mapped_column(Float(53))             # less the shift of the clock, see lines.Line
    dialplan_count: Mapped[int] = mapped_column(default=0)           # channels that ran through the dialplan
    pjsip_count: Mapped[int] = mapped_column(default=0)
    pjsip_last: Mapped[int] = mapped_column(default=-1)              # PJSIP numbers its channels from 0, in their names
