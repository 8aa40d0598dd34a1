"""Jobs around addresses that may not come in."""

from appliance.address_policy import bans
from appliance.addresses import force
from appliance.db import db


def put(_: int = 0) -> None:
    """What the rows say, in force: after a change, and every minute, so that bans end by themselves. May run twice. Raises Busy."""
    force.put()


def forget_old(_: int = 0) -> None:
    """Bans long past are removed."""
    bans.forget_old()
    db.session.commit()
