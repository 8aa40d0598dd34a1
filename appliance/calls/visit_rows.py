"""Visits of queues and IVRs as rows: names and targets of their time, written in place of those a conversation had."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select

from appliance.calls import visit_totals
from appliance.calls.model import ABANDONED, ANSWERED, Call, IvrVisit, QueueVisit
from appliance.db import db
from appliance.ivrs.model import Ivr
from appliance.queues.model import Queue

AT_ONCE = 500  # names in one IN (…)
PERCENT, SECONDS, ABANDON_SECONDS = 80, 20, 3  # of a queue that is gone
QUEUE_COLUMNS = [column.key for column in QueueVisit.__table__.columns if column.key not in ("id", "call_id")]
IVR_COLUMNS = [column.key for column in IvrVisit.__table__.columns if column.key not in ("id", "call_id")]


@dataclass(frozen=True)
class Known:
    """What a queue was called, and what was wanted of it: percentage answered within seconds, and how soon giving up does not count."""

    name: str = ""
    percent: int = PERCENT
    seconds: int = SECONDS
    abandon_seconds: int = ABANDON_SECONDS


@dataclass
class Before:
    """The visits some conversations had: what they added to the roll-ups, and what must stay as it was then."""

    contributions: list[visit_totals.Sums] = field(default_factory=list)
    queues: dict[tuple[int, int], Known] = field(default_factory=dict)
    ivrs: dict[tuple[int, int], str] = field(default_factory=dict)


def known_of(queue: Queue) -> Known:
    """A queue as it is now."""
    return Known(queue.name, queue.service_level_percent, queue.service_level_seconds, queue.abandon_seconds)


def before(calls: Iterable[Call]) -> Before:
    """What these stored conversations have now. Only one that was over can have any."""
    found = Before()
    for some in _chunks({call.id for call in calls if call.ended_at is not None}):
        queues = list(db.session.scalars(select(QueueVisit).where(QueueVisit.call_id.in_(some))))
        ivrs = list(db.session.scalars(select(IvrVisit).where(IvrVisit.call_id.in_(some))))
        found.contributions.append(visit_totals.contribution(queues, ivrs))
        for visit in queues:
            found.queues[visit.call_id, visit.queue_id] = Known(visit.queue, visit.target_percent, visit.target_seconds, visit.abandon_seconds)
        found.ivrs |= {(visit.call_id, visit.ivr_id): visit.ivr for visit in ivrs}
        for row in (*queues, *ivrs):
            db.session.expunge(row)  # deleted by statement below; the session must not hold what is gone
    return found


def write(calls: list[tuple[Call, Call, list[int]]], was: Before) -> None:
    """The visits of conversations in place of those they had, and the roll-ups with them.

    `calls`: (row, as it was built with its names, ids of the rows it consists of: its own and those it took over).
    """
    ids = {call_id for _row, _built, every in calls for call_id in every}
    for some in _chunks(ids):
        for table in (QueueVisit, IvrVisit):
            db.session.execute(delete(table).where(table.call_id.in_(some)).execution_options(synchronize_session=False))
    queues = _rows(Queue, {visit.queue_id for _row, built, _every in calls for visit in built.queue_visits})
    ivrs = _rows(Ivr, {visit.ivr_id for _row, built, _every in calls for visit in built.ivr_visits})
    after = []
    for row, built, every in calls:
        people = {step.row_id: step.name for step in built.steps if step.word == "extensions" and step.name}
        for visit in built.queue_visits:
            then = next((was.queues[one, visit.queue_id] for one in every if (one, visit.queue_id) in was.queues), None)
            _complete(visit, row, then or (known_of(queues[visit.queue_id]) if visit.queue_id in queues else Known()))
            visit.member_name = people.get(visit.extension_id, "")[:80]
        for stay in built.ivr_visits:
            then_called = next((was.ivrs[one, stay.ivr_id] for one in every if (one, stay.ivr_id) in was.ivrs), "")
            stay.ivr = then_called or (ivrs[stay.ivr_id].name if stay.ivr_id in ivrs else "")
            stay.from_cost_centre_id, stay.to_cost_centre_id = row.from_cost_centre_id, row.to_cost_centre_id
        after.append(visit_totals.contribution(built.queue_visits, built.ivr_visits))
    _insert(QueueVisit, QUEUE_COLUMNS, [(row.id, visit) for row, built, _every in calls for visit in built.queue_visits])
    _insert(IvrVisit, IVR_COLUMNS, [(row.id, visit) for row, built, _every in calls for visit in built.ivr_visits])
    visit_totals.change(was.contributions, after)


def _complete(visit: QueueVisit, row: Call, known: Known) -> None:
    """What follows from the queue's targets and the conversation's parties."""
    visit.queue, visit.target_percent, visit.target_seconds, visit.abandon_seconds = known.name, known.percent, known.seconds, known.abandon_seconds
    visit.is_within = visit.outcome == ANSWERED and visit.wait_ms <= known.seconds * 1000
    visit.is_short = visit.outcome == ABANDONED and visit.wait_ms < known.abandon_seconds * 1000
    visit.from_cost_centre_id, visit.to_cost_centre_id = row.from_cost_centre_id, row.to_cost_centre_id


def _rows(model: Any, ids: set[int]) -> dict[int, Any]:
    return {row.id: row for row in db.session.scalars(select(model).where(model.id.in_(ids)))} if ids else {}


def _insert(table: type[QueueVisit] | type[IvrVisit], names: list[str], visits: list[tuple[int, QueueVisit | IvrVisit]]) -> None:
    values = [{"call_id": call_id} | {name: getattr(visit, name) for name in names} for call_id, visit in visits]
    if values:
        db.session.execute(insert(table.__table__), values)  # type: ignore[arg-type]  # the bare table: one statement


def _chunks(ids: set[int]) -> Iterable[list[int]]:
    every = sorted(ids)
    for start in range(0, len(every), AT_ONCE):
        yield every[start:start + AT_ONCE]
