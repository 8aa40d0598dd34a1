"""Roll-ups of conversations by hour, with and without their cost centres, kept in the same transaction as the conversations: reports over years read these."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from appliance.calls.model import Call
from appliance.db import Base, Instant, db

COUNTS = ("call_count", "wait_seconds", "ring_seconds", "talk_seconds", "hold_seconds")
Key = tuple[datetime, str, str, int, int]
Sums = dict[Key, list[int]]


class CallTotal(Base):
    """Sums of the conversations that began in one hour (UTC) and are alike in what reports filter by; 0 is no cost centre."""

    __tablename__ = "call_totals"
    hour_at: Mapped[datetime] = mapped_column(Instant(), primary_key=True)
    direction: Mapped[str] = mapped_column(String(8), primary_key=True)
    state: Mapped[str] = mapped_column(String(12), primary_key=True)
    from_cost_centre_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    to_cost_centre_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    call_count: Mapped[int] = mapped_column(default=0)
    wait_seconds: Mapped[int] = mapped_column(default=0)
    ring_seconds: Mapped[int] = mapped_column(default=0)
    talk_seconds: Mapped[int] = mapped_column(default=0)
    hold_seconds: Mapped[int] = mapped_column(default=0)


class CallHour(Base):
    """The same sums without the cost centres: a tenth of the rows, which is what most reports and every long one need."""

    __tablename__ = "call_hours"
    __table_args__ = {"sqlite_with_rowid": False}  # the rows lie in the order of their hours, nothing is looked up twice
    hour_at: Mapped[datetime] = mapped_column(Instant(), primary_key=True)
    direction: Mapped[str] = mapped_column(String(8), primary_key=True)
    state: Mapped[str] = mapped_column(String(12), primary_key=True)
    call_count: Mapped[int] = mapped_column(default=0)
    wait_seconds: Mapped[int] = mapped_column(default=0)
    ring_seconds: Mapped[int] = mapped_column(default=0)
    talk_seconds: Mapped[int] = mapped_column(default=0)
    hold_seconds: Mapped[int] = mapped_column(default=0)


def contribution(call: Call) -> Sums:
    """What a conversation adds to the roll-ups: nothing while it lasts."""
    if call.ended_at is None:
        return {}
    hour = call.started_at.replace(minute=0, second=0, microsecond=0)
    key = (hour, call.direction, call.state, call.from_cost_centre_id or 0, call.to_cost_centre_id or 0)
    return {key: [1, call.wait_seconds, call.ring_seconds, call.talk_seconds, call.hold_seconds]}


def difference(before: Iterable[Sums], after: Iterable[Sums]) -> Sums:
    """What storing changes: contributions of the rows as they are minus those of the rows as they were."""
    sums: Sums = {}
    for sign, contributions in ((-1, before), (1, after)):
        for found in contributions:
            for key, values in found.items():
                old = sums.setdefault(key, [0] * len(COUNTS))
                sums[key] = [one + sign * more for one, more in zip(old, values, strict=True)]
    return {key: values for key, values in sums.items() if any(values)}


def add(sums: Sums) -> None:
    """Add to both roll-ups, in this transaction."""
    hours: dict[tuple[Any, ...], list[int]] = {}
    for key, values in sums.items():
        hours[key[:3]] = [one + more for one, more in zip(hours.get(key[:3], [0] * len(COUNTS)), values, strict=True)]
    for table, found in ((CallTotal, sums), (CallHour, hours)):
        for place, values in sorted(found.items()):  # always in the same order: two writers never wait for each other in a circle
            _add(table, place, values)


def _add(table: type[CallTotal] | type[CallHour], key: tuple[Any, ...], values: list[int]) -> None:
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    keys = list(table.__table__.primary_key)
    insert = dialect.insert(table).values(
        dict(zip([column.name for column in keys], key, strict=True)) | dict(zip(COUNTS, values, strict=True)))
    more = {name: getattr(table, name) + insert.excluded[name] for name in COUNTS}
    db.session.execute(insert.on_conflict_do_update(index_elements=keys, set_=more))
