"""Making the sounds that rows of the audio library wait for: by a job one by one, and all of them before an apply."""

from appliance.audio_prompts import files
from appliance.db import db


def make_one(row_id: int) -> None:
    """Make what a row waits for, and commit. May run twice and be killed at any point: the row then waits still."""
    what = files.wanted(row_id)
    db.session.rollback()  # making takes long: nobody waits for us meanwhile
    if what is None:
        return
    made = files.make(what)
    if files.settle(what, made):
        db.session.commit()
        files.discard(what)
    db.session.rollback()


def make_waiting() -> None:
    """Everything that waits, here and now: an apply takes all that was saved before it."""
    for row_id in files.waiting():
        make_one(row_id)
    db.session.rollback()
