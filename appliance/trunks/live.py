"""What is true of a trunk now (TRK-06): whether the far end is there and whether we are registered at it.

Rows of kind `trunks`, by endpoint (`trunk-5`); a gateway that registers here is an endpoint of extensions/live.py.

    is_reachable   the far end answers OPTIONS; None: not asked (yet)
    rtt_ms         how fast, None when it was not measured
    registration   "" (none is sent), registered, rejected, unregistered
    code           the last answer to our REGISTER that was a refusal (403), 0 when it did not answer or did not refuse
    resolves       False: the host's name was looked up when the trunk went down and nobody knows it
    since          when it became so, seconds since 1970
"""

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable

from appliance import live, settings
from appliance.telephony import ami
from appliance.telephony.ami import Answer, Headers, Question

Ask = Callable[..., list[Headers]]

LOG_BYTES = 256_000  # so much of the end of Asterisk's log is read for the reason of a refusal
STATUS = {"Registered": "registered", "Rejected": "rejected"}


def contact_changed(event: Headers) -> None:
    """The far end of a trunk answered, or ceased to."""
    endpoint = event.get("EndpointName") or event["AOR"]
    if endpoint.startswith("trunk-") and event["ContactStatus"] != "Removed":
        _put_contact(endpoint, event["URI"], event["ContactStatus"], event["RoundtripUsec"], _time_of(event))


def registration_changed(event: Headers) -> None:
    """One of our registrations came or went. The event does not say which, so all are asked for."""
    at = _time_of(event)
    ami.questions.put(Question({"Action": "PJSIPShowRegistrationsOutbound"}, lambda answer: _registrations_told(answer, at)))


def rebuild(ask: Ask, old: live.Kinds) -> None:
    """Every trunk as Asterisk says it now; `since` is kept for those that are as they were."""
    names = [event["ObjectName"] for event in ask("PJSIPShowEndpoints") if event.get("ObjectName", "").startswith("trunk-")]
    for name in names:
        before = old.get("trunks", {}).get(name, {})
        live.put("trunks", name, **({"is_reachable": None, "rtt_ms": None, "registration": "", "code": 0, "resolves": True,
                                     "since": time.time()} | before))  # fmt: skip
        for event in ask("PJSIPShowEndpoint", Endpoint=name):
            if event.get("Event") == "ContactStatusDetail":
                _put_contact(name, event["URI"], event["Status"], event["RoundtripUsec"], time.time())
    _take_registrations(ask("PJSIPShowRegistrationsOutbound"), time.time())


def _put_contact(name: str, uri: str, status: str, rtt_usec: str, at: float) -> None:
    is_reachable = {"Reachable": True, "Unreachable": False}.get(status)
    rtt_ms = round(int(rtt_usec) / 1000, 1) if rtt_usec.isdigit() and int(rtt_usec) else None
    _put(name, at, uri, is_reachable=is_reachable, rtt_ms=rtt_ms)


def _registrations_told(answer: Answer, at: float) -> None:
    _take_registrations(answer.events, at)


def _take_registrations(events: list[Headers], at: float) -> None:
    sent = {event["ObjectName"]: event for event in events if event.get("Event") == "OutboundRegistrationDetail"}
    for name, event in sent.items():
        word = STATUS.get(event["Status"], "unregistered")
        code = 0 if word == "registered" else _refusal(event["ServerUri"], event["ClientUri"])
        _put(name, at, event["ServerUri"], registration=word, code=code)
    for name in live.rows("trunks").keys() - sent.keys():
        if live.get("trunks", name)["registration"]:
            _put(name, at, "", registration="", code=0)


def _put(name: str, at: float, uri: str, **values: object) -> None:
    """Set fields; `since` moves only when the state does."""
    before = live.get("trunks", name)
    is_new = any(before.get(field) != values[field] for field in ("is_reachable", "registration") if field in values)
    live.put("trunks", name, **values, **({"since": at} if is_new else {}))
    row = live.get("trunks", name)
    is_down = row.get("is_reachable") is False or row.get("registration") in ("rejected", "unregistered")
    if not is_down:
        live.put("trunks", name, resolves=True)
    elif is_new and uri:
        threading.Thread(target=_look_up, args=(name, uri), daemon=True).start()


def _look_up(name: str, uri: str) -> None:
    """Whether the host's name is known: on a thread, because a dead DNS answers after many seconds."""
    host = uri.partition(":")[2].rpartition("@")[2].partition(";")[0].rpartition(":")[0]
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            live.put("trunks", name, resolves=False)


def _refusal(server: str, client: str) -> int:
    """The newest answer to a registration, from the only place where Asterisk says it: its log. 0 for no answer."""
    file = settings.load().asterisk / "log" / "messages.log"
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - LOG_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return 0
    wanted = f"from '{server}' on registration attempt to '{client}'"
    newest = next((line for line in reversed(lines) if wanted in line), "")
    found = re.search(r"response '?(\d{3})'?|'(\d{3})'", newest)
    return int(found[1] or found[2]) if found else 0


def _time_of(event: Headers) -> float:
    return float(event.get("Timestamp") or time.time())
