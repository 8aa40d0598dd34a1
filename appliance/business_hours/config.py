"""Business hours → when they are open, what a closed call meets, and the doors of queues and IVRs, where events come first (HRS-08)."""

from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from appliance.business_hours.model import DOORS, BusinessHours
from appliance.calendar_events.model import CalendarEvent
from appliance.db import db
from appliance.destinations import after_message
from appliance.hours import weekly_slots
from appliance.resource import TABLE
from appliance.telephony.render import render


def extensions_conf(prefix: str, zone: str) -> str:
    """The doors, and every record in order of id. `zone` is the company's, in which all hours are meant."""
    rows = db.session.scalars(select(BusinessHours).order_by(BusinessHours.id))
    shown = [SimpleNamespace(word="business_hours", id=row.id, slots=weekly_slots(row.periods), **after_message(row.closed_prompt_id, row.closed_destination))
             for row in rows]
    events = sorted(db.session.scalars(select(CalendarEvent)), key=_shortest)
    doors = {word: [_door(word, row_id, hours_id, events) for row_id, hours_id in _with_hours(word)] for word in DOORS}
    return render("business_hours.extensions.conf.j2", doors=doors, hours=shown, zone=zone, prefix=prefix)


def _shortest(event: CalendarEvent) -> tuple[Any, ...]:
    """Of two events at the same time the shorter one counts: Christmas inside the collective holidays."""
    begins, ends = event.period
    return ends - begins, event.start, event.id


def _with_hours(word: str) -> list[tuple[int, int | None]]:
    model = TABLE[word].model
    return [(row_id, hours_id) for row_id, hours_id in db.session.execute(select(model.id, model.business_hours_id).order_by(model.id))]


def _door(word: str, row_id: int, hours_id: int | None, events: list[CalendarEvent]) -> SimpleNamespace:
    return SimpleNamespace(word=word, id=row_id, hours_id=hours_id, event_ids=[event.id for event in events if row_id in getattr(event, word)])
