"""Rows with sensible defaults, called with only what a test is about. They go through the same door as every face."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from appliance import db as ground
from appliance.audio_prompts import intake
from appliance.audio_prompts.model import READY, UPLOADED
from appliance.calls import totals
from appliance.calls.model import ANSWER, ANSWERED, ARRIVED, CALLED, END, INBOUND, INTERNAL, RING, Call, CallStep
from appliance.db import db
from appliance.resource import SINGLE_ID, TABLE
from tests.sounds import tone

_numbers = count(2001)
_linkedids = count(1)
PASSWORD = "Senha#4tes"


def make(word: str, **values: Any) -> Any:
    """A committed row of any resource."""
    row = TABLE[word].create(values)
    db.session.commit()
    return row


def change(row: Any, **values: Any) -> Any:
    """A committed change of a row."""
    TABLE[row.__tablename__].update(row, values)
    db.session.commit()
    return row


def make_extension(number: str = "", **values: Any) -> Any:
    """An extension whose SIP password is `secret-<number>`."""
    number = number or str(next(_numbers))
    return make("extensions", **{"number": number, "name": f"Ramal {number}", "password": f"secret-{number}"} | values)


def make_class(name: str, **values: Any) -> Any:
    return make("extension_classes", name=name, **values)


def make_cost_centre(name: str, **values: Any) -> Any:
    return make("cost_centres", name=name, **values)


def make_trunk(name: str, port: int, **values: Any) -> Any:
    """A by-IP trunk to a carrier on this machine."""
    return make("trunks", **{"name": name, "host": "127.0.0.1", "port": port} | values)


def make_outbound_route(name: str, *rules: dict[str, Any], **values: Any) -> Any:
    return make("outbound_routes", name=name, rules=list(rules), **values)


def make_profile(name: str, *routes: str, **values: Any) -> Any:
    return make("dialing_profiles", name=name, outbound_routes=list(routes), **values)


def make_inbound_route(name: str, trunk: str, *rules: dict[str, Any], **values: Any) -> Any:
    return make("inbound_routes", **{"name": name, "trunks": [trunk], "rules": list(rules)} | values)


def make_queue(number: str, *members: Any, **values: Any) -> Any:
    """A queue of these extensions, called by its number; rings everybody."""
    lines = [member if isinstance(member, dict) else {"extension": member.number} for member in members]
    return make("queues", **{"name": f"Fila {number}", "number": number, "members": lines} | values)


def make_internal_route(name: str, *rules: dict[str, Any]) -> Any:
    return make("internal_routes", name=name, rules=list(rules))


def make_hours(name: str, *ranges: str, **values: Any) -> Any:
    """Business hours: `make_hours("Comercial", "mon tue 08:00-18:00", "sat 08:00-12:00")`; without a range a new record's own."""
    return make("business_hours", **{"name": name} | ({"periods": [week(text) for text in ranges]} if ranges else {}) | values)


def week(text: str) -> dict[str, Any]:
    """A weekly range: “mon tue 08:00-18:00”."""
    *days, times = text.split()
    start, end = times.split("-")
    return {"weekdays": days, "start": start, "end": end}


def make_sound(name: str, frequency: int, seconds: float = 1.5) -> Any:
    """A sound of the library that is a tone, ready to be played."""
    row = make("audio_prompts", name=name)
    file = f"{row.id}-{frequency:016x}.wav"
    intake.folder().mkdir(parents=True, exist_ok=True)
    tone(intake.folder() / file, frequency, seconds=seconds)
    row.file, row.state, row.source, row.seconds = file, READY, UPLOADED, seconds
    db.session.commit()
    return row


def make_user(login: str, **values: Any) -> Any:
    """A person whose password is PASSWORD."""
    return make("users", **{"name": login.title(), "login": login, "password": PASSWORD} | values)


def company(**values: Any) -> Any:
    """Change the company's row."""
    return change(TABLE["company"].get(SINGLE_ID), **values)


def sip(**values: Any) -> Any:
    """Change the SIP page."""
    return change(TABLE["sip"].get(SINGLE_ID), **values)


def make_call(started_at: datetime | None = None, *, from_: Any = "5548999991234", to: Any = "2001", reached: Any = None, state: str = ANSWERED,
              direction: str = INBOUND, wait: int = 10, talk: int = 60, over: bool = True, steps: bool = False, **values: Any) -> Call:
    """A conversation with its part of the roll-ups, committed. A party is a number or an extension's row (with its cost centre)."""
    started = started_at or ground.now() - timedelta(hours=1)
    talk = talk if state == ANSWERED else 0
    reached = to if reached is None else reached
    number, at = next(_linkedids), started + timedelta(seconds=wait)
    call = Call(**{
        "node": "bt", "linkedid": f"{started.timestamp():.0f}.{number}", "protocol": f"{started:%Y%m%d}-{number}", "state": state,
        "direction": direction, "started_at": started, "answered_at": at if state == ANSWERED else None,
        "ended_at": at + timedelta(seconds=talk) if over else None, "to_number": _number(to), "to_name": getattr(to, "name", ""), "trunk": "",
        "wait_seconds": wait, "ring_seconds": wait, "talk_seconds": talk, "hold_seconds": 0, "hang_up_side": CALLED, "cause": 16,
        **_party("from", from_), **_party("reached", reached),
    } | values)
    if steps:
        call.steps = [
            CallStep(position=place, kind=kind, at=when, ended_at=until, word="", row_id=None, name=name, number=number, result=result, detail={})
            for place, (kind, when, until, name, number, result) in enumerate([
                (ARRIVED, started, None, call.from_name, call.from_number, ""),
                (RING, started, at, call.reached_name, call.reached_number, state),
                *([(ANSWER, at, None, call.reached_name, call.reached_number, "")] if state == ANSWERED else []),
                (END, at + timedelta(seconds=talk), None, "", "", "")], 1)]
    db.session.add(call)
    totals.add(totals.contribution(call))
    db.session.commit()
    return call


def make_internal_call(from_: Any, to: Any, started_at: datetime | None = None, **values: Any) -> Call:
    """One extension calls another."""
    return make_call(started_at, from_=from_, to=to, direction=INTERNAL, **values)


def _number(party: Any) -> str:
    return party if isinstance(party, str) else party.number


def _party(side: str, party: Any) -> dict[str, Any]:
    """The columns of a party: of an extension also its row and cost centre, by today's names."""
    cost = "to" if side == "reached" else side
    if isinstance(party, str):
        return {f"{side}_number": party, f"{side}_name": "", f"{side}_extension_id": None, f"{cost}_cost_centre_id": None, f"{cost}_cost_centre": ""}
    centre = party.cost_centre
    return {f"{side}_number": party.number, f"{side}_name": party.name, f"{side}_extension_id": party.id,
            f"{cost}_cost_centre_id": party.cost_centre_id, f"{cost}_cost_centre": centre.name if centre else ""}
