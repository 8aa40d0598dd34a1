"""The files phones ask for: what a file name means, and what stands in it. One template per format (templates/).

Nothing a person typed can end a value: XML values are escaped, a line of text holds no line break.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from flask_babel import force_locale
from flask_babel import gettext as _
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import select

from appliance import ports, settings
from appliance.company.model import Company
from appliance.db import db
from appliance.desk_phones import models
from appliance.desk_phones.model import DeskPhone, spelled
from appliance.desk_phones.models import ESCENE, P_CODES, YEALINK
from appliance.extensions.model import Extension
from appliance.feature_codes.model import current as feature_codes
from appliance.resource import SINGLE_ID

TEMPLATES = Path(__file__).parent / "templates"
CONFIG, PHONEBOOK = "configuration", "phone book"
PHONEBOOK_MINUTES = 60
CHECK_HOURS = 24

# Brand → what its phones ask for: (pattern, format, kind). A group is the MAC. Source: facts gathered in docs/provisioning.md.
_MAC = "([0-9a-fA-F]{12})"
_ESCENE_NAMES = [
    (rf"{_MAC}\.xml", ESCENE, CONFIG), (r"Enterprise_Phonebook\.xml", ESCENE, PHONEBOOK), (rf"{_MAC}_[Pp]honebook\.xml", ESCENE, PHONEBOOK),
]
NAMES: dict[str, list[tuple[str, str, str]]] = {
    models.KHOMP: _ESCENE_NAMES,
    models.GRANDSTREAM: [(rf"cfg{_MAC}\.xml", P_CODES, CONFIG), (r"(?:gs_)?phonebook\.xml", P_CODES, PHONEBOOK)],
    models.INTELBRAS: [*_ESCENE_NAMES, (rf"{_MAC}\.cfg", YEALINK, CONFIG), (r"phonebook\.xml", YEALINK, PHONEBOOK)],
}

# Hours from UTC → Escene's number of a zone without summer time (9 Brasília, 8 Santiago in winter, 7 Lima, 10 UTC-2).
ESCENE_ZONES = {-2: 10, -3: 9, -4: 62, -5: 7}
LANGUAGES = {ESCENE: {"pt_BR": "6", "en": "1"}, P_CODES: {"pt_BR": "pt", "en": "en"}, YEALINK: {"pt_BR": "Portuguese", "en": "English"}}


@dataclass(frozen=True)
class Asked:
    """What an address below /provisioning/ asks for. `mac` is "" for a file that is not one device's."""

    brand: str
    format: str
    kind: str
    mac: str
    secret: str


def asked(brand: str, path: str) -> Asked | None:
    """What `SECRET/FILE` or `FILE` of a brand's phones means; None for anything their phones do not ask for."""
    secret, slash, file = path.rpartition("/")
    if slash and not re.fullmatch(r"[A-Za-z0-9_-]{20,60}", secret):
        return None
    for pattern, format_, kind in NAMES.get(brand, []):
        match = re.fullmatch(pattern, file)
        if match:
            return Asked(brand, format_, kind, spelled(match[1]) if match.groups() else "", secret)
    return None


@dataclass(frozen=True)
class Place:
    """Where the phone reached us: `host` with the port of the pages, and whether it was by TLS; that is how it comes again."""

    host: str
    is_secure: bool

    @property
    def server(self) -> str:
        """The address SIP is spoken at: what SIP is bound to, else the machine the phone called."""
        bind = settings.load().bind
        name = re.sub(r":\d+$", "", self.host)
        return name if ipaddress.ip_address(bind).is_unspecified else f"[{bind}]" if ":" in bind else bind


def is_host(text: str) -> bool:
    """Whether a Host header is a plain name or address with or without a port, fit to be written into a file."""
    return bool(re.fullmatch(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,100})|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?", text))


def configuration(phone: DeskPhone, extension: Extension, key: str, place: Place) -> tuple[str, str]:
    """(text, media type) of the file with the extension's data and the phone's own address for the next time."""
    known, codes = models.BY_NAME[phone.model], feature_codes()
    company = db.session.get(Company, SINGLE_ID)
    language = company.language if company else "pt_BR"
    values: dict[str, Any] = {
        "phone": phone, "mac": phone.mac.replace(":", ""), "extension": extension, "server": place.server, "port": ports.listening(settings.load()).sip,
        "path": f"{place.host}/provisioning/{phone.brand}/{key}", "is_secure": place.is_secure, "voicemail": codes.voicemail,
        "pickup": codes.directed_pickup, "has_phonebook": known.has_phonebook, "phonebook_minutes": PHONEBOOK_MINUTES, "check_hours": CHECK_HOURS,
        "offset_hours": offset_hours(company.timezone if company else "America/Sao_Paulo"), "escene_zones": ESCENE_ZONES,
        "language": LANGUAGES[known.format].get(language, ""), "emergency": ",".join(company.emergency_numbers) if company else "",
        "title": _title(company), "has_voicemail": extension.extension_class.voicemail,
    }
    return rendered({ESCENE: "escene.xml.j2", P_CODES: "p_codes.xml.j2", YEALINK: "yealink.cfg.j2"}[known.format], **values)


def phonebook(format_: str) -> tuple[str, str]:
    """(text, media type) of the phone book: extensions in the order of their names, without those that are hidden."""
    shown = db.session.execute(select(Extension.number, Extension.name).where(~Extension.hide_in_phonebook)).all()
    return rendered({ESCENE: "escene_phonebook.xml.j2", P_CODES: "p_codes_phonebook.xml.j2", YEALINK: "yealink_phonebook.xml.j2"}[format_],
                    extensions=sorted(shown, key=lambda one: (_sorted_as(one.name), one.number)), title=_title(db.session.get(Company, SINGLE_ID)))


def _sorted_as(name: str) -> str:
    """A name as an alphabet knows it: Ágata stands before Bia."""
    return "".join(sign for sign in unicodedata.normalize("NFD", name.casefold()) if not unicodedata.combining(sign))


def _title(company: Company | None) -> str:
    """What the phone book is called on the phone, in the company's language."""
    with force_locale(company.language if company else "pt_BR"):
        return _("Extensions")


def offset_hours(zone: str) -> int:
    """Whole hours from UTC in this zone today; Brazil has no summer time, so a number says everything."""
    offset = datetime.now(ZoneInfo(zone)).utcoffset()
    return round(offset.total_seconds() / 3600) if offset else 0


# ---------------------------------------------------------------------------------------------------------- rendering


def rendered(template: str, **values: Any) -> tuple[str, str]:
    """(text, media type) of a template; the same values give the same bytes."""
    is_xml = ".xml" in template
    text = _environment(_in_xml if is_xml else _in_line).get_template(template).render(values)
    return text, "application/xml" if is_xml else "text/plain"


@cache
def _environment(write: Callable[[Any], str]) -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, finalize=write, autoescape=False, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, auto_reload=False,
    )


def _in_xml(value: Any) -> str:
    """A value as text or attribute of XML, with the entities even small parsers know; signs XML cannot hold are left out."""
    return escape(re.sub(r"[^\t -\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]", "", _plain(value)), {'"': "&quot;", "'": "&apos;"})


def _in_line(value: Any) -> str:
    """A value behind “=” in a line of text."""
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", "", _plain(value))


def _plain(value: Any) -> str:
    return ("1" if value else "0") if isinstance(value, bool) else str(value)
