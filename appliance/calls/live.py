"""Calls in progress with their legs. What was is told by the record files, never from here.

Channels are the writer's own rows (`_channels`, by Uniqueid). Those that share a Linkedid, a bridge or a Local pair are
one call, a row of kind `calls`, by the oldest Linkedid among them:

    started_at   seconds since 1970, from that id
    state        calling, ringing, talking, hold, or up (answered, but with nobody: a prompt, a queue)
    legs         oldest first, Local channels left out: {id, channel, endpoint, state, number, name, wanted (number it called
                 here), dialled (number sent to a trunk), is_outgoing, codec, trunk_place (the trunk whose limit it
                 counts for, 0 for none)}

Asterisk tells a new Linkedid only with a channel's next event, so that a bridge joins calls by itself here too.
"""

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from appliance import khomp_channels, live
from appliance.telephony import ami
from appliance.telephony.ami import Answer, Headers, Question

Ask = Callable[..., list[Headers]]

UP, RINGING, RING = "6", "5", "4"  # ChannelState, channelstate.h
STATES = ("hold", "talking", "ringing", "up")  # the first that a leg has is the call's; else calling
NEW = {"bridge": "", "is_holding": False, "is_outgoing": False, "dialled": "", "codec": "", "trunk_place": 0, "wanted": "", "call": ""}
TECHNOLOGIES = ("PJSIP/", "Khomp/")  # channels with somebody at the other end
TEXT_LENGTH = 80  # a carrier may send names of any length


def channel_began(event: Headers) -> None:
    """A channel came to be; one that calls us says whom it wants."""
    _put(event["Uniqueid"], event, wanted=event["Exten"][:TEXT_LENGTH] if event["ChannelState"] == RING else "")


def channel_changed(event: Headers) -> None:
    """A channel's state or numbers changed."""
    _put(event["Uniqueid"], event)


def channel_renamed(event: Headers) -> None:
    """Two channels changed places (a masquerade)."""
    if live.get("_channels", event["Uniqueid"]):
        live.put("_channels", event["Uniqueid"], channel=event["Newname"])
        _regroup(event["Uniqueid"])


def dial_began(event: Headers) -> None:
    """A channel calls another: that one is outgoing, and the number sent to a trunk is known only here."""
    destination = {key[4:]: value for key, value in event.items() if key.startswith("Dest")}
    number, at, endpoint = event.get("DialString", "").rpartition("@")
    more: dict[str, Any] = {"is_outgoing": True}
    if khomp_channels.channel_in_use(event.get("DestChannel", "")):
        group, _slash, rest = event.get("DialString", "").partition("/")
        more |= {"dialled": rest.partition("/")[0][:TEXT_LENGTH], "trunk_place": _trunk_of_group(group)}
    elif at:
        more |= {"dialled": number.rpartition("/")[2][:TEXT_LENGTH], "trunk_place": _trunk_of(endpoint)}
    _put(destination["Uniqueid"], destination, **more)


def bridge_entered(event: Headers) -> None:
    """A channel is together with those in the bridge."""
    _put(event["Uniqueid"], event, bridge=event["BridgeUniqueid"])


def bridge_left(event: Headers) -> None:
    """A channel left; it may be in the next bridge already."""
    bridge = live.get("_channels", event["Uniqueid"]).get("bridge", "")
    _put(event["Uniqueid"], event, bridge="" if bridge == event["BridgeUniqueid"] else bridge)


def held(event: Headers) -> None:
    """A phone put its far end on hold."""
    _put(event["Uniqueid"], event, is_holding=True)


def unheld(event: Headers) -> None:
    """A phone came back."""
    _put(event["Uniqueid"], event, is_holding=False)


def hold_noted(event: Headers) -> None:
    """Have Asterisk write the hold into queue_log: no record file of its own tells it. Once per event, nobody waits."""
    at = event.get("Timestamp") or f"{time.time():.6f}"
    ami.questions.put(Question({
        "Action": "QueueLog", "Queue": "NONE", "Uniqueid": event["Uniqueid"], "Interface": event["Channel"],
        "Event": event["Event"].upper(), "Message": f"{at}|{event['Linkedid']}",
    }))  # fmt: skip


def channel_ended(event: Headers) -> None:
    """A channel is gone. One that never left its bridge gave its place there to another, of which no event tells.

    Asterisk does so (a masquerade) when a transfer joins a call that was answered in the same moment; then the bridge is
    asked who is in it.
    """
    row = live.get("_channels", event["Uniqueid"])
    if not row:
        return
    live.drop("_channels", event["Uniqueid"])
    _regroup_calls({row["call"]})
    if row["bridge"]:
        ami.questions.put(Question({"Action": "BridgeInfo", "BridgeUniqueid": row["bridge"]}, partial(_bridge_told, row["bridge"])))


def rebuild(ask: Ask, _old: live.Kinds) -> None:
    """Every channel as Asterisk says it now; hold, codec and trunk are asked of each."""
    channels = ask("CoreShowChannels")
    for event in channels:
        if "Uniqueid" not in event:
            continue
        more = _asked(ask, event["Channel"], event["ChannelState"] == UP)
        # One that was transferred runs the dialplan itself; a place of a trunk has only who was called by it.
        is_outgoing = event["Application"].startswith("AppDial") or bool(more.get("trunk_place"))
        _put(event["Uniqueid"], event, bridge=event["BridgeId"], is_outgoing=is_outgoing, **more)


def _asked(ask: Ask, channel: str, is_up: bool) -> dict[str, Any]:
    """What no list holds. Empty for a channel that is gone meanwhile."""
    if not channel.startswith(TECHNOLOGIES):
        return {}

    def of(variable: str) -> str:
        return next((event.get("Value", "") for event in ask("Getvar", Channel=channel, Variable=variable)), "")

    place = of("GROUP(trunk)")
    if khomp_channels.channel_in_use(channel):
        return {"codec": _codec(of("CHANNEL(audionativeformat)")) if is_up else "", "trunk_place": int(place) if place.isdigit() else 0,
                "dialled": of("BENTEVI_DIALLED")[:TEXT_LENGTH] if place else ""}
    dialled = of("CHANNEL(pjsip,remote_uri)") if place else ""
    wanted = of("CHANNEL(pjsip,request_uri)") if not place else ""
    return {
        "is_holding": of("CHANNEL(rtp,hold)") == "1", "codec": _codec(of("CHANNEL(audionativeformat)")) if is_up else "",
        "trunk_place": int(place) if place.isdigit() else 0, "dialled": _user(dialled), "wanted": _user(wanted),
    }  # fmt: skip


def _bridge_told(bridge: str, answer: Answer) -> None:
    for event in answer.events:
        row = live.get("_channels", event.get("Uniqueid", ""))
        if row and not row["bridge"]:
            _put(event["Uniqueid"], event, bridge=bridge)


# ------------------------------------------------------------------------------------------------------------ folding


def _put(uniqueid: str, event: Headers, **more: Any) -> None:
    before = live.get("_channels", uniqueid)
    values = {
        "channel": event["Channel"], "state": event["ChannelState"], "linkedid": event["Linkedid"],
        "number": _text(event["CallerIDNum"]), "name": _text(event["CallerIDName"]),
    } | more  # fmt: skip
    if not before:
        values = NEW | values
    live.put("_channels", uniqueid, **values)
    _regroup(uniqueid)
    if values["state"] == UP and not (before.get("codec") or values.get("codec")) and before.get("state") != UP:
        _ask_codec(uniqueid, event["Channel"])


def _ask_codec(uniqueid: str, channel: str) -> None:
    if not channel.startswith(TECHNOLOGIES):
        return

    def told(answer: Answer) -> None:
        if live.get("_channels", uniqueid):
            live.put("_channels", uniqueid, codec=_codec(answer.headers.get("Value", "")))
            _regroup(uniqueid)

    ami.questions.put(Question({"Action": "Getvar", "Channel": channel, "Variable": "CHANNEL(audionativeformat)"}, told))


def _regroup(uniqueid: str) -> None:
    """Bring the calls up to date that this channel was, is, or now becomes a part of."""
    row = live.get("_channels", uniqueid)
    keys = _keys(row)
    calls = {other["call"] for other in live.rows("_channels").values() if keys & _keys(other)}
    _regroup_calls({row["call"], *calls})


def _regroup_calls(calls: set[str]) -> None:
    left = {uniqueid: row for uniqueid, row in live.rows("_channels").items() if row["call"] in calls}
    found: dict[str, dict[str, live.Row]] = {}
    while left:
        uniqueid, row = left.popitem()
        members, keys = {uniqueid: row}, _keys(row)
        while near := [one for one, other in left.items() if keys & _keys(other)]:
            for one in near:
                members[one] = left.pop(one)
                keys |= _keys(members[one])
        found[min((row["linkedid"] for row in members.values()), key=_age)] = members
    for call, members in found.items():
        for uniqueid, row in members.items():
            if row["call"] != call:
                live.put("_channels", uniqueid, call=call)
        _put_call(call, members)
    for call in calls - found.keys():
        live.drop("calls", call)


def _put_call(call: str, members: dict[str, live.Row]) -> None:
    shown = [uniqueid for uniqueid in sorted(members, key=_age) if not members[uniqueid]["channel"].startswith("Local/")]
    legs = [_leg(uniqueid, members[uniqueid]) for uniqueid in shown]
    if not legs:
        live.drop("calls", call)
        return
    states = {leg["state"] for leg in legs}
    state = next((state for state in STATES if state in states), "calling")
    live.replace("calls", call, {"started_at": _age(call)[0], "state": state, "legs": legs})


def _leg(uniqueid: str, row: live.Row) -> dict[str, Any]:
    if row["state"] == UP:
        state = "hold" if row["is_holding"] else "talking" if row["bridge"] else "up"
    else:
        state = "ringing" if row["state"] == RINGING else "calling"
    kept = ("channel", "number", "name", "dialled", "wanted", "is_outgoing", "codec", "trunk_place")
    return {"id": uniqueid, "endpoint": endpoint_of(row["channel"]), "state": state} | {name: row[name] for name in kept}


def _keys(row: live.Row) -> set[tuple[str, str]]:
    """What makes two channels one call."""
    keys = {("linked", row["linkedid"])}
    if row["bridge"]:
        keys.add(("bridge", row["bridge"]))
    if row["channel"].startswith("Local/"):
        keys.add(("local", row["channel"].rpartition(";")[0]))
    return keys


def _age(uniqueid: str) -> tuple[int, int]:
    """(second, number) of `bentevi-1795218506.12`: ids in the order they were given."""
    found = re.search(r"(\d+)\.(\d+)$", uniqueid)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def endpoint_of(channel: str) -> str:
    """`1001` of `PJSIP/1001-0000002a`, `b0c34` of `Khomp/B0C34-00000350`; "" for a channel that is no phone's or trunk's."""
    line = khomp_channels.channel_in_use(channel)
    if line:
        return khomp_channels.name_of(line)
    found = re.fullmatch(r"PJSIP/(.+)-[0-9a-f]{8}(?:<\w+>)?", channel)
    return found[1] if found else ""


def _trunk_of(endpoint: str) -> int:
    found = re.fullmatch(r"trunk-(\d+)", endpoint)
    return int(found[1]) if found else 0


def _trunk_of_group(group: str) -> int:
    """7 of `gtrunk7` (trunks/config.py)."""
    found = re.fullmatch(r"[gG]trunk(\d+)", group)
    return int(found[1]) if found else 0


def _user(uri: str) -> str:
    """`4833334444` of `<sip:4833334444@192.0.2.7:5060>`; "" when there is no user."""
    user, at, _host = uri.partition(":")[2].partition("@")
    return user[:TEXT_LENGTH] if at else ""


def _codec(text: str) -> str:
    """`alaw` of `(alaw|ulaw)`."""
    return text.strip("()").partition("|")[0][:20]


def _text(text: str) -> str:
    return "" if text in ("<unknown>", "<none>") else text[:TEXT_LENGTH]
