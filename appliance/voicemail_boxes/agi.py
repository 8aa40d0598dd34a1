"""What the dialplan asks about a mailbox: which recorded greeting there is, and that a message was left."""

from appliance import db as ground
from appliance.db import db
from appliance.telephony.agi import Asked, Variables
from appliance.voicemail_boxes import messages
from appliance.voicemail_boxes.model import VoicemailBox

# Option of VoiceMail() → the recordings of the person it plays, the first that there is.
GREETINGS = {"u": ("temp", "unavail"), "b": ("temp", "busy")}


def greeting(asked: Asked) -> Variables:
    """(row id of the mailbox, “busy” or ""): BENTEVI_GREETING is u or b when the person recorded a greeting that fits, else ""."""
    ground.read_only()  # whoever writes meanwhile keeps nobody waiting
    box = db.session.get(VoicemailBox, int(asked.arguments[0]))
    there = messages.recorded(box) if box else set()
    for option in ("b", "u") if asked.arguments[1] == "busy" else ("u",):
        if there & set(GREETINGS[option]):
            return {"BENTEVI_GREETING": option}
    return {"BENTEVI_GREETING": ""}


def left(asked: Asked) -> Variables:
    """(row id of the mailbox): note the message, so that it is announced by e-mail at once."""
    box = db.session.get(VoicemailBox, int(asked.arguments[0]))
    if box is not None:
        messages.look(box)
    return {}
