"""Calendar events → whether one is on, and what a call meets then."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance.calendar_events.model import CalendarEvent
from appliance.db import db
from appliance.destinations import after_message
from appliance.hours import dated_slots
from appliance.telephony.render import render


def extensions_conf(prefix: str, zone: str) -> str:
    """Every event in order of id."""
    rows = db.session.scalars(select(CalendarEvent).order_by(CalendarEvent.id))
    shown = [SimpleNamespace(word="calendar_events", id=row.id, slots=dated_slots(*row.period, row.every_year),
                             **after_message(row.prompt_id, row.destination)) for row in rows]
    return render("calendar_events.extensions.conf.j2", events=shown, zone=zone, prefix=prefix)
