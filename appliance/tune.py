"""The exchange's own music on hold: a short calm tune, reckoned note by note, so that it belongs to nobody."""

import array
import math
import sys
import wave
from pathlib import Path

from appliance.audio import RATE
from appliance.settings import Settings

NOTE_SECONDS = 0.5
LOUDNESS = 5200   # of 32767: a telephone's comfortable level
# Broken chords, four bars to a line, as half tones above the A of 220 Hz; None is a rest.
TUNE = [
    3, 7, 10, 15, 10, 7, 3, None, 0, 3, 7, 12, 7, 3, 0, None,
    5, 8, 12, 17, 12, 8, 5, None, -2, 2, 5, 10, 5, 2, -2, None,
    3, 10, 7, 15, 12, 10, 7, None, 0, 7, 3, 12, 10, 7, 3, None,
    5, 12, 8, 17, 15, 12, 8, None, 10, 5, 2, -2, 3, None, 3, None,
]  # fmt: skip


def file(settings: Settings) -> Path:
    """Where it lies; Asterisk's class `default` plays every file of the folder."""
    return settings.asterisk / "data" / "moh" / "bentevi.wav"


def install(settings: Settings) -> None:
    """Write it unless it is there. Whole or not at all."""
    target = file(settings)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_suffix(".new")
    with wave.open(str(draft), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples())
    draft.rename(target)


def samples() -> bytes:
    """The whole tune, 16 bits."""
    length = int(RATE * NOTE_SECONDS)
    song = [0.0] * (length * (len(TUNE) + 2))
    notes = {note: _note(220.0 * 2 ** (note / 12), length * 2) for note in set(TUNE) if note is not None}
    for place, note in enumerate(TUNE):
        for at, value in enumerate(notes[note] if note is not None else (), place * length):
            song[at] += value
    found = array.array("h", (int(LOUDNESS * value) for value in song))
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def _note(frequency: float, length: int) -> list[float]:
    """A plucked note that fades away and has no hard edges."""
    rises = RATE // 100
    return [
        (math.sin(angle := 2 * math.pi * frequency * at / RATE) + 0.3 * math.sin(2 * angle)) * math.exp(-3.0 * at / length)
        * min(1.0, at / rises, (length - at) / rises)
        for at in range(length)
    ]
