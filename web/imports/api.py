"""CSV imports and undo for programs: upload with a mapping, look at the preview, store or drop; take a change back."""

import json
from typing import Any

from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel
from pydantic import Field as Described
from sqlalchemy import select

from appliance import resource as resources
from appliance import undo as undoing
from appliance.changes import Change
from appliance.db import db
from appliance.errors import Refused
from appliance.imports import columns, model
from appliance.imports.model import CHECKED, Import
from appliance.resource import Resource
from web import api, crud, undo
from web.api import Problem, SentFile
from web.imports import routes
from web.login import needs, reads_first

pages = Blueprint("api_imports", __name__, url_prefix="/api/v1")
MOST_CHANGES = 500


class ImportOut(BaseModel):
    """An import: mapping, waiting, checking, checked, asked, storing, stored, failed or cancelled. `faults`: every bad line."""

    id: int
    resource: str
    state: str
    reason: str
    name: str
    columns: list[str] = Described(description="The headings of the file.")
    mapping: dict[str, str] = Described(description="Field → heading; columns that are not named are left out.")
    rows: int
    created: int
    changed: int
    same: int
    bad: int
    done: int = Described(description="Rows the worker has looked at, while it is checking or storing.")
    faults: list[dict[str, Any]]
    preview: list[dict[str, Any]]


class Upload(SentFile):
    """multipart/form-data with `file` and, if the guess is not wanted, `mapping`: JSON {field: heading}."""

    mapping: str = ""


class Store(BaseModel):
    """`leave_out`: store the good lines although others are bad."""

    leave_out: bool = False


class Undo(BaseModel):
    """`untouched`: only the fields nobody changed since."""

    untouched: bool = False


class ChangeOut(BaseModel):
    """One change of a row; `batch` names what was done at once."""

    id: int
    at: str
    by: str
    resource: str
    row: int
    title: str
    action: str
    before: dict[str, Any]
    after: dict[str, Any]
    batch: str
    undoes: int | None


class ChangesPage(BaseModel):
    """Newest first; go on with `before`: the smallest id."""

    changes: list[ChangeOut]


WRONG = tuple((f"HTTP_{status}", Problem) for status in (401, 403, 404, 422))


def blueprint(resource: Resource) -> Blueprint:
    """Upload of one resource."""
    faces = Blueprint(f"api_{resource.word}_imports", __name__, url_prefix=f"/api/v1/{resource.word}")
    view = api.described(lambda: upload(resource), f"{resource.word}_import", resource.word, None, ("HTTP_202", ImportOut), *WRONG, form=Upload,
                         doc="Upload a CSV file and have every line checked; nothing is stored.")
    faces.add_url_rule("/imports", "upload", needs(resource.permission or resource.word)(view), methods=["POST"])
    return faces


def upload(resource: Resource) -> ResponseReturnValue:
    """Keep the file and ask for its check, with the columns that were named or as they are guessed."""
    row = None
    try:
        row = routes.bring(resource)
        given = request.form.get("mapping", "")
        mapping = _mapping(row, given) if given else dict(row.mapping)
        model.ask_check(row, columns.check(resource, row.head, mapping))
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        if row is not None:
            routes.stop(row)
        return _problem(why)
    crud.relay()
    return jsonify(_shown(row)), 202


def _mapping(row: Import, text: str) -> dict[str, int]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise Refused(_("Write the mapping as JSON: {\"field\": \"heading\"}."), field="mapping")
    return {str(name): row.head.index(heading) if heading in row.head else -1 for name, heading in given.items()}


def _add(rule: str, method: str, view: Any, name: str, body: Any, answer: Any, doc: str, permission: str = "", first: bool = False) -> None:
    view = needs(permission)(api.described(view, name, "imports" if "import" in name else "changes", body, answer, *WRONG, doc=doc))
    pages.add_url_rule(rule, name, reads_first(view) if first else view, methods=[method])


def show(import_id: int) -> ResponseReturnValue:
    """Where it stands."""
    return jsonify(_shown(routes.own(import_id)))


def store(import_id: int) -> ResponseReturnValue:
    """Ask for the good lines to be stored."""
    body = request.get_json(silent=True)
    row = routes.own(import_id)
    try:
        model.ask_store(row, isinstance(body, dict) and body.get("leave_out") is True)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return _problem(why)
    crud.relay()
    return jsonify(_shown(row)), 202


def cancel(import_id: int) -> ResponseReturnValue:
    """Keep nothing."""
    if not routes.stop(routes.own(import_id)):
        return _problem(Refused(_("It was over before it could be cancelled.")))
    return "", 204


def list_changes() -> ResponseReturnValue:
    """The audit trail."""
    query = select(Change).order_by(Change.id.desc()).limit(max(1, min(request.args.get("limit", 50, type=int), MOST_CHANGES)))
    for name, column in (("resource", Change.word), ("batch", Change.batch)):
        if request.args.get(name):
            query = query.where(column == request.args[name])
    for name, column in (("row", Change.row_id), ("before", Change.id)):
        number = request.args.get(name, type=resources.row_id)
        if number is not None:
            query = query.where(column == number if name == "row" else column < number)
    return jsonify(changes=[{
        "id": one.id, "at": one.at.isoformat(), "by": one.user_name, "resource": one.word, "row": one.row_id, "title": one.row_title,
        "action": one.action, "before": one.before, "after": one.after, "batch": one.batch, "undoes": one.undoes,
    } for one in db.session.scalars(query)])


def undo_change(change_id: int) -> ResponseReturnValue:
    """Take one change back."""
    change = db.session.get(Change, change_id) or abort(404)
    if not undo.may_undo(change):
        abort(403)
    body = request.get_json(silent=True)
    try:
        row, _attempt = undo.perform(change, isinstance(body, dict) and body.get("untouched") is True)
    except Refused as why:
        db.session.rollback()
        return _problem(why)
    return jsonify(row=row.id if row is not None else None)


def undo_batch(name: str) -> ResponseReturnValue:
    """Take back everything one act did, or nothing."""
    found = undoing.of_batch(name) or abort(404)
    if not all(undo.may_undo(change) for change in found):
        abort(403)
    try:
        count, refused = undo.perform_batch(name)
    except Refused as why:
        db.session.rollback()
        return _problem(why)
    if refused:
        fields = {f"{change.word} {change.row_title}": text for change, text in refused}
        db.session.rollback()
        return _problem(Refused(_("Nothing was undone: %(count)s rows were changed since or cannot go back.", count=len(fields)), messages=fields))
    return jsonify(count=count)


def _problem(why: Refused) -> ResponseReturnValue:
    return jsonify(error=str(why), fields=why.messages), 422


def _shown(row: Import) -> dict[str, Any]:
    done = routes.progress(row)[0] if row.moves else 0
    is_told = row.state == CHECKED or not row.is_open
    return {
        "id": row.id, "resource": row.word, "state": row.state, "reason": row.reason, "name": row.name, "columns": row.head,
        "mapping": {name: row.head[index] for name, index in row.mapping.items()}, "rows": row.row_count, "created": row.created_count,
        "changed": row.changed_count, "same": row.same_count, "bad": row.bad_count, "done": done,
        "faults": [{"line": line, "column": column, "error": text} for line, column, text in row.faults] if is_told else [],
        "preview": row.preview if is_told else [],
    }


_add("/imports/<int:import_id>", "GET", show, "import_show", None, ("HTTP_200", ImportOut), "An import with its preview and every bad line.")
_add("/imports/<int:import_id>/store", "POST", store, "import_store", Store, ("HTTP_202", ImportOut), "Store the good lines, in one transaction.")
_add("/imports/<int:import_id>", "DELETE", cancel, "import_cancel", None, ("HTTP_204", None), "Cancel; nothing is kept.", first=True)
_add("/changes", "GET", list_changes, "changes_list", None, ("HTTP_200", ChangesPage),
     "The audit trail, newest first; `resource`, `row`, `batch`, `before` and `limit` narrow it.", "audit")
_add("/changes/<int:change_id>/undo", "POST", undo_change, "change_undo", Undo, ("HTTP_200", None), "Take one change back, if its row is as it left it.")
_add("/changes/batches/<name>/undo", "POST", undo_batch, "batch_undo", None, ("HTTP_200", None), "Take back everything done at once, or nothing.")
