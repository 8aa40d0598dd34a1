"""What follows when a queue's member has hung up and the caller is still there."""

from sqlalchemy import select

from appliance.db import db
from appliance.queues.model import Queue
from appliance.telephony.render import render


def extensions_conf() -> str:
    """Every queue in order of id."""
    return render("ratings.extensions.conf.j2", queues=db.session.scalars(select(Queue).order_by(Queue.id)).all())
