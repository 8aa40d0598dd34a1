"""The numbers of the blacklists: their table, reading what people write, adding, removing, finding, comparing."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Index, String, UniqueConstraint, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from appliance import changes
from appliance import db as ground
from appliance import resource as resources
from appliance.company.model import Company
from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import Reader, is_plain
from appliance.numbers import key, keys

LEAST_DIGITS, MOST_DIGITS, NOTE_LENGTH = 3, 20, 80
BATCH = 5000  # rows of one statement
PAGE = 50
KEPT = timedelta(days=30)  # the numbers of a deleted list


class BlacklistNumber(Base):
    """One number of a list: as it was written (digits) and as it is compared (appliance/numbers.py, key).

    No foreign key: the numbers of a deleted list stay for some weeks, so that going back to an older revision brings back a full list.
    """

    __tablename__ = "blacklist_numbers"
    __table_args__ = (
        UniqueConstraint("blacklist_id", "key"),
        Index("ix_blacklist_numbers_key", "key", "blacklist_id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    blacklist_id: Mapped[int]
    number: Mapped[str] = mapped_column(String(MOST_DIGITS))
    key: Mapped[str] = mapped_column(String(24))
    note: Mapped[str] = mapped_column(String(NOTE_LENGTH))


@dataclass(frozen=True)
class Entry:
    """A number as it was read: digits, what it is compared by, and a note."""

    number: str
    key: str
    note: str


# ----------------------------------------------------------------------------------------------------------------- reading


class Reading:
    """How this company reads numbers: country, area, and the emergency numbers no list may hold. Asked of the database once."""

    def __init__(self) -> None:
        company = db.session.get_one(Company, resources.SINGLE_ID)
        self.country, self.area, self.emergency = company.country_code, company.area_code, frozenset(company.emergency_numbers)

    def entry(self, number: Any, note: Any = "") -> Entry:
        """A line as people write it: spaces, ( ) . / and hyphens are taken off the number. Raises Refused with its field."""
        text = str(number).strip() if is_plain(number) else ""
        said = str(note or "").replace("\xa0", " ").strip() if is_plain(note or "") else None
        digits = re.sub(r"[\s().\-/]", "", text)
        if not text:
            raise Refused(_("Write the number."), field="number")
        if not re.fullmatch(r"\+?[0-9]+", digits, re.ASCII):
            raise Refused(_("“%(text)s” is not a telephone number.", text=text[:40]), field="number")
        if not LEAST_DIGITS <= len(digits.lstrip("+")) <= MOST_DIGITS - 1:
            raise Refused(_("“%(text)s” has %(count)s digits; a number has %(least)s to %(most)s.", text=text[:40],
                            count=len(digits.lstrip("+")), least=LEAST_DIGITS, most=MOST_DIGITS - 1), field="number")
        if digits in self.emergency:
            raise Refused(_("%(number)s is an emergency number and is never blocked.", number=digits), field="number")
        if said is None or len(said) > NOTE_LENGTH or not said.isprintable():
            raise Refused(_("A note is one line of at most %(most)s characters.", most=NOTE_LENGTH), field="note")
        return Entry(digits, key(digits, self.country), said)


# ----------------------------------------------------------------------------------------------------------------- finding


def list_with(lists: list[int], numbers: Iterable[str]) -> int | None:
    """The first of the lists that holds one of these ways of writing a number. Two look-ups by an index, whatever the lists hold."""
    reading = Reading()
    wanted = {one for number in numbers for one in keys(number, reading.country, reading.area)}
    query = select(BlacklistNumber.blacklist_id).where(BlacklistNumber.key.in_(wanted), BlacklistNumber.blacklist_id.in_(lists))
    found = set(db.session.scalars(query))
    return next((one for one in lists if one in found), None)


def count(blacklist_id: int) -> int:
    """How many numbers a list holds."""
    return db.session.scalar(select(func.count()).where(BlacklistNumber.blacklist_id == blacklist_id)) or 0


@dataclass(frozen=True)
class Page:
    """Some numbers in the order of their keys, and where the next page begins ("" for none)."""

    entries: list[BlacklistNumber]
    next: str


def page(blacklist_id: int, text: str = "", after: str = "", limit: int = PAGE) -> Page:
    """The numbers of a list behind `after`, all or those whose digits or note hold the text."""
    mine = BlacklistNumber.blacklist_id == blacklist_id
    query = select(BlacklistNumber).where(mine, BlacklistNumber.key > after.replace("\0", "")).order_by(BlacklistNumber.key)
    text = text.strip().replace("\0", "")
    if text:
        digits = re.sub(r"[\s().\-/+]", "", text)
        holds = func.lower(BlacklistNumber.note).contains(text.lower(), autoescape=True)
        if digits.isdigit():
            holds |= BlacklistNumber.number.contains(digits, autoescape=True) | BlacklistNumber.key.contains(digits, autoescape=True)
            holds |= BlacklistNumber.key.in_(keys(digits, *_home()))
        query = query.where(holds)
    found = list(db.session.scalars(query.limit(limit + 1)))
    return Page(found[:limit], found[limit - 1].key if len(found) > limit else "")


def _home() -> tuple[str, str]:
    reading = Reading()
    return reading.country, reading.area


def lines(blacklist_id: int) -> Iterator[tuple[str, str]]:
    """(number, note) of every number, in the order of their keys, a batch at a time."""
    after = ""
    while True:
        query = select(BlacklistNumber.number, BlacklistNumber.note, BlacklistNumber.key).where(
            BlacklistNumber.blacklist_id == blacklist_id, BlacklistNumber.key > after).order_by(BlacklistNumber.key).limit(BATCH)
        found = db.session.execute(query).all()
        for number, note, _key in found:
            yield number, note
        if len(found) < BATCH:
            return
        after = found[-1].key


# ---------------------------------------------------------------------------------------------------------------- changing


def add(blacklist_id: int, title: str, number: Any, note: Any = "") -> BlacklistNumber:
    """One more number, from now on. Raises Refused, also when the list holds it already."""
    entry = Reading().entry(number, note)
    twin = db.session.scalar(select(BlacklistNumber).where(BlacklistNumber.blacklist_id == blacklist_id, BlacklistNumber.key == entry.key))
    if twin:
        note = f" ({twin.note})" if twin.note else ""
        raise Refused(_("%(number)s is in this list already%(note)s.", number=twin.number, note=note), field="number")
    row = BlacklistNumber(blacklist_id=blacklist_id, number=entry.number, key=entry.key, note=entry.note)
    db.session.add(row)
    db.session.flush()
    changes.record("blacklists", blacklist_id, title, changes.UPDATED, {}, {"numbers": f"+ {entry.number} {entry.note}".strip()}, pending=False)
    return row


def remove(row: BlacklistNumber, title: str) -> None:
    """One number less, from now on."""
    changes.record("blacklists", row.blacklist_id, title, changes.UPDATED, {"numbers": f"− {row.number} {row.note}".strip()}, {}, pending=False)
    db.session.delete(row)
    db.session.flush()


def move(from_id: int, to_id: int) -> int:
    """The numbers of one list into another that may hold some of them already; how many were new."""
    held = select(BlacklistNumber.key).where(BlacklistNumber.blacklist_id == to_id)
    mine = BlacklistNumber.blacklist_id == from_id
    db.session.execute(delete(BlacklistNumber).where(mine, BlacklistNumber.key.in_(held)).execution_options(synchronize_session=False))
    moved = update(BlacklistNumber).where(mine).values(blacklist_id=to_id).execution_options(synchronize_session=False)
    return int(db.session.execute(moved).rowcount)  # type: ignore[attr-defined]


def insert_all(blacklist_id: int, entries: Iterable[Entry]) -> int:
    """Numbers the list does not hold, by the thousand; how many."""
    values = [{"blacklist_id": blacklist_id, "number": one.number, "key": one.key, "note": one.note} for one in entries]
    for start in range(0, len(values), BATCH):
        db.session.execute(insert(BlacklistNumber), values[start:start + BATCH])
    return len(values)


def clear(blacklist_id: int) -> None:
    """Every number of a list goes."""
    db.session.execute(delete(BlacklistNumber).where(BlacklistNumber.blacklist_id == blacklist_id))


def record_count(blacklist_id: int, title: str, before: int, after: int) -> None:
    """Many numbers at once are one line of the trail: how many there were and are."""
    changes.record("blacklists", blacklist_id, title, changes.UPDATED, {"numbers": str(before)}, {"numbers": str(after)}, pending=False)


class Numbers:
    """`numbers` of a blacklist for the site file and the API (resource.LongList): [{number, note}]."""

    schema: Any = list[dict[str, str]]

    def read(self, value: Any, reader: Reader) -> list[Entry]:
        """Outside → entries; the same number twice counts once. What is wrong goes to the reader with its index."""
        if not isinstance(value, list):
            reader.refuse(_("Write a list."))
            return []
        reading, found = Reading(), dict[str, Entry]()
        for index, line in enumerate(value):
            if not isinstance(line, dict) or not set(line) <= {"number", "note"}:
                reader.at(index).refuse(_("Write a number like this: {number: \"4833334444\", note: \"…\"}."))
                continue
            try:
                entry = reading.entry(line.get("number", ""), line.get("note", ""))
                found[entry.key] = entry
            except Refused as why:
                reader.at(index).at(why.field or "number").refuse(str(why))
        return list(found.values())

    def replace(self, row: Any, lines: list[Entry]) -> bool:
        """The list holds exactly these from now on; False when it did already."""
        before = {(one.key, one.number, one.note) for one in db.session.execute(
            select(BlacklistNumber.key, BlacklistNumber.number, BlacklistNumber.note).where(BlacklistNumber.blacklist_id == row.id))}
        if before == {(one.key, one.number, one.note) for one in lines}:
            return False
        clear(row.id)
        insert_all(row.id, lines)
        record_count(row.id, row.name, len(before), len(lines))
        return True

    def show(self, row: Any) -> list[dict[str, str]]:
        """Every number, for the site file."""
        return [{"number": number, "note": note} if note else {"number": number} for number, note in lines(row.id)]


def forget_deleted(in_use: set[int]) -> int:
    """Numbers of lists deleted longer ago than KEPT go, and what an import left lying (those of `in_use` are still wanted); of how many."""
    gone = select(BlacklistNumber.blacklist_id).where(BlacklistNumber.blacklist_id.not_in(select(_lists().id))).distinct()
    old = [row_id for row_id in db.session.scalars(gone) if row_id not in in_use and not _is_kept(row_id)]
    for row_id in old:
        clear(row_id)
    return len(old)


def _lists() -> Any:
    return resources.TABLE["blacklists"].model


def _is_kept(row_id: int) -> bool:
    since = ground.now() - KEPT
    query = select(changes.Change.id).where(changes.Change.word == "blacklists", changes.Change.row_id == row_id, changes.Change.at > since)
    return db.session.scalar(query.limit(1)) is not None
