"""Boards as the driver finds them beside boards as they are declared: what differs, and taking the driver's word (TRK-17)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from appliance import settings
from appliance.errors import Busy
from appliance.khomp_boards.live import SUMMARY, command
from appliance.khomp_boards.model import FROM_DRIVER, KhompBoard, boards, resource
from appliance.telephony import ami, khomp
from appliance.telephony.khomp import FoundBoard

FIELDS = ("model", "channels", "links", "serial")
NOT_FOUND, NOT_DECLARED, DIFFERS = "not_found", "not_declared", "differs"


@dataclass(frozen=True)
class Declared:
    """What a row says of a board."""

    index: int
    model: str
    channels: int
    links: int
    serial: str


def declared(row: KhompBoard) -> Declared:
    """A row without its session."""
    return Declared(row.index, row.model, row.channels, row.link_count, row.serial)


def found_in(rows: dict[str, dict[str, Any]]) -> list[FoundBoard]:
    """The boards of the live picture (live.py), in the driver's order."""
    boards_ = [row for name, row in rows.items() if name.startswith("board-")]
    return [FoundBoard(row["index"], row["model"], row["serial"], row["channels"], row["links"], tuple(row["more"]))
            for row in sorted(boards_, key=lambda row: int(row["index"]))]


@dataclass(frozen=True)
class Difference:
    """One thing that is declared otherwise than found. `field` is set for DIFFERS alone."""

    index: int
    code: str
    field: str = ""
    declared: Any = None
    found: Any = None


def found_boards() -> list[FoundBoard] | None:
    """What the driver lists; None when there is no driver. Raises Busy when Asterisk does not answer."""
    with ami.actions(settings.load()) as connection:
        answer = command(connection, SUMMARY)
    return None if khomp.is_absent(answer) else khomp.read_summary(answer)[1]


def differences(rows_: Iterable[Declared], found: Iterable[FoundBoard]) -> list[Difference]:
    """By number of the board. A serial number that was left empty differs from nothing."""
    here = {board.index: board for board in found}
    rows = {row.index: row for row in rows_}
    told = [Difference(index, NOT_FOUND if index in rows else NOT_DECLARED) for index in sorted(rows.keys() ^ here.keys())]
    for index in sorted(rows.keys() & here.keys()):
        for name in FIELDS:
            said, have = getattr(rows[index], name), getattr(here[index], name)
            if said != have and "" not in (said, have):
                told.append(Difference(index, DIFFERS, name, said, have))
    return sorted(told, key=lambda one: one.index)


def take(found: Iterable[FoundBoard], only: int | None = None) -> list[int]:
    """Rows become what the driver says; the numbers of those that changed. A board nobody declared is declared.

    With `only` that one board; without, new boards and those the driver told last: what a person declared otherwise stays, and is shown
    as a difference. Nothing is deleted: a device without power is not gone. Raises Refused when a trunk uses what would go.
    """
    rows = {row.index: row for row in boards()}
    changed = []
    for board in found:
        row = rows.get(board.index)
        if only not in (None, board.index) or (row is not None and only is None and row.source != FROM_DRIVER):
            continue
        values = {"index": board.index, "model": board.model, "channels": board.channels, "links": board.links, "serial": board.serial}
        if row is None:
            row = resource.create(values)
            changed.append(board.index)
        elif resource.update(row, values):
            changed.append(board.index)
        row.source = FROM_DRIVER
    return changed


def read() -> list[int] | None:
    """Take what the driver says; None without a driver or without Asterisk."""
    try:
        found = found_boards()
    except Busy:
        return None
    return None if found is None else take(found)
