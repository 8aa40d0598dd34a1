"""The call report: filters, sums, pages, CSV, and the story of one call (REP-01 to REP-05)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from appliance.calls import words
from appliance.calls.model import DIRECTIONS, STATES, Call
from appliance.calls.story import sentence
from appliance.db import db
from appliance.errors import Refused
from appliance.reports import asked as asking
from appliance.reports import chart, files
from appliance.reports.asked import Asked
from appliance.reports.calls import Cursor, Search
from appliance.reports.model import FORMATS
from appliance.trunks.model import Trunk
from appliance.users.model import User
from web.crud import PAGE_ROWS
from web.login import current_user, needs

pages = Blueprint("calls", __name__)

ICONS = {"inbound": "phone-incoming", "outbound": "phone-outgoing", "internal": "phone"}
STEP_ICONS = {
    "arrived": "phone-incoming", "route": "route", "destination": "arrow-right", "trunk": "plug-connected", "ring": "bell", "answer": "phone-call",
    "hold": "player-pause", "transfer": "arrows-shuffle", "pickup": "phone-call", "park": "grip-vertical", "conference": "users-group",
    "queue": "users", "ivr": "keyboard", "rating": "star", "refusal": "ban", "end": "phone-off", "closed": "clock",
}
PERIODS = [("today", _l("Today")), ("yesterday", _l("Yesterday")), ("week", _l("Last 7 days")), ("month", _l("This month")),
           ("last_month", _l("Last month")), ("year", _l("This year"))]


@pages.get("/calls")
@needs("reports")
def show() -> ResponseReturnValue:
    """The filters; with `report` in the address also what they find (REP-04)."""
    facts: dict[str, Any] = {"asked": None, "messages": {}, "typed": _typed()}
    status = 200
    if request.args.get("report"):
        try:
            facts |= _found(asking.read(request.args, current_user()))
            facts["typed"] = asking.in_form(facts["asked"], facts["typed"])
        except Refused as why:
            facts["messages"], status = why.messages, 422
    return render_template("calls/calls.html", **_choices(), **facts), status


@pages.get("/calls.csv")
@needs("reports")
def export() -> ResponseReturnValue:
    """Every call of the search, streamed as Brazilian spreadsheets read it (REP-05)."""
    try:
        asked = asking.read(request.args, current_user())
    except Refused as why:
        return render_template("calls/calls.html", **_choices(), asked=None, messages=why.messages, typed=_typed()), 422
    name = f"ligacoes-{asked.start.astimezone(asking.zone()):%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f"attachment; filename={name}", "X-Accel-Buffering": "no"}
    return Response(files.csv_pieces(asked), mimetype="text/csv", headers=headers)


@pages.get("/calls/<int:call_id>")
@needs("reports")
def story(call_id: int) -> ResponseReturnValue:
    """One conversation, step by step."""
    call = visible(call_id, current_user()) or abort(404)
    return render_template("calls/story.html", call=call, words=words, sentence=sentence, icons=ICONS, step_icons=STEP_ICONS, directions=DIRECTIONS, states=STATES)


def visible(call_id: int, user: User) -> Call | None:
    """The conversation, when the person may see calls of its cost centres (USR-18)."""
    call = db.session.get(Call, call_id)
    return call if call and asking.may_see(call, user) else None


def _found(asked: Asked) -> dict[str, Any]:
    """One page of calls with its neighbours, and the sums of the whole search."""
    search = Search(asked)
    older, newer = cursor(request.args.get("older", "")), cursor(request.args.get("newer", ""))
    ids = search.page(PAGE_ROWS + 1, older_than=older, newer_than=newer)
    more = len(ids) > PAGE_ROWS
    backwards = newer is not None and older is None
    ids = (ids[-PAGE_ROWS:] if backwards else ids[:PAGE_ROWS]) if more else ids
    calls = rows(ids)
    sums = search.sums()
    bars = chart.bars(sums.hours, asked)
    return {
        "asked": asked, "calls": calls, "sums": sums, "svg": chart.svg(bars) if sums.call_count else "",
        "older": mark(calls[-1]) if calls and (more or backwards) else "", "newer": mark(calls[0]) if calls and (older or (backwards and more)) else "",
        "icons": ICONS, "states": STATES, "directions": DIRECTIONS, "words": words,
    }


def rows(ids: list[int]) -> list[Call]:
    """Calls in the order of their ids given."""
    found = {call.id: call for call in db.session.scalars(select(Call).where(Call.id.in_(ids)))} if ids else {}
    return [found[row_id] for row_id in ids]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def mark(call: Call) -> str:
    """A place in the list: microseconds since 1970 and the row."""
    return f"{(call.started_at - _EPOCH) // timedelta(microseconds=1)}-{call.id}"


def cursor(text: str) -> Cursor | None:
    """The place a mark names; anything else is the beginning."""
    found = re.fullmatch(r"([0-9]{1,16})-([0-9]{1,10})", text, re.ASCII)
    return (_EPOCH + timedelta(microseconds=int(found[1])), min(int(found[2]), 2**31 - 1)) if found else None


def _typed() -> dict[str, str]:
    """The filters as they stand in the address, and this month in an empty form."""
    typed = asking.values(request.args)
    return typed if "start" in typed or "end" in typed or request.args.get("report") else asking.defaults(asking.zone()) | typed


def _choices() -> dict[str, Any]:
    """What the selects of the form offer this person."""
    return {
        "fields": asking.FIELDS, "matches": asking.MATCHES, "joins": asking.JOINS, "direction_words": asking.DIRECTION_WORDS,
        "domain_words": asking.DOMAIN_WORDS, "state_words": asking.STATE_WORDS, "cost_centres": asking.cost_centres(current_user()),
        "trunks": db.session.execute(select(Trunk.id, Trunk.name).order_by(Trunk.name)).all(), "periods": periods(), "formats": FORMATS,
        "more_open": any(request.args.get(name) for name in ("trunk", "extension", "protocol")),
        "title": _("Calls"),
    }


def periods() -> list[tuple[str, dict[str, str]]]:
    """(label, filters) of the periods people ask for most."""
    today = datetime.now(asking.zone()).date()
    first = today.replace(day=1)
    ends = {
        "today": (today, today), "yesterday": (today - timedelta(days=1), today - timedelta(days=1)), "week": (today - timedelta(days=6), today),
        "month": (first, today), "last_month": ((first - timedelta(days=1)).replace(day=1), first - timedelta(days=1)),
        "year": (today.replace(month=1, day=1), today),
    }
    return [(str(label), {"start": ends[word][0].isoformat(), "end": ends[word][1].isoformat()}) for word, label in PERIODS]
