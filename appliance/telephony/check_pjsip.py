"""Checks of pjsip.conf: options each type takes, references between sections, codecs, contexts."""

from appliance.telephony.conf import Conf, Line, Section, effective
from appliance.telephony.findings import Finding, finding
from appliance.telephony.known import Known

# type → option → type it names. Lists are separated by commas.
REFERENCES = {
    "endpoint": {"auth": "auth", "outbound_auth": "auth", "aors": "aor", "transport": "transport"},
    "registration": {"outbound_auth": "auth", "endpoint": "endpoint", "transport": "transport"},
    "identify": {"endpoint": "endpoint"},
    "outbound-publish": {"outbound_auth": "auth", "transport": "transport"},
}
_CONTEXT_OPTIONS = frozenset({"context", "message_context", "subscribe_context"})
_CODEC_OPTIONS = frozenset({"allow", "disallow"})

Lines = list[tuple[Section, Line]]


def objects(conf: Conf) -> dict[tuple[str, str], tuple[Section, Lines]]:
    """(type, name) → its section and lines, the last one when written twice. Sections without a type are left out."""
    found: dict[tuple[str, str], tuple[Section, Lines]] = {}
    for section, lines in effective(conf.sections):
        kind = _kind(lines)
        if kind:
            found[(kind, section.name)] = (section, lines)
    return found


def names(conf: Conf, kind: str) -> set[str]:
    """Names of all sections of one type."""
    return {section.name for section, lines in effective(conf.sections) if _kind(lines) == kind}


def problems(conf: Conf, contexts: set[str], known: Known) -> list[Finding]:
    """Every mistake in pjsip.conf and what it includes. `contexts` are those of the dialplan."""
    found: list[Finding] = []
    sections = [(section, lines, _kind(lines)) for section, lines in effective(conf.sections)]
    seen: set[tuple[str, str]] = set()
    for section, _, kind in sections:
        found.extend(_heading_problems(section, kind, seen, known))
        seen.add((kind, section.name))
    checked: set[tuple[int, int, str]] = set()
    for section, lines, kind in sections:
        options = known.pjsip.get(kind)
        if options is None:
            continue
        references = REFERENCES.get(kind, {})
        for owner, line in lines:
            key = line.key
            if owner is not section:
                # A line of a template is judged once per type, not once per heir.
                mark = (id(owner), line.number, kind)
                if mark in checked:
                    continue
                checked.add(mark)
            if key not in options and key.lower() not in options:
                found.append(finding(owner.file, line.number, "unknown_option",
                                     conf.origin(owner.file, line.number), type=kind, value=key))  # fmt: skip
            elif key in references:
                found.extend(_reference_problems(conf, section, owner, line, references[key], seen))
            elif key in _CODEC_OPTIONS:
                found.extend(_codec_problems(conf, owner, line, known))
            elif key in _CONTEXT_OPTIONS and line.value not in contexts:
                origin = conf.origin(owner.file, line.number)
                found.append(finding(owner.file, line.number, "missing_context", origin, value=line.value))
    return found


def _kind(lines: Lines) -> str:
    """The type of a section: its last `type`, so that an heir may say it again."""
    for _, line in reversed(lines):
        if line.key == "type":
            return line.value
    return ""


def _heading_problems(section: Section, kind: str, seen: set[tuple[str, str]], known: Known) -> list[Finding]:
    where = (section.file, section.number)
    if not kind:
        return [finding(*where, "missing_type", section.origin, section=section.name)]
    if kind not in known.pjsip:
        return [finding(*where, "unknown_type", section.origin, section=section.name, value=kind)]
    if (kind, section.name) in seen:
        return [finding(*where, "duplicate_section", section.origin, type=kind, section=section.name)]
    return []


def _reference_problems(
    conf: Conf, section: Section, owner: Section, line: Line, kind: str, seen: set[tuple[str, str]]
) -> list[Finding]:
    missing = [name for name in line.value.split(",") if name.strip() and (kind, name.strip()) not in seen]
    origin = conf.origin(owner.file, line.number)
    return [
        finding(owner.file, line.number, "missing_object", origin, section=section.name, type=kind, value=name.strip())
        for name in missing
    ]


def _codec_problems(conf: Conf, owner: Section, line: Line, known: Known) -> list[Finding]:
    words = (word.strip().lstrip("!").partition(":")[0] for word in line.value.split(","))
    missing = [word for word in words if word and word != "all" and word not in known.codecs]
    origin = conf.origin(owner.file, line.number)
    return [finding(owner.file, line.number, "unknown_codec", origin, value=word) for word in missing]
