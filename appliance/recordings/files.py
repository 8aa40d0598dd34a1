"""Where recordings lie, how they become small and sealed, and which of them go (retention, room, free disk)."""

import contextlib
import logging
import math
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Select, func, select

from appliance import db as ground
from appliance import resource as resources
from appliance import settings
from appliance.calls.model import Call
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.recording_policy.model import RecordingPolicy
from appliance.recordings import chain, sound
from appliance.recordings.model import DAMAGED, EMPTY, MISSING, READY, REMOVED, RUNNING, WAITING, Recording
from appliance.telephony import runtime

log = logging.getLogger("bentevi.recordings")

GB = 10**9
SETTLED_SECONDS = 10.0  # MixMonitor closes its file within milliseconds of the hang-up; it never leaves one unwritten so long
FORGOTTEN = timedelta(minutes=3)
AFTER_QUOTA = 0.9       # hysteresis: what is over the quota is brought to nine tenths of it
AFTER_DISK = 2          # and a disk that is too full to so many per cent less
AFTER_PAUSE = 1.25      # and recording begins again with a quarter more free than the limit
BATCH = 200


def raw_folder() -> Path:
    """Where Asterisk writes."""
    return settings.load().asterisk / "spool" / "monitor"


def folder() -> Path:
    """Where the small files lie, by day."""
    return settings.load().home / "recordings"


def policy() -> RecordingPolicy:
    """The row of the recording policy."""
    return db.session.get_one(RecordingPolicy, resources.SINGLE_ID)


def made_of(raw_name: str, name: str) -> tuple[sound.Sound, str, str, str]:
    """Convert one of Asterisk's files: what is in it, digest, state and reason. No row is touched; it takes as long as it takes.

    Raises Busy when the disk does not let us: it is tried again.
    """
    raw, nothing = raw_folder() / raw_name, sound.Sound(0, 0, b"")
    _let_settle(raw)
    try:
        found = sound.convert(raw, folder() / name)
        return found, chain.digest(folder() / name) if found.samples else "", READY if found.samples else EMPTY, ""
    except FileNotFoundError:
        return nothing, "", MISSING, "Asterisk wrote no file"
    except Refused as why:
        return nothing, "", DAMAGED, str(why)
    except OSError as why:
        raise Busy(f"The recording cannot be converted now: {why}") from why


def name_of(recording: Recording) -> str:
    """Where its small file lies, relative to folder()."""
    return f"{recording.started_at:%Y/%m/%d}/{recording.id:09}.mp3"


def settle(recording: Recording, found: sound.Sound, digest: str, state: str, reason: str) -> None:
    """What the conversion gave goes into the row, and the row into the chain."""
    recording.state, recording.reason, recording.seconds, recording.digest = state, reason, found.seconds, digest
    if state == READY:
        recording.name, recording.waveform = name_of(recording), found.peaks
        recording.size_bytes = (folder() / recording.name).stat().st_size
    if state in (READY, MISSING) and recording.place is None:
        chain.append(recording)
    if state == EMPTY:
        others = select(func.count()).where(
            Recording.call_id == recording.call_id, Recording.state != EMPTY, Recording.id != recording.id)
        db.session.get_one(Call, recording.call_id).recording_count = db.session.scalar(others) or 0


def _let_settle(raw: Path) -> None:
    """A file that is still being written is waited for; one that a killed Asterisk left behind is as old as it will get."""
    with contextlib.suppress(FileNotFoundError):
        while not sound.is_closed(raw) and time.time() - raw.stat().st_mtime < SETTLED_SECONDS:
            time.sleep(0.1)


def drop_raw(recording: Recording) -> None:
    """Asterisk's file goes once ours is sealed (or nothing was in it)."""
    if recording.state in (READY, EMPTY, REMOVED):
        (raw_folder() / recording.raw_name).unlink(missing_ok=True)


def forgotten() -> list[int]:
    """Recordings whose conversion was lost on the way (a killed worker, a Redis that was emptied)."""
    query = select(Recording.id).where(Recording.state == WAITING, Recording.started_at < ground.now() - FORGOTTEN)
    return list(db.session.scalars(query.order_by(Recording.id).limit(BATCH)))


def used_bytes() -> int:
    """Room that small files take, by the rows."""
    found = db.session.scalar(select(func.coalesce(func.sum(Recording.size_bytes), 0)).where(Recording.state == READY))
    return int(found or 0)  # PostgreSQL sums 64 bits to a Decimal


def mark_older(than: datetime) -> int:
    """A batch of what began before becomes removed; how many. The row says so before its file goes (sweep)."""
    return _mark(select(Recording).where(Recording.state == READY, Recording.started_at < than), "retention")


def mark_oldest(bytes_: float) -> int:
    """The oldest, as many as take so many bytes or a batch of them, become removed; how many."""
    return _mark(select(Recording).where(Recording.state == READY), "quota", bytes_)


def mark_for_disk(bytes_: float, than: datetime) -> tuple[int, int]:
    """The oldest of those that began before, as many as take so many bytes or a batch of them, become removed; how many, and their bytes."""
    before = used_bytes()
    count = _mark(select(Recording).where(Recording.state == READY, Recording.started_at < than), "disk", bytes_)
    db.session.flush()
    return count, before - used_bytes()


def _mark(query: Select[Recording], reason: str, enough_bytes: float = math.inf) -> int:
    count, freed = 0, 0
    for recording in db.session.scalars(query.order_by(Recording.started_at, Recording.id).limit(BATCH).with_for_update()):
        if freed >= enough_bytes:
            break
        recording.state, recording.reason, recording.removed_at, recording.waveform = REMOVED, reason, ground.now(), None
        freed, count = freed + recording.size_bytes, count + 1
    return count


def sweep() -> int:
    """Files of a batch of removed rows go; each row forgets the name once its file is gone."""
    gone = list(db.session.scalars(select(Recording).where(Recording.state == REMOVED, Recording.name != "").limit(BATCH)))
    for recording in gone:
        (folder() / recording.name).unlink(missing_ok=True)
        recording.name = ""
    return len(gone)


def pause(free_bytes: int, least_bytes: int) -> bool:
    """Nearly full disk: Asterisk records no new calls until there is room again, with some to spare. True while it is so.

    Asks Asterisk, so nothing may be locked meanwhile. Raises Busy when Asterisk is not there: nothing is recorded then.
    """
    control = runtime.control(settings.load())
    if free_bytes < least_bytes:
        runtime.command(control, "database put recordings paused 1", timeout=5)
        return True
    if free_bytes > least_bytes * AFTER_PAUSE:
        runtime.command(control, "database del recordings paused", timeout=5)
        return False
    return "1" in runtime.command(control, "database get recordings paused", timeout=5).partition("Value:")[2]


def orphans() -> int:
    """Raw files nobody speaks of (their records were cut) after a day, and empty day folders, go. How many files."""
    known = set(db.session.scalars(select(Recording.raw_name).where(Recording.state.in_((RUNNING, WAITING, DAMAGED)))))
    count = 0
    for file in raw_folder().glob("*/*.wav"):
        name = str(file.relative_to(raw_folder()))
        if name not in known and time.time() - file.stat().st_mtime > 86400:
            log.warning("recordings: %s belongs to no call; removed", name)
            file.unlink()
            count += 1
    for day in raw_folder().glob("*"):
        with contextlib.suppress(OSError):
            os.rmdir(day)
    return count
