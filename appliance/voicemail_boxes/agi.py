"""A message was left: note it, so that it is announced by e-mail at once."""

from appliance.db import db
from appliance.telephony.agi import Asked, Variables
from appliance.voicemail_boxes import messages
from appliance.voicemail_boxes.model import VoicemailBox


def left(asked: Asked) -> Variables:
    """(row id of the mailbox)."""
    box = db.session.get(VoicemailBox, int(asked.arguments[0]))
    if box is not None:
        messages.look(box)
    return {}
