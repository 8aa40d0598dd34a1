"""Every way a call may go, read from the same rows as the dialplan: the page “Map” draws it, an apply refuses loops in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from appliance import resource as resources
from appliance.links import HANGUP, TELEPHONE, Destination, Reference, split
from appliance.resource import Resource
from appliance.telephony.findings import MESSAGES, Finding

# Rows a call passes because another row names them in a plain field: a queue's business hours, its ratings.
PASSED = {"business_hours", "ratings"}
# Rows that take calls of those they name: (word, field that names them).
TAKERS = (("calendar_events", "queues"), ("calendar_events", "ivrs"))
INPUT_ENDS = {"extension", TELEPHONE, HANGUP, "voicemail", "conference_room"}  # a person, or an end: no call goes round through them


@dataclass(frozen=True)
class Place:
    """A row a call may be at, or an end without a row (`word` is then telephone or hangup)."""

    word: str
    row_id: int = 0
    number: str = ""


@dataclass(frozen=True)
class Way:
    """One way on from a place: `label` says when a call goes it, `is_asked` whether only a person's input sends it there."""

    to: Place
    label: str
    is_asked: bool = False


def place_of(stored: str) -> Place:
    """The place of a stored destination."""
    kind, target = split(stored)
    if kind in (TELEPHONE, HANGUP):
        return Place(kind, number=target if kind == TELEPHONE else "")
    word = next(found.word for found in resources.TABLE.values() if found.destination == kind)
    return Place(word, int(target))


class Paths:
    """The ways between all rows, as the session sees them now."""

    def __init__(self) -> None:
        self._taken: dict[Place, list[Way]] = {}
        for word, name in TAKERS:
            taker = resources.TABLE.get(word)
            for row in taker.rows() if taker and name in taker.fields else ():
                for taken in getattr(row, taker.fields[name].attr) or ():  # type: ignore[union-attr]
                    self._taken.setdefault(Place(name, taken), []).append(Way(Place(word, row.id), _("while it lasts")))

    def ways(self, place: Place) -> list[Way]:
        """Where a call may go on from here, in the order of the form; [] where it ends or meets a person."""
        resource = resources.TABLE.get(place.word)
        row = resource.get(place.row_id) if resource else None
        if resource is None or row is None:
            return []
        return [*self._taken.get(place, ()), *_own(resource, row)]

    def entrances(self) -> list[tuple[Place, str]]:
        """Everything a call may come in by, with the number that leads there: lines of inbound routes, then numbers inside."""
        found: list[tuple[Place, str]] = []
        for word in ("inbound_routes", "internal_routes"):
            resource = resources.TABLE[word]
            found += [(Place(word, row.id), "") for row in resource.rows()]
        for resource in resources.TABLE.values():
            if resource.destination and "number" in resource.fields and resource.destination not in INPUT_ENDS:
                found += [(Place(resource.word, row.id), row.number) for row in resource.rows()]
        return found

    def loops(self) -> list[list[Place]]:
        """Every way round on which nobody is asked anything, once each, beginning with its first row in menu order."""
        found: list[list[Place]] = []
        done: set[Place] = set()
        for start, _number in self.entrances():
            self._walk(start, [], done, found)
        return found

    def _walk(self, place: Place, above: list[Place], done: set[Place], found: list[list[Place]]) -> None:
        if place in above:
            found.append(above[above.index(place):])
            return
        if place in done or place.word in (TELEPHONE, HANGUP):
            return
        for way in self.ways(place):
            if not way.is_asked:
                self._walk(way.to, [*above, place], done, found)
        done.add(place)


def _own(resource: Resource, row: Any) -> Iterator[Way]:
    for name, spec in resource.fields.items():
        if spec.input_only or not resource.has_meaning(row, name):
            continue
        stored = getattr(row, spec.attr)
        for lead in spec.kind.leads(stored):
            yield Way(place_of(lead.to), lead.label or str(spec.label), lead.is_asked)
        if isinstance(spec.kind, Reference) and spec.kind.word in PASSED and stored:
            yield Way(Place(spec.kind.word, stored), str(spec.label))


def title(place: Place) -> str:
    """How people call a place."""
    resource = resources.TABLE.get(place.word)
    if resource is None:
        return str(Destination(TELEPHONE, HANGUP).labels()[place.word])
    row = resource.get(place.row_id)
    return f"{resource.one} {resource.title(row)}" if row is not None else f"{resource.one} {place.row_id}"


def loop_findings() -> list[Finding]:
    """Each loop as an apply tells it, at its first row."""
    found = []
    for loop in Paths().loops():
        told = " → ".join(title(place) for place in [*loop, loop[0]])
        text = MESSAGES["loop"] % {"value": told}
        found.append(Finding("", 0, "loop", text, loop[0].word, loop[0].row_id, {"value": told}))
    return found
