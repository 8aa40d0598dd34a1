"""Blacklists → what a refused call hears. Their numbers are in no file: 100,000 lines of dialplan take 25 s to load."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance.audio_prompts.files import playable
from appliance.blacklists.model import Blacklist
from appliance.db import db
from appliance.telephony.render import render

OUTBOUND_SOUND = "bentevi/number-refused"  # ours, when the list names none


def extensions_conf() -> str:
    """Every list in order of id."""
    shown = [
        SimpleNamespace(word="blacklists", id=row.id, inbound_sound=playable(row.inbound_prompt_id),
                        outbound_sound=playable(row.outbound_prompt_id) or OUTBOUND_SOUND)
        for row in db.session.scalars(select(Blacklist).order_by(Blacklist.id))
    ]
    return render("blacklists.extensions.conf.j2", blacklists=shown)
