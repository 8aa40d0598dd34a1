"""Work shifts → the extensions whose people all have one, and when each may make calls (HRS-18)."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance.db import db
from appliance.hours import weekly_slots
from appliance.telephony.render import render
from appliance.users.model import User
from appliance.work_shifts.model import WorkShift


def extensions_conf(zone: str) -> str:
    """Every such extension in order of id. A telephone that people of two shifts share calls in both; one that somebody without a
    shift uses too, always."""
    shifts = {row.id: row for row in db.session.scalars(select(WorkShift))}
    people: dict[int, set[int | None]] = {}
    query = select(User.extension_id, User.work_shift_id).where(User.extension_id.is_not(None), User.active)
    for extension_id, shift_id in db.session.execute(query):
        people.setdefault(int(extension_id or 0), set()).add(shift_id)
    shown = [
        SimpleNamespace(word="extensions", id=extension_id, slots=[
            slot for shift_id in sorted(bound for bound in ids if bound)
            for slot in weekly_slots(shifts[shift_id].periods, shifts[shift_id].tolerance_minutes)])
        for extension_id, ids in sorted(people.items()) if None not in ids
    ]
    return render("work_shifts.extensions.conf.j2", extensions=shown, zone=zone)
