"""The report of calls out of hours: filters, lines, CSV (REP-07, REP-19)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from appliance.calls import words
from appliance.calls.model import STATES
from appliance.db import db
from appliance.errors import Refused
from appliance.reports import asked as asking
from appliance.reports import out_of_hours as report
from appliance.reports.calls import Cursor
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
            facts |= _found(report.read(request.args, current_user()))
            facts["typed"] = asking.in_form(facts["search"].asked, facts["typed"])
        except Refused as why:
            facts["messages"], status = why.messages, 422
    return render_template("out_of_hours/report.html", **_choices(), **facts), status


@pages.get("/out_of_hours.csv")
@needs("reports")
def export() -> ResponseReturnValue:
    """Every line of the search, streamed as Brazilian spreadsheets read it."""
    try:
        search = report.read(request.args, current_user())
    except Refused as why:
        return render_template("out_of_hours/report.html", **_choices(), search=None, messages=why.messages, typed=_typed()), 422
    name = f"fora-do-horario-{search.asked.start.astimezone(asking.zone()):%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f"attachment; filename={name}", "X-Accel-Buffering": "no"}
    return Response(report.csv_pieces(search), mimetype="text/csv", headers=headers)


def _found(search: report.Search) -> dict[str, Any]:
    """One page of lines with its neighbours, and the sums."""
    older, newer = _cursor(request.args.get("older", "")), _cursor(request.args.get("newer", ""))
    lines = search.page(PAGE_ROWS + 1, older_than=older, newer_than=newer)
    more = len(lines) > PAGE_ROWS
    backwards = newer is not None and older is None
    lines = (lines[-PAGE_ROWS:] if backwards else lines[:PAGE_ROWS]) if more else lines
    calls, answered = search.sums()
    return {
        "search": search, "lines": lines, "call_count": calls, "answered_count": answered, "words": words, "states": STATES,
        "doors": report.DOORS, "rules": report.RULES,
        "older": _mark(lines[-1].cursor) if lines and (more or backwards) else "",
        "newer": _mark(lines[0].cursor) if lines and (older or (backwards and more)) else "",
    }


def _typed() -> dict[str, str]:
    """The filters as they stand in the address, and this month in an empty form."""
    typed = report.typed(request.args)
    return typed if "start" in typed or "end" in typed or request.args.get("report") else asking.defaults(asking.zone()) | typed


def _choices() -> dict[str, Any]:
    """What the selects of the form offer, and whether there can be anything to find."""
    offered = {name: [(row_id, text) for row_id, text in db.session.execute(select(model.id, model.name).order_by(model.name))]
               for name, model in report.MODELS.items()}
    return {"fields": report.FIELDS, "matches": asking.MATCHES, "offered": offered, "has_rules": report.has_rules()}


def _mark(cursor: Cursor) -> str:
    """A place in the list: microseconds since 1970 and the row."""
    return f"{(cursor[0] - _EPOCH) // timedelta(microseconds=1)}-{cursor[1]}"


def _cursor(text: str) -> Cursor | None:
    """The place a mark names; anything else is the beginning."""
    found = re.fullmatch(r"([0-9]{1,16})-([0-9]{1,10})", text, re.ASCII)
    return (_EPOCH + timedelta(microseconds=int(found[1])), min(int(found[2]), 2**31 - 1)) if found else None
