"""The SIP page: external address and NAT, general lines of old manuals (TRK-20, TRK-21)."""

import ipaddress

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Boolean, Numbers, Pattern, Text, field
from appliance.resource import Resource
from appliance.sip import lines

PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8"]


class Sip(Base):
    """One row: how SIP works on this machine."""

    __tablename__ = "sip"
    id: Mapped[int] = mapped_column(primary_key=True)
    nat: Mapped[bool] = field(
        Boolean(), _l("Behind NAT"), default=False, also="NAT", restart=True,
        help=_l("The exchange has a private address and outside peers reach it by the external IP."),
    )
    external_ip: Mapped[str] = field(
        Pattern(45, r"[0-9a-fA-F.:]+", _l("Write an IP address, for example 200.1.2.3.")), _l("External IP"), optional=True,
        default="", example="200.1.2.3", also="IP Externo", restart=True,
        help=_l("Address that peers outside the local networks see in SIP and audio."),
    )
    local_networks: Mapped[list[str]] = field(
        Numbers(r"[0-9a-fA-F.:]+/[0-9]{1,3}", _l("write a network such as 192.168.0.0/16")), _l("Local networks"), optional=True,
        default=lambda: list(PRIVATE), restart=True, help=_l("Peers in these networks get the local address."),
    )
    general_lines: Mapped[str] = field(
        Text(4000, lines=True), _l("General SIP lines"), optional=True, default="", also="SipGeneralConfig",
        help=_l("Lines of old manuals (chan_sip), one per line. Each is translated; what is unknown is refused."),
    )
    allow_guests: Mapped[bool] = field(
        Boolean(), _l("I confirm: unknown callers may ring my extensions"), default=False,
        help=_l("Only with allowguest=yes above. Opens the exchange to strangers; they reach extensions, never trunks."),
    )

    def check(self) -> None:
        """The addresses are addresses, and every general line is known."""
        for name, value in [("external_ip", self.external_ip), *(("local_networks", network) for network in self.local_networks)]:
            try:
                ipaddress.ip_network(value or "127.0.0.1", strict=False)
            except ValueError:
                raise Refused(_("“%(value)s” is not an address.", value=value), field=name) from None
        if self.nat and not self.external_ip:
            raise Refused(_("Write the external IP, or turn NAT off."), field="external_ip")
        wrong = [f"{_('line')} {number}: {found}" for number, found in lines.read_block(self.general_lines) if isinstance(found, str)]
        if wrong:
            raise Refused(" ".join(wrong), field="general_lines")

    def translations(self) -> list[lines.Translation]:
        """What the general lines mean here."""
        return [found for _number, found in lines.read_block(self.general_lines) if isinstance(found, lines.Translation)]

    def general(self, option: str) -> str:
        """The value a general line gives an option, "" when none does."""
        return next((found.value for found in reversed(self.translations()) if found.option == option), "")

    def guests_allowed(self) -> bool:
        """allowguest=yes counts only when it was confirmed."""
        return self.allow_guests and self.general("allowguest") == "yes"


resource = Resource(
    Sip, word="sip", label=_l("SIP"), one=_l("SIP settings"), group="system", icon="world", single=True,
    tabs={_l("Network"): ["nat", "external_ip", "local_networks"], _l("General lines"): ["general_lines", "allow_guests"]},
    also="SIP NAT IP Externo SipGeneralConfig rede",
)
