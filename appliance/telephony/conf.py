"""Reads Asterisk's configuration text into sections with line numbers and the row each came from.

Grammar from main/config.c of Asterisk 22: `[name](!)` template, `[name](a,b)` heir, `[name](+)` more of the same,
`key = value` and `key => value`, `;` comment, `\\;` a real semicolon, `;-- … --;` block comment, `#include file`.
"""

import gc
import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import lru_cache
from typing import NamedTuple

from appliance.telephony.findings import Finding, finding

Origin = tuple[str, int]
NOWHERE: Origin = ("", 0)

_ORIGIN = re.compile(r"; from ([a-z_]+) (\d+)\s*$")
_HEADER = re.compile(r"\[([^\]]*)\](?:\s*\(([^)]*)\))?\s*$")
_INCLUDE = re.compile(r'#(include|tryinclude)\s+["<]?([^">]+?)[">]?\s*$')


# File, number (from 1), key, value. A plain tuple: 150,000 of them are made for 5,000 extensions.
Line = tuple[str, int, str, str]


@dataclass(slots=True)
class Section:
    """One `[name]` with its own lines, in order; `parents` are the templates it inherits from, nearest last."""

    file: str
    number: int
    name: str
    origin: Origin
    template: bool = False
    parents: tuple[str, ...] = ()
    adds: bool = False
    lines: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Source:
    """One file as it stands, before its includes are followed. `parts` holds sections and includes in order."""

    file: str
    parts: "list[Section | Include]" = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    origins: list[tuple[int, Origin]] = field(default_factory=list)
    template: str = ""

    def origin(self, number: int) -> Origin:
        """The nearest `; from word id` at or before a line."""
        at = bisect_right(self.origins, (number, ("\x7f", 0)))
        return self.origins[at - 1][1] if at else NOWHERE


class Include(NamedTuple):
    """`#include name`; `optional` when written #tryinclude."""

    number: int
    name: str
    optional: bool


@dataclass(slots=True)
class Conf:
    """A main file with everything it includes, in the order Asterisk reads it."""

    sections: list[Section] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    _whole: list[tuple[Section, list[Line]]] | None = None

    def effective(self) -> list[tuple[Section, list[Line]]]:
        """The sections that are no template with all their lines, inherited ones first."""
        if self._whole is None:
            self._whole = effective(self.sections)
        return self._whole

    def origin(self, file: str, number: int) -> Origin:
        """The row a line was rendered from."""
        return self.sources[file].origin(number)


@lru_cache(maxsize=256)
def read_file(file: str, text: str) -> Source:
    """One file's text. Mistakes become `problems`; reading goes on behind them, as Asterisk does not.

    Remembered by text, so that one apply reads an unchanged file once. What is returned must not be changed.
    """
    source = Source(file)
    if text.startswith("; template: "):
        source.template = text[12 : text.find("\n")].strip()
    current: Section | None = None
    commented_since = 0
    for number, raw in enumerate(text.split("\n"), 1):
        first = raw[:1]
        if not first or (first == ";" and raw[1:3] != "--" and not commented_since):
            if raw[:7] == "; from ":
                _note_origin(source, number, raw)
            continue
        line = raw.strip()
        if commented_since or ";" in line:
            line, commented_since = _without_comment(line, number, commented_since)
        if not line:
            continue
        if line[0] == "[":
            current = _section(source, number, line)
        elif line[0] == "#":
            _directive(source, number, line)
            if current is not None and isinstance(source.parts[-1], Include):
                # What follows an include still belongs to the section that was open before it.
                current = Section(file, number, current.name, current.origin, adds=True)
                source.parts.append(current)
        else:
            key, equals, value = line.partition("=")
            if not equals:
                source.problems.append(_problem(source, number, "line_without_value", value=line[:60]))
            elif current is None:
                source.problems.append(_problem(source, number, "line_outside_section"))
            else:
                current.lines.append((file, number, key.rstrip(), value.lstrip("> \t")))
    if commented_since:
        source.problems.append(_problem(source, commented_since, "unclosed_comment"))
    return source


def read(main: str, files: Mapping[str, str]) -> Conf:
    """A main file and all it includes, `files` being path under etc/ → text. A missing include is a problem.

    Remembered like read_file, because every step of an apply asks for the same files.
    """
    return _read(main, frozenset(files.items()))


@lru_cache(maxsize=96)
def _read(main: str, files: frozenset[tuple[str, str]]) -> Conf:
    conf = Conf()
    _follow(main, dict(files), conf)
    return conf


def effective(sections: list[Section]) -> list[tuple[Section, list[Line]]]:
    """Every section that is no template, with its lines and, first, those of the templates it inherits.

    Sections of one name stay apart (pjsip tells them by type); a `(+)` section is joined to the last of its name.
    """
    whole: list[tuple[Section, list[Line]]] = []
    latest: dict[str, list[Line]] = {}
    for section in sections:
        if section.adds and section.name in latest:
            latest[section.name].extend(section.lines)
            continue
        lines: list[Line] = []
        for parent in section.parents:
            lines.extend(latest.get(parent, ()))
        lines.extend(section.lines)
        latest[section.name] = lines
        if not section.template:
            whole.append((section, lines))
    return whole


@contextmanager
def without_collector() -> Iterator[None]:
    """Work on hundreds of thousands of tuples with no cycle among them: looking for one takes as long as the work."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def main_file(path: str) -> str:
    """The file of Asterisk that a generated part belongs to: `bentevi/queues.pjsip.conf` → `pjsip.conf`."""
    folder, _, name = path.rpartition("/")
    if folder == "dialplan":
        return "extensions.conf"
    if folder == "bentevi":
        return ".".join(name.split(".")[-2:])  # extensions.auth.pjsip.conf too
    return name


def _follow(file: str, files: Mapping[str, str], conf: Conf) -> None:
    source = conf.sources[file] = read_file(file, files[file])
    conf.problems.extend(source.problems)
    known = {section.name for section in conf.sections}
    for part in source.parts:
        if isinstance(part, Section):
            missing = [name for name in part.parents if name not in known]
            for name in missing:
                conf.problems.append(
                    finding(file, part.number, "missing_template", part.origin, section=part.name, value=name)
                )
            known.add(part.name)
            conf.sections.append(part)
            continue
        targets = _targets(part, files)
        if not targets and not part.optional:
            conf.problems.append(
                finding(file, part.number, "missing_include", source.origin(part.number), value=part.name)
            )
        for target in targets:
            if target not in conf.sources:
                _follow(target, files, conf)
                known.update(section.name for section in conf.sections)


def _targets(include: Include, files: Mapping[str, str]) -> list[str]:
    name = posixpath.normpath(include.name)
    if any(sign in name for sign in "*?["):
        return sorted(path for path in files if fnmatch(path, name))
    return [name] if name in files else []


def _section(source: Source, number: int, line: str) -> Section:
    header = _HEADER.match(line)
    origin = source.origin(number)
    if header is None:
        source.problems.append(_problem(source, number, "unclosed_section"))
        part = Section(source.file, number, line[1:].split("(")[0].rstrip("]"), origin)
    else:
        words = [word.strip() for word in (header[2] or "").split(",") if word.strip()]
        parents = tuple(word for word in words if word not in "!+")
        part = Section(source.file, number, header[1], origin, "!" in words, parents, "+" in words)
    source.parts.append(part)
    return part


def _directive(source: Source, number: int, line: str) -> None:
    include = _INCLUDE.match(line)
    if include is None:
        source.problems.append(_problem(source, number, "unknown_directive", value=line[:60]))
        return
    source.parts.append(Include(number, include[2], include[1] == "tryinclude"))


def _note_origin(source: Source, number: int, line: str) -> None:
    origin = _ORIGIN.match(line)
    if origin:
        source.origins.append((number, (origin[1], int(origin[2]))))


def _problem(source: Source, number: int, code: str, **parameters: str) -> Finding:
    return finding(source.file, number, code, source.origin(number), **parameters)


def _without_comment(line: str, number: int, commented_since: int) -> tuple[str, int]:
    """The line without comments and with `\\;` as `;`, and the line where a still open block comment began (or 0)."""
    kept: list[str] = []
    at = 0
    while at < len(line):
        if commented_since:
            end = line.find("--;", at)
            if end < 0:
                break
            at, commented_since = end + 3, 0
            continue
        sign = line.find(";", at)
        if sign < 0:
            kept.append(line[at:])
            break
        if sign > at and line[sign - 1] == "\\":
            kept.append(line[at : sign - 1] + ";")
            at = sign + 1
            continue
        kept.append(line[at:sign])
        if line[sign + 1 : sign + 3] != "--" or line[sign + 3 : sign + 4] == "-":
            break
        at, commented_since = sign + 3, number
    return "".join(kept).strip(), commented_since
