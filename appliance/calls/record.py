"""From the record lines of one conversation to its Call and CallSteps.

Nothing here asks the database or the clock: the same lines give the same Call. What is asked of the lines stands in
conversation.py, the legs and bridges in legs.py, the steps in steps.py; names are put in afterwards (parties.py).
"""

import re
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from appliance.calls.conversation import Conversation, Here
from appliance.calls.legs import Leg, total
from appliance.calls.lines import Line
from appliance.calls.model import Call, CallStep
from appliance.calls.steps import in_order, moment, moment_or_none, steps
from appliance.calls.visits import put_visits

__all__ = ["Here", "protocol", "record_call"]

BRAZIL = Here()


def record_call(lines: Iterable[Line], here: Here = BRAZIL, cut_at: float | None = None) -> Call:
    """One Call from all record lines of a conversation (a linkedid and its consult calls), in any order, each once.

    Run again over more lines it gives the Call anew: late lines are normal after a restart. `cut_at` ends what Asterisk could
    not end because it died: seconds since 1970, less the clock's shift (lines.Line) at that moment. Raises ValueError when no
    line speaks of a channel.
    Source: tests/captured/*.txt, Asterisk 22.10.1.
    """
    talk = Conversation(lines, here, cut_at)
    call = Call(
        node=talk.node, linkedid=talk.linkedid, protocol=talk.told_protocol or protocol(talk.linkedid, here.timezone), state=talk.state, is_cut=talk.is_cut,
        direction=talk.direction, started_at=moment(talk.started_at), answered_at=moment_or_none(talk.answered_at),
        ended_at=moment_or_none(talk.ended_at), from_number=talk.from_number, from_name=talk.from_name,
        from_extension_id=_extension_of(talk.caller), to_number=talk.to_number, to_name="", reached_number=talk.reached_number,
        reached_name="", reached_extension_id=_extension_of(talk.reached), trunk_id=talk.trunk_id, trunk="", from_cost_centre="",
        to_cost_centre="", wait_seconds=_whole(talk.wait), ring_seconds=_whole(talk.ring), talk_seconds=_whole(total(talk.talks)),
        hold_seconds=_whole(talk.held), hang_up_side=talk.hang_up_side, cause=talk.cause, recording_count=0, is_forgotten=False,
    )  # fmt: skip
    put_visits(talk, call)
    call.steps = [_placed(step, number) for number, step in enumerate(in_order(list(steps(talk))), 1)]
    return call


def protocol(linkedid: str, timezone: str) -> str:
    """What a caller can quote: date and time of the company's zone, then the channel's count; only digits.

    The dialplan can speak it too: STRFTIME of the linkedid's seconds, then what follows its point.
    """
    found = re.fullmatch(r"(?:.*-)?(\d{9,11})\.(\d+)", linkedid)
    if not found:
        return "".join(letter for letter in linkedid if letter.isdigit())[-30:]
    return f"{datetime.fromtimestamp(int(found[1]), ZoneInfo(timezone)):%Y%m%d%H%M%S}{found[2]}"


def _placed(step: CallStep, position: int) -> CallStep:
    step.position = position
    return step


def _extension_of(leg: Leg | None) -> int | None:
    return leg.account[1] if leg and leg.account[0] == "extensions" else None


def _whole(seconds: float) -> int:
    """Rounded once, half up; never negative."""
    return max(0, int(seconds + 0.5))
