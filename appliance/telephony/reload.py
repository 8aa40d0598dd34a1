"""Which command makes Asterisk read which file again, and what it cannot read again at all."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from appliance.errors import Busy
from appliance.telephony import conf, khomp
from appliance.telephony.conf import main_file
from appliance.telephony.findings import Finding, finding

Ask = Callable[[str], str]


class Reload(NamedTuple):
    """A CLI command and what its answer says when it worked. Asterisk answers mistakes with success, so the text
    decides."""

    command: str
    answer: str


def _module(name: str) -> Reload:
    return Reload(f"module reload {name}", r"reloaded successfully")


# In this order: what a line names is read before the line. `pjsip reload` would be an alias of a file we do not ship.
RELOADS = {
    "logger.conf": Reload("logger reload", r"^(?!.*(?:No such|Failed|failed))"),
    "cdr.conf": _module("cdr"),
    "cdr_custom.conf": _module("cdr_custom.so"),
    "cel.conf": _module("cel"),
    "cel_custom.conf": _module("cel_custom.so"),
    "acl.conf": _module("acl"),
    "rtp.conf": _module("res_rtp_asterisk.so"),
    "http.conf": _module("http"),
    "musiconhold.conf": Reload("moh reload", r"^(?!.*(?:No such|Failed|failed))"),
    "features.conf": _module("features"),
    "res_parking.conf": _module("res_parking.so"),
    "confbridge.conf": _module("app_confbridge.so"),
    "voicemail.conf": Reload("voicemail reload", r"^(?!.*(?:No such|Failed|failed))"),
    "pjsip.conf": _module("res_pjsip.so"),
    "queuerules.conf": Reload("queue reload all", r"^(?!.*(?:No such|Failed|failed))"),
    "queues.conf": Reload("queue reload all", r"^(?!.*(?:No such|Failed|failed))"),
    "extensions.conf": Reload("dialplan reload", r"Dialplan reloaded"),
    "bentevi-secrets.extensions.conf": Reload("dialplan reload", r"Dialplan reloaded"),
    "manager.conf": _module("manager"),
    # Without Khomp's driver there is nothing that reads it.
    "khomp.conf": Reload(f"module reload {khomp.MODULE}", r"reloaded successfully|No such module"),
}

# Sections of pjsip.conf that Asterisk keeps as they were at its start ("Transport is not fully reloadable").
FIXED_KINDS = frozenset({"transport", "system"})


def changed_paths(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Paths under etc/ that are new, gone or different."""
    return sorted(path for path in {*old, *new} if old.get(path) != new.get(path))


def reload(ask: Ask, paths: Iterable[str]) -> list[Finding]:
    """Makes Asterisk read again what these changed paths belong to, in the table's order. Findings: answers that
    failed."""
    mains = {main_file(path) for path in paths}
    found: list[Finding] = []
    done: set[str] = set()
    for main, (command, answer) in RELOADS.items():
        if main not in mains or command in done:
            continue
        done.add(command)
        said = ask(command)
        if not re.search(answer, said, re.S):
            found.append(finding(main, 0, "reload_refused", command=command, value=said.strip()[:200]))
    return found


def needs_restart(old: Mapping[str, str], new: Mapping[str, str], ask: Ask | None = None) -> list[str]:
    """What changed but takes effect only when Asterisk starts again: file names, or `pjsip.conf transport NAME`.

    Given `ask`, Khomp's driver is asked whether the reload before brought its file in: what it reads again is nowhere told.
    """
    waiting = [path for path in changed_paths(old, new) if main_file(path) not in RELOADS]
    if any(main_file(path) == "pjsip.conf" for path in changed_paths(old, new)):
        before, after = _fixed_sections(old), _fixed_sections(new)
        waiting += [f"pjsip.conf {name}" for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    if ask and khomp.FILE in changed_paths(old, new) and _is_left(ask, new):
        waiting.append(khomp.FILE)
    return waiting


def _is_left(ask: Ask, files: Mapping[str, str]) -> bool:
    try:
        return khomp.not_taken(ask, files)
    except Busy:
        return False  # Asterisk went away: it reads everything when it starts


def _fixed_sections(files: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    if "pjsip.conf" not in files:
        return {}
    found: dict[str, list[tuple[str, str]]] = {}
    for section, lines in conf.read("pjsip.conf", files).effective():
        kind = next((value for _, _, key, value in lines if key == "type"), "")
        if kind in FIXED_KINDS:
            found[f"{kind} {section.name}"] = [line[2:] for line in lines]
    return found
