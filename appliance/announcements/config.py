"""Announcements → contexts of the dialplan."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance.announcements.model import Announcement
from appliance.audio_prompts.files import playable
from appliance.db import db
from appliance.destinations import facts
from appliance.telephony.render import render


def extensions_conf() -> str:
    """Every one in order of id."""
    return render("announcements.extensions.conf.j2", announcements=[
        SimpleNamespace(word="announcements", id=row.id, sounds=[sound for prompt in row.prompts if (sound := playable(prompt))],
                        destination=facts(row.destination))
        for row in db.session.scalars(select(Announcement).order_by(Announcement.id))
    ])
