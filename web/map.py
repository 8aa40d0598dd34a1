"""The map: every way a call to a number may go, drawn from the same rows as the dialplan."""

from dataclasses import dataclass, field

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from appliance import paths
from appliance import resource as resources
from appliance.numbers import pretty
from appliance.paths import Paths, Place, Way
from web.login import current_user, needs

pages = Blueprint("map", __name__)
MOST_PLACES = 400  # drawn at once; a tree beyond that says so


@dataclass
class Drawn:
    """A place in the tree: what it is called, its screen when the person may open it, how one gets there, and what follows.

    `is_again` marks a place drawn further up already: what follows stands there.
    """

    place: Place
    title: str
    label: str = ""
    path: str = ""
    is_asked: bool = False
    is_again: bool = False
    ways: list["Drawn"] = field(default_factory=list)


@pages.get("/map")
@needs("map")
def show() -> ResponseReturnValue:
    """All entrances to choose from, and the tree of the chosen one (`from`, the first when nothing is said)."""
    found = Paths()
    entrances = entrances_of(found)
    chosen = request.args.get("from", "")
    entrance = next((one for one in entrances if one.key == chosen), entrances[0] if entrances else None)
    tree = Artist(found).draw(entrance.way) if entrance else None
    loops = [[_title(place) for place in [*loop, loop[0]]] for loop in found.loops()]
    return render_template("map.html", entrances=entrances, entrance=entrance, tree=tree, loops=loops, most=MOST_PLACES)


@dataclass(frozen=True)
class Entrance:
    """What a call may come in by: a line of a route or a number of its own."""

    key: str
    group: str
    title: str
    way: Way


def entrances_of(found: Paths) -> list[Entrance]:
    """Lines of inbound routes first, then what extensions dial."""
    entrances = []
    for place, number in found.entrances():
        key, group = f"{place.word}:{place.row_id}", str(resources.TABLE[place.word].label)
        if number:
            entrances.append(Entrance(key, group, f"{number} {_name(place)}", Way(place, "", number)))
            continue
        for index, way in enumerate(found.ways(place)):
            entrances.append(Entrance(f"{key}:{index}", group, f"{pretty(way.label)} ({_name(place)})", way))
    return entrances


class Artist:
    """Draws one tree; a place that stands in it already is named again, not drawn again."""

    def __init__(self, found: Paths) -> None:
        self.found, self.seen = found, set[Place]()

    def draw(self, way: Way) -> Drawn:
        resource = resources.TABLE.get(way.to.word)
        may_open = bool(resource) and current_user().may(resource.permission or resource.word)
        drawn = Drawn(way.to, _title(way.to), pretty(way.label), _path(resource, way.to) if resource and may_open else "", way.is_asked)
        if not way.to.row_id:
            return drawn
        ways = self.found.ways(way.to)
        drawn.is_again = bool(ways) and way.to in self.seen
        if ways and not drawn.is_again and len(self.seen) < MOST_PLACES:
            self.seen.add(way.to)
            drawn.ways = [self.draw(one) for one in ways]
        return drawn


def _path(resource: resources.Resource, place: Place) -> str:
    return resource.path(place.row_id) if place.row_id else f"/{resource.word}"  # a place without a row is the list's


def _title(place: Place) -> str:
    return f"{paths.title(place)} {pretty(place.number) if place.number else ''}".strip()


def _name(place: Place) -> str:
    resource = resources.TABLE[place.word]
    row = resource.get(place.row_id)
    return str(getattr(row, "name", "")) if row else ""
