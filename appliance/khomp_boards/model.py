"""Khomp boards (placas Khomp): what the channels of Khomp trunks lie on, read from the driver or declared by hand (TRK-16, TRK-17)."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import khomp_channels
from appliance import resource as resources
from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import Pattern, Whole, field
from appliance.khomp_channels import Channel
from appliance.resource import Resource

DECLARED, FROM_DRIVER = "declared", "driver"


class KhompBoard(Base):
    """A board or EBS device by its index, from 0 as the driver counts."""

    __tablename__ = "khomp_boards"
    id: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = field(
        Whole(0, 99), _l("Board"), unique=True, also="Placa dispositivo índice",
        help=_l("Number the driver gives the device, from 0. It may change when devices are added or taken away."),
    )
    model: Mapped[str] = field(
        Pattern(40, r"[A-Za-z0-9][A-Za-z0-9 _./-]*", _l("Letters, digits, spaces and _ . / - only.")), _l("Model"), example="EBS-FXO",
        also="Modelo EBS FXO FXS GSM E1", help=_l("As the driver or the label says it. E1, FXS and GSM in it are recognised."),
    )
    channels: Mapped[int] = field(
        Whole(1, 480), _l("Channels"), also="Canais", help=_l("How many channels the device has; on E1, 30 per link."),
    )
    links: Mapped[int | None] = field(
        Whole(0, 16), _l("E1 links"), optional=True, default=None, help=_l("Only for E1. Left empty they follow from the channels."),
    )
    serial: Mapped[str] = field(
        Pattern(20, r"[A-Za-z0-9-]+", _l("Letters, digits and - only.")), _l("Serial number"), optional=True, default="", example="2352",
        also="Número de série", help=_l("Tells whether the device at this number is still the same one."),
    )
    source: Mapped[str] = mapped_column(String(10), default=DECLARED)  # who said it last: a person, or the driver

    def check(self) -> None:
        """Links hold 30 channels each; channels a trunk uses stay."""
        if self.links and self.channels > self.links * khomp_channels.LINK_CHANNELS:
            raise Refused(_("%(links)s links have %(most)s channels at most.", links=self.links, most=self.links * khomp_channels.LINK_CHANNELS), field="channels")
        if not self.id:
            return
        for trunk, channel in self._used():
            if channel[0] == self.index and channel[1] >= self.channels:
                raise Refused(_("The trunk %(trunk)s uses %(channel)s. Take the channel out of the trunk first.", trunk=trunk.name,
                                channel=khomp_channels.name_of(channel)), field="channels", link=f"/trunks/{trunk.id}")
        before = db.session.scalar(select(KhompBoard.index).where(KhompBoard.id == self.id))
        if before != self.index and any(channel[0] == before for _trunk, channel in self._used()):
            raise Refused(_("Trunks use channels of board %(index)s. Take them out of the trunks first.", index=before), field="index")

    def _used(self) -> list[tuple[Any, Channel]]:
        trunks = db.session.scalars(select(resources.TABLE["trunks"].model)).all()
        named = ((trunk, khomp_channels.channel_of(name)) for trunk in trunks for name in trunk.channels)
        return [(trunk, channel) for trunk, channel in named if channel]

    @property
    def name(self) -> str:
        """What stands beside the number in titles."""
        return self.model

    @property
    def link_count(self) -> int:
        """E1 links; 0 for analog and GSM devices."""
        return self.links if self.links is not None else khomp_channels.links_of(self.model, self.channels)

    @property
    def is_for_handsets(self) -> bool:
        """FXS: telephones, no lines. Its channels are for no trunk."""
        return khomp_channels.is_for_handsets(self.model)


def boards() -> list[KhompBoard]:
    """All boards in the order of the driver."""
    return list(db.session.scalars(select(KhompBoard).order_by(KhompBoard.index)))


resource = Resource(
    KhompBoard, word="khomp_boards", label=_l("Khomp boards"), one=_l("Khomp board"), new=_l("New Khomp board"), key="index",
    group="telephony", icon="server", columns=["index", "model", "channels", "links", "serial"], search=["index", "model", "serial"],
    tabs={_l("General"): ["index", "model", "channels", "links", "serial"]},
    empty=_l("Khomp boards and EBS devices carry telephone lines (FXO, GSM, E1). They are read from Khomp's driver; while it is not installed, "
             "declare them here by hand."),
    also="Placas Khomp EBS FXO GSM E1 K3L canais", applies=False,  # what is applied are the trunks on them
)
