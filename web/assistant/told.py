"""What the assistant says of a probe and of a test call: each thing looked at, whether it is well, and what to do when it is not."""

import ipaddress
from dataclasses import dataclass
from typing import Any

from flask_babel import format_decimal
from flask_babel import gettext as _

from appliance import live, ports, settings
from appliance.assistant.live import ECHO, RINGING, UP
from appliance.ports import Trouble
from appliance.telephony import sip_probe
from appliance.telephony.sip_probe import Probe
from web import panel
from web.panel import Item, Names

GOOD, BAD, WAITING, UNSURE = "good", "bad", "waiting", "unsure"
ENOUGH_COUNTS = 4  # seconds without one packet, then no sound comes


@dataclass(frozen=True)
class Line:
    """One thing looked at: good, bad, waiting or unsure; the sentence, and what to do."""

    state: str
    text: str
    todo: str = ""


# -------------------------------------------------------------------------------------------------------------- probes


def probe(found: Probe) -> list[Line]:
    """What a probe of a carrier found."""
    lines = [Line(BAD, _("The name %(host)s is not known (DNS).", host=found.host), _(
        "Compare it with what the carrier wrote, letter by letter. If it is right, this server has no working name server: check the network."))]
    if found.reached == sip_probe.NAME_UNKNOWN:
        return lines
    lines = [Line(GOOD, _("The address is known: %(address)s.", address=found.address))]
    lines.append(_reached(found))
    if found.registration != sip_probe.NOT_ASKED and found.reached == sip_probe.ANSWERS:
        lines.append(_registration(found))
    own = _private(found.own_address)
    if own and found.address and not _private(found.address):
        lines.append(Line(UNSURE, _("This server has a private address (%(address)s): it is behind a router.", address=found.own_address), _(
            "If calls have no sound, write the external IP on the SIP page and forward the ports in the router.")))
    return lines


def _reached(found: Probe) -> Line:
    where = {"host": found.host, "port": found.port}
    if found.reached == sip_probe.ANSWERS:
        return Line(GOOD, _("The carrier answers (%(ms)s ms).", ms=format_decimal(found.rtt_ms)))
    if found.reached == sip_probe.PORT_CLOSED:
        return Line(BAD, _("The machine %(host)s is there, but nobody answers at its port %(port)s.", **where), _(
            "The port is probably another one: look at the carrier's data, usually 5060."))
    if found.reached == sip_probe.NO_NETWORK:
        return Line(BAD, _("This server has no way to %(host)s.", **where), _("Check the network cable, the gateway and the internet access of this server."))
    return Line(BAD, _("No answer came from %(host)s, port %(port)s.", **where), _(
        "Either the address or port is wrong, the carrier is down, or a firewall blocks SIP (UDP %(port)s). Carriers known by IP also keep silent "
        "until they know the address of this server: tell them %(own)s, or the external IP of your router.", port=found.port, own=found.own_address))


def _registration(found: Probe) -> Line:
    code = found.register_code
    if found.registration == sip_probe.ACCEPTED:
        return Line(GOOD, _("User and password are right: the carrier accepts the registration."))
    if found.registration == sip_probe.WRONG_PASSWORD:
        return Line(BAD, _("The carrier answers, but refuses user or password (%(code)s).", code=code), _(
            "Write the password again as the carrier sent it, with capitals and small letters; some carriers want the whole number as user."))
    if found.registration == sip_probe.UNKNOWN_USER:
        return Line(BAD, _("The carrier does not know this user (%(code)s).", code=code), _(
            "Compare the user with the carrier's data: often it is the number with area code."))
    if found.registration == sip_probe.FORBIDDEN:
        return Line(BAD, _("The carrier refuses before it asks the password (%(code)s).", code=code), _(
            "It may accept only known addresses, or the line is not active yet. Ask the carrier."))
    return Line(UNSURE, _("The carrier answers, but not clearly to the registration (%(code)s).", code=code or "–"), _(
        "Go on: after applying, the exchange registers and this page shows how it went."))


def port(found: Trouble) -> Line:
    """The SIP port is not Asterisk's."""
    if found.is_taken:
        return Line(BAD, _("The SIP port %(port)s (UDP) is taken by another program: %(program)s, process %(pid)s. No phone can register.",
                           port=found.port, program=found.program, pid=found.pid),
                    _("Stop that program and press “Try again”. Or choose another port on the page SIP."))
    return Line(BAD, _("Asterisk does not listen on the SIP port %(port)s (UDP): it was taken when it started. No phone can register.", port=found.port),
                _("The port is free now: press “Try again”."))


# ----------------------------------------------------------------------------------------------------------- test calls


def items(picture: live.Picture, known: Names) -> list[Item]:
    """Every test call, the newest of each kind and extension, as an item of the page."""
    found = []
    extensions = {row_id: f"{number} {name}" for row_id, number, name in known.extensions}
    for key, row in sorted(picture.rows("tests").items()):
        if row["extension"] not in extensions:
            continue
        lines = test(row, picture, known)
        facts = {"key": key, "kind": row["kind"], "extension": extensions[row["extension"]], "extension_id": row["extension"], "since": row["since"],
                 "is_over": row["is_over"], "lines": lines, "is_good": is_heard(row), "raw": raw(row, lines)}
        found.append(Item(f"test-{key}", "assistant/_test.html", facts, "tests"))
    return found


def is_heard(row: live.Row) -> bool:
    """Whether sound went both ways: in an echo test somebody pressed a key and a voice came; outside, packets of both parties."""
    legs = list(row["legs"].values())
    if row["kind"] == ECHO:
        return bool(row["key"]) and any(leg["rx"] for leg in legs)
    trunk = _trunk_leg(row)
    return bool(trunk and trunk["was_up"] and trunk["rx"] and any(leg["rx"] for leg in legs if leg is not trunk))


def raw(row: live.Row, lines: list[Line]) -> str:
    """For support: everything that is known, without names of people."""
    machine, used = settings.load(), ports.listening(settings.load())
    legs = [f"{leg['endpoint']} {leg['state']} up={leg['was_up']} rx={leg['rx']} tx={leg['tx']} spoke={leg['spoke']} cause={leg['cause']} sip={leg['sip']}"
            for leg in row["legs"].values()]
    ports_ = f"SIP {machine.bind}:{used.sip} RTP {used.rtp_start}-{used.rtp_end}"
    return "\n".join([f"{row['kind']} {row['extension']} key={row['key']}", *legs, ports_, *(f"{line.state}: {line.text}" for line in lines)])


def test(row: live.Row, picture: live.Picture, known: Names) -> list[Line]:
    """What happened so far, in the order it happens."""
    trunk = _trunk_leg(row)
    phone = next((leg for leg in row["legs"].values() if leg is not trunk), None)
    if phone is None:
        return [Line(WAITING, _("Calling the phone…"))]
    lines = [_rang(phone)]
    if not phone["was_up"]:
        return lines
    lines.append(_from_phone(phone, row, picture))
    if row["kind"] == ECHO:
        lines.append(_to_phone(row))
        return lines
    return lines + _outside(row, phone, trunk, picture, known)


def _trunk_leg(row: live.Row) -> dict[str, Any] | None:
    legs = [leg for leg in row["legs"].values() if leg["endpoint"].startswith("trunk-")]
    return legs[-1] if legs else None  # after an overflow the last one counts


def _rang(phone: dict[str, Any]) -> Line:
    if phone["was_up"]:
        return Line(GOOD, _("The phone rang and was answered."))
    if phone["state"] == RINGING:
        return Line(WAITING, _("The phone rings. Pick it up."))
    if phone["state"] != "ended":
        return Line(WAITING, _("Calling the phone…"))
    if phone["sip"] in (486, 600, 603) or phone["cause"] in (17, 21):
        return Line(BAD, _("The phone refused the call or is busy."), _("Turn off “do not disturb” on the phone, end other calls, and call again."))
    if phone["sip"] == 488 or phone["cause"] == 58:
        return Line(BAD, _("The phone has no audio format in common with the exchange."), _("Switch on G.711 A-law (PCMA) in the phone's settings."))
    if phone["sip"] == 408 or phone["cause"] in (18, 20):
        return Line(BAD, _("The phone is registered but does not answer to calls."), _(
            "Its address may be out of date: close the app and open it again. From outside, mark “Behind NAT” in the extension's class."))
    return Line(BAD, _("Nobody picked up the phone."), _("Call again and answer within 30 seconds."))


def _from_phone(phone: dict[str, Any], row: live.Row, picture: live.Picture) -> Line:
    used = ports.listening(settings.load())
    if phone["rx"]:
        if row["kind"] == ECHO and row["key"] is not None and row["is_over"] and not phone["spoke"]:
            return Line(UNSURE, _("Sound comes from the phone, but only silence."), _("Is the microphone off, or not allowed for the app?"))
        return Line(GOOD, _("Sound comes from the phone."))
    if phone["measured"] < ENOUGH_COUNTS and phone["state"] == UP:
        return Line(WAITING, _("Waiting for sound from the phone…"))
    if phone["measured"] < ENOUGH_COUNTS:
        return Line(UNSURE, _("The call was too short to tell whether sound comes from the phone."), _("Call again and stay for some seconds."))
    contacts = picture.rows("extensions").get(phone["endpoint"], {}).get("contacts", {}).values()
    address = next((str(contact["address"]) for contact in contacts), "")
    return Line(BAD, _("One-way audio: not one packet of sound came from the phone (%(address)s).", address=address), _(
        "A firewall or router between phone and exchange drops the audio: open UDP %(start)s to %(end)s towards this server. If the phone is outside the "
        "office, mark “Behind NAT” in the extension's class. In an app, allow the microphone.", start=used.rtp_start, end=used.rtp_end))


def _to_phone(row: live.Row) -> Line:
    if row["key"]:
        return Line(GOOD, _("The phone hears the exchange: a key was pressed when the message asked for it."))
    if row["key"] is None and not row["is_over"]:
        return Line(WAITING, _("The message is being played: press 1 on the phone if you hear it."))
    return Line(UNSURE, _("No key was pressed, so it is not known whether the phone hears the exchange."), _(
        "If you did hear the message, call again and press 1. If not, sound to the phone is blocked: check the network of the phone, its volume, and "
        "whether a VPN or another firewall lies between."))


def _outside(row: live.Row, phone: dict[str, Any], trunk: dict[str, Any] | None, picture: live.Picture, known: Names) -> list[Line]:
    if trunk is None:
        if phone["state"] != "ended":
            return [Line(WAITING, _("Dialling…"))]
        return [_no_trunk_leg(phone, picture, known)]
    facts = known.trunk_of(trunk["endpoint"]) or {"name": trunk["endpoint"], "host": ""}
    lines = [Line(GOOD, _("The call left by the trunk %(name)s.", name=facts["name"]))]
    if trunk["was_up"]:
        lines += [Line(GOOD, _("The other side answered.")), _from_carrier(trunk, facts)]
    elif trunk["state"] == RINGING:
        lines.append(Line(WAITING, _("The other phone rings. Answer it.")))
    elif trunk["state"] != "ended":
        lines.append(Line(WAITING, _("Waiting for the carrier…")))
    else:
        lines.append(refusal(trunk["sip"], trunk["cause"]))
    return lines


def _from_carrier(trunk: dict[str, Any], facts: dict[str, Any]) -> Line:
    used = ports.listening(settings.load())
    if trunk["rx"]:
        return Line(GOOD, _("Sound comes from the other side."))
    if trunk["measured"] < ENOUGH_COUNTS:
        return Line(WAITING if trunk["state"] == UP else UNSURE, _("Waiting for sound from the other side…"))
    return Line(BAD, _("One-way audio: not one packet of sound came from the carrier %(name)s.", name=facts["name"]), _(
        "The router or firewall drops it: forward UDP %(start)s to %(end)s to this server. If this server has a private address, write the external IP on "
        "the SIP page and mark NAT there, so that the carrier is told the right address; turn off “SIP ALG” in the router.",
        start=used.rtp_start, end=used.rtp_end))


def _no_trunk_leg(phone: dict[str, Any], picture: live.Picture, known: Names) -> Line:
    """The call ended before any carrier was asked."""
    for trunk in known.trunks:
        row = picture.rows("trunks").get(trunk["endpoint"], {})
        status = panel.trunk_status(picture, trunk, row, {})
        if status == "unregistered":
            return Line(BAD, _("The trunk %(name)s is not registered at the carrier.", name=trunk["name"]), _(
                "The last answer was %(code)s. Go back to the step “Trunk”, write the password again and check.", code=row.get("code") or _("no answer")))
        if status == "unreachable":
            return Line(BAD, _("The carrier of the trunk %(name)s (%(host)s) does not answer.", name=trunk["name"], host=trunk["host"]), _(
                "Go back to the step “Trunk” and check: address, port, firewall."))
    return refusal(phone["sip"], phone["cause"])


_NUMBER = (404, 410, 484, 604)
_FAR_SIDE = (500, 502, 503, 504, 580)


def refusal(code: int, cause: int) -> Line:
    """Why a call outside was not answered, from the carrier's SIP code (0: none came) or, without one, Q.850's cause."""
    if code in (486, 600) or (not code and cause == 17):
        return Line(GOOD, _("The number is busy: the trunk works."), _("Call another number to hear it."))
    if code == 480 or (not code and cause in (18, 19)):
        return Line(UNSURE, _("The other phone is off, out of reach, or was not answered (%(code)s). The trunk works.", code=code or cause))
    if code in (401, 407):
        return Line(BAD, _("The carrier asks a password for the call and does not accept ours (%(code)s).", code=code), _(
            "Go back to the step “Trunk” and write user and password again."))
    if code in (403, 603) or (not code and cause == 21):
        return Line(BAD, _("The carrier refuses the call (%(code)s).", code=code or cause), _(
            "Usual reasons: the number shown is not one of yours (write your main number in the step “Trunk”), no credit or permission for this kind of "
            "call, or the carrier does not know the address of this server."))
    if code in _NUMBER or (not code and cause in (1, 28)):
        return Line(BAD, _("The carrier does not know the number as it was sent (%(code)s).", code=code or cause), _(
            "Compare the number; then choose another way of sending it in the step “Numbers”: carriers want it with or without 0 or 55."))
    if code == 408 or (not code and cause in (3, 20, 27, 38, 102)):
        return Line(BAD, _("The carrier did not answer in time."), _("Go back to the step “Trunk” and check; a firewall may drop long SIP messages."))
    if code in (415, 488, 606) or (not code and cause in (58, 88)):
        return Line(BAD, _("No audio format in common with the carrier (%(code)s).", code=code or cause), _("Choose the carrier's codecs in the trunk, usually G.711 A-law."))
    if code in _FAR_SIDE or (not code and cause in (34, 41, 42)):
        return Line(BAD, _("The carrier has no free line or a fault of its own (%(code)s).", code=code or cause), _("Try again in a minute; if it stays so, call the carrier with these details."))
    if cause == 16:
        return Line(UNSURE, _("The call was ended before the other side answered."))
    return Line(BAD, _("The call failed (%(code)s).", code=code or cause), _("Copy the details and send them to support."))


def _private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False
