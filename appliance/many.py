"""Writing many rows of one resource with few statements: what one row needs is asked of the database once for all of them.

The rules are those of one row (Resource.build, put, the model's check, uniqueness, numbering, audit); only the asking differs.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import undefer

from appliance import links, numbering
from appliance.db import db
from appliance.fields import Field
from appliance.numbering import Number
from appliance.resource import TABLE, Resource

PIECE = 250  # rows written, or read, at once


class Many:
    """A door for many rows of one resource in one transaction; nobody else may write this resource's rows meanwhile.

    A row that is refused leaves no trace, and the others go on. What was made gets its id with `flush`. A dry run writes nothing at all
    where no rule of the model asks the database for other rows; elsewhere it writes, and the caller rolls back.
    """

    def __init__(self, resource: Resource, *, dry: bool = False) -> None:
        self.resource = resource
        self.dry = dry and not hasattr(resource.model, "check")
        columns = inspect(resource.model).columns
        self._unique = [spec for spec in resource.fields.values() if columns[spec.attr].unique]
        self._taken = {spec.attr: self._values_of(spec) for spec in self._unique}
        self._numbers = {held.number: held for held in db.session.scalars(select(Number))} if hasattr(resource.model, "numbers") else {}
        self._held: dict[int, set[str]] = {}
        for held in self._numbers.values():
            if held.word == resource.word:
                self._held.setdefault(held.row_id, set()).add(held.number)
        self._has_check = hasattr(resource.model, "check")
        self._points_at_itself = any(resource.word in getattr(spec.kind, "words", ()) for spec in resource.fields.values())
        self._new: list[Any] = []
        self._pointing: dict[int, list[tuple[Resource, Any]]] | None = None

    def _values_of(self, spec: Field) -> dict[Any, Any]:
        """Value → id of the row that has it."""
        column = getattr(self.resource.model, spec.attr)
        return {value: row_id for value, row_id in db.session.execute(select(column, self.resource.model.id)) if value not in (None, "")}

    @contextmanager
    def open(self) -> Iterator["Many"]:
        """Rows are written inside, and all of them are in the transaction at its end."""
        with links.remembering(self.resource.word), db.session.no_autoflush if self.dry else nullcontext():
            yield self
            if self.dry:
                return
            self.flush()
            db.session.flush()

    # ------------------------------------------------------------------------------------------------------- finding

    def id_of(self, key: Any) -> int | None:
        """The id of the row with this natural key; None also for one made here that has none yet."""
        spec = self.resource.fields[self.resource.key]
        attr, key = spec.attr, spec.kind.as_key(key) if isinstance(key, str) else key
        found = self._taken[attr].get(key) if attr in self._taken else getattr(self.resource.find(key), "id", None)
        return found if isinstance(found, int) else None

    def load(self, ids: Iterable[int], secrets: Iterable[str] = ()) -> dict[int, Any]:
        """Rows by id, with the named secrets opened."""
        model, wanted = self.resource.model, sorted(set(ids))
        found: dict[int, Any] = {}
        opened = [undefer(getattr(model, self.resource.fields[name].attr)) for name in secrets]
        for place in range(0, len(wanted), PIECE):
            query = select(model).where(model.id.in_(wanted[place:place + PIECE])).options(*opened)
            found |= {row.id: row for row in db.session.scalars(query).unique()}
        return found

    # ------------------------------------------------------------------------------------------------------- writing

    def create(self, values: dict[str, Any]) -> Any:
        """A new row; its id, its numbers and its line in the audit trail come with `flush`. Raises Refused."""
        with nullcontext() if self._points_at_itself else db.session.no_autoflush:
            row = self.resource.build(values)
        self._check_unique(row, None)
        if self._has_check:
            row.check()  # the row is not in the session yet, so rows made before are written when the rule asks for them
        self._check_numbers(row, 0)
        for spec in self._unique:
            self._taken[spec.attr][getattr(row, spec.attr)] = row
        for number in self._numbers_of(row):
            self._numbers[number] = Number(number=number, word=self.resource.word, row_id=0, owner=self.resource.owner(row)[:200])
        if self.dry:
            return row
        self._new.append(row)
        db.session.add(row)
        if len(self._new) >= PIECE:
            self.flush()
        return row

    def update(self, row: Any, values: dict[str, Any]) -> bool:
        """Change a row; False when nothing differed. Raises Refused, and the row is as it was."""
        if self._has_check:
            self.flush()  # the rule asks the database, which must know of all rows but this one
        with db.session.no_autoflush:
            try:
                before, secret = self.resource.put(row, values)
                if not db.session.is_modified(row):
                    return False
                self._check_unique(row, row.id)
                if self._has_check:
                    row.check()
                self._check_numbers(row, row.id)
            except Exception:
                db.session.expire(row)
                raise
        for spec in self._unique:
            self._taken[spec.attr][getattr(row, spec.attr)] = row.id
        if self.dry:
            return True
        self._claim(row)
        if hasattr(row, "stored"):
            row.stored()
        return self.resource.record_updated(row, before, secret)

    def took_in(self, row: Any) -> None:
        """A row of this resource that was stored by another way meanwhile."""
        for spec in self._unique:
            self._taken[spec.attr][getattr(row, spec.attr)] = row.id
        for number in self._numbers_of(row):
            self._numbers[number] = db.session.get_one(Number, number)
            self._held.setdefault(row.id, set()).add(number)

    def delete(self, row: Any) -> None:
        """Remove a row (load it with all secrets opened). Raises Refused when another row points at it."""
        self.flush()
        if self._pointing is None:
            self._pointing = pointing_at(self.resource.word)
        self.resource.record_deleted(row, self._pointing.get(row.id, []))
        for number in self._held.pop(row.id, set()):
            db.session.delete(self._numbers.pop(number))
        for spec in self._unique:
            self._taken[spec.attr].pop(getattr(row, spec.attr), None)
        db.session.delete(row)

    def flush(self) -> None:
        """Write what waits, and give new rows their numbers and their line in the audit trail."""
        made, self._new = self._new, []
        if not made:
            return
        db.session.flush()
        for row in made:
            for spec in self._unique:
                self._taken[spec.attr][getattr(row, spec.attr)] = row.id
            for number in self._numbers_of(row):
                self._held.setdefault(row.id, set()).add(number)
                self._numbers[number].row_id = row.id
                db.session.add(self._numbers[number])
            self.resource.record_created(row)
            if hasattr(row, "stored"):
                row.stored()
        db.session.flush()

    # -------------------------------------------------------------------------------------------------------- checks

    def _check_unique(self, row: Any, own_id: int | None) -> None:
        for spec in self._unique:
            value = getattr(row, spec.attr)
            twin = self._taken[spec.attr].get(value) if value not in (None, "") else None
            if twin is not None and twin != own_id:
                self.resource.refuse_twin(spec, value, self.resource.get(twin) if isinstance(twin, int) else twin)

    def _numbers_of(self, row: Any) -> list[str]:
        return list(dict.fromkeys(row.numbers())) if hasattr(row, "numbers") else []

    def _check_numbers(self, row: Any, own_id: int) -> None:
        """A number of another row, of this resource or of any other, is refused; a number that row gave up meanwhile is free."""
        for number in self._numbers_of(row):
            held = self._numbers.get(number)
            if held is not None and (held.word, held.row_id or -1) != (self.resource.word, own_id):
                with self.resource.at_number():
                    numbering.refuse(held)

    def _claim(self, row: Any) -> None:
        """The row has exactly its numbers, under its present title."""
        wanted, owner = self._numbers_of(row), self.resource.owner(row)[:200]
        for number in self._held.get(row.id, set()) - set(wanted):
            db.session.delete(self._numbers.pop(number))
        self._held[row.id] = set(wanted)
        for number in wanted:
            if number in self._numbers:
                self._numbers[number].owner = owner
            else:
                self._numbers[number] = Number(number=number, word=self.resource.word, row_id=row.id, owner=owner)
                db.session.add(self._numbers[number])


def pointing_at(word: str) -> dict[int, list[tuple[Resource, Any]]]:
    """Id of each row of `word` that others point at → those others; one look for all of them."""
    found: dict[int, list[tuple[Resource, Any]]] = {}
    for resource in TABLE.values():
        pointing = [spec for spec in resource.fields.values() if word in getattr(spec.kind, "words", ())]
        for row in resource.rows() if pointing else []:
            targets = {target for spec in pointing for other, target in spec.kind.refers(getattr(row, spec.attr)) if other == word}
            for target in targets:
                found.setdefault(target, []).append((resource, row))
    return found
