"""The seal: recordings stand in a chain, so that one taken out, exchanged or put in later shows.

seal = SHA-256 of the seal before, the place, and what the recording is (channel, begin, seconds, digest of the file).
Retention removes files and keeps rows, so the chain stays whole. Who writes down the newest seal elsewhere can prove
later that nothing before it was changed, even by somebody who may write the database.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from appliance import db as ground
from appliance.db import db
from appliance.recordings.model import MISSING, READY, REMOVED, Recording

FIRST = "0" * 64
BATCH = 500
Wrong = dict[str, Any]  # {"id", "place", "what": "file missing" | "file differs" | "seal differs" | "place missing"}


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal. Raises FileNotFoundError."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def seal_of(before: str, recording: Recording) -> str:
    """The seal of a recording that stands behind `before`."""
    began = recording.started_at.astimezone(UTC).isoformat()
    facts = (before, recording.place, recording.uniqueid, began, recording.seconds, recording.digest)
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()


def append(recording: Recording) -> None:
    """Give the recording the next place and seal it, in this transaction. Two at the same time wait for each other."""
    last = db.session.execute(
        select(Recording.place, Recording.seal).where(Recording.place.is_not(None)).order_by(Recording.place.desc()).limit(1).with_for_update()
    ).first()
    recording.place = (last.place if last else 0) + 1
    recording.seal = seal_of(last.seal if last else FIRST, recording)
    recording.sealed_at = ground.now()


def newest() -> tuple[int, str]:
    """Place and seal of the last link; (0, FIRST) for an empty chain."""
    last = db.session.execute(
        select(Recording.place, Recording.seal).where(Recording.place.is_not(None)).order_by(Recording.place.desc()).limit(1)
    ).first()
    return (last.place, last.seal) if last else (0, FIRST)


def count() -> int:
    """How many links the chain has."""
    return db.session.scalar(select(func.count()).where(Recording.place.is_not(None))) or 0


def verify(folder: Path, told: Callable[[int], None] = lambda checked: None) -> list[Wrong]:
    """Walk the whole chain: every seal computed again, every file that should be there read again. What is wrong, in order.

    `told` hears the number of links checked so far, now and then. Reads in pieces, so that hours of checking hold nobody up.
    """
    wrong: list[Wrong] = []
    before, place = FIRST, 0
    while True:
        query = select(Recording).where(Recording.place > place).order_by(Recording.place).limit(BATCH)
        links = list(db.session.scalars(query))
        for link in links:
            assert link.place is not None
            wrong += [{"id": 0, "place": missing, "what": "place missing"} for missing in range(place + 1, link.place)]
            if link.seal != seal_of(before, link):
                wrong.append({"id": link.id, "place": link.place, "what": "seal differs"})
            wrong += [{"id": link.id, "place": link.place, "what": what} for what in _file_faults(link, folder)]
            before, place = link.seal, link.place
        db.session.rollback()  # the next piece is read anew; nothing was written
        told(place)
        if len(links) < BATCH:
            return wrong


def acknowledge(recording: Recording, who: str) -> None:
    """Somebody knows that the file is gone or differs: the row says so from now on, its seal stays as it was."""
    recording.state, recording.reason, recording.waveform = MISSING, f"acknowledged by {who}"[:200], None


def _file_faults(link: Recording, folder: Path) -> list[str]:
    if link.state in (REMOVED, MISSING):  # a missing one was sealed as such, or somebody said that it is known
        return []
    try:
        same = digest(folder / link.name) == link.digest
    except FileNotFoundError:
        return ["file missing"]
    return [] if same and link.state == READY else ["file differs"]
