"""What is true of an extension now: where it is registered, and what its phone does.

Rows of kind `extensions`, by endpoint: every endpoint that registers here, so also a gateway's (a trunk that receives
registrations); names of trunks begin with `trunk-`, theirs are told in trunks/live.py.

    device     Asterisk's word: NOT_INUSE, INUSE, BUSY, RINGING, RINGINUSE, ONHOLD, UNAVAILABLE, INVALID, UNKNOWN
    contacts   uri → {address, rtt_ms (None: not measured), is_reachable}
    since      when `device` became what it is, seconds since 1970
"""

import time
from collections.abc import Callable
from typing import Any

from appliance import live
from appliance.telephony.ami import Headers

Ask = Callable[..., list[Headers]]

# Words of PJSIPShowEndpoints → those of DeviceStateChange (main/devicestate.c).
DEVICE = {
    "Not in use": "NOT_INUSE", "In use": "INUSE", "Busy": "BUSY", "Invalid": "INVALID", "Unavailable": "UNAVAILABLE",
    "Ringing": "RINGING", "Ring+Inuse": "RINGINUSE", "On Hold": "ONHOLD", "Unknown": "UNKNOWN",
}  # fmt: skip


def device_changed(event: Headers) -> None:
    """A phone began or ceased to ring, talk, hold, or to be there."""
    technology, _, endpoint = event["Device"].partition("/")
    if technology == "PJSIP" and not endpoint.startswith("trunk-"):
        _put_device(endpoint, event["State"], float(event.get("Timestamp") or time.time()))


def contact_changed(event: Headers) -> None:
    """A phone registered, went away, or was asked whether it is there."""
    endpoint = event.get("EndpointName") or event["AOR"]
    if endpoint.startswith("trunk-"):
        return
    contacts = dict(live.get("extensions", endpoint).get("contacts", {}))
    if event["ContactStatus"] == "Removed":
        contacts.pop(event["URI"], None)
    else:
        contacts[event["URI"]] = contact(event["URI"], event["ContactStatus"], event["RoundtripUsec"])
    live.put("extensions", endpoint, contacts=contacts)


def contact(uri: str, status: str, rtt_usec: str) -> dict[str, Any]:
    """One registered place. A round trip of 0 or N/A was not measured."""
    return {
        "address": address(uri), "is_reachable": {"Reachable": True, "Unreachable": False}.get(status),
        "rtt_ms": round(int(rtt_usec) / 1000, 1) if rtt_usec.isdigit() and int(rtt_usec) else None,
    }  # fmt: skip


def address(uri: str) -> str:
    """`192.0.2.7:5062` of `sip:1001@192.0.2.7:5062;transport=udp`; what a phone wrote there is cut to a length."""
    return uri.partition(":")[2].rpartition("@")[2].partition(";")[0][:60]


def rebuild(ask: Ask, old: live.Kinds) -> None:
    """Every endpoint and every registration, as Asterisk says them now."""
    before = old.get("extensions", {})
    for event in ask("PJSIPShowEndpoints"):
        endpoint = event.get("ObjectName", "")
        if endpoint and not endpoint.startswith("trunk-"):
            device = DEVICE.get(event["DeviceState"], "UNKNOWN")
            known = before.get(endpoint, {})
            live.put("extensions", endpoint, contacts={}, device=device,
                     since=known["since"] if known.get("device") == device else time.time())  # fmt: skip
    for event in ask("PJSIPShowContacts"):
        if live.get("extensions", event.get("Endpoint", "")):
            contacts = live.get("extensions", event["Endpoint"])["contacts"]
            found = contact(event["Uri"], event["Status"], event["RoundtripUsec"])
            live.put("extensions", event["Endpoint"], contacts=contacts | {event["Uri"]: found})


def _put_device(endpoint: str, device: str, at: float) -> None:
    if live.get("extensions", endpoint).get("device") != device:
        live.put("extensions", endpoint, device=device, since=at)
