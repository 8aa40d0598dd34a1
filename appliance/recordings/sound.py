"""Asterisk's WAV → a small MP3 and its waveform, under limits of time and memory, on the side of the call's road.

MP3, 16 kHz mono at 24 kbit/s: every browser, telephone and player takes it and can jump within it; an hour is 10.8 MB,
a fifth of the WAV.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from appliance import audio
from appliance.audio import PEAKS, RATE

__all__ = ["PEAKS", "RATE", "Sound", "convert", "is_closed"]

SECONDS_PER_MB = 2.0  # generous: measured about 0.03


@dataclass(frozen=True)
class Sound:
    """What is in a WAV: whole seconds (rounded) and PEAKS bytes, the loudest sample of each part, 255 the loudest possible."""

    seconds: int
    samples: int
    peaks: bytes


def convert(wav: Path, mp3: Path) -> Sound:
    """Write the MP3 beside a temporary name, then put it in its place whole; on a crash nothing or all of it is there.

    Raises Refused with a reason when the WAV holds no sound that can be read. A header cut off by a crash of Asterisk says
    length 0: the length is taken from the file. Returns samples 0, and writes nothing, when not a word was recorded.
    """
    samples = audio.samples_of(wav)
    if samples == 0:
        return Sound(0, 0, b"")
    peaks = audio.peaks(wav, samples)
    mp3.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = mp3.with_suffix(".part")
    limit = 30 + wav.stat().st_size / 2**20 * SECONDS_PER_MB
    audio.pipe(["sox", "-q", "--ignore-length", "-t", "wav", str(wav), "-t", "raw", "-e", "signed-integer", "-b", "16", "-r", "16000", "-c", "1", "-"],
               ["lame", "--quiet", "-r", "-s", "16", "--bitwidth", "16", "--signed", "--little-endian", "-m", "m", "--cbr", "-b", "24", "-", str(part)],
               seconds=limit)  # fmt: skip
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    os.replace(part, mp3)
    return Sound(round(samples / RATE), samples, peaks)


def is_closed(wav: Path) -> bool:
    """Whether Asterisk has closed it: only then the header tells the true length. Raises FileNotFoundError."""
    with open(wav, "rb") as file:
        head = file.read(audio.HEAD_BYTES)
    data = int.from_bytes(head[40:44], "little") + audio.HEAD_BYTES
    return len(head) == audio.HEAD_BYTES and abs(data - wav.stat().st_size) <= 1
