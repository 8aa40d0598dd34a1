"""How a sound is made from what a row waits for, and which files go."""

import hashlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from appliance import settings
from appliance.audio_prompts import sound
from appliance.audio_prompts.intake import folder, incoming
from appliance.audio_prompts.model import FAILED, READY, RECORDED, SPOKEN, UPLOADED, WAITING, AudioPrompt
from appliance.db import db

LEFT_OVER_SECONDS = 86400    # a file nobody names is removed when it is older
FROM_PHONE = "phone-"        # names of files that a telephone call recorded
_NAME = re.compile(rb"\d+-[0-9a-f]{16}\.wav")


def playable(prompt_id: int | None) -> str:
    """What Playback() is told, the path without its ending; "" while there is no sound."""
    row = db.session.get(AudioPrompt, prompt_id) if prompt_id else None
    return str(folder() / row.file.removesuffix(".wav")) if row and row.file else ""


# -------------------------------------------------------------------------------------------------------------- making


@dataclass(frozen=True)
class Wanted:
    """What a row waits for, taken out of it, so that making it holds no row."""

    row_id: int
    incoming: str
    text: str
    voice: str
    voice_speed: int

    @property
    def is_text(self) -> bool:
        return self.incoming.startswith("text:")


@dataclass(frozen=True)
class Made:
    """A sound in its place, or why there is none (`reason`)."""

    file: str = ""
    seconds: float = 0.0
    peaks: bytes = b""
    reason: str = ""


def wanted(row_id: int) -> Wanted | None:
    """What this row waits for; None when nothing."""
    row = db.session.get(AudioPrompt, row_id)
    return Wanted(row.id, row.incoming, row.text, row.voice, row.voice_speed) if row and row.state == WAITING else None


def make(what: Wanted) -> Made:
    """Convert or speak, and put the file into its place whole. Touches no row; the same thing made twice is the same file."""
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    part = folder() / f"{what.row_id}-{secrets.token_hex(8)}.part"
    try:
        if what.is_text:
            seconds, peaks = sound.speak(what.text, what.voice_speed, part, sound.VOICES[what.voice])
        else:
            seconds, peaks = sound.convert(incoming() / what.incoming, part)
    except sound.Unfit as why:
        return Made(reason=why.code)
    except FileNotFoundError:
        return Made(reason="gone")
    with open(part, "rb") as file:
        name = f"{what.row_id}-{_digest(part)[:16]}.wav"
        os.fsync(file.fileno())
    os.replace(part, folder() / name)
    return Made(name, seconds, peaks)


def _digest(path: Path) -> str:
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def settle(what: Wanted, made: Made) -> bool:
    """What was made goes into its row, unless the row waits for something else by now. False then."""
    row = db.session.get(AudioPrompt, what.row_id, with_for_update=True, populate_existing=True)
    if row is None or row.state != WAITING or row.incoming != what.incoming:
        return False
    if made.reason:
        row.state, row.reason, row.incoming = FAILED, made.reason, ""
        return True
    row.file, row.seconds, row.waveform, row.state, row.reason = made.file, made.seconds, made.peaks.hex(), READY, ""
    row.source = SPOKEN if what.is_text else RECORDED if what.incoming.startswith(FROM_PHONE) else UPLOADED
    row.spoken, row.label = (what.incoming, "") if what.is_text else ("", row.incoming_label)
    row.incoming = row.incoming_label = ""
    return True


def waiting() -> list[int]:
    """Rows that wait to be made, oldest first."""
    return list(db.session.scalars(select(AudioPrompt.id).where(AudioPrompt.state == WAITING).order_by(AudioPrompt.id)))


def discard(what: Wanted) -> None:
    """What was sent goes, once its sound is stored."""
    if not what.is_text:
        (incoming() / what.incoming).unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------------- tidying


def tidy() -> int:
    """Files that no row and no kept revision names go, a day after they came; how many. A call that plays one keeps hearing it."""
    used = {name.encode() for name in db.session.scalars(select(AudioPrompt.file)) if name}
    waiting = {name for name in db.session.scalars(select(AudioPrompt.incoming)) if name}
    db.session.rollback()
    for rows in settings.load().revisions.glob("*/rows.json"):
        used |= set(_NAME.findall(rows.read_bytes()))
    gone = [path for path in folder().glob("*.*") if path.name.encode() not in used]
    gone += [path for path in incoming().glob("*") if path.name.removesuffix(".wav") not in waiting and path.name not in waiting]
    gone = [path for path in gone if time.time() - path.stat().st_mtime > LEFT_OVER_SECONDS]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)
