"""Taking changes back: the opposite change, through the rules of every write, as long as the row is as the change left it (CFG-08)."""

from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from appliance import changes, many
from appliance import resource as resources
from appliance.changes import CREATED, DELETED, RESTORED, UPDATED, Change
from appliance.db import db
from appliance.errors import Refused
from appliance.many import Many
from appliance.resource import Resource

ACTIONS = (CREATED, UPDATED, DELETED, RESTORED)
MOST_ROWS = 20_000


class ChangedSince(Refused):
    """The row is no longer as the change left it; `plan` says which fields were touched since."""

    def __init__(self, plan: "Plan") -> None:
        names = ", ".join(str(plan.resource.fields[name].label) for name, _left, _now in plan.touched)
        super().__init__(_("%(row)s was changed again since: %(fields)s.", row=plan.change.row_title, fields=names))
        self.plan = plan


@dataclass
class Plan:
    """What taking one change back would do.

    values: field → outside value it would get again. touched: (field, what the change left, what stands there now) of fields that were
    changed since and stay. lost: secrets of the change, whose earlier values nobody kept.
    """

    change: Change
    resource: Resource
    row: Any
    values: dict[str, Any] = attribute(default_factory=dict)
    touched: list[tuple[str, Any, Any]] = attribute(default_factory=list)
    lost: list[str] = attribute(default_factory=list)

    @property
    def is_creation(self) -> bool:
        """Whether the change made the row, so that it is taken back by deleting it."""
        made = self.change.action == RESTORED and not any(value not in (None, "", [], {}) for value in self.change.before.values())
        return self.change.action == CREATED or (made and self.resource.key in self.change.after)


def may_be_undone(change: Change) -> bool:
    """Whether it is a change of a row of ours at all; the making of the one row of a page stays, because nothing works without it."""
    if change.action not in ACTIONS or change.word not in resources.TABLE or not (change.before or change.after):
        return False
    return not (resources.TABLE[change.word].single and change.action == CREATED)


def plan(change: Change, row: Any = None) -> Plan:
    """What taking the change back would do. Raises Refused when there is nothing that could be taken back."""
    if not may_be_undone(change):
        raise Refused(_("This cannot be undone."))
    resource = resources.TABLE[change.word]
    row = row or resource.get(change.row_id)
    found = Plan(change, resource, row)
    if change.action == DELETED:
        if row is not None:
            raise Refused(_("%(row)s is there again.", row=resource.title(row)), link=resource.path(row.id))
        found.values = {name: value for name, value in change.before.items() if name in resource.fields}
        return found
    if row is None:
        raise Refused(_("%(row)s is not there any more.", row=change.row_title))
    shown = resource.show(row)
    left = {name: value for name, value in change.after.items() if name in shown}
    found.lost = [name for name in change.after if name in resource.fields and resource.fields[name].kind.secret]
    found.touched = [(name, value, shown[name]) for name, value in left.items() if shown[name] != value]
    if found.is_creation:
        return found
    kept = {name for name, _left, _now in found.touched}
    found.values = {name: change.before.get(name) for name in left if name not in kept}
    if not found.values and not found.touched:
        raise Refused(_("Only a password was changed; the earlier one is not kept, so it cannot come back."))
    if not any(shown[name] != value for name, value in found.values.items()) and not found.touched:
        raise Refused(_("There is nothing to undo."))
    return found


def take_back(change: Change, *, only_untouched: bool = False) -> Any:
    """Take one change back; the row (None when it was deleted). Raises Refused, or ChangedSince unless only untouched fields are wanted."""
    found = plan(change)
    if found.touched and (found.is_creation or not only_untouched or not found.values):
        raise ChangedSince(found)
    token = changes.undoing.set(change.id)
    try:
        if change.action == DELETED:
            return found.resource.bring_back(change.row_id, found.values, changes.opened(change))
        if found.is_creation:
            found.resource.delete(found.row)
            return None
        found.resource.update(found.row, found.values)
        return found.row
    finally:
        changes.undoing.reset(token)


def of_batch(name: str) -> list[Change]:
    """The changes of one act, newest first."""
    query = select(Change).where(Change.batch == name, Change.action.in_(ACTIONS)).order_by(Change.id.desc())
    return [change for change in db.session.scalars(query) if may_be_undone(change)] if name else []


def take_back_batch(name: str) -> tuple[int, list[tuple[Change, str]]]:
    """Take a whole act back, newest change first: (how many, [(change, why not)]). With any refusal the caller rolls back."""
    found = of_batch(name)
    if not found:
        raise Refused(_("There is nothing to undo."))
    refused: list[tuple[Change, str]] = []
    with changes.together(f"undo-{found[0].id}"):
        for word, group in _runs(found):
            _take_back_group(resources.TABLE[word], group, refused)
    return len(found), refused


def _runs(found: list[Change]) -> list[tuple[str, list[Change]]]:
    """Neighbouring changes of one resource together."""
    runs: list[tuple[str, list[Change]]] = []
    for change in found:
        if not runs or runs[-1][0] != change.word:
            runs.append((change.word, []))
        runs[-1][1].append(change)
    return runs


def _take_back_group(resource: Resource, group: list[Change], refused: list[tuple[Change, str]]) -> None:
    """Changes of one resource, newest first, many at once."""
    door = Many(resource)
    secrets = [name for name, spec in resource.fields.items() if spec.kind.secret]
    with door.open():
        for place in range(0, len(group), many.PIECE):
            piece = group[place:place + many.PIECE]
            rows = door.load((change.row_id for change in piece if change.action != DELETED), secrets)
            for change in piece:
                try:
                    _take_back_one(door, change, rows)
                except Refused as why:
                    refused.append((change, str(why)))


def _take_back_one(door: Many, change: Change, rows: dict[int, Any]) -> None:
    if change.action != DELETED and change.row_id not in rows:
        raise Refused(_("%(row)s is not there any more.", row=change.row_title))
    found = plan(change, rows.get(change.row_id))
    if found.touched:
        raise ChangedSince(found)
    token = changes.undoing.set(change.id)
    try:
        if change.action == DELETED:
            door.flush()
            door.took_in(door.resource.bring_back(change.row_id, found.values, changes.opened(change)))
        elif found.is_creation:
            door.delete(found.row)
            rows.pop(change.row_id)
        else:
            door.update(found.row, found.values)
    finally:
        changes.undoing.reset(token)
