"""Khomp's boards, read from the driver by the clock."""

import logging

from appliance.db import db
from appliance.errors import Refused
from appliance.khomp_boards import driver

log = logging.getLogger("bentevi.jobs")


def read(_: int = 0) -> None:
    """Boards that came are declared, and what the driver told before is brought up to date. May run twice."""
    try:
        changed = driver.read()
    except Refused as why:  # a trunk uses channels the driver no longer lists: the page shows the difference
        db.session.rollback()
        log.warning("khomp_boards: %s", why)
        return
    db.session.commit()
    if changed:
        log.info("khomp_boards: read from the driver: %s", changed)
