"""The steps of a conversation: one small function per kind."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from appliance.calls.conversation import NO_ANSWER_CAUSES, Conversation, row_of
from appliance.calls.legs import ROOM_APPS, Leg
from appliance.calls.lines import QUEUE
from appliance.calls.model import (
    ANSWER,
    ANSWERED,
    ARRIVED,
    BUSY,
    CLOSED,
    CONFERENCE,
    DESTINATION,
    DIVERTED,
    END,
    FAILED,
    HOLD,
    IVR,
    NO_ANSWER,
    PARK,
    PERSON,
    PICKUP,
    RATING,
    REFUSAL,
    RING,
    ROUTE,
    TRANSFER,
    TRUNK,
    CallStep,
)
from appliance.calls.model import QUEUE as QUEUED

BLIND, ATTENDED = "blind", "attended"
WRITTEN_LATE_SECONDS = 0.05
LISTED, WITHHELD = "blacklist", "withheld"
ELSEWHERE, UNAVAILABLE = "elsewhere", "unavailable"
QUEUE_LEFT = {"CONNECT": ANSWERED, "ABANDON": "abandoned", "EXITWITHTIMEOUT": "timeout", "EXITWITHKEY": "key", "EXITEMPTY": "empty",
              "JOINEMPTY": "empty"}  # fmt: skip
_CAUSE_RESULTS = {17: BUSY, 26: ELSEWHERE, 3: UNAVAILABLE, 20: UNAVAILABLE} | dict.fromkeys(NO_ANSWER_CAUSES, NO_ANSWER)


def steps(talk: Conversation) -> Iterator[CallStep]:
    """All of them, one question after the other."""
    makers: list[Callable[[Conversation], Iterator[CallStep]]] = [
        _arrived, _routes, _destinations, _ivrs, _ratings, _queues, _trunks, _rings_of, _pickups, _answers, _rooms, _closed_doors,
        _holds, _transfers, _parks, _diverted, _people, _refusals, _ended,
    ]  # fmt: skip
    for maker in makers:
        yield from maker(talk)


def in_order(found: list[CallStep]) -> list[CallStep]:
    """By their time; a transfer before what it led to, although Asterisk may write it down some milliseconds later."""
    ordered = sorted(found, key=lambda step: step.at)
    for place, step in enumerate(ordered):
        before = place
        while step.kind == TRANSFER and before and _followed(ordered[before - 1], step):
            before -= 1
        ordered.insert(before, ordered.pop(place))
    return ordered


def _followed(earlier: CallStep, transfer: CallStep) -> bool:
    return earlier.kind in (ROUTE, DESTINATION) and (transfer.at - earlier.at).total_seconds() < WRITTEN_LATE_SECONDS


def _arrived(talk: Conversation) -> Iterator[CallStep]:
    yield _step(talk, ARRIVED, talk.started_at, talk.caller, number=talk.from_number, detail={"called": talk.to_number})


def _routes(talk: Conversation) -> Iterator[CallStep]:
    for at, line in talk.told("BENTEVI_ROUTE"):
        word, row_id, number, more = row_of(line)
        yield _made(ROUTE, at, word=word, row_id=row_id, number=number, detail={"line": int(more)} if more.isdigit() else {})


def _destinations(talk: Conversation) -> Iterator[CallStep]:
    for at, line in talk.told("BENTEVI_DESTINATION"):
        word, row_id, number, _more = row_of(line)
        yield _made(DESTINATION, at, word=word, row_id=row_id or None, number=number)


def _ivrs(talk: Conversation) -> Iterator[CallStep]:
    """What came of each question of a menu: the key as `result`, else timeout, invalid, attempts, or extension with its number."""
    for at, line in talk.told("BENTEVI_IVR"):
        row_id, outcome, number = (*str(line.extra.get("extra", "")).split(" "), "", "")[:3]
        if row_id.isdigit():
            yield _made(IVR, at, word="ivrs", row_id=int(row_id), number=number, result=outcome)


def _ratings(talk: Conversation) -> Iterator[CallStep]:
    """Each answer to a rating: the score as `result`, else none."""
    for at, line in talk.told("BENTEVI_RATING"):
        row_id, score = (*str(line.extra.get("extra", "")).split(" "), "")[:2]
        if row_id.isdigit():
            yield _made(RATING, at, word="ratings", row_id=int(row_id), result=score)


def _closed_doors(talk: Conversation) -> Iterator[CallStep]:
    """A queue or IVR that did not let it in, and the hours or event that said so: "business_hours 5 queues 3"."""
    for at, line in talk.told("BENTEVI_CLOSED"):
        word, row_id, door, door_id = row_of(line)
        if door_id.isdigit():
            yield _made(CLOSED, at, word=word, row_id=row_id, detail={"door": door, "door_id": int(door_id)})


def _trunks(talk: Conversation) -> Iterator[CallStep]:
    for at, line, leg in talk.trunk_attempts:
        word, row_id, number, _more = row_of(line)
        yield _made(TRUNK, at, word=word, row_id=row_id, number=number, result=result_of(leg) if leg else FAILED,
                    ended_at=(leg.answered_at or leg.ended_at) if leg else at)  # fmt: skip


def _rings_of(talk: Conversation) -> Iterator[CallStep]:
    for leg in talk.legs.people:
        if talk.rings(leg) and leg.account[0] != "trunks":
            yield _step(talk, RING, leg.started_at, leg, ended_at=leg.answered_at or leg.ended_at, result=result_of(leg))


def result_of(leg: Leg) -> str:
    """answered, busy, no_answer, elsewhere, unavailable or failed; "" while it rings."""
    if leg.answered_at is not None:
        return ANSWERED
    if leg.ended_at is None:
        return ""
    return _CAUSE_RESULTS.get(leg.cause, FAILED)


def _answers(talk: Conversation) -> Iterator[CallStep]:
    for at, leg in talk.answerers:
        yield _step(talk, ANSWER, at, leg)


def _rooms(talk: Conversation) -> Iterator[CallStep]:
    for stay in talk.legs.stays:
        if stay.app in ROOM_APPS and stay.leg.is_somebody:
            yield _step(talk, CONFERENCE, stay.since, stay.leg, ended_at=stay.until)


def _holds(talk: Conversation) -> Iterator[CallStep]:
    for since, until, leg in talk.holds:
        yield _step(talk, HOLD, since, leg, ended_at=until)


def _transfers(talk: Conversation) -> Iterator[CallStep]:
    for at, line in talk.told("BLINDTRANSFER", "ATTENDEDTRANSFER"):
        by = talk.legs.of(line.uniqueid)
        target = talk.legs.of(str(line.extra.get("transfer_target_channel_uniqueid", "")))
        consulted = talk.legs.of(str(line.extra.get("channel2_uniqueid", "")))  # of an application only the call to it tells
        numbers = [line.extra.get("extension"), target and talk.number_of(target), consulted and consulted.began.exten,
                   consulted and talk.number_of(consulted)]  # fmt: skip
        to = next((str(number) for number in numbers if number and number != "s"), "")  # s: a leg that began before it had a number
        detail = {"to_word": target.account[0], "to_id": target.account[1]} if target and target.account[0] else {}
        if by:
            kind, detail["by"] = BLIND if line.event == "BLINDTRANSFER" else ATTENDED, talk.number_of(by)
            yield _step(talk, TRANSFER, at, by, number=to, result=kind, detail=detail)


def _pickups(talk: Conversation) -> Iterator[CallStep]:
    for at, line in talk.told("PICKUP"):
        by = talk.legs.of(str(line.extra.get("pickup_channel_uniqueid", "")))
        if by:
            yield _step(talk, PICKUP, at, by)


def _parks(talk: Conversation) -> Iterator[CallStep]:
    ends = talk.told("PARK_END")
    for at, line in talk.told("PARK_START"):
        end = next(((until, one) for until, one in ends if one.uniqueid == line.uniqueid and one.place > line.place), None)
        by = next((leg for leg in talk.legs.people if str(line.extra.get("parker_dial_string", "")) == leg.channel.rpartition("-")[0]),
                  talk.caller)  # fmt: skip
        reason = str(end[1].extra.get("reason", "")).removeprefix("ParkedCall").lower() if end else ""
        yield _step(talk, PARK, at, by, ended_at=end[0] if end else talk.ended_at, result=reason)


def _diverted(talk: Conversation) -> Iterator[CallStep]:
    for at, line in talk.told("BENTEVI_DIVERTED"):
        word, row_id, number, _more = row_of(line)
        yield _made(DIVERTED, at, word=word, row_id=row_id, number=number)


def _people(talk: Conversation) -> Iterator[CallStep]:
    for at, line in talk.told("BENTEVI_PERSON"):
        word, row_id, _number, _more = row_of(line)
        yield _made(PERSON, at, word=word, row_id=row_id)


def _queues(talk: Conversation) -> Iterator[CallStep]:
    left = talk.told(*QUEUE_LEFT, kind=QUEUE)
    for at, line in talk.told("ENTERQUEUE", kind=QUEUE):
        end = next(((until, one) for until, one in left if one.queue == line.queue and one.place > line.place), None)
        row = re.fullmatch(r"queue-(\d+)(?:-\d+)?", line.queue)
        yield _made(QUEUED, _entered(talk, at, int(row[1]) if row else 0), ended_at=end[0] if end else talk.ended_at, word="queues", name=line.queue, row_id=int(row[1]) if row else None,
                    result=QUEUE_LEFT[end[1].event] if end else "")  # fmt: skip
    for at, line in talk.told("BENTEVI_QUEUE"):  # who did not get in
        row_id, _space, result = str(line.extra.get("extra", "")).partition(" ")
        yield _made(QUEUED, at, ended_at=at, word="queues", row_id=int(row_id) if row_id.isdigit() else None, result=result)


def _entered(talk: Conversation, at: float, queue_id: int) -> float:
    """When a caller came into a queue: queue_log has whole seconds, the dialplan's own line says more."""
    came = [when for when, line in talk.told("BENTEVI_DESTINATION") if row_of(line)[:2] == ("queues", queue_id) and 0 <= when - at < 1]
    return max(came, default=at)


def _refusals(talk: Conversation) -> Iterator[CallStep]:
    for at, line in talk.told("BENTEVI_REFUSED"):
        reason = str(line.extra.get("extra", ""))
        listed = re.fullmatch(r"blacklists (\d+)( withheld)?", reason)
        if listed:
            yield _made(REFUSAL, at, word="blacklists", row_id=int(listed[1]), result=WITHHELD if listed[2] else LISTED)
        else:
            yield _made(REFUSAL, at, result=reason)


def _ended(talk: Conversation) -> Iterator[CallStep]:
    if talk.ended_at is not None:
        yield _made(END, talk.ended_at, result=talk.hang_up_side, detail={"cause": talk.cause})


def _step(talk: Conversation, kind: str, at: float, leg: Leg, **more: Any) -> CallStep:
    word, row_id = leg.account
    return _made(kind, at, word=word, row_id=row_id, **{"number": talk.number_of(leg)} | more)


def _made(kind: str, at: float, *, ended_at: float | None = None, word: str = "", row_id: int | None = None, name: str = "", number: str = "",
          result: str = "", detail: dict[str, Any] | None = None) -> CallStep:  # fmt: skip
    return CallStep(kind=kind, at=moment(at), ended_at=moment_or_none(ended_at), word=word, row_id=row_id, name=name[:80], number=number[:40],
                    result=result[:40], detail=detail or {})  # fmt: skip


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
