"""Who waits in a queue and what its members do. Rows, both by ids of Asterisk:

    queue_callers   Uniqueid → queue (row id), section, number, name, position (1 is next), since (seconds since 1970)
    queue_members   SECTION MEMBER → queue (row id), section, extension (row id), penalty, paused, device (NOT_INUSE, RINGING …),
                    in_call, calls_taken, last_call_at (0: none), wrap_up_seconds
"""

import re
import time
from collections.abc import Callable
from typing import Any

from appliance import live
from appliance.queues.members import queue_id
from appliance.telephony.ami import Headers

Ask = Callable[..., list[Headers]]

# AST_DEVICE_… as numbers, include/asterisk/devicestate.h
DEVICES = ("UNKNOWN", "NOT_INUSE", "INUSE", "BUSY", "INVALID", "UNAVAILABLE", "RINGING", "RINGINUSE", "ONHOLD")
TEXT_LENGTH = 80


def caller_joined(event: Headers) -> None:
    """Somebody waits. Who comes in before others moves them back."""
    position = _whole(event["Position"])
    for uniqueid, row in _waiting(event["Queue"]):
        if row["position"] >= position and uniqueid != event["Uniqueid"]:
            live.put("queue_callers", uniqueid, position=row["position"] + 1)
    _put_caller(event["Uniqueid"], event, position, float(event.get("Timestamp") or time.time()))


def caller_left(event: Headers) -> None:
    """Answered, given up or gone on: those behind move up."""
    left = live.get("queue_callers", event["Uniqueid"])
    live.drop("queue_callers", event["Uniqueid"])
    for uniqueid, row in _waiting(event["Queue"]):
        if left and row["position"] > left["position"]:
            live.put("queue_callers", uniqueid, position=row["position"] - 1)


def member_changed(event: Headers) -> None:
    """A member came in, was paused, or its telephone does something else now."""
    queue, extension = queue_id(event["Queue"]), _extension(event.get("MemberName") or event.get("Name", ""))
    if queue is None or extension is None:
        return
    device = _whole(event["Status"])
    live.put(
        "queue_members", _key(event), queue=queue, section=event["Queue"], extension=extension, penalty=_whole(event["Penalty"]),
        paused=event["Paused"] == "1", device=DEVICES[device] if device < len(DEVICES) else "UNKNOWN", in_call=event.get("InCall") == "1",
        calls_taken=_whole(event["CallsTaken"]), last_call_at=_whole(event["LastCall"]), wrap_up_seconds=_whole(event.get("Wrapuptime", "0")),
    )


def member_removed(event: Headers) -> None:
    """It gets no more calls of this queue."""
    live.drop("queue_members", _key(event))


def rebuild(ask: Ask, _old: live.Kinds) -> None:
    """Every queue's members and callers, as Asterisk says them now."""
    for event in ask("QueueStatus"):
        if event.get("Event") == "QueueMember":
            member_changed(event | {"Interface": event["Location"]})
        elif event.get("Event") == "QueueEntry":
            _put_caller(event["Uniqueid"], event, _whole(event["Position"]), time.time() - _whole(event["Wait"]))


def _put_caller(uniqueid: str, event: Headers, position: int, since: float) -> None:
    queue = queue_id(event["Queue"])
    if queue is not None:
        live.put("queue_callers", uniqueid, queue=queue, section=event["Queue"], number=_text(event["CallerIDNum"]),
                 name=_text(event["CallerIDName"]), position=position, since=since)  # fmt: skip


def _waiting(section: str) -> list[tuple[str, Any]]:
    return [(uniqueid, row) for uniqueid, row in live.rows("queue_callers").items() if row["section"] == section]


def _key(event: Headers) -> str:
    return f"{event['Queue']} {event.get('Interface') or event['Location']}"


def _extension(name: str) -> int | None:
    found = re.fullmatch(r"extension-(\d+)", name)
    return int(found[1]) if found else None


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _text(text: str) -> str:
    return "" if text in ("unknown", "<unknown>", "<none>") else text[:TEXT_LENGTH]
