"""Extension classes (categorias): what the extensions of a kind may do (EXT-14 to EXT-21, EXT-23 to EXT-25)."""

from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import resource as resources
from appliance.db import Base, db
from appliance.fields import Boolean, Choice, Digits, Name, Seconds, field
from appliance.hours import Periods
from appliance.resource import Resource

DEFAULT = "Padrão"
NO_RECORDING, ALL_CALLS, EXTERNAL_CALLS = "none", "all", "external"
RECORDINGS = {NO_RECORDING: _l("no calls"), ALL_CALLS: _l("all calls"), EXTERNAL_CALLS: _l("external calls only")}


class ExtensionClass(Base):
    """A named set of permissions that many extensions share; one edit changes them all."""

    __tablename__ = "extension_classes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True,
        help=_l("How the class is called in the extensions: Office, Shop, Home."),
    )
    nat: Mapped[bool] = field(
        Boolean(), _l("Phones behind NAT"), default=False, also="NAT",
        help=_l("Answer to the address a packet really came from. Turn on when phones reach the exchange over the Internet."),
    )
    simultaneous_calls: Mapped[bool] = field(
        Boolean(), _l("Simultaneous calls"), default=True, also="Ligações simultâneas chamada em espera",
        help=_l("Ring also while the extension is in a call. Off: the second caller hears busy."),
    )
    caller_id: Mapped[str] = field(
        Digits(20), _l("Force caller ID"), optional=True, default="", example="4830139018", also="Forçar callerid BINA",
        help=_l("Number shown on outgoing calls, when the carrier allows it. Empty: the trunk's number."),
    )
    ring_timeout_seconds: Mapped[int] = field(
        Seconds(5, 300), _l("Ring time"), default=30, also="Timeout",
        help=_l("How long an incoming call rings before it is treated as busy."),
    )
    recording: Mapped[str] = field(
        Choice(RECORDINGS), _l("Record calls"), default=NO_RECORDING, also="Gravar ligações gravação",
        help=_l("Which calls of these extensions are recorded, both voices. Who may listen is chosen in the users (Recordings)."),
    )
    call_time_window: Mapped[list[dict[str, Any]]] = field(
        Periods(), _l("Hours for making calls"), optional=True, also="Permissão por horário",
        help=_l("Outside these ranges the extensions cannot call anybody, inside or outside; they are called as always, and emergency calls always "
                "pass. Without a range: any time."),
    )
    voicemail: Mapped[bool] = field(
        Boolean(), _l("Voicemail"), default=False, also="Voicemail Correio de voz",
        help=_l("A mailbox for each of these extensions, offered to callers while its phone is not registered."),
    )
    follow_me: Mapped[bool] = field(
        Boolean(), _l("Follow-me"), default=False, also="Siga-me",
        help=_l("These extensions may divert their calls to another number."),
    )
    lock: Mapped[bool] = field(
        Boolean(), _l("Lock"), default=False, also="Cadeado",
        help=_l("These extensions may be locked: then they call nobody but emergency numbers."),
    )
    password_call: Mapped[bool] = field(
        Boolean(), _l("Password for outside calls"), default=False, also="PasswordCall",
        help=_l("A call to outside waits for the feature password of a person of the extension; the records name that person."),
    )

    def stored(self) -> None:
        """Extensions of a class with voicemail have mailboxes."""
        if self.voicemail:
            extensions = resources.TABLE["extensions"]
            for extension in db.session.scalars(select(extensions.model).where(extensions.model.extension_class_id == self.id)):
                extension.stored()


resource = Resource(
    ExtensionClass, word="extension_classes", label=_l("Classes"), one=_l("class"), new=_l("New class"),
    key="name", group="telephony",
    icon="tag", columns=["name", "simultaneous_calls", "ring_timeout_seconds", "caller_id", "nat", "recording"], search=["name"],
    tabs={_l("General"): ["name", "simultaneous_calls", "ring_timeout_seconds", "caller_id", "nat", "recording"],
          _l("Features"): ["voicemail", "follow_me", "lock", "password_call"], _l("Hours"): ["call_time_window"]},
    empty=_l("A class says what its extensions may do. Create one and choose it in the extensions."),
    also="Categorias de ramais",
)
