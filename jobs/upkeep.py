"""Small jobs that keep a home in order."""

from appliance import alarms, changes, settings
from appliance.db import db
from appliance.telephony import ports


def forget_old_changes(_: int = 0) -> None:
    """The audit trail is kept for a while (changes.KEPT_DAYS)."""
    changes.forget_old()
    db.session.commit()


def look_at_ports(_: int = 0) -> None:
    """An alarm while another program has the SIP port, or had it when Asterisk started. May run at any time."""
    trouble = ports.sip_trouble(settings.load())
    if trouble:
        alarms.put("sip_port", port=trouble.port, program=f"{trouble.program} ({trouble.pid})" if trouble.program else "–")
    else:
        alarms.clear("sip_port")
    db.session.commit()
