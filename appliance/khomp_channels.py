"""Channels of Khomp boards: how they are written, kinds of boards by their model, and the four orders as the driver wants them.

A channel is (board, channel), both counted from 0; link N of an E1 board owns channels 30N to 30N+29.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

LINK_CHANNELS = 30

Channel = tuple[int, int]

ASCENDING, DESCENDING = "ascending", "descending"
CYCLIC_ASCENDING, CYCLIC_DESCENDING = "cyclic_ascending", "cyclic_descending"

_CHANNEL = re.compile(r"b(\d{1,2})c(\d{1,3})", re.I | re.A)
_CHANNEL_NAME = re.compile(r"Khomp/B(\d+)C(\d+)-", re.I | re.A)


def is_digital(model: str) -> bool:
    """Whether a model's channels lie on E1 links."""
    return "E1" in model.upper()


def is_for_handsets(model: str) -> bool:
    """FXS channels have telephones on them, no line."""
    return "FXS" in model.upper()


def links_of(model: str, channels: int) -> int:
    """How many E1 links a board of this model has, when nobody says it."""
    return -(-channels // LINK_CHANNELS) if is_digital(model) else 0


@dataclass(frozen=True)
class Atom:
    """One piece of an allocation string. `first` None is the whole board; `is_serial` says that `board` is a serial number."""

    board: int
    first: int | None = None
    last: int | None = None
    is_serial: bool = False
    is_descending: bool = False


_ATOM = re.compile(r"(?P<kind>[bs])(?P<board>\d{1,6})(?:(?P<part>[cl])(?P<first>\d{1,3})(?:-(?P<last>\d{1,3}))?)?", re.I | re.A)


def name_of(channel: Channel) -> str:
    """`b0c3`."""
    return f"b{channel[0]}c{channel[1]}"


def channel_of(name: str) -> Channel | None:
    """(0, 3) of `b0c3`; None for anything else."""
    found = _CHANNEL.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def channel_in_use(channel_name: str) -> Channel | None:
    """(0, 34) of Asterisk's `Khomp/B0C34-00000350`."""
    found = _CHANNEL_NAME.match(channel_name)
    return (int(found[1]), int(found[2])) if found else None


def atom(text: str) -> Atom | None:
    """One piece: b0, b0l1, b0c3, b0c3-8, or the same by serial; None when it is none. A range of links is none."""
    found = _ATOM.fullmatch(text.strip())
    if not found or (found["last"] and (found["part"].lower() == "l" or int(found["last"]) < int(found["first"]))):
        return None
    board, is_serial, is_descending = int(found["board"]), found["kind"] in "sS", found["kind"] in "BS"
    if not found["part"]:
        return Atom(board, is_serial=is_serial, is_descending=is_descending)
    first = int(found["first"]) * (LINK_CHANNELS if found["part"] in "lL" else 1)
    last = first + LINK_CHANNELS - 1 if found["part"] in "lL" else int(found["last"] or found["first"])
    return Atom(board, first, last, is_serial, is_descending)


def atoms(text: str) -> list[Atom] | None:
    """The pieces of an allocation string, `*` at its very start allowed; None when it cannot be read."""
    found = [atom(piece) for piece in text.strip().removeprefix("*").split("+")]
    return [one for one in found if one] if all(found) else None


def runs(channels: Iterable[Channel]) -> list[tuple[int, int, int]]:
    """(board, first, last) of channels that follow each other, from low to high."""
    found: list[tuple[int, int, int]] = []
    for board, number in sorted(set(channels)):
        if found and found[-1][0] == board and found[-1][2] == number - 1:
            found[-1] = board, found[-1][1], number
        else:
            found.append((board, number, number))
    return found


def allocation(channels: Iterable[Channel], order: str) -> str:
    """The string that takes one of these channels in one of the four orders.

    The case of the first letter of each piece decides the direction, the order of the pieces the direction between them, and a `*` in
    front takes the channel with the fewest outgoing calls so far, the direction only breaking ties.
    """
    is_descending = order in (DESCENDING, CYCLIC_DESCENDING)
    board_letter, channel_letter = ("B", "C") if is_descending else ("b", "c")
    pieces = [f"{board_letter}{board}{channel_letter}{first}" + (f"-{last}" if last > first else "")
              for board, first, last in (reversed(runs(channels)) if is_descending else runs(channels))]
    return ("*" if order in (CYCLIC_ASCENDING, CYCLIC_DESCENDING) else "") + " + ".join(pieces)


def section(channels: Iterable[Channel]) -> str:
    """The same channels as the name of a [channels-…] section: without spaces, in no order."""
    return "+".join(f"b{board}c{first}" + (f"-{last}" if last > first else "") for board, first, last in runs(channels))
