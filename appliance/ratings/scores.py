"""What is asked of the scores: a period, a rating, a queue, an extension; the newest first, their averages, all of them as CSV."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, func, or_, select

from appliance import csv_files
from appliance.calls.model import Call
from appliance.db import db
from appliance.errors import Refused
from appliance.queues.model import Queue
from appliance.ratings.model import Rating, RatingScore
from appliance.reports import asked as asking
from appliance.reports.asked import Asked
from appliance.users.model import User

GIVEN, NONE = "given", "none"
ANSWERS = {GIVEN: _l("gave a score"), NONE: _l("gave no score")}
NAMES = ("start", "end", "rating", "queue", "extension", "answer", "protocol")
Cursor = tuple[datetime, int]


@dataclass(frozen=True)
class Wanted:
    """A search of one person; `asked` holds period, extension, protocol and what the person may see."""

    asked: Asked
    rating: int | None = None
    queue: int | None = None
    answer: str = ""


@dataclass(frozen=True)
class Average:
    """One rating: how often it was asked, how often a score was given, and their mean."""

    rating: str
    asked_count: int
    given_count: int
    mean: float | None
    lowest: int | None
    highest: int | None


def read(values: Mapping[str, str], user: User) -> Wanted:
    """Typed texts → a search; without a start it is this month. Raises Refused with a message per field."""
    messages: dict[str, str] = {}
    asked: Asked | None = None
    try:
        asked = asking.read({name: values.get(name, "") for name in ("start", "end", "extension", "protocol")}, user)
    except Refused as why:
        messages |= why.messages
    rating, queue = _row("rating", Rating, values, messages), _row("queue", Queue, values, messages)
    answer = str(values.get("answer", ""))
    if answer and answer not in ANSWERS:
        messages["answer"] = _("“%(value)s” is none of the choices.", value=answer[:40])
    if messages or asked is None:
        raise Refused(next(iter(messages.values())), messages=messages)
    return Wanted(asked, rating, queue, answer)


def _row(name: str, model: Any, values: Mapping[str, str], messages: dict[str, str]) -> int | None:
    text = str(values.get(name, ""))
    found = db.session.get(model, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None
    if text and found is None:
        messages[name] = _("“%(value)s” is none of the choices.", value=text[:40])
    return found.id if found else None


def page(wanted: Wanted, limit: int, older_than: Cursor | None = None) -> list[RatingScore]:
    """The newest scores, newest first, or those that follow a place in that order."""
    query = _narrowed(select(RatingScore), wanted).order_by(RatingScore.at.desc(), RatingScore.id.desc()).limit(limit)
    if older_than:
        at, row_id = older_than
        query = query.where(or_(RatingScore.at < at, (RatingScore.at == at) & (RatingScore.id < row_id)))
    return list(db.session.scalars(query))


def averages(wanted: Wanted) -> list[Average]:
    """Of each rating in the search, in order of name: today's, or that of its scores when it was deleted."""
    score = RatingScore.score
    query: Any = select(RatingScore.rating_id, func.max(RatingScore.rating), func.count(), func.count(score), func.sum(score), func.min(score), func.max(score))
    found = db.session.execute(_narrowed(query, wanted).group_by(RatingScore.rating_id)).all()
    today = {row_id: name for row_id, name in db.session.execute(select(Rating.id, Rating.name))}
    made = [Average(today.get(rating_id, name), asked, given, int(total) / given if given else None, low, high) for rating_id, name, asked, given, total, low, high in found]
    return sorted(made, key=lambda one: one.rating)


def csv_pieces(wanted: Wanted) -> Iterator[bytes]:
    """Every score of the search, oldest first, as Brazilian spreadsheets read it."""
    zone = ZoneInfo(wanted.asked.zone)
    head = [_("Date"), _("Protocol number"), _("Customer"), _("Queue"), _("Extension"), _("Name"), _("Rating"), _("Score")]
    yield (csv_files.START + csv_files.line_of(map(csv_files.guarded, head))).encode()
    last: Cursor | None = None
    while True:
        query = _narrowed(select(RatingScore), wanted).order_by(RatingScore.at, RatingScore.id).limit(1000)
        if last:
            query = query.where(or_(RatingScore.at > last[0], (RatingScore.at == last[0]) & (RatingScore.id > last[1])))
        rows = list(db.session.scalars(query))
        if not rows:
            return
        last = rows[-1].at, rows[-1].id
        yield "".join(csv_files.line_of(csv_files.guarded(cell) for cell in [
            f"{row.at.astimezone(zone):%d/%m/%Y %H:%M:%S}", row.protocol, row.customer, row.queue, row.extension, row.extension_name, row.rating,
            "" if row.score is None else str(row.score)]) for row in rows).encode()


def _narrowed(query: Select[Any], wanted: Wanted) -> Select[Any]:
    asked = wanted.asked
    query = query.where(RatingScore.at >= asked.start, RatingScore.at < asked.end)
    for column, value in ((RatingScore.rating_id, wanted.rating), (RatingScore.queue_id, wanted.queue)):
        if value is not None:
            query = query.where(column == value)
    for text, of in ((RatingScore.extension, asked.extension), (RatingScore.protocol, asked.protocol)):
        if of:
            query = query.where(text == of)
    if wanted.answer:
        query = query.where(RatingScore.score.is_not(None) if wanted.answer == GIVEN else RatingScore.score.is_(None))
    if asked.scope is not None:  # calls of these cost centres only (USR-18)
        seen = or_(Call.from_cost_centre_id.in_(asked.scope), Call.to_cost_centre_id.in_(asked.scope))
        query = query.where(RatingScore.call_id.in_(select(Call.id).where(seen)))
    return query
