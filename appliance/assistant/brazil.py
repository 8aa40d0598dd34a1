"""How Brazil dials: which masks an area code needs, and which digits a carrier is sent.

Local is what stays inside the area code, for fixed lines too: Anatel's Resolução 768/2024 made the local areas equal to
the 67 area codes, state by state from 11 January to 21 June 2026. A carrier's two digits (0 + carrier + area code) are
taken off, because carriers by SIP do not want them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _l

from appliance.numbers import AREA_CODES

LOCAL_SINCE = {  # state → day; the states that are not here had it by the last one
    date(2026, 1, 11): "BA SE", date(2026, 2, 1): "AC AM AP MA PA RO RR TO", date(2026, 2, 22): "AL CE PB PE PI RN",
    date(2026, 3, 29): "PR SC", date(2026, 5, 10): "ES RJ", date(2026, 6, 21): "SP",
}
LAST_STEP_ON = date(2026, 6, 21)

ZONES = {
    "AC": "America/Rio_Branco", "AM": "America/Manaus", "RO": "America/Porto_Velho", "RR": "America/Boa_Vista", "MT": "America/Cuiaba",
    "MS": "America/Campo_Grande", "PA": "America/Belem", "AP": "America/Belem", "MA": "America/Fortaleza", "PI": "America/Fortaleza",
    "CE": "America/Fortaleza", "RN": "America/Fortaleza", "PB": "America/Fortaleza", "PE": "America/Recife", "AL": "America/Maceio",
    "SE": "America/Maceio", "BA": "America/Bahia", "TO": "America/Araguaina",
}

NATIONAL, ZERO, E164, PLUS, AS_DIALLED = "national", "zero", "e164", "plus", "dialled"
FORMATS = {
    NATIONAL: _l("area code and number: 48 99999 1234"), ZERO: _l("0, area code and number: 048 99999 1234"),
    E164: _l("55, area code and number: 55 48 99999 1234"), PLUS: _l("+55, area code and number: +55 48 99999 1234"),
    AS_DIALLED: _l("as people dial it (analogue lines, gateways)"),
}

LOCAL, DISTANCE, SERVICES, ABROAD, PAID = "local", "distance", "services", "abroad", "paid"
ROUTES = {  # purpose → name of the outbound route; the order is the profile's
    SERVICES: _l("0800 and services"), LOCAL: _l("Local calls"), DISTANCE: _l("Long distance"), ABROAD: _l("International"),
    PAID: _l("0300, 0500 and 0900"),
}  # services first: 4004-1234 would pass for a fixed line


@dataclass(frozen=True)
class Kind:
    """A kind of number people may want to dial: the route it belongs to, an example, and whether it is on by default."""

    route: str
    label: Any
    example: str
    is_usual: bool = True


KINDS = {
    "local_fixed": Kind(LOCAL, _l("Fixed lines of the same area code"), "3333-4444"),
    "local_mobile": Kind(LOCAL, _l("Mobiles of the same area code"), "99999-1234"),
    "distance": Kind(DISTANCE, _l("Other area codes: 0 + area code + number"), "0 21 99999-1234"),
    "distance_carrier": Kind(DISTANCE, _l("Other area codes with a carrier's digits: 0 + carrier + area code + number"), "0 15 21 99999-1234"),
    "free": Kind(SERVICES, _l("0800, free of charge"), "0800 123 4567"),
    "national": Kind(SERVICES, _l("National numbers 4003, 4004 and 3003"), "4004-1234"),
    "services": Kind(SERVICES, _l("Public services of three digits, and the carrier's own"), "156 · 103 15"),
    "paid": Kind(PAID, _l("0300, 0303, 0500 and 0900: cost extra"), "0300 123 4567", False),
    "abroad": Kind(ABROAD, _l("International: 00 + country"), "00 1 212 555 0100", False),
}
USUAL = [name for name, kind in KINDS.items() if kind.is_usual]

_FIXED, _MOBILE = "[2-5]XXXXXXX", "9XXXXXXXX"


def local_since(area_code: str) -> date:
    """Since when calls between fixed lines inside the area code are local ones."""
    state = AREA_CODES.get(area_code, "")
    return next((day for day, states in LOCAL_SINCE.items() if state in states.split()), LAST_STEP_ON)


def zone(area_code: str) -> str:
    """The time zone of an area code; the border towns of 97 that keep the hour of Acre choose theirs by hand."""
    return ZONES.get(AREA_CODES.get(area_code, ""), "America/Sao_Paulo")


def rules(area_code: str, kinds: list[str], number_format: str) -> dict[str, list[dict[str, Any]]]:
    """Route (a key of ROUTES) → its lines: mask, strip, prepend, as an outbound route keeps them; only routes that have any."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in KINDS:
        if name in kinds:
            lines = _MASKS[name](area_code, number_format)
            found.setdefault(KINDS[name].route, []).extend({"mask": mask, "strip": strip, "prepend": prepend} for mask, strip, prepend in lines)
    return {route: found[route] for route in ROUTES if route in found}


Line = tuple[str, int, str]
_BEFORE = {NATIONAL: "", ZERO: "0", E164: "55", PLUS: "+55"}


def _local(number: str, area_code: str, number_format: str) -> list[Line]:
    """The number alone, and the long ways of dialling the own area code, which cost the same."""
    long_ways = [(f"0{area_code}{number}", 1), (f"{area_code}{number}", 0), (f"0ZX{area_code}{number}", 3)]
    if number_format == AS_DIALLED:
        return [(number, 0, ""), *((mask, strip + 2, "") for mask, strip in long_ways)]
    before = _BEFORE[number_format]
    return [(number, 0, before + area_code), *((mask, strip, before) for mask, strip in long_ways)]


def _distance(area_code: str, number_format: str) -> list[Line]:
    found: list[Line] = []
    for number in (_FIXED, _MOBILE):
        if number_format == AS_DIALLED:
            found += [(f"0ZZ{number}", 0, ""), (f"ZZ{number}", 0, "0")]
        else:
            found += [(f"0ZZ{number}", 1, _BEFORE[number_format]), (f"ZZ{number}", 0, _BEFORE[number_format])]
    return found


def _with_carrier(area_code: str, number_format: str) -> list[Line]:
    strip, before = (0, "") if number_format == AS_DIALLED else (3, _BEFORE[number_format])
    return [(f"0ZXZZ{number}", strip, before) for number in (_FIXED, _MOBILE)]


def _as_it_is(*masks: str) -> Any:
    return lambda area_code, number_format: [(mask, 0, "") for mask in masks]


def _abroad(area_code: str, number_format: str) -> list[Line]:
    return [("00X.", 2, "+") if number_format == PLUS else ("00X.", 0, "")]


_MASKS: dict[str, Any] = {
    "local_fixed": lambda area_code, number_format: _local(_FIXED, area_code, number_format),
    "local_mobile": lambda area_code, number_format: _local(_MOBILE, area_code, number_format),
    "distance": _distance,
    "distance_carrier": _with_carrier,
    "free": _as_it_is("0800XXXXXXX", "0800XXXXXX"),
    "national": _as_it_is("400[34]XXXX", "3003XXXX"),
    "services": _as_it_is("1XX", "10XXX", "105X", "133X"),
    "paid": _as_it_is("0300XXXXXXX", "0303XXXXXXX", "0500XXXXXXX", "0900XXXXXXX"),
    "abroad": _abroad,
}
