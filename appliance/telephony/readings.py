"""Objects of a running Asterisk by value: what an endpoint, a context or a queue really is, asked on the command line.

The same question goes to the shadow, which booted cold from the candidate's files and therefore prints each value the
way Asterisk itself writes it, and to the live one: equal answers mean the live one holds what the files say, with no
table of ours that knows how Asterisk spells codecs, networks or flags.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from appliance.telephony import check_pjsip, conf, dialplan
from appliance.telephony.conf import Conf, main_file
from appliance.telephony.findings import Finding, finding

Ask = Callable[[str], str]
Reading = dict[str, str]

PJSIP_KINDS = ("endpoint", "aor", "auth", "registration", "identify")
SECRET_KINDS = frozenset({"auth"})
SECRET_KEYS = frozenset({"PIN"})
MOST_ASKED_AGAIN = 50
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_PARAMETER = re.compile(r"^ ?([\w@.-]+)\s+: ?(.*)$")
_QUEUE = re.compile(r"^(\S+) has \d+ calls \(max (\w+)\) in '(\w+)' strategy .*W:(\d+)")


class Object(NamedTuple):
    """Something a file defines and a running Asterisk can show: kind (endpoint, context, queue …) and name."""

    kind: str
    name: str


class Written(NamedTuple):
    """What the files say about an object: where it begins, and its lines in a form that is equal when nothing
    changed."""

    file: str
    line: int
    origin: tuple[str, int]
    content: tuple[tuple[str, str], ...]


def objects(files: Mapping[str, str], mains: Iterable[str]) -> dict[Object, Written]:
    """Every object of these main files (`pjsip.conf` …) that can be read back."""
    found: dict[Object, Written] = {}
    for main in mains:
        if main in files and main in _SHOWN:
            found.update(_SHOWN[main](conf.read(main, files)))
    return found


def changed(old: Mapping[Object, Written], new: Mapping[Object, Written]) -> tuple[list[Object], list[Object]]:
    """Objects that are new or say something else, and objects that are gone; each in a fixed order."""
    differ = [one for one, text in new.items() if one not in old or old[one].content != text.content]
    return sorted(differ), sorted(set(old) - set(new))


def sample(wanted: Sequence[Object], most: int = 200) -> list[Object]:
    """All of them, or `most` evenly spread over the list."""
    if len(wanted) <= most:
        return list(wanted)
    return [wanted[at * len(wanted) // most] for at in range(most)]


def take(ask: Ask, wanted: Iterable[Object]) -> dict[Object, Reading]:
    """The values of these objects now; an object that is not there is an empty reading."""
    return {one: _READERS[one.kind](ask, one.name) for one in wanted}


def differences(
    wanted: Mapping[Object, Reading], live: Mapping[Object, Reading], written: Mapping[Object, Written]
) -> list[Finding]:
    """What is live otherwise than it should be. Values of secret kinds are not repeated in the finding."""
    found: list[Finding] = []
    for one, values in wanted.items():
        place = written.get(one, Written("", 0, ("", 0), ()))
        have = live.get(one, {})
        if have == values:
            continue
        names = {"type": one.kind, "section": one.name}
        if not values or not have:
            code = "live_object_missing" if values else "live_object_left"
            found.append(finding(place.file, place.line, code, place.origin, **names))
            continue
        key = next(key for key in [*values, *have] if values.get(key) != have.get(key))
        names |= {"key": key, "live": have.get(key, "nothing"), "wanted": values.get(key, "nothing")}
        if one.kind in SECRET_KINDS or key in SECRET_KEYS:
            names |= {"live": "…", "wanted": "…"}
        found.append(finding(place.file, place.line, "live_value_differs", place.origin, **names))
    return found


def not_loaded(ask: Ask, written: Mapping[Object, Written], without: frozenset[str] = frozenset()) -> list[Finding]:
    """Objects the files define that this Asterisk does not have by name; kinds in `without` are not asked for.

    A long list has holes now and then: Asterisk gives a line up when nobody took it within 100 ms (ast_cli in main/cli.c), which a machine
    under load does not always do. So whoever is missing in it is asked for by name; not when they are many, for then something else is wrong.
    """
    kinds = {one.kind for one in written} - without
    live = {kind: names(ask) for kind, names in _NAMES.items() if kind in kinds}
    missing = [one for one in written if one.kind in live and one.name not in live[one.kind]]
    if len(missing) <= MOST_ASKED_AGAIN:
        missing = [one for one in missing if one.kind not in _READERS or not _READERS[one.kind](ask, one.name)]
    places = ((one, written[one]) for one in missing)
    return [finding(place.file, place.line, "not_loaded", place.origin, type=one.kind, section=one.name) for one, place in places]


# -- what the files define ---------------------------------------------------------------------------------------------


def _pjsip_objects(read: Conf) -> dict[Object, Written]:
    return {
        Object(kind, name): _written(section.file, section.number, section.origin, lines)
        for (kind, name), (section, lines) in check_pjsip.objects(read).items()
        if kind in PJSIP_KINDS
    }


def _contexts(read: Conf) -> dict[Object, Written]:
    found: dict[Object, Written] = {}
    for section, lines in read.effective():
        if section.name in dialplan.NO_CONTEXTS:
            continue
        one = Object("context", section.name)
        mine = _written(section.file, section.number, section.origin, lines)
        before = found.get(one)
        found[one] = mine if before is None else before._replace(content=before.content + mine.content)
    return {one: text for one, text in found.items() if text.content}


def _sections_as(kind: str, *others: str) -> Callable[[Conf], dict[Object, Written]]:
    """Sections of a file whose every section is one object, but for `others`."""

    def found(read: Conf) -> dict[Object, Written]:
        return {
            Object(kind, section.name): _written(section.file, section.number, section.origin, lines)
            for section, lines in read.effective()
            if section.name not in others
        }

    return found


def _rooms(read: Conf) -> dict[Object, Written]:
    """Profiles of confbridge.conf are told by `type`: bridge, user or menu. Menus are not shown value by value."""
    found: dict[Object, Written] = {}
    for section, lines in read.effective():
        kind = next((value for _, _, key, value in lines if key == "type"), "")
        if kind in ("bridge", "user"):
            found[Object(f"room_{kind}", section.name)] = _written(section.file, section.number, section.origin, lines)
    return found


def _written(file: str, line: int, origin: tuple[str, int], lines: check_pjsip.Lines) -> Written:
    return Written(file, line, origin, tuple([line[2:] for line in lines]))


_SHOWN: dict[str, Callable[[Conf], dict[Object, Written]]] = {
    "pjsip.conf": _pjsip_objects,
    "extensions.conf": _contexts,
    "queues.conf": _sections_as("queue", "general"),
    "confbridge.conf": _rooms,
    "musiconhold.conf": _sections_as("moh_class", "general"),
}


def shown_mains(paths: Iterable[str]) -> list[str]:
    """The main files behind these paths whose objects can be read back."""
    return sorted({main_file(path) for path in paths} & set(_SHOWN))


# -- what Asterisk says ------------------------------------------------------------------------------------------------


def _pjsip(kind: str) -> Callable[[Ask, str], Reading]:
    def read(ask: Ask, name: str) -> Reading:
        """The table of parameters; contacts, channels and states above it are live matters and left out."""
        _, heading, table = ask(f"pjsip show {kind} {name}").partition("ParameterName")
        found = _parameters(table) if heading else {}
        if found.get("max_contacts", "0") != "0":
            found.pop("contact", None)  # where phones registered from, not what the file says
        return found

    return read


def _parameters(table: str) -> Reading:
    matches = (_PARAMETER.match(line) for line in table.splitlines()[1:])
    return {match[1]: match[2].strip() for match in matches if match}


def _context(ask: Ask, name: str) -> Reading:
    """Lines from files only: parking and features add extensions of their own to a context while they run."""
    lines = (" ".join(line.split()) for line in ask(f"dialplan show {name}").splitlines())
    kept = [line for line in lines if re.search(r"(:\d+|pbx_config)\]$", line)]
    return {str(number): line for number, line in enumerate(kept, 1)}


def _queue(ask: Ask, name: str) -> Reading:
    """Strategy, limit, weight and the members from the file; callers, counters and dynamic members change by
    themselves."""
    lines = _ANSI.sub("", ask(f"queue show {name}")).splitlines()
    heading = next((match for match in map(_QUEUE.match, lines) if match), None)
    if heading is None:
        return {}
    members = [line for line in lines if "(dynamic)" not in line and re.search(r"\(ringinuse \w+\)", line)]
    return {
        "maxlen": heading[2],
        "strategy": heading[3],
        "weight": heading[4],
        "members": ", ".join(sorted(_member(line) for line in members)),
    }


def _member(line: str) -> str:
    """`   Ana (PJSIP/2001) with penalty 2 (ringinuse disabled) (Not in use) …` up to what is live."""
    return line.strip().partition("(ringinuse")[0].replace("(realtime)", "").strip()


def _profile(kind: str) -> Callable[[Ask, str], Reading]:
    def read(ask: Ask, name: str) -> Reading:
        text = ask(f"confbridge show profile {kind} {name}")
        pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
        return {key.strip(): value.strip() for key, _, value in pairs}

    return read


def _moh_class(ask: Ask, name: str) -> Reading:
    """One class of `moh show classes`: `Class: NAME`, then tab-indented `Mode: files` and so on."""
    _, found, rest = f"\n{ask('moh show classes')}\n".partition(f"\nClass: {name}\n")
    own = rest.partition("\nClass: ")[0].splitlines() if found else []
    pairs = (line.partition(":") for line in own if ":" in line)
    return {"class": name} | {key.strip(): value.strip() for key, _, value in pairs} if found else {}


_READERS: dict[str, Callable[[Ask, str], Reading]] = {
    **{kind: _pjsip(kind) for kind in PJSIP_KINDS},
    "context": _context,
    "queue": _queue,
    "room_bridge": _profile("bridge"),
    "room_user": _profile("user"),
    "moh_class": _moh_class,
}


# -- names of all objects of a kind ------------------------------------------------------------------------------------


def _listed(plural: str) -> Callable[[Ask], set[str]]:
    """Names of `pjsip list …`: ` Endpoint:  2001/2001   Not in use …`, ` Auth:  2001/2001`, ` Aor:  2001   1`."""

    def names(ask: Ask) -> set[str]:
        return set(re.findall(r"(?m)^ *(?:Endpoint:|Aor:|Auth:|Identify:)? *([^\s/]+)", ask(f"pjsip list {plural}")))

    return names


def _found_in(command: str, pattern: str) -> Callable[[Ask], set[str]]:
    return lambda ask: set(re.findall(pattern, ask(command)))


_NAMES: dict[str, Callable[[Ask], set[str]]] = {
    "endpoint": _listed("endpoints"),
    "aor": _listed("aors"),
    "auth": _listed("auths"),
    "registration": _listed("registrations"),
    "identify": _listed("identifies"),
    "context": _found_in("dialplan show", r"(?m)^\[ Context '([^']+)'"),
    "queue": _found_in("queue show", r"(?m)^(\S+) has \d+ calls"),
}
