"""Recordings: one file per recorded channel, sealed in a chain of digests (EXT-20)."""

from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, Instant, Large

# RUNNING while the call lasts, WAITING to be converted, READY to be heard; the others are ends.
RUNNING, WAITING, READY, EMPTY, MISSING, DAMAGED, REMOVED = "running", "waiting", "ready", "empty", "missing", "damaged", "removed"
STATES = {
    RUNNING: _l("being recorded"), WAITING: _l("being prepared"), READY: _l("ready"), EMPTY: _l("nothing was said"),
    MISSING: _l("the file is missing"), DAMAGED: _l("the file is damaged"), REMOVED: _l("removed by retention"),
}


class Recording(Base):
    """A recording. Sealed ones stand in a chain: each seal covers the file's digest and the seal before (see chain.py)."""

    __tablename__ = "recordings"
    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id"), index=True)
    uniqueid: Mapped[str] = mapped_column(String(60))                 # the channel it was made on: the outside party's
    raw_name: Mapped[str] = mapped_column(String(120), unique=True)   # what Asterisk writes, relative to spool/monitor
    state: Mapped[str] = mapped_column(String(10), index=True)
    reason: Mapped[str] = mapped_column(String(200), default="")
    started_at: Mapped[datetime] = mapped_column(Instant(), index=True)
    name: Mapped[str] = mapped_column(String(120), default="")        # the converted file, relative to recordings/
    seconds: Mapped[int] = mapped_column(default=0)
    size_bytes: Mapped[int] = mapped_column(Large, default=0)
    waveform: Mapped[bytes | None] = mapped_column(LargeBinary)       # peaks, one byte each, 0 to 255
    digest: Mapped[str] = mapped_column(String(64), default="")       # SHA-256 of the converted file
    place: Mapped[int | None] = mapped_column(unique=True)            # place in the chain, from 1 without gaps
    seal: Mapped[str] = mapped_column(String(64), default="")
    sealed_at: Mapped[datetime | None] = mapped_column(Instant())
    removed_at: Mapped[datetime | None] = mapped_column(Instant())
