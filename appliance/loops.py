"""A call that would go round and round without anybody pressing a key is refused when the row is saved.

A row that sends calls on by itself says where in `goes_on()`: (field, stored destination) of each. A menu's options are not
among them: a person chooses those, and a call ends after 20 destinations whatever the rows say (asterisk/dialplan/refuse.conf).
"""

from typing import Any

from flask_babel import gettext as _

from appliance import resource as resources
from appliance.errors import Refused
from appliance.links import split


def check(row: Any) -> None:
    """Raises Refused, at the field, when a call that goes on from this row comes back to it."""
    for field, stored in row.goes_on():
        way = _way_back(row, stored, set())
        if way:
            names = " → ".join([_named(row), *map(_named, way)])
            raise Refused(_("A call would go round here without anybody pressing a key: %(way)s. Choose another destination.", way=names), field=field)


def _way_back(home: Any, stored: str, seen: set[tuple[str, str]]) -> list[Any]:
    """The rows a call passes from this destination until it is at `home` again, that one last; [] when it never is."""
    kind, target = split(stored or "")
    found = next((one for one in resources.TABLE.values() if one.destination and one.destination == kind), None)
    if found is None or (kind, target) in seen:
        return []
    seen.add((kind, target))
    row = found.get(int(target))
    if row is None:
        return []
    if row is home:
        return [home]
    for _field, further in row.goes_on() if hasattr(row, "goes_on") else ():
        way = _way_back(home, further, seen)
        if way:
            return [row, *way]
    return []


def _named(row: Any) -> str:
    found = resources.TABLE[row.__tablename__]
    return f"{found.one} {found.title(row)}"
