"""Queues → contexts of the dialplan."""

from sqlalchemy import select

from appliance.db import db
from appliance.queues.model import Queue
from appliance.telephony.render import render


def extensions_conf() -> str:
    """Every one in order of id."""
    return render("queues.extensions.conf.j2", queues=db.session.scalars(select(Queue).order_by(Queue.id)).all())
