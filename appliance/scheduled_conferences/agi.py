"""Which conference a typed password belongs to, and whether it is open now."""

from appliance import db as ground
from appliance.conference_rooms.model import ALL
from appliance.scheduled_conferences.model import of_pin
from appliance.telephony.agi import Asked, Variables


def enter(asked: Asked) -> Variables:
    """BENTEVI_CONFERENCE is the row's id, “early”, “late”, or "" for no conference's password. Open is [opens, closes)."""
    ground.read_only()  # whoever writes meanwhile keeps nobody waiting
    now = ground.now()
    found = of_pin(asked.typed, now)
    if found is None:
        return {"BENTEVI_CONFERENCE": "", "BENTEVI_RECORD": ""}
    where = "early" if now < found.opens_at else "late" if now >= found.closes_at else str(found.id)
    return {"BENTEVI_CONFERENCE": where, "BENTEVI_RECORD": "yes" if found.recording == ALL else ""}
