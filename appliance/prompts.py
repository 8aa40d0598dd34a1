"""The exchange's own prompts: texts of asterisk/sounds → WAVs in home/asterisk/data/sounds, made once per machine and text."""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from appliance import audio
from appliance.audio_prompts import sound
from appliance.settings import CHECKOUT, Settings

TEXTS = CHECKOUT / "asterisk" / "sounds"
VOICES = {"pt_BR": "pt-br", "en": "en-us"}
# Where each language's folder lies below data/sounds. That of English belongs to its package; ours lie where Asterisk looks when a
# language lacks a prompt.
FOLDERS = {"pt_BR": ("pt_BR", ""), "en": ("bentevi", "bentevi")}
WORDS_A_MINUTE = 150
_STAMP = ".made-of"


def texts(language: str) -> dict[str, tuple[str, bool]]:
    """Name → (text, False), or (words for sox, True). Raises ValueError for a line that is neither."""
    found = {}
    for line in _file(language).read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        parts = re.fullmatch(r"([A-Za-z0-9/-]+)(:| =) (.+)", line)
        if parts is None:
            raise ValueError(f"{_file(language).name}: {line}")
        found[parts[1]] = parts[3], parts[2] != ":"
    return found


def _file(language: str) -> Path:
    return TEXTS / f"{language}.txt"


def install(settings: Settings) -> None:
    """Bring home/asterisk/data/sounds to what the texts say. Safe at every start; a folder is there whole or not at all."""
    for language, (name, part) in FOLDERS.items():
        _install(language, settings.asterisk / "data" / "sounds" / name, part)


def make() -> None:
    """Make every prompt ahead, into the cache: the image does so while it is built."""
    for language in FOLDERS:
        _made(language, _wanted(language))


def _wanted(language: str) -> str:
    """What a folder of prompts was made of: the texts, and the way they are spoken."""
    return hashlib.sha256(_file(language).read_bytes() + Path(sound.__file__).read_bytes()).hexdigest()[:16]


def _install(language: str, target: Path, part: str) -> None:
    wanted = _wanted(language)
    stamp = target / _STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=f"{language}.", dir=target.parent))
    shutil.copytree(_made(language, wanted) / part, draft, dirs_exist_ok=True)
    (draft / _STAMP).write_text(wanted)
    if target.exists():
        shutil.rmtree(target)
    draft.rename(target)


def _made(language: str, wanted: str) -> Path:
    """The folder of the user's cache with every prompt of a language; whoever comes first makes it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bentevi"
    target = cache / f"sounds-{language}-{wanted}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="sounds.", dir=cache))
    for name, (text, is_tone) in texts(language).items():
        file = draft / f"{name}.wav"
        file.parent.mkdir(exist_ok=True)
        if is_tone:
            audio.pipe(["sox", "-q", "-R", "-n", "-r", "8000", "-c", "1", "-b", "16", "-t", "wav", str(file), *text.split()], seconds=10)
        else:
            sound.speak(text, WORDS_A_MINUTE, file, VOICES[language])
    try:
        draft.rename(target)
    except OSError:  # somebody else was quicker
        shutil.rmtree(draft)
    return target
