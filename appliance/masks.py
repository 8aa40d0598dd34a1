"""Dial masks (RTE-01): what they accept, which numbers match, which of several wins.

X = 0-9, Z = 1-9, N = 2-9, [15-9] = 1,5,6,7,8,9, `.` = one or more of anything dialable; digits, `*`, `#` and a leading
`+` stand for themselves. Letters and Asterisk's `!` are refused.
"""

import re
from functools import cache

from flask_babel import gettext as _

from appliance.errors import Refused

DIALABLE = "0123456789*#+"
_CLASSES = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
_TOKEN = re.compile(r"\[([0-9-]+)\]|([XZN0-9*#+.])")


def read(text: str) -> str:
    """The mask as we keep it (upper case). Raises Refused naming what is wrong."""
    mask = text.strip().upper().replace(" ", "")
    if not mask:
        raise Refused(_("Write a mask, for example 9XXXXXXXX."))
    position = 0
    while position < len(mask):
        token = _TOKEN.match(mask, position)
        if token is None:
            raise Refused(_("“%(piece)s” is not allowed in a mask. Use digits, X, Z, N, [2-5] and a dot at the end.",
                            piece=mask[position]))
        if token[1] is not None:
            _members(token[1])
        if token[2] == "." and token.end() != len(mask):
            raise Refused(_("A dot may only stand at the end of a mask."))
        if token[2] == "+" and position:
            raise Refused(_("A + may only stand at the beginning of a mask."))
        position = token.end()
    if mask == ".":
        raise Refused(_("A mask needs at least one digit or letter before the dot."))
    return mask


def _members(inside: str) -> str:
    digits = ""
    for piece in re.findall(r"\d-\d|\d|-", inside):
        if piece == "-" or (len(piece) == 3 and piece[0] > piece[2]):
            raise Refused(_("[%(inside)s] is not a range of digits; write for example [2-5] or [15-9].", inside=inside))
        digits += "".join(map(str, range(int(piece[0]), int(piece[-1]) + 1)))
    return digits


@cache
def _places(mask: str) -> tuple[str, ...]:
    """The accepted characters of each place; the last is "." when the mask ends in a dot."""
    return tuple(
        "".join(sorted(set(_members(inside)))) if inside else _CLASSES.get(plain, plain)
        for inside, plain in _TOKEN.findall(mask)
    )


def matches(mask: str, number: str) -> bool:
    """Whether Asterisk's pattern for the mask takes the number."""
    places = _places(mask)
    if places[-1] == ".":
        body = places[:-1]
        if len(number) <= len(body) or any(letter not in DIALABLE for letter in number):
            return False
    elif len(number) != len(places):
        return False
    else:
        body = places
    return all(letter in place for letter, place in zip(number, body, strict=False))


def specificity(mask: str) -> tuple[tuple[int, str], ...]:
    """Sort key: the mask that wins comes first.

    Asterisk compares place by place from the left; the place that accepts fewer characters wins, and a dot loses
    to anything (pbx.c, ext_cmp_pattern).
    """
    return tuple((99 if place == "." else len(place), place) for place in _places(mask))


def is_number(mask: str) -> bool:
    """A mask without wildcards is a plain number."""
    return all(letter in DIALABLE for letter in mask)


def pattern(mask: str, prefix: str = "") -> str:
    """The mask as an extension of Asterisk's dialplan, dialled after `prefix`."""
    return prefix + mask if is_number(mask) else f"_{prefix}{mask}"
