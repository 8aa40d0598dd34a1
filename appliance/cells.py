"""How each kind of field stands in one cell of a CSV file: outside value → text → outside value (see docs/csv.md).

A kind is told by its schema, so one made for a new feature needs nothing here: yes/no, whole numbers, texts; lists as `a | b`;
pairs and lines inside a row as the site file has them, in JSON; a destination as `extension: 1000`.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _

from appliance import csv_files
from appliance.fields import Choice, Day, Field, Kind, Reader, Secret, Words
from appliance.links import ROWLESS, Destination

LANGUAGES = ("pt_BR", "en")
YES = ("yes", "sim", "true", "verdadeiro", "on", "ligado", "1", "y", "s", "x")
NO = ("no", "nao", "false", "falso", "off", "desligado", "0", "n")
Reading = Callable[[str, Reader], Any]


def text_of(kind: Kind, value: Any) -> str:
    """An outside value as the text of a cell; a spreadsheet still has to be kept from spoiling it (csv_files.guarded)."""
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(kind, Destination):
        (word, target), = value.items()
        return str(word) if target is True else f"{word}: {target}"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if kind.schema == list[str]:
        items = [str(item) for item in value]
        if any("|" in item or item != item.strip() or item[:1] == "[" or not item for item in items):
            return _json(items)
        return " | ".join(items)
    return _json(value) if isinstance(value, list | dict) else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def reading(spec: Field) -> Reading:
    """How a cell of this field is read: text → outside value. Words of both languages are looked up once, not per cell."""
    kind = spec.kind
    if isinstance(kind, Secret):
        return lambda text, _reader: text
    if isinstance(kind, Destination):
        return _destination(kind)
    if isinstance(kind, Choice):
        words = _words(kind)
        return lambda text, _reader: words.get(csv_files.folded(text), text)
    if isinstance(kind, Day):
        return _day
    if kind.schema is bool:
        return _boolean
    if kind.schema is int:
        return lambda text, _reader: re.sub(r"[.,]0{1,2}$", "", text)  # 30,00 is 30; 30.000 might be thirty thousand and is refused
    if kind.schema == list[str]:
        known = _words(kind) if isinstance(kind, Words) else {}
        return lambda text, reader: _list(text, reader, known)
    if kind.schema is str:
        return lambda text, _reader: text
    return _pairs if kind.schema == dict[str, str] else _structure


def in_languages(say: Callable[[], Any]) -> list[str]:
    """A text of ours in every language people may have written it in."""
    found = []
    for language in LANGUAGES:
        with force_locale(language):
            found.append(str(say()))
    return found


def _label(kind: Choice | Words, word: str) -> Any:
    return kind.labels[word]


def _label_of_type(kind: Destination, word: str) -> Any:
    return kind.labels().get(word, word)


def _words(kind: Choice | Words) -> dict[str, str]:
    """Folded word or label → word."""
    known: dict[str, str] = {}
    for word in kind.labels:
        for label in [*in_languages(partial(_label, kind, word)), word]:
            if csv_files.folded(label):
                known[csv_files.folded(label)] = word
    return known | {csv_files.folded(word): word for word in kind.labels if word}


def _boolean(text: str, reader: Reader) -> Any:
    word = text.strip().casefold().replace("ã", "a")
    if word in YES or word in NO:
        return word in YES
    return reader.refuse(_("“%(text)s” is neither yes nor no.", text=text))


def _day(text: str, _reader: Reader) -> str:
    found = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?: 00:00(?::00)?)?", text)
    return f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}" if found else text


def _list(text: str, reader: Reader, known: dict[str, str]) -> Any:
    if text[:1] == "[":
        return _structure(text, reader)
    return [known.get(csv_files.folded(item), item.strip()) for item in text.split("|") if item.strip()]


def _destination(kind: Destination) -> Reading:
    known: dict[str, str] = {}
    for word in kind.types:
        for label in [word, *in_languages(partial(_label_of_type, kind, word))]:
            known[csv_files.folded(label)] = word

    def read(text: str, reader: Reader) -> Any:
        if text[:1] == "{":
            return _structure(text, reader)
        word, _colon, target = text.partition(":")
        found = known.get(csv_files.folded(word))
        if found is None or (found not in ROWLESS and not target.strip()):
            return reader.refuse(_("Write a destination as “%(example)s”; “%(text)s” is none.", example="extension: 1000", text=text))
        return {found: True if found in ROWLESS else target.strip()}

    return read


def _pairs(text: str, reader: Reader) -> Any:
    if text[:1] == "{":
        return _structure(text, reader)
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _equals, value in pairs}


def _structure(text: str, reader: Reader) -> Any:
    try:
        return json.loads(text, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return reader.refuse(_("This is no list as the exported file writes it (JSON). Export a row to see an example."))
