"""Khomp's channel driver: what its console prints, and whether it took a changed khomp.conf.

The driver (chan_khomp 4.x) is proprietary, comes as a binary per Asterisk version and may be absent. Its formats are known from
public material only, so they are read with tolerance: 2 or 3 digits for a channel, `<K> ` in front of any line.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.khomp_channels import Channel, is_digital, links_of
from appliance.telephony import conf

MODULE = "chan_khomp.so"
FILE = "khomp.conf"
NO_COMMAND = "No such command"

Ask = Callable[[str], str]

_NOISE = re.compile(r"^(<K>\s*)?\|?\s*")


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
