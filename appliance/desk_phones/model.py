"""Desk phones that fetch their configuration here, known by MAC (EXT-09, SYS-01 to SYS-04)."""

import re
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, String, delete, func, inspect, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, Instant, Sealed, db
from appliance.desk_phones import models
from appliance.errors import Refused
from appliance.extensions.model import Extension
from appliance.fields import Choice, Reader, Secret, Text, field
from appliance.links import OfExtension
from appliance.resource import Resource


def spelled(text: str) -> str:
    """A MAC as it is kept, 00:0b:82:12:34:56, of any way to write it; "" for what is none."""
    digits = re.sub(r"[\s:.-]", "", text).lower()
    return ":".join(re.findall("..", digits)) if re.fullmatch(r"[0-9a-f]{12}", digits) else ""


class Mac(Text):
    """A hardware address of one device, kept in one spelling."""

    def __init__(self) -> None:
        super().__init__(40)

    def as_key(self, text: str) -> str:
        return spelled(text) or text

    def refine(self, text: str, reader: Reader) -> str | None:
        mac = spelled(text)
        if not mac:
            return reader.refuse(_("“%(text)s” is not a MAC address: it has 12 signs, 0 to 9 and a to f, as 00:0b:82:12:34:56. It stands on the label of "
                                   "the phone.", text=text))
        if int(mac[:2], 16) & 1 or set(mac) == {"0", ":"}:
            return reader.refuse(_("“%(text)s” is no address of one device. Write the one on the label of the phone.", text=text))
        return mac


class PhoneModel(Choice):
    """A model of the table. Those that are not provisioned are known, so that the refusal can say why, but not offered."""

    def __init__(self) -> None:
        super().__init__({model.name: model.name for model in models.MODELS})

    def options(self, row: Any = None) -> list[tuple[str, str]]:
        return [(model.name, f"{models.BRANDS[model.brand]} {model.name}") for model in models.MODELS if model.format]

    def read(self, value: Any, reader: Reader) -> str | None:
        known = models.named(value) if isinstance(value, str) else None
        if known is None:
            return reader.refuse(_("“%(value)s” is no model of the list under Compatibility.", value=value))
        return known.name


class PagePassword(Secret):
    """The password of the phone's own page. Phones take letters and digits for certain, and short ones."""

    def __init__(self) -> None:
        super().__init__(8)

    def read(self, value: Any, reader: Reader) -> str | None:
        text = value if isinstance(value, str) else ""
        if not re.fullmatch(r"[A-Za-z0-9]{8,20}", text):
            return reader.refuse(_("8 to 20 letters and digits."))
        return text


class DeskPhone(Base):
    """A phone on a desk and the extension it shall be. It takes effect when the phone fetches its files; nothing is applied."""

    __tablename__ = "desk_phones"
    id: Mapped[int] = mapped_column(primary_key=True)
    mac: Mapped[str] = field(
        Mac(), _l("MAC address"), unique=True, example="00:0b:82:12:34:56", also="MAC endereço físico",
        help=_l("What the phone is known by. It stands on its label, with or without colons."),
    )
    extension: Mapped[str] = field(
        OfExtension(), _l("Extension"), example="1001", also="Ramal",
        help=_l("What the phone becomes; “Provisioning” must be on in the extension."),
    )
    brand: Mapped[str] = field(
        Choice(models.BRANDS), _l("Brand"), default=models.KHOMP, also="Marca", help=_l("It stands in the address the phone fetches its files from."),
    )
    model: Mapped[str] = field(
        PhoneModel(), _l("Model"), default="IPS 200", example="GXP1625", also="Modelo",
        help=_l("Decides the format of the files. What is known of each model stands under Compatibility."),
    )
    admin_password: Mapped[str] = field(
        PagePassword(), _l("Password of the phone's page"), also="Senha da página do aparelho",
        help=_l("The phone's own page asks it from the user admin, because the factory's password would show the SIP password to everybody. "
                "Left empty for a new phone it is generated."),
    )

    def check(self) -> None:
        """Model and brand fit, the format is known, and the extension lets so many phones register."""
        known = models.BY_NAME[self.model]
        if known.brand != self.brand:
            raise Refused(_("%(model)s is a model of %(brand)s.", model=self.model, brand=models.BRANDS[known.brand]), field="model")
        if not known.format:
            raise Refused(_("The file format of the %(model)s is not publicly known, so it cannot be provisioned. Set it up on its own page.",
                            model=self.model), field="model", link="/desk_phones/models")
        extension = self.of_extension()
        query = select(func.count()).select_from(DeskPhone).where(DeskPhone.extension == self.extension, DeskPhone.id != (self.id or 0))
        if (db.session.scalar(query) or 0) >= extension.devices:
            raise Refused(_("Extension %(number)s lets %(count)s of its phones register at the same time. Raise “Devices” there first.",
                            number=self.extension, count=extension.devices), field="extension", link=f"/extensions/{extension.id}")
        attributes = inspect(self).attrs
        self._is_another = any(attributes[name].history.has_changes() for name in ("mac", "brand", "model"))

    def stored(self) -> None:
        """Another device has to be let in anew: what the former one knows opens nothing any more."""
        if self._is_another:
            db.session.execute(delete(DeskPhoneKey).where(DeskPhoneKey.desk_phone_id == self.id))

    def of_extension(self) -> Extension:
        """The row of its extension."""
        return db.session.scalars(select(Extension).where(Extension.number == self.extension)).one()


class DeskPhoneKey(Base):
    """What lets a phone in (doors.py), and what is known of its visits. No part of the row: no revision, file or difference holds it.

    pairing_digest  of the one-time secret a person was shown; it and the window end with the first fetch (and a short grace)
    key             the secret of this very phone, in the address its own file tells it; `key_digest` finds it
    number, port    the extension the newest served file was of, and its SIP port: where the phone is registered until it fetches the next
    """

    __tablename__ = "desk_phone_keys"
    id: Mapped[int] = mapped_column(primary_key=True)
    desk_phone_id: Mapped[int] = mapped_column(ForeignKey("desk_phones.id", ondelete="CASCADE"), unique=True)
    pairing_digest: Mapped[str | None] = mapped_column(String(60), index=True)
    opens_without_secret: Mapped[bool] = mapped_column(default=False)
    window_until: Mapped[datetime | None] = mapped_column(Instant())
    paired_at: Mapped[datetime | None] = mapped_column(Instant())
    key: Mapped[str | None] = mapped_column(Sealed())
    key_digest: Mapped[str | None] = mapped_column(String(60), index=True)
    fetched_at: Mapped[datetime | None] = mapped_column(Instant())
    fetched_from: Mapped[str] = mapped_column(String(60), default="")
    fetched_agent: Mapped[str] = mapped_column(String(160), default="")
    phonebook_at: Mapped[datetime | None] = mapped_column(Instant())
    number: Mapped[str] = mapped_column(String(10), default="")
    port: Mapped[int | None] = mapped_column()


resource = Resource(
    DeskPhone, word="desk_phones", label=_l("Desk phones"), one=_l("desk phone"), new=_l("New desk phone"), key="mac", group="telephony",
    icon="dialpad", columns=["mac", "extension", "brand", "model"], search=["mac", "extension", "model"], filters=["brand", "model"], applies=False,
    tabs={_l("General"): ["mac", "extension", "brand", "model", "admin_password"]},
    empty=_l("A desk phone fetches its configuration and phone book here. Turn “Provisioning” on in an extension and create its phone."),
    also="Provisionamento telefone IP aparelho MAC Khomp Grandstream Intelbras provisioning",
)


def key_of(desk_phone_id: int) -> DeskPhoneKey | None:
    """What lets this phone in; None before it was provisioned for the first time."""
    return db.session.scalar(select(DeskPhoneKey).where(DeskPhoneKey.desk_phone_id == desk_phone_id))
