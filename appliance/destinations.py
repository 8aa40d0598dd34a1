"""A stored destination → what the template destination.j2 needs to send a call there."""

from typing import Any

from appliance.db import db
from appliance.extensions.model import Extension
from appliance.links import split


def facts(stored: str) -> dict[str, Any]:
    """{"kind", "id" or "number"} of a destination such as "extension:12"."""
    kind, target = split(stored)
    if kind == "extension":
        extension = db.session.get(Extension, int(target))  # one that is gone is named by the check, with the row that points at it
        return {"kind": kind, "number": extension.number if extension else f"gone-{target}"}
    if kind == "telephone":
        return {"kind": kind, "number": target}
    return {"kind": kind, "id": int(target)} if target else {"kind": kind}
