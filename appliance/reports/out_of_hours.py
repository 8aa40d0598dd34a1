"""Calls that met a closed queue or IVR (REP-07, REP-19): one line per closed door, with the hours or the event that said so.

A partial index of the steps holds nothing but these (ix_call_steps_closed_at), so a year is found as fast as a day.
"""

import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, exists, func, literal_column, or_, select

from appliance.business_hours.model import BusinessHours
from appliance.calendar_events.model import CalendarEvent
from appliance.calls.model import ANSWERED, STATES, Call, CallStep
from appliance.db import db
from appliance.errors import Refused
from appliance.ivrs.model import Ivr
from appliance.queues.model import Queue
from appliance.reports import asked as asking
from appliance.reports import columns
from appliance.reports.asked import EXACT, Asked
from appliance.reports.calls import Cursor, Run, in_session, piecewise
from appliance.users.model import User

log = logging.getLogger("bentevi.reports")

PIECE_ROWS = 2000
DOORS = {"queues": _l("Queue"), "ivrs": _l("IVR")}
MODELS: dict[str, Any] = {"queue": Queue, "ivr": Ivr}
DOOR_OF = {"queue": "queues", "ivr": "ivrs"}
RULES = {"business_hours": _l("business hours"), "calendar_events": _l("event")}
FIELDS: dict[str, tuple[Any, Any]] = {name: asking.FIELDS[name] for name in ("start", "end")} | {
    "from_number": (_l("Telephone"), _l("Who called: a telephone as you write it, or an extension.")),
    "queue": (_l("Queue"), _l("Calls that met this queue closed.")),
    "ivr": (_l("IVR"), _l("Calls that met this IVR closed.")),
    "protocol": asking.FIELDS["protocol"],
}
NAMES = (*FIELDS, "start_time", "end_time", "from_match")
COLUMNS = (_l("Date and time"), _l("From"), _l("Name"), _l("Called number"), _l("Queue or IVR"), _l("Rule"), _l("Kind of rule"), _l("Result"), _l("Received by"),
           _l("Protocol number"))


@dataclass(frozen=True)
class Line:
    """One closed door: when, of which call, which queue or IVR, and the rule, all as they were called then."""

    at: datetime
    step_id: int
    call: Call
    door: str
    door_name: str
    rule_word: str
    rule_name: str

    @property
    def cursor(self) -> Cursor:
        """Its place in the list."""
        return self.at, self.step_id


@dataclass(frozen=True)
class Search:
    """What is asked: the filters of the call report that have a meaning here, and the doors."""

    asked: Asked
    queue: int | None
    ivr: int | None

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
        doors = [and_(CallStep.detail["door"].as_string() == DOOR_OF[name], CallStep.detail["door_id"].as_integer() == row_id)
                 for name, row_id in (("queue", self.queue), ("ivr", self.ivr)) if row_id is not None]
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

    def sums(self) -> tuple[int, int]:
        """(calls that met a closed door, how many of them were answered somewhere all the same)."""
        query = select(func.count(Call.id.distinct()), func.count(Call.id.distinct()).filter(Call.state == ANSWERED))
        row = db.session.execute(query.select_from(CallStep).join(Call).where(*self.conditions())).one()
        return int(row[0]), int(row[1])


def _line(at: datetime, step_id: int, word: str, name: str, detail: dict[str, Any], call: Call) -> Line:
    return Line(at, step_id, call, str(detail.get("door", "")), str(detail.get("door_name") or detail.get("door_id", "")), word, name)


def read(values: Mapping[str, str], user: User) -> Search:
    """Typed texts → a search. Raises Refused with a message per field."""
    messages: dict[str, str] = {}
    asked = None
    try:
        asked = asking.read({name: text for name, text in values.items() if name in NAMES}, user)
    except Refused as why:
        messages |= why.messages
    chosen: dict[str, int | None] = {}
    for name, model in MODELS.items():
        text = str(values.get(name, "")).strip()
        row = db.session.get(model, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None
        if text and row is None:
            messages[name] = _("This queue does not exist.") if name == "queue" else _("This IVR does not exist.")
        chosen[name] = row.id if row else None
    if messages or asked is None:
        raise Refused(next(iter(messages.values())), messages=messages)
    return Search(asked, chosen["queue"], chosen["ivr"])


def typed(values: Mapping[str, str]) -> dict[str, str]:
    """The filters of an address without what is empty or no filter."""
    return {name: text for name in NAMES if (text := str(values.get(name, "")).strip())}


def has_rules() -> bool:
    """Whether any hours or event exist: without one nothing can be closed."""
    return any(db.session.scalar(select(exists(select(model.id)))) for model in (BusinessHours, CalendarEvent))


def csv_pieces(search: Search) -> Iterator[bytes]:
    """Every line, newest first, as the call report's file is written. Call it inside the application; the pieces are read later."""
    head = [columns.cell(str(label)) for label in COLUMNS]
    words = {word: str(label) for table in (RULES, STATES) for word, label in table.items()}
    code = secrets.token_hex(3).upper()
    broken = _("#ERRO;The file is not complete. Ask for it again, or tell support this code: %(code)s", code=code)
    return _csv_pieces(search, head, words, columns.local_text(search.asked.zone), piecewise(), broken)


def _csv_pieces(search: Search, head: list[str], words: dict[str, str], local: Any, run: Run, broken: str) -> Iterator[bytes]:
    yield ("\ufeff" + ";".join(head) + "\r\n").encode()
    try:
        after: Cursor | None = None
        while True:
            rows = _plain_rows(search, after, run)
            for at, _id, word, name, detail, number, caller, called, state, reached_number, reached_name, protocol in rows:
                cells = [local(f"{at:%Y-%m-%d %H:%M:%S}"), columns.telephone_cell(number), columns.cell(caller), columns.telephone_cell(called),
                         columns.cell(str(detail.get("door_name") or detail.get("door_id", ""))), columns.cell(name), columns.cell(words.get(word, word)),
                         columns.cell(words.get(state, state)), columns.cell(f"{reached_number} {reached_name}".strip()), columns.cell(protocol)]
                yield (";".join(cells) + "\r\n").encode()
            if len(rows) < PIECE_ROWS:
                return
            after = rows[-1][0], rows[-1][1]
    except Exception:  # the edge: the answer has begun, so the file itself must say it
        log.exception("reports out_of_hours: %s", broken)
        yield (broken + "\r\n").encode()


def _plain_rows(search: Search, after: Cursor | None, run: Run) -> Sequence[Any]:
    where = search.conditions()
    if after:
        where.append(or_(CallStep.at < after[0], and_(CallStep.at == after[0], CallStep.id < after[1])))
    query = select(CallStep.at, CallStep.id, CallStep.word, CallStep.name, CallStep.detail, Call.from_number, Call.from_name, Call.to_number, Call.state,
                   Call.reached_number, Call.reached_name, Call.protocol).join(Call).where(*where)
    return run(query.order_by(CallStep.at.desc(), CallStep.id.desc()).limit(PIECE_ROWS))
