"""Trunks (troncos): lines to carriers, gateways and other exchanges (TRK-01 to TRK-05, TRK-07 to TRK-19)."""

import ipaddress
import re
import socket
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.datastructures import MultiDict

from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Boolean, Choice, Digits, Kind, Name, Pattern, Reader, Secret, Text, Whole, Words, field
from appliance.khomp_channels import ASCENDING
from appliance.resource import Resource
from appliance.sip import lines
from appliance.trunks import khomp

SIP, KHOMP = "sip", "khomp"
RECEIVES, SENDS, BY_IP = "receives_registration", "sends_registration", "by_ip"
CODECS = {"alaw": "G.711 A-law", "ulaw": "G.711 µ-law", "g722": "G.722", "g729": "G.729", "gsm": "GSM", "opus": "Opus"}
NUMBER_FORMATS = {
    "as_is": _l("as delivered"),
    "national": _l("national: area code and number"),
    "e164": _l("international: 55, area code and number"),
}


class Extra(Kind):
    """Free extra settings of a supplier: option → value, each known or translated (TRK-13)."""

    widget, schema = "extra", dict[str, str]

    @property
    def empty(self) -> dict[str, str]:
        return {}

    def column(self) -> Any:
        return JSON()

    def read(self, value: Any, reader: Reader) -> dict[str, str] | None:
        if not isinstance(value, dict):
            return reader.refuse(_("Write option: value pairs."))
        for number, (key, text) in enumerate(value.items(), 1):
            found = lines.translate(str(key), str(text))
            if isinstance(found, str) and not khomp.explain_extra(str(key), str(text)):
                continue  # a line of a Khomp trunk; whether this is one is known to the row (check)
            if isinstance(found, str) or found.option == "allowguest":
                reader.refuse(f"{_('line')} {number}: {found if isinstance(found, str) else found.meaning}")
        return {str(key).strip().lower(): str(text).strip() for key, text in value.items()}

    def text(self, stored: Any) -> str:
        return "\n".join(f"{key}={value}" for key, value in (stored or {}).items())

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        pairs = (line.partition("=") for line in form.get(name, "").splitlines() if line.strip())
        return {key.strip(): value.strip() for key, _equals, value in pairs}


class Trunk(Base):
    """A trunk. Its endpoint is `trunk-<id>`; one that registers to us bears its user name instead."""

    __tablename__ = "trunks"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, example="Operadora", help=_l("Shown in routes and reports."))
    enabled: Mapped[bool] = field(
        Boolean(), _l("Enabled"), default=True, also="Habilita",
        help=_l("Off: calls in progress go on, new ones are refused and its routes rest."),
    )
    protocol: Mapped[str] = field(
        Choice({SIP: "SIP", KHOMP: "Khomp"}), _l("Protocol"), default=SIP, also="Protocolo Khomp SIP",
        help=_l("SIP: a carrier, gateway or exchange over the network. Khomp: lines on a board or EBS device, by Khomp's driver."),
    )
    authentication: Mapped[str] = field(
        Choice({BY_IP: _l("By IP"), SENDS: _l("Sends registration"), RECEIVES: _l("Receives registration")}),
        _l("Authentication"), default=BY_IP, show_if=("protocol", SIP), also="Tipo de autenticação Envia registro Recebe Registro Por IP",
        help=_l("By IP: both sides know each other's address. Sends: we register at the carrier. Receives: a gateway registers here."),
    )
    host: Mapped[str] = field(
        Pattern(100, r"[A-Za-z0-9.:-]+", _l("Write an IP address or a host name.")), _l("Host"), optional=True, default="",
        example="sip.operadora.com.br", also="Endereço/Host", show_if=("authentication", f"{BY_IP},{SENDS}"),
        help=_l("Where the carrier is: a name or an IP address, as it stands in the carrier's data."),
    )
    port: Mapped[int] = field(
        Whole(1, 65535), _l("Port"), default=5060, show_if=("authentication", f"{BY_IP},{SENDS}"),
        help=_l("The carrier's SIP port, usually 5060."),
    )
    username: Mapped[str] = field(
        Pattern(40, r"[A-Za-z0-9_.+-]+", _l("Letters, digits and _ . + - only.")), _l("User"), optional=True, default="", also="Usuário",
        show_if=("authentication", f"{RECEIVES},{SENDS}"),
        help=_l("The user of the registration, as the carrier gave it; often the number with area code."),
    )
    password: Mapped[str | None] = field(
        Secret(1, generated=False), _l("Password"), optional=True, also="Senha", show_if=("authentication", f"{RECEIVES},{SENDS}"),
        help=_l("The carrier's, when we register there. Left empty for a gateway that registers here, it is generated."),
    )
    line: Mapped[str] = field(
        Pattern(40, r"[A-Za-z0-9_.+-]+", _l("Letters, digits and _ . + - only.")), _l("Line"), optional=True, default="",
        also="Tronco (linha)", show_if=("authentication", SENDS), help=_l("User part of the contact we register, often the main number."),
    )
    registration: Mapped[str] = field(
        Text(200), _l("Registration in one line"), optional=True, default="", also="Registro", input_only=True, show_if=("authentication", SENDS),
        example="usuario:senha@host/tronco", help=_l("Fills user, password, host and line, and is not kept."),
    )
    qualify: Mapped[bool] = field(
        Boolean(), _l("Monitor status"), default=True, show_if=("protocol", SIP), also="Qualify Monitorar Status",
        help=_l("Ask the far end every 30 s whether it is there (OPTIONS); a dead trunk overflows at once."),
    )
    caller_id: Mapped[str] = field(
        Digits(20), _l("Caller ID"), optional=True, default="", example="4830139018", also="Bina",
        help=_l("Number shown when neither route nor class says another."),
    )
    number_format: Mapped[str] = field(
        Choice(NUMBER_FORMATS), _l("Format of called numbers"), default="as_is",
        help=_l("How numbers this carrier delivers are brought to one form before the inbound routes."),
    )
    default_number: Mapped[str] = field(
        Digits(20), _l("Number for calls without one"), optional=True, default="",
        help=_l("Lines that deliver no called number are treated as if this one was called."),
    )
    codecs: Mapped[list[str]] = field(
        Words(CODECS, most=4), _l("Codecs"), default=lambda: ["alaw", "ulaw"], show_if=("protocol", SIP), help=_l("Up to four, in order of preference."),
    )
    call_limit: Mapped[int | None] = field(
        Whole(1, 10000), _l("Call limit"), optional=True, default=None, also="Limite de chamadas",
        help=_l("Outgoing calls at the same time; the next one overflows. Empty: no limit."),
    )
    allocation: Mapped[str] = field(
        Choice(khomp.ORDERS), _l("Channel allocation"), default=ASCENDING, show_if=("protocol", KHOMP), also="Alocação dos canais Crescente Decrescente Rotacionado",
        help=_l("Which free channel the next call takes. On E1 ascending at one side and descending at the other keep both from taking "
                "the same one; cyclic is for FXO and GSM."),
    )
    channels: Mapped[list[str]] = field(
        khomp.Channels(), _l("Channels"), optional=True, show_if=("protocol", KHOMP), also="Seleção de canais Canais",
        help=_l("At least one. A channel belongs to one trunk; calls that arrive on it are this trunk's."),
    )
    drop_collect_call: Mapped[bool] = field(
        Boolean(), _l("Drop collect calls"), default=False, show_if=("protocol", KHOMP), also="Ligação a cobrar derrubar",
        help=_l("The driver hangs up on every call that arrives as a collect call."),
    )
    echo_canceller: Mapped[bool] = field(
        Boolean(), _l("Cancel echo"), default=True, show_if=("protocol", KHOMP), also="Cancelador de eco",
        help=_l("Keep it on; on the board's own configuration it must be off, because the driver does it."),
    )
    input_volume: Mapped[int] = field(
        Whole(-10, 10), _l("Volume heard here"), default=0, show_if=("protocol", KHOMP), also="Volume de entrada",
        help=_l("0 leaves it as it arrives; each step makes what comes from the line louder or softer."),
    )
    output_volume: Mapped[int] = field(
        Whole(-10, 10), _l("Volume sent"), default=0, show_if=("protocol", KHOMP), also="Volume de saída",
        help=_l("0 leaves it as it is; each step makes what goes to the line louder or softer."),
    )
    extra: Mapped[dict[str, str]] = field(
        Extra(), _l("Extra settings"), optional=True, default=dict, also="Extras Configurações Adicionais",
        help=_l("Lines a supplier asks for, one per line. SIP: lines of old manuals (insecure=port,invite) are translated. Khomp: options of the "
                "channels, for example fxo-busy-disconnection=1250."),
    )
    addresses: Mapped[list[str]] = mapped_column(JSON, default=list)  # what `host` resolved to last, kept when DNS is dead

    @classmethod
    def misplaced(cls, row: "Trunk | None", values: dict[str, Any]) -> dict[str, str]:
        """{field: message} of what was said about the other protocol; what is as empty as in a new trunk says nothing."""
        protocol = str(values.get("protocol") or (row.protocol if row is not None else SIP))
        return {
            name: _("This field is for %(one)s trunks; this is a %(other)s trunk. Leave it out.", one="Khomp" if protocol == SIP else "SIP",
                    other="SIP" if protocol == SIP else "Khomp")
            for name, value in values.items() if name in _OF_OTHERS.get(protocol, ()) and value not in (None, "", [], {}, resource.fields[name].initial())
        }

    def _forget_other_protocol(self) -> None:
        """A trunk that changed its protocol keeps nothing of the other's."""
        for name in _OF_OTHERS[self.protocol]:
            spec = resource.fields[name]
            setattr(self, spec.attr, spec.read(spec.initial(), Reader()))

    def check(self) -> None:
        """Each protocol, and each way of authentication, has what it needs."""
        self._forget_other_protocol()
        if self.protocol == KHOMP:
            self.addresses = []
            khomp.check(self)
            return
        self._check_extra()
        self._take_registration()
        if self.authentication != RECEIVES and not self.host:
            raise Refused(_("Write the carrier's IP address or host name."), field="host")
        if self.authentication != BY_IP and not self.username:
            raise Refused(_("Write the user."), field="username")
        if self.authentication == RECEIVES:
            if self.username.startswith("trunk-") or self.username == "anonymous":
                raise Refused(_("This user name is kept for the exchange. Choose another."), field="username")
            if not self.password:
                self.password = Secret().generate()
                self.generated = {"password": self.password}  # not a column: shown once, see Resource.create
        if self.authentication == SENDS and not self.password:
            raise Refused(_("Write the password the carrier gave you."), field="password")
        if not self.codecs:
            raise Refused(_("Choose at least one codec."), field="codecs")
        self.resolve()

    def _check_extra(self) -> None:
        for number, (key, value) in enumerate(self.extra.items(), 1):
            found = lines.translate(key, value)
            if isinstance(found, str):
                raise Refused(f"{_('line')} {number}: {found}", field="extra")

    def _take_registration(self) -> None:
        """usuario:senha@host/tronco, as old manuals write it (TRK-09)."""
        if not self.registration:
            return
        user = r"[A-Za-z0-9_.+-]{1,40}"
        match = re.fullmatch(rf"({user}):([!-~]{{1,80}})@([A-Za-z0-9.-]{{1,100}})(?::([0-9]{{1,5}}))?(?:/({user}))?", self.registration)
        self.registration = ""
        if not match or not 0 < int(match[4] or 5060) < 65536:
            raise Refused(_("Write it as usuario:senha@host/tronco."), field="registration")
        self.authentication = SENDS
        self.username, self.password, self.host = match[1], match[2], match[3]
        self.port, self.line = int(match[4] or self.port or 5060), match[5] or ""

    def resolve(self) -> None:
        """Keep the addresses of the host; the old ones stay when it cannot be resolved now."""
        if not self.host:
            self.addresses = []
            return
        try:
            self.addresses = [str(ipaddress.ip_address(self.host))]
        except ValueError:
            found = _lookup(self.host)
            if found:
                self.addresses = found

    def translations(self) -> list[lines.Translation]:
        """What the extra settings mean here."""
        found = (lines.translate(key, value) for key, value in self.extra.items())
        return [line for line in found if isinstance(line, lines.Translation)]

    @property
    def asterisk_name(self) -> str:
        """Name of its endpoint, aor and auth."""
        return self.username if self.is_gateway else f"trunk-{self.id}"

    @property
    def is_gateway(self) -> bool:
        """Whether it registers here."""
        return self.protocol == SIP and self.authentication == RECEIVES

    def numbers(self) -> list[str]:
        """The SIP user that registers to us may not be a number people dial."""
        return [self.username] if self.is_gateway else []


def _lookup(host: str) -> list[str]:
    """IPv4 addresses of a name, sorted; empty when DNS does not answer."""
    try:
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)})
    except OSError:
        return []


_SIP_FIELDS = ("authentication", "host", "port", "username", "password", "line", "registration", "qualify", "codecs")
_KHOMP_FIELDS = ("allocation", "channels", "drop_collect_call", "echo_canceller", "input_volume", "output_volume")
_OF_OTHERS = {SIP: _KHOMP_FIELDS, KHOMP: _SIP_FIELDS}  # protocol → fields that are not its own

resource = Resource(
    Trunk, word="trunks", label=_l("Trunks"), one=_l("trunk"), new=_l("New trunk"),
    key="name", group="telephony", icon="plug-connected",
    columns=["name", "protocol", "authentication", "host", "port", "channels", "call_limit", "enabled"], search=["name", "host", "username"],
    filters=["enabled", "protocol", "authentication"],
    tabs={_l("General"): ["name", "enabled", "protocol", "authentication", "host", "port", "username", "password", "line",
                          "registration", "allocation", "channels"],
          _l("Calls"): ["caller_id", "number_format", "default_number", "call_limit", "qualify", "drop_collect_call"],
          _l("Audio and extras"): ["codecs", "echo_canceller", "input_volume", "output_volume", "extra"]},
    empty=_l("A trunk joins the exchange to a carrier, a gateway or another exchange. Have the carrier's data at hand."),
    also="Troncos entroncamento operadora linha Khomp",
)
