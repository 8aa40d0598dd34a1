"""The dialplan as a structure: contexts, extensions, priorities, and the places an application jumps to."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from appliance.telephony.conf import Conf
from appliance.telephony.findings import Finding, finding

NO_CONTEXTS = frozenset({"general", "globals"})

_PRIORITY = re.compile(r"\s*(\d+|n|s|hint)\s*(?:\+(\d+))?\s*(?:\(([^)]*)\))?\s*$")


class Place(NamedTuple):
    """A line of the dialplan: where it is written and which extension it belongs to."""

    file: str
    number: int
    context: str
    extension: str


class Call(NamedTuple):
    """One application with its arguments as written between the parentheses."""

    place: Place
    application: str
    arguments: str


class Target(NamedTuple):
    """Where a jump leads; None where the jump leaves it as it is."""

    context: str | None
    extension: str | None
    priority: str


@dataclass(slots=True)
class Extension:
    """Priorities and labels of one extension of one context."""

    priorities: set[int] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    last: int = 0


@dataclass(slots=True)
class Context:
    """Extensions by name, the contexts it includes, and whether a switch may know more than is written."""

    extensions: dict[str, Extension] = field(default_factory=dict)
    patterns: list[str] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    open_ended: bool = False


@dataclass(slots=True)
class Dialplan:
    """All contexts, all applications called, and the lines that could not be read."""

    contexts: dict[str, Context] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    hints: list[tuple[Place, str]] = field(default_factory=list)
    includes: list[tuple[Place, str]] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)


def read(conf: Conf) -> Dialplan:
    """The contexts of extensions.conf. Sections of one name are one context, wherever they stand."""
    plan = Dialplan()
    for section, lines in conf.effective():
        if section.name in NO_CONTEXTS:
            continue
        context = plan.contexts.setdefault(section.name, Context())
        extension = ""
        for file, number, key, value in lines:
            place = Place(file, number, section.name, extension)
            if key == "exten":
                extension, comma, rest = value.partition(",")
                extension = extension.strip()
                _line(plan, conf, context, place._replace(extension=extension), rest if comma else "")
            elif key == "same":
                _line(plan, conf, context, place, value)
            elif key == "include":
                name = value.partition(",")[0].strip()
                context.includes.append(name)
                plan.includes.append((place, name))
            elif key in ("switch", "lswitch", "eswitch"):
                context.open_ended = True
            elif key not in ("ignorepat", "autohints"):
                plan.problems.append(finding(file, number, "bad_extension_line", conf.origin(file, number), value=key))
    return plan


def _line(plan: Dialplan, conf: Conf, context: Context, place: Place, rest: str) -> None:
    """`priority(label),application(arguments)` of one extension."""
    word, _, application = rest.partition(",")
    match = _PRIORITY.match(word)
    if match is None or not place.extension or not application.strip():
        origin = conf.origin(place.file, place.number)
        plan.problems.append(finding(place.file, place.number, "bad_extension_line", origin, value=rest[:60]))
        return
    application = application.strip()
    if match[1] == "hint":
        plan.hints.append((place, application))
        return
    extension = context.extensions.get(place.extension)
    if extension is None:
        extension = context.extensions[place.extension] = Extension()
        if place.extension[0] == "_":
            context.patterns.append(place.extension)
    said = _count(extension, match, place)
    if said:
        origin = conf.origin(place.file, place.number)
        plan.problems.append(finding(place.file, place.number, said[0], origin, **said[1]))
    name, opened, arguments = application.partition("(")
    if opened and not arguments.endswith(")"):
        origin = conf.origin(place.file, place.number)
        plan.problems.append(finding(place.file, place.number, "missing_parenthesis", origin, value=application[:60]))
    plan.calls.append(Call(place, name.strip(), arguments[:-1] if opened else ""))


def _count(extension: Extension, match: re.Match[str], place: Place) -> tuple[str, dict[str, str]] | None:
    """Notes priority and label. `n` is the last one plus one; a number must not repeat nor leave a gap."""
    said = {"extension": place.extension, "context": place.context}
    problem = None
    if match[1].isdigit():
        number = int(match[1])
    else:
        number = extension.last + (int(match[2] or 1) if match[1] == "n" else int(match[2] or 0))
    if number in extension.priorities:
        problem = ("duplicate_priority", said | {"value": str(number)})
    elif number != 1 and number - 1 not in extension.priorities:
        problem = ("priority_gap", said | {"value": match[1]})
    extension.priorities.add(number)
    extension.last = number
    if match[3]:
        extension.labels.add(match[3])
    return problem


def matching(
    plan: Dialplan, context: str, extension: str, seen: frozenset[str] = frozenset()
) -> list[Extension] | None:
    """The extensions a dialled text finds in a context and what it includes; None when that cannot be known."""
    place = plan.contexts.get(context)
    if place is None or context in seen:
        return []
    if place.open_ended:
        return None
    found = [place.extensions[extension]] if extension in place.extensions else []
    found += [place.extensions[pattern] for pattern in place.patterns if _expression(pattern).fullmatch(extension)]
    for name in place.includes:
        further = matching(plan, name, extension, seen | {context})
        if further is None:
            return None
        found += further
    return found


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression: X 0-9, Z 1-9, N 2-9, `.` one or more, `!` zero or more, `-` is decoration."""
    parts: list[str] = []
    rest = pattern[1:].partition("/")[0]
    while rest:
        sign, rest = rest[0], rest[1:]
        if sign == "[" and "]" in rest:
            inside, _, rest = rest.partition("]")
            parts.append(f"[{re.escape(inside).replace(chr(92) + '-', '-')}]" if inside else "")
        elif sign != "-":
            parts.append(_SIGNS.get(sign.upper()) or re.escape(sign))
    return re.compile("".join(parts))


_SIGNS = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}


def split(text: str, sign: str, times: int = -1) -> list[str]:
    """Splits at a sign outside (), [], {} and quotes. `times` is the most splits to make."""
    if sign not in text:
        return [text]
    if times < 0 and not any(bracket in text for bracket in '([{"'):
        return text.split(sign)
    parts: list[str] = []
    depth = start = 0
    in_quotes = False
    for at, char in enumerate(text):
        if char == '"':
            in_quotes = not in_quotes
        elif in_quotes:
            continue
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == sign and depth <= 0 and times != 0:
            parts.append(text[start:at])
            start, times = at + 1, times - 1
    parts.append(text[start:])
    return parts


def target(text: str) -> Target | None:
    """`[[context,]extension,]priority` with the arguments of a Gosub cut off. None for no jump at all."""
    parts = [part.strip() for part in split(text, ",")]
    parts[-1] = re.sub(r"\(.*", "", parts[-1], flags=re.S) if not parts[-1].startswith("$") else parts[-1]
    if not parts[-1] or len(parts) > 3:
        return None
    filled = [""] * (3 - len(parts)) + parts
    return Target(filled[0] or None, filled[1] or None, filled[2])


def branches(arguments: str) -> list[str]:
    """The one or two ways of `condition?this:that`, without empty ones."""
    _, *rest = split(arguments, "?", 1)
    return [way.strip() for way in (split(rest[0], ":", 1) if rest else []) if way.strip()]
