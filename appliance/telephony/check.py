"""Reads rendered files back and names what Asterisk would not report.

Asterisk answers "reloaded successfully" to most mistakes: an unknown application, a Goto into nothing, a member that is
no endpoint, an `auth=` naming nothing (tried on 22). Everything found is reported together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.telephony import check_dialplan, check_khomp, check_pjsip
from appliance.telephony.conf import Conf, main_file, read, without_collector
from appliance.telephony.findings import Finding, finding
from appliance.telephony.known import Known

# Every other file is read for its grammar only; the shadow judges its meaning.
_READ_WITHOUT_SECTIONS = ("cdr_custom.conf",)

STRATEGIES = ("ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "rrordered", "linear", "wrandom")

# Keywords of a queue: queue_set_param() in apps/app_queue.c of Asterisk 22.
_QUEUE_OPTION_WORDS = """
    musicclass musiconhold music announce context timeout monitor-join monitor-format monitor-type
    queue-youarenext queue-thereare queue-callswaiting queue-quantity1 queue-quantity2 queue-holdtime
    queue-minutes queue-minute queue-seconds queue-thankyou queue-callerannounce queue-reporthold
    announce-frequency announce-to-first-user min-announce-frequency announce-round-seconds announce-holdtime
    announce-position announce-position-limit announce-position-only-up periodic-announce
    periodic-announce-startdelay periodic-announce-frequency relative-periodic-announce
    random-periodic-announce retry wrapuptime penaltymemberslimit autofill autopause autopausedelay
    autopausebusy autopauseunavail maxlen ringinuse setinterfacevar setqueuevar setqueueentryvar
    reportholdtime memberdelay weight timeoutrestart defaultrule timeoutpriority strategy joinempty
    leavewhenempty servicelevel membergosub member persistentmembers log-restricted-caller-id
    reset-on-unavailable
"""
QUEUE_OPTIONS = frozenset(_QUEUE_OPTION_WORDS.split())
_NUMBERS = (
    "timeout", "retry", "wrapuptime", "maxlen", "weight", "servicelevel", "announce-frequency", "memberdelay",
    "min-announce-frequency", "periodic-announce-frequency", "penaltymemberslimit", "autopausedelay",
)  # fmt: skip


@dataclass(slots=True)
class Names:
    """What the files together define, for references between them."""

    endpoints: set[str] = field(default_factory=set)
    contexts: set[str] = field(default_factory=set)
    queues: set[str] = field(default_factory=set)


def check(files: Mapping[str, str], known: Known) -> list[Finding]:
    """Every mistake in these files (path under etc/ → text), in file and line order. An empty list lets them pass."""
    with without_collector():
        return _check(files, known)


def _check(files: Mapping[str, str], known: Known) -> list[Finding]:
    found: list[Finding] = []
    confs: dict[str, Conf] = {}
    for name in sorted(files):
        if main_file(name) == name and "/" not in name and name not in _READ_WITHOUT_SECTIONS:
            confs[name] = read(name, files)
            found.extend(confs[name].problems)
    empty = Conf()
    pjsip, dialplan = confs.get("pjsip.conf", empty), confs.get("extensions.conf", empty)
    queues = confs.get("queues.conf", empty)
    parking = _parking_contexts(confs.get("res_parking.conf", empty))
    names = Names(
        endpoints=check_pjsip.names(pjsip, "endpoint"),
        contexts={section.name for section in dialplan.sections} | parking,
        queues={section.name for section in queues.sections} - {"general"},
    )
    found.extend(check_pjsip.problems(pjsip, names.contexts, known))
    khomp = confs.get("khomp.conf", empty)
    found.extend(check_dialplan.problems(dialplan, names.endpoints, names.queues, parking, known, check_khomp.groups(khomp)))
    found.extend(check_khomp.problems(khomp, names.contexts))
    found.extend(_queue_problems(queues, names))
    return sorted(set_of(found), key=lambda one: (one.file, one.line, one.code))


def set_of(found: list[Finding]) -> list[Finding]:
    """Without repetitions: two main files may include one part."""
    return list({(one.file, one.line, one.text): one for one in found}.values())


def _parking_contexts(parking: Conf) -> set[str]:
    """Contexts res_parking makes when it starts; their extensions are known to it alone."""
    return {value for section in parking.sections for _, _, key, value in section.lines if key == "context"}


def _queue_problems(queues: Conf, names: Names) -> list[Finding]:
    found: list[Finding] = []
    for section, lines in queues.effective():
        if section.name == "general":
            continue
        for file, number, key, value in lines:
            where = (file, number)
            origin = queues.origin(*where)
            if key == "member":
                found.extend(_member_problems(where, origin, section.name, value, names))
            elif key not in QUEUE_OPTIONS:
                found.append(finding(*where, "unknown_queue_option", origin, value=key))
            elif key == "strategy" and value not in STRATEGIES:
                found.append(finding(*where, "unknown_strategy", origin, value=value))
            elif key in _NUMBERS and not value.isdigit():
                found.append(finding(*where, "bad_number", origin, key=key, value=value))
            elif key == "context" and value not in names.contexts:
                found.append(finding(*where, "missing_context", origin, value=value))
    return found


def _member_problems(
    where: tuple[str, int], origin: tuple[str, int], queue: str, value: str, names: Names
) -> list[Finding]:
    """`member => interface,penalty,name,state interface`; only PJSIP and Local interfaces can be checked."""
    words = [word.strip() for word in value.split(",")]
    found: list[Finding] = []
    technology, _, name = words[0].partition("/")
    if technology == "PJSIP" and name not in names.endpoints:
        found.append(finding(*where, "missing_member", origin, section=queue, value=words[0]))
    context = name.partition("@")[2].partition("/")[0]
    if technology == "Local" and context not in names.contexts:
        found.append(finding(*where, "missing_context", origin, value=context))
    if len(words) > 1 and words[1] and not words[1].isdigit():
        found.append(finding(*where, "bad_number", origin, key="penalty", value=words[1]))
    return found
