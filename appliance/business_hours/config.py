"""Business hours → one line per queue and IVR that lets a call through or diverts it."""

from sqlalchemy import select

from appliance.db import db
from appliance.ivrs.model import Ivr
from appliance.queues.model import Queue
from appliance.telephony.render import render


def extensions_conf() -> str:
    """Every queue and IVR in order of id."""
    return render(
        "business_hours.extensions.conf.j2",
        queues=db.session.scalars(select(Queue).order_by(Queue.id)).all(), ivrs=db.session.scalars(select(Ivr).order_by(Ivr.id)).all(),
    )
