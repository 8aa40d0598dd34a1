"""Small jobs that keep a home in order."""

from appliance import changes
from appliance.db import db


def forget_old_changes(_: int = 0) -> None:
    """The audit trail is kept for a while (changes.KEPT_DAYS)."""
    changes.forget_old()
    db.session.commit()
