"""What “About” says: version, what it was made of, the parts it stands on, the modules and how much of each is in use (SYS-10, SYS-12)."""

import platform
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from appliance import lanes, version
from appliance.calls.model import Call
from appliance.conference_rooms.model import ConferenceRoom
from appliance.database import facts
from appliance.db import db
from appliance.desk_phones.model import DeskPhone
from appliance.errors import Busy
from appliance.extensions.model import Extension
from appliance.ivrs.model import Ivr
from appliance.khomp_boards.model import KhompBoard
from appliance.modules import model as modules
from appliance.queues.model import Queue
from appliance.ratings.model import Rating
from appliance.recordings.model import Recording
from appliance.scheduled_conferences.model import ScheduledConference
from appliance.telephony import runtime
from appliance.trunks.model import Trunk
from appliance.users.model import User
from appliance.voicemail_boxes.model import VoicemailBox

LICENCE = "AGPL-3.0-or-later"
TABLES = {  # word of a quantity → what is counted
    "extensions": Extension, "trunks": Trunk, "users": User, "calls": Call, "recordings": Recording, "queues": Queue, "ivrs": Ivr, "ratings": Rating,
    "conference_rooms": ConferenceRoom, "scheduled_conferences": ScheduledConference, "voicemail_boxes": VoicemailBox, "desk_phones": DeskPhone,
    "boards": KhompBoard,
}
USED = {  # module → its quantities; "" is what is always there
    "": ("extensions", "trunks", "users", "calls", "recordings"), "call_centre": ("queues", "agents"), "ivr": ("ivrs",), "ratings": ("ratings",),
    "conferences": ("conference_rooms", "scheduled_conferences"), "voicemail": ("voicemail_boxes",), "provisioning": ("desk_phones",),
    "khomp": ("boards", "channels"),
}


@dataclass(frozen=True)
class Line:
    """One module: its word ("" for telephony itself), whether it is shown, and how many of what it has."""

    word: str
    is_on: bool
    counts: dict[str, int]


def lines() -> list[Line]:
    """Every module, also those that are switched off: their rows are still there."""
    row, found = modules.current(), quantities()
    return [Line(word, not word or bool(getattr(row, word)), {name: found[name] for name in names}) for word, names in USED.items()]


def quantities() -> dict[str, int]:
    """How many of each there are. An agent is an extension that is in one queue or more; channels are those of all boards."""
    found = {word: int(db.session.scalar(select(func.count()).select_from(table)) or 0) for word, table in TABLES.items()}
    found["agents"] = len({line["extension"] for members in db.session.scalars(select(Queue.members)) for line in members or ()})
    found["channels"] = int(db.session.scalar(select(func.sum(KhompBoard.channels))) or 0)
    return found


def parts() -> dict[str, str]:
    """What this exchange stands on, by name; what does not answer now is left out."""
    database = facts.facts()
    found = {"Asterisk": _asterisk(), "Python": platform.python_version(),
             {"postgresql": "PostgreSQL"}.get(database["kind"], "SQLite"): str(database["version"]), "Redis": _redis(),
             "Linux": platform.release(), "restic": _said("restic", "version")}
    return {name: text for name, text in found.items() if text}


def _asterisk() -> str:
    try:
        return runtime.version()
    except Busy:
        return ""


def _redis() -> str:
    try:
        with lanes.needs_redis():
            return str(dict(lanes.connection().info("server"))["redis_version"])
    except Busy:
        return ""


def _said(program: str, *words: str) -> str:
    """The first number a program says of itself."""
    if shutil.which(program) is None:
        return ""
    said = subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=5).stdout
    return next((word for word in said.split() if word[:1].isdigit()), "")


def facts_of() -> dict[str, Any]:
    """The same for the API and the command line."""
    build = version.build()
    return {
        "version": version.number(), "commit": build.commit, "date": build.date, "serial": modules.current().serial, "licence": LICENCE, "parts": parts(),
        "modules": [{"module": line.word or "telephony", "on": line.is_on, "counts": line.counts} for line in lines()],
    }
