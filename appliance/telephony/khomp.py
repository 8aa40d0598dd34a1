"""Khomp's channel driver: allocation strings, what its console prints, and whether it took a changed khomp.conf.

The driver (chan_khomp 4.x) is proprietary, comes as a binary per Asterisk version and may be absent. Its formats are known from
public material only, so they are read with tolerance: 2 or 3 digits for a channel, `<K> ` in front of any line.
Knows no feature: channels are (board, channel), both counted from 0; link N of an E1 board owns channels 30N to 30N+29.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from appliance.telephony import conf

MODULE = "chan_khomp.so"
FILE = "khomp.conf"
LINK_CHANNELS = 30
NO_COMMAND = "No such command"

Channel = tuple[int, int]
Ask = Callable[[str], str]

ASCENDING, DESCENDING = "ascending", "descending"
CYCLIC_ASCENDING, CYCLIC_DESCENDING = "cyclic_ascending", "cyclic_descending"

_NOISE = re.compile(r"^(<K>\s*)?\|?\s*")
_CHANNEL = re.compile(r"b(\d{1,2})c(\d{1,3})", re.I | re.A)
_CHANNEL_NAME = re.compile(r"Khomp/B(\d+)C(\d+)-", re.I)


# -------------------------------------------------------------------------------------------------------- allocation


@dataclass(frozen=True)
class Atom:
    """One piece of an allocation string. `first` None is the whole board; `is_serial` says that `board` is a serial number."""

    board: int
    first: int | None = None
    last: int | None = None
    is_serial: bool = False
    is_descending: bool = False

    def covers(self, channel: Channel) -> bool:
        """Whether the piece speaks of this channel; a piece by serial is not compared."""
        board, number = channel
        if self.is_serial or board != self.board:
            return False
        return self.first is None or self.last is None or self.first <= number <= self.last


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


# ----------------------------------------------------------------------------------------------- what the console says


@dataclass(frozen=True)
class FoundBoard:
    """A board as `khomp summary concise` lists it. `more` are the fields behind the channels, as they stand."""

    index: int
    model: str
    serial: str
    channels: int
    links: int
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundChannel:
    """A channel's words; `signal` is the strength of a GSM channel in percent, None for others."""

    asterisk: str
    call: str
    channel: str
    signal: int | None = None
    operator: str = ""


def is_absent(answer: str) -> bool:
    """Whether the driver is not there: Asterisk does not know its commands."""
    return NO_COMMAND in answer


def lines(answer: str) -> list[str]:
    """The lines of an answer without what the driver puts in front of them."""
    found = [_NOISE.sub("", line).rstrip() for line in answer.splitlines()]
    return [line for line in found if line]


def is_digital(model: str) -> bool:
    """Whether a model's channels lie on E1 links."""
    return "E1" in model.upper()


def is_for_handsets(model: str) -> bool:
    """FXS channels have telephones on them, no line."""
    return "FXS" in model.upper()


def links_of(model: str, channels: int) -> int:
    """How many E1 links a board of this model has, when nobody says it."""
    return -(-channels // LINK_CHANNELS) if is_digital(model) else 0


def read_summary(answer: str) -> tuple[list[str], list[FoundBoard]]:
    """(lines about versions, boards) of `khomp summary concise`. A line that is neither is left out."""
    versions: list[str] = []
    boards: list[FoundBoard] = []
    for line in lines(answer):
        fields = [field.strip() for field in line.split(";")]
        if len(fields) >= 4 and re.fullmatch(r"\d{1,2}", fields[0]) and fields[1] and fields[3].isdigit():
            model, channels, more = fields[1], int(fields[3]), tuple(field for field in fields[4:])
            told = int(more[0]) if is_digital(model) and more and more[0].isdigit() else 0
            boards.append(FoundBoard(int(fields[0]), model, fields[2], channels, told or links_of(model, channels), more))
        elif not boards:
            versions.append(line)
    return versions, boards


def read_links(answer: str) -> dict[Channel, str]:
    """(board, link) → `Ok` or its alarms, of `khomp links show concise`. Boards without links are left out."""
    found = (re.fullmatch(r"B(\d+)L(\d+):(?:kes)?(.*)", line) for line in lines(answer))
    return {(int(one[1]), int(one[2])): one[3].replace("kes", "") for one in found if one}


def read_channels(answer: str) -> dict[Channel, FoundChannel]:
    """(board, channel) → its words, of `khomp channels show concise`; numbers of 2 or 3 digits."""
    pattern = re.compile(r"B(\d+)C(\d+):([^:]*):([^:]*):([^:]*)(?::(\d*)%?)?(?::(.*))?")
    found = (pattern.fullmatch(line) for line in lines(answer))
    return {
        (int(one[1]), int(one[2])): FoundChannel(one[3].strip(), one[4].strip(), one[5].strip(), int(one[6]) if one[6] else None, one[7] or "")
        for one in found if one
    }


FREE, BUSY, FAILED = "free", "busy", "failed"
_OUT_OF_SERVICE = re.compile(r"Fail|Locked|RemoteLock|OutgoingLock|Disabled|Error|NotReady")


def state(channel: FoundChannel) -> str:
    """One word for a channel: free, busy, or failed (out of service, or locked for calls that leave)."""
    if channel.call == "kcsFail" or _OUT_OF_SERVICE.search(channel.channel):
        return FAILED
    return FREE if channel.call in ("kcsFree", "Free") else BUSY


# ------------------------------------------------------------------------------------------------------ after a reload


def not_taken(ask: Ask, files: Mapping[str, str]) -> bool:
    """Whether the driver that runs holds something else than khomp.conf says, so that only a restart of Asterisk brings it in.

    What `module reload` reads again is nowhere told. The format of the dumps is not either: every group and every option of the file must
    be found in them, whatever stands around. False without driver: it reads the file when it comes.
    """
    groups, options = ask("khomp dump groups"), ask("khomp dump config")
    if is_absent(groups):
        return False
    told_groups = {_bare(line) for line in lines(groups)}
    told_options = {_bare(line) for line in lines(options)}
    for one, content in conf.read(FILE, files).effective():
        wanted = {_bare(f"{key}={value}") for _file, _number, key, value in content}
        if not wanted <= (told_groups if one.name == "groups" else told_options):
            return True
    return False


def _bare(line: str) -> str:
    """`trunk7 = b0c0-3:context` without spaces and frames, so that only words and signs are compared; case counts."""
    return re.sub(r"[\s|]+", "", line)
