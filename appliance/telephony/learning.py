"""What this machine's Asterisk knows and how it complains when nothing is wrong, learned once from a trial start."""

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

from appliance.errors import Busy
from appliance.settings import Settings
from appliance.telephony import complaints, runtime, shadow
from appliance.telephony.known import Known, learn, save, saved
from appliance.telephony.system_files import Secrets, system_files

_REMEMBERED: dict[Path, Known] = {}


def known(settings: Settings) -> Known:
    """What the installed version knows. The first time it is started on the shipped files alone, which takes about a
    second.

    Kept per version and shipped files, so an upgrade of either learns anew. Raises Busy when that start fails, with
    Asterisk's own words: then nothing of ours can be judged.
    """
    files = system_files(settings, Secrets("learning", "learning", "learning"))
    digest = hashlib.sha256("".join(f"{name}\0{files[name]}\0" for name in sorted(files)).encode()).hexdigest()[:16]
    path = settings.asterisk / "data" / f"known-{runtime.version()}-{digest}.json"
    if path not in _REMEMBERED:
        _REMEMBERED[path] = saved(path) or _learned(settings, files, path)
    return replace(_REMEMBERED[path], sound_folders=_sound_folders(settings))


def _sound_folders(settings: Settings) -> tuple[Path, ...]:
    """Ours, then the package's English ones Asterisk falls back to; none before ours are made, when every prompt would
    count as missing."""
    sounds = settings.asterisk / "data" / "sounds"
    return (sounds / "pt_BR", sounds / "en") if (sounds / "pt_BR").is_dir() else ()


def _learned(settings: Settings, files: dict[str, str], path: Path) -> Known:
    runtime.folders(settings)
    with tempfile.TemporaryDirectory(dir=settings.run, prefix="learn-") as scratch:
        etc = Path(scratch)
        for name, text in files.items():
            (etc / name).parent.mkdir(exist_ok=True)
            (etc / name).write_text(text, encoding="utf-8")
        with shadow.booted(settings, etc, files) as (trial, _):
            if not trial.booted:
                raise Busy("Asterisk does not start on the shipped files: " + "; ".join(trial.messages()[-3:]))
            noise = frozenset(complaints.normal(text) for text in trial.messages())
            found = learn(trial.ask, runtime.installed().share / "documentation", noise)
    save(found, path)
    return found
