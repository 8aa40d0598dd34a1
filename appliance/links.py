"""Kinds of field that point at other rows: one row, several rows, a destination, lines and parts inside a row."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, ForeignKey, Integer, String
from werkzeug.datastructures import MultiDict

from appliance import resource as resources
from appliance.fields import MISSING, Choice, Field, Kind, Lead, LinkedKind, Phone, Reader, is_plain

_remembered: ContextVar[tuple[str, dict[tuple[str, Any], Any]] | None] = ContextVar("remembered", default=None)


@contextmanager
def remembering(word: str) -> Iterator[None]:
    """Inside, only rows of `word` are written, so keys and ids of all others are asked of the database once."""
    token = _remembered.set((word, {}))
    try:
        yield
    finally:
        _remembered.reset(token)


def _once(word: str, what: Any, ask: Callable[[], Any]) -> Any:
    held = _remembered.get()
    if held is None or held[0] == word:
        return ask()
    if (word, what) not in held[1]:
        held[1][word, what] = ask()
    return held[1][word, what]


def _find(word: str, key: Any, reader: Reader) -> int | None:
    found: int | None = _once(word, f"={key}", lambda: getattr(resources.TABLE[word].find(key), "id", None)) if is_plain(key) else None
    if found is None:
        reader.refuse(_("There is no %(one)s “%(key)s”.", one=str(resources.TABLE[word].one), key=key))
    return found


def _key(word: str, row_id: int | None) -> str | None:
    def ask() -> str | None:
        resource = resources.TABLE[word]
        row = resource.get(row_id) if row_id is not None else None
        return str(getattr(row, resource.fields[resource.key].attr)) if row else None

    return _once(word, row_id, ask)


class Reference(LinkedKind):
    """One row of another resource; outside it is that row's natural key."""

    widget, empty = "reference", None

    def __init__(self, word: str) -> None:
        self.word = word
        self.words = (word,)

    def column(self) -> Any:
        return Integer()

    def read(self, value: Any, reader: Reader) -> int | None:
        return _find(self.word, value, reader)

    def show(self, stored: Any) -> Any:
        return _key(self.word, stored)

    def refers(self, stored: Any) -> Iterator[tuple[str, int]]:
        if stored is not None:
            yield self.word, stored


class OfExtension(LinkedKind):
    """The number of the extension a row belongs to. The database keeps it: it changes with the extension's, and goes with it."""

    word = "extensions"

    def column(self) -> Any:
        return String(10)

    def foreign_key(self) -> ForeignKey:
        return ForeignKey("extensions.number", onupdate="CASCADE", ondelete="CASCADE")

    def read(self, value: Any, reader: Reader) -> str | None:
        return str(value) if _find(self.word, value, reader) else None


class References(Kind):
    """Several rows of another resource, in the order given."""

    widget, defers, schema = "references", True, list[str]

    def __init__(self, word: str) -> None:
        self.word = word
        self.words = (word,)

    @property
    def empty(self) -> list[int]:
        return []

    def column(self) -> Any:
        return JSON()

    def read(self, value: Any, reader: Reader) -> list[int] | None:
        if not isinstance(value, list):
            return reader.refuse(_("Write a list."))
        found = [_find(self.word, key, reader.at(index)) for index, key in enumerate(value)]
        return list(dict.fromkeys(row_id for row_id in found if row_id is not None))

    def show(self, stored: Any) -> Any:
        return [key for key in (_key(self.word, row_id) for row_id in stored or []) if key is not None]

    def text(self, stored: Any) -> str:
        return ", ".join(self.show(stored))

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        return [key for key in form.getlist(name) if key]

    def refers(self, stored: Any) -> Iterator[tuple[str, int]]:
        for row_id in stored or []:
            yield self.word, row_id


TELEPHONE, HANGUP, CONFERENCES = "telephone", "hangup", "scheduled_conferences"
ROWLESS = (HANGUP, CONFERENCES)  # said by their name alone: the end, and the door that asks the password of a conference
# Every kind of destination, in the order of the screen. A kind whose resource does not exist yet is not offered.
ANYWHERE = (
    "extension", "queue", "ivr", "voicemail", "announcement", "time_condition", "conference_room", CONFERENCES, "rating", TELEPHONE,
    "internal_route", HANGUP,
)
_PHONE = Phone()


class Destination(Kind):
    """Where a call goes on. Outside {"extension": "1000"}, {"telephone": "4899…"} or {"hangup": true}
    (so too “scheduled_conferences”); stored "extension:12"."""

    widget, defers, schema = "destination", True, dict[str, Any]

    def __init__(self, *types: str) -> None:
        self.types = types

    @property
    def words(self) -> tuple[str, ...]:
        """Words of the resources it may point at."""
        return tuple(found.word for found in resources.TABLE.values() if found.destination in self.types)

    def column(self) -> Any:
        return String(80)

    def labels(self) -> dict[str, str]:
        """Type → how people call it, for the first of the two boxes on the screen."""
        found = {r.destination: str(r.one) for r in resources.TABLE.values() if r.destination in self.types}
        plain = {TELEPHONE: _l("Outside telephone"), HANGUP: _l("Hang up"), CONFERENCES: _l("Scheduled conferences (asks the password)")}
        return {kind: found.get(kind) or str(plain[kind]) for kind in self.types if kind in found or kind in plain}

    def read(self, value: Any, reader: Reader) -> str | None:
        if not isinstance(value, dict) or len(value) != 1:
            return reader.refuse(_("Write one destination, for example {extension: \"1000\"}."))
        (kind, target), = value.items()
        if kind not in self.labels():
            return reader.refuse(_("“%(value)s” is not one of: %(words)s.", value=kind, words=", ".join(self.labels())))
        if kind in ROWLESS:
            return f"{kind}:"
        if kind == TELEPHONE:
            number = _PHONE.read(target, reader.at(kind)) if target else reader.refuse(_("Write the telephone number."))
            return f"telephone:{number}" if number else None
        if not target:
            return reader.refuse(_("Choose the %(one)s.", one=self.labels()[kind]))
        row_id = _find(_word_of(kind), target, reader.at(kind))
        return f"{kind}:{row_id}" if row_id else None

    def show(self, stored: Any) -> Any:
        if not stored:
            return None
        kind, target = split(stored)
        if kind in ROWLESS:
            return {kind: True}
        return {kind: target if kind == TELEPHONE else _key(_word_of(kind), int(target))}

    def text(self, stored: Any) -> str:
        if not stored:
            return ""
        (kind, target), = self.show(stored).items()
        label = self.labels().get(kind, kind)
        return label if kind in ROWLESS else f"{label} {target}"

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        kind = form.get(f"{name}-type", "")
        if not kind:
            return None
        return {kind: True if kind in ROWLESS else form.get(f"{name}-{kind}", "")}

    def leads(self, stored: Any) -> Iterator[Lead]:
        if stored:
            yield Lead(stored)

    def refers(self, stored: Any) -> Iterator[tuple[str, int]]:
        kind, target = split(stored or "")
        if kind not in ("", TELEPHONE, *ROWLESS):
            yield _word_of(kind), int(target)


def split(stored: str) -> tuple[str, str]:
    """("extension", "12") of "extension:12"."""
    kind, _colon, target = stored.partition(":")
    return kind, target


def _word_of(destination: str) -> str:
    return next(found.word for found in resources.TABLE.values() if found.destination == destination)


class Rows(Kind):
    """Lines inside a row, each with its own fields; kept with the row, replaced as a whole."""

    widget, defers, schema = "rows", True, list[dict[str, Any]]
    counts = True  # lines are told apart by their place

    def __init__(self, fields: dict[str, Field], one: Any, most: int = 500) -> None:
        self.fields, self.one, self.most = fields, one, most
        for name, spec in fields.items():
            spec.name = spec.attr = name

    @property
    def empty(self) -> list[Any]:
        return []

    @property
    def words(self) -> tuple[str, ...]:
        """Words of the resources its lines may point at."""
        return tuple(word for spec in self.fields.values() for word in getattr(spec.kind, "words", ()))

    def column(self) -> Any:
        return JSON()

    def read(self, value: Any, reader: Reader) -> list[dict[str, Any]] | None:
        if not isinstance(value, list):
            return reader.refuse(_("Write a list."))
        if len(value) > self.most:
            return reader.refuse(_("At most %(most)s lines fit here; these are %(count)s.", most=self.most, count=len(value)))
        return [self._read_line(line, reader.at(index)) for index, line in enumerate(value)]

    def _read_line(self, line: Any, reader: Reader) -> dict[str, Any]:
        if not isinstance(line, dict):
            reader.refuse(_("Write the fields of this line, for example {mask: …}."))
            return {}
        for name in line:
            if name not in self.fields:
                reader.at(name).refuse(_("There is no field “%(name)s” here.", name=name))
        return {
            name: spec.read(line.get(name, spec.initial()), reader.at(name)) for name, spec in self.fields.items()
        }

    def show(self, stored: Any) -> Any:
        return [
            {name: spec.kind.show(line.get(name, spec.kind.empty)) for name, spec in self.fields.items()}
            for line in stored or []
        ]

    def lines(self, value: Any) -> list[dict[str, Any]]:
        """An outside value as the lines of a form."""
        return list(value or [])

    def fresh(self, place: int) -> dict[str, Any]:
        """An empty line for this place, counted from 0."""
        return {name: spec.initial() for name, spec in self.fields.items()}

    def text(self, stored: Any) -> str:
        first, spec = next(iter(self.fields.items()))
        return ", ".join(spec.kind.text(line.get(first)) or "…" for line in stored or [])

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        """Lines in the order they stand on the screen; their indexes may have gaps."""
        seen = (re.match(rf"{re.escape(name)}-(\d+)-", key) for key in form)
        indexes = list(dict.fromkeys(match[1] for match in seen if match))
        lines = []
        for index in indexes:
            values = {n: spec.kind.from_form(form, f"{name}-{index}-{n}") for n, spec in self.fields.items()}
            lines.append({n: value for n, value in values.items() if value is not MISSING})
        return lines

    def leads(self, stored: Any) -> Iterator[Lead]:
        """Those of its lines, each under what the line begins with (a mask, a digit)."""
        for line in stored or []:
            told = self.line_title(line)
            for name, spec in self.fields.items():
                yield from (Lead(one.to, one.label or told, one.is_asked) for one in spec.kind.leads(line.get(name)))

    def line_title(self, line: dict[str, Any]) -> str:
        """What a line is called: the text of its first field that says something."""
        first = next((name for name in self.fields if line.get(name)), "")
        return str(self.fields[first].label) if line.get(first) is True else self.fields[first].kind.text(line[first]) if first else ""

    def refers(self, stored: Any) -> Iterator[tuple[str, int]]:
        for line in stored or []:
            for name, spec in self.fields.items():
                yield from spec.kind.refers(line.get(name))


# What a telephone's keys are called in names of form fields and in files: `*` and `#` as people read them.
KEYS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "*", "#")


class Options(Rows):
    """Key of the telephone → destination. Outside {"1": {"queue": "Loja"}}, stored {"1": "queue:3"}, on the screen lines of both.

    A list of lines is read too, because that is what a browser posts; there a key may stand twice, which is refused.
    """

    schema = dict[str, Any]
    counts = False

    def __init__(self, key: Field, destination: Field, one: Any) -> None:
        super().__init__({"key": key, "destination": destination}, one, most=len(KEYS))

    @property
    def empty(self) -> Any:
        return {}

    def read(self, value: Any, reader: Reader) -> Any:
        if isinstance(value, list):
            return self._read_lines(value, reader)
        if not isinstance(value, dict):
            return reader.refuse(_("Write a destination for each key, for example {\"1\": {extension: \"1000\"}}."))
        stored = {}
        for key, target in value.items():
            if str(key) not in KEYS:
                reader.at(str(key)).refuse(_("“%(key)s” is no key of a telephone: write 0 to 9, * or #.", key=key))
            elif str(key) in stored:
                reader.at(str(key)).refuse(_("The key %(key)s stands twice.", key=key))
            else:
                stored[str(key)] = self.fields["destination"].read(target, reader.at(str(key)))
        return _in_key_order(stored)

    def _read_lines(self, value: list[Any], reader: Reader) -> Any:
        lines = super().read(value, reader) or []
        stored: dict[str, Any] = {}
        for index, line in enumerate(lines):
            if line.get("key") in stored:
                reader.at(index).at("key").refuse(_("The key %(key)s stands twice.", key=line["key"]))
            elif line.get("key"):
                stored[line["key"]] = line.get("destination")
        return _in_key_order(stored)

    def show(self, stored: Any) -> Any:
        return {key: self.fields["destination"].kind.show(target) for key, target in (stored or {}).items()}

    def lines(self, value: Any) -> list[dict[str, Any]]:
        if isinstance(value, dict):
            return [{"key": key, "destination": target} for key, target in value.items()]
        return list(value or [])

    def fresh(self, place: int) -> dict[str, Any]:
        return super().fresh(place) | {"key": KEYS[place % len(KEYS)]}

    def text(self, stored: Any) -> str:
        return ", ".join(f"{key} {self.fields['destination'].kind.text(target)}" for key, target in (stored or {}).items())

    def leads(self, stored: Any) -> Iterator[Lead]:
        """A person presses each of them."""
        for key, target in (stored or {}).items():
            yield from (Lead(one.to, key, is_asked=True) for one in self.fields["destination"].kind.leads(target))

    def refers(self, stored: Any) -> Iterator[tuple[str, int]]:
        for target in (stored or {}).values():
            yield from self.fields["destination"].kind.refers(target)


def _in_key_order(stored: dict[str, Any]) -> dict[str, Any]:
    """As the keys lie on a telephone, so that the same options are the same text."""
    return {key: stored[key] for key in KEYS if key in stored}


def key_choice() -> Choice:
    """One key of a telephone."""
    return Choice({key: key for key in KEYS})


class Parts(Kind):
    """A few fields under one name: `overflow: {on_timeout: …, on_no_agents: …}`. Outside only those that say something are written."""

    widget, defers, schema = "parts", True, dict[str, Any]

    def __init__(self, fields: dict[str, Field]) -> None:
        self.fields = fields
        for name, spec in fields.items():
            spec.name = spec.attr = name

    @property
    def empty(self) -> dict[str, Any]:
        return {}

    @property
    def words(self) -> tuple[str, ...]:
        """Words of the resources its fields may point at."""
        return tuple(word for spec in self.fields.values() for word in getattr(spec.kind, "words", ()))

    def column(self) -> Any:
        return JSON()

    def read(self, value: Any, reader: Reader) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            return reader.refuse(_("Write “name: value” lines here."))
        for name in value:
            if name not in self.fields:
                reader.at(name).refuse(_("There is no field “%(name)s” here.", name=name))
        return {name: spec.read(value.get(name, spec.initial()), reader.at(name)) for name, spec in self.fields.items()}

    def show(self, stored: Any) -> Any:
        shown = {name: spec.kind.show((stored or {}).get(name, spec.kind.empty)) for name, spec in self.fields.items()}
        return {name: value for name, value in shown.items() if value not in (None, "", [], {})}

    def text(self, stored: Any) -> str:
        said = {name: spec.kind.text((stored or {}).get(name)) for name, spec in self.fields.items()}
        return ", ".join(f"{self.fields[name].label}: {text}" for name, text in said.items() if text)

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        values = {one: spec.kind.from_form(form, f"{name}-{one}") for one, spec in self.fields.items()}
        return {one: value for one, value in values.items() if value is not MISSING}

    def leads(self, stored: Any) -> Iterator[Lead]:
        for name, spec in self.fields.items():
            for one in spec.kind.leads((stored or {}).get(name)):
                yield Lead(one.to, str(spec.label), one.is_asked)

    def refers(self, stored: Any) -> Iterator[tuple[str, int]]:
        for name, spec in self.fields.items():
            yield from spec.kind.refers((stored or {}).get(name))


def part(kind: Kind, label: Any, **say: Any) -> Field:
    """A field of a line inside a row; options as in Field."""
    return Field(kind, label, **say)
