"""Test calls of the assistant as they are this moment: who rang, who answered, whether sound arrives.

Rows of kind `tests`, by `echo-12` or `outside-12` (what is tested, row id of the extension); a new test takes the old one's place:

    kind, extension   echo or outside, and the extension's row id
    since             when it began, seconds since 1970
    is_over           nothing of it is left
    key               the key that was pressed when the prompt asked for one; None: not asked yet, "" none came
    legs              uniqueid → {endpoint, channel, state: calling, ringing, up or ended; was_up, up_at, spoke (a voice, not
                      silence), rx, tx (packets of sound that came and were sent), measured (how often they were counted), cause (Q.850), sip (SIP's code, 0 for none),
                      ended_at}

A test that the exchange began has a Uniqueid of our making (`uniqueid`); one dialled with *43 tells itself by an event.
Counts of packets are asked of Asterisk once a second while a leg of a test is up; nothing is asked when no test runs.
"""

import re
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from appliance import live
from appliance.calls.live import endpoint_of
from appliance.telephony import ami
from appliance.telephony.ami import Answer, Headers, Question

Ask = Callable[..., list[Headers]]

ECHO, OUTSIDE = "echo", "outside"
KINDS = {"1": ECHO, "2": OUTSIDE}
CALLING, RINGING, UP, ENDED = "calling", "ringing", "up", "ended"
STATES = {"5": RINGING, "6": UP}  # ChannelState, channelstate.h
METER_SECONDS = 1.0
LONGEST_SECONDS = 300.0  # a test that is older is not asked about any more

_keys: dict[str, str] = {}  # Linkedid of a test that runs → its row


def uniqueid(kind: str, extension_id: int, at: float) -> str:
    """A Uniqueid that names the test: `bentevi-1795218506.910000012`. Asterisk counts its own from 0 at each start."""
    number = next(number for number, word in KINDS.items() if word == kind)
    return f"bentevi-{int(at)}.9{number}{extension_id:010d}"


def _named(linkedid: str) -> tuple[str, int] | None:
    found = re.search(r"\.9([12])(\d{10})$", linkedid)
    return (KINDS[found[1]], int(found[2])) if found else None


def channel_began(event: Headers) -> None:
    """A leg of a test came to be: the phone's, which begins the test, or a trunk's."""
    linkedid, named = event["Linkedid"], _named(event["Linkedid"])
    if named and linkedid not in _keys:
        _begin(*named, linkedid)
    _put_leg(event, state=STATES.get(event["ChannelState"], CALLING))


def channel_changed(event: Headers) -> None:
    """A leg rings or was answered."""
    state = STATES.get(event["ChannelState"])
    if state:
        _put_leg(event, state=state)


def told(event: Headers) -> None:
    """The dialplan tells where it is: a test dialled by hand begins, a key was pressed or was not."""
    if event.get("UserEvent") != "BenteviTest" or not event.get("Extension", "").isdigit():
        return
    if event["Linkedid"] not in _keys:
        _begin(event["Kind"] if event["Kind"] in KINDS.values() else ECHO, int(event["Extension"]), event["Linkedid"])
        _put_leg(event, state=UP)
    if event.get("Asked"):
        live.put("tests", _keys[event["Linkedid"]], key=event.get("Key", "")[:1])


def talked(event: Headers) -> None:
    """More than silence came from this leg."""
    _put_leg(event, spoke=True)


def channel_ended(event: Headers) -> None:
    """A leg is over, and with the last one the test."""
    key = _keys.get(event["Linkedid"], "")
    if not key:
        return
    code = re.search(r"\b([3-6]\d\d)\b", event.get("TechCause", ""))
    _put_leg(event, state=ENDED, cause=int(event.get("Cause") or 0), sip=int(code[1]) if code else 0, ended_at=time.time())
    legs = live.get("tests", key).get("legs", {})
    if all(leg["state"] == ENDED for leg in legs.values()):
        live.put("tests", key, is_over=True)
        _keys.pop(event["Linkedid"], None)


def rebuild(_ask: Ask, old: live.Kinds) -> None:
    """Tests stay as they were known; one whose channels went away meanwhile is over. Comes after the calls."""
    there = live.rows("_channels")
    running: dict[str, str] = {}
    for key, row in old.get("tests", {}).items():
        alive = [leg for leg in row["legs"] if leg in there]
        live.replace("tests", key, row if row["is_over"] else row | {"is_over": not alive})
        running |= {there[leg]["linkedid"]: key for leg in alive}
    for linkedid in _keys.keys() - running.keys():
        del _keys[linkedid]
    for linkedid in running.keys() - _keys.keys():  # of a listener before us
        _keys[linkedid] = running[linkedid]
        _watch(linkedid)


def _fresh(kind: str, extension_id: int) -> live.Row:
    return {"kind": kind, "extension": extension_id, "since": time.time(), "is_over": False, "key": None, "legs": {}}


def _begin(kind: str, extension_id: int, linkedid: str) -> None:
    key = f"{kind}-{extension_id}"
    for other in [one for one, row in _keys.items() if row == key]:
        del _keys[other]
    _keys[linkedid] = key
    live.replace("tests", key, _fresh(kind, extension_id))
    _watch(linkedid)


def _watch(linkedid: str) -> None:
    threading.Thread(target=_measure, args=(linkedid,), daemon=True, name="test-meter").start()


def _put_leg(event: Headers, **values: Any) -> None:
    key = _keys.get(event["Linkedid"], "")
    if not key or event["Channel"].startswith("Local/"):
        return
    row = live.get("tests", key)
    leg = row["legs"].get(event["Uniqueid"]) or {
        "endpoint": endpoint_of(event["Channel"]), "channel": event["Channel"], "state": CALLING, "was_up": False, "up_at": 0.0, "spoke": False,
        "rx": 0, "tx": 0, "measured": 0, "cause": 0, "sip": 0, "ended_at": 0.0,
    }
    if values.get("state") == UP and not leg["was_up"]:
        values |= {"was_up": True, "up_at": time.time()}
    live.put("tests", key, legs=row["legs"] | {event["Uniqueid"]: leg | values})


def _measure(linkedid: str) -> None:
    """Ask for the counts of every leg that is up, once a second, until the test is over."""
    ends_at = time.monotonic() + LONGEST_SECONDS
    while (key := _keys.get(linkedid)) and time.monotonic() < ends_at:
        for leg, row in live.get("tests", key).get("legs", {}).items():
            if row["state"] == UP:
                for name, variable in (("rx", "CHANNEL(rtcp,rxcount)"), ("tx", "CHANNEL(rtcp,txcount)")):
                    action = {"Action": "Getvar", "Channel": row["channel"], "Variable": variable}
                    ami.questions.put(Question(action, partial(_counted, linkedid, leg, name)))
        time.sleep(METER_SECONDS)


def _counted(linkedid: str, leg: str, name: str, answer: Answer) -> None:
    row = live.get("tests", _keys.get(linkedid, ""))
    count = answer.headers.get("Value", "")
    if leg in row.get("legs", {}) and count.isdigit():
        known = row["legs"][leg]
        more = {"measured": known["measured"] + 1} if name == "tx" else {}
        live.put("tests", _keys[linkedid], legs=row["legs"] | {leg: known | more | {name: int(count)}})
