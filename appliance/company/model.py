"""The company and what holds for the whole exchange (CFG-01, FEA-02, FEA-03, SYS-22)."""

import zoneinfo
from functools import cache

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column, relationship
from stdnum.br import cnpj as stdnum_cnpj

from appliance import numbering
from appliance.db import Base
from appliance.dialing_profiles.model import DialingProfile
from appliance.errors import Refused
from appliance.fields import Boolean, Choice, Name, Numbers, Pattern, Text, Whole, Words, field
from appliance.links import Reference
from appliance.numbers import AREA_CODES, COUNTRY
from appliance.resource import Resource

# The pieces of a protocol number (CFG-08), as STRFTIME writes them; the sequence is counted.
SEQUENCE = "sequence"
PROTOCOL_PARTS = {
    "year": _l("year (2030)"), "short_year": _l("year, two digits (30)"), "month": _l("month"), "day": _l("day"), SEQUENCE: _l("sequence"),
}
NEVER = "never"
RESTARTS = {"daily": _l("every day"), "monthly": _l("every month"), "yearly": _l("every year"), NEVER: _l("never")}
TOLD_BY = {"daily": ("year", "month", "day"), "monthly": ("year", "month"), "yearly": ("year",), NEVER: ()}  # what tells one count from the next

EMERGENCY = ["190", "191", "192", "193", "194", "197", "198", "199"]


@cache
def zones() -> set[str]:
    """Every time zone this machine knows; they are files, looked for once."""
    return zoneinfo.available_timezones()


class Company(Base):
    """One row: the company of this home."""

    __tablename__ = "company"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(120), _l("Company name"), default="Minha empresa", also="Razão Social",
        help=_l("Shown at the top of the screens and on printed reports."),
    )
    cnpj: Mapped[str] = field(
        Text(20), _l("CNPJ"), optional=True, default="", example="11.222.333/0001-81",
        help=_l("Tax number of the company, with or without dots; its check digits are verified."),
    )
    contact: Mapped[str] = field(
        Text(120), _l("Contact"), optional=True, default="", also="Contato",
        help=_l("Who answers for the exchange: name, telephone or e-mail."),
    )
    area_code: Mapped[str] = field(
        Pattern(2, r"[1-9]{2}", _l("Two digits, for example 48.")), _l("Area code (DDD)"), default="11", also="DDD",
        help=_l("Put before numbers that are shown or compared without one."),
    )
    country_code: Mapped[str] = field(
        Pattern(3, r"[1-9][0-9]{0,2}", _l("One to three digits, for example 55.")), _l("Country code (DDI)"), default="55", also="DDI",
        help=_l("55 for Brazil; put before numbers when they are stored."),
    )
    cnl: Mapped[str] = field(
        Pattern(6, r"[0-9]{1,6}", _l("Only digits.")), _l("Local area code (CNL)"), optional=True, default="", also="CNL zona conurbada",
        help=_l("Code of the locality, for old tariff tables; since 2026 the area code alone decides what is local."),
    )
    timezone: Mapped[str] = field(
        Text(40), _l("Time zone"), default="America/Sao_Paulo", also="Fuso horário",
        help=_l("Hours are shown and kept to in this zone; what is stored does not move."),
    )
    language: Mapped[str] = field(
        Choice({"pt_BR": "Português (Brasil)", "en": "English"}), _l("Language"), default="pt_BR", also="Idioma",
        help=_l("Of the screens for people who chose none."),
    )
    external_line_prefix: Mapped[str] = field(
        Pattern(3, r"[0-9*#]*", _l("Only digits, * and #.")), _l("Digits for an outside line"), optional=True, default="0",
        also="Dígitos para ligações externas",
        help=_l("Dialled before the number by outbound rules that ask for it."),
    )
    emergency_numbers: Mapped[list[str]] = field(
        Numbers(r"1[0-9]{2}", _l("three digits beginning with 1")), _l("Emergency numbers"), default=lambda: list(EMERGENCY),
        also="Emergência 190 192 193",
        help=_l("Always pass, from every extension, by every trunk; with the outside-line digits too."),
    )
    overflow_profile_id: Mapped[int | None] = field(
        Reference("dialing_profiles"), _l("Profile for overflows"), name="overflow_profile", optional=True,
        also="Perfil para transbordos",
        help=_l("Routes for calls that go on to an outside telephone by themselves. Without one they are refused."),
    )
    overflow_international: Mapped[bool] = field(
        Boolean(), _l("Overflows may call abroad"), default=False, help=_l("Allow 00… for calls nobody dials."),
    )
    overflow_calls_per_day: Mapped[int] = field(
        Whole(0, 100000), _l("Overflow calls per day"), default=200,
        help=_l("At most so many calls to outside telephones a day that nobody dials; guards your bill."),
    )
    protocol_format: Mapped[list[str]] = field(
        Words(PROTOCOL_PARTS, most=4), _l("Protocol number"), optional=True, default=list, also="Formato do protocolo Protocolo de ligação",
        help=_l("What each call is numbered with, in this order; calls keep the number they have. Nothing chosen: date, time and the "
                "exchange's own count."),
    )
    protocol_digits: Mapped[int] = field(
        Whole(4, 10), _l("Digits of the sequence"), default=6, also="Protocolo dígitos da sequência", help=_l("Filled with zeros in front: 6 gives 000001."),
    )
    protocol_restart: Mapped[str] = field(
        Choice(RESTARTS), _l("The sequence begins again"), default="daily", also="Protocolo reinício da sequência",
        help=_l("From 1. The parts of the date must tell one count from the next, so that no number comes twice."),
    )
    apply_on_save: Mapped[bool] = field(
        Boolean(), _l("Apply on each save"), default=False, help=_l("Every saved change goes into force at once."),
    )
    canary_number: Mapped[str] = field(
        Pattern(20, r"[0-9*#]*", _l("Only digits, * and #.")), _l("Test call to"), optional=True, default="", example="*43",
        also="Chamada de teste canário",
        help=_l("Called after each apply that touches trunks or routes. It must answer and return what it hears, as an echo test "
                "does; otherwise the configuration before comes back. Empty: no test call."),
    )
    canary_extension_id: Mapped[int | None] = field(
        Reference("extensions"), _l("Test call as"), name="canary_extension", optional=True,
        help=_l("The extension whose routes and permissions the test call has."),
    )

    overflow_profile: Mapped[DialingProfile | None] = relationship()

    def check(self) -> None:
        """The tax number's digits and the zone are right."""
        if self.cnpj:
            if not stdnum_cnpj.is_valid(self.cnpj):
                raise Refused(_("The check digits of this CNPJ are wrong."), field="cnpj")
            self.cnpj = stdnum_cnpj.format(self.cnpj)
        if self.country_code == COUNTRY and self.area_code not in AREA_CODES:
            raise Refused(_("%(code)s is no area code of Brazil.", code=self.area_code), field="area_code")
        if self.timezone not in zones():
            raise Refused(_("“%(value)s” is not a time zone; write for example America/Sao_Paulo.", value=self.timezone),
                          field="timezone")
        hidden = numbering.beginning_with(self.external_line_prefix, "feature_codes")
        if hidden:
            raise Refused(_("The feature code “%(code)s” begins with these digits and could not be dialled any more.", code=hidden), field="external_line_prefix",
                          link="/feature_codes")
        if self.canary_number and self.canary_extension_id is None:
            raise Refused(_("Choose the extension the test call is made as."), field="canary_extension")
        bare = self.canary_number.removeprefix(self.external_line_prefix)
        if {self.canary_number, bare} & set(self.emergency_numbers):
            raise Refused(_("A test call never goes to an emergency number."), field="canary_number")
        self._check_protocol()
        missing = {"190", "192", "193"} - set(self.emergency_numbers)
        if missing:
            raise Refused(_("%(numbers)s must stay in the list.", numbers=", ".join(sorted(missing))), field="emergency_numbers")

    def _check_protocol(self) -> None:
        """No two calls bear the same number."""
        parts = ["year" if part == "short_year" else part for part in self.protocol_format or ()]
        if not parts:
            return
        if SEQUENCE not in parts:
            raise Refused(_("Without the sequence two calls would bear the same number. Add it."), field="protocol_format")
        lacking = [PROTOCOL_PARTS[part] for part in TOLD_BY[self.protocol_restart] if part not in parts]
        if lacking:
            raise Refused(_("A sequence that begins again like this needs in the number: %(parts)s. Else numbers would come twice.",
                            parts=", ".join(map(str, lacking))), field="protocol_format")


resource = Resource(
    Company, word="company", label=_l("Company"), one=_l("company"), group="system", icon="building", single=True,
    tabs={_l("Company"): ["name", "cnpj", "contact", "area_code", "country_code", "cnl", "timezone", "language"],
          _l("Calls"): ["external_line_prefix", "emergency_numbers", "overflow_profile", "overflow_international",
                        "overflow_calls_per_day", "protocol_format", "protocol_digits", "protocol_restart"],
          _l("Applying"): ["apply_on_save", "canary_number", "canary_extension"]},
    also="Empresa Configurações Parâmetros DDD Cód. Funcionalidades",
)
