"""The start page: what happens now, what the exchange is made of, what to do next; ending a call."""

import logging
from typing import Any

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy import func, select

from appliance import clock, live
from appliance import resource as resources
from appliance.audio_prompts.model import STATES as AUDIO_STATES
from appliance.audio_prompts.model import AudioPrompt
from appliance.blacklists.model import Blacklist
from appliance.calls import hangup
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.inbound_routes.model import InboundRoute
from appliance.outbound_routes.model import OutboundRoute
from appliance.revisions.model import last_attempt, newest
from appliance.trunks.model import Trunk
from web import panel
from web.backups import routes as backups
from web.login import current_user, needs

log = logging.getLogger("bentevi.web")

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
    sees_now = user.may("now")
    return render_template("now.html", counts=counts, steps=steps, revision=newest(), attempt=last_attempt(),
                           backups=backups.on_the_start_page() if user.may("backups") else {}, sees_now=sees_now, parts=parts() if sees_now else {}, clock_is_right=clock.is_synchronised())


def parts() -> dict[str, Any]:
    """The first state of the page's parts, by the same templates as every change: element → HTML."""
    return _drawn([channel for channel in panel.CHANNELS if "now" in panel.CHANNELS[channel]])


def live_parts(channel: str) -> dict[str, Any]:
    """The same of one channel, for the page of a resource that shows it."""
    return _drawn([channel])


def _drawn(channels: list[str]) -> dict[str, Any]:
    picture, known = live.now(), panel.names()
    found: dict[str, Any] = {name: Markup() for name in panel.LISTS}
    for channel in channels:
        for item in panel.items(channel, picture, known):
            text = Markup(panel.render(current_app.jinja_env, item))  # rendered by our templates, with their escaping
            found[item.into or item.id] = found.get(item.into or item.id, Markup()) + text
    return found


def exchange_state() -> Any:
    """The dot in the head of every page."""
    item = panel.exchange(live.now(), panel.Names())[0]
    return Markup(panel.render(current_app.jinja_env, item))


@pages.post("/now/calls/<call_id>/hangup")
@needs("now")
def end_call(call_id: str) -> ResponseReturnValue:
    """End a call in progress. Says so when it was over already."""
    try:
        hangup.hang_up(call_id)
        db.session.commit()
    except (Refused, Busy) as why:
        db.session.rollback()
        return render_template("now/_told.html", text=str(why), is_good=False)
    log.info("calls %s: ended by %s from %s", call_id, current_user().login, request.remote_addr)
    return render_template("now/_told.html", text=_("The call was ended."), is_good=True)


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
    if isinstance(row, Blacklist):
        return _("no number yet") if row.is_empty() and not row.block_withheld else ""
    if isinstance(row, AudioPrompt):
        return "" if row.file else str(AUDIO_STATES[row.state])
    return ""


def _resting(trunk_ids: set[int]) -> str:
    enabled = db.session.scalar(select(func.count()).where(Trunk.id.in_(trunk_ids), Trunk.enabled))
    return "" if enabled else _("inactive: its trunks are disabled")
