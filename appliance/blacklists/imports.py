"""Files of numbers brought into a blacklist: who brought which, how far it is, what was wrong. All good lines are stored at once, or none.

How far one is and whether somebody wants it stopped stand in Redis: neither should wait for a writer of the database.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import changes, csv_files, lanes, settings
from appliance import db as ground
from appliance.blacklists import entries
from appliance.blacklists.entries import Entry
from appliance.db import Base, Instant, db
from appliance.errors import Refused

MOST_ROWS = 200_000
LARGEST_BYTES = 20_000_000
SHOWN_FAULTS = 1000
STEP = 2000                     # lines between two looks at whether it goes on
KEPT = timedelta(days=30)
WAITING, RUNNING, DONE, REFUSED, CANCELLED = "waiting", "running", "done", "refused", "cancelled"
STATES = {WAITING: _l("waits"), RUNNING: _l("is being read"), DONE: _l("stored"), REFUSED: _l("nothing was stored"), CANCELLED: _l("cancelled")}
ADD, REPLACE = "add", "replace"
INBOUND, OUTBOUND = "1", "2"
TYPES = {"": _l("any type"), INBOUND: _l("inbound (1)"), OUTBOUND: _l("outbound (2)")}

NUMBER = ("number", "número", "telefone", "phone", "fone", "blacklist_number", "contato")
NOTE = ("note", "observação", "obs", "nota", "motivo", "descrição", "description")
TYPE = ("blacklist_type", "tipo", "type")


class BlacklistImport(Base):
    """One file. `faults` are [line, text] of the bad lines, at most SHOWN_FAULTS of them."""

    __tablename__ = "blacklist_imports"
    id: Mapped[int] = mapped_column(primary_key=True)
    blacklist_id: Mapped[int] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(Instant())
    author: Mapped[str] = mapped_column(String(80))
    user_id: Mapped[int]
    address: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(120))
    file: Mapped[str] = mapped_column(String(80))
    mode: Mapped[str] = mapped_column(String(10))
    wanted_type: Mapped[str] = mapped_column(String(1))
    state: Mapped[str] = mapped_column(String(10))
    added_count: Mapped[int] = mapped_column(default=0)
    known_count: Mapped[int] = mapped_column(default=0)      # stood in the list already, or twice in the file
    fault_count: Mapped[int] = mapped_column(default=0)
    faults: Mapped[list[Any]] = mapped_column(JSON)

    @property
    def is_open(self) -> bool:
        return self.state in (WAITING, RUNNING)


class Stopped(Exception):
    """Somebody cancelled it: nothing is kept."""


class Faulty(Exception):
    """Lines are wrong; nothing is stored. `faults` has all of them."""

    def __init__(self, faults: list[tuple[int, str]]) -> None:
        super().__init__(f"{len(faults)} lines")
        self.faults = faults


def folder() -> Path:
    """Where files lie until they are read."""
    found = settings.load().home / "imports"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def last(blacklist_id: int) -> BlacklistImport | None:
    """The newest of a list."""
    query = select(BlacklistImport).where(BlacklistImport.blacklist_id == blacklist_id).order_by(BlacklistImport.id.desc()).limit(1)
    return db.session.scalar(query)


# ----------------------------------------------------------------------------------------------------------- for a person


def bring(blacklist_id: int, stream: IO[bytes], name: str, mode: str, wanted_type: str) -> BlacklistImport:
    """Keep a file and have it read. Raises Refused when it is empty, too large, or another one is being read."""
    before = last(blacklist_id)
    if before and before.is_open:
        raise Refused(_("Another file is being read into this list. Wait for it, or cancel it."), field="file")
    if mode not in (ADD, REPLACE) or wanted_type not in TYPES:
        raise Refused(_("Choose what the file is for."), field="file")
    content = stream.read(LARGEST_BYTES + 1)
    if not content:
        raise Refused(_("Choose a file first."), field="file")
    if len(content) > LARGEST_BYTES:
        raise Refused(_("The file is larger than %(most)s MB. Split it into several files.", most=LARGEST_BYTES // 1_000_000), field="file")
    own = f"{secrets.token_hex(16)}.csv"
    (folder() / own).touch(mode=0o600)
    (folder() / own).write_bytes(content)
    who = changes.actor.get()
    row = BlacklistImport(blacklist_id=blacklist_id, at=ground.now(), author=who.name, user_id=who.user_id, address=who.address,
                          name=name[-120:], file=own, mode=mode, wanted_type=wanted_type, state=WAITING, faults=[])  # fmt: skip
    db.session.add(row)
    db.session.flush()
    lanes.put("default", "jobs.blacklists.load", row.id)
    return row


def cancel(row: BlacklistImport) -> None:
    """Stop it, wherever it is; one that is over stays as it is."""
    with lanes.needs_redis(), lanes.connection() as store:
        store.set(_key(row.id, "stop"), 1, ex=3600)
    if row.state == WAITING:
        end(row, CANCELLED)


def progress(row: BlacklistImport) -> tuple[int, int]:
    """(lines done, lines in all), (0, 0) while that is not known."""
    with lanes.needs_redis(), lanes.connection() as store:
        said = store.get(_key(row.id, "done"))
    done, _slash, total = (said or b"0/0").decode().partition("/")
    return int(done), int(total)


# ----------------------------------------------------------------------------------------------------------- for the worker


def tell(row_id: int, done: int, total: int) -> None:
    """How far it is. Raises Stopped when somebody cancelled it."""
    with lanes.needs_redis(), lanes.connection() as store:
        store.set(_key(row_id, "done"), f"{done}/{total}", ex=3600)
        if store.exists(_key(row_id, "stop")):
            raise Stopped


def end(row: BlacklistImport, state: str, **values: Any) -> None:
    """It is over; its file may go after the commit."""
    row.state = state
    for name, value in values.items():
        setattr(row, name, value)


def _key(row_id: int, word: str) -> str:
    return f"blacklist-import:{row_id}:{word}"


@dataclass(frozen=True)
class Columns:
    """Indexes of the columns of a file; None for one it does not have."""

    number: int
    note: int | None
    type: int | None


def read(content: bytes, wanted_type: str, told: Any = lambda done, total: None) -> tuple[list[Entry], int]:
    """(numbers of a file, how many lines repeat one). `told` hears how far it is. Raises Faulty with every bad line, Refused for no CSV."""
    sheet, columns = _sheet(content)
    faults = [(fault.line, fault.text) for fault in sheet.faults]
    reading, found, total = entries.Reading(), dict[str, Entry](), len(sheet.rows)
    for place, (line, cells) in enumerate(sheet.rows):
        if place % STEP == 0:
            told(place, total)
        try:
            entry = _entry(reading, cells, columns, wanted_type)
            found.setdefault(entry.key, entry)
        except Refused as why:
            faults.append((line, str(why)))
    if faults:
        raise Faulty(sorted(faults))
    return list(found.values()), total - len(found)


def _sheet(content: bytes) -> tuple[csv_files.Sheet, Columns]:
    sheet = csv_files.read(content, most_rows=MOST_ROWS, largest_bytes=LARGEST_BYTES)
    number = sheet.find(*NUMBER)
    if number is not None:
        return sheet, Columns(number, sheet.find(*NOTE), sheet.find(*TYPE))
    digits = "".join(sign for sign in sheet.head[0] if sign.isdigit())
    if len(digits) < entries.LEAST_DIGITS:
        raise Refused(_("The first line must name the columns: number and, if you like, note. Take the model to begin with."))
    sheet = csv_files.read(content, head=False, most_rows=MOST_ROWS, largest_bytes=LARGEST_BYTES)
    return sheet, Columns(0, 1 if len(sheet.head) > 1 else None, None)


def _entry(reading: entries.Reading, cells: list[str], columns: Columns, wanted_type: str) -> Entry:
    damage = csv_files.damage(cells[columns.number])
    if damage:
        raise Refused(damage)
    if columns.type is not None:
        said = csv_files.text_of(cells[columns.type])
        if said not in (INBOUND, OUTBOUND) and (said or wanted_type):
            raise Refused(_("“%(text)s” is no type of blacklist: write 1 for inbound or 2 for outbound.", text=said[:20]))
        if wanted_type and said != wanted_type:
            raise Refused(_("The line is of type %(said)s, but only type %(wanted)s is taken here.", said=said, wanted=wanted_type))
    note = csv_files.text_of(cells[columns.note]) if columns.note is not None else ""
    return reading.entry(csv_files.text_of(cells[columns.number]), note)


def stage(row_id: int, found: list[Entry]) -> None:
    """Some of the numbers, beside their list. The caller commits each part: one transaction for 100,000 would keep every other
    writer of SQLite waiting for seconds."""
    entries.insert_all(_beside(row_id), found)


def unstage(row_id: int) -> None:
    """What was brought beside its list goes: of a run that was killed, or of an import nobody wants any more."""
    entries.clear(_beside(row_id))


def _beside(row_id: int) -> int:
    """The number that stands for “not in its list yet” where the list's id will stand."""
    return -row_id


def staging() -> set[int]:
    """What stands for the lists of imports that are not over."""
    return {_beside(one) for one in db.session.scalars(select(BlacklistImport.id).where(BlacklistImport.state.in_((WAITING, RUNNING))))}


def put_in_force(row: BlacklistImport, title: str, repeated: int) -> None:
    """Everything that was staged into its list, in this transaction; numbers that the list holds already stay as they are there."""
    before, staged = entries.count(row.blacklist_id), entries.count(_beside(row.id))
    if row.mode == REPLACE:
        entries.clear(row.blacklist_id)
    added = entries.move(_beside(row.id), row.blacklist_id)
    entries.record_count(row.blacklist_id, title, before, entries.count(row.blacklist_id))
    end(row, DONE, added_count=added, known_count=staged - added + repeated)


# ------------------------------------------------------------------------------------------------------------------ export


def model_lines() -> Iterator[str]:
    """A file to begin with."""
    yield csv_files.START + csv_files.line_of(["number", "note", "blacklist_type"])
    yield csv_files.line_of(["(48) 3333-4444", _("prank caller"), INBOUND])
    yield csv_files.line_of([csv_files.guarded("48999991234"), _("asked not to be called"), INBOUND])


def export_lines(blacklist_id: int) -> Iterator[str]:
    """Every number of a list, as it can be brought back."""
    yield csv_files.START + csv_files.line_of(["number", "note"])
    for number, note in entries.lines(blacklist_id):
        yield csv_files.line_of([csv_files.guarded(number), csv_files.guarded(note)])


def forget_old() -> int:
    """Imports of long ago go, and files whose import is over or was never committed."""
    old = db.session.scalars(select(BlacklistImport).where(BlacklistImport.at < ground.now() - KEPT)).all()
    for row in old:
        db.session.delete(row)
    return len(old)
