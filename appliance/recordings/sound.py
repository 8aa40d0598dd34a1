"""Asterisk's WAV → a small MP3 and its waveform, under limits of time and memory, on the side of the call's road.

MP3, 16 kHz mono at 24 kbit/s: every browser, telephone and player takes it and can jump within it; an hour is 10.8 MB,
a fifth of the WAV.
"""

import array
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import Refused

RATE = 8000
SAMPLE_BYTES = 2
PEAKS = 400  # columns of the drawing, whatever the length
SECONDS_PER_MB = 2.0  # generous: measured about 0.03
ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}


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
    samples = _sample_count(wav)
    if samples == 0:
        return Sound(0, 0, b"")
    peaks = _peaks(wav, samples)
    mp3.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = mp3.with_suffix(".part")
    limit = 30 + wav.stat().st_size / 2**20 * SECONDS_PER_MB
    _run(["sox", "-q", "--ignore-length", "-t", "wav", str(wav), "-t", "raw", "-e", "signed-integer", "-b", "16", "-r", "16000", "-c", "1", "-"],
         ["lame", "--quiet", "-r", "-s", "16", "--bitwidth", "16", "--signed", "--little-endian", "-m", "m", "--cbr", "-b", "24", "-", str(part)],
         limit)  # fmt: skip
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    os.replace(part, mp3)
    return Sound(round(samples / RATE), samples, peaks)


def is_closed(wav: Path) -> bool:
    """Whether Asterisk has closed it: only then the header tells the true length. Raises FileNotFoundError."""
    with open(wav, "rb") as file:
        head = file.read(44)
    return len(head) == 44 and abs(int.from_bytes(head[40:44], "little") + 44 - wav.stat().st_size) <= 1


def _sample_count(wav: Path) -> int:
    """From the size of the file, because a header written by a killed Asterisk lies. Raises Refused for what is no such WAV."""
    with open(wav, "rb") as file:
        head = file.read(44)
    if len(head) < 44:
        return 0
    right = head[:4] == b"RIFF" and head[8:12] == b"WAVE" and head[20:22] == b"\x01\x00" and head[22:24] == b"\x01\x00"
    if not right or int.from_bytes(head[24:28], "little") != RATE or int.from_bytes(head[34:36], "little") != 16:
        raise Refused("not the 8 kHz WAV that Asterisk writes")
    return (wav.stat().st_size - 44) // SAMPLE_BYTES


def _peaks(wav: Path, samples: int) -> bytes:
    """The loudest sample of each of PEAKS parts, read piece by piece: hours of sound take no more memory than seconds."""
    found = bytearray()
    with open(wav, "rb") as file:
        file.seek(44)
        for part in range(PEAKS):
            count = samples * (part + 1) // PEAKS - samples * part // PEAKS
            piece = array.array("h")
            piece.frombytes(file.read(count * SAMPLE_BYTES))
            if sys.byteorder == "big":
                piece.byteswap()
            loudest = max(max(piece), -min(piece)) if piece else 0
            found.append(min(255, loudest * 256 // 32768))
    return bytes(found)


def _run(reader: list[str], writer: list[str], limit_seconds: float) -> None:
    """reader | writer at low priority. Raises Refused with the last words of the one that failed."""
    nice = ["nice", "-n", "10"]
    with subprocess.Popen([*nice, *reader], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as first:
        try:
            done = subprocess.run([*nice, *writer], stdin=first.stdout, capture_output=True, env=ENVIRONMENT, timeout=limit_seconds, check=False)
        except subprocess.TimeoutExpired as why:
            first.kill()
            raise Refused(f"converting took more than {limit_seconds:.0f} s") from why
        _out, said = first.communicate()
        for code, words in ((first.returncode, said), (done.returncode, done.stderr)):
            if code:
                raise Refused(words.decode("utf-8", "replace").strip().splitlines()[-1][:200] if words.strip() else f"ended with {code}")
