"""Jobs around the audio library: make a sound from what was sent or written, remove files nobody names."""

from appliance import sounds
from appliance.audio_prompts import files


def make(audio_prompt_id: int) -> None:
    """Make one sound. May run twice: only a row that waits is made, and the same content is the same file."""
    sounds.make_one(audio_prompt_id)


def tidy(_: int = 0) -> None:
    """The nightly round."""
    files.tidy()
