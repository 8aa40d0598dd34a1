"""A stored destination → what the template destination.j2 needs to send a call there."""

from typing import Any

from appliance.audio_prompts.files import playable
from appliance.db import db
from appliance.extensions.model import Extension
from appliance.links import HANGUP, split


def facts(stored: str) -> dict[str, Any]:
    """{"kind", "id" or "number"} of a destination such as "extension:12"."""
    kind, target = split(stored)
    if kind == "extension":
        extension = db.session.get(Extension, int(target))  # one that is gone is named by the check, with the row that points at it
        return {"kind": kind, "number": extension.number if extension else f"gone-{target}"}
    if kind == "telephone":
        return {"kind": kind, "number": target}
    return {"kind": kind, "id": int(target)} if target else {"kind": kind}


def after_message(prompt_id: int | None, destination: str | None) -> dict[str, Any]:
    """What a call meets where it is not let in: {"sound", "destination"}; nothing chosen is silence, and the end."""
    return {"sound": playable(prompt_id), "destination": facts(destination or f"{HANGUP}:")}
