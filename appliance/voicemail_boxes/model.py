"""Mailboxes: one for each extension whose class has voicemail (EXT-16, FEA-17, FEA-28)."""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, String, inspect, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance import changes
from appliance.db import Base, Instant, db
from appliance.errors import Refused
from appliance.extensions.model import Extension
from appliance.fields import Boolean, Choice, Pattern, Seconds, Whole, field
from appliance.links import OfExtension, Reference
from appliance.resource import Resource
from appliance.users.model import User

OFFLINE, UNANSWERED, ALSO_BUSY = "offline", "no_answer", "busy"
OFFERED = {
    OFFLINE: _l("the phone is not registered"), UNANSWERED: _l("not registered or not answered"), ALSO_BUSY: _l("not registered, not answered or busy"),
}


class VoicemailBox(Base):
    """The mailbox of an extension. Asterisk calls it by the extension's row id, so that messages survive a new number."""

    __tablename__ = "voicemail_boxes"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = field(
        OfExtension(), _l("Extension"), unique=True, example="1001", also="Ramal", help=_l("Whose mailbox it is; its class must have voicemail."),
    )
    offered: Mapped[str] = field(
        Choice(OFFERED), _l("Offered when"), default=OFFLINE, help=_l("When a caller who did not reach the extension may leave a message."),
    )
    prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("Greeting"), name="prompt", optional=True, also="Saudação",
        help=_l("What callers hear before the tone. Empty: the exchange's own announcement."),
    )
    email: Mapped[str] = field(
        Pattern(120, r"[^@\s]+@[^@\s]+\.[^@\s]+", _l("This is not an e-mail address.")), _l("E-mail"), optional=True, default="",
        help=_l("Told of every new message; the mail server is set under System, E-mail. Only the person of the extension and administrators change it."),
    )
    attach: Mapped[bool] = field(
        Boolean(), _l("Attach the sound"), default=True, help=_l("The message itself comes with the e-mail. Only the person of the extension and administrators change it."),
    )
    max_messages: Mapped[int] = field(
        Whole(1, 1000), _l("Most messages"), default=100, help=_l("With so many the mailbox is full, and callers are told."),
    )
    max_seconds: Mapped[int] = field(
        Seconds(10, 1800), _l("Longest message"), default=180, help=_l("After so long a message ends by itself."),
    )

    extension_id: Mapped[int] = mapped_column(ForeignKey("extensions.id", ondelete="CASCADE"), unique=True)
    extension: Mapped[Extension] = relationship(foreign_keys=[extension_id])

    def check(self) -> None:
        """The extension's class has voicemail, and whoever chooses where messages are sent may hear them."""
        self.extension = db.session.scalars(select(Extension).where(Extension.number == self.number)).one()
        self.extension_id = self.extension.id
        permitted = self.extension.extension_class
        if not permitted.voicemail and not changes.is_site_file():  # the same file may bring it; a call looks for it anyway
            raise Refused(_("The class “%(name)s” of this extension has no voicemail. Turn it on there first.", name=permitted.name), field="number",
                          link=f"/extension_classes/{permitted.id}")
        self._check_listener()

    def _check_listener(self) -> None:
        """Messages are heard by their own person and administrators; an e-mail with the sound is a way to hear them. So nobody else sets
        the address or the sound, nor takes a mailbox with an address to another extension. What no person does (a site file on the
        machine, the program itself) is not asked."""
        moved = inspect(self).attrs
        touched = [name for name in ("email", "attach") if self.id and moved[name].history.has_changes()]
        if self.email and not touched and (not self.id or moved["number"].history.has_changes()):
            touched = ["email"]
        acting = changes.actor.get().user_id
        person = db.session.get(User, acting) if acting else None
        if touched and acting and not (person and may_listen(person, self.extension_id)):
            raise Refused(_("Only the person of extension %(number)s and administrators choose where its messages are sent.", number=self.number),
                          field=touched[0])


class VoicemailMessage(Base):
    """A message that was seen: it is announced by e-mail once, whatever happens to it. `message_id` is Asterisk's; `claimed_at` is when a
    worker began to write about it, and `mailed_at` when the mail server had taken it."""

    __tablename__ = "voicemail_messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    extension_id: Mapped[int] = mapped_column(ForeignKey("extensions.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[str] = mapped_column(String(80), unique=True)
    seen_at: Mapped[datetime] = mapped_column(Instant())
    claimed_at: Mapped[datetime | None] = mapped_column(Instant())
    mailed_at: Mapped[datetime | None] = mapped_column(Instant())


resource = Resource(
    VoicemailBox, word="voicemail_boxes", label=_l("Voicemail"), one=_l("mailbox"), new=_l("New mailbox"), key="number", group="telephony",
    icon="message", columns=["number", "offered", "email", "max_messages"], search=["number", "email"], filters=["offered"],
    tabs={_l("General"): ["number", "offered", "prompt", "email", "attach", "max_messages", "max_seconds"]}, destination="voicemail",
    empty=_l("Every extension whose class has voicemail has a mailbox here by itself. Turn voicemail on in a class first."),
    also="Voicemail Correio de voz caixa postal recado",
)


def may_listen(person: User, extension_id: int) -> bool:
    """Whether a person may hear the messages of an extension: its own, and administrators."""
    return bool(person.administrator or (person.extension_id and person.extension_id == extension_id))


def of_extension(extension_id: int) -> VoicemailBox | None:
    """The mailbox of an extension."""
    return db.session.scalar(select(VoicemailBox).where(VoicemailBox.extension_id == extension_id))
