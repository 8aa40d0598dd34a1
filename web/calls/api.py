"""The call report as JSON: GET /api/v1/calls and /api/v1/calls/<id>."""

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field
from spectree import Response as Answers

from appliance.calls.model import ANSWERED, Call, CallStep
from appliance.errors import Refused
from appliance.reports import asked as asking
from appliance.reports.calls import Search
from web.api import MOST_ROWS, Problem, spec
from web.calls.routes import cursor, mark, rows, visible
from web.crud import PAGE_ROWS
from web.login import current_user, needs

pages = Blueprint("api_calls", __name__, url_prefix="/api/v1/calls")


class CallFilters(BaseModel):
    """The filters of the screen, by the same names; every one may be left out."""

    model_config = ConfigDict(extra="allow")
    start: str = Field("", description="Day, or day and time, in the company's zone; with a Z at the end in UTC. Without a start: this month.")
    end: str = Field("", description="A day counts whole; with a time: calls that began before it.")
    direction: str = Field("", description="received or made")
    domain: str = Field("", description="internal or external")
    state: str = Field("", description="answered, not_answered, no_answer, busy, failed or refused")
    from_number: str = ""
    from_match: str = Field("", description="partial (as given nothing) or exact")
    from_cost_centre: str = Field("", description="id of a cost centre the person may see")
    join: str = Field("", description="and (as given nothing) or or: how origin and destination filters are joined")
    to_number: str = Field("", description="who was called or who received")
    to_match: str = ""
    to_cost_centre: str = ""
    trunk: str = Field("", description="id of a trunk")
    extension: str = Field("", description="number of an extension that made or received the call")
    protocol: str = ""
    after: str = Field("", description="`next` of the page before")
    limit: int = Field(PAGE_ROWS, description=f"at most {MOST_ROWS}")


class Side(BaseModel):
    """A party as named at the time of the call."""

    number: str
    name: str
    cost_centre: str = ""


class StepOut(BaseModel):
    """One thing that happened; instants in UTC."""

    kind: str
    at: str
    ended_at: str | None
    word: str
    row_id: int | None
    name: str
    number: str
    result: str
    detail: dict[str, Any]


class CallOut(BaseModel):
    """A conversation that is over; seconds are whole, instants in UTC."""

    model_config = ConfigDict(populate_by_name=True)
    id: int
    protocol: str
    started_at: str
    answered_at: str | None
    ended_at: str | None
    direction: str
    state: str
    answered: bool
    from_: Side = Field(alias="from")
    to: Side
    reached: Side
    trunk: str
    wait_seconds: int
    ring_seconds: int
    talk_seconds: int
    hold_seconds: int
    hang_up_side: str
    cause: int
    recording_count: int


class CallWithSteps(CallOut):
    """A conversation with its steps."""

    steps: list[StepOut]


class CallSums(BaseModel):
    """Sums of the whole search."""

    calls: int
    answered: int
    not_answered: int
    wait_seconds: int
    talk_seconds: int
    hold_seconds: int


class CallsPage(BaseModel):
    """Calls, newest first; `next` goes on as `after`."""

    rows: list[CallOut]
    count: int
    sums: CallSums
    next: str | None


@pages.get("")
@needs("reports")
@spec.validate(query=CallFilters, resp=Answers(HTTP_200=CallsPage, HTTP_401=Problem, HTTP_403=Problem, HTTP_422=Problem), tags=["calls"],
               skip_validation=True)
def calls_list() -> ResponseReturnValue:
    """Conversations of a period, with the sums of all of them."""
    limit = max(1, min(request.args.get("limit", PAGE_ROWS, type=int), MOST_ROWS))
    try:
        search = Search(asking.read(request.args, current_user()))
    except Refused as why:
        return jsonify(error=str(why), fields=why.messages), 422
    ids = search.page(limit + 1, older_than=cursor(request.args.get("after", "")))
    found, sums = rows(ids[:limit]), search.sums()
    return jsonify(rows=[shown(call) for call in found], count=sums.call_count, next=mark(found[-1]) if len(ids) > limit else None, sums={
        "calls": sums.call_count, "answered": sums.answered_count, "not_answered": sums.not_answered_count, "wait_seconds": sums.wait_seconds,
        "talk_seconds": sums.talk_seconds, "hold_seconds": sums.hold_seconds})


@pages.get("/<int:call_id>")
@needs("reports")
@spec.validate(resp=Answers(HTTP_200=CallWithSteps, HTTP_401=Problem, HTTP_403=Problem, HTTP_404=Problem), tags=["calls"], skip_validation=True)
def calls_show(call_id: int) -> ResponseReturnValue:
    """One conversation, step by step."""
    call = visible(call_id, current_user()) or abort(404)
    return jsonify(shown(call) | {"steps": [_step(step) for step in call.steps]})


def shown(call: Call) -> dict[str, Any]:
    """A CallOut."""
    plain = ("id", "protocol", "direction", "state", "trunk", "wait_seconds", "ring_seconds", "talk_seconds", "hold_seconds", "hang_up_side",
             "cause", "recording_count")
    return {name: getattr(call, name) for name in plain} | {
        "started_at": _utc(call.started_at), "answered_at": _utc(call.answered_at), "ended_at": _utc(call.ended_at),
        "answered": call.state == ANSWERED,
        "from": {"number": call.from_number, "name": call.from_name, "cost_centre": call.from_cost_centre},
        "to": {"number": call.to_number, "name": call.to_name, "cost_centre": ""},
        "reached": {"number": call.reached_number, "name": call.reached_name, "cost_centre": call.to_cost_centre},
    }


def _step(step: CallStep) -> dict[str, Any]:
    plain = ("kind", "word", "row_id", "name", "number", "result", "detail")
    return {name: getattr(step, name) for name in plain} | {"at": _utc(step.at), "ended_at": _utc(step.ended_at)}


def _utc(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z" if moment else None
