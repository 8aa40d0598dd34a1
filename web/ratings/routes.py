"""The scores customers gave: list with averages, CSV, and the same as JSON (SVY-01)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from spectree import Response as Answers
from sqlalchemy import select

from appliance.db import db
from appliance.errors import Refused
from appliance.queues.model import Queue
from appliance.ratings import scores
from appliance.ratings.model import Rating, RatingScore
from appliance.reports import asked as asking
from web.api import MOST_ROWS, Problem, spec
from web.calls.routes import cursor
from web.crud import PAGE_ROWS
from web.login import current_user, needs

pages = Blueprint("rating_scores", __name__)
api = Blueprint("api_rating_scores", __name__, url_prefix="/api/v1/rating_scores")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pages.get("/rating_scores")
@needs("rating_scores")
def show() -> ResponseReturnValue:
    """This month's scores, or those of the filters."""
    facts: dict[str, Any] = {"found": [], "averages": [], "older": "", "messages": {}}
    status = 200
    try:
        wanted = scores.read(request.args, current_user())
        found = scores.page(wanted, PAGE_ROWS + 1, cursor(request.args.get("older", "")))
        facts |= {"found": found[:PAGE_ROWS], "averages": scores.averages(wanted), "older": mark(found[PAGE_ROWS - 1]) if len(found) > PAGE_ROWS else ""}
    except Refused as why:
        facts["messages"], status = why.messages, 422
    typed = {name: request.args[name] for name in scores.NAMES if request.args.get(name)}
    typed = asking.defaults(asking.zone()) | typed if "start" not in typed and "end" not in typed else typed
    return render_template("ratings/scores.html", typed=typed, answers=scores.ANSWERS, ratings=_named(Rating), queues=_named(Queue), **facts), status


@pages.get("/rating_scores.csv")
@needs("rating_scores")
def export() -> ResponseReturnValue:
    """Every score of the search."""
    try:
        wanted = scores.read(request.args, current_user())
    except Refused:
        return show()
    headers = {"Content-Disposition": "attachment; filename=notas.csv", "X-Accel-Buffering": "no"}
    return Response(stream_with_context(scores.csv_pieces(wanted)), mimetype="text/csv", headers=headers)


def mark(row: RatingScore) -> str:
    """A place in the list, as web/calls reads it."""
    return f"{(row.at - _EPOCH) // timedelta(microseconds=1)}-{row.id}"


def _named(model: Any) -> list[tuple[int, str]]:
    return [(row_id, name) for row_id, name in db.session.execute(select(model.id, model.name).order_by(model.name))]


class ScoreFilters(BaseModel):
    """The filters of the screen; every one may be left out."""

    start: str = Field("", description="Day, or day and time, in the company's zone; with a Z at the end in UTC. Without a start: this month.")
    end: str = Field("", description="A day counts whole.")
    rating: str = Field("", description="id of a rating")
    queue: str = Field("", description="id of a queue")
    extension: str = Field("", description="number of the extension that answered")
    answer: str = Field("", description="given or none")
    protocol: str = ""
    after: str = Field("", description="`next` of the page before")
    limit: int = Field(PAGE_ROWS, description=f"at most {MOST_ROWS}")


class ScoreOut(BaseModel):
    """One answer; `score` is null when the customer gave none. Names are those of the time."""

    id: int
    at: str
    protocol: str
    call_id: int
    customer: str
    rating: str
    queue: str
    extension: str
    extension_name: str
    score: int | None


class AverageOut(BaseModel):
    """One rating in the whole search."""

    rating: str
    asked: int
    given: int
    mean: float | None


class ScoresPage(BaseModel):
    """Scores, newest first; `next` goes on as `after`."""

    rows: list[ScoreOut]
    averages: list[AverageOut]
    next: str | None


@api.get("")
@needs("rating_scores")
@spec.validate(query=ScoreFilters, resp=Answers(HTTP_200=ScoresPage, HTTP_401=Problem, HTTP_403=Problem, HTTP_422=Problem), tags=["rating_scores"],
               skip_validation=True)
def rating_scores_list() -> ResponseReturnValue:
    """Scores of a period, with the averages of all of them."""
    limit = max(1, min(request.args.get("limit", PAGE_ROWS, type=int), MOST_ROWS))
    try:
        wanted = scores.read(request.args, current_user())
    except Refused as why:
        return jsonify(error=str(why), fields=why.messages), 422
    found = scores.page(wanted, limit + 1, cursor(request.args.get("after", "")))
    averages = [{"rating": one.rating, "asked": one.asked_count, "given": one.given_count, "mean": one.mean} for one in scores.averages(wanted)]
    plain = ("id", "protocol", "call_id", "customer", "rating", "queue", "extension", "extension_name", "score")
    rows = [{name: getattr(row, name) for name in plain} | {"at": f"{row.at:%Y-%m-%dT%H:%M:%S}Z"} for row in found[:limit]]
    return jsonify(rows=rows, averages=averages, next=mark(found[limit - 1]) if len(found) > limit else None)
