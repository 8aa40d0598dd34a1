"""Asterisk's own ERROR and WARNING lines, and the line of ours each is about."""

import re
from collections.abc import Iterable, Mapping

from appliance.telephony import khomp
from appliance.telephony.conf import Section, main_file, read
from appliance.telephony.findings import Finding, finding

_COMPLAINT = re.compile(r"^\[[^\]]*\] (?:ERROR|WARNING)\[\d+\](?:\[C-\w+\])?:? (.*)$")
_STARTS_LINE = re.compile(r"^\[[^\]]*\] [A-Z]+\[")
_PLACES = (
    re.compile(r"line (?P<line>\d+) (?:of|in) (?:file )?['\"]?(?P<file>[\w./+-]+\.conf)"),
    re.compile(r"['\"]?(?P<file>[\w./+-]+\.conf)['\"]?,? (?:at )?line (?P<line>\d+)"),
    re.compile(r"(?P<file>[\w./+-]+\.conf):(?P<line>\d+)"),
)
END = "bentevi-end-of-log-"  # a module nobody has: asked for, its complaint marks how far a log is written (shadow.py)
# Not about a file: a full queue speaks of this machine's speed with so many objects; in a network of its own nobody
# answers a registration or an OPTIONS; and what the SIP library says of a file (an address it cannot bind) Asterisk
# repeats in words of its own, while its other warnings come by chance ("mod-invite registered during operation", 2 of
# 80 starts under load). A trial has no driver of Khomp's by design (runtime.trial_modules).
_NOT_ABOUT_FILES = re.compile(
    r"taskprocessor\.c: Taskprocessor "
    r"|res_pjsip_outbound_registration\.c: (?:No|Temporal|Temporary|Fatal) response"
    r"|res_pjsip\.c: Error \d+ '[^']*' sending "
    r"|pjproject: "
    rf"|loader\.c: Error loading module '(?:{re.escape(khomp.MODULE)}'|{END})"
)
# On its console a line names the place in the source: "loader.c:2687 load_modules: …"; its log has "loader.c: …".
_PLACE_IN_SOURCE = re.compile(r"^([\w-]+\.c):\d+ \w+: ")
_CHANGING = re.compile(r"0x[0-9a-f]+|\d+")


def lines(log: str) -> list[str]:
    """Texts of ERROR and WARNING lines of a log or a console, without time and thread; a text of several lines is one."""
    found: list[str] = []
    inside = False
    for raw in log.splitlines():
        complaint = _COMPLAINT.match(raw)
        if complaint:
            found.append(_PLACE_IN_SOURCE.sub(r"\1: ", complaint[1]))
        elif inside and raw.strip() and not _STARTS_LINE.match(raw):
            found[-1] += " " + raw.strip()
            continue
        inside = complaint is not None
    return [text for text in found if not _NOT_ABOUT_FILES.match(text)]


def normal(text: str) -> str:
    """A complaint without the numbers that differ from one start to the next."""
    return _CHANGING.sub("#", text)


def findings(messages: Iterable[str], files: Mapping[str, str]) -> list[Finding]:
    """Each complaint once, at the line it names, else at the section whose name it quotes."""
    found: dict[str, Finding] = {}
    sections: dict[str, list[Section]] | None = None
    for text in messages:
        if text in found:
            continue
        place = _named_line(text, files)
        if place is None:
            sections = _by_name(files) if sections is None else sections
            place = _named_section(text, sections)
        file, number = place
        origin = read(file, files).origin(file, number) if file else ("", 0)
        found[text] = finding(file, number, "asterisk_complains", origin, value=text)
    return list(found.values())


def _named_line(text: str, files: Mapping[str, str]) -> tuple[str, int] | None:
    for pattern in _PLACES:
        match = pattern.search(text)
        if match:
            file = match["file"].rpartition("/etc/")[2] or match["file"]
            if file in files:
                return file, int(match["line"])
    return None


def _named_section(text: str, sections: Mapping[str, list[Section]]) -> tuple[str, int]:
    """The section whose name stands in quotes, and in it the line whose key or value stands in quotes too."""
    words = re.findall(r"['\"]([^'\"]+)['\"]", text)
    for word in words:
        for section in sections.get(word, ()):
            for file, number, key, _ in section.lines:
                if key in words and key != section.name:
                    return file, number
        if word in sections:
            return sections[word][0].file, sections[word][0].number
    return "", 0


def _by_name(files: Mapping[str, str]) -> dict[str, list[Section]]:
    found: dict[str, list[Section]] = {}
    for name in files:
        if main_file(name) == name and "/" not in name:
            for section in read(name, files).sections:
                found.setdefault(section.name, []).append(section)
    return found
