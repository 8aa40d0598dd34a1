"""Classes of extensions → the hours in which their extensions may make calls (EXT-25)."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance.db import db
from appliance.extension_classes.model import ExtensionClass
from appliance.hours import weekly_slots
from appliance.telephony.render import render


def extensions_conf(zone: str) -> str:
    """Every class that has a window, in order of id."""
    rows = db.session.scalars(select(ExtensionClass).order_by(ExtensionClass.id))
    shown = [SimpleNamespace(word="extension_classes", id=row.id, slots=weekly_slots(row.call_time_window)) for row in rows if row.call_time_window]
    return render("extension_classes.extensions.conf.j2", classes=shown, zone=zone)
