"""Jinja for config files: strict, escaped, traceable.

No value can start a line, a section, a comment or a dialplan expression of its own: everything written with
`{{ value }}` passes `_written`. Templates are `asterisk/generated`, `asterisk/fixed` and the same two of `khomp`.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from appliance.settings import CHECKOUT
from appliance.telephony.findings import Finding, finding

TEMPLATE_FOLDERS = [CHECKOUT / "asterisk" / "generated", CHECKOUT / "asterisk" / "fixed",
                    CHECKOUT / "asterisk" / "dialplan", CHECKOUT / "khomp" / "generated", CHECKOUT / "khomp" / "fixed"]  # fmt: skip

_SPECIAL = re.compile(r"[\r\n\0;]|\$[{\[]")
_SECTION = re.compile(r"[A-Za-z0-9_.+-]+")
_DIALLED = re.compile(r"_?[0-9XZN*#+\[\]-]+\.?")
_ENDS_ARGUMENT = re.compile(r"[,()\"\\&|\[\]{}^$]")
_LAST_ORIGIN = "_last_origin"


class Unfit(Exception):
    """A value that may not be written into a file; `finding` names the template and the row that was being rendered."""

    def __init__(self, what: Finding) -> None:
        super().__init__(str(what))
        self.finding = what


class Written(str):
    """Text of ours that may hold `${…}` (an expression composed in a config.py). Line breaks stay refused."""

    __slots__ = ()


class _Unwritable(Exception):
    def __init__(self, code: str, value: object) -> None:
        super().__init__(code)
        self.code, self.value = code, str(value)


def render(template: str, /, **values: object) -> str:
    """The text of one config file, starting with `; template: NAME`; the same values give the same bytes.

    Raises Unfit for a value with a line break, an expression or None, naming the last `origin(row)` rendered before it;
    jinja2.UndefinedError (our mistake) for a name the template should have been given.
    """
    last: list[tuple[str, int]] = [("", 0)]
    try:
        text = _environment().get_template(template).render(values, **{_LAST_ORIGIN: last})
    except _Unwritable as why:
        name = template.removesuffix(".j2")
        raise Unfit(finding(name, 0, why.code, last[0], template=template, value=why.value[:80])) from None
    return f"; template: {template}\n{text}"


def spliced(previous: str, word: str, ids: Sequence[int], part: str) -> str | None:
    """The text of a file whose rows of `word` come last, each from its `; from word id` line on, made of the text before
    and of a part rendered for the changed rows alone; None when a row of `ids` (all of them, in order) is in neither.

    Where the lines before the first row differ, everything may: None too.
    """
    head, old = _sections(previous, word)
    new_head, new = _sections(part, word)
    if head != new_head or any(row_id not in new and row_id not in old for row_id in ids):
        return None
    return head + "".join([new[row_id] if row_id in new else old[row_id] for row_id in ids])


def _sections(text: str, word: str) -> tuple[str, dict[int, str]]:
    """The lines before the first row, and row id → its lines, in one pass."""
    head, *parts = re.split(rf"(?m)^(?=; from {word} \d+$)", text)
    begins = len(f"; from {word} ")
    return head, {int(part[begins : part.index("\n")]): part for part in parts}


def word_and_id(row: Any) -> tuple[str, int]:
    """The row's word (its table, or `word` when it has one) and its id. Raises AttributeError for anything else."""
    return getattr(row, "word", None) or row.__tablename__, int(row.id)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_FOLDERS),
        undefined=StrictUndefined,
        finalize=_written,
        autoescape=False,  # these are no pages; `_written` is the escape of this language
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters.update(FILTERS)
    environment.globals["origin"] = _origin
    return environment


@pass_context
def _origin(context: Context, row: object) -> str:
    word, row_id = word_and_id(row)
    last = context.get(_LAST_ORIGIN)
    if last is not None:  # None inside a macro imported without context
        last[0] = (word, row_id)
    return f"{word} {row_id}"


def _written(value: object) -> str:
    """What a value looks like in a file: yes/no for bool, `\\;` for `;` (config.c reads `;` as a comment)."""
    if isinstance(value, str):
        return value if _SPECIAL.search(value) is None else _escaped(value)
    if value is True:
        return "yes"
    if value is False:
        return "no"
    if value is None:
        raise _Unwritable("missing_value", "")
    if isinstance(value, int):
        return str(value)
    return _written(str(value))


def _escaped(value: str) -> str:
    if any(sign in value for sign in "\r\n\0"):
        raise _Unwritable("line_break", repr(value))
    if not isinstance(value, Written) and ("${" in value or "$[" in value):
        raise _Unwritable("dialplan_expression", value)
    return value.replace(";", "\\;")


def quoted(name: str) -> str:
    """A caller-id name between quotes. Signs that would end the name or start the number are left out: SIP shows them
    badly and Asterisk's callerid parser does not honour a backslash before a quote (callerid.c, ast_callerid_parse)."""
    return '"' + re.sub(r'["<>\\]', "", name).strip() + '"'


def section(name: object) -> str:
    """A name between brackets. Raises through render for anything outside [A-Za-z0-9_.+-]."""
    text = str(name)
    if not _SECTION.fullmatch(text):
        raise _Unwritable("bad_name", text)
    return text


def argument(value: object) -> str:
    """A value as an argument of an application: refused when a sign in it would end the argument or join another."""
    text = str(value)
    if _ENDS_ARGUMENT.search(text) and "\n" not in text:  # a line break is refused where everything is written
        raise _Unwritable("bad_argument", text)
    return text


def dialled(value: object) -> str:
    """A number or a pattern of the dialplan. Refused when a sign in it would end it and begin a line of its own."""
    text = str(value)
    if not _DIALLED.fullmatch(text):
        raise _Unwritable("line_break" if "\n" in text else "bad_pattern", text)
    return text


FILTERS: dict[str, Callable[[Any], str]] = {"quoted": quoted, "section": section, "argument": argument, "dialled": dialled}
