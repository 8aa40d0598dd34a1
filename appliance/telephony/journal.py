"""Follows a file that Asterisk appends to, through renames; knows nothing of what is in it.

Where one has read to is kept by whoever calls, in the same transaction as what came of the lines.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1_000_000
HEAD_BYTES = 200
SETTLED_SECONDS = 1.0  # Asterisk may have opened a file just before it was renamed, and write to it yet


@dataclass(frozen=True)
class File:
    """One file as it is now. `head` tells it from every other one, whatever inode or name it has; "" while it has no line."""

    path: Path
    inode: int
    size: int
    modified_at: float
    head: str


@dataclass(frozen=True)
class Piece:
    """Whole lines from a file: (offset, bytes without the line break); `offset` is where to go on.

    `has_ended` says that nothing more will come: the file has been renamed, and all is read.
    """

    lines: list[tuple[int, bytes]]
    offset: int
    has_ended: bool


def files(path: Path) -> list[File]:
    """The set-aside ones (`path`.…), oldest first, then the one that is written to, as far as they exist."""
    names = sorted(path.parent.glob(f"{path.name}.*"), key=lambda one: one.name)
    return [found for one in [*names, path] if (found := look(one))]


def look(path: Path) -> File | None:
    """The file at this path, None when there is none (any more)."""
    try:
        with open(path, "rb") as opened:
            facts, first = os.fstat(opened.fileno()), opened.readline(HEAD_BYTES)
    except FileNotFoundError:
        return None
    head = hashlib.sha256(first).hexdigest()[:32] if first.endswith(b"\n") or len(first) == HEAD_BYTES else ""
    return File(path, facts.st_ino, facts.st_size, facts.st_mtime, head)


def read(file: File, offset: int, *, is_current: bool, now: float, line_count: int) -> Piece:
    """Up to `line_count` whole lines from `offset`. A torn half line waits for its rest; in a renamed file it is given as it is."""
    with open(file.path, "rb") as opened:
        opened.seek(offset)
        text = opened.read(CHUNK_BYTES)
    lines: list[tuple[int, bytes]] = []
    start = 0
    while len(lines) < line_count and (end := text.find(b"\n", start)) >= 0:
        lines.append((offset + start, text[start:end]))
        start = end + 1
    is_settled = not is_current and now - file.modified_at > SETTLED_SECONDS
    rest = text[start:]
    has_all = len(text) < CHUNK_BYTES and len(lines) < line_count
    if rest and (len(rest) == CHUNK_BYTES or (has_all and is_settled)):
        lines.append((offset + start, rest))
        start = len(text)
    return Piece(lines, offset + start, has_all and is_settled)


def set_aside(path: Path, stamp: str) -> Path:
    """Renames the file, so that Asterisk begins a new one. It opens cdr and cel files anew for each line."""
    aside = path.with_name(f"{path.name}.{stamp}")
    path.rename(aside)
    return aside
