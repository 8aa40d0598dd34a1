"""Visits of queues and IVRs for the calls of many.py: every received call comes through an IVR, four of five go on to a queue."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from appliance.calls import visit_totals
from appliance.calls.model import ABANDONED, ANSWERED, INBOUND, TIMEOUT, WENT_ON, Call, IvrVisit, QueueVisit
from appliance.calls.visit_totals import COLUMNS, HOUR_KEYS, KEYS, VisitHour, VisitTotal
from appliance.db import db
from tests.bench.many import PIECE, write

QUEUES, IVRS = 10, 3


def many_visits() -> None:
    """Visits of all calls there are, with their roll-ups; indexes are made afterwards."""
    indexes = [*QueueVisit.__table__.indexes, *IvrVisit.__table__.indexes]
    for index in indexes:
        index.drop(db.session.connection())
    names = {table: [column.name for column in table.__table__.columns if column.name != "id"] for table in (QueueVisit, IvrVisit)}
    sums: visit_totals.Sums = {}
    for calls in _pieces():
        found = {QueueVisit: [_queue_visit(call) for call in calls if call.id % 5], IvrVisit: [_ivr_visit(call) for call in calls]}
        for key, values in visit_totals.contribution(map(_Row, found[QueueVisit]), map(_Row, found[IvrVisit])).items():
            visit_totals._gather(sums, key, values)
        for table, rows in found.items():
            write(table.__table__, names[table], rows)
        db.session.commit()
    for table, keys in ((VisitTotal, KEYS), (VisitHour, HOUR_KEYS)):
        kept = visit_totals._narrowed(sums, len(keys))
        rows = [dict(zip((*keys, *COLUMNS), (*key, *values), strict=True)) for key, values in kept.items()]
        for place in range(0, len(rows), PIECE):
            write(table.__table__, [*keys, *COLUMNS], rows[place:place + PIECE])
        db.session.commit()
    for index in indexes:
        index.create(db.session.connection())
        db.session.commit()


class _Row:
    """A row to be written, as visit_totals looks at visits."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def _pieces() -> Iterator[list[Any]]:
    last = 0
    while True:
        query = select(Call.id, Call.started_at, Call.from_number, Call.to_cost_centre_id, Call.reached_extension_id, Call.reached_number,
                       Call.reached_name, Call.state, Call.wait_seconds, Call.talk_seconds, Call.ended_at)  # fmt: skip
        found = list(db.session.execute(query.where(Call.id > last, Call.direction == INBOUND).order_by(Call.id).limit(PIECE)))
        if not found:
            return
        last = found[-1].id
        yield found


def _common(call: Any) -> dict[str, Any]:
    return {"call_id": call.id, "position": 1, "started_at": call.started_at, "direction": INBOUND, "number": call.from_number, "from_cost_centre_id": None,
            "to_cost_centre_id": call.to_cost_centre_id, "entered_at": call.started_at, "left_at": call.ended_at,
            "ivr_id": 1 + call.id % IVRS, "queue_id": 1 + call.id % QUEUES}  # fmt: skip


def _queue_visit(call: Any) -> dict[str, Any]:
    outcome = ANSWERED if call.state == ANSWERED else ABANDONED if call.id % 3 else TIMEOUT
    is_answered, wait = outcome == ANSWERED, call.wait_seconds * 1000 + call.id % 1000
    return _common(call) | {
        "queue": f"Fila {call.id % QUEUES}", "outcome": outcome, "next_word": "extensions" if outcome == TIMEOUT else "", "next_id": None, "wait_ms": wait,
        "talk_ms": call.talk_seconds * 1000, "extension_id": call.reached_extension_id if is_answered else None, "is_transferred": call.id % 20 == 0,
        "member_number": call.reached_number if is_answered else "", "member_name": call.reached_name if is_answered else "",
        "is_within": is_answered and wait <= 20_000, "is_short": outcome == ABANDONED and wait < 3_000, "target_percent": 80, "target_seconds": 20,
        "abandon_seconds": 3,
    }


def _ivr_visit(call: Any) -> dict[str, Any]:
    goes_on = call.id % 5 != 0
    return _common(call) | {
        "ivr": f"URA {call.id % IVRS}", "outcome": WENT_ON if goes_on else ABANDONED, "queue_id": 1 + call.id % QUEUES if goes_on else None,
        "extension_id": call.reached_extension_id if goes_on and call.state == ANSWERED else None,
    }
