"""Every way a call may go, read from the same rows as the dialplan: the page “Map” draws it, loops nobody is asked in are refused.

A row says where calls go on by its fields (Kind.leads), by the rows they pass (Resource.passes: a queue's hours), and, for what no
field says alone, by `goes_on()`. Rows of some resources take calls of those they name (Resource.takes: an event of a queue).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from appliance import resource as resources
from appliance.errors import Refused
from appliance.links import ROWLESS, TELEPHONE, Destination, split


@dataclass(frozen=True)
class Place:
    """A row a call may be at, or an end without a row (`word` is then telephone, hangup or scheduled_conferences)."""

    word: str
    row_id: int = 0
    number: str = ""


@dataclass(frozen=True)
class Way:
    """One way on from a place: the field that says so, when a call goes it, and whether only a person's input sends it there."""

    to: Place
    field: str
    label: str
    is_asked: bool = False
    is_bounded: bool = False  # the dialplan itself sees to it that no call goes round this way

    @property
    def goes_round(self) -> bool:
        """Whether a call may be led in a circle by it."""
        return not self.is_asked and not self.is_bounded


def place_of(stored: str) -> Place:
    """The place of a stored destination."""
    kind, target = split(stored)
    if kind in (TELEPHONE, *ROWLESS):
        return Place(kind, number=target if kind == TELEPHONE else "")
    word = next(found.word for found in resources.TABLE.values() if found.destination == kind)
    return Place(word, int(target))


class Paths:
    """The ways between all rows, as the session sees them now."""

    def __init__(self) -> None:
        self._taken: dict[Place, list[Way]] = {}
        for taker in resources.TABLE.values():
            for name in taker.takes:
                for row in taker.rows():
                    for taken in getattr(row, taker.fields[name].attr) or ():
                        self._taken.setdefault(Place(name, taken), []).append(Way(Place(taker.word, row.id), name, _("while it lasts")))

    def ways(self, place: Place) -> list[Way]:
        """Where a call may go on from here, in the order of the form; [] where it ends or meets a person."""
        resource = resources.TABLE.get(place.word)
        row = resource.get(place.row_id) if resource else None
        return [*self._taken.get(place, ()), *own_ways(row)] if row is not None else []

    def entrances(self) -> list[tuple[Place, str]]:
        """Everything a call may come in by, with the number that leads there: routes (their lines are their ways), then numbers inside."""
        found: list[tuple[Place, str]] = []
        for word in ("inbound_routes", "internal_routes"):
            found += [(Place(word, row.id), "") for row in resources.TABLE[word].rows()]
        for resource in resources.TABLE.values():
            if resource.destination and hasattr(resource.model, "numbers") and "number" in resource.fields and resource.word != "extensions":
                found += [(Place(resource.word, row.id), row.number) for row in resource.rows()]
        return found

    def loops(self) -> list[list[Place]]:
        """Every way round on which nobody is asked anything, once each."""
        found: list[list[Place]] = []
        done: set[Place] = set()
        for start, _number in self.entrances():
            self._walk(start, [], done, found)
        return found

    def _walk(self, place: Place, above: list[Place], done: set[Place], found: list[list[Place]]) -> None:
        if place in above:
            found.append(above[above.index(place):])
            return
        if place in done:
            return
        for way in self.ways(place):
            if way.goes_round:
                self._walk(way.to, [*above, place], done, found)
        done.add(place)

    def way_back(self, home: Place, start: Place) -> list[Place]:
        """The places a call passes by itself from `start` until it is at `home`, that one last; [] when it never is."""
        seen: set[Place] = set()

        def walk(place: Place) -> list[Place]:
            if place == home:
                return [home]
            if place in seen:
                return []
            seen.add(place)
            return next(([place, *rest] for way in self.ways(place) if way.goes_round and (rest := walk(way.to))), [])

        return walk(start)


def own_ways(row: Any) -> Iterator[Way]:
    """What the row itself says, also one that is not stored yet."""
    resource = resources.TABLE[row.__tablename__]
    for name, spec in resource.fields.items():
        if spec.input_only or not resource.has_meaning(row, name):
            continue
        stored = getattr(row, spec.attr)
        for lead in spec.kind.leads(stored):
            yield Way(place_of(lead.to), name, lead.label or str(spec.label), lead.is_asked)
        if name in resource.passes or name in resource.lent_to:
            bounded = name in resource.lent_to
            yield from (Way(Place(word, row_id), name, str(spec.label), is_bounded=bounded) for word, row_id in spec.kind.refers(stored))
    for name, stored in row.goes_on() if hasattr(row, "goes_on") else ():
        yield Way(place_of(stored), name, str(resource.fields[name].label))


def check(row: Any) -> None:
    """Raises Refused, at the field, when a call that goes on from this row by itself comes back to it."""
    home, found = Place(row.__tablename__, row.id or 0), Paths()
    for way in own_ways(row):
        back = found.way_back(home, way.to) if way.goes_round and home.row_id else []
        if back:
            told = " → ".join(title(place) for place in (home, *back))
            raise Refused(_("A call would go round here without anybody pressing a key: %(way)s. Choose another destination.", way=told),
                          field=way.field)


def title(place: Place) -> str:
    """How people call a place."""
    resource = resources.TABLE.get(place.word)
    if resource is None or not place.row_id:
        return str(Destination(TELEPHONE, *ROWLESS).labels()[place.word])
    row = resource.get(place.row_id)
    return f"{resource.one} {resource.title(row)}" if row is not None else f"{resource.one} {place.row_id}"
