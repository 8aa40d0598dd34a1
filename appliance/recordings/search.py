"""Recordings as the console lists them."""

from typing import Any

from sqlalchemy import select

from appliance.db import db
from appliance.recordings.model import Recording


def newest(limit: int) -> list[Recording]:
    """Newest first."""
    return list(db.session.scalars(select(Recording).order_by(Recording.id.desc()).limit(limit)))


def facts(recording: Recording) -> dict[str, Any]:
    """What can be printed of one."""
    return {
        "id": recording.id, "call": recording.call_id, "started_at": recording.started_at.isoformat(), "seconds": recording.seconds,
        "size_bytes": recording.size_bytes, "state": recording.state, "reason": recording.reason, "file": recording.name,
        "place": recording.place, "digest": recording.digest, "seal": recording.seal,
    }
