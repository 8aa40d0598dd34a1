"""The rows a revision was made from: taking them, putting them back, whole or one row (never their secrets)."""

import json
from datetime import date, datetime
from graphlib import TopologicalSorter
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import inspect

from appliance import changes, numbering, settings
from appliance import resource as resources
from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import LinkedKind, Reader
from appliance.links import References
from appliance.resource import Resource
from appliance.telephony import store

Rows = dict[str, list[dict[str, Any]]]


def take() -> Rows:
    """{word: rows as stored, ids included, secrets left out} of everything that applies to Asterisk."""
    return {
        resource.word: [_plain(values) for values in resource.raw_rows()]
        for resource in resources.TABLE.values() if resource.applies
    }


def load(number: int) -> Rows:
    """The rows of a stored revision. Raises Refused when it is not kept any more."""
    file = store.folder(settings.load(), number) / "rows.json"
    if not file.exists():
        raise Refused(_("Revision %(number)s is not kept any more.", number=number))
    rows: Rows = json.loads(file.read_text(encoding="utf-8"))
    return rows


def in_dependency_order() -> list[Resource]:
    """Resources so that each comes after those its fields point at (lines inside rows may point anywhere)."""
    graph = {
        resource.word: {spec.kind.word for spec in resource.fields.values() if isinstance(spec.kind, LinkedKind | References)} - {resource.word}
        for resource in resources.TABLE.values()
    }
    return [resources.TABLE[word] for word in TopologicalSorter(graph).static_order()]


def restore(number: int) -> int:
    """Put all rows back as revision `number` had them, with today's secrets; how many rows changed."""
    rows, changed = load(number), 0
    ordered = [resource for resource in in_dependency_order() if resource.applies]
    for resource in ordered:  # numbers first: two rows may have changed places
        for row in list(resource.rows()):
            numbering.free(resource.word, row.id)
    for resource in ordered:
        shown = _step_aside(resource, rows.get(resource.word, []))
        for values in rows.get(resource.word, []):
            changed += _restore_row(resource, values, shown.get(values["id"]))
    for resource in reversed(ordered):
        kept = {values["id"] for values in rows.get(resource.word, [])}
        for row in list(resource.rows()):
            if row.id not in kept:
                _forget_references(resource.word, row.id)
                resource.delete(row)
                changed += 1
    _claim_all(ordered)
    return changed


def restore_row(word: str, row_id: int, number: int) -> bool:
    """Put one row back as revision `number` had it; False when nothing differed."""
    resource = resources.TABLE[word]
    values = next((row for row in load(number).get(word, []) if row["id"] == row_id), None)
    if values is None:
        raise Refused(_("Revision %(number)s does not have this row.", number=number))
    for spec in resource.fields.values():
        for other, target in spec.kind.refers(values.get(spec.attr)):
            if resources.TABLE[other].get(target) is None and not (spec.optional and isinstance(spec.kind, LinkedKind)):
                raise Refused(_("In revision %(number)s this row points at a %(one)s that is no longer there.", number=number,
                                one=resources.TABLE[other].one))
    changed = _restore_row(resource, values)
    row: Any = resource.get(row_id)
    with db.session.no_autoflush:
        if hasattr(row, "check"):
            row.check()
    if hasattr(row, "numbers"):
        numbering.claim(word, row_id, f"{resource.one} {resource.title(row)}", row.numbers())
    return changed


def _step_aside(resource: Resource, rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Rows that have a name or number another row is to get back give it up first; what they showed until then, by id."""
    shown: dict[int, dict[str, Any]] = {}
    for attr, column in inspect(resource.model).columns.items():
        owners = {values[attr]: values["id"] for values in rows if column.unique and values.get(attr)}
        for row in resource.rows():
            value = getattr(row, attr)
            if isinstance(value, str) and owners.get(value, row.id) != row.id:
                shown[row.id] = resource.show(row)
                setattr(row, attr, f"{value[:3]}~{row.id}")
    db.session.flush()
    return shown


def _restore_row(resource: Resource, values: dict[str, Any], shown: dict[str, Any] | None = None) -> bool:
    columns = inspect(resource.model).columns
    stored = {key: _typed(columns[key], value) for key, value in values.items() if key in columns}
    for key, column in columns.items():  # a row outside the snapshot (a cost centre) may be gone
        if column.foreign_keys and stored.get(key) is not None and not _exists(column, stored[key]):
            stored[key] = None
    row = resource.get(values["id"])
    before = shown or (resource.show(row) if row else {})
    if row is None:
        row = resource.model(**(_fresh(resource) | stored | changes.secrets_of_deleted(resource.word, values["id"])))
        _fill_secrets(resource, row)
        db.session.add(row)
    else:
        for key, value in stored.items():
            if getattr(row, key) != value:
                setattr(row, key, value)
        if not db.session.is_modified(row):
            return False
    with db.session.no_autoflush:
        resource.check_unique(row)
    db.session.flush()
    after = resource.show(row)
    differing = [name for name in after if before.get(name) != after[name]]
    changes.record(resource.word, row.id, resource.title(row), changes.RESTORED, {n: before.get(n) for n in differing},
                   {n: after[n] for n in differing}, pending=resource.applies)
    return True


def _fresh(resource: Resource) -> dict[str, Any]:
    """What a new row has in every field: a revision of an older release knows nothing of newer ones, and none knows an empty secret."""
    fields = resource.fields.values()
    return {spec.attr: spec.kind.empty if spec.initial() in (None, "") else spec.read(spec.initial(), Reader()) for spec in fields}


def _fill_secrets(resource: Resource, row: Base) -> None:
    """A secret nobody knows any more is generated anew."""
    for spec in resource.fields.values():
        if spec.kind.secret and getattr(spec.kind, "generated", False) and not getattr(row, spec.attr):
            setattr(row, spec.attr, spec.kind.generate())


def _forget_references(word: str, row_id: int) -> None:
    """Rows outside the snapshot (people) stop pointing at a row that goes."""
    for resource, user in list(resources.used_by(word, row_id)):
        for spec in resource.fields.values():
            if isinstance(spec.kind, LinkedKind) and spec.kind.word == word and spec.optional and getattr(user, spec.attr) == row_id:
                setattr(user, spec.attr, None)
    db.session.flush()


def _claim_all(ordered: list[Resource]) -> None:
    for resource in ordered:
        for row in resource.rows():
            if hasattr(row, "numbers"):
                numbering.claim(resource.word, row.id, f"{resource.one} {resource.title(row)}", row.numbers())


def _exists(column: Any, value: int) -> bool:
    target = next(iter(column.foreign_keys)).column
    return db.session.scalar(target.table.select().where(target == value).with_only_columns(target)) is not None


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date | datetime) else value for key, value in values.items()}


def _typed(column: Any, value: Any) -> Any:
    if isinstance(value, str) and column.type.python_type in (date, datetime):
        return column.type.python_type.fromisoformat(value)
    return value
