"""The start page: what the exchange is made of and what to do next."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import func, select

from appliance import clock, settings
from appliance import resource as resources
from appliance.db import db
from appliance.inbound_routes.model import InboundRoute
from appliance.outbound_routes.model import OutboundRoute
from appliance.revisions.model import last_attempt, newest
from appliance.telephony import runtime
from appliance.trunks.model import Trunk
from web.login import current_user, needs

pages = Blueprint("now", __name__)
FIRST_STEPS = ("extensions", "trunks", "outbound_routes", "dialing_profiles", "inbound_routes")


@pages.get("/")
@needs("")
def show() -> ResponseReturnValue:
    """Counts, first steps that are still open, and the state of the exchange."""
    user = current_user()
    counts = [
        (resource, db.session.scalar(select(func.count()).select_from(resource.model)) or 0)
        for resource in resources.TABLE.values() if not resource.single and user.may(resource.permission or resource.word)
    ]
    steps = [(resource, count > 0) for resource, count in counts if resource.word in FIRST_STEPS]
    steps.sort(key=lambda step: FIRST_STEPS.index(step[0].word))
    return render_template("now.html", counts=counts, steps=steps, revision=newest(), attempt=last_attempt(),
                           running=is_running(), clock_is_right=clock.is_synchronised())


def is_running() -> bool:
    """Whether Asterisk answers."""
    return runtime.is_running(runtime.control(settings.load()))


def inactive(resource: resources.Resource, row: object) -> str:
    """Why a row has no effect now: "" when it has. Routes of a disabled trunk rest (TRK-03), so do routes without rules."""
    if isinstance(row, Trunk):
        return "" if row.enabled else _("disabled")
    if isinstance(row, OutboundRoute):
        rules = [rule for _position, rule in row.enabled_rules()]
        used = {step["trunk"] for rule in rules for step in [rule, *(rule["overflow"] or ())]}
        return _("inactive: no rule") if not rules else _resting(used)
    if isinstance(row, InboundRoute):
        return _resting(set(row.trunks))
    return ""


def _resting(trunk_ids: set[int]) -> str:
    enabled = db.session.scalar(select(func.count()).where(Trunk.id.in_(trunk_ids), Trunk.enabled))
    return "" if enabled else _("inactive: its trunks are disabled")
