"""The page “About”: version, serial number, licence in plain words, parts, and modules with how much of each is in use (SYS-10, SYS-12 to SYS-14)."""

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel import npgettext
from pydantic import BaseModel

from appliance import about, version
from appliance.modules import model as modules
from web.api import Problem, described
from web.login import current_user, needs

pages = Blueprint("about", __name__)
LABELS = {"": _l("Telephony")} | {word: module.label for word, module in modules.MODULES.items()}


def in_words(word: str, count: int) -> str:
    """What is counted, as it is called for so many."""
    names = {
        "extensions": npgettext("count", "extension", "extensions", count), "trunks": npgettext("count", "trunk", "trunks", count), "users": npgettext("count", "person", "people", count),
        "calls": npgettext("count", "call", "calls", count), "recordings": npgettext("count", "recording", "recordings", count), "queues": npgettext("count", "queue", "queues", count),
        "agents": npgettext("count", "agent", "agents", count), "ivrs": npgettext("count", "IVR", "IVRs", count), "ratings": npgettext("count", "rating", "ratings", count),
        "conference_rooms": npgettext("count", "room", "rooms", count), "voicemail_boxes": npgettext("count", "mailbox", "mailboxes", count),
        "scheduled_conferences": npgettext("count", "scheduled conference", "scheduled conferences", count), "desk_phones": npgettext("count", "desk phone", "desk phones", count),
        "boards": npgettext("count", "board", "boards", count), "channels": npgettext("count", "channel", "channels", count),
    }
    return str(names[word])


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
                           labels=LABELS, in_words=in_words, may_change=current_user().may_write(modules.resource))


pages.add_url_rule("/api/v1/about", "api", needs("about")(described(
    lambda: jsonify(about.facts_of()), "about_show", "about", None, ("HTTP_200", AboutOut), ("HTTP_401", Problem), ("HTTP_403", Problem),
    doc="Version, serial number, parts, and modules with how much of each is in use.",
)))
