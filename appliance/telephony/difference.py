"""What two sets of files differ in, in lines, and which row each line came from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from appliance.telephony.conf import NOWHERE, Origin, read_file


@dataclass(frozen=True)
class Hunk:
    """Lines that changed together: `lines` start with `-`, `+` or a space; `line` is where the new file has them."""

    line: int
    origin: Origin
    lines: tuple[str, ...]


@dataclass(frozen=True)
class FileDifference:
    """One file that changed. `state` is added, removed or changed."""

    file: str
    state: str
    hunks: tuple[Hunk, ...]


def difference(
    old: Mapping[str, str], new: Mapping[str, str], secret_files: frozenset[str] = frozenset()
) -> list[FileDifference]:
    """Every changed file but the secret ones, whose lines are nobody's to read."""
    found = []
    for file in sorted({*old, *new} - secret_files):
        before, after = old.get(file), new.get(file)
        if before != after:
            state = "added" if before is None else "removed" if after is None else "changed"
            found.append(FileDifference(file, state, tuple(_hunks(file, before or "", after or ""))))
    return found


def _hunks(file: str, old: str, new: str) -> list[Hunk]:
    """Compares block by block, then line by line inside blocks that differ: 5,000 extensions stay well below a
    second."""
    before, after = _blocks(old), _blocks(new)
    sources = (read_file(file, old), read_file(file, new))
    found: list[Hunk] = []
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        old_line, new_line = 1 + _height(before[:a]), 1 + _height(after[:c])
        gone, come = "".join(before[a:b]).splitlines(), "".join(after[c:d]).splitlines()
        origin = _origin(come, new_line, sources[1].origin) if come else _origin(gone, old_line, sources[0].origin)
        found.append(Hunk(new_line, origin, tuple(_lines(gone, come))))
    return found


def _blocks(text: str) -> list[str]:
    """Text cut before every `; from` and every section without one, so that a row is one block."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines(keepends=True):
        heading_of_row = line.startswith("[") and blocks[-1][-1:] and blocks[-1][-1].startswith("; from ")
        if line.startswith(("; from ", "[")) and not heading_of_row:
            blocks.append([])
        blocks[-1].append(line)
    return ["".join(block) for block in blocks if block]


def _lines(gone: list[str], come: list[str]) -> list[str]:
    found: list[str] = []
    for tag, a, b, c, d in SequenceMatcher(None, gone, come, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [f" {line}" for line in gone[a:b]]
            continue
        found += [f"-{line}" for line in gone[a:b]] + [f"+{line}" for line in come[c:d]]
    return found


def _origin(lines: list[str], first: int, origin_of: Callable[[int], Origin]) -> Origin:
    """The row of the first line that has one."""
    for number in range(first, first + max(1, len(lines))):
        origin = origin_of(number)
        if origin != NOWHERE:
            return origin
    return NOWHERE


def _height(blocks: list[str]) -> int:
    return sum(block.count("\n") for block in blocks)
