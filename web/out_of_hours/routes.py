"""The report of calls out of hours: filters, lines, files (REP-07, REP-19); the same as JSON under /api/v1/out_of_hours is api.py."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from appliance.calls import words
from appliance.calls.model import STATES
from appliance.db import db
from appliance.errors import Refused
from appliance.ivrs.model import Ivr
from appliance.queues.model import Queue
from appliance.reports import asked as asking
from appliance.reports import model, out_of_hours_files, visits_asked
from appliance.reports import out_of_hours as report
from appliance.reports.calls import Cursor
from appliance.reports.model import FORMATS
from web import crud
from web.calls.routes import periods
from web.crud import PAGE_ROWS
from web.login import current_user, needs

pages = Blueprint("out_of_hours", __name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pages.get("/out_of_hours")
@needs("reports")
def show() -> ResponseReturnValue:
    """The filters; with `report` in the address also what they find."""
    facts: dict[str, Any] = {"search": None, "messages": {}, "typed": _typed()}
    status = 200
    if request.args.get("report"):
        try:
            facts |= _found(report.read(facts["typed"], current_user()))
            facts["typed"] = asking.in_form(facts["search"].asked, facts["typed"])
        except Refused as why:
            facts["messages"], status = why.messages, 422
    return render_template("out_of_hours/report.html", **_choices(), **facts), status


@pages.post("/out_of_hours/file")
@needs("reports")
def order() -> ResponseReturnValue:
    """Order a PDF or a spreadsheet of the search in the address."""
    typed = report.values(request.args)
    try:
        search = report.read(typed, current_user())
        model.ask(report.stored(search, typed), search.asked.scope, request.form.get("format", ""), search.sums().line_count, current_user().id,
                  model.OUT_OF_HOURS)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
        return redirect(f"/out_of_hours?{request.query_string.decode('ascii', 'replace')}")
    session["saved"] = _("The report was ordered. It stands here when it is ready; you may go on working.")
    crud.relay()
    return redirect("/reports")


@pages.get("/out_of_hours.csv")
@needs("reports")
def export() -> ResponseReturnValue:
    """Every line of the search, streamed as Brazilian spreadsheets read it."""
    try:
        search = report.read(report.values(request.args), current_user())
    except Refused as why:
        return render_template("out_of_hours/report.html", **_choices(), search=None, messages=why.messages, typed=_typed()), 422
    name = f"fora-do-horario-{search.asked.start.astimezone(asking.zone()):%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f"attachment; filename={name}", "X-Accel-Buffering": "no"}
    return Response(out_of_hours_files.csv_pieces(search), mimetype="text/csv", headers=headers)


def _found(search: report.Search) -> dict[str, Any]:
    """One page of lines with its neighbours, and the sums."""
    older, newer = cursor(request.args.get("older", "")), cursor(request.args.get("newer", ""))
    lines = search.page(PAGE_ROWS + 1, older_than=older, newer_than=newer)
    more = len(lines) > PAGE_ROWS
    backwards = newer is not None and older is None
    lines = (lines[-PAGE_ROWS:] if backwards else lines[:PAGE_ROWS]) if more else lines
    return {
        "search": search, "lines": lines, "sums": search.sums(), "words": words, "states": STATES,
        "doors": report.DOORS, "rules": report.RULES,
        "older": mark(lines[-1].cursor) if lines and (more or backwards) else "",
        "newer": mark(lines[0].cursor) if lines and (older or (backwards and more)) else "",
    }


def _typed() -> dict[str, str]:
    """The filters as they stand in the address, and this month in an empty form."""
    typed = report.values(request.args)
    return typed if "start" in typed or "end" in typed or request.args.get("report") else asking.defaults(asking.zone()) | typed


def _choices() -> dict[str, Any]:
    """What the selects of the form offer, and whether there can be anything to find."""
    return {"fields": report.FIELDS, "matches": asking.MATCHES, "queue_choices": visits_asked.choices(Queue), "ivr_choices": visits_asked.choices(Ivr),
            "has_rules": report.has_rules(), "periods": periods(), "formats": FORMATS}


def mark(cursor: Cursor) -> str:
    """A place in the list: microseconds since 1970 and the row."""
    return f"{(cursor[0] - _EPOCH) // timedelta(microseconds=1)}-{cursor[1]}"


def cursor(text: str) -> Cursor | None:
    """The place a mark names; anything else is the beginning."""
    found = re.fullmatch(r"([0-9]{1,16})-([0-9]{1,10})", text, re.ASCII)
    return (_EPOCH + timedelta(microseconds=int(found[1])), min(int(found[2]), 2**31 - 1)) if found else None
