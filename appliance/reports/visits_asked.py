"""What a person asks of the reports about queues and IVRs (REP-16, REP-20, REP-21, REP-26): typed texts, read into what the database can be asked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from appliance.db import db
from appliance.errors import Refused
from appliance.extensions.model import Extension
from appliance.ivrs.model import Ivr
from appliance.numbers import pretty
from appliance.queues.model import Queue
from appliance.reports import asked as asking
from appliance.reports.asked import FIELDS as CALL_FIELDS
from appliance.reports.asked import MATCHES, MOST_ROWS, PARTIAL, Reading, short
from appliance.reports.model import IVRS, QUEUES
from appliance.users.model import User

BY_QUEUE, BY_DAY, BY_HOUR, BY_IVR, BY_AGENT = "queue", "day", "hour", "ivr", "agent"
GROUPINGS: dict[str, dict[str, Any]] = {  # report → its groupings, the first as given nothing
    QUEUES: {BY_QUEUE: _l("By queue"), BY_DAY: _l("By day"), BY_HOUR: _l("By hour")},
    IVRS: {BY_IVR: _l("By IVR"), BY_QUEUE: _l("By queue"), BY_AGENT: _l("By agent"), BY_HOUR: _l("By hour"), BY_DAY: _l("By day")},
}
FIELDS: dict[str, tuple[Any, Any]] = {  # filter → (label, what it means)
    "start": CALL_FIELDS["start"], "end": CALL_FIELDS["end"],
    "queues": (_l("Queues"), _l("Only visits of these queues; of the IVRs, only calls that went on to them. None chosen: all.")),
    "ivrs": (_l("IVRs"), _l("Only calls that came through these IVRs. None chosen: all, and those without an IVR.")),
    "agents": (_l("Agents"), _l("Numbers of the extensions that answered, with commas between them. Calls nobody answered have no agent.")),
    "number": (_l("Telephone"), _l("Who called, or whom we called: a telephone as you write it, or an extension.")),
    "direction": CALL_FIELDS["direction"], "domain": CALL_FIELDS["domain"],
}
NAMES = (*FIELDS, "start_time", "end_time", "match", "by")


@dataclass(frozen=True)
class VisitsAsked:
    """A search: instants in UTC, the period half-open; ids of rows, empty for all of them.

    `scope`: the only cost centres this person may see, None for all of them.
    """

    what: str
    by: str
    start: datetime
    end: datetime
    zone: str
    queues: tuple[int, ...] = ()
    ivrs: tuple[int, ...] = ()
    agents: tuple[int, ...] = ()
    numbers: tuple[str, ...] = ()
    match: str = PARTIAL
    direction: str = ""
    domain: str = ""
    scope: frozenset[int] | None = None


def read(what: str, values: Mapping[str, str], user: User) -> VisitsAsked:
    """Typed texts → a search of this person. Raises Refused with a message per field."""
    return _Visits(what, values, user).search()


class _Visits(Reading):
    """One reading of them."""

    names = NAMES

    def __init__(self, what: str, values: Mapping[str, str], user: User) -> None:
        super().__init__(values, user)
        self.what = what

    def search(self) -> VisitsAsked:
        start, end = self.period()
        groupings = GROUPINGS[self.what]
        found = VisitsAsked(
            what=self.what, by=self.word("by", groupings) or next(iter(groupings)), start=start, end=end, zone=str(self.zone),
            queues=self.ids("queues"), ivrs=self.ids("ivrs"), agents=self.agents(), numbers=self.number("number", "match"),
            match=self.word("match", MATCHES) or PARTIAL, direction=self.word("direction", asking.DIRECTIONS),
            domain=self.word("domain", asking.DOMAINS), scope=asking.scope_of(self.user),
        )
        if self.messages:
            raise Refused(next(iter(self.messages.values())), messages=self.messages)
        return found

    def agents(self) -> tuple[int, ...]:
        """Extensions by their numbers, `2001, 2002`."""
        numbers = [part for part in re.split(r"[\s,;]+", self.values.get("agents", "")) if part]
        if not numbers:
            return ()
        rows = db.session.execute(select(Extension.number, Extension.id).where(Extension.number.in_(numbers[:MOST_ROWS])))
        found = {number: row_id for number, row_id in rows}
        for number in numbers:
            if number not in found:
                self.wrong("agents", _("There is no extension “%(value)s”. Write the number of an extension, for example 2001.", value=short(number)))
        return tuple(sorted(found.values()))


def values(typed: Any) -> dict[str, str]:
    """The filters of an address without what is empty or no filter; several boxes of one name become `3,5`."""
    return asking.joined(typed, NAMES)


def stored(asked: VisitsAsked, typed: Mapping[str, str]) -> dict[str, str]:
    """The typed filters with the period made firm, to be read again later."""
    return asking.firm(asked.start, asked.end, values(typed))


def in_form(asked: VisitsAsked, typed: Mapping[str, str]) -> dict[str, str]:
    """The typed filters with the period as the form's fields hold it."""
    return asking.in_fields(asked.start, asked.end, asked.zone, typed)


def choices(model: type[Queue] | type[Ivr]) -> list[tuple[int, str]]:
    """(id, name) of those there are, by name."""
    return [(row_id, name) for row_id, name in db.session.execute(select(model.id, model.name).order_by(model.name))]


def told(asked: VisitsAsked, typed: Mapping[str, str]) -> list[tuple[str, str]]:
    """(label, value) of every filter in use, as a printed report names them."""
    local = ZoneInfo(asked.zone)
    queues, ivrs = dict(choices(Queue)), dict(choices(Ivr))
    number = str(typed.get("number", "")).strip()
    said = {
        "start": f"{asked.start.astimezone(local):%d/%m/%Y %H:%M}", "end": f"{asked.end.astimezone(local):%d/%m/%Y %H:%M}",
        "queues": ", ".join(queues.get(row_id, str(row_id)) for row_id in asked.queues),
        "ivrs": ", ".join(ivrs.get(row_id, str(row_id)) for row_id in asked.ivrs), "agents": str(typed.get("agents", "")).strip(),
        "number": f"{pretty(number)} ({MATCHES[asked.match]})" if number else "",
        "direction": str(asking.DIRECTION_WORDS.get(asked.direction, "")), "domain": str(asking.DOMAIN_WORDS.get(asked.domain, "")),
    }
    found = [(str(label), said[name]) for name, (label, _help) in FIELDS.items() if said[name]]
    centres = asking.centre_names(asked.scope)
    return [*found, (_("Only cost centres"), centres)] if centres else found
