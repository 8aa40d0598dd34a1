"""Checks of pjsip.conf: options each type takes, references between sections, codecs, contexts."""

from appliance.telephony.conf import Conf, Line, Section
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

Lines = list[Line]


def objects(conf: Conf) -> dict[tuple[str, str], tuple[Section, Lines]]:
    """(type, name) → its section and lines, the last one when written twice. Sections without a type are left out."""
    found: dict[tuple[str, str], tuple[Section, Lines]] = {}
    for section, lines in conf.effective():
        kind = _kind(lines)
        if kind:
            found[(kind, section.name)] = (section, lines)
    return found


def names(conf: Conf, kind: str) -> set[str]:
    """Names of all sections of one type."""
    return {section.name for section, lines in conf.effective() if _kind(lines) == kind}


def problems(conf: Conf, contexts: set[str], known: Known) -> list[Finding]:
    """Every mistake in pjsip.conf and what it includes. `contexts` are those of the dialplan."""
    found: list[Finding] = []
    sections = [(section, lines, _kind(lines)) for section, lines in conf.effective()]
    seen: set[tuple[str, str]] = set()
    for section, lines, kind in sections:
        found.extend(_heading_problems(conf, section, lines, seen, known))
        seen.add((kind, section.name))
    inherited: set[tuple[str, int, str]] = set()
    for section, lines, kind in sections:
        options = known.pjsip.get(kind)
        if options is None:
            continue
        references = REFERENCES.get(kind, {})
        interesting = references.keys() | _CODEC_OPTIONS | _CONTEXT_OPTIONS
        for line in lines:
            file, number, key, _ = line
            if number < section.number or file != section.file:
                # A line of a template is judged once per type, not once per heir.
                if (file, number, kind) in inherited:
                    continue
                inherited.add((file, number, kind))
            if key not in options and key.lower() not in options:
                origin = conf.origin(file, number)
                found.append(finding(file, number, "unknown_option", origin, type=kind, value=key))
            elif key in interesting:
                found.extend(_value_problems(conf, section, line, references.get(key, ""), seen, contexts, known))
    return found


def _kind(lines: Lines) -> str:
    """The type of a section: its last `type`, so that an heir may say it again."""
    for _, _, key, value in reversed(lines):
        if key == "type":
            return value
    return ""


def _heading_problems(
    conf: Conf, section: Section, lines: Lines, seen: set[tuple[str, str]], known: Known
) -> list[Finding]:
    where = (section.file, section.number)
    kind = _kind(lines)
    if not kind:
        return [finding(*where, "missing_type", section.origin, section=section.name)]
    if kind not in known.pjsip:
        file, number = next(line[:2] for line in reversed(lines) if line[2] == "type")
        return [finding(file, number, "unknown_type", conf.origin(file, number), section=section.name, value=kind)]
    if (kind, section.name) in seen:
        return [finding(*where, "duplicate_section", section.origin, type=kind, section=section.name)]
    return []


def _value_problems(
    conf: Conf, section: Section, line: Line, kind: str, seen: set[tuple[str, str]], contexts: set[str], known: Known
) -> list[Finding]:
    """A value that names something: an object of type `kind`, codecs or a context."""
    file, number, key, value = line
    words = [word.strip() for word in value.split(",") if word.strip()]
    origin = conf.origin(file, number)
    if kind:
        said = {"section": section.name, "type": kind}
        missing = [word for word in words if (kind, word) not in seen]
        return [finding(file, number, "missing_object", origin, **said, value=word) for word in missing]
    if key in _CODEC_OPTIONS:
        codecs = (word.lstrip("!").partition(":")[0] for word in words)
        unknown = [word for word in codecs if word != "all" and word not in known.codecs]
        return [finding(file, number, "unknown_codec", origin, value=word) for word in unknown]
    return [] if value in contexts else [finding(file, number, "missing_context", origin, value=value)]
