"""The visits of queues and IVRs in a conversation, for the reports about them; names and targets are put in afterwards (visit_rows.py).

queue_log bears whole seconds. The steps of the caller's channel, which have microseconds, say more exactly when a visit began and
ended, and the member's stay in the bridge how long the two talked; where they are missing, the second of queue_log counts.
"""

import re
from dataclasses import dataclass

from appliance.calls.conversation import NAMED_BY_NUMBER, Conversation, row_of
from appliance.calls.legs import Leg
from appliance.calls.lines import QUEUE, Line
from appliance.calls.model import (
    ABANDONED,
    ANSWERED,
    CLOSED,
    ENDED,
    FULL,
    KEY,
    NO_AGENTS,
    NOT_TAKEN,
    OUTBOUND,
    TIMEOUT,
    WENT_ON,
    Call,
    IvrVisit,
    QueueVisit,
)
from appliance.calls.steps import moment

Placed = tuple[float, Line]

NAMED_BY_ROW = re.compile(r"queue-(\d+)(?:-\d+)?")  # queue-12-2: its second section, after a change to or from linear
LEFT = {"CONNECT": ANSWERED, "ABANDON": ABANDONED, "EXITWITHTIMEOUT": TIMEOUT, "EXITWITHKEY": KEY, "EXITEMPTY": NO_AGENTS, "JOINEMPTY": NO_AGENTS}
PASSED_ON = ("BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER")
OVER = ("COMPLETECALLER", "COMPLETEAGENT", *PASSED_ON)
# Why a queue did not take a caller, in BENTEVI_QUEUE (“12 full”). Asterisk's own log is silent about it.
NEVER_IN = {"full": FULL, "empty": NO_AGENTS}
PLACES = ("BENTEVI_DESTINATION", "BENTEVI_ROUTE", "BENTEVI_TRUNK")  # each says that the call is somewhere else now
SECOND = 1.0
LATE_SECONDS = 0.05   # queue_log takes its second from a clock that may be some milliseconds behind
GAP_SECONDS = 0.5     # a leg that changes bridges is out of both for an instant


@dataclass
class Found:
    """A visit while it is worked out, in seconds since 1970; `left_at` is when the waiting ended."""

    channel: str
    queue_id: int
    entered_at: float
    left_at: float
    outcome: str
    next: tuple[str, int | None] = ("", None)
    talk: float = 0.0
    member: Leg | None = None
    member_number: str = ""
    is_transferred: bool = False


def put_visits(talk: Conversation, call: Call) -> None:
    """The visits of a conversation that is over; a conversation that lasts has none yet."""
    if call.ended_at is None:
        return
    queues = sorted([*_entered(talk), *_not_entered(talk)], key=lambda found: found.entered_at)
    ivrs = _ivr_entries(talk)
    about = {"started_at": call.started_at, "direction": call.direction,
             "number": call.to_number if call.direction == OUTBOUND else call.from_number}  # fmt: skip
    call.queue_visits = [_queue_visit(found, position, ivrs, about) for position, found in enumerate(queues, 1)]
    call.ivr_visits = [_ivr_visit(talk, ivr_id, position, ivrs, call.queue_visits, about)
                       for position, ivr_id in enumerate(dict.fromkeys(row_of(line)[1] or 0 for _at, line in ivrs), 1)]  # fmt: skip


# -------------------------------------------------------------------------------------------------------------------- queues


def queue_of(name: str) -> int | None:
    """The row of a section of queues.conf; None for one that is none of ours."""
    found = NAMED_BY_ROW.fullmatch(name)
    return int(found[1]) if found else None


def _entries(talk: Conversation) -> list[Placed]:
    return [(at, line) for at, line in talk.told("ENTERQUEUE", kind=QUEUE) if queue_of(line.queue) is not None]


def _arrivals(talk: Conversation) -> list[Placed]:
    return [(at, line) for at, line in talk.told("BENTEVI_DESTINATION") if row_of(line)[0] == "queues" and row_of(line)[1]]


def _entered(talk: Conversation) -> list[Found]:
    """Visits of callers whom a queue took."""
    entries = _entries(talk)
    found = []
    for at, line in entries:
        own = [(when, one) for when, one in talk.told(*LEFT, *OVER, kind=QUEUE)
               if (one.uniqueid, one.queue) == (line.uniqueid, line.queue) and one.place > line.place]
        again = next((one.place for _at, one in entries if (one.uniqueid, one.queue) == (line.uniqueid, line.queue) and one.place > line.place), None)
        own = [(when, one) for when, one in own if again is None or one.place < again]
        found.append(_visit(talk, at, line, own))
    return found


def _visit(talk: Conversation, at: float, line: Line, own: list[Placed]) -> Found:
    """One visit from the line of its beginning and the lines that followed it."""
    entered = _entered_at(talk, line, at)
    end = next(((when, one) for when, one in own if one.event in LEFT), None)
    visit = Found(line.uniqueid, queue_of(line.queue) or 0, entered, entered, LEFT[end[1].event] if end else ABANDONED)
    if end and visit.outcome == ANSWERED:
        _answered(talk, visit, end, next(((when, one) for when, one in own if one.event in OVER), None))
        return visit
    visit.left_at = max(entered, _left_at(talk, line.uniqueid, end[0], entered) if end else _gone_at(talk, line.uniqueid))
    if end and visit.outcome != ABANDONED:
        visit.next = _next_place(talk, line.uniqueid, end[0], entered)
    return visit


def _answered(talk: Conversation, visit: Found, connect: Placed, over: Placed | None) -> None:
    """What the lines say about the member and the talk."""
    at, line = connect
    leg = talk.legs.of(line.data[1]) if len(line.data) > 1 else None
    stays = sorted((stay for stay in talk.legs.stays if stay.leg is leg), key=lambda stay: stay.since) if leg else []
    began = stays[0].since if stays else leg.answered_at if leg and leg.answered_at is not None else at
    until = stays[0].until if stays else None
    for stay in stays[1:]:
        if until is not None and stay.since - until < GAP_SECONDS:
            until = stay.until
    if until is None:
        until = began + _told_talk(over[1]) if over else _gone_at(talk, visit.channel)
    visit.left_at = max(visit.entered_at, began)
    visit.talk = max(0.0, until - began)
    visit.is_transferred = over is not None and over[1].event in PASSED_ON
    named = NAMED_BY_NUMBER.match(f"{line.channel}-")
    number = named[1] if named else ""
    by_number = next((one for one in talk.legs.people if one.account[0] == "extensions" and number and talk.number_of(one) == number), None)
    visit.member = leg if leg and leg.account[0] == "extensions" else by_number
    visit.member_number = talk.number_of(visit.member) if visit.member else number or line.channel


def _told_talk(line: Line) -> float:
    """Seconds of the talk by the last but one word of COMPLETE… and …TRANSFER: …|hold time|call time|position."""
    said = line.data[-2] if len(line.data) > 1 else ""
    return float(said) if said.isdigit() else 0.0


def _not_entered(talk: Conversation) -> list[Found]:
    """Visits of callers who came to a queue that did not take them, or was closed, or who hung up before it began."""
    entries, found, used = _entries(talk), [], set[int]()
    for at, line in reversed(_arrivals(talk)):
        row_id = row_of(line)[1] or 0
        own = next((place for place, (when, one) in enumerate(entries) if place not in used and one.uniqueid == line.uniqueid
                    and queue_of(one.queue) == row_id and when > at - SECOND), None)  # fmt: skip
        if own is not None:
            used.add(own)
            continue
        after = [(when, one) for when, one in talk.told(*PLACES, "BENTEVI_CLOSED", "BENTEVI_QUEUE")
                 if one.uniqueid == line.uniqueid and one.place > line.place]  # fmt: skip
        until = next((place for place, (_when, one) in enumerate(after) if one.event in PLACES), len(after))
        found.append(_turned_away(talk, at, line, after[:until], after[until] if until < len(after) else None))
    return found


def _turned_away(talk: Conversation, at: float, line: Line, told: list[Placed], onward: Placed | None) -> Found:
    row_id, door = row_of(line)[1] or 0, ("queues", str(row_of(line)[1]))
    left = onward[0] if onward else _gone_at(talk, line.uniqueid)
    visit = Found(line.uniqueid, row_id, at, max(at, left), NOT_TAKEN)
    if onward:
        visit.next = row_of(onward[1])[:2]
    said = next((NEVER_IN[_status(one, row_id)] for _at, one in told if one.event == "BENTEVI_QUEUE" and _status(one, row_id) in NEVER_IN), "")
    joined_nobody = any(one.uniqueid == line.uniqueid and queue_of(one.queue) == row_id for _at, one in talk.told("JOINEMPTY", kind=QUEUE))
    if any(one.event == "BENTEVI_CLOSED" and row_of(one)[2:4] == door for _at, one in told):
        visit.outcome = CLOSED
    elif said or joined_nobody:
        visit.outcome = said or NO_AGENTS
    elif not onward and _hung_up_itself(talk, line.uniqueid):
        visit.outcome = ABANDONED
    return visit


def _status(line: Line, queue_id: int) -> str:
    """The reason of “12 full” for queue 12; "" for a line about another queue. A queue that helps and was passed over (“13 skipped empty”)
    has no visit: nobody came to it."""
    row_id, _space, reason = str(line.extra.get("extra", "")).partition(" ")
    return reason if row_id == str(queue_id) else ""


# -------------------------------------------------------------------------------------------------------- times and places


def _entered_at(talk: Conversation, line: Line, second: float) -> float:
    """When a channel came into a queue whose log says this second: by the step right before it, else the second itself."""
    within = [(at, one) for at, one in talk.steps_of(line.uniqueid) if second - LATE_SECONDS <= at < second + SECOND]
    here = ("queues", queue_of(line.queue))
    arriving = [at for at, one in within if one.event == "BENTEVI_DESTINATION" and row_of(one)[:2] == here]
    before = [at for at, one in within if one.event in ("CHAN_START", "ANSWER") or one.event.startswith("BENTEVI_")]
    return (arriving or before or [second])[-1]


def _left_at(talk: Conversation, channel: str, second: float, after: float) -> float:
    """When a channel left a queue whose log says this second: right before its next step in it."""
    within = [at for at, _line in talk.steps_of(channel) if max(after, second - LATE_SECONDS) < at < second + SECOND + LATE_SECONDS]
    return within[0] if within else second


def _gone_at(talk: Conversation, channel: str) -> float:
    leg = talk.legs.of(channel)
    return leg.ended_at if leg and leg.ended_at is not None else talk.legs.last_at


def _next_place(talk: Conversation, channel: str, second: float, after: float) -> tuple[str, int | None]:
    """Where a channel went when it had left a queue: word and row; ("", None) when nowhere."""
    places = [(at, row_of(line)[:2]) for at, line in talk.told(*PLACES) if line.uniqueid == channel and at > max(after, second - LATE_SECONDS)]
    places += [(at, ("queues", queue_of(line.queue))) for at, line in _entries(talk) if line.uniqueid == channel and at >= second and at > after]
    return min(places, key=lambda found: found[0])[1] if places else ("", None)


def _hung_up_itself(talk: Conversation, channel: str) -> bool:
    leg = talk.legs.of(channel)
    return leg is not None and talk.legs.named(leg.source) is leg


def _queue_visit(found: Found, position: int, ivrs: list[Placed], about: dict[str, object]) -> QueueVisit:
    came_through = [row_of(line)[1] for at, line in ivrs if at <= found.entered_at]
    return QueueVisit(
        position=position, queue_id=found.queue_id, queue="", ivr_id=came_through[-1] if came_through else None,
        entered_at=moment(found.entered_at), left_at=moment(found.left_at + found.talk), outcome=found.outcome, next_word=found.next[0][:40],
        next_id=found.next[1], wait_ms=_ms(found.left_at - found.entered_at), talk_ms=_ms(found.talk),
        extension_id=found.member.account[1] if found.member else None, member_number=found.member_number[:40], member_name="",
        is_transferred=found.is_transferred, **about)  # fmt: skip


def _ms(seconds: float) -> int:
    """Rounded once, half up; never negative."""
    return max(0, int(seconds * 1000 + 0.5))


# ---------------------------------------------------------------------------------------------------------------------- IVRs


def _ivr_entries(talk: Conversation) -> list[Placed]:
    return [(at, line) for at, line in talk.told("BENTEVI_DESTINATION") if row_of(line)[0] == "ivrs" and row_of(line)[1]]


def _ivr_visit(talk: Conversation, ivr_id: int, position: int, ivrs: list[Placed], queues: list[QueueVisit], about: dict[str, object]) -> IvrVisit:
    """All stays of a call in one IVR as one visit: it came when it came first, and ended as its last stay did."""
    own = [(at, line) for at, line in ivrs if row_of(line)[1] == ivr_id]
    entered, last = own[0][0], own[-1][1]
    after = [(at, line) for at, line in talk.told(*PLACES, "BENTEVI_CLOSED") if line.uniqueid == last.uniqueid and line.place > last.place]
    onward = [at for at, line in after if line.event in PLACES]
    first_onward = min(onward, default=_gone_at(talk, last.uniqueid))
    closed = any(line.event == "BENTEVI_CLOSED" and row_of(line)[2:4] == ("ivrs", str(ivr_id)) and at <= first_onward for at, line in after)
    if closed:
        outcome = CLOSED
    elif onward:
        outcome = WENT_ON
    else:
        outcome = ABANDONED if _hung_up_itself(talk, last.uniqueid) else ENDED
    led_to = [visit for visit in queues if visit.entered_at >= moment(entered)]
    return IvrVisit(
        position=position, ivr_id=ivr_id, ivr="", entered_at=moment(entered), left_at=moment(max(entered, first_onward)), outcome=outcome,
        queue_id=led_to[0].queue_id if led_to else None,
        extension_id=next((visit.extension_id for visit in led_to if visit.extension_id), None), **about)  # fmt: skip
