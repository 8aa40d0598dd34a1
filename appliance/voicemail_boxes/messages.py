"""The messages of a mailbox, as they lie in Asterisk's spool: msg0000.txt beside msg0000.wav. Asterisk itself moves and removes them,
so that telephone, lamp and page always agree."""

import configparser
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from appliance import db as ground
from appliance import lanes, settings
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.lanes import LANES
from appliance.telephony import ami
from appliance.voicemail_boxes.model import VoicemailBox, VoicemailMessage

CONTEXT, NEW, OLD = "bentevi", "INBOX", "Old"
# Where the menu of the telephone may have put a message, in Asterisk's words, and how people call it. “Urgent” is new as well.
FOLDERS = {NEW: "", "Urgent": _l("Urgent"), OLD: "", "Work": _l("Work"), "Family": _l("Family"), "Friends": _l("Friends"),
           "Cust1": "5", "Cust2": "6", "Cust3": "7", "Cust4": "8", "Cust5": "9"}
UNHEARD = (NEW, "Urgent")
# Whoever began an e-mail has ended with it, or was killed, after the longest a job of its lane may take.
CLAIM = timedelta(seconds=LANES["default"] + 60)
MESSAGE_ID = re.compile(r"[0-9a-f-]{1,80}")


@dataclass(frozen=True)
class Message:
    """One message. `folder` is where it lies, a key of FOLDERS; `sound` is its file."""

    id: str
    at: datetime
    caller: str
    seconds: int
    folder: str
    sound: Path

    @property
    def is_new(self) -> bool:
        return self.folder in UNHEARD

    @property
    def kept_in(self) -> str:
        """The folder somebody chose for it; "" for the two that messages are in by themselves."""
        return str(FOLDERS[self.folder])


def _place(box: VoicemailBox) -> Path:
    return settings.load().asterisk / "spool" / "voicemail" / CONTEXT / str(box.extension_id)


def recorded(box: VoicemailBox) -> set[str]:
    """The greetings its person recorded at the telephone: unavail, busy, temp, greet (the name)."""
    return {file.stem for file in _place(box).glob("*.wav")}


def of_box(box: VoicemailBox) -> list[Message]:
    """All messages, newest first."""
    place = _place(box)
    found = [_read(file, folder) for folder in FOLDERS for file in sorted((place / folder).glob("msg*.txt"))]
    return sorted((one for one in found if one), key=lambda one: one.at, reverse=True)


def _read(file: Path, folder: str) -> Message | None:
    """None for a message that is just being written or moved."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(file.read_text(errors="replace"))
        said = parser["message"]
        sound, number = file.with_suffix(".wav"), re.search(r"<(.*)>|([0-9+*#]+)", said.get("callerid", ""))
        if not MESSAGE_ID.fullmatch(said["msg_id"]) or not sound.exists():
            return None
        caller = next((part for part in number.groups() if part), "") if number else ""
        return Message(said["msg_id"], datetime.fromtimestamp(int(said["origtime"]), UTC), caller[:40], int(said.get("duration", "0")), folder, sound)
    except (OSError, configparser.Error, KeyError, ValueError):
        return None


def find(box: VoicemailBox, message_id: str) -> Message | None:
    """The message with this name."""
    return next((one for one in of_box(box) if one.id == message_id), None)


def heard(box: VoicemailBox, message: Message) -> None:
    """It was listened to: the lamp of the phone goes out with the last new one. Raises Busy, Refused."""
    if message.is_new:
        _order({"Action": "VoicemailMove", "ToFolder": OLD}, box, message)


def remove(box: VoicemailBox, message: Message) -> None:
    """Gone from the page and from the telephone's menu. Raises Busy, Refused."""
    _order({"Action": "VoicemailRemove"}, box, message)


def _order(action: dict[str, str], box: VoicemailBox, message: Message) -> None:
    with ami.actions(settings.load()) as connection:
        answer = connection.ask(action | {"Context": CONTEXT, "Mailbox": str(box.extension_id), "Folder": message.folder, "ID": message.id})
    if not answer.succeeded:
        raise Refused(_("Asterisk did not take it: %(why)s", why=answer.headers.get("Message", "")))


def look(box: VoicemailBox) -> int:
    """Note new messages of a box, and ask for an e-mail about each; how many. What was noted is never announced again."""
    there = {one.id for one in of_box(box) if one.is_new}
    known = set(db.session.scalars(select(VoicemailMessage.message_id).where(VoicemailMessage.message_id.in_(there)))) if there else set()
    for message_id in sorted(there - known):
        row = VoicemailMessage(extension_id=box.extension_id, message_id=message_id, seen_at=ground.now())
        db.session.add(row)
        db.session.flush()
        if box.email:
            lanes.put("default", "jobs.voicemail_boxes.announce", row.id)
    return len(there - known)


def ask_again() -> int:
    """Ask once more for the e-mails whose worker was killed while it wrote them; how many."""
    left = select(VoicemailMessage.id).where(VoicemailMessage.mailed_at.is_(None), VoicemailMessage.claimed_at < ground.now() - CLAIM)
    found = list(db.session.scalars(left))
    for row_id in found:
        lanes.put("default", "jobs.voicemail_boxes.announce", row_id)
    return len(found)


def look_everywhere() -> int:
    """All boxes: finds what was left while nobody could be told. May run at any time."""
    return sum(look(box) for box in db.session.scalars(select(VoicemailBox).order_by(VoicemailBox.id)))


__all__ = ["CLAIM", "Busy", "Message", "ask_again", "find", "heard", "look", "look_everywhere", "of_box", "recorded", "remove"]
