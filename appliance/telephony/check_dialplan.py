"""Checks of the dialplan: what an application jumps to, plays, rings and evaluates."""

import os
import re
from collections.abc import Iterator, Set
from pathlib import Path

from appliance.telephony import dialplan
from appliance.telephony.conf import Conf, Origin
from appliance.telephony.dialplan import Call, Dialplan, Place, Target
from appliance.telephony.findings import Finding, finding
from appliance.telephony.known import Known

# application → number of the argument that names sounds, joined with &.
SOUNDS = {"playback": 0, "background": 0, "controlplayback": 0, "read": 1, "readexten": 1, "authenticate": -1, "playlist": 0}
_DYNAMIC = re.compile(r"\$[{\[]")
_FUNCTION = re.compile(r"\$\{([A-Za-z0-9_]+)\(")
_ASSIGNED_FUNCTION = re.compile(r"\s*_*([A-Z][A-Z0-9_]*)\(")
_GOSUB_OPTION = re.compile(r"(?<![A-Za-z])([UbB])\(([^()]*)")
_OPTIONS_AT = {"dial": 2, "queue": 1}


def problems(conf: Conf, endpoints: set[str], queues: set[str], parking: set[str], known: Known,
             khomp_groups: Set[str] = frozenset()) -> list[Finding]:
    """Every mistake in extensions.conf and what it includes. `parking` names contexts that res_parking fills."""
    plan = dialplan.read(conf)
    for name in parking:
        plan.contexts.setdefault(name, dialplan.Context()).open_ended = True
    examination = _Examination(plan, conf, endpoints, queues, known)
    examination.khomp_groups = khomp_groups
    for call in plan.calls:
        examination.call(call)
    for place, name in plan.includes:
        if name not in plan.contexts:
            examination.note(place, "missing_context", value=name)
    for place, devices in plan.hints:
        examination.hint(place, devices)
    return plan.problems + examination.found


class _Examination:
    """One pass over a dialplan. Holds what every question needs, and what was found."""

    def __init__(self, plan: Dialplan, conf: Conf, endpoints: set[str], queues: set[str], known: Known) -> None:
        self.plan, self.conf, self.endpoints, self.queues, self.known = plan, conf, endpoints, queues, known
        self.khomp_groups: Set[str] = frozenset()
        self.found: list[Finding] = []
        self.sounds = _sounds(known.sound_folders) if known.sound_folders else None

    def note(self, place: Place, code: str, **parameters: str) -> None:
        origin: Origin = self.conf.origin(place.file, place.number)
        self.found.append(finding(place.file, place.number, code, origin, **parameters))

    def call(self, call: Call) -> None:
        name = call.application.lower()
        if name not in self.known.applications:
            self.note(call.place, "unknown_application", value=call.application)
        if "${" in call.arguments:
            self._functions(call.place, _FUNCTION.findall(call.arguments))
        if name in ("set", "mset"):
            self._functions(call.place, _ASSIGNED_FUNCTION.findall(call.arguments.partition("=")[0])[:1])
            return
        if name in ("execif", "execiftime"):
            self._conditional(call)
            return
        for text in _jumps(name, call.arguments):
            wanted = dialplan.target(text)
            if wanted is not None:
                self._jump(call.place, wanted)
        if name in SOUNDS and self.sounds is not None:
            self._played(call, SOUNDS[name])
        if name == "dial":
            self._rung(call.place, dialplan.split(call.arguments, ",")[0])
        if name == "queue":
            self._queued(call)
        if name in _OPTIONS_AT:
            self._options(call, _OPTIONS_AT[name])

    def hint(self, place: Place, devices: str) -> None:
        self._rung(place, devices.partition(",")[0])

    def _functions(self, place: Place, names: list[str]) -> None:
        for name in names:
            if name.upper() not in self.known.functions:
                self.note(place, "unknown_function", value=name)

    def _conditional(self, call: Call) -> None:
        """ExecIf(condition?application(arguments):application(arguments))"""
        for way in dialplan.branches(call.arguments):
            name, opened, arguments = way.partition("(")
            if not _DYNAMIC.search(name):
                self.call(Call(call.place, name.strip(), arguments.rstrip()[:-1] if opened else ""))

    def _jump(self, place: Place, wanted: Target) -> None:
        if wanted.context and _DYNAMIC.search(wanted.context):
            return
        context = wanted.context or place.context
        if context not in self.plan.contexts:
            self.note(place, "missing_context", value=context)
            return
        extension = wanted.extension
        if extension is None:
            found: list[dialplan.Extension] | None = self._own(place)
        elif _DYNAMIC.search(extension):
            return
        else:
            found = dialplan.matching(self.plan, context, extension)
        if found is None:
            return
        if not found:
            self.note(place, "missing_extension", context=context, value=extension or place.extension)
            return
        priority = wanted.priority
        if _DYNAMIC.search(priority) or priority[0] in "+-" or priority == "n":
            return  # relative to the line itself
        number = int(priority) if priority.isdigit() else 0
        if not any(number in one.priorities or priority in one.labels for one in found):
            said = {"extension": extension or place.extension, "context": context, "value": priority}
            self.note(place, "missing_priority", **said)

    def _own(self, place: Place) -> list[dialplan.Extension]:
        own = self.plan.contexts[place.context].extensions.get(place.extension)
        return [own] if own else []

    def _played(self, call: Call, position: int) -> None:
        arguments = dialplan.split(call.arguments, ",")
        if position < 0 or position >= len(arguments) or self.sounds is None:
            return
        for name in dialplan.split(arguments[position], "&"):
            name = name.strip()
            if name and not _DYNAMIC.search(name) and not self._exists(name):
                self.note(call.place, "missing_sound", value=name)

    def _exists(self, name: str) -> bool:
        assert self.sounds is not None
        if name in self.sounds or ":" in name:  # tone:, http:, sound: are not files
            return True
        path = Path(name)
        return path.is_absolute() and any(path.parent.glob(path.name + ".*"))

    def _rung(self, place: Place, devices: str) -> None:
        """`PJSIP/name`, `PJSIP/number@name`, `Local/number@context`, joined with &; other technologies are not ours."""
        for device in dialplan.split(devices, "&"):
            technology, _, rest = device.strip().partition("/")
            group = re.match(r"[gG](\w+)", rest) if technology == "Khomp" else None
            if group and group[1] not in self.khomp_groups:
                self.note(place, "missing_group", value=group[1])
            if technology not in ("PJSIP", "Local") or _DYNAMIC.search(rest):
                continue
            number, at, place_name = rest.partition("@")
            name = (place_name if at else number).partition("/")[0]
            if technology == "PJSIP" and name not in self.endpoints:
                parameters = {"section": place.extension, "type": "endpoint", "value": name}
                self.note(place, "missing_object", **parameters)
            elif technology == "Local":
                self._jump(place, Target(name, number, "1"))

    def _queued(self, call: Call) -> None:
        name = dialplan.split(call.arguments, ",")[0].strip()
        if name and not _DYNAMIC.search(name) and name not in self.queues:
            self.note(call.place, "missing_queue", value=name)

    def _options(self, call: Call, position: int) -> None:
        """Options U(context^arguments) and b(context^extension^priority) run a Gosub."""
        arguments = dialplan.split(call.arguments, ",")
        if position >= len(arguments):
            return
        for option, inside in _GOSUB_OPTION.findall(arguments[position]):
            parts = inside.split("^")
            if _DYNAMIC.search(inside):
                continue
            if option == "U":
                self._jump(call.place, Target(parts[0], "s", "1"))
            elif len(parts) == 3:
                self._jump(call.place, Target(parts[0], parts[1], parts[2]))


def _jumps(name: str, arguments: str) -> Iterator[str]:
    if name in ("goto", "gosub"):
        yield arguments
    elif name in ("gotoif", "gosubif", "gotoiftime"):
        yield from dialplan.branches(arguments)


def _sounds(folders: tuple[Path, ...]) -> set[str]:
    """Names of all prompts under the language folders, without extension, as an application names them."""
    found: set[str] = set()
    for folder in folders:
        for parent, _, files in os.walk(folder, followlinks=True):
            prefix = os.path.relpath(parent, folder)
            found.update(os.path.splitext(name if prefix == "." else f"{prefix}/{name}")[0] for name in files)
    return found
