"""The page “About”: version, serial number, licence in plain words, parts, and modules with how much of each is in use (SYS-10, SYS-12 to SYS-14)."""

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel

from appliance import about, version
from appliance.modules import model as modules
from web.api import Problem, described
from web.login import current_user, needs

pages = Blueprint("about", __name__)

QUANTITIES = {
    "extensions": _l("extensions"), "trunks": _l("trunks"), "users": _l("people"), "calls": _l("calls"), "recordings": _l("recordings"),
    "queues": _l("queues"), "agents": _l("agents"), "ivrs": _l("IVRs"), "ratings": _l("ratings"), "conference_rooms": _l("rooms"),
    "scheduled_conferences": _l("scheduled conferences"), "voicemail_boxes": _l("mailboxes"), "desk_phones": _l("desk phones"),
    "boards": _l("boards"), "channels": _l("channels"),
}
LABELS = {"": _l("Telephony")} | {word: module.label for word, module in modules.MODULES.items()}


class ModuleOut(BaseModel):
    """A module, whether its menus are shown, and how many of what it has."""

    module: str
    on: bool
    counts: dict[str, int]


class AboutOut(BaseModel):
    """What this exchange is."""

    version: str
    commit: str
    date: str
    serial: str
    licence: str
    parts: dict[str, str]
    modules: list[ModuleOut]


@pages.get("/about")
@needs("about")
def show() -> ResponseReturnValue:
    """The page."""
    return render_template("about.html", build=version.build(), serial=modules.current().serial, licence=about.LICENCE, parts=about.parts(), lines=about.lines(),
                           labels=LABELS, quantities=QUANTITIES, may_change=current_user().may_write(modules.resource))


pages.add_url_rule("/api/v1/about", "api", needs("about")(described(
    lambda: jsonify(about.facts_of()), "about_show", "about", None, ("HTTP_200", AboutOut), ("HTTP_401", Problem), ("HTTP_403", Problem),
    doc="Version, serial number, parts, and modules with how much of each is in use.",
)))
