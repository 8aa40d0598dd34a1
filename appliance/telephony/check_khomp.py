"""Checks of khomp.conf: the driver reports little and may not even be there, so every mistake must be found here."""

from appliance import khomp_channels
from appliance.khomp_channels import Atom
from appliance.telephony.conf import Conf, Line, Section
from appliance.telephony.findings import Finding, finding
from appliance.telephony.khomp_options import CHANNELS, GLOBALS, GROUP_NAME, PLAIN, Option

_NO_CONTEXT = "none"  # context-gsm-wait


def problems(conf: Conf, contexts: set[str]) -> list[Finding]:
    """Every mistake in khomp.conf: unknown sections and options, wrong values, groups that clash or lead nowhere."""
    found: list[Finding] = []
    seen: set[str] = set()
    for section, lines in conf.effective():
        if section.name in seen:
            found.append(_at(section, "duplicate_section", type="Khomp", section=section.name))
        seen.add(section.name)
        found += _section(conf, section, lines, contexts)
    return found


def groups(conf: Conf) -> set[str]:
    """Names a dial string may use behind `g`."""
    return {key for section in conf.sections if section.name == "groups" for _file, _number, key, _value in section.lines}


def _section(conf: Conf, section: Section, lines: list[Line], contexts: set[str]) -> list[Finding]:
    name = section.name
    if name == "groups":
        return _groups(conf, lines, contexts)
    if name == "globals":
        return _options(conf, lines, GLOBALS, contexts)
    if name == "channels":
        return _options(conf, lines, CHANNELS, contexts)
    if name.startswith("channels-"):
        strange = khomp_channels.atoms(name.removeprefix("channels-")) is None
        found = [_at(section, "bad_allocation", value=name.removeprefix("channels-"))] if strange else []
        return found + _options(conf, lines, CHANNELS, contexts)
    if name in PLAIN:
        good_key, good_value = PLAIN[name]
        return [_in(conf, line, "khomp_value", key=line[2], value=line[3]) for line in lines if not (good_key(line[2]) and good_value(line[3]))]
    return [_at(section, "khomp_section", value=name)]


def _options(conf: Conf, lines: list[Line], known: dict[str, Option], contexts: set[str]) -> list[Finding]:
    found: list[Finding] = []
    seen: set[str] = set()
    for line in lines:
        _file, _number, key, value = line
        if key not in known:
            found.append(_in(conf, line, "khomp_option", value=key))
        elif key in seen and key != "setvar":
            found.append(_in(conf, line, "khomp_twice", value=key))
        elif not known[key].accepts(value):
            found.append(_in(conf, line, "khomp_value", key=key, value=value))
        elif key.startswith("context-") and value != _NO_CONTEXT and value not in contexts:
            found.append(_in(conf, line, "missing_context", value=value))
        seen.add(key)
    return found


def _groups(conf: Conf, lines: list[Line], contexts: set[str]) -> list[Finding]:
    """A group once, of channels that are in no other group: a channel has one context for calls that arrive."""
    found: list[Finding] = []
    owners: list[tuple[Atom, str]] = []
    names: set[str] = set()
    for line in lines:
        _file, _number, name, value = line
        allocation, _colon, context = (part.strip() for part in value.partition(":"))
        pieces = khomp_channels.atoms(allocation)
        if not GROUP_NAME.fullmatch(name):
            found.append(_in(conf, line, "bad_name", value=name))
        if name in names:
            found.append(_in(conf, line, "khomp_twice", value=name))
        names.add(name)
        if pieces is None:
            found.append(_in(conf, line, "bad_allocation", value=allocation))
            continue
        if context and context not in contexts:
            found.append(_in(conf, line, "missing_context", value=context))
        for piece in pieces:
            other = next((owner for taken, owner in owners if _overlap(piece, taken)), None)
            if other is not None:
                found.append(_in(conf, line, "khomp_shared", group=name, value=other))
            owners.append((piece, name))
    return found


def _overlap(one: Atom, other: Atom) -> bool:
    if (one.is_serial, one.board) != (other.is_serial, other.board):
        return False
    if one.first is None or one.last is None or other.first is None or other.last is None:
        return True
    return one.first <= other.last and other.first <= one.last


def _at(where: Section, code: str, /, **parameters: str) -> Finding:
    return finding(where.file, where.number, code, where.origin, **parameters)


def _in(conf: Conf, line: Line, code: str, **parameters: str) -> Finding:
    return finding(line[0], line[1], code, conf.origin(line[0], line[1]), **parameters)
