"""IVRs → contexts of the dialplan."""

from sqlalchemy import select

from appliance.db import db
from appliance.ivrs.model import Ivr
from appliance.telephony.render import render


def extensions_conf() -> str:
    """Every one in order of id."""
    return render("ivrs.extensions.conf.j2", ivrs=db.session.scalars(select(Ivr).order_by(Ivr.id)).all())
