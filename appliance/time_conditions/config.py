"""Time conditions → a context each, with two ways out."""

from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from appliance.db import db
from appliance.destinations import facts
from appliance.hours import WEEKDAYS, Slot, weekly_slots
from appliance.telephony.render import render
from appliance.time_conditions.model import TimeCondition


def extensions_conf(prefix: str, zone: str) -> str:
    """Every condition in order of id."""
    rows = db.session.scalars(select(TimeCondition).order_by(TimeCondition.id))
    shown = [SimpleNamespace(word="time_conditions", id=row.id, slots=[slot for line in row.periods for slot in slots(line)],
                             inside=facts(row.inside_destination), outside=facts(row.outside_destination)) for row in rows]
    return render("time_conditions.extensions.conf.j2", conditions=shown, zone=zone, prefix=prefix)


def slots(line: dict[str, Any]) -> list[Slot]:
    """A line as GotoIfTime is asked it."""
    weekdays = line["weekdays"] or list(WEEKDAYS)
    monthdays = "*" if line["first_day"] is None else f"{line['first_day']}-{line['last_day']}"
    return [Slot(slot.times, slot.weekdays, monthdays, "&".join(line["months"]) or "*") for slot in weekly_slots([line | {"weekdays": weekdays}])]
