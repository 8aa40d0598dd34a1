"""Jobs about call records."""

from appliance import settings
from appliance.calls import reconcile as counters
from appliance.db import db


def reconcile(_id: int) -> None:
    """Compare Asterisk's counters with what is stored; the alarm `records_gap` stands while they differ. Safe at any moment."""
    counters.reconcile(settings.load())
    db.session.commit()
