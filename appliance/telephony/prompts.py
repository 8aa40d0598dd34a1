"""Our own voice prompts: texts under asterisk/sounds/LANGUAGE become sound files of a home, spoken by the machine itself.

A text reaches the synthesiser by stdin. English ones lie where Asterisk looks when a language lacks a prompt, because
the folder of English belongs to its package.
"""

import hashlib
import subprocess
from pathlib import Path

from appliance.settings import CHECKOUT

TEXTS = CHECKOUT / "asterisk" / "sounds"
VOICES = {"pt_BR": "pt-br", "en": "en-us"}
RATE, SECONDS = 8000, 60


def make(data: Path) -> list[str]:
    """Speak every text that has no sound yet or changed; the names of those made. `data` is Asterisk's data folder.

    May run at any time, twice too: a file takes its place only when it is complete. Raises OSError or
    subprocess.SubprocessError when the programs are missing or fail.
    """
    made = []
    for text in sorted(TEXTS.glob("*/*/*.txt")):
        language, folder = text.parts[-3], text.parts[-2]
        where = data / "sounds" / ("" if language == "en" else language) / folder
        words = text.read_text(encoding="utf-8")
        digest = hashlib.sha256(f"{VOICES[language]} {RATE} {words}".encode()).hexdigest()
        sound, mark = where / f"{text.stem}.wav", where / f".{text.stem}.made"
        if sound.exists() and mark.exists() and mark.read_text() == digest:
            continue
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
        speak(words, VOICES[language], sound)
        mark.write_text(digest)
        made.append(f"{language}/{folder}/{text.stem}")
    return made


def speak(words: str, voice: str, sound: Path) -> None:
    """One text as a WAV of the kind Asterisk plays without any conversion."""
    draft = sound.with_suffix(".new.wav")
    spoken = subprocess.run(["espeak-ng", "-v", voice, "-s", "145", "--stdin", "--stdout"], input=words.encode(), capture_output=True,
                            check=True, timeout=SECONDS).stdout
    subprocess.run(["sox", "-t", "wav", "-", "-r", str(RATE), "-c", "1", "-b", "16", str(draft), "gain", "-n", "-3", "highpass", "200"],
                   input=spoken, check=True, timeout=SECONDS, capture_output=True)
    draft.replace(sound)
