"""Passwords of people (USR-07): the rule, the hash, and a generated one."""

import re
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from flask_babel import gettext as _

SPECIAL = "$*&@#?"
_HASHER = PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)  # 45-80 ms on two small cores


@cache
def nobody() -> str:
    """A hash that no password fits, so that an unknown login takes as long as a known one."""
    return _HASHER.hash(secrets.token_urlsafe(16))


def wrong(text: str) -> str:
    """Why the password is not accepted, "" when it is."""
    if not 6 <= len(text) <= 20:
        return _("6 to 20 characters.")
    if not re.search(r"[a-z]", text) or not re.search(r"[A-Z]", text):
        return _("At least one capital and one small letter.")
    if not re.search(r"\d", text):
        return _("At least one digit.")
    if not any(letter in SPECIAL for letter in text):
        return _("At least one of the signs %(signs)s.", signs=SPECIAL)
    if not re.fullmatch(r"[!-~]+", text):
        return _("No spaces or accents.")
    if re.search(r"(.)\1", text.lower()):
        return _("No letter or digit twice in a row (as in Aabbcc or 1122).")
    return ""


def hashed(text: str) -> str:
    """What the database keeps (argon2id)."""
    return _HASHER.hash(text)


def fits(text: str, stored: str) -> bool:
    """Whether the password is the one that was stored."""
    try:
        return _HASHER.verify(stored, text)
    except (VerifyMismatchError, InvalidHashError):
        return False


def generate() -> str:
    """A password that keeps the rule, about 60 bits."""
    while True:
        text = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789@#") for _letter in range(12))
        if not wrong(text):
            return text
