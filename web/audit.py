"""The audit trail: who changed what, when, from what to what (USR-34)."""

import csv
import io
from collections.abc import Iterator

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from sqlalchemy import Select, select

from appliance import resource as resources
from appliance.changes import Change
from appliance.db import db
from appliance.retention_policy.model import RetentionPolicy
from web.apply import fields_in_words
from web.crud import PAGE_ROWS
from web.formats import instant
from web.login import needs

pages = Blueprint("audit", __name__)


@pages.get("/audit")
@needs("audit")
def show() -> ResponseReturnValue:
    """The trail, newest first."""
    found = list(db.session.scalars(_asked().limit(PAGE_ROWS + 1)))
    shown = [(change, resources.TABLE.get(change.word)) for change in found[:PAGE_ROWS]]
    return render_template("audit.html", found=[(change, resource, fields_in_words(resource, change)) for change, resource in shown],
                           more=found[PAGE_ROWS - 1].id if len(found) > PAGE_ROWS else None, kept_days=db.session.get_one(RetentionPolicy, resources.SINGLE_ID).audit_days,
                           undone=_undone([change.id for change, _resource in shown]),
                           words=[(r.word, r.label) for r in resources.TABLE.values()], asked=request.args)


def _undone(ids: list[int]) -> set[int]:
    """Which of these changes were taken back."""
    return set(db.session.scalars(select(Change.undoes).where(Change.undoes.in_(ids))))


@pages.get("/audit.csv")
@needs("audit")
def export() -> ResponseReturnValue:
    """The trail as Brazilian spreadsheets read it: `;`, UTF-8 with BOM."""
    headers = {"Content-Disposition": "attachment; filename=auditoria.csv", "X-Accel-Buffering": "no"}
    return Response(stream_with_context(_lines(_asked())), mimetype="text/csv", headers=headers)


def _asked() -> Select[tuple[Change]]:
    query = select(Change).order_by(Change.id.desc())
    if request.args.get("word"):
        query = query.where(Change.word == request.args["word"])
    if request.args.get("user"):
        query = query.where(Change.user_name.contains(request.args["user"], autoescape=True))
    before = request.args.get("before", type=resources.row_id)
    return query.where(Change.id < before) if before else query


def _lines(query: Select[tuple[Change]]) -> Iterator[str]:
    yield "\ufeff"
    for change in [None, *db.session.scalars(query.execution_options(yield_per=500))]:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
        if change is None:
            writer.writerow(["quando", "quem", "endereço", "onde", "registro", "ação", "campo", "antes", "depois"])
        else:
            resource = resources.TABLE.get(change.word)
            for label, before, after in fields_in_words(resource, change) or [("", "", "")]:
                cells = [instant(change.at), change.user_name, change.address, change.word, change.row_title, change.action, label,
                         before, after]
                writer.writerow(["'" + cell if cell[:1] in set("=+-@\t\r\n") else cell for cell in cells])
        yield out.getvalue()
