"""The reports about queues and IVRs as JSON: GET /api/v1/queue_reports and /api/v1/ivr_reports."""

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field
from spectree import Response as Answers

from appliance.errors import Refused
from appliance.reports import visits, visits_asked
from appliance.reports.model import IVRS, QUEUES
from appliance.reports.visits import Figures, Line
from web.api import Problem, spec
from web.login import current_user, needs

pages = Blueprint("api_queue_reports", __name__, url_prefix="/api/v1")
WORKED_OUT = ("lost_count", "target_percent", "not_answered_count", "answered_percent", "abandoned_percent", "sla_percent", "service_level_percent",
              "mean_talk_ms", "mean_wait_ms", "mean_abandon_ms", "speed_of_answer_ms")  # fmt: skip


class VisitFilters(BaseModel):
    """The filters of the screen, by the same names; every one may be left out."""

    model_config = ConfigDict(extra="allow")
    by: str = Field("", description="How rows are grouped. Queue report: queue (as given nothing), day, hour. "
                                    "IVR report: ivr (as given nothing), queue, agent, hour, day.")
    start: str = Field("", description="Day, or day and time, in the company's zone; with a Z at the end in UTC. Without a start: this month.")
    end: str = Field("", description="A day counts whole; with a time: calls that began before it.")
    queues: str = Field("", description="ids of queues, with commas")
    ivrs: str = Field("", description="ids of IVRs, with commas")
    agents: str = Field("", description="numbers of extensions that answered, with commas")
    number: str = Field("", description="telephone of the other side")
    match: str = Field("", description="partial (as given nothing) or exact")
    direction: str = Field("", description="received or made")
    domain: str = Field("", description="internal or external")


class VisitFigures(BaseModel):
    """Sums and what is worked out of them. Times are whole milliseconds; null where there is nothing to divide by."""

    received_count: int = Field(description="calls that came into an IVR")
    ivr_closed_count: int = Field(description="of them out of the IVR's hours")
    ivr_abandoned_count: int = Field(description="the caller hung up in the IVR")
    offered_count: int
    answered_count: int
    within_count: int = Field(description="answered within the queue's time, as it was then")
    abandoned_count: int
    short_count: int = Field(description="abandoned sooner than the queue's abandon time")
    overflowed_count: int
    transferred_count: int
    closed_count: int = Field(description="came while the queue was closed; not offered")
    lost_count: int
    not_answered_count: int
    wait_ms: int
    answered_wait_ms: int
    abandoned_wait_ms: int
    talk_ms: int
    longest_wait_ms: int
    longest_talk_ms: int
    target_percent: float | None = Field(description="what the queues wanted when the calls came; of several their mean")
    answered_percent: float | None
    abandoned_percent: float | None
    sla_percent: float | None = Field(description="within / (answered + abandoned - short) x 100")
    service_level_percent: float | None = Field(description="within / offered x 100")
    mean_talk_ms: int | None = Field(description="TMA: handling / answered")
    mean_wait_ms: int | None = Field(description="TME: waiting of the answered / answered")
    mean_abandon_ms: int | None = Field(description="TMAB: waiting of the abandoned / abandoned")
    speed_of_answer_ms: int | None = Field(description="ASA: all waiting / answered")


class VisitRow(VisitFigures):
    """One row: `key` is the row's id, the day (2026-11-20) or the hour; empty for what has no queue, IVR or agent."""

    key: str
    label: str


class VisitReport(BaseModel):
    """The rows in the order of the screen, and their grand total, which is the same for every grouping."""

    by: str
    rows: list[VisitRow]
    total: VisitFigures


ANSWERS = Answers(HTTP_200=VisitReport, HTTP_401=Problem, HTTP_403=Problem, HTTP_422=Problem)


@pages.get("/queue_reports")
@needs("reports")
@spec.validate(query=VisitFilters, resp=ANSWERS, tags=["queue_reports"], skip_validation=True)
def queue_reports_list() -> ResponseReturnValue:
    """What queues did in a period, by queue, day or hour."""
    return _answer(QUEUES)


@pages.get("/ivr_reports")
@needs("reports")
@spec.validate(query=VisitFilters, resp=ANSWERS, tags=["ivr_reports"], skip_validation=True)
def ivr_reports_list() -> ResponseReturnValue:
    """What became of the calls of a period from the IVR to the agent, by IVR, queue, agent, hour or day."""
    return _answer(IVRS)


def _answer(what: str) -> ResponseReturnValue:
    try:
        asked = visits_asked.read(what, visits_asked.values(request.args), current_user())
    except Refused as why:
        return jsonify(error=str(why), fields=why.messages), 422
    lines = visits.Search(asked).lines()
    return jsonify(by=asked.by, rows=[_row(line) for line in lines], total=_figures(visits.total(lines).figures))


def _row(line: Line) -> dict[str, Any]:
    return {"key": line.key, "label": line.label} | _figures(line.figures)


def _figures(found: Figures) -> dict[str, Any]:
    return {name: value for name, value in vars(found).items() if name != "target_sum"} | {name: getattr(found, name) for name in WORKED_OUT}
