"""Sound files made for tests: tones of a frequency in any form people send, and listening to a file."""

import array
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests import media


def tone(path: Path, frequency: int, *, seconds: float = 3.0, rate: int = 8000, channels: int = 1, bits: int = 16) -> bytes:
    """A file with one tone; its ending (.wav, .mp3) says what kind. What is in it."""
    wav = path.with_suffix(".made.wav")
    subprocess.run(["sox", "-n", "-r", str(rate), "-c", str(channels), "-b", str(bits), str(wav), "synth", str(seconds), "sine", str(frequency),
                    "gain", "-6"], check=True)  # fmt: skip
    if path.suffix == ".mp3":
        subprocess.run(["lame", "--quiet", str(wav), str(path)], check=True)
    else:
        wav.replace(path)
    return path.read_bytes()


def samples(path: Path) -> list[int]:
    """What an 8 kHz WAV holds."""
    found = array.array("h")
    found.frombytes(path.read_bytes()[44:])
    return list(found)


def holds(path: Path, frequency: int) -> bool:
    """Whether a tone is heard in an 8 kHz WAV."""
    return media.holds_tone(samples(path), frequency)


def pitch_hz(found: list[int], rate: int = 8000) -> float:
    """How high a voice speaks: the middle of the fundamental frequencies of its voiced pieces, by where the sound repeats itself."""
    piece, found_hz = rate // 25, []
    loudest = max(map(abs, found), default=0)
    for start in range(0, len(found) - 2 * piece, piece):
        here = found[start:start + 2 * piece]
        if max(map(abs, here[:piece])) < loudest / 4:
            continue
        alike = {lag: sum(here[place] * here[place + lag] for place in range(0, piece, 2)) for lag in range(rate // 400, rate // 60)}
        lag = max(alike, key=lambda one: alike[one])
        if alike[lag] > sum(value * value for value in here[:piece:2]) / 2:
            found_hz.append(rate / lag)
    return sorted(found_hz)[len(found_hz) // 2]


def library(name: str, frequency: int, seconds: float = 0.5):
    """A committed sound of the audio library with this tone, made without the worker."""
    from appliance.audio_prompts import intake
    from appliance.audio_prompts.model import READY, UPLOADED
    from appliance.db import db
    from tests.build import make

    row = make("audio_prompts", name=name)
    folder = intake.folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{row.id}-{frequency:016x}.wav"
    tone(path, frequency, seconds=seconds)
    row.file, row.seconds, row.state, row.source = path.name, seconds, READY, UPLOADED
    db.session.commit()
    return row


@dataclass(frozen=True)
class Tone:
    """A tone a leg heard; instants are monotonic seconds."""

    frequency: int
    began_at: float
    ended_at: float


def tones_heard(call, frequencies, least_seconds: float = 0.16) -> list[Tone]:
    """The tones among these that a leg heard, in order; a pause of a quarter of a second between two makes them two."""
    with call.wire.changed:
        packets = list(call.media.heard)
    found: list[Tone] = []
    for at, kind, payload in packets:
        block = [media.LINEAR[kind][byte] for byte in payload]
        frequency = next((one for one in frequencies if media.tone_share(block, one) > 0.7), 0)
        if not frequency:
            continue
        if found and found[-1].frequency == frequency and at - found[-1].ended_at < 0.25:
            found[-1] = Tone(frequency, found[-1].began_at, at)
        else:
            found.append(Tone(frequency, at, at))
    return [one for one in found if one.ended_at - one.began_at >= least_seconds]


def order(call, frequencies) -> list[int]:
    """Only their frequencies."""
    return [one.frequency for one in tones_heard(call, frequencies)]
