"""Telephone numbers as Brazil writes them: reading what people type, showing what rows hold."""

import phonenumbers

COUNTRY = "55"


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
