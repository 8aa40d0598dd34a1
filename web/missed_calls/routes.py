"""The ledger of missed calls: list with filters, closing a line; the same as JSON under /api/v1/missed_calls."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, jsonify, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from spectree import Response as Answers
from sqlalchemy import select

from appliance.db import db
from appliance.errors import Refused
from appliance.missed_calls import ledger
from appliance.missed_calls.model import OPEN, REASONS, STATES
from appliance.queues.model import Queue
from appliance.reports.asked import scope_of
from web.api import MOST_ROWS, Problem, spec
from web.crud import PAGE_ROWS
from web.login import current_user, needs

pages = Blueprint("missed_calls", __name__)
FILTERS = ("state", "reason", "queue", "number", "start", "end")


class MissedFilters(BaseModel):
    """The filters of the screen; every one may be left out."""

    state: str = Field("", description="open, returned, called_again or closed")
    reason: str = Field("", description="abandoned, timeout, no_agents, full, out_of_hours, holiday or unanswered")
    queue: str = Field("", description="id of a queue")
    number: str = Field("", description="a part of the caller's number")
    start: str = Field("", description="first day, in the company's zone")
    end: str = Field("", description="last day")
    before: str = Field("", description="`next` of the page before")
    limit: int = Field(PAGE_ROWS, description=f"at most {MOST_ROWS}")


class MissedOut(BaseModel):
    """One caller nobody answered; instants in UTC."""

    id: int
    call_id: int
    at: str
    ended_at: str
    number: str
    name: str
    reason: str
    queue_id: int | None
    queue: str
    wait_seconds: int
    state: str
    resolved_at: str | None
    resolved_by: str
    resolving_call_id: int | None
    after_seconds: int | None
    note: str


class MissedPage(BaseModel):
    """Newest first; `next` goes on as `before`."""

    rows: list[MissedOut]
    count: int
    next: str | None


class Closing(BaseModel):
    """Why nobody needs to call back."""

    note: str


@pages.get("/missed_calls")
@needs("missed_calls")
def show() -> ResponseReturnValue:
    """The open ones unless another state, or all, is asked for."""
    asked = {name: request.args.get(name, OPEN if name == "state" else "") for name in FILTERS}
    facts: dict[str, Any] = {"rows": [], "count": 0, "older": "", "messages": {}}
    status = 200
    try:
        rows, count, more = ledger.page(asked, PAGE_ROWS, _before(request.args), scope_of(current_user()))
        facts |= {"rows": rows, "count": count, "older": rows[-1].id if more else ""}
    except Refused as why:
        facts["messages"], status = why.messages, 422
    queues = db.session.execute(select(Queue.id, Queue.name).order_by(Queue.name)).all()
    return render_template("missed_calls/missed_calls.html", asked=asked, states=STATES, reasons=REASONS, queues=queues,
                           sees_calls=current_user().may("reports"), **facts), status


@pages.post("/missed_calls/<int:missed_id>/close")
@needs("missed_calls")
def close(missed_id: int) -> ResponseReturnValue:
    """Close a line by hand, with a note."""
    row = ledger.found(missed_id, scope_of(current_user())) or abort(404)
    try:
        ledger.close(row, request.form.get("note", ""))
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
    back = request.form.get("back", "")
    return redirect(f"/missed_calls?{back}" if all(sign.isalnum() or sign in "=&_-%+" for sign in back) else "/missed_calls")


@pages.get("/api/v1/missed_calls")
@needs("missed_calls")
@spec.validate(query=MissedFilters, resp=Answers(HTTP_200=MissedPage, HTTP_401=Problem, HTTP_403=Problem, HTTP_422=Problem), tags=["missed_calls"],
               skip_validation=True)
def missed_calls_list() -> ResponseReturnValue:
    """Callers nobody answered, with what became of each."""
    limit = max(1, min(request.args.get("limit", PAGE_ROWS, type=int), MOST_ROWS))
    try:
        rows, count, more = ledger.page({name: request.args.get(name, "") for name in FILTERS}, limit, _before(request.args),
                                        scope_of(current_user()))
    except Refused as why:
        return jsonify(error=str(why), fields=why.messages), 422
    return jsonify(rows=[ledger.facts(row) for row in rows], count=count, next=str(rows[-1].id) if more else None)


@pages.patch("/api/v1/missed_calls/<int:missed_id>")
@needs("missed_calls")
@spec.validate(json=Closing, resp=Answers(HTTP_200=MissedOut, HTTP_401=Problem, HTTP_403=Problem, HTTP_404=Problem, HTTP_422=Problem),
               tags=["missed_calls"], skip_validation=True)
def missed_calls_close(missed_id: int) -> ResponseReturnValue:
    """Close one by hand, with a note."""
    row = ledger.found(missed_id, scope_of(current_user())) or abort(404)
    body = request.get_json(silent=True)
    try:
        ledger.close(row, str(body.get("note", "")) if isinstance(body, dict) else "")
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return jsonify(error=str(why), fields=why.messages), 422
    return jsonify(ledger.facts(row))


def _before(arguments: Mapping[str, str]) -> int:
    text = arguments.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
