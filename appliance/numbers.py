"""Telephone numbers as Brazil writes them: reading what people type, showing what rows hold."""

import phonenumbers

COUNTRY = "55"

_STATES = {  # Anatel's 67 area codes
    "SP": "11 12 13 14 15 16 17 18 19", "RJ": "21 22 24", "ES": "27 28", "MG": "31 32 33 34 35 37 38", "PR": "41 42 43 44 45 46",
    "SC": "47 48 49", "RS": "51 53 54 55", "DF": "61", "GO": "62 64", "TO": "63", "MT": "65 66", "MS": "67", "AC": "68", "RO": "69",
    "BA": "71 73 74 75 77", "SE": "79", "PE": "81 87", "AL": "82", "PB": "83", "RN": "84", "CE": "85 88", "PI": "86 89",
    "PA": "91 93 94", "AM": "92 97", "RR": "95", "AP": "96", "MA": "98 99",
}
AREA_CODES = {code: state for state, codes in _STATES.items() for code in codes.split()}  # area code → state


def digits(text: str) -> str:
    """Only what can be dialled."""
    return "".join(letter for letter in text if letter in "0123456789*#+")


def national(number: str, country_code: str = COUNTRY) -> str:
    """Area code and number, from any of the ways carriers deliver it (+55…, 55…, 0…, as it is)."""
    if number.startswith("+"):
        bare = number[1:]
        return bare.removeprefix(country_code) if bare.startswith(country_code) else bare
    if number.startswith(country_code) and len(number) in (12, 13):  # 10/11 digits with 55 are Santa Maria (RS)
        return number[len(country_code):]
    if number.startswith("0") and not number.startswith("00") and len(number) in (11, 12):
        return number[1:]
    return number


def international(number: str, country_code: str = COUNTRY, area_code: str = "") -> str:
    """Digits with country code, as rows hold outside numbers; what is too short or too odd to be one stays as it is.

    With 00 in front it is abroad already; 0 and two digits of a carrier before area code and number fall away.
    """
    if number.startswith("+"):
        return number[1:]
    if number.startswith("00") and len(number) > 9:
        return number[2:]
    if number.startswith("0") and len(number) in (13, 14):
        number = number[3:]
    bare = national(number, country_code)
    if bare.isdigit() and len(bare) in (10, 11):
        return country_code + bare
    is_local = (len(bare) == 8 and bare[:1] in "2345") or (len(bare) == 9 and bare[:1] == "9")
    return country_code + area_code + bare if is_local and bare.isdigit() and area_code else number


def pretty(number: str) -> str:
    """(48) 99999-1234 for a Brazilian number, anything else unchanged."""
    bare = national(number)
    if len(bare) not in (10, 11) or not bare.isdigit():
        return number
    try:
        parsed = phonenumbers.parse(bare, "BR")
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_possible_number(parsed):
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)


LOCAL_DIGITS = (8, 9)
MOBILE = "6789"  # first digit of mobiles that are still written with eight digits


def key(number: str, country_code: str = COUNTRY) -> str:
    """One form for all ways of writing a number, to compare with: country, area, number, and the ninth digit mobiles have had since 2016.

    A number without area code stays without: which area it is in depends on where it is looked for (see keys).
    """
    if number.startswith("0") and not number.startswith("00") and len(number) - 1 in LOCAL_DIGITS and _is_local(number[1:]):
        number = number[1:]
    found = international(number, country_code)
    if country_code != COUNTRY:
        return found
    if len(found) == 8 and found[0] in MOBILE:
        return "9" + found
    if len(found) == 12 and found.startswith(COUNTRY) and found[4] in MOBILE:
        return f"{found[:4]}9{found[4:]}"
    return found


def keys(number: str, country_code: str = COUNTRY, area_code: str = "") -> set[str]:
    """Every key a list may hold this number under: with the area code, and without it when it is the company's own."""
    full = key(number, country_code)
    home = country_code + area_code
    if area_code and _is_local(full):
        return {full, home + full}
    bare = full.removeprefix(home)
    return {full, bare} if area_code and full.startswith(home) and _is_local(bare) else {full}


def _is_local(number: str) -> bool:
    return number.isdigit() and ((len(number) == 8 and number[0] in "23456789") or (len(number) == 9 and number[0] == "9"))
