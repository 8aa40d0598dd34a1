"""Kinds of field: what each accepts, what a row keeps of it, how it is shown.

Three shapes of one value: *outside* (site file and API: natural keys, words, numbers), *stored* (the row: ids, words)
and *form* (text a browser posts). A kind turns form into outside and outside into stored, so one reading guards all faces.
"""

import datetime
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy import Boolean as SqlBoolean
from sqlalchemy import Date as SqlDate
from sqlalchemy import Integer as SqlInteger
from sqlalchemy.orm import MappedColumn, mapped_column
from werkzeug.datastructures import MultiDict

from appliance import masks
from appliance.db import Sealed
from appliance.errors import Refused

MISSING = object()  # "nothing was said about this field", as against an empty value


def is_plain(value: Any) -> bool:
    """Text or a whole number: what a file, the API and a form may mean by text. True is no text, half a character neither."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and not re.search(r"[\ud800-\udfff]", value))


@dataclass
class Problem:
    """One thing that is wrong, and where: path of keys and indexes from the row's top."""

    path: tuple[str | int, ...]
    text: str


@dataclass
class Reader:
    """Collects all problems while values are read, and knows where it stands."""

    problems: list[Problem] = attribute(default_factory=list)
    path: tuple[str | int, ...] = ()

    def at(self, step: str | int) -> "Reader":
        return Reader(self.problems, (*self.path, step))

    def refuse(self, text: str) -> Any:
        """Note what is wrong here. Gives None, so that a reading can end with it."""
        self.problems.append(Problem(self.path, str(text)))
        return None


class Kind:
    """The common answers; each kind below says what differs."""

    widget = "text"
    empty: Any = ""          # what an optional field left blank keeps
    secret = False           # never shown, logged or exported
    defers = False           # keeps ids inside a text or list: read when all rows of a site file exist
    schema: Any = str        # annotation of the API's schema

    def column(self) -> Any:
        return String(200)

    def read(self, value: Any, reader: Reader) -> Any:
        """Outside → stored; says what is wrong through the reader and then returns None."""
        raise NotImplementedError

    def show(self, stored: Any) -> Any:
        """Stored → outside."""
        return stored

    def as_key(self, text: str) -> str:
        """A natural key as somebody writes it → as it is stored."""
        return text

    def text(self, stored: Any) -> str:
        """Stored → one line for lists and differences."""
        return "" if stored is None else str(self.show(stored))

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        """Form → outside."""
        return form.get(name, MISSING)

    def unchanged(self, stored: Any, outside: Any) -> bool:
        """Whether a secret is the one already stored (hashes cannot be compared)."""
        return False

    def generate(self) -> str:
        """A new value, for kinds that can make one."""
        raise NotImplementedError

    def refers(self, stored: Any) -> Iterator[tuple[str, int]]:
        """(word, id) of every row this value points at."""
        return iter(())

    def leads(self, stored: Any) -> "Iterator[Lead]":
        """Where a call may go on from a row that holds this value."""
        return iter(())


@dataclass(frozen=True)
class Lead:
    """One way on. `to` is a stored destination (“queue:3”), `label` what leads there beside the field's own name (a digit, a mask);
    `is_asked` when only a person's input takes a call that way."""

    to: str
    label: str = ""
    is_asked: bool = False


class Text(Kind):
    """One line of text (or several, `lines=True`) of at most `limit` characters."""

    def __init__(self, limit: int, lines: bool = False, least: int = 0) -> None:
        self.limit, self.lines, self.least = limit, lines, least
        self.widget = "textarea" if lines else "text"

    def column(self) -> Any:
        return String(self.limit)

    def read(self, value: Any, reader: Reader) -> str | None:
        if not is_plain(value):
            return reader.refuse(_("Write text here."))
        text = str(value).strip()
        if len(text) > self.limit:
            return reader.refuse(_("At most %(limit)s characters.", limit=self.limit))
        if len(text) < self.least:
            return reader.refuse(_("At least %(least)s characters.", least=self.least))
        forbidden = r"[\x00-\x08\x0b-\x1f\x7f]" if self.lines else r"[\x00-\x1f\x7f]"
        if re.search(forbidden, text.replace("\r\n", "\n") if self.lines else text):
            return reader.refuse(_("Line breaks and control characters are not allowed here."))
        return self.refine(text.replace("\r\n", "\n"), reader)

    def refine(self, text: str, reader: Reader) -> str | None:
        return text


class Name(Text):
    """A name that also stands in generated files: no `${`, no `$[`."""

    def refine(self, text: str, reader: Reader) -> str | None:
        if "${" in text or "$[" in text:
            return reader.refuse(_("“${” and “$[” are not allowed in a name."))
        return text


class Pattern(Text):
    """Text that must match a regular expression, with the sentence that explains it."""

    def __init__(self, limit: int, pattern: str, explain: Any) -> None:
        super().__init__(limit)
        self.pattern, self.explain = pattern, explain

    def refine(self, text: str, reader: Reader) -> str | None:
        if text and not re.fullmatch(self.pattern, text):
            return reader.refuse(str(self.explain))
        return text


class Phone(Text):
    """A telephone number, kept as digits; spaces, dots, brackets and hyphens are taken off."""

    def __init__(self, limit: int = 20) -> None:
        super().__init__(limit * 2)
        self.digits = limit

    def column(self) -> Any:
        return String(self.digits)

    def refine(self, text: str, reader: Reader) -> str | None:
        number = re.sub(r"[\s().-]", "", text)
        if not re.fullmatch(r"\+?[0-9*#]*", number) or len(number) > self.digits:
            return reader.refuse(_("“%(text)s” is not a telephone number.", text=text))
        return number


class Digits(Text):
    """A few digits put before a number, or dialled for a line."""

    def refine(self, text: str, reader: Reader) -> str | None:
        if not re.fullmatch(r"[0-9*#+]*", text):
            return reader.refuse(_("Only digits, * and # are allowed here."))
        return text


class DialNumber(Text):
    """A number people dial inside; numbering.py says who has it. Kept free of emergency and reserved numbers."""

    def __init__(self) -> None:
        super().__init__(10)

    def refine(self, text: str, reader: Reader) -> str | None:
        if not re.fullmatch(r"[0-9]{2,6}", text):
            return reader.refuse(_("A number people dial inside has 2 to 6 digits."))
        if re.fullmatch(r"19[0-9]", text):
            return reader.refuse(_("190 to 199 are kept for emergency calls. Choose another number."))
        return text


class Mask(Text):
    """A dial mask (appliance/masks.py)."""

    widget = "mask"

    def __init__(self, models: "list[tuple[str, Any]] | None" = None) -> None:
        super().__init__(60)
        self.widget = "mask"
        self.models = models or []  # (mask, label) offered ready-made

    def refine(self, text: str, reader: Reader) -> str | None:
        if not text:
            return ""
        try:
            return masks.read(text)
        except Refused as why:
            return reader.refuse(str(why))


class Whole(Kind):
    """A whole number between two limits, with its unit."""

    widget, empty, schema = "number", None, int

    def __init__(self, least: int, most: int, unit: Any = "") -> None:
        self.least, self.most, self.unit = least, most, unit

    def column(self) -> Any:
        return SqlInteger()

    def read(self, value: Any, reader: Reader) -> int | None:
        if not is_plain(value) or not re.fullmatch(r"\s*-?[0-9]{1,9}\s*", str(value)):
            return reader.refuse(_("Write a whole number."))
        number = int(value)
        if not self.least <= number <= self.most:
            return reader.refuse(_("Between %(least)s and %(most)s.", least=self.least, most=self.most))
        return number


class Seconds(Whole):
    """A duration in seconds."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most, "s")


class Boolean(Kind):
    """Yes or no."""

    widget, empty, schema = "checkbox", False, bool

    def column(self) -> Any:
        return SqlBoolean()

    def read(self, value: Any, reader: Reader) -> bool | None:
        if not isinstance(value, bool):
            return reader.refuse(_("Write true or false."))
        return value

    def text(self, stored: Any) -> str:
        return _("yes") if stored else _("no")

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        return form.get(name) == "yes"  # a browser posts nothing for an empty box


class Choice(Kind):
    """One of a few words, each with its label."""

    widget = "select"

    def __init__(self, labels: "dict[str, Any] | Callable[[], dict[str, Any]]") -> None:
        self._labels = labels

    @property
    def labels(self) -> dict[str, Any]:
        """Word → label, in the order people see them."""
        return self._labels() if callable(self._labels) else self._labels

    def column(self) -> Any:
        return String(40)

    def options(self, row: Any = None) -> list[tuple[str, str]]:
        """(word, label) of what may be chosen, for this row."""
        return [(word, str(label)) for word, label in self.labels.items()]

    def read(self, value: Any, reader: Reader) -> str | None:
        if not isinstance(value, str) or value not in self.labels:
            return reader.refuse(_("“%(value)s” is not one of: %(words)s.", value=value, words=", ".join(self.labels)))
        return value

    def text(self, stored: Any) -> str:
        return str(self.labels.get(stored, stored or ""))


class Words(Kind):
    """Several words in order, each from a list (a table word → label, or a function giving it)."""

    widget, defers, schema = "words", False, list[str]

    def __init__(self, labels: "dict[str, Any] | Callable[[], dict[str, Any]]", most: int = 0) -> None:
        self._labels, self.most = labels, most

    @property
    def empty(self) -> list[str]:
        return []

    @property
    def labels(self) -> dict[str, Any]:
        return self._labels() if callable(self._labels) else self._labels

    def column(self) -> Any:
        return JSON()

    def options(self) -> list[tuple[str, str]]:
        return [(word, str(label)) for word, label in self.labels.items()]

    def read(self, value: Any, reader: Reader) -> list[str] | None:
        if not isinstance(value, list):
            return reader.refuse(_("Write a list."))
        for index, word in enumerate(value):
            if not isinstance(word, str) or word not in self.labels:
                reader.at(index).refuse(_("“%(value)s” is not one of: %(words)s.", value=word, words=", ".join(self.labels)))
            elif word in value[:index]:
                reader.at(index).refuse(_("“%(value)s” stands twice in the list.", value=word))
        if self.most and len(value) > self.most:
            reader.refuse(_("At most %(most)s.", most=self.most))
        return [str(word) for word in value]

    def text(self, stored: Any) -> str:
        return ", ".join(str(self.labels.get(word, word)) for word in stored or [])

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        return [word for word in form.getlist(name) if word]


class Numbers(Kind):
    """A short list of numbers, written with commas or spaces between them."""

    schema = list[str]

    @property
    def empty(self) -> list[str]:
        return []

    def __init__(self, pattern: str, explain: Any) -> None:
        self.pattern, self.explain = pattern, explain

    def column(self) -> Any:
        return JSON()

    def read(self, value: Any, reader: Reader) -> list[str] | None:
        if not isinstance(value, list):
            return reader.refuse(_("Write a list."))
        numbers = [str(number) if is_plain(number) else "?" for number in value]
        for index, number in enumerate(numbers):
            if not re.fullmatch(self.pattern, number):
                reader.at(index).refuse(f"“{number}”: {self.explain}")
        return list(dict.fromkeys(numbers))

    def text(self, stored: Any) -> str:
        return ", ".join(stored or [])

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        return re.split(r"[\s,;]+", form.get(name, "").strip()) if form.get(name, "").strip() else []


class Day(Kind):
    """A calendar day, yyyy-mm-dd."""

    widget, empty = "date", None

    def column(self) -> Any:
        return SqlDate()

    def read(self, value: Any, reader: Reader) -> Any:
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value)):
                return datetime.date.fromisoformat(str(value))
        except ValueError:  # no such day, as 2026-02-30
            return reader.refuse(_("Write a day as 2026-11-20."))
        return reader.refuse(_("Write a day as 2026-11-20."))

    def show(self, stored: Any) -> Any:
        return stored.isoformat() if stored else None


class Secret(Kind):
    """A password Asterisk or a far end must receive in clear: sealed at rest, generated when none is given."""

    widget, secret = "secret", True
    offers_generate = True   # the form offers to make one: letters and digits

    def __init__(self, least: int = 8, generated: bool = True) -> None:
        self.least, self.generated = least, generated

    def column(self) -> Any:
        return Sealed()

    def read(self, value: Any, reader: Reader) -> str | None:
        text = str(value) if is_plain(value) else ""
        if not re.fullmatch(r"[!-~]{%d,80}" % self.least, text):
            return reader.refuse(_("At least %(least)s letters, digits or signs, without spaces or accents.", least=self.least))
        return text

    def text(self, stored: Any) -> str:
        return "••••••" if stored else ""

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        return form.get(name) or MISSING  # left empty: it stays, or is generated

    def unchanged(self, stored: Any, outside: Any) -> bool:
        return bool(stored == outside)

    def generate(self) -> str:
        """A new password: about 95 bits, easy to read aloud (no l, I, O, 0, 1)."""
        return "".join(secrets.choice("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _letter in range(16))


# ---------------------------------------------------------------------------------------------- a field of a row


@dataclass
class Field:
    """What a declaration says of one field: kind, words for people, and how the column is called outside."""

    kind: Kind
    label: Any
    name: str = ""
    help: Any = ""
    example: str = ""
    optional: bool = False
    default: Any = MISSING
    show_if: tuple[str, str] | None = None   # (field, words with commas): only shown when the other field has one of them
    input_only: bool = False                 # a short way of filling other fields; nothing of it is kept or exported
    also: str = ""                           # words of the source documents, for the search (CFG-13)
    restart: bool = False                    # Asterisk must be restarted for it
    attr: str = ""

    def initial(self) -> Any:
        """The outside value of a new row."""
        default = self.default() if callable(self.default) else self.default
        return self.kind.show(self.kind.empty) if default is MISSING else default

    def read(self, value: Any, reader: Reader) -> Any:
        """Outside → stored, blanks included."""
        if value is None or (isinstance(value, str) and not value.strip()) or (value == [] and not self.optional and isinstance(self.kind.empty, list)):
            if not self.optional:
                reader.refuse(_("Fill in this field."))
            return self.kind.empty
        return self.kind.read(value, reader)


def field(kind: Kind, label: Any, *, unique: bool = False, **say: Any) -> MappedColumn[Any]:
    """A declared column: `field(Text(40), _l("Name"), unique=True, help=…)`; options as in Field."""
    spec = Field(kind, label, **say)
    nullable = spec.optional and kind.empty is None
    target = [kind.foreign_key()] if isinstance(kind, LinkedKind) else []
    # A secret is opened only where it is asked for, not with every row of a list.
    return mapped_column(kind.column(), *target, unique=unique, nullable=nullable, info={"field": spec}, deferred=kind.secret)


class LinkedKind(Kind):
    """A kind whose column is a foreign key to the table `word`."""

    word = ""

    def foreign_key(self) -> ForeignKey:
        """What the column points at."""
        return ForeignKey(f"{self.word}.id")
