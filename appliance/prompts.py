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

LANGUAGE = "pt_BR"
TEXTS = CHECKOUT / "asterisk" / "sounds" / f"{LANGUAGE}.txt"
WORDS_A_MINUTE = 150
_STAMP = ".made-of"


def texts() -> dict[str, tuple[str, bool]]:
    """Name → (text, False), or (words for sox, True). Raises ValueError for a line that is neither."""
    found = {}
    for line in TEXTS.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        parts = re.fullmatch(r"([a-z0-9/-]+)(:| =) (.+)", line)
        if parts is None:
            raise ValueError(f"{TEXTS.name}: {line}")
        found[parts[1]] = parts[3], parts[2] != ":"
    return found


def install(settings: Settings) -> None:
    """Bring home/asterisk/data/sounds/pt_BR to what the texts say. Safe at every start; a folder is there whole or not at all."""
    target = settings.asterisk / "data" / "sounds" / LANGUAGE
    wanted = hashlib.sha256(TEXTS.read_bytes() + Path(sound.__file__).read_bytes()).hexdigest()[:16]
    stamp = target / _STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=f"{LANGUAGE}.", dir=target.parent))
    shutil.copytree(_made(wanted), draft, dirs_exist_ok=True)
    (draft / _STAMP).write_text(wanted)
    if target.exists():
        shutil.rmtree(target)
    draft.rename(target)


def _made(wanted: str) -> Path:
    """The folder of the user's cache with every prompt; whoever comes first makes it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bentevi"
    target = cache / f"sounds-{wanted}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="sounds.", dir=cache))
    for name, (text, is_tone) in texts().items():
        file = draft / f"{name}.wav"
        file.parent.mkdir(exist_ok=True)
        if is_tone:
            audio.pipe(["sox", "-q", "-n", "-r", "8000", "-c", "1", "-b", "16", "-t", "wav", str(file), *text.split()], seconds=10)
        else:
            sound.speak(text, WORDS_A_MINUTE, file)
    try:
        draft.rename(target)
    except OSError:  # somebody else was quicker
        shutil.rmtree(draft)
    return target
