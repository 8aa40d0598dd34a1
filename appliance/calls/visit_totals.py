"""Roll-ups of the visits of queues and IVRs by hour, kept in the same transaction as the visits: the reports read these.

A visit of an IVR and the visit of the queue it led to lie under the same queue and IVR, so that one table answers every grouping
and each of them has the same grand total. There is no roll-up by day: a day depends on the zone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, case, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from appliance.calls.model import ABANDONED, ANSWERED, CLOSED, IvrVisit, QueueVisit
from appliance.db import Base, Instant, Large, db

Key = tuple[datetime, str, int, int, int, int, int]
Sums = dict[Key, list[int]]


class VisitColumns:
    """What is summed; the last two are the longest of their hour."""

    received_count: Mapped[int] = mapped_column(default=0)        # into an IVR
    ivr_closed_count: Mapped[int] = mapped_column(default=0)
    ivr_abandoned_count: Mapped[int] = mapped_column(default=0)
    offered_count: Mapped[int] = mapped_column(default=0)         # to a queue that was open
    answered_count: Mapped[int] = mapped_column(default=0)
    within_count: Mapped[int] = mapped_column(default=0)
    abandoned_count: Mapped[int] = mapped_column(default=0)
    short_count: Mapped[int] = mapped_column(default=0)
    overflowed_count: Mapped[int] = mapped_column(default=0)
    transferred_count: Mapped[int] = mapped_column(default=0)
    closed_count: Mapped[int] = mapped_column(default=0)
    target_sum: Mapped[int] = mapped_column(Large, default=0)     # the percentages the queues of the offered ones wanted at that time
    wait_ms: Mapped[int] = mapped_column(Large, default=0)        # of all that were offered
    answered_wait_ms: Mapped[int] = mapped_column(Large, default=0)
    abandoned_wait_ms: Mapped[int] = mapped_column(Large, default=0)
    talk_ms: Mapped[int] = mapped_column(Large, default=0)
    longest_wait_ms: Mapped[int] = mapped_column(default=0)       # of those that were answered
    longest_talk_ms: Mapped[int] = mapped_column(default=0)


class VisitTotal(VisitColumns, Base):
    """Sums of the visits of conversations that began in one hour (UTC) and are alike in what reports filter by; 0 is none."""

    __tablename__ = "visit_totals"
    __table_args__ = {"sqlite_with_rowid": False}
    hour_at: Mapped[datetime] = mapped_column(Instant(), primary_key=True)
    direction: Mapped[str] = mapped_column(String(8), primary_key=True)
    queue_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ivr_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    extension_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    from_cost_centre_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    to_cost_centre_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class VisitHour(VisitColumns, Base):
    """The same sums without members and cost centres: a small part of the rows, which is what most reports need."""

    __tablename__ = "visit_hours"
    __table_args__ = {"sqlite_with_rowid": False}
    hour_at: Mapped[datetime] = mapped_column(Instant(), primary_key=True)
    direction: Mapped[str] = mapped_column(String(8), primary_key=True)
    queue_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ivr_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


SUMS = ("received_count", "ivr_closed_count", "ivr_abandoned_count", "offered_count", "answered_count", "within_count", "abandoned_count",
        "short_count", "overflowed_count", "transferred_count", "closed_count", "target_sum", "wait_ms", "answered_wait_ms", "abandoned_wait_ms",
        "talk_ms")  # fmt: skip
LONGEST = ("longest_wait_ms", "longest_talk_ms")
COLUMNS = (*SUMS, *LONGEST)
KEYS = ("hour_at", "direction", "queue_id", "ivr_id", "extension_id", "from_cost_centre_id", "to_cost_centre_id")
HOUR_KEYS = KEYS[:4]


def _of_queue(visit: QueueVisit) -> list[int]:
    offered, answered, abandoned = visit.outcome != CLOSED, visit.outcome == ANSWERED, visit.outcome == ABANDONED
    wait = visit.wait_ms if offered else 0
    return [0, 0, 0, int(offered), int(answered), int(visit.is_within), int(abandoned), int(visit.is_short),
            int(offered and visit.next_word != ""), int(visit.is_transferred), int(not offered),
            visit.target_percent * offered, wait, wait * answered, wait * abandoned, visit.talk_ms,
            wait * answered, visit.talk_ms]  # fmt: skip


def _of_ivr(visit: IvrVisit) -> list[int]:
    return [1, int(visit.outcome == CLOSED), int(visit.outcome == ABANDONED), *[0] * (len(COLUMNS) - 3)]


def queue_sums() -> dict[str, Any]:
    """The same of rows of queue_visits, asked of the database."""
    visit, offered, answered, abandoned = QueueVisit, QueueVisit.outcome != CLOSED, QueueVisit.outcome == ANSWERED, QueueVisit.outcome == ABANDONED
    counted = {
        "offered_count": offered, "answered_count": answered, "within_count": visit.is_within, "abandoned_count": abandoned,
        "short_count": visit.is_short, "overflowed_count": offered & (visit.next_word != ""), "transferred_count": visit.is_transferred,
        "closed_count": visit.outcome == CLOSED,
    }
    found: dict[str, Any] = {name: func.sum(case((condition, 1), else_=0)) for name, condition in counted.items()}
    found |= {
        "target_sum": func.sum(case((offered, visit.target_percent), else_=0)),
        "wait_ms": func.sum(case((offered, visit.wait_ms), else_=0)), "answered_wait_ms": func.sum(case((answered, visit.wait_ms), else_=0)),
        "abandoned_wait_ms": func.sum(case((abandoned, visit.wait_ms), else_=0)), "talk_ms": func.sum(visit.talk_ms),
        "longest_wait_ms": func.max(case((answered, visit.wait_ms), else_=0)), "longest_talk_ms": func.max(visit.talk_ms),
    }
    return {name: found.get(name, literal(0)) for name in COLUMNS}


def ivr_sums() -> dict[str, Any]:
    """The same of rows of ivr_visits."""
    found: dict[str, Any] = {
        "received_count": func.count(), "ivr_closed_count": func.sum(case((IvrVisit.outcome == CLOSED, 1), else_=0)),
        "ivr_abandoned_count": func.sum(case((IvrVisit.outcome == ABANDONED, 1), else_=0)),
    }
    return {name: found.get(name, literal(0)) for name in COLUMNS}


def contribution(queues: Iterable[QueueVisit], ivrs: Iterable[IvrVisit]) -> Sums:
    """What these visits add to the roll-ups."""
    sums: Sums = {}
    for visit in queues:
        _gather(sums, _key(visit), _of_queue(visit))
    for stay in ivrs:
        _gather(sums, _key(stay), _of_ivr(stay))
    return sums


def _key(visit: QueueVisit | IvrVisit) -> Key:
    hour = visit.started_at.replace(minute=0, second=0, microsecond=0)
    return (hour, visit.direction, visit.queue_id or 0, visit.ivr_id or 0, visit.extension_id or 0, visit.from_cost_centre_id or 0,
            visit.to_cost_centre_id or 0)  # fmt: skip


def _gather(sums: dict[Any, list[int]], key: Any, values: list[int]) -> None:
    """Add to the sums of a key; of what is the longest, keep the longer."""
    old = sums.setdefault(key, [0] * len(COLUMNS))
    sums[key] = [one + more for one, more in zip(old[:len(SUMS)], values[:len(SUMS)], strict=True)] + [
        max(one, other) for one, other in zip(old[len(SUMS):], values[len(SUMS):], strict=True)]


def change(before: Iterable[Sums], after: Iterable[Sums]) -> None:
    """Bring both roll-ups from the visits as they were to the visits as they are now, in this transaction; the rows are written already."""
    was, now = _all(before), _all(after)
    for table, width in ((VisitTotal, len(KEYS)), (VisitHour, len(HOUR_KEYS))):
        old, new = _narrowed(was, width), _narrowed(now, width)
        for key in sorted({*old, *new}):  # always in the same order: two writers never wait for each other in a circle
            less, more = old.get(key, [0] * len(COLUMNS)), new.get(key, [0] * len(COLUMNS))
            if less == more:
                continue
            _add(table, key, [one - other for one, other in zip(more[:len(SUMS)], less[:len(SUMS)], strict=True)] + more[len(SUMS):])
            if any(one > other for one, other in zip(less[len(SUMS):], more[len(SUMS):], strict=True)):
                _look_again(table, key)


def _all(several: Iterable[Sums]) -> Sums:
    sums: Sums = {}
    for found in several:
        for key, values in found.items():
            _gather(sums, key, values)
    return sums


def _narrowed(sums: Sums, width: int) -> dict[tuple[Any, ...], list[int]]:
    found: dict[tuple[Any, ...], list[int]] = {}
    for key, values in sums.items():
        _gather(found, key[:width], values)
    return found


def _add(table: type[VisitTotal] | type[VisitHour], key: tuple[Any, ...], values: list[int]) -> None:
    is_postgresql = db.engine.dialect.name == "postgresql"
    dialect, longer = (postgresql, func.greatest) if is_postgresql else (sqlite, func.max)
    insert = dialect.insert(table).values(dict(zip(KEYS, key, strict=False)) | dict(zip(COLUMNS, values, strict=True)))
    more: dict[str, Any] = {name: getattr(table, name) + insert.excluded[name] for name in SUMS}
    more |= {name: longer(getattr(table, name), insert.excluded[name]) for name in LONGEST}
    db.session.execute(insert.on_conflict_do_update(index_elements=list(KEYS[:len(key)]), set_=more))


def _look_again(table: type[VisitTotal] | type[VisitHour], key: tuple[Any, ...]) -> None:
    """The longest of an hour from its rows: the one that was the longest may be another now."""
    sums, hour = queue_sums(), key[0]
    alike: list[ColumnElement[bool]] = [func.coalesce(getattr(QueueVisit, name), 0) == value for name, value in zip(KEYS[2:], key[2:], strict=False)]
    rows = select(*(func.coalesce(sums[name], 0) for name in LONGEST)).where(
        QueueVisit.started_at >= hour, QueueVisit.started_at < hour + timedelta(hours=1), QueueVisit.direction == key[1], *alike)
    longest = dict(zip(LONGEST, db.session.execute(rows).one(), strict=True))
    place = [getattr(table, name) == value for name, value in zip(KEYS, key, strict=False)]
    db.session.execute(update(table).where(*place).values(longest).execution_options(synchronize_session=False))
