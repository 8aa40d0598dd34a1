"""Which queues and IVRs keep to hours, chosen on the form of the hours; kept where it belongs, on the queue and the IVR (HRS-04)."""

from typing import Any

from flask import Blueprint, abort, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from appliance import applying
from appliance.business_hours.model import DOORS, BusinessHours
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from web import crud
from web.login import current_user, needs

pages = Blueprint("doors", __name__)


@pages.post("/business_hours/<int:hours_id>/doors")
@needs("business_hours")
def choose(hours_id: int) -> ResponseReturnValue:
    """Exactly the ticked ones keep to these hours from now on."""
    hours = db.session.get(BusinessHours, hours_id) or abort(404)
    wanted = {word: {int(text) for text in request.form.getlist(word) if text.isascii() and text.isdigit()} for word in DOORS}
    name, changed = hours.name, 0
    try:
        for word in DOORS:
            changed += _choose(word, hours_id, name, wanted[word])
        hours.check()
        attempt = applying.ask_if_wanted() if changed else None
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
        return redirect(f"/business_hours/{hours_id}#doors")
    crud.relay()
    if changed:
        session["saved"] = _("Saved.") if attempt else _("Saved, to be applied.")
    return redirect(f"/apply/{attempt.id}" if attempt else f"/business_hours/{hours_id}#doors")


def _choose(word: str, hours_id: int, name: str, wanted: set[int]) -> int:
    """How many rows changed. 403 when the person may not change them."""
    resource, changed = TABLE[word], 0
    for row in list(db.session.scalars(select(resource.model).order_by(resource.model.id))):
        if (row.id in wanted) != (row.business_hours_id == hours_id):
            if not current_user().may_write(resource):
                abort(403)
            changed += resource.update(row, {"business_hours": name if row.id in wanted else None})
    return changed


def below(hours: BusinessHours) -> list[tuple[str, Any, list[Any], bool]]:
    """(word, label, rows by name, whether this person may change them) of queues and IVRs."""
    found = []
    for word in DOORS:
        model = TABLE[word].model
        rows = list(db.session.scalars(select(model).order_by(model.name)))
        found.append((word, TABLE[word].label, rows, crud.may_write(TABLE[word])))
    return found
