"""What the codes for follow-me and lock ask: the row is changed here, and the dialplan is told what to keep in Asterisk's copy."""

from collections.abc import Mapping

from appliance import changes
from appliance.db import db
from appliance.errors import Refused
from appliance.extensions.model import Extension
from appliance.follow_me.model import ALWAYS, ANY, OFF, FollowMe, of_extension, resource
from appliance.telephony.agi import Asked, Variables


def set_always(asked: Asked) -> Variables:
    """(extension id, number or ""): every call goes there, or rings here again, whatever the situation."""
    extension_id, number = int(asked.arguments[0]), asked.arguments[1]
    values: dict[str, object] = {"always_from": ANY, "always_to": number} if number else {name: OFF for name in ("always_from", "busy_from", "unavailable_from")}
    return _store(extension_id, values)


def set_lock(asked: Asked) -> Variables:
    """(extension id, “yes” or ""): locked or not."""
    return _store(int(asked.arguments[0]), {"is_locked": asked.arguments[1] == "yes"})


def _store(extension_id: int, values: Mapping[str, object]) -> Variables:
    """BENTEVI_DONE=yes when it was stored, and what Asterisk's copy holds of “always”."""
    extension = db.session.get(Extension, extension_id)
    if extension is None:
        return {"BENTEVI_DONE": ""}
    changes.actor.set(changes.Actor(name=f"{extension.number} {extension.name}"[:80]))
    row = of_extension(extension_id)
    try:
        with db.session.begin_nested():
            if row is None:
                row = resource.create({"number": extension.number, **values})
            else:
                resource.update(row, dict(values))
    except Refused:
        return {"BENTEVI_DONE": ""}
    return {"BENTEVI_DONE": "yes", "BENTEVI_ALWAYS": _always(row)}


def _always(row: FollowMe) -> str:
    origin, number = row.rule(ALWAYS)
    return "" if origin == OFF else f"{origin}/{number}"
