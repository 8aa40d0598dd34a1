"""The SIP page → transport and guests."""

from appliance import settings
from appliance.db import db
from appliance.resource import SINGLE_ID
from appliance.sip.model import Sip
from appliance.telephony.render import render


def current() -> Sip:
    """The one row."""
    return db.session.get_one(Sip, SINGLE_ID)


def language() -> str:
    """Language of announcements, as the general lines say."""
    return current().general("language") or "pt_BR"


def pjsip_conf() -> str:
    """The transport, and the endpoint of unknown callers when it was confirmed."""
    sip, machine = current(), settings.load()
    return render(
        "sip.pjsip.conf.j2", sip=sip, bind=machine.bind, port=sip.ports().sip, external_ip=sip.external_ip if sip.nat else "",
        local_networks=sip.local_networks, guests=sip.guests_allowed(),
    )
