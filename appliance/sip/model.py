"""The SIP page: ports, external address and NAT, general lines of old manuals (SYS-07, TRK-20, TRK-21)."""

import ipaddress

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance import ports, settings
from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Boolean, Numbers, Pattern, Text, Whole, field
from appliance.ports import Ports
from appliance.resource import Resource
from appliance.sip import lines

LEAST_VOICE_PORTS = 20  # five calls between two phones
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
    sip_port: Mapped[int | None] = field(
        Whole(1024, 65535), _l("SIP port"), optional=True, default=None, example="5070", also="Porta SIP Central de Telefonia", restart=True,
        help=_l("UDP and TCP. Empty: 5060, or what the machine's environment says. Phones that fetch their files here follow by themselves, within a minute "
                "of the restart; others, and suppliers that know you by address, must be changed by hand."),
    )
    rtp_start: Mapped[int | None] = field(
        Whole(1024, 65534), _l("First voice port"), optional=True, default=None, example="10000", also="RTP porta de áudio",
        help=_l("UDP. Empty: 10000, or what the machine's environment says. New calls use the new ports at once; calls that are up keep theirs."),
    )
    rtp_end: Mapped[int | None] = field(
        Whole(1024, 65535), _l("Last voice port"), optional=True, default=None, example="20000", also="RTP porta de áudio",
        help=_l("Each side of a call takes two. A router before the exchange must let in what lies between first and last."),
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
        self._check_ports()
        if self.nat and not self.external_ip:
            raise Refused(_("Write the external IP, or turn NAT off."), field="external_ip")
        wrong = [f"{_('line')} {number}: {found}" for number, found in lines.read_block(self.general_lines) if isinstance(found, str)]
        if wrong:
            raise Refused(" ".join(wrong), field="general_lines")

    def ports(self) -> Ports:
        """Those this row wants, with the environment's where it says nothing."""
        machine = ports.of_machine(settings.load())
        return Ports(self.sip_port or machine.sip, self.rtp_start or machine.rtp_start, self.rtp_end or machine.rtp_end)

    def _check_ports(self) -> None:
        if self.sip_port is self.rtp_start is self.rtp_end is None:
            return  # what the environment says is the technician's choice, and no reason to refuse another field
        machine, wanted = settings.load(), self.ports()
        if wanted.rtp_end - wanted.rtp_start < LEAST_VOICE_PORTS - 1:
            raise Refused(_("At least %(count)s voice ports: from %(first)s the last one is %(last)s or higher.", count=LEAST_VOICE_PORTS,
                            first=wanted.rtp_start, last=wanted.rtp_start + LEAST_VOICE_PORTS - 1), field="rtp_end" if self.rtp_end else "rtp_start")
        if wanted.rtp_start <= wanted.sip <= wanted.rtp_end:
            raise Refused(_("%(port)s lies among the voice ports (%(first)s to %(last)s).", port=wanted.sip, first=wanted.rtp_start, last=wanted.rtp_end),
                          field="sip_port" if self.sip_port else "rtp_start")
        if self.sip_port is None or wanted.sip in (ports.listening(machine).sip, ports.in_force(machine).sip):
            return
        holder = ports.holder(machine, wanted.sip)
        if holder:
            raise Refused(_("Port %(port)s of this machine is taken (by %(program)s). Choose another.", port=wanted.sip, program=holder), field="sip_port")

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
    tabs={_l("Network"): ["nat", "external_ip", "local_networks"], _l("Ports"): ["sip_port", "rtp_start", "rtp_end"],
          _l("General lines"): ["general_lines", "allow_guests"]},
    also="SIP NAT IP Externo SipGeneralConfig rede porta RTP Central de Telefonia",
)
