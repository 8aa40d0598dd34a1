"""Conference rooms: a number that everybody dials who wants to talk together (FEA-22)."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance import changes
from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Boolean, Choice, DialNumber, Name, Reader, Secret, field
from appliance.resource import Resource

NONE, ALL = "none", "all"
RECORDINGS = {NONE: _l("no"), ALL: _l("yes")}


class Pin(Secret):
    """Digits typed at the telephone, which Asterisk compares."""

    empty = None
    offers_generate = False

    def __init__(self, least: int = 3, generated: bool = False) -> None:
        super().__init__(least, generated)

    def read(self, value: object, reader: Reader) -> str | None:
        text = str(value)
        if not (text.isascii() and text.isdigit() and self.least <= len(text) <= 10):
            return reader.refuse(_("%(least)s to 10 digits.", least=self.least))
        return text


class ConferenceRoom(Base):
    """A permanent room with its own number."""

    __tablename__ = "conference_rooms"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = field(
        DialNumber(), _l("Number"), unique=True, example="4000", also="Número da conferência",
        help=_l("Who dials it is in the room."),
    )
    name: Mapped[str] = field(Name(40), _l("Name"), help=_l("How the room is called in reports and lists."))
    pin: Mapped[str | None] = field(
        Pin(), _l("PIN"), optional=True, also="Usar PIN Senha",
        help=_l("Digits asked before somebody is let in, when “Ask the PIN” is on."),
    )
    use_pin: Mapped[bool] = field(
        Boolean(), _l("Ask the PIN"), default=True, also="Usar PIN",
        help=_l("On: whoever enters types the PIN. Off: nobody is asked, and the PIN is kept for later."),
    )
    recording: Mapped[str] = field(
        Choice(RECORDINGS), _l("Record"), default=NONE, also="Gravar",
        help=_l("Keeps what is heard in the room, one recording for each person in it."),
    )

    def check(self) -> None:
        """A room that is to ask has something to ask for. A site file holds no secrets: a room that comes with one lets nobody in until its
        PIN is written (conference_rooms.extensions.conf.j2)."""
        if self.use_pin and not self.pin and not changes.is_site_file():
            raise Refused(_("Write the PIN that is to be asked, or turn “Ask the PIN” off."), field="pin")

    def numbers(self) -> list[str]:
        """What it occupies in the numbering."""
        return [self.number]


resource = Resource(
    ConferenceRoom, word="conference_rooms", label=_l("Conference rooms"), one=_l("conference room"), new=_l("New conference room"),
    key="number", group="telephony", icon="users-group", columns=["number", "name", "recording"], search=["number", "name"],
    tabs={_l("General"): ["number", "name", "pin", "use_pin", "recording"]}, destination="conference_room",
    empty=_l("A conference room has a number; everybody who dials it talks together. Create the first one."),
    also="Conferências sala de conferência",
)
