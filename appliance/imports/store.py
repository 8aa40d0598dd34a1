"""Lines of a CSV file → rows, through the same doors as every face. Writes into the open transaction; who calls commits or rolls back."""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from flask_babel import gettext as _

from appliance import cells, csv_files
from appliance.csv_files import Fault, Sheet
from appliance.errors import Refused
from appliance.fields import Problem, Reader
from appliance.imports.columns import is_secret
from appliance.links import Parts, Rows
from appliance.many import PIECE, Many
from appliance.resource import SINGLE_ID, Resource

SHOWN_ROWS = 20          # of each kind in the preview
TELL_EVERY = 25          # rows between two signs of life
CREATED, CHANGED = "created", "changed"


class Stopped(Exception):
    """The import was cancelled or is in other hands: nothing of it may be committed."""


@dataclass
class Outcome:
    """What the lines of a file did, or would do.

    preview: {"line", "action", "title", "before", "after", "secrets"} of the first rows; before and after hold outside values of the
    chosen fields, secrets only the names of fields that get one. generated: [key, name, field, password] of passwords made for new rows.
    """

    created: int = 0
    changed: int = 0
    same: int = 0
    faults: list[Fault] = attribute(default_factory=list)
    preview: list[dict[str, Any]] = attribute(default_factory=list)
    generated: list[list[str]] = attribute(default_factory=list)
    touched: list[Any] = attribute(default_factory=list)          # rows made or changed

    @property
    def bad_lines(self) -> set[int]:
        return {fault.line for fault in self.faults}


@dataclass
class Line:
    """One line of the file with what it says about a row: outside values by field."""

    number: int
    key: Any
    values: dict[str, Any]
    problems: list[Problem]


def run(resource: Resource, sheet: Sheet, mapping: dict[str, int], advance: Callable[[int], bool] = lambda _done: True, *,
        dry: bool = False) -> Outcome:
    """Create or change a row for each line; bad lines are in `faults` and leave no trace. Raises Stopped when `advance` says no.

    The caller rolls a `dry` run back; where it can, it does not even begin to write, so that nobody waits for it.
    """
    outcome = Outcome(faults=list(sheet.faults))
    work = _Work(resource, sheet, mapping, outcome, dry)
    lines, done = work.read(), 0
    with work.many.open():
        for place in range(0, len(lines), PIECE):
            piece = lines[place:place + PIECE]
            rows = work.rows_of(piece)
            for line, row in zip(piece, rows, strict=True):
                work.store(line, row)
                done += 1
                if done % TELL_EVERY == 0 and not advance(done):
                    raise Stopped
    outcome.created, outcome.changed = work.counts[CREATED], work.counts[CHANGED]
    outcome.faults.sort(key=lambda fault: fault.line)
    return outcome


class _Work:
    """One run over a file."""

    def __init__(self, resource: Resource, sheet: Sheet, mapping: dict[str, int], outcome: Outcome, dry: bool) -> None:
        self.resource, self.sheet, self.mapping, self.outcome = resource, sheet, mapping, outcome
        self.many = Many(resource, dry=dry)
        self.fields = {name: resource.fields[name] for name in mapping}
        self.counts = {CREATED: 0, CHANGED: 0}
        self.readings = {name: cells.reading(spec) for name, spec in self.fields.items()}

    # ------------------------------------------------------------------------------------------------ text → values

    def read(self) -> list[Line]:
        """Every line with its values; what stands twice in the file is bad in both places."""
        lines = [self._line(number, texts) for number, texts in self.sheet.rows]
        if self.resource.single:
            for line in lines[1:]:
                line.problems.append(Problem((), _("There is only one row here; the file has more than one.")))
            return lines
        first: dict[str, Line] = {}
        for line in lines:
            if line.key in (None, ""):
                continue
            other = first.setdefault(str(line.key), line)
            if other is not line:
                line.problems.append(Problem((self.resource.key,), _("“%(key)s” already stands in line %(line)s.", key=line.key, line=other.number)))
                if not any(problem.path == (self.resource.key,) for problem in other.problems):
                    text = _("“%(key)s” stands again in line %(line)s.", key=line.key, line=line.number)
                    other.problems.append(Problem((self.resource.key,), text))
        return lines

    def _line(self, number: int, texts: list[str]) -> Line:
        reader = Reader()
        values: dict[str, Any] = {}
        for name, index in self.mapping.items():
            value = self._value(name, texts[index], reader.at(name))
            if value is not None:
                values[name] = value
        for name, index in self.mapping.items():  # an empty cell says nothing of a field that has no meaning beside the others
            if not texts[index].strip() and name in values and not self.resource.is_shown(name, values):
                del values[name]
        key = None
        if not self.resource.single and not any(problem.path[:1] == (self.resource.key,) for problem in reader.problems):
            key = self.fields[self.resource.key].read(values.get(self.resource.key), reader.at(self.resource.key))
        return Line(number, key, values, reader.problems)

    def _value(self, name: str, cell: str, reader: Reader) -> Any:
        """The outside value of a cell; None when it says nothing: a new row then gets its default, an existing one keeps what it has."""
        spec = self.fields[name]
        why, text = csv_files.damage(cell), csv_files.text_of(cell)
        if why:
            return reader.refuse(why if not is_secret(spec) else _("The spreadsheet has spoilt this cell. Format the column as text."))
        if text:
            return self.readings[name](text, reader)
        if spec.kind.secret or not spec.optional:
            return None
        return spec.kind.show(spec.kind.empty) if spec.kind.empty is not None else ""

    # --------------------------------------------------------------------------------------------------- values → rows

    def rows_of(self, lines: list[Line]) -> list[Any]:
        """The row each line speaks of, None where there is none yet."""
        ids = [SINGLE_ID if self.resource.single else self.many.id_of(line.key) for line in lines]
        found = self.many.load((row_id for row_id in ids if row_id), [name for name, spec in self.fields.items() if spec.kind.secret])
        return [found.get(row_id or 0) for row_id in ids]

    def store(self, line: Line, row: Any) -> None:
        """One line; what it refuses is noted and leaves no trace."""
        if line.problems:
            self._look_further(line, new=row is None)
            return
        try:
            if row is None:
                self._created(line, self.many.create(line.values))
            else:
                self._updated(line, row)
        except Refused as why:
            self._refuse(line.number, why.messages or {"": str(why)})

    def _created(self, line: Line, row: Any) -> None:
        key = str(getattr(row, self.resource.fields[self.resource.key].attr))
        for name, clear in row.generated.items():
            self.outcome.generated.append([key, getattr(row, "name", ""), str(self.resource.fields[name].label), clear])
        self._count(line, CREATED, row, {})

    def _updated(self, line: Line, row: Any) -> None:
        wanted = self.counts[CHANGED] < SHOWN_ROWS
        before = self.resource.show(row) if wanted else {}
        if not self.many.update(row, line.values):
            self.outcome.same += 1
            return
        self._count(line, CHANGED, row, before)

    def _count(self, line: Line, action: str, row: Any, before: dict[str, Any]) -> None:
        outcome = self.outcome
        outcome.touched.append(row)
        self.counts[action] += 1
        if self.counts[action] <= SHOWN_ROWS:
            after = self.resource.show(row)
            given = [name for name, spec in self.fields.items() if spec.kind.secret and line.values.get(name)]
            outcome.preview.append({
                "line": line.number, "action": action, "title": self.resource.title(row), "secrets": given,
                "before": {name: before[name] for name in before if name in after and before[name] != after[name]}, "after": after,
            })

    # ------------------------------------------------------------------------------------------------------- problems

    def _look_further(self, line: Line, new: bool) -> None:
        """What else is wrong with a bad line, so that all of it is told at once."""
        reader = Reader(list(line.problems))
        wrong = {problem.path[0] for problem in line.problems if problem.path}
        values = {name: value for name, value in line.values.items() if name not in wrong}
        further = Reader()
        self.resource.read(values, further, new=new)
        fields = self.resource.fields
        unsaid = {name for name, spec in fields.items() if spec.kind.secret and name not in values}  # generated, or the row's own rule asks
        reader.problems += [problem for problem in further.problems if problem.path[0] not in wrong | unsaid]
        messages: dict[str, str] = {}
        for problem in reader.problems:
            messages.setdefault("-".join(map(str, problem.path)), problem.text)
        self._refuse(line.number, messages)

    def _refuse(self, number: int, messages: dict[str, str]) -> None:
        for path, text in messages.items():
            name, _dash, inner = path.partition("-")
            self.outcome.faults.append(Fault(number, self._heading(name), f"{self._place(name, inner)}{text}"))

    def _heading(self, name: str) -> str:
        """The heading in the file, or the label of a field the file does not fill."""
        if name in self.mapping:
            return self.sheet.head[self.mapping[name]]
        return str(self.resource.fields[name].label) if name in self.resource.fields else ""

    def _place(self, name: str, inner: str) -> str:
        """“rule 2, Mask: ” for a line inside a row; "" for a plain field."""
        said, spec = [], self.resource.fields.get(name)
        for step in inner.split("-") if inner else []:
            kind = spec.kind if spec else None
            if step.isdigit():
                said.append(f"{kind.one if isinstance(kind, Rows) else _('item')} {int(step) + 1}")
            elif isinstance(kind, Rows | Parts) and step in kind.fields:
                spec = kind.fields[step]
                said.append(str(spec.label))
        return f"{', '.join(said)}: " if said else ""
