"""Conference rooms → their numbers, and what confbridge.conf says of who enters."""

from sqlalchemy import select

from appliance.conference_rooms.model import ConferenceRoom
from appliance.db import db
from appliance.telephony.render import render


def _rooms() -> list[ConferenceRoom]:
    return list(db.session.scalars(select(ConferenceRoom).order_by(ConferenceRoom.number)))


def extensions_conf() -> str:
    """Numbers and destinations."""
    return render("conference_rooms.extensions.conf.j2", rooms=_rooms())


def confbridge_conf() -> str:
    """Rooms and PINs, in a file that no difference shows."""
    return render("conference_rooms.confbridge.conf.j2", rooms=_rooms())
