"""Calls that met a closed queue or IVR (REP-07, REP-19): one line per closed door, with the hours or the event that said so.

A partial index of the steps holds nothing but these (ix_call_steps_closed_at), so a year is found as fast as a day.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, exists, func, literal_column, or_, select

from appliance.business_hours.model import BusinessHours
from appliance.calendar_events.model import CalendarEvent
from appliance.calls.model import ANSWERED, Call, CallStep
from appliance.db import db
from appliance.ivrs.model import Ivr
from appliance.queues.model import Queue
from appliance.reports import asked as asking
from appliance.reports.asked import EXACT, Asked, Reading
from appliance.reports.calls import Cursor, Run, in_session
from appliance.users.model import User

PIECE_ROWS = 2000
DOORS = {"queues": _l("Queue"), "ivrs": _l("IVR")}
RULES = {"business_hours": _l("business hours"), "calendar_events": _l("event")}
FIELDS: dict[str, tuple[Any, Any]] = {name: asking.FIELDS[name] for name in ("start", "end")} | {
    "from_number": (_l("Telephone"), _l("Who called: a telephone as you write it, or an extension.")),
    "queues": (_l("Queues"), _l("Calls that met one of these queues closed. With IVRs chosen too: those or these.")),
    "ivrs": (_l("IVRs"), _l("Calls that met one of these IVRs closed.")),
    "protocol": asking.FIELDS["protocol"],
}
FILE_COLUMNS = (CallStep.word, CallStep.name, CallStep.detail, Call.from_number, Call.from_name, Call.to_number, Call.state, Call.reached_number,
                Call.reached_name, Call.protocol)
NAMES = (*FIELDS, "start_time", "end_time", "from_match")


@dataclass(frozen=True)
class Line:
    """One closed door: when, of which call, which queue or IVR, and the rule, all as they were called then."""

    at: datetime
    step_id: int
    call: Call
    door: str
    door_id: int
    door_name: str
    rule_word: str
    rule_name: str

    @property
    def cursor(self) -> Cursor:
        """Its place in the list."""
        return self.at, self.step_id


@dataclass(frozen=True)
class Sums:
    """Lines, the calls they are of, and how many of these were answered somewhere all the same."""

    line_count: int
    call_count: int
    answered_count: int

    @property
    def unanswered_count(self) -> int:
        return self.call_count - self.answered_count


@dataclass(frozen=True)
class Search:
    """What is asked: the filters of the call report that have a meaning here, and the doors."""

    asked: Asked
    queues: tuple[int, ...] = ()
    ivrs: tuple[int, ...] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        """Of a step joined with its call. The kind stands as a literal, else SQLite does not take the partial index."""
        asked = self.asked
        found: list[ColumnElement[bool]] = [
            literal_column("call_steps.kind") == literal_column("'closed'"), CallStep.at >= asked.start, CallStep.at < asked.end,
        ]
        if asked.from_numbers:
            found.append(or_(*(Call.from_number == number if asked.from_match == EXACT else Call.from_number.contains(number, autoescape=True)
                               for number in asked.from_numbers)))
        if asked.protocol:
            found.append(Call.protocol == asked.protocol)
        if asked.scope is not None:
            found.append(or_(Call.from_cost_centre_id.in_(asked.scope), Call.to_cost_centre_id.in_(asked.scope)))
        doors = [and_(CallStep.detail["door"].as_string() == word, CallStep.detail["door_id"].as_integer().in_(ids))
                 for word, ids in (("queues", self.queues), ("ivrs", self.ivrs)) if ids]
        return [*found, or_(*doors)] if doors else found

    def page(self, limit: int, *, older_than: Cursor | None = None, newer_than: Cursor | None = None, run: Run = in_session) -> list[Line]:
        """At most `limit` lines, newest first: from the newest, after a cursor, or before one (nearest to it)."""
        up = newer_than is not None and older_than is None
        where = self.conditions()
        if older_than:
            where.append(or_(CallStep.at < older_than[0], and_(CallStep.at == older_than[0], CallStep.id < older_than[1])))
        if up and newer_than:
            where.append(or_(CallStep.at > newer_than[0], and_(CallStep.at == newer_than[0], CallStep.id > newer_than[1])))
        order = (CallStep.at.asc(), CallStep.id.asc()) if up else (CallStep.at.desc(), CallStep.id.desc())
        query = select(CallStep.at, CallStep.id, CallStep.word, CallStep.name, CallStep.detail, Call).join(Call).where(*where)
        rows: Sequence[Any] = run(query.order_by(*order).limit(limit))
        found = [_line(*row) for row in rows]
        return found[::-1] if up else found

    def sums(self, run: Run = in_session) -> Sums:
        """What the head of the report says."""
        calls = Call.id.distinct()
        query = select(func.count(CallStep.id), func.count(calls), func.count(calls).filter(Call.state == ANSWERED))
        return Sums(*map(int, run(query.select_from(CallStep).join(Call).where(*self.conditions()))[0]))

    def pieces(self, run: Run) -> Iterator[Sequence[Any]]:
        """Every line, newest first, piece by piece, as FILE_COLUMNS."""
        after: Cursor | None = None
        while True:
            where = self.conditions()
            if after:
                where.append(or_(CallStep.at < after[0], and_(CallStep.at == after[0], CallStep.id < after[1])))
            query = select(CallStep.at, CallStep.id, *FILE_COLUMNS).join(Call).where(*where)
            rows = run(query.order_by(CallStep.at.desc(), CallStep.id.desc()).limit(PIECE_ROWS))
            yield rows
            if len(rows) < PIECE_ROWS:
                return
            after = rows[-1][0], rows[-1][1]


def _line(at: datetime, step_id: int, word: str, name: str, detail: dict[str, Any], call: Call) -> Line:
    return Line(at, step_id, call, str(detail.get("door", "")), int(detail.get("door_id", 0)), door_name(detail), word, name)


def door_name(detail: dict[str, Any]) -> str:
    """What the queue or IVR was called then."""
    return str(detail.get("door_name") or detail.get("door_id", ""))


def read(values: Mapping[str, str], user: User) -> Search:
    """Typed texts → a search. Raises Refused with a message per field."""
    return _OutOfHours(values, user).search()


class _OutOfHours(Reading):
    """One reading of them."""

    names = NAMES

    def search(self) -> Search:
        queues, ivrs = self.ids("queues"), self.ids("ivrs")
        return Search(self.asked(), queues, ivrs)  # the last, as it refuses what was wrong


def values(typed: Any) -> dict[str, str]:
    """The filters of an address without what is empty or no filter."""
    return asking.joined(typed, NAMES)


def stored(search: Search, typed: Mapping[str, str]) -> dict[str, str]:
    """The typed filters with the period made firm, to be read again later."""
    return asking.firm(search.asked.start, search.asked.end, values(typed))


def told(search: Search, typed: Mapping[str, str]) -> list[tuple[str, str]]:
    """(label, value) of every filter in use, as a printed report names them."""
    said = dict(asking.told(search.asked, typed))
    for model, name, ids in ((Queue, "queues", search.queues), (Ivr, "ivrs", search.ivrs)):
        names = {row_id: text for row_id, text in db.session.execute(select(model.id, model.name).where(model.id.in_(ids)))}
        if ids:
            said[str(FIELDS[name][0])] = ", ".join(names.get(row_id, str(row_id)) for row_id in ids)
    return list(said.items())


def has_rules() -> bool:
    """Whether any hours or event exist: without one nothing can be closed."""
    return any(db.session.scalar(select(exists(select(model.id)))) for model in (BusinessHours, CalendarEvent))
