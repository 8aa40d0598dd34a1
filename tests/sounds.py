"""Sound files made for tests: tones of a frequency in any form people send, and listening to a file."""

import array
import subprocess
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
