"""CSV import of every resource: upload, columns, check with a progress bar, preview and every bad line, decision; and the export."""

from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, session, stream_with_context
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from appliance import csv_files
from appliance.db import db
from appliance.db import now as instant_now
from appliance.errors import Busy, Refused
from appliance.imports import columns, export, model
from appliance.imports.model import CHECKED, MAPPING, MOVES, STATES, Import
from appliance.resource import Resource
from web import crud
from web.apply import told
from web.login import current_user, needs, reads_first

pages = Blueprint("imports", __name__)
SHOWN_FAULTS = 200


def blueprint(resource: Resource) -> Blueprint:
    """The addresses of one resource, behind the same permission as its other pages."""
    faces = Blueprint(f"{resource.word}_csv", __name__)
    guard = needs(resource.permission or resource.word)
    faces.add_url_rule(f"/{resource.word}/_csv", "download", guard(lambda: download(resource)))
    faces.add_url_rule(f"/{resource.word}/_import", "show", guard(lambda: show_upload(resource)))
    faces.add_url_rule(f"/{resource.word}/_import", "upload", guard(lambda: upload(resource)), methods=["POST"])
    return faces


# --------------------------------------------------------------------------------------------------------------- export


def download(resource: Resource, by_label: bool = True) -> Response:
    """The rows of the present search as a file, streamed."""
    query = select(resource.model) if resource.single else crud.asked_rows(resource, request.args)
    headers = {"Content-Disposition": f"attachment; filename={resource.word}.csv", "X-Accel-Buffering": "no"}
    return Response(stream_with_context(export.pieces(resource, query, by_label=by_label)), mimetype="text/csv", headers=headers)


# --------------------------------------------------------------------------------------------------------------- upload


def show_upload(resource: Resource, refusal: str = "") -> ResponseReturnValue:
    """What a file may look like, the form that takes one, and the person's imports."""
    if not crud.may_write(resource):
        abort(403)
    mine = model.of_person(current_user())
    return render_template(
        "imports/upload.html", resource=resource, refusal=refusal, imports=mine, states=STATES, most_rows=csv_files.MOST_ROWS,
        largest_mb=csv_files.LARGEST_BYTES // 1_000_000, fields=export.fields(resource), open_hours=model.OPEN_HOURS,
    ), 422 if refusal else 200


def upload(resource: Resource) -> ResponseReturnValue:
    """Keep the file and show its columns."""
    try:
        row = bring(resource)
    except Refused as why:
        return show_upload(resource, str(why))
    return redirect(f"/imports/{row.id}")


def bring(resource: Resource) -> Import:
    """The import of an uploaded file, committed. Raises Refused when it is no file that can be read."""
    if not crud.may_write(resource):
        abort(403)
    brought = request.files.get("file")
    if brought is None or not brought.filename:
        raise Refused(_("Choose a file."))
    data = brought.stream.read(csv_files.LARGEST_BYTES + 1)
    sheet = csv_files.read(data)
    user = current_user()
    try:
        row = model.bring(resource, user.id, request.remote_addr or "", brought.filename, data, sheet.head, len(sheet.rows) + len(sheet.faults))
        row.mapping = columns.guess(resource, sheet.head)
        db.session.commit()
    except Refused:
        db.session.rollback()
        raise
    return row


# --------------------------------------------------------------------------------------------------------- one import


@pages.get("/imports/<int:import_id>")
@needs("")
def show(import_id: int) -> ResponseReturnValue:
    """Where the import stands, and what the person can do now."""
    return render_template("imports/import.html", **_facts(own(import_id)))


@pages.get("/imports/<int:import_id>/_state")
@needs("")
def state(import_id: int) -> ResponseReturnValue:
    """The same alone; the page asks again while a worker has the file."""
    return render_template("imports/_import.html", **_facts(own(import_id)))


@pages.get("/imports/<int:import_id>/faults.csv")
@needs("")
def faults(import_id: int) -> Response:
    """Every bad line as a file, to be worked through beside the spreadsheet."""
    row = own(import_id)
    found = [[_("Line"), _("Column"), _("What is wrong")], *([str(line), column, text] for line, column, text in row.faults)]
    text = csv_files.START + "".join(csv_files.line_of(map(csv_files.plain, cells)) for cells in found)
    return Response(text, mimetype="text/csv", headers={"Content-Disposition": f"attachment; filename=import-{row.id}.csv"})


@pages.post("/imports/<int:import_id>/check")
@needs("")
def check(import_id: int) -> ResponseReturnValue:
    """The columns are chosen: `column-<index>` names the field, or is empty for a column that is left out."""
    row = own(import_id)
    mapping: dict[str, int] = {}
    for index in range(len(row.head)):
        name = request.form.get(f"column-{index}", "")
        if name and name in mapping:
            return _refused(row, _("Two columns are given to %(field)s. Choose one.", field=_label(row, name)), mapping)
        if name:
            mapping[name] = index
    try:
        model.ask_check(row, columns.check(row.resource, row.head, mapping))
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return _refused(own(import_id), str(why), mapping)
    crud.relay()
    return redirect(f"/imports/{import_id}")


@pages.post("/imports/<int:import_id>/store")
@needs("")
def store(import_id: int) -> ResponseReturnValue:
    """Store all good lines; with bad ones only when the person said that they are left out."""
    try:
        model.ask_store(own(import_id), request.form.get("leave_out") == "yes")
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
    else:
        crud.relay()
    return redirect(f"/imports/{import_id}")


@pages.post("/imports/<int:import_id>/cancel")
@reads_first  # the worker may hold the database until it hears that it is to stop
@needs("")
def cancel(import_id: int) -> ResponseReturnValue:
    """Keep nothing of it."""
    if stop(own(import_id)):
        session["saved"] = _("The import was cancelled; nothing of it was kept.")
    else:
        session["refused"] = _("It was over before it could be cancelled.")
    return redirect(f"/imports/{import_id}")


def stop(row: Import) -> bool:
    """Cancel, committed, and remove the file; False when it was over before."""
    import_id, file, moves = row.id, row.file, row.moves
    db.session.rollback()
    if moves:
        model.ask_to_stop(import_id)
    done = model.cancel(import_id)
    db.session.commit()
    if done and file:
        (model.folder() / file).unlink(missing_ok=True)
    return done


@pages.post("/imports/<int:import_id>/passwords")
@needs("")
def passwords(import_id: int) -> ResponseReturnValue:
    """What was generated for new rows, once."""
    row = own(import_id)
    head = [str(row.resource.fields[row.resource.key].label), _("Name"), _("Field"), _("Password")]
    try:
        found = model.take_generated(row)
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
        return redirect(f"/imports/{import_id}")
    db.session.commit()
    text = csv_files.START + "".join(csv_files.line_of(map(csv_files.guarded, cells)) for cells in [head, *found])
    return Response(text, mimetype="text/csv", headers={"Content-Disposition": f"attachment; filename=import-{import_id}-passwords.csv"})


def own(import_id: int) -> Import:
    """The import, for its owner as long as the rows may be changed; for everybody else there is none."""
    row = db.session.get(Import, import_id)
    if row is None or row.expires_at <= instant_now() or not row.may_be_seen_by(current_user()):
        abort(404)
    return row


def _refused(row: Import, text: str, mapping: dict[str, int]) -> ResponseReturnValue:
    return render_template("imports/import.html", **_facts(row) | {"refusal": text, "mapping": mapping, "choosing": True}), 422


def _label(row: Import, name: str) -> str:
    return str(row.resource.fields[name].label) if name in row.resource.fields else name


def _facts(row: Import) -> dict[str, Any]:
    """What the page says in the state of the import."""
    resource, choosing = row.resource, row.state == MAPPING or (row.state == CHECKED and "columns" in request.args)
    facts: dict[str, Any] = {
        "row": row, "resource": resource, "states": STATES, "choosing": choosing, "mapping": row.mapping, "refusal": "",
        "ignored": [heading for index, heading in enumerate(row.head) if index not in row.mapping.values()],
        "is_secret": columns.is_secret, "expires_at": row.expires_at, "shown_faults": SHOWN_FAULTS,
    }
    if row.state in MOVES:
        facts["done"] = progress(row)
    if choosing:
        sheet = csv_files.read(model.content(row))
        facts["samples"] = columns.samples(resource, sheet)
    if row.state == CHECKED:
        start = max(0, request.args.get("from", 0, type=int))
        facts |= {"faults": row.faults[start:start + SHOWN_FAULTS], "fault_count": len(row.faults), "start": start,
                  "previews": _previews(row)}
    return facts


def progress(row: Import) -> tuple[int, int]:
    """(rows done, rows) of an import a worker has."""
    try:
        return model.progress_of(row.id) or (0, max(1, row.row_count))
    except Busy:
        return 0, max(1, row.row_count)


def _previews(row: Import) -> list[dict[str, Any]]:
    """The first rows as they would be stored: {"line", "action", "title", "cells": [(before, after)]} in the words of the screens."""
    fields = row.resource.fields
    found = []
    for one in row.preview:
        cells_ = []
        for name in row.mapping:
            if columns.is_secret(fields[name]):
                cells_.append(("", "••••••" if name in one["secrets"] else ""))
                continue
            before = told(fields[name], one["before"][name]) or "–" if name in one["before"] else ""
            cells_.append((before, told(fields[name], one["after"].get(name))))
        more = [(fields[name].label, told(fields[name], value), told(fields[name], one["after"][name]))
                for name, value in one["before"].items() if name not in row.mapping]
        found.append({"line": one["line"], "action": one["action"], "title": one["title"], "cells": cells_, "more": more})
    return found
