"""Whatever people send, or a text → the one kind of sound Asterisk plays here: WAV, 8 kHz, mono, 16 bits.

One format is enough: turning it into a telephone's G.711 is a look-up in a table, and other codecs are made from 8 kHz as well.
"""

from pathlib import Path

from appliance import audio
from appliance.audio_prompts.model import FEMALE, LONGEST_SECONDS, MALE
from appliance.errors import Refused

CONVERT_SECONDS, SPEAK_SECONDS = 60, 30
LEAST_SECONDS = 0.2
QUIETEST_PEAK = 1       # of 255, about -48 dBFS: what is never louder is silence
VOICES = {MALE: "pt-br", FEMALE: "pt-br+f2"}  # speech about 90 and 170 Hz high; both come with espeak-ng itself
WAV, MP3 = "wav", "mp3"

_WRITE = ["-t", "wav", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed-integer"]
# Silence around the words goes; a telephone's band; loudness like that of recorded prompts (about -20 dBFS).
_TRIM = ["silence", "1", "0.02", "0.3%", "reverse", "silence", "1", "0.02", "0.3%", "reverse"]
_VOICE = ["highpass", "150", "lowpass", "3400", "gain", "-n", "-3", "compand", "0.02,0.2", "6:-50,-26,-30,-16,-12,-7", "gain", "-n", "-3",
          "pad", "0.1", "0.1"]  # fmt: skip


class Unfit(Exception):
    """The sound cannot be taken; `code` is one of model.REASONS."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def convert(source: Path, target: Path) -> tuple[float, bytes]:
    """A WAV or MP3 → `target`; seconds and peaks. Raises Unfit, leaving no target, and FileNotFoundError without a source."""
    kind = kind_of(source)
    if not kind:
        raise Unfit("not_sound")
    read = [["lame", "--quiet", "--decode", "--mp3input", str(source), "-"]] if kind == MP3 else []
    given = ["-t", "wav", "--ignore-length", "-"] if kind == MP3 else ["-t", "wav", str(source)]
    write = ["sox", "-q", "-G", *given, *_WRITE, str(target), "trim", "0", str(LONGEST_SECONDS + 1)]
    return _made(target, "broken", *read, write, seconds=CONVERT_SECONDS)


def speak(text: str, words_a_minute: int, target: Path, voice: str = VOICES[MALE]) -> tuple[float, bytes]:
    """A text → `target`, in Portuguese unless another voice is named; seconds and peaks. The text goes in by stdin. Raises Unfit."""
    read = ["espeak-ng", "-v", voice, "-s", str(words_a_minute), "-p", "45", "-g", "2", "--stdin", "--stdout"]
    # -R: the noise it dithers with is the same each time, so that two builds of the image hold the same bytes
    write = ["sox", "-q", "-R", "-t", "wav", "--ignore-length", "-", *_WRITE, str(target), *_TRIM, *_VOICE]
    return _made(target, "speech", read, write, seconds=SPEAK_SECONDS, given=text.encode())


def kind_of(source: Path) -> str:
    """wav, mp3 or "", by what is in the file, whatever its name."""
    with open(source, "rb") as file:
        head = file.read(12)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return WAV
    is_frame = len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2  # MPEG layer III, any version
    return MP3 if head[:3] == b"ID3" or is_frame else ""


def _made(target: Path, broken: str, *commands: list[str], seconds: float, given: bytes = b"") -> tuple[float, bytes]:
    try:
        audio.pipe(*commands, seconds=seconds, given=given)
        samples = audio.samples_of(target)
        found = samples / audio.RATE
        if found > LONGEST_SECONDS:
            raise Unfit("long")
        if found < LEAST_SECONDS:
            raise Unfit("short" if samples else broken)
        peaks = audio.peaks(target, samples)
        if max(peaks) < QUIETEST_PEAK:
            raise Unfit("silent")
        return found, peaks
    except (Refused, Unfit, FileNotFoundError) as why:
        target.unlink(missing_ok=True)
        if isinstance(why, Unfit):
            raise
        raise Unfit("slow" if str(why).startswith("took") else broken) from why
