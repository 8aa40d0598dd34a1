"""Mailboxes → voicemail.conf, and where a call that leaves a message goes."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance.audio_prompts.files import playable
from appliance.db import db
from appliance.telephony.render import render
from appliance.voicemail_boxes.model import VoicemailBox


def _boxes() -> list[SimpleNamespace]:
    found = []
    for box in db.session.scalars(select(VoicemailBox).order_by(VoicemailBox.number)):
        found.append(SimpleNamespace(
            word="voicemail_boxes", id=box.id, mailbox=box.extension_id, number=box.number,
            sound=playable(box.prompt_id) or "bentevi/voicemail-leave", max_messages=box.max_messages, max_seconds=box.max_seconds,
        ))
    return found


def voicemail_conf(zone: str) -> str:
    """Every mailbox; its password is asked by us, so none stands here. `zone` is the company's: dates are spoken by it."""
    return render("voicemail_boxes.voicemail.conf.j2", boxes=_boxes(), zone=zone)


def extensions_conf() -> str:
    """Where callers leave messages."""
    return render("voicemail_boxes.extensions.conf.j2", boxes=_boxes())
