"""Reading the ledger, and closing a line by hand."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from sqlalchemy import func, or_, select

from appliance import changes
from appliance import db as ground
from appliance.calls.model import Call
from appliance.calls.parties import here
from appliance.db import db
from appliance.errors import Refused
from appliance.missed_calls.model import CLOSED, OPEN, REASONS, STATES, MissedCall
from appliance.numbers import digits

NOTE_LENGTH = 200


def conditions(asked: Mapping[str, str]) -> list[Any]:
    """What the filters state, reason, queue, number, start and end (days of the company's zone, both whole) mean; nonsense finds nothing."""
    found: list[Any] = []
    if asked.get("state", "all") not in ("", "all"):
        found.append(MissedCall.state == (asked["state"] if asked["state"] in STATES else ""))
    if asked.get("reason"):
        found.append(MissedCall.reason == (asked["reason"] if asked["reason"] in REASONS else ""))
    if asked.get("queue"):
        found.append(MissedCall.queue_id == (int(asked["queue"]) if asked["queue"].isascii() and asked["queue"].isdigit() and len(asked["queue"]) < 10 else 0))
    if asked.get("number"):
        found.append(MissedCall.number.contains(digits(asked["number"]) or "?", autoescape=True))
    zone = ZoneInfo(here().timezone)
    for name, more in (("start", 0), ("end", 1)):
        if asked.get(name):
            at = datetime.combine(_day(name, asked[name]) + timedelta(days=more), time(), zone).astimezone(UTC)
            found.append(MissedCall.at >= at if name == "start" else MissedCall.at < at)
    return found


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text) if len(text) == 10 else date.fromisoformat("?")
    except ValueError as why:
        raise Refused(_("Write a day as 2026-11-20."), field=name) from why


def within(scope: frozenset[int] | None) -> list[Any]:
    """Only calls of these cost centres, at one end or the other, as in every report (USR-18); None: all."""
    if scope is None:
        return []
    return [MissedCall.call_id.in_(select(Call.id).where(or_(Call.from_cost_centre_id.in_(scope), Call.to_cost_centre_id.in_(scope))))]


def found(row_id: int, scope: frozenset[int] | None) -> MissedCall | None:
    """A line, for somebody who may see its call."""
    return db.session.scalar(select(MissedCall).where(MissedCall.id == row_id, *within(scope)))


def page(asked: Mapping[str, str], limit: int, before: int = 0, scope: frozenset[int] | None = None) -> tuple[list[MissedCall], int, bool]:
    """(newest first, how many in all, whether there are older ones); `before` is the last row of the page before. Raises Refused."""
    where = [*conditions(asked), *within(scope)]
    count = db.session.scalar(select(func.count()).select_from(MissedCall).where(*where)) or 0
    query = select(MissedCall).where(*where).order_by(MissedCall.at.desc(), MissedCall.id.desc()).limit(limit + 1)
    last = db.session.get(MissedCall, before) if before else None
    if last:
        query = query.where((MissedCall.at < last.at) | ((MissedCall.at == last.at) & (MissedCall.id < last.id)))
    rows = list(db.session.scalars(query))
    return rows[:limit], count, len(rows) > limit


def close(row: MissedCall, note: str) -> None:
    """Nobody needs to call back any more; the note says why. Raises Refused for one that is not open."""
    text = " ".join(note.split())[:NOTE_LENGTH]
    if row.state != OPEN:
        raise Refused(_("This call is no longer open."))
    if not text:
        raise Refused(_("Write in a few words why it is closed."), field="note")
    row.state, row.note, row.resolved_at, row.resolved_by = CLOSED, text, ground.now(), changes.actor.get().name[:120]
    changes.record("missed_calls", row.id, row.number or "?", changes.UPDATED, {"state": OPEN}, {"state": CLOSED, "note": text}, pending=False)


def facts(row: MissedCall) -> dict[str, Any]:
    """One line for JSON; instants in UTC, numbers as rows hold them."""
    plain = ("id", "call_id", "number", "name", "reason", "queue_id", "queue", "wait_seconds", "state", "resolved_by", "resolving_call_id",
             "after_seconds", "note")
    instants = {name: getattr(row, name).isoformat() if getattr(row, name) else None for name in ("at", "ended_at", "resolved_at")}
    return {name: getattr(row, name) for name in plain} | instants
