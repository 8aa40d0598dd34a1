"""What the records of a call say about its recordings: one began, the call is over."""

from datetime import datetime

from sqlalchemy import func, select

from appliance import lanes
from appliance.calls.model import Call
from appliance.db import db
from appliance.recordings.model import RUNNING, WAITING, Recording


def began(call: Call, uniqueid: str, at: datetime, raw_name: str) -> None:
    """Asterisk began to write spool/monitor/<raw_name> on this channel. May be told again, and of another conversation after a join."""
    recording = db.session.scalar(select(Recording).where(Recording.raw_name == raw_name))
    if recording is None:
        recording = Recording(call_id=call.id, uniqueid=uniqueid, raw_name=raw_name, state=RUNNING, started_at=at)
        db.session.add(recording)
    recording.call_id = call.id
    db.session.flush()
    call.recording_count = db.session.scalar(select(func.count()).where(Recording.call_id == call.id)) or 0


def call_ended(call: Call) -> None:
    """The conversation is over: what was recorded may be converted. May be told again."""
    for recording in db.session.scalars(select(Recording).where(Recording.call_id == call.id, Recording.state == RUNNING)):
        recording.state = WAITING
        lanes.put("default", "jobs.recordings.convert", recording.id)
