"""From conversations to the ledger, in the transaction that stores them. The same conversation again changes nothing."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

from appliance.calls.model import (
    ANSWER,
    ANSWERED,
    CLOSED,
    DESTINATION,
    INBOUND,
    INTERNAL,
    OUTBOUND,
    QUEUE,
    REFUSAL,
    REFUSED,
    ROUTE,
    Call,
    CallStep,
)
from appliance.calls.parties import here
from appliance.calls.words import party
from appliance.db import db
from appliance.missed_calls.model import (
    ABANDONED,
    CALLED_AGAIN,
    FULL,
    HOLIDAY,
    NO_AGENTS,
    OPEN,
    OUT_OF_HOURS,
    RETURNED,
    TIMEOUT,
    UNANSWERED,
    MissedCall,
)
from appliance.numbers import key, keys

Answer = tuple[set[str], str, str, datetime]
AT_ONCE = 500  # values in one IN (…)
_QUEUE_REASONS = {"abandoned": ABANDONED, "timeout": TIMEOUT, "empty": NO_AGENTS, "full": FULL, "key": ABANDONED}
_HOUR_REASONS = {"business_hours": OUT_OF_HOURS, "calendar_events": HOLIDAY}


def stored(found: Iterable[tuple[Call, list[CallStep]]]) -> None:
    """Conversations were stored, or stored anew, each with its steps: one is missed, or answers missed ones, or neither."""
    over = [(call, steps) for call, steps in found if call.ended_at is not None]
    known = _known([call.id for call, _steps in over])
    answers: list[tuple[Call, Answer]] = []
    for call, steps in over:
        reason, queue = why(call, steps)
        row = known.get(call.id)
        if reason:
            _put(row or MissedCall(call_id=call.id, state=OPEN, note="", resolved_by=""), call, reason, queue)
        elif row and row.state == OPEN:
            db.session.delete(row)
        if not reason and (answer := _answer_of(call, steps)):
            answers.append((call, answer))
    _resolve(answers)


def _known(call_ids: list[int]) -> dict[int, MissedCall]:
    rows = (db.session.scalars(select(MissedCall).where(MissedCall.call_id.in_(call_ids[at:at + AT_ONCE]))) for at in range(0, len(call_ids), AT_ONCE))
    return {row.call_id: row for some in rows for row in some}


def _put(row: MissedCall, call: Call, reason: str, queue: CallStep | None) -> None:
    row.at, row.ended_at, row.number, row.name, row.reason = call.started_at, call.ended_at or call.started_at, call.from_number, call.from_name, reason
    row.number_key, row.wait_seconds = key(call.from_number, here().country_code)[:40], call.wait_seconds
    row.queue_id, row.queue = (queue.row_id, queue.name) if queue else (None, "")
    if row.id is None:
        db.session.add(row)
        _look_for_answer(row)


def why(call: Call, steps: list[CallStep]) -> tuple[str, CallStep | None]:
    """(reason, step of the last queue) of a caller nobody answered; "" for one who was, or who was turned away on purpose.

    A message in a mailbox is no answer: somebody still has to call back. Nor is a refusal on the way to where a queue, the hours or a route
    sent the caller (no profile for overflows, too many destinations). Who is on a blacklist, or never came further than the door, has no line.
    """
    queues = [step for step in steps if step.kind == QUEUE and not step.is_skipped]
    closed = [step for step in steps if step.kind == CLOSED]
    is_caller = call.direction == INBOUND or (call.direction == INTERNAL and bool(queues or closed))
    if not is_caller or any(step.kind == ANSWER or (step.kind == REFUSAL and step.word == "blacklists") for step in steps):
        return "", None
    if any(step.result == ANSWERED for step in queues):
        return "", None  # a member took it and hung up at once: too short for a talk, yet nobody gave up
    if call.state == REFUSED and not any(step.kind in (ROUTE, DESTINATION, QUEUE, CLOSED) for step in steps):
        return "", None
    to_mailbox = any(step.kind == DESTINATION and step.word.startswith("voicemail") for step in steps)
    if call.state == ANSWERED and not (queues or closed or to_mailbox):
        return "", None  # a conference, for example
    last = max([*queues, *closed], key=lambda step: step.at, default=None)
    queue = queues[-1] if queues else None
    if last is None:
        return UNANSWERED, None
    if last.kind == CLOSED:
        return _HOUR_REASONS.get(last.word, OUT_OF_HOURS), queue
    return _QUEUE_REASONS.get(last.result, ABANDONED), queue


def _resolve(answers: list[tuple[Call, Answer]]) -> None:
    """Answered calls: whoever is at the outside end was called back, or called again."""
    numbers = sorted({number for _call, answer in answers for number in answer[0]})
    waiting: list[MissedCall] = []
    for at in range(0, len(numbers), AT_ONCE):
        query = select(MissedCall).where(MissedCall.state == OPEN, MissedCall.number_key.in_(numbers[at:at + AT_ONCE]))
        waiting += db.session.scalars(query)
    for call, answer in sorted(answers, key=lambda one: one[0].started_at):
        for row in waiting:
            if row.state == OPEN and row.number_key in answer[0] and row.at < call.started_at:
                _mark(row, call, answer)


def _look_for_answer(row: MissedCall) -> None:
    """The call that answers it may have been stored before: lines of a transfer or a restart come late."""
    if not row.number:
        return
    place = here()
    numbers = keys(row.number, place.country_code, place.area_code) | {row.number}
    query = select(Call).where(Call.started_at > row.at, Call.state == ANSWERED, Call.ended_at.is_not(None),
                               Call.from_number.in_(numbers) | Call.to_number.in_(numbers)).order_by(Call.started_at)  # fmt: skip
    for call in db.session.scalars(query.limit(50)):
        found = _answer_of(call, list(call.steps))
        if found and row.number_key in found[0]:
            _mark(row, call, found)
            return


def _answer_of(call: Call, steps: list[CallStep]) -> Answer | None:
    """(keys of the number, RETURNED or CALLED_AGAIN, by whom, when) of a conversation that a person answered."""
    if call.state != ANSWERED or call.answered_at is None or not any(step.kind == ANSWER for step in steps):
        return None
    place = here()
    if call.direction == OUTBOUND:
        number, state, by = call.to_number, RETURNED, party(call.from_name, call.from_number)
    elif call.direction == INBOUND:
        number, state, by = call.from_number, CALLED_AGAIN, party(call.reached_name, call.reached_number)
    else:
        return _inside(call)
    return (keys(number, place.country_code, place.area_code), state, by, call.answered_at) if number else None


def _inside(call: Call) -> Answer | None:
    """Between extensions: a call to the one who had given up."""
    if call.answered_at is None or not call.reached_number:
        return None
    return {call.reached_number}, RETURNED, party(call.from_name, call.from_number), call.answered_at


def _mark(row: MissedCall, call: Call, found: Answer) -> None:
    _numbers, row.state, by, answered_at = found
    row.resolved_by, row.resolved_at, row.resolving_call_id = by[:120], answered_at, call.id
    row.after_seconds = max(0, int((answered_at - row.ended_at).total_seconds() + 0.5))
