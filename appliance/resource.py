"""What a declaration may say, and what every face does with a row: read, show, create, update, delete, find.

Knows no HTTP. The faces (web/crud.py, web/api.py, sitefile.py) stand on these functions, so the same validation,
audit and numbering guard all of them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import cached_property
from typing import IO, Any, Protocol

from flask_babel import gettext as _
from sqlalchemy import String, cast, func, inspect, select

from appliance import changes, numbering
from appliance.db import db
from appliance.errors import Refused
from appliance.fields import MISSING, Field, Problem, Reader, is_plain

SINGLE_ID = 1
LARGEST_ID = 2**31 - 1  # what an id can be on every database


class LongList(Protocol):
    """Lines of a row that are a table of their own, because there are thousands: the numbers of a blacklist.

    The site file and the API give and take all of them; forms, lists, revisions and the pages of the API leave them out. They take
    effect when they are stored, without an apply.
    """

    schema: Any

    def read(self, value: Any, reader: Reader) -> Any:
        """Outside → what `replace` takes; what is wrong goes to the reader."""
        ...

    def replace(self, row: Any, lines: Any) -> bool:
        """Exactly these from now on, with a line in the trail; False when it was so already."""
        ...

    def show(self, row: Any) -> list[dict[str, str]]:
        """All of them, outside."""
        ...


@dataclass(frozen=True)
class Upload:
    """A file that may come with a row: `take(row, stream, name)` keeps it, and raises Refused at the field “file”."""

    take: Callable[[Any, IO[bytes], str], None]
    accept: str
    help: Any
    several: bool = False   # a form may send more than one at once


@dataclass
class Resource:
    """One declaration: the table and what people see of it. `key` is the natural key ("" for a single row)."""

    model: Any
    word: str
    label: Any
    one: Any
    new: Any = ""                                     # "New extension": languages with genders need the whole text
    key: str = ""
    permission: str = ""
    group: str = ""                                   # heading of the menu
    icon: str = "file"
    columns: list[str] = attribute(default_factory=list)
    search: list[str] = attribute(default_factory=list)
    filters: list[str] = attribute(default_factory=list)
    tabs: dict[Any, list[str]] = attribute(default_factory=dict)
    empty: Any = ""                                   # what this is and what to do first
    also: str = ""                                    # other names people search for
    destination: str = ""                             # its word in a destination: {"extension": "1000"}
    applies: bool = True                              # a change must be applied to Asterisk
    single: bool = False
    save_when_complete: bool = False                  # the save button appears when nothing required is missing (USR-03)
    long_lists: dict[str, LongList] = attribute(default_factory=dict)
    upload: Upload | None = None
    passes: list[str] = attribute(default_factory=list)   # fields naming rows a call passes on its way: a queue's hours
    lent_to: list[str] = attribute(default_factory=list)  # fields naming rows that help out; the dialplan asks each at most once
    takes: list[str] = attribute(default_factory=list)    # fields naming rows whose calls this one takes: the queues of an event
    at_once: list[str] = attribute(default_factory=list)  # fields that take effect when they are stored: no apply waits for them

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Outside name → field, in the order of declaration."""
        found = {}
        for attr in inspect(self.model).column_attrs:
            spec: Field | None = attr.columns[0].info.get("field")
            if spec:
                spec.attr, spec.name = attr.key, spec.name or attr.key
                found[spec.name] = spec
        named = [*self.columns, *self.search, *self.filters, *self.at_once, *(name for names in self.tabs.values() for name in names)]
        unknown = [name for name in (*named, *([self.key] if self.key else [])) if name not in found]
        if unknown:
            raise LookupError(f"{self.word}: no field named {', '.join(unknown)}")
        return found

    # ------------------------------------------------------------------------------------------------ finding rows

    def get(self, row_id: int) -> Any | None:
        return db.session.get(self.model, row_id) if 0 < row_id <= LARGEST_ID else None

    def find(self, key: Any) -> Any | None:
        """The row with this natural key."""
        if self.single:
            return self.get(SINGLE_ID)
        if not is_plain(key) or "\0" in str(key):
            return None  # no database can be asked for it
        column = getattr(self.model, self.fields[self.key].attr)
        if self.fields[self.key].kind.schema is int:  # a key that is a number: "07" and "x" are none
            return self._find_number(column, str(key))
        return db.session.scalar(select(self.model).where(column == self.fields[self.key].kind.as_key(str(key))))

    def _find_number(self, column: Any, key: str) -> Any | None:
        is_number = re.fullmatch(r"0|[1-9][0-9]{0,8}", key)
        return db.session.scalar(select(self.model).where(column == int(key))) if is_number else None

    def rows(self) -> Iterable[Any]:
        """All rows in a stable order."""
        return db.session.scalars(select(self.model).order_by(self.model.id))

    def title(self, row: Any) -> str:
        """How people call the row: its key, and its name when that is another field."""
        key = getattr(row, self.fields[self.key].attr) if self.key else ""
        name = getattr(row, "name", "") if self.key != "name" else ""
        return f"{key} {name}".strip() or str(self.one)

    def path(self, row_id: int) -> str:
        """The screen of a row."""
        return f"/{self.word}" if self.single else f"/{self.word}/{row_id}"

    # ----------------------------------------------------------------------------------------------- reading values

    def read(self, values: dict[str, Any], reader: Reader, *, new: bool, later: Set[str] = frozenset()) -> dict[str, Any]:
        """Outside values → {attr: stored}; what is wrong goes to the reader. Names not given stay as they are, those of
        `later` stay empty."""
        for name in values:
            if name not in self.fields and name not in self.long_lists:
                reader.at(name).refuse(_("There is no field “%(name)s” here.", name=name))
        stored = {}
        for name, spec in self.fields.items():
            value = values[name] if name in values else spec.initial() if new else MISSING
            if name in later:
                stored[spec.attr] = spec.kind.empty
            elif value is not MISSING:
                stored[spec.attr] = spec.read(value, reader.at(name))
        return stored

    def show(self, row: Any, *, secrets: bool = False) -> dict[str, Any]:
        """The row's outside values, in the order of the declaration; secrets only when asked for."""
        return {
            name: spec.kind.show(getattr(row, spec.attr))
            for name, spec in self.fields.items() if not spec.input_only and (secrets or not spec.kind.secret)
        }

    # ------------------------------------------------------------------------------------------------ writing rows

    def create(self, values: dict[str, Any], later: Set[str] = frozenset()) -> Any:
        """A new row from outside values, with its audit line. Raises Refused with a message per field.

        What was generated for it (passwords) is in `row.generated`, name → clear text, to be shown once. Fields named in
        `later` are left empty, and the row's own rules wait for the `update(…, fresh=True)` that fills them.
        """
        row = self.build(values, later)
        self._store(row, check=not later)
        self.record_created(row)
        self._replace_lists(row, row.lines)
        return row

    def build(self, values: dict[str, Any], later: Set[str] = frozenset()) -> Any:
        """A row from outside values, not checked and not stored yet; its long lists wait in `row.lines`. Raises Refused with a
        message per field."""
        reader = Reader()
        generated = {name: spec.kind.generate() for name, spec in self.fields.items()
                     if _generated(spec) and not values.get(name)}
        stored = self.read(values | generated, reader, new=True, later=later)
        self._refuse_misplaced(None, values | generated, reader)
        lines = self._read_lists(values, reader)
        _raise(reader.problems)
        row = self.model(**stored)
        if self.single:
            row.id = SINGLE_ID
        row.generated, row.lines = generated, lines
        return row

    def update(self, row: Any, values: dict[str, Any], *, fresh: bool = False) -> bool:
        """Put outside values on a row; False when nothing differed (a `fresh` row is checked all the same).

        Raises Refused with a message per field; the row then holds what was refused, so the caller rolls back.
        """
        before, secret = self.put(row, values)
        replaced: bool = row.replaced
        if not db.session.is_modified(row) and not fresh:
            return replaced
        self._store(row)
        return self.record_updated(row, before, secret, fresh=fresh) or replaced

    def bring_back(self, row_id: int, values: dict[str, Any], secrets: dict[str, str]) -> Any:
        """A deleted row as it was, under the same id, with its secrets ({attr: stored}). Raises Refused when it no longer fits."""
        if self.get(row_id) is not None:
            raise Refused(_("%(row)s is there again.", row=self.title(self.get(row_id))), link=self.path(row_id))
        row = self.build({name: value for name, value in values.items() if name in self.fields})
        row.id = row_id
        for attr, value in secrets.items():
            setattr(row, attr, value)
        known = {name for name, spec in self.fields.items() if spec.attr in secrets}
        row.generated = {name: clear for name, clear in row.generated.items() if name not in known}
        self._store(row)
        self.record_created(row)
        return row

    def put(self, row: Any, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Set a row's fields, neither checked nor stored: (what it showed before, {secret: “changed”}). Raises Refused per field.

        `row.replaced` says whether lines of a long list changed.
        """
        reader = Reader()
        stored = self.read(values, reader, new=False)
        self._refuse_misplaced(row, values, reader)
        lists = self._read_lists(values, reader)
        _raise(reader.problems)
        row.replaced = self._replace_lists(row, lists)
        before = self._auditable(row)
        same = {spec.attr for name, spec in self.fields.items()
                if name in values and spec.kind.unchanged(getattr(row, spec.attr), values[name])}
        for attr, value in stored.items():
            if attr not in same and getattr(row, attr) != value:
                setattr(row, attr, value)
        return before, {spec.name: "changed" for spec in self.fields.values()
                        if spec.kind.secret and spec.attr in stored and spec.attr not in same}

    def record_created(self, row: Any) -> None:
        """Write down that the row was made."""
        self._record(row, changes.CREATED, {}, self._auditable(row))

    def record_updated(self, row: Any, before: dict[str, Any], secret: dict[str, str], *, fresh: bool = False) -> bool:
        """Write down what differs from `before`; False for a fresh row that shows nothing new."""
        after = self._auditable(row)
        differing = [name for name in after if before[name] != after[name]]
        if fresh and not differing:
            return False
        old, new = {name: before[name] for name in differing}, {name: after[name] for name in differing} | secret
        waits = fresh or not self.at_once or bool(secret) or not set(differing) <= set(self.at_once)
        row.must_apply = self.must_apply(row, old, new) and waits
        changes.record(self.word, row.id, self.title(row), changes.UPDATED, old, new, pending=row.must_apply)
        return True

    def is_shown(self, name: str, values: dict[str, Any]) -> bool:
        """Whether a field has a meaning beside these values of the others: its `show_if`, and that of the field it looks at."""
        condition = self.fields[name].show_if
        if condition is None:
            return True
        other, words = condition
        return values.get(other) in words.split(",") and self.is_shown(other, values)

    def has_meaning(self, row: Any, name: str) -> bool:
        """Whether a field of this row says anything: lists leave out what does not."""
        condition = self.fields[name].show_if
        return condition is None or self.is_shown(name, {other: getattr(row, spec.attr) for other, spec in self.fields.items() if not spec.kind.secret})

    def _refuse_misplaced(self, row: Any | None, values: dict[str, Any], reader: Reader) -> None:
        """A model may say which fields have no meaning beside others (`misplaced`)."""
        misplaced = getattr(self.model, "misplaced", None)
        for name, text in (misplaced(row, values) if misplaced else {}).items():
            reader.at(name).refuse(text)

    def delete(self, row: Any) -> None:
        """Remove a row, unless another still points at it. Raises Refused with the list."""
        self.record_deleted(row, list(used_by(self.word, row.id)))
        numbering.free(self.word, row.id)
        db.session.delete(row)
        db.session.flush()

    def record_deleted(self, row: Any, users: "list[tuple[Resource, Any]]") -> None:
        """Write down that the row goes. Raises Refused when somebody points at it, or when its own rule keeps it."""
        if users:
            raise Refused(_("%(row)s is still used by: %(users)s. Change those first.", row=self.title(row),
                            users=", ".join(f"{resource.one} {resource.title(user)}" for resource, user in users[:10])))
        if hasattr(row, "check_delete"):
            row.check_delete()
        shown = self._auditable(row)
        changes.record(self.word, row.id, self.title(row), changes.DELETED, shown, {},
                       pending=self.must_apply(row, shown, {}), secrets=self.secrets_of(row))

    def _read_lists(self, values: dict[str, Any], reader: Reader) -> dict[str, Any]:
        return {name: one.read(values[name], reader.at(name)) for name, one in self.long_lists.items() if name in values}

    def _replace_lists(self, row: Any, lists: dict[str, Any]) -> bool:
        return any([self.long_lists[name].replace(row, lines) for name, lines in lists.items()])

    def _store(self, row: Any, check: bool = True) -> None:
        """Check the row's own rules, uniqueness and numbers, and write it."""
        with db.session.no_autoflush:
            self.check_unique(row)
            if check and hasattr(row, "check"):
                row.check()
        db.session.add(row)
        db.session.flush()
        numbers = getattr(row, "numbers", None)
        if numbers:
            with self.at_number():
                numbering.claim(self.word, row.id, self.owner(row), numbers())
        if hasattr(row, "stored"):
            row.stored()

    def owner(self, row: Any) -> str:
        """How the numbering names who has a number."""
        return f"{self.one} {self.title(row)}"

    @contextmanager
    def at_number(self) -> Iterator[None]:
        """A clash of numbers is shown at the field of the number."""
        try:
            yield
        except Refused as why:
            raise Refused(str(why), field=self.number_field, link=why.link) from why

    @property
    def number_field(self) -> str:
        """The field a clash of numbers is shown at."""
        return next((name for name in ("number", "username", "rules") if name in self.fields), self.key)

    def refuse_twin(self, spec: Field, value: Any, twin: Any) -> None:
        """Raises Refused: another row has this name or number."""
        raise Refused(_("“%(value)s” is already used by %(one)s %(title)s. Choose another, or change that one.", value=value, one=self.one,
                        title=self.title(twin)), field=spec.name, link=self.path(twin.id) if twin.id else "")

    def check_unique(self, row: Any) -> None:
        """Raises Refused when another row has a name or number of this one."""
        for spec in self.fields.values():
            column = inspect(self.model).columns[spec.attr]
            value = getattr(row, spec.attr)
            if not column.unique or value in (None, ""):
                continue
            twin = db.session.scalar(select(self.model).where(column == value, self.model.id != (row.id or 0)))
            if twin:
                self.refuse_twin(spec, value, twin)

    def _auditable(self, row: Any) -> dict[str, Any]:
        return self.show(row)

    def _record(self, row: Any, action: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        changes.record(self.word, row.id, self.title(row), action, before, after, pending=self.must_apply(row, before, after))

    @property
    def may_apply(self) -> bool:
        """Whether some of its writes must be applied to Asterisk."""
        return self.applies or hasattr(self.model, "affects_calls")

    def must_apply(self, row: Any, before: dict[str, Any], after: dict[str, Any]) -> bool:
        """Whether this write waits to be applied to Asterisk. Of a resource that in general need not be, the model may say so of single
        writes (`affects_calls`)."""
        row.must_apply = self.applies or (hasattr(row, "affects_calls") and row.affects_calls(before, after))
        return bool(row.must_apply)

    # ---------------------------------------------------------------------------------------------------- snapshots

    def secrets_of(self, row: Any) -> dict[str, str]:
        """{attr: clear text} of a row's secrets that are set."""
        found = {spec.attr: getattr(row, spec.attr) for spec in self.fields.values() if spec.kind.secret}
        return {attr: value for attr, value in found.items() if value}

    def raw_rows(self) -> Iterator[dict[str, Any]]:
        """Every column of every row as stored, ids included, without the secrets: what a revision keeps of them."""
        columns = [getattr(self.model, attr) for attr in self._plain_attrs]
        for values in db.session.execute(select(*columns).order_by(self.model.id)):
            yield dict(zip(self._plain_attrs, values, strict=True))

    @cached_property
    def _plain_attrs(self) -> list[str]:
        secret = {spec.attr for spec in self.fields.values() if spec.kind.secret}
        return [attr.key for attr in inspect(self.model).column_attrs if attr.key not in secret]

    # --------------------------------------------------------------------------------------------------------- lists

    def matching(self, text: str) -> Any:
        """A condition: one of the searched fields holds the text, whatever its case."""
        columns = [getattr(self.model, self.fields[name].attr) for name in self.search]
        clauses = [func.lower(cast(column, String)).contains(text.lower().replace("\0", ""), autoescape=True) for column in columns]
        condition = clauses[0]
        for clause in clauses[1:]:
            condition = condition | clause
        return condition


def row_id(text: str) -> int:
    """A number of a row as an address gives it. Raises ValueError for what no row can have."""
    number = int(text)
    if not 0 <= number <= LARGEST_ID:
        raise ValueError(text)
    return number


TABLE: dict[str, Resource] = {}


def use(resources: list[Resource]) -> None:
    """The roof hands over its table once, so that the ground can look a resource up by its word."""
    TABLE.clear()
    TABLE.update({resource.word: resource for resource in resources})


def used_by(word: str, row_id: int) -> Iterator[tuple[Resource, Any]]:
    """Every row that points at this one, with its resource."""
    for resource in TABLE.values():
        pointing = [spec for spec in resource.fields.values() if word in getattr(spec.kind, "words", ())]
        if not pointing:
            continue
        query = select(resource.model)
        linked = [spec for spec in pointing if not spec.kind.defers]
        if len(linked) == len(pointing):  # foreign keys only: let the database look
            clause = getattr(resource.model, linked[0].attr) == row_id
            for spec in linked[1:]:
                clause = clause | (getattr(resource.model, spec.attr) == row_id)
            query = query.where(clause)
        for row in db.session.scalars(query.order_by(resource.model.id)):
            if any((word, row_id) in set(spec.kind.refers(getattr(row, spec.attr))) for spec in pointing):
                yield resource, row


def _generated(spec: Field) -> bool:
    return spec.kind.secret and getattr(spec.kind, "generated", False)


def _raise(problems: list[Problem]) -> None:
    if problems:
        messages: dict[str, str] = {}
        for problem in problems:
            messages.setdefault("-".join(map(str, problem.path)), problem.text)
        raise Refused(next(iter(messages.values())), messages=messages)
