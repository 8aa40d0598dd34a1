"""The audio library (IVR-28, IVR-30): sounds that callers hear, uploaded, spoken from a text, or recorded by telephone.

A row names one file of home/audio/, by its id and a digest of its content, so that a file never changes under a call and an older
revision finds the sound it was made with. Making the file is a job (jobs/audio_prompts.py); what a row had before stays until then.
"""

import hashlib
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, String
from sqlalchemy import Text as SqlText
from sqlalchemy.orm import Mapped, mapped_column

from appliance import lanes
from appliance.audio_prompts import intake
from appliance.db import Base, Instant
from appliance.errors import Refused
from appliance.fields import Choice, Name, Text, Whole, field
from appliance.resource import Resource, Upload

# WAITING: a file or text is being made into a sound; FAILED: that did not work, and what was there before is still heard.
NOTHING, WAITING, READY, FAILED = "nothing", "waiting", "ready", "failed"
STATES = {NOTHING: _l("no sound yet"), WAITING: _l("being prepared"), READY: _l("ready"), FAILED: _l("the new sound was not taken")}
UPLOADED, SPOKEN, RECORDED = "file", "text", "phone"
SOURCES = {UPLOADED: _l("uploaded file"), SPOKEN: _l("spoken from the text"), RECORDED: _l("recorded by telephone")}

MALE, FEMALE = "male", "female"
VOICES = {MALE: _l("man"), FEMALE: _l("woman")}  # what the synthesiser calls them stands in sound.py

LONGEST_SECONDS = 600
REASONS = {  # why a sound was not taken: words for whoever brought it
    "not_sound": _l("This is neither a WAV nor an MP3 file. Save the sound as one of the two and send it again."),
    "broken": _l("The file is damaged: its sound cannot be read."),
    "long": _l("The sound is longer than 10 minutes."),
    "short": _l("The sound is shorter than a fifth of a second."),
    "silent": _l("The file holds only silence."),
    "slow": _l("Reading the file took too long; it is not an ordinary sound file."),
    "gone": _l("The file that was sent is no longer there. Send it again."),
    "speech": _l("The text could not be spoken. Write it with letters and digits."),
}


class AudioPrompt(Base):
    """A sound. `file` is what is heard (home/audio/), "" for none yet; `incoming` what is to be made into it."""

    __tablename__ = "audio_prompts"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(60), _l("Name"), unique=True, also="Áudio Nome", help=_l("Chosen by this name where a sound is wanted."))
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, also="Descrição", help=_l("For yourselves: where this sound is heard."))
    text: Mapped[str] = field(
        Text(1000, lines=True), _l("Text"), optional=True, default="", also="Texto voz TTS fala",
        help=_l("Spoken by the exchange's voice when there is no file. With a file it is a note of what is said in it."),
    )
    voice: Mapped[str] = field(
        Choice(VOICES), _l("Voice"), default=MALE, also="Voz de reprodução masculina feminina TTS", help=_l("Who speaks the text. Change it and listen: the sound is made again."),
    )
    voice_speed: Mapped[int] = field(
        Whole(80, 300, _l("words/min")), _l("Speed of the voice"), default=150, also="Velocidade da voz",
        help=_l("How fast the exchange's voice speaks the text; 150 is an ordinary pace."),
    )
    source: Mapped[str] = mapped_column(String(10), default="")
    state: Mapped[str] = mapped_column(String(10), default=NOTHING, index=True)
    reason: Mapped[str] = mapped_column(String(20), default="")
    file: Mapped[str] = mapped_column(String(60), default="")
    label: Mapped[str] = mapped_column(String(100), default="")      # what the file was called where it came from
    seconds: Mapped[float] = mapped_column(default=0.0)
    waveform: Mapped[str] = mapped_column(SqlText, default="")       # peaks in hexadecimal, two signs each
    incoming: Mapped[str] = mapped_column(String(80), default="")    # a file of home/audio/incoming/, or text:DIGEST
    incoming_label: Mapped[str] = mapped_column(String(100), default="")
    spoken: Mapped[str] = mapped_column(String(40), default="")      # the text, voice and speed that `file` was spoken from

    def check(self) -> None:
        """A text that is the sound is spoken again when it changes; it does not just go."""
        if self.source == SPOKEN and not self.text.strip():
            raise Refused(_("The sound is spoken from this text. Send a file first, or write another text."), field="text")
        if self.text.strip() and self.source in (None, "", SPOKEN) and self.spoken != self.wanted and self.incoming != self.wanted:
            self.speak()

    def stored(self) -> None:
        """Called when the row has its id: what is to be made goes to the worker."""
        if self.state == WAITING:
            lanes.put("default", "jobs.audio_prompts.make", self.id)

    def speak(self) -> None:
        """Ask for the text to be spoken."""
        self.state, self.reason, self.incoming, self.incoming_label = WAITING, "", self.wanted, ""

    def take(self, incoming: str, label: str) -> None:
        """Ask for a file of home/audio/incoming/ to become the sound."""
        self.state, self.reason, self.incoming, self.incoming_label = WAITING, "", incoming, label[:100]

    @property
    def wanted(self) -> str:
        """The text, voice and speed as one word; of the first voice as it was when there was no other, so that nothing is spoken again for it."""
        voice = "" if self.voice in (None, MALE) else f"{self.voice} "
        return "text:" + hashlib.sha256(f"{voice}{self.voice_speed} {self.text}".encode()).hexdigest()[:32]

    @property
    def peaks(self) -> list[int]:
        """The drawing of the sound."""
        return list(bytes.fromhex(self.waveform or ""))


class AudioCall(Base):
    """A call of ours to an extension: to record a sound, or to play one. Its end is told by the dialplan."""

    __tablename__ = "audio_calls"
    id: Mapped[int] = mapped_column(primary_key=True)
    audio_prompt_id: Mapped[int] = mapped_column(ForeignKey("audio_prompts.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(Instant())
    kind: Mapped[str] = mapped_column(String(10))
    extension: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10))


resource = Resource(
    AudioPrompt, word="audio_prompts", label=_l("Audio"), one=_l("audio"), new=_l("New audio"), key="name", group="telephony",
    icon="volume", columns=["name", "description", "text"], search=["name", "description", "text"],
    tabs={_l("General"): ["name", "description", "text", "voice", "voice_speed"]},
    upload=Upload(intake.upload, ".wav,.mp3,audio/wav,audio/mpeg", help=_l(
        "WAV or MP3 of at most 10 minutes and 40 MB; made into what telephones play. It takes the place of what is heard now.")),
    empty=_l("The audio library holds what callers hear. Send a WAV or MP3, write a text to be spoken, or record by telephone."),
    also="Áudios gravação mensagem prompt voz anúncio",
)
