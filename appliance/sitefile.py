"""Site file: rows → YAML → rows. One text holds the whole exchange; a mistake anywhere stores nothing and names line and key."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from io import StringIO
from secrets import token_hex
from typing import Any

from flask_babel import gettext as _
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from appliance import changes, planned
from appliance import resource as resources
from appliance.db import db
from appliance.errors import Refused
from appliance.fields import Choice, Field, Reader, Words
from appliance.links import Destination, Options, Parts, Reference, References, Rows
from appliance.resource import Resource
from appliance.site_text import VERSION, dump
from appliance.snapshots import in_dependency_order

__all__ = ["Mistakes", "Report", "dump", "load", "read"]

LARGEST_BYTES = 20_000_000
MOST_VALUES = 500_000  # a few aliases of aliases are a short file with billions of values
Path = tuple[str | int, ...]


@dataclass
class Report:
    """What an import did (or, dry, would do)."""

    created: list[str] = attribute(default_factory=list)
    updated: list[str] = attribute(default_factory=list)
    deleted: list[str] = attribute(default_factory=list)
    skipped: list[str] = attribute(default_factory=list)            # "line 12: queues: not built yet"
    secrets: list[tuple[str, str]] = attribute(default_factory=list)  # (row, generated secret): shown once


class Mistakes(Refused):
    """Everything that is wrong with a file, each with its line."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("\n".join(found))
        self.found = found


# ------------------------------------------------------------------------------------------------------------- reading


@dataclass
class Document:
    """The file's data (YAML 1.2 core, except that a number with a leading zero stays text), and the line of every key."""

    data: dict[str, Any]
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of a key, or of the nearest thing around it."""
        path = self.known(path)
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)

    def known(self, path: Path) -> Path:
        """The path with keys that are digits (options of a menu) as keys, not as places in a list."""
        found: Path = ()
        for step in path:
            found = (*found, str(step) if (*found, step) not in self.lines and (*found, str(step)) in self.lines else step)
        return found

    def mistake(self, path: Path, text: str) -> str:
        """“line 12, extensions[0].class: …” """
        path = self.known(path)
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        return _("line %(line)s, %(where)s: %(text)s", line=self.line(path), where=where or "?", text=text)


def read(text: str) -> Document:
    """Parse a site file. Raises Mistakes for anything that is not YAML of the right shape."""
    if len(text) > LARGEST_BYTES:
        raise Mistakes([_("The file is larger than 20 MB.")])
    try:
        node = YAML(typ="rt", pure=True).compose(StringIO(text))
    except MarkedYAMLError as why:
        line = why.problem_mark.line + 1 if why.problem_mark else 1
        raise Mistakes([_("line %(line)s: this is not YAML: %(text)s", line=line, text=why.problem or "")]) from why
    except (YAMLError, ValueError, RecursionError, AttributeError) as why:
        raise Mistakes([_("line %(line)s: this is not YAML: %(text)s", line=1, text=str(why)[:200])]) from why
    document, mistakes = Document({}, {}), list[str]()
    if not isinstance(node, MappingNode):
        raise Mistakes([_("line %(line)s: A site file is a list of sections, for example “extensions:”.", line=1)])
    document.data = _plain(node, (), document, mistakes, set())
    if mistakes:
        raise Mistakes(mistakes)
    if document.data.get("bentevi") != VERSION or document.data["bentevi"] is True:
        raise Mistakes([document.mistake(("bentevi",), _("A site file begins with “bentevi: 1”."))])
    return document


def _plain(node: Node, path: Path, document: Document, mistakes: list[str], above: set[int]) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if len(document.lines) > MOST_VALUES:
        raise Mistakes([document.mistake(path, _("The file holds more than %(most)s values.", most=MOST_VALUES))])
    if id(node) in above:
        mistakes.append(document.mistake(path, _("This refers to itself.")))
        return None
    above = above | {id(node)}
    if isinstance(node, ScalarNode):
        return _scalar(node)
    if isinstance(node, SequenceNode):
        return [_plain(item, (*path, index), document, mistakes, above) for index, item in enumerate(node.value)]
    found: dict[str, Any] = {}
    for key_node, value in node.value:
        key = str(key_node.value) if isinstance(key_node, ScalarNode) else "?"
        document.lines[(*path, key)] = key_node.start_mark.line + 1
        if key in found or not isinstance(key_node, ScalarNode):
            mistakes.append(document.mistake((*path, key), _("This key stands twice.")))
        found[key] = _plain(value, (*path, key), document, mistakes, above)
    return found


def _scalar(node: ScalarNode) -> Any:
    text = node.value
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false") and text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    return int(text) if re.fullmatch(r"-?(0|[1-9]\d{0,14})", text) else text


# ----------------------------------------------------------------------------------------------------------- importing


def load(text: str, *, skip_unavailable: bool = False, replace: bool = False) -> Report:
    """Create or update the rows a site file names, in this transaction. Raises Mistakes with every line that is wrong.

    The caller commits, or rolls back (dry run, mistakes). Sections that are absent are untouched; with `replace` rows that
    a present section does not name are deleted.
    """
    with changes.together(f"site-{token_hex(8)}"):
        return _load(read(text), skip_unavailable, replace)


def _load(document: Document, skip_unavailable: bool, replace: bool) -> Report:
    report = Report()
    if skip_unavailable:
        _Pruning(document, report).run()
    mistakes = [
        document.mistake((word,), _("There is no section “%(name)s”.", name=word) if word not in planned.SECTIONS else
                         _("“%(name)s” is not built yet; --skip-unavailable leaves it out.", name=word))
        for word in document.data if word != "bentevi" and word not in resources.TABLE
    ]
    named = [resource for resource in in_dependency_order() if resource.word in document.data]
    entries = {resource.word: list(_entries(resource, document, mistakes)) for resource in named}
    rows = _first_pass(named, entries, document, report, mistakes)
    if not mistakes:
        _second_pass(named, entries, rows, document, report, mistakes)
    if replace and not mistakes:
        _delete_unnamed(named, entries, report, mistakes)
    if mistakes:
        raise Mistakes(mistakes)
    return report


def _entries(resource: Resource, document: Document, mistakes: list[str]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(path, values) of each row of a section."""
    section = document.data[resource.word]
    if resource.single:
        if isinstance(section, dict):
            yield (resource.word,), section
        else:
            mistakes.append(document.mistake((resource.word,), _("Write “name: value” lines here.")))
        return
    if not isinstance(section, list):
        mistakes.append(document.mistake((resource.word,), _("Write a list of rows here.")))
        return
    seen: dict[str, int] = {}
    for index, values in enumerate(section):
        path: Path = (resource.word, index)
        key = values.get(resource.key) if isinstance(values, dict) else None
        if not isinstance(key, str | int) or isinstance(key, bool) or key == "":
            mistakes.append(document.mistake(path, _("A row needs its “%(key)s”.", key=resource.key)))
        elif str(key) in seen:
            mistakes.append(document.mistake((*path, resource.key), _("“%(key)s” already stands in line %(line)s.", key=key,
                                                                      line=seen[str(key)])))
        else:
            seen[str(key)] = document.line((*path, resource.key))
            yield path, values


def _first_pass(named: list[Resource], entries: dict[str, Any], document: Document, report: Report,
                mistakes: list[str]) -> dict[Path, Any]:
    """Make every row that does not exist, and set what points at nothing or at rows made before it."""
    rows: dict[Path, Any] = {}
    for resource in named:
        for path, values in entries[resource.word]:
            row = resource.find(values.get(resource.key))
            if row is None:
                row = _new(resource, path, values, document, report, mistakes)
            else:
                _look_at(resource, path, values, document, mistakes)
            if row is not None:
                rows[path] = row
    return rows


def _look_at(resource: Resource, path: Path, values: dict[str, Any], document: Document, mistakes: list[str]) -> None:
    """What is wrong with the plain fields of a row that exists, so that it is told together with what is wrong with new ones."""
    plain = {name: value for name, value in values.items() if name in resource.fields
             and not resource.fields[name].kind.defers and not resource.fields[name].kind.secret}
    reader = Reader()
    resource.read(plain, reader, new=False)
    mistakes += [document.mistake((*path, *problem.path), problem.text) for problem in reader.problems]


def _new(resource: Resource, path: Path, values: dict[str, Any], document: Document, report: Report, mistakes: list[str]) -> Any:
    """A new row without the fields that point inside lists: their targets may come later in the file."""
    later = {name for name, spec in resource.fields.items() if spec.kind.defers}
    for name in later:
        if not resource.fields[name].optional and values.get(name, resource.fields[name].initial()) in (None, "", []):
            mistakes.append(document.mistake((*path, name), _("Fill in this field.")))
    early = {name: value for name, value in values.items() if name not in later and name not in resource.long_lists}
    row = _guarded(lambda: resource.create(early, later), path, document, mistakes)
    if row is not None:
        report.created.append(f"{resource.one} {resource.title(row)}")
        report.secrets += [(f"{resource.one} {resource.title(row)}", clear) for clear in row.generated.values()]
    return row


def _second_pass(named: list[Resource], entries: dict[str, Any], rows: dict[Path, Any], document: Document, report: Report,
                 mistakes: list[str]) -> None:
    """Everything else, now that every row exists. Secrets left out keep what they are."""
    for resource in named:
        for path, values in entries[resource.word]:
            row = rows[path]
            kept = {name: value for name, value in values.items()
                    if not (name in resource.fields and resource.fields[name].kind.secret and not value)}
            label = f"{resource.one} {resource.title(row)}"
            new = label in report.created
            if new:  # what the first pass left for later and the file does not name begins as on a form
                kept = {name: spec.initial() for name, spec in resource.fields.items() if spec.kind.defers and name not in values} | kept
            known = set(getattr(row, "generated", {}))
            changed = _guarded(lambda r=resource, o=row, v=kept, n=new: r.update(o, v, fresh=n), path, document, mistakes)
            report.secrets += [(label, clear) for name, clear in getattr(row, "generated", {}).items() if new and name not in known]
            if changed and not new:
                report.updated.append(label)


def _delete_unnamed(named: list[Resource], entries: dict[str, Any], report: Report, mistakes: list[str]) -> None:
    for resource in reversed(named):
        if resource.single:
            continue
        kept = {str(values[resource.key]) for _path, values in entries[resource.word]}
        for row in list(resource.rows()):
            if str(getattr(row, resource.fields[resource.key].attr)) in kept:
                continue
            title = f"{resource.one} {resource.title(row)}"
            try:
                resource.delete(row)
                report.deleted.append(title)
            except Refused as why:
                mistakes.append(f"{resource.word}: {why}")


def _guarded(act: Any, path: Path, document: Document, mistakes: list[str]) -> Any:
    """Run one write; what it refuses becomes mistakes with lines."""
    savepoint = db.session.begin_nested()
    try:
        done = act()
        savepoint.commit()
        return done
    except Refused as why:
        savepoint.rollback()
        for name, text in (why.messages or {"": str(why)}).items():
            steps = tuple(int(step) if step.isdigit() else step for step in name.split("-") if step)
            mistakes.append(document.mistake((*path, *steps), text))
        return None


# ------------------------------------------------------------------------------------------- leaving out what is not built


class _Pruning:
    """Takes out of a document the smallest thing that is not built yet, or points at such a thing, and lists each."""

    def __init__(self, document: Document, report: Report) -> None:
        self.document, self.report = document, report
        self.gone: set[tuple[str, str]] = set()  # (word, natural key) of rows left out

    def run(self) -> None:
        data = self.document.data
        for word in [word for word in data if word in planned.SECTIONS and word not in resources.TABLE]:
            self._tell((word,))
            del data[word]
        while self._round():
            continue

    def _round(self) -> bool:
        before = len(self.report.skipped)
        for resource in resources.TABLE.values():
            section = self.document.data.get(resource.word)
            if resource.single and isinstance(section, dict):
                self._row(section, resource.fields, resource.word, (resource.word,))
            elif isinstance(section, list):
                self._list(section, resource.fields, resource.word, (resource.word,), resource)
        return len(self.report.skipped) > before

    def _list(self, items: list[Any], fields: dict[str, Field], place: str, path: Path, resource: Resource | None = None) -> None:
        """Rows of a section, or lines inside a row; one that cannot stand without what is missing goes."""
        lines = self.document.lines
        keep = []
        for index, item in enumerate(items):
            here = (*path, index)
            if isinstance(item, dict) and not self._row(item, fields, place, here):
                self._tell(here, item, resource)
                continue
            keep.append((index, item))
        if len(keep) != len(items):  # lines of what stays move up with it
            moved = {}
            for new, (old, _item) in enumerate(keep):
                for known, line in lines.items():
                    if known[: len(path) + 1] == (*path, old):
                        moved[(*path, new, *known[len(path) + 1:])] = line
            for known in [known for known in lines if known[: len(path)] == path and len(known) > len(path)]:
                del lines[known]
            lines.update(moved)
            items[:] = [item for _index, item in keep]

    def _row(self, values: dict[str, Any], fields: dict[str, Field], place: str, path: Path) -> bool:
        """False when the row cannot stand; otherwise what is not available is taken out of it."""
        for name in list(values):
            here = (*path, name)
            if name not in fields:
                if name in planned.KEYS.get(place, ()):
                    self._tell(here)
                    del values[name]
                continue
            spec = fields[name]
            if values[name] in planned.CHOICES.get(f"{place}.{name}", ()) and isinstance(spec.kind, Choice):
                return False
            if not self._value(values, name, spec, f"{place}.{name}", here):
                if not spec.optional:
                    return False
                self._tell(here)
                del values[name]
        return True

    def _value(self, values: dict[str, Any], name: str, spec: Field, place: str, path: Path) -> bool:
        kind, value = spec.kind, values[name]
        if isinstance(kind, Options) and isinstance(value, dict):
            self._options(kind, value, path)
        elif isinstance(kind, Rows) and isinstance(value, list):
            self._list(value, kind.fields, place, path)
        elif isinstance(kind, Parts) and isinstance(value, dict):
            return self._row(value, kind.fields, place, path)
        elif isinstance(kind, Words) and isinstance(value, list):
            self._drop(value, lambda word: word in planned.WORDS.get(place, ()) and word not in kind.labels, path)
        elif isinstance(kind, References) and isinstance(value, list):
            had = bool(value)
            self._drop(value, lambda key: (kind.word, str(key)) in self.gone, path)
            return bool(value) or not had or spec.optional
        elif isinstance(kind, Reference):
            return (kind.word, str(value)) not in self.gone
        elif isinstance(kind, Destination) and isinstance(value, dict) and len(value) == 1:
            return self._destination(kind, value)
        return True

    def _options(self, kind: Options, value: dict[str, Any], path: Path) -> None:
        """Keys whose destination is not available."""
        target = kind.fields["destination"].kind
        for key, where in list(value.items()):
            if isinstance(target, Destination) and isinstance(where, dict) and len(where) == 1 and not self._destination(target, where):
                self._tell((*path, key))
                del value[key]

    def _destination(self, kind: Destination, value: dict[str, Any]) -> bool:
        (type_, target), = value.items()
        if type_ in planned.DESTINATIONS and type_ not in kind.labels():
            return False
        word = next((r.word for r in resources.TABLE.values() if r.destination == type_), "")
        return (word, str(target)) not in self.gone

    def _drop(self, items: list[Any], unavailable: Any, path: Path) -> None:
        for index, item in enumerate(items):
            if isinstance(item, str | int) and unavailable(item):
                self._tell((*path, index), item)
        items[:] = [item for item in items if not (isinstance(item, str | int) and unavailable(item))]

    def _tell(self, path: Path, item: Any = None, resource: Resource | None = None) -> None:
        if resource and isinstance(item, dict):
            self.gone.add((resource.word, str(item.get(resource.key))))
        what = f" ({item.get(resource.key)})" if resource and isinstance(item, dict) else f" ({item})" if isinstance(item, str) else ""
        self.report.skipped.append(self.document.mistake(path, _("left out, not built yet%(what)s", what=what)))
