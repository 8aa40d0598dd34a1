"""The numbers of a blacklist: pages of them inside the form, one more, one less, files in and out; the same as JSON."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from pydantic import BaseModel
from spectree import Response as Answers

from appliance.blacklists import entries, imports
from appliance.blacklists.entries import BlacklistNumber
from appliance.blacklists.imports import BlacklistImport
from appliance.blacklists.model import Blacklist
from appliance.db import db
from appliance.errors import Busy, Refused
from web import crud
from web.api import PROBLEMS, spec
from web.login import needs

pages = Blueprint("blacklist_numbers", __name__)
MOST_ROWS = 1000


def _list(blacklist_id: int) -> Blacklist:
    return db.session.get(Blacklist, blacklist_id) or abort(404)


def _entry(blacklist_id: int, number_id: int) -> BlacklistNumber:
    row = db.session.get(BlacklistNumber, number_id)
    return row if row is not None and row.blacklist_id == blacklist_id else abort(404)


# ------------------------------------------------------------------------------------------------------------- in the form


@pages.get("/blacklists/<int:blacklist_id>/_numbers")
@needs("blacklists")
def numbers(blacklist_id: int) -> ResponseReturnValue:
    """A page of the numbers, all or those somebody looks for."""
    return _numbers(_list(blacklist_id))


def _numbers(blacklist: Blacklist, wrong: Refused | None = None, **more: Any) -> ResponseReturnValue:
    asked = request.args.get("q", "") if request.method == "GET" else ""
    page = entries.page(blacklist.id, asked, request.args.get("after", ""))
    return render_template("blacklists/_numbers.html", blacklist=blacklist, page=page, count=entries.count(blacklist.id), text=asked,
                           wrong=wrong, **more), 422 if wrong else 200  # fmt: skip


@pages.post("/blacklists/<int:blacklist_id>/_numbers")
@needs("blacklists")
def add(blacklist_id: int) -> ResponseReturnValue:
    """One number more, from the next call on."""
    blacklist = _list(blacklist_id)
    number, note = request.form.get("number", ""), request.form.get("note", "")
    try:
        row = entries.add(blacklist.id, blacklist.name, number, note)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return _numbers(_list(blacklist_id), why, typed=(number, note))
    return _numbers(blacklist, added=row)


@pages.post("/blacklists/<int:blacklist_id>/_numbers/<int:number_id>/delete")
@needs("blacklists")
def remove(blacklist_id: int, number_id: int) -> ResponseReturnValue:
    """One number less, from the next call on."""
    blacklist = _list(blacklist_id)
    row = _entry(blacklist_id, number_id)
    gone = row.number
    entries.remove(row, blacklist.name)
    db.session.commit()
    return _numbers(blacklist, gone=gone)


# -------------------------------------------------------------------------------------------------------------------- files


@pages.get("/blacklists/<int:blacklist_id>/numbers.csv")
@needs("blacklists")
def export(blacklist_id: int) -> ResponseReturnValue:
    """Every number as a file that can be brought back."""
    blacklist = _list(blacklist_id)
    return _csv(imports.export_lines(blacklist.id), f"blacklist-{blacklist.id}.csv")


@pages.get("/blacklists/model.csv")
@needs("blacklists")
def model() -> ResponseReturnValue:
    """A file to begin with."""
    return _csv(imports.model_lines(), "blacklist-model.csv")


def _csv(lines: Iterable[str], name: str) -> Response:
    with force_locale(get_locale()):
        text = "".join(lines)
    response = Response(text, mimetype="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@pages.post("/blacklists/<int:blacklist_id>/import")
@needs("blacklists")
def bring(blacklist_id: int) -> ResponseReturnValue:
    """A file of numbers: kept, and read by the worker."""
    blacklist = _list(blacklist_id)
    sent = request.files.get("file")
    try:
        if sent is None or not sent.filename:
            raise Refused(_("Choose a file first."))
        imports.bring(blacklist.id, sent.stream, sent.filename, request.form.get("mode", ""), request.form.get("wanted_type", ""))
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
    else:
        crud.relay()
    return redirect(f"/blacklists/{blacklist_id}#numbers")


@pages.get("/blacklists/<int:blacklist_id>/_import")
@needs("blacklists")
def state(blacklist_id: int) -> ResponseReturnValue:
    """How the newest file goes, asked for again while it does."""
    blacklist = _list(blacklist_id)
    row = imports.last(blacklist.id)
    return render_template("blacklists/_import.html", blacklist=blacklist, row=row, progress=progress_of(row), refresh=True)


@pages.post("/blacklists/<int:blacklist_id>/import/<int:import_id>/cancel")
@needs("blacklists")
def cancel(blacklist_id: int, import_id: int) -> ResponseReturnValue:
    """Keep nothing of a file."""
    row = db.session.get(BlacklistImport, import_id)
    if row is None or row.blacklist_id != blacklist_id:
        abort(404)
    imports.cancel(row)
    db.session.commit()
    return redirect(f"/blacklists/{blacklist_id}#numbers")


def progress_of(row: BlacklistImport | None) -> tuple[int, int]:
    """For the bar; (0, 0) when nothing is known, Redis dead included."""
    try:
        return imports.progress(row) if row and row.is_open else (0, 0)
    except Busy:
        return 0, 0


def below(blacklist: Blacklist) -> dict[str, Any]:
    """What the form of a list shows below it."""
    row = imports.last(blacklist.id)
    return {"blacklist": blacklist, "page": entries.page(blacklist.id), "count": entries.count(blacklist.id), "text": "", "wrong": None, "row": row,
            "progress": progress_of(row), "states": imports.STATES, "types": imports.TYPES}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------- API


class NumberIn(BaseModel):
    """One number as people write it."""

    number: str
    note: str = ""


class NumberOut(BaseModel):
    """One number of a list."""

    id: int
    number: str
    note: str


class NumbersOut(BaseModel):
    """A page of numbers; go on with `after`: `next`."""

    rows: list[NumberOut]
    count: int
    next: str | None


@pages.get("/api/v1/blacklists/<int:blacklist_id>/numbers")
@needs("blacklists")
@spec.validate(resp=Answers(HTTP_200=NumbersOut, **PROBLEMS), tags=["blacklists"], skip_validation=True)
def blacklists_numbers(blacklist_id: int) -> ResponseReturnValue:
    """Numbers as JSON: `q` searches, `after` and `limit` page."""
    blacklist = _list(blacklist_id)
    limit = max(1, min(request.args.get("limit", entries.PAGE, type=int), MOST_ROWS))
    page = entries.page(blacklist.id, request.args.get("q", ""), request.args.get("after", ""), limit)
    return jsonify(rows=[_shown(row) for row in page.entries], count=entries.count(blacklist.id), next=page.next or None)


@pages.post("/api/v1/blacklists/<int:blacklist_id>/numbers")
@needs("blacklists")
@spec.validate(json=NumberIn, resp=Answers(HTTP_201=NumberOut, **PROBLEMS), tags=["blacklists"], skip_validation=True)
def blacklists_add_number(blacklist_id: int) -> ResponseReturnValue:
    """One number more."""
    blacklist = _list(blacklist_id)
    sent = request.get_json(silent=True)
    try:
        if not isinstance(sent, dict) or not set(sent) <= {"number", "note"}:
            raise Refused(_("Write a number like this: {number: \"4833334444\", note: \"…\"}."))
        row = entries.add(blacklist.id, blacklist.name, sent.get("number", ""), sent.get("note", ""))
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return jsonify(error=str(why), fields=why.messages), 422
    return jsonify(_shown(row)), 201


@pages.delete("/api/v1/blacklists/<int:blacklist_id>/numbers/<int:number_id>")
@needs("blacklists")
@spec.validate(resp=Answers(HTTP_204=None, **PROBLEMS), tags=["blacklists"], skip_validation=True)
def blacklists_remove_number(blacklist_id: int, number_id: int) -> ResponseReturnValue:
    """One number less."""
    blacklist = _list(blacklist_id)
    entries.remove(_entry(blacklist_id, number_id), blacklist.name)
    db.session.commit()
    return "", 204


def _shown(row: BlacklistNumber) -> dict[str, Any]:
    return {"id": row.id, "number": row.number, "note": row.note}
