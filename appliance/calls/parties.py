"""Names and cost centres of a conversation: those of the time it was first stored, and never asked for again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from appliance.announcements.model import Announcement
from appliance.blacklists.model import Blacklist
from appliance.business_hours.model import BusinessHours
from appliance.calendar_events.model import CalendarEvent
from appliance.calls.model import CLOSED, Call, CallStep
from appliance.calls.record import Here
from appliance.company.model import Company
from appliance.conference_rooms.model import ConferenceRoom
from appliance.cost_centres.model import CostCentre
from appliance.db import db
from appliance.extensions.model import Extension
from appliance.inbound_routes.model import InboundRoute
from appliance.internal_routes.model import InternalRoute
from appliance.ivrs.model import Ivr
from appliance.outbound_routes.model import OutboundRoute
from appliance.queues.model import Queue
from appliance.ratings.model import Rating
from appliance.resource import SINGLE_ID
from appliance.scheduled_conferences.model import ScheduledConference
from appliance.time_conditions.model import TimeCondition
from appliance.trunks.model import Trunk
from appliance.users.model import User
from appliance.voicemail_boxes.model import VoicemailBox

MODELS: dict[str, Any] = {
    "trunks": Trunk, "inbound_routes": InboundRoute, "internal_routes": InternalRoute, "outbound_routes": OutboundRoute, "blacklists": Blacklist,
    "queues": Queue, "ivrs": Ivr, "announcements": Announcement, "ratings": Rating, "business_hours": BusinessHours,
    "calendar_events": CalendarEvent, "time_conditions": TimeCondition,
    "users": User, "conference_rooms": ConferenceRoom,
}
NAMED_OTHERWISE: list[tuple[str, Any, Any]] = [  # rows that bear no name of their own
    ("voicemail_boxes", VoicemailBox, VoicemailBox.number), ("scheduled_conferences", ScheduledConference, ScheduledConference.subject),
]
Key = tuple[str, int]


@dataclass(frozen=True)
class Party:
    """What a row is called now."""

    name: str = ""
    number: str = ""
    cost_centre_id: int | None = None
    cost_centre: str = ""


NOBODY = Party()


def here() -> Here:
    """Country, area and zone of the company."""
    row = db.session.get(Company, SINGLE_ID)
    return Here(row.country_code, row.area_code, row.timezone) if row else Here()


def named_rows(steps: Iterable[CallStep]) -> set[Key]:
    """The rows these steps speak of."""
    found = list(steps)
    return {(step.word, step.row_id) for step in found if step.row_id is not None} | {door_of(step) for step in found if step.kind == CLOSED}


def door_of(step: CallStep) -> Key:
    """The queue or IVR whose door was closed."""
    return str(step.detail["door"]), int(step.detail["door_id"])


def look_up(keys: set[Key]) -> dict[Key, Party]:
    """What these rows are called now; a row that is gone has no name."""
    found: dict[Key, Party] = {}
    for word, model in MODELS.items():
        ids = [row_id for one, row_id in keys if one == word]
        if ids:
            rows = db.session.execute(select(model.id, model.name).where(model.id.in_(ids)))
            found |= {(word, row.id): Party(row.name) for row in rows}
    for word, model, column in NAMED_OTHERWISE:
        ids = [row_id for one, row_id in keys if one == word]
        if ids:
            named = db.session.execute(select(model.id, column.label("name")).where(model.id.in_(ids)))
            found |= {(word, row.id): Party(row.name) for row in named}
    ids = [row_id for word, row_id in keys if word == "extensions"]
    if ids:
        query = select(Extension.id, Extension.name, Extension.number, Extension.cost_centre_id, CostCentre.name.label("centre"))
        query = query.outerjoin(CostCentre, CostCentre.id == Extension.cost_centre_id).where(Extension.id.in_(ids))
        for row in db.session.execute(query):
            found["extensions", row.id] = Party(row.name, row.number, row.cost_centre_id, row.centre or "")
    return found


def remembered(call: Call) -> dict[Key, Party]:
    """The names a stored conversation holds already."""
    found = {(step.word, step.row_id): Party(step.name, step.number if step.word == "extensions" else "")
             for step in call.steps if step.row_id is not None and step.name}  # fmt: skip
    found |= {door_of(step): Party(str(step.detail.get("door_name", ""))) for step in call.steps if step.kind == CLOSED and step.detail.get("door_name")}
    if call.from_extension_id:
        found["extensions", call.from_extension_id] = Party(call.from_name, call.from_number, call.from_cost_centre_id, call.from_cost_centre)
    if call.reached_extension_id:
        found["extensions", call.reached_extension_id] = Party(
            call.reached_name, call.reached_number, call.to_cost_centre_id, call.to_cost_centre)
    if call.trunk_id:
        found["trunks", call.trunk_id] = Party(call.trunk)
    return found


def put_names(call: Call, known: dict[Key, Party]) -> None:
    """Names into a conversation that was just built."""
    for step in call.steps:
        party = known.get((step.word, step.row_id or 0), NOBODY)
        step.name = (party.name or step.name)[:80]
        step.number = step.number or party.number
        if step.kind == CLOSED:
            step.detail = step.detail | {"door_name": known.get(door_of(step), NOBODY).name[:80]}
    if call.from_extension_id:
        party = known.get(("extensions", call.from_extension_id), NOBODY)
        call.from_name = party.name or call.from_name
        call.from_cost_centre_id, call.from_cost_centre = party.cost_centre_id, party.cost_centre
    if call.reached_extension_id:
        party = known.get(("extensions", call.reached_extension_id), NOBODY)
        call.reached_name, call.to_cost_centre_id, call.to_cost_centre = party.name, party.cost_centre_id, party.cost_centre
    call.trunk = known.get(("trunks", call.trunk_id or 0), NOBODY).name
    call.to_name = call.to_name or next(
        (step.name for step in call.steps if step.word == "extensions" and step.name and step.number == call.to_number), "")
