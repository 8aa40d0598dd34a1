"""Which models are provisioned, in which format, and how sure that is (SYS-06).

No model was tried with a device yet: `tested_on` is empty everywhere, and a date comes only from a phone on the table. What
“compared” means: the files of the format were compared, on COMPARED_ON, with files other exchanges serve to this very model.
"""

from dataclasses import dataclass
from datetime import date

from flask_babel import lazy_gettext as _l

KHOMP, GRANDSTREAM, INTELBRAS = "khomp", "grandstream", "intelbras"
BRANDS = {KHOMP: "Khomp", GRANDSTREAM: "Grandstream", INTELBRAS: "Intelbras"}

# Formats, named by whose firmware they come from.
ESCENE, P_CODES, YEALINK, UNKNOWN = "escene", "p_codes", "yealink", ""

COMPARED, GUESSED, NOT_KNOWN = "compared", "guessed", "unknown"
STATES = {
    COMPARED: _l("file confirmed by published ones"),
    GUESSED: _l("not confirmed"),
    NOT_KNOWN: _l("not confirmed: file format not publicly known"),
}
COMPARED_ON = date(2026, 11, 27)


@dataclass(frozen=True)
class Model:
    """One model. `firmware`: the version the published files are of, "" when they do not say; `note`: what a person should know."""

    brand: str
    name: str
    format: str
    state: str
    firmware: str = ""
    note: object = ""
    tested_on: date | None = None

    @property
    def has_phonebook(self) -> bool:
        """Adapters for plain telephones have none."""
        return bool(self.format) and not self.name.startswith("HT")


_ADAPTER = _l("An adapter: its first socket gets the extension. It has no phone book.")
_SAME_FIRMWARE = _l("The firmware is said to be related to another one; the file it would ask for was never seen.")
_BY_HAND = _l("Set it up on its own page, with number, password and address of the extension.")

MODELS = [
    Model(KHOMP, "IPS 200", ESCENE, COMPARED),
    Model(KHOMP, "IPS 212", ESCENE, COMPARED),
    *(Model(KHOMP, name, UNKNOWN, NOT_KNOWN, note=_BY_HAND) for name in ("IPS 40CC", "IPS 100", "IPS 102", "IPS 108", "IPS 200GPN", "IPS 300")),
    *(Model(GRANDSTREAM, name, P_CODES, COMPARED, "1.0.4") for name in ("GXP1610", "GXP1620", "GXP1625", "GXP1628", "GXP1630")),
    *(Model(GRANDSTREAM, name, P_CODES, COMPARED) for name in ("GXP1760", "GXP1780", "GXP1782", "GXP2130", "GXP2135", "GXP2140", "GXP2160", "GXP2170")),
    *(Model(GRANDSTREAM, name, P_CODES, COMPARED) for name in ("GRP2612", "GRP2613", "GRP2614", "GRP2615", "GRP2616")),
    *(Model(GRANDSTREAM, name, P_CODES, GUESSED, note=_ADAPTER) for name in ("HT801", "HT802")),
    *(Model(INTELBRAS, name, YEALINK, GUESSED, note=_SAME_FIRMWARE) for name in ("TIP 200", "TIP 200 Lite", "TIP 300")),
    *(Model(INTELBRAS, name, ESCENE, GUESSED, note=_SAME_FIRMWARE) for name in ("S3001", "S3002")),
    *(Model(INTELBRAS, name, UNKNOWN, NOT_KNOWN, note=_BY_HAND) for name in (
        "TIP 125i", "TIP 235", "TIP 435", "TIP 635", "TIP 1001D", "V3001", "V3101", "V3501", "V5501")),
]

BY_NAME = {model.name: model for model in MODELS}


def named(text: str) -> Model | None:
    """The model somebody means: capitals, spaces and hyphens do not matter."""
    return next((model for model in MODELS if _plain(model.name) == _plain(text)), None)


def _plain(text: str) -> str:
    return text.lower().replace(" ", "").replace("-", "")
