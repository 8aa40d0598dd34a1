"""A conversation in words and as data: what the page of a call, the API and `bentevi calls` show."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from appliance.calls.model import (
    ANSWER,
    ARRIVED,
    CLOSED,
    CONFERENCE,
    DESTINATION,
    DIVERTED,
    END,
    HOLD,
    IVR,
    PARK,
    PERSON,
    PICKUP,
    QUEUE,
    RATING,
    REFUSAL,
    RING,
    ROUTE,
    SIDES,
    TRANSFER,
    TRUNK,
    Call,
    CallStep,
)
from appliance.calls.words import cause, party
from appliance.numbers import pretty

# What became of a ring, an attempt by a trunk, a wait in a queue or in the park.
RESULTS = {
    "answered": _l("answered"), "busy": _l("busy"), "no_answer": _l("not answered"), "elsewhere": _l("answered elsewhere"),
    "unavailable": _l("not reachable"), "failed": _l("failed"), "abandoned": _l("gave up"), "timeout": _l("time was over"),
    "key": _l("left by a key"), "empty": _l("nobody attends"), "full": _l("full"), "unparked": _l("fetched"), "giveup": _l("gave up"),
    "swap": _l("transferred"), "skipped empty": _l("nobody is free"), "skipped full": _l("full"), "skipped closed": _l("closed"),
}  # fmt: skip
# The notes of asterisk/dialplan/refuse.conf and leave.conf.
REASONS = {
    "malformed number": _l("the number holds something that cannot be dialled"), "no dialing profile": _l("the extension has no dialing profile"),
    "no route": _l("no route leads there"), "no inbound route": _l("no inbound route takes this number"),
    "collect or premium number": _l("collect and premium numbers are closed"), "trunk disabled": _l("the trunk is disabled"),
    "channel without a trunk": _l("the Khomp channel belongs to no trunk"),
    "no profile for overflows": _l("no profile for overflows is chosen"), "daily limit of overflow calls": _l("the daily limit of overflow calls is reached"),
    "overflow abroad is closed": _l("overflows may not call abroad"), "more than 20 destinations": _l("it went through more than 20 destinations"),
    "trunk busy": _l("the called number is busy"), "trunk failure": _l("the trunk could not connect"), "trunk trunk_limit": _l("the trunk has no free line"),
    "trunk other": _l("the far side did not connect"), "outside the hours of its class": _l("the extension may not make calls at this time"),
    "outside the work shift": _l("the work shift of the extension's person is over"),
    "nothing rings": _l("nothing rings there"), "nothing parked": _l("nothing is parked there"),
    "feature not permitted": _l("the class of the extension does not permit it"), "extension locked": _l("the extension is locked"),
    "too many wrong passwords": _l("too many wrong passwords were typed before"), "mailbox full": _l("the mailbox is full"),
    "nobody for the parked call": _l("nobody was there for the parked call"),
    "wrong feature password": _l("the password was wrong three times"), "password could not be verified": _l("the password could not be checked"),
    "conference not open yet": _l("the conference was not open yet"), "conference is over": _l("the conference was over"),
}  # fmt: skip

# What came of a menu's question when no option was pressed.
MENU_ENDS = {
    "timeout": _l("In menu %(name)s nothing was pressed."), "invalid": _l("In menu %(name)s a key was pressed that is no option."),
    "attempts": _l("In menu %(name)s all attempts are used up."), "extension": _l("In menu %(name)s the extension %(number)s was dialled."),
}

Sentence = tuple[datetime, str]


def story(call: Call) -> list[Sentence]:
    """(instant, sentence) of every step in order, in the language of whoever reads."""
    found = [(step.at, sentence(step)) for step in call.steps]
    if call.is_cut and call.ended_at:
        found.append((call.ended_at, _("The exchange stopped in the middle; this is the last moment it was seen working.")))
    return found


def sentence(step: CallStep) -> str:
    """One step in words."""
    words = {
        "who": _who(step), "name": step.name or step.row_id or "", "number": pretty(step.number), "seconds": _seconds(step),
        "result": RESULTS.get(step.result, step.result), "called": pretty(str(step.detail.get("called", ""))), "reason": REASONS.get(step.result, step.result),
        "side": SIDES.get(step.result, step.result), "cause": cause(int(step.detail.get("cause", 0))),
        "door": step.detail.get("door_name") or step.detail.get("door_id", ""),
    }  # fmt: skip
    return str(_template(step) % words)


def _template(step: CallStep) -> str:
    """The sentence of a kind of step, for its values."""
    if step.kind == ARRIVED and not step.detail.get("called"):
        return _("%(who)s called.")
    if step.kind == END and not step.result:
        return _("Ended.")
    if step.kind == ARRIVED and step.word == "trunks":
        return _("%(number)s called %(called)s; the call came by trunk %(name)s.")
    if step.kind == ROUTE and step.word == "outbound_routes":
        return _("Outbound route %(name)s takes %(number)s.")
    if step.kind == ROUTE:
        return _("Route %(name)s takes it as %(number)s.")
    if step.kind == DESTINATION and step.word == "telephone":
        return _("It goes on to the telephone %(number)s.")
    if step.kind == QUEUE and step.result in ("empty", "full") and step.at == step.ended_at:
        return _("Queue %(name)s does not take it: %(result)s.")
    if step.kind == QUEUE and step.is_skipped:
        return _("Queue %(name)s, which could help, is skipped: %(result)s.")
    if step.kind == TRANSFER and step.result == "blind":
        return _("%(who)s transferred the call to %(number)s without asking there.")
    if step.kind == REFUSAL and step.word == "blacklists":
        return _("Refused by blacklist %(name)s: the number is withheld.") if step.result == "withheld" else _("Refused by blacklist %(name)s.")
    if step.kind == IVR:
        return str(MENU_ENDS.get(step.result) or _("In menu %(name)s the key %(result)s was pressed."))
    if step.kind == RATING and step.result == "none":
        return _("Asked for the rating %(name)s, the caller gave no score.")
    if step.kind == CLOSED:
        return _closed(step)
    if step.kind == END and step.detail.get("cause"):
        return _("Ended by: %(side)s, %(cause)s.")
    texts = {
        ARRIVED: _("%(who)s called %(called)s."),
        DESTINATION: _("It goes to %(who)s."),
        TRUNK: _("It leaves by trunk %(name)s with the digits %(number)s: %(result)s."),
        RING: _("%(who)s rings for %(seconds)s s: %(result)s."),
        ANSWER: _("%(who)s answers."),
        HOLD: _("%(who)s puts the other side on hold for %(seconds)s s."),
        TRANSFER: _("%(who)s transferred the call to %(number)s after asking there."),
        PICKUP: _("%(who)s picks the call up."),
        PARK: _("%(who)s parks the call for %(seconds)s s: %(result)s."),
        CONFERENCE: _("%(who)s is in the conference for %(seconds)s s."),
        QUEUE: _("It waits in queue %(name)s for %(seconds)s s: %(result)s."),
        RATING: _("The caller gave %(result)s in the rating %(name)s."),
        DIVERTED: _("Follow-me of %(name)s sends it on to %(number)s."),
        PERSON: _("%(name)s gives the feature password."),
        REFUSAL: _("It is not connected: %(reason)s."),
        END: _("Ended by: %(side)s."),
    }
    return texts[step.kind]


def _closed(step: CallStep) -> str:
    if step.word == "calendar_events":
        return _("Queue %(door)s is closed: event %(name)s.") if step.detail.get("door") == "queues" else _("IVR %(door)s is closed: event %(name)s.")
    return _("Queue %(door)s: outside the hours (%(name)s).") if step.detail.get("door") == "queues" else _("IVR %(door)s: outside the hours (%(name)s).")


def _who(step: CallStep) -> str:
    """Who did it. A transfer's number is where it went; whoever transferred stands in its detail."""
    number = str(step.detail.get("by", "")) if step.kind == TRANSFER else step.number
    if step.word == "trunks":  # its name is the trunk's, not the party's
        return pretty(number) or step.name
    return party(step.name, number)


def _seconds(step: CallStep) -> int:
    return int((step.ended_at - step.at).total_seconds() + 0.5) if step.ended_at else 0


def facts(call: Call) -> dict[str, Any]:
    """Everything about a conversation, for JSON. Instants are ISO 8601 in UTC; numbers as rows hold them."""
    columns = ("id", "protocol", "direction", "state", "wait_seconds", "ring_seconds", "talk_seconds", "hold_seconds", "trunk", "hang_up_side",
               "cause", "is_cut", "recording_count", "from_name", "from_extension_id", "from_cost_centre", "to_name", "reached_number",
               "reached_name", "reached_extension_id", "to_cost_centre", "node", "linkedid")  # fmt: skip
    found: dict[str, Any] = {name: getattr(call, name) for name in columns}
    instants = {name: _iso(getattr(call, name)) for name in ("started_at", "answered_at", "ended_at")}
    steps = [{"kind": step.kind, "at": _iso(step.at), "ended_at": _iso(step.ended_at), "word": step.word, "row_id": step.row_id,
              "name": step.name, "number": step.number, "result": step.result, "detail": step.detail} for step in call.steps]  # fmt: skip
    return found | instants | {"from": call.from_number, "to": call.to_number, "answered": call.answered_at is not None, "steps": steps}


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None
