"""What a person sets at an extension, by telephone, page or API: where its calls go on, and whether it is locked (EXT-17, EXT-18, PAN-18).

The rows are the truth. Asterisk reads a copy in its own database during calls (state.py), so nothing is applied.
"""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance import changes, lanes, numbering
from appliance.company.model import Company
from appliance.db import Base, db
from appliance.errors import Refused
from appliance.extensions.model import Extension
from appliance.fields import Boolean, Choice, Phone, field
from appliance.links import OfExtension
from appliance.resource import SINGLE_ID, Resource

OFF, INTERNAL, EXTERNAL, ANY = "off", "internal", "external", "any"
ORIGINS = {OFF: _l("nobody"), INTERNAL: _l("internal callers"), EXTERNAL: _l("external callers"), ANY: _l("all callers")}
ALWAYS, BUSY, UNAVAILABLE = "always", "busy", "unavailable"
SITUATIONS = (ALWAYS, BUSY, UNAVAILABLE)


class FollowMe(Base):
    """One extension's choices; an extension without a row diverts nobody and is not locked."""

    __tablename__ = "follow_me"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = field(
        OfExtension(), _l("Extension"), unique=True, example="1001", also="Ramal",
        help=_l("The extension whose calls go on to somewhere else."),
    )
    is_locked: Mapped[bool] = field(
        Boolean(), _l("Locked"), default=False, also="Cadeado",
        help=_l("It calls nobody but emergency numbers; it still receives calls."),
    )
    always_from: Mapped[str] = field(
        Choice(ORIGINS), _l("Always, for"), default=OFF, also="Siga-me sempre", help=_l("Whose calls go on at once, without ringing here."),
    )
    always_to: Mapped[str] = field(
        Phone(), _l("Always, to"), optional=True, default="", example="1002", show_if=("always_from", "internal,external,any"),
        help=_l("An extension or another number inside, or an outside number as you dial it."),
    )
    busy_from: Mapped[str] = field(
        Choice(ORIGINS), _l("When busy, for"), default=OFF, also="Siga-me ocupado", help=_l("Whose calls go on when the extension is in a call."),
    )
    busy_to: Mapped[str] = field(
        Phone(), _l("When busy, to"), optional=True, default="", show_if=("busy_from", "internal,external,any"),
        help=_l("An extension or another number inside, or an outside number as you dial it."),
    )
    unavailable_from: Mapped[str] = field(
        Choice(ORIGINS), _l("When unavailable, for"), default=OFF, also="Siga-me indisponível não atende",
        help=_l("Whose calls go on when nobody answers within the ring time, or the phone is not registered."),
    )
    unavailable_to: Mapped[str] = field(
        Phone(), _l("When unavailable, to"), optional=True, default="", show_if=("unavailable_from", "internal,external,any"),
        help=_l("An extension or another number inside, or an outside number as you dial it."),
    )

    extension_id: Mapped[int] = mapped_column(ForeignKey("extensions.id", ondelete="CASCADE"), unique=True)
    extension: Mapped[Extension] = relationship(foreign_keys=[extension_id])

    def rule(self, situation: str) -> tuple[str, str]:
        """(whose calls, the number) of a situation."""
        return getattr(self, f"{situation}_from"), getattr(self, f"{situation}_to")

    def check(self) -> None:
        """The extension exists, its class permits what is chosen, and every number leads somewhere."""
        self.extension = _extension(self.number)
        self.extension_id = self.extension.id
        permitted = self.extension.extension_class
        any_class = changes.is_site_file()  # the same file may bring the permission; a call looks for it anyway
        if self.is_locked and not (permitted.lock or any_class):
            raise Refused(_("The class “%(name)s” of this extension does not permit the lock.", name=permitted.name), field="is_locked")
        for situation in SITUATIONS:
            origin, number = self.rule(situation)
            if origin == OFF:
                setattr(self, f"{situation}_to", "")
                continue
            if not (permitted.follow_me or any_class):
                raise Refused(_("The class “%(name)s” of this extension does not permit follow-me.", name=permitted.name), field=f"{situation}_from")
            self._check_number(f"{situation}_to", number)

    def _check_number(self, name: str, number: str) -> None:
        if not number:
            raise Refused(_("Write the number the calls go on to."), field=name)
        if number == self.number:
            raise Refused(_("That is this very extension."), field=name)
        company = db.session.get(Company, SINGLE_ID)
        if numbering.holder(number) is None and company is not None:
            if number.removeprefix(company.external_line_prefix) in company.emergency_numbers:
                raise Refused(_("Calls never go on to an emergency number."), field=name)
            if company.overflow_profile_id is None:
                raise Refused(_("%(number)s is no number inside, and no profile for overflows is chosen: it would be refused.", number=number),
                              field=name, link="/company")

    def stored(self) -> None:
        """Asterisk's copy follows after the commit."""
        lanes.put("telephony", "jobs.follow_me.put", self.extension_id)

    def check_delete(self) -> None:
        """Nothing forbids it; Asterisk's copy goes too."""
        lanes.put("telephony", "jobs.follow_me.put", self.extension_id)


def _extension(number: str) -> Extension:
    found = db.session.scalar(select(Extension).where(Extension.number == number))
    if found is None:
        raise Refused(_("There is no extension %(number)s.", number=number), field="number")
    return found


def of_extension(extension_id: int) -> FollowMe | None:
    """The row of an extension."""
    return db.session.scalar(select(FollowMe).where(FollowMe.extension_id == extension_id))


resource = Resource(
    FollowMe, word="follow_me", label=_l("Follow-me and lock"), one=_l("follow-me"), new=_l("New follow-me"), key="number", group="telephony",
    icon="phone-outgoing", columns=["number", "is_locked", "always_from", "always_to", "busy_to", "unavailable_to"],
    search=["number", "always_to", "busy_to", "unavailable_to"], filters=["is_locked"], applies=False,
    tabs={_l("General"): ["number", "is_locked", "always_from", "always_to", "busy_from", "busy_to", "unavailable_from", "unavailable_to"]},
    empty=_l("Follow-me sends the calls of an extension to another number. People set it by telephone or here; create the first one."),
    also="Siga-me cadeado desvio encaminhar",
)
