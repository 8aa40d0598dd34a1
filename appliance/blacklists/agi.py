"""What the dialplan asks about blacklists: is this number in one of them?"""

from appliance import db as ground
from appliance.blacklists import entries
from appliance.telephony.agi import Asked, Variables


def refused(asked: Asked) -> Variables:
    """blacklists/refused: lists (“3-5”), a number, and perhaps the same as it was dialled → BENTEVI_BLACKLIST, the list it is in or ""."""
    ground.read_only()
    lists, *numbers = asked.arguments
    found = entries.list_with([int(text) for text in lists.split("-") if text.isdigit()], [number for number in numbers if number])
    return {"BENTEVI_BLACKLIST": str(found or "")}
