"""A recorded channel that is joined with somebody else keeps both voices.

Asterisk's translator behind a monitor takes RTP numbers lower than those of the party before for late packets and drops them, in half
of all cases (asterisk/dialplan/record.conf does the same for blind transfers). So the monitor goes away for a moment and writes on
in the same file. Who is in which bridge is remembered here.
"""

import threading
from collections.abc import Callable
from functools import partial

from appliance.telephony import ami
from appliance.telephony.ami import Answer, Headers, Question

PAUSE_SECONDS = 0.1  # some frames without a monitor: Asterisk forgets the translator with the next one
VARIABLE = "BENTEVI_RECORDED"

_bridges: dict[str, set[str]] = {}    # BridgeUniqueid → Uniqueids in it
_recorded: dict[str, set[str]] = {}   # Uniqueid with a monitor → whom it was joined with last


def monitor_began(event: Headers) -> None:
    """A channel is recorded from now on."""
    _recorded[event["Uniqueid"]] = _with(event["Uniqueid"])


def monitor_ended(event: Headers) -> None:
    """It is not recorded any more."""
    _recorded.pop(event["Uniqueid"], None)


def bridge_entered(event: Headers) -> None:
    """A channel came together with those in the bridge; for a recorded one among them somebody may be new."""
    _bridges.setdefault(event["BridgeUniqueid"], set()).add(event["Uniqueid"])
    if event.get("BridgeTechnology") == "softmix":
        return  # a room mixes anew: no numbers of packets are left
    for uniqueid in _bridges[event["BridgeUniqueid"]] & _recorded.keys():
        before, now = _recorded[uniqueid], _with(uniqueid)
        if before and now - before:
            ami.questions.put(Question({"Action": "Getvar", "Channel": uniqueid, "Variable": VARIABLE}, partial(_go_on, uniqueid)))
        _recorded[uniqueid] = now or before


def bridge_left(event: Headers) -> None:
    """A channel left the bridge."""
    members = _bridges.get(event["BridgeUniqueid"], set())
    members.discard(event["Uniqueid"])
    if not members:
        _bridges.pop(event["BridgeUniqueid"], None)


def channel_ended(event: Headers) -> None:
    """A channel is gone."""
    _recorded.pop(event["Uniqueid"], None)
    for members in _bridges.values():
        members.discard(event["Uniqueid"])


def rebuild(ask: Callable[..., list[Headers]], _old: object) -> None:
    """After a gap: bridges as Asterisk says, and which channels bear the name of a recording."""
    channels = {event["Uniqueid"]: event for event in ask("CoreShowChannels") if "Uniqueid" in event}
    _bridges.clear()
    for uniqueid, event in channels.items():
        if event["BridgeId"]:
            _bridges.setdefault(event["BridgeId"], set()).add(uniqueid)
    found = {uniqueid: _recorded.get(uniqueid) or _with(uniqueid) for uniqueid, event in channels.items()
             if uniqueid in _recorded or any(answer.get("Value") for answer in ask("Getvar", Channel=event["Channel"], Variable=VARIABLE))}
    _recorded.clear()
    _recorded.update(found)


def _with(uniqueid: str) -> set[str]:
    return next((members - {uniqueid} for members in _bridges.values() if uniqueid in members), set())


def _go_on(uniqueid: str, answer: Answer) -> None:
    """Away with the monitor, and a moment later on in the same file. A channel that ended meanwhile is left alone."""
    file = answer.headers.get("Value", "")
    if not file:
        return
    ami.questions.put(Question({"Action": "StopMixMonitor", "Channel": uniqueid}))
    again = Question({"Action": "MixMonitor", "Channel": uniqueid, "File": file, "options": "ab"})
    timer = threading.Timer(PAUSE_SECONDS, ami.questions.put, [again])
    timer.daemon = True
    timer.start()
