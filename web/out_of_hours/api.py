"""The report of calls out of hours as JSON: GET /api/v1/out_of_hours."""

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from spectree import Response as Answers

from appliance.errors import Refused
from appliance.reports import out_of_hours as report
from web.api import MOST_ROWS, Problem, spec
from web.calls.api import CallOut, shown
from web.crud import PAGE_ROWS
from web.login import current_user, needs
from web.out_of_hours.routes import cursor, mark

pages = Blueprint("api_out_of_hours", __name__, url_prefix="/api/v1/out_of_hours")


class ClosedFilters(BaseModel):
    """The filters of the screen, by the same names; every one may be left out."""

    start: str = Field("", description="Day, or day and time, in the company's zone; with a Z at the end in UTC. Without a start: this month.")
    end: str = Field("", description="A day counts whole; with a time: what was before it.")
    queues: str = Field("", description="ids of queues, with commas")
    ivrs: str = Field("", description="ids of IVRs, with commas")
    from_number: str = Field("", description="who called")
    from_match: str = Field("", description="partial (as given nothing) or exact")
    protocol: str = ""
    after: str = Field("", description="`next` of the page before")
    limit: int = Field(PAGE_ROWS, description=f"at most {MOST_ROWS}")


class ClosedDoor(BaseModel):
    """A call that met a closed queue or IVR; names are those of that time."""

    at: str = Field(description="instant in UTC")
    door: str = Field(description="queues or ivrs")
    door_id: int
    door_name: str
    rule: str = Field(description="business_hours or calendar_events")
    rule_name: str
    call: CallOut


class ClosedPage(BaseModel):
    """Newest first; `next` goes on as `after`. A call that met two closed doors has two rows and counts once in `calls`."""

    rows: list[ClosedDoor]
    count: int
    calls: int
    answered: int = Field(description="of the calls, those answered somewhere all the same")
    next: str | None


@pages.get("")
@needs("reports")
@spec.validate(query=ClosedFilters, resp=Answers(HTTP_200=ClosedPage, HTTP_401=Problem, HTTP_403=Problem, HTTP_422=Problem), tags=["out_of_hours"],
               skip_validation=True)
def out_of_hours_list() -> ResponseReturnValue:
    """Calls of a period that met a closed queue or IVR, with the rule that closed it."""
    limit = max(1, min(request.args.get("limit", PAGE_ROWS, type=int), MOST_ROWS))
    try:
        search = report.read(report.values(request.args), current_user())
    except Refused as why:
        return jsonify(error=str(why), fields=why.messages), 422
    lines, sums = search.page(limit + 1, older_than=cursor(request.args.get("after", ""))), search.sums()
    return jsonify(rows=[_row(line) for line in lines[:limit]], count=sums.line_count, calls=sums.call_count, answered=sums.answered_count,
                   next=mark(lines[limit - 1].cursor) if len(lines) > limit else None)


def _row(line: report.Line) -> dict[str, Any]:
    return {"at": f"{line.at:%Y-%m-%dT%H:%M:%S}Z", "door": line.door, "door_id": line.door_id, "door_name": line.door_name, "rule": line.rule_word,
            "rule_name": line.rule_name, "call": shown(line.call)}
