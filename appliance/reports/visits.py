"""The reports about queues and IVRs: their figures by queue, IVR, agent, hour or day, and the formulas (REP-16, REP-20, REP-21, REP-27, DSH-04).

Sums over whole hours come from the roll-ups, which are written with the visits; the pieces of hours at both ends, and searches by
telephone, from the visits themselves. A visit counts in the hour its call began, so every grouping has the same grand total.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import add
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, or_, select

from appliance.calls import visit_totals
from appliance.calls.model import IvrVisit, QueueVisit
from appliance.calls.visit_totals import LONGEST, SUMS, VisitHour, VisitTotal
from appliance.calls.words import party
from appliance.db import db
from appliance.ivrs.model import Ivr
from appliance.queues.model import Queue
from appliance.reports import asked as asking
from appliance.reports.asked import EXACT
from appliance.reports.calls import Run, holds, hour_of, in_session
from appliance.reports.columns import duration
from appliance.reports.model import IVRS, QUEUES
from appliance.reports.visits_asked import BY_AGENT, BY_DAY, BY_HOUR, BY_IVR, BY_QUEUE, VisitsAsked


@dataclass
class Figures:
    """Sums of visits (see visit_totals.VisitColumns), and what the reports work out of them. Means are whole milliseconds, half up."""

    received_count: int = 0
    ivr_closed_count: int = 0
    ivr_abandoned_count: int = 0
    offered_count: int = 0
    answered_count: int = 0
    within_count: int = 0
    abandoned_count: int = 0
    short_count: int = 0
    overflowed_count: int = 0
    transferred_count: int = 0
    closed_count: int = 0
    target_sum: int = 0
    wait_ms: int = 0
    answered_wait_ms: int = 0
    abandoned_wait_ms: int = 0
    talk_ms: int = 0
    longest_wait_ms: int = 0
    longest_talk_ms: int = 0

    @property
    def not_answered_count(self) -> int:
        """Removed by the queue: its time, its size, nobody logged in."""
        return self.offered_count - self.answered_count - self.abandoned_count

    @property
    def lost_count(self) -> int:
        """Neither answered nor sent on."""
        return self.offered_count - self.answered_count - self.overflowed_count

    @property
    def sla_percent(self) -> float | None:
        """DSH-04: answered within the target / (answered + abandoned − abandoned so soon that it does not count)."""
        return _percent(self.within_count, self.answered_count + self.abandoned_count - self.short_count)

    @property
    def service_level_percent(self) -> float | None:
        """DSH-04, REP-27: answered within the target / offered."""
        return _percent(self.within_count, self.offered_count)

    @property
    def target_percent(self) -> float | None:
        """What the queues wanted when the calls came (QUE-28): of calls that came under several targets, their mean."""
        return _tenth(self.target_sum, self.offered_count)

    @property
    def answered_percent(self) -> float | None:
        return _percent(self.answered_count, self.offered_count)

    @property
    def abandoned_percent(self) -> float | None:
        return _percent(self.abandoned_count, self.offered_count)

    @property
    def mean_talk_ms(self) -> int | None:
        """TMA."""
        return _mean(self.talk_ms, self.answered_count)

    @property
    def mean_wait_ms(self) -> int | None:
        """TME: how long those waited who were answered."""
        return _mean(self.answered_wait_ms, self.answered_count)

    @property
    def mean_abandon_ms(self) -> int | None:
        """TMAB: how long those waited who gave up."""
        return _mean(self.abandoned_wait_ms, self.abandoned_count)

    @property
    def speed_of_answer_ms(self) -> int | None:
        """ASA as the source defines it: all the time everybody waited in the queue / answered."""
        return _mean(self.wait_ms, self.answered_count)

    def shown(self, name: str) -> Any:
        """What stands in a column: nothing where no call could have had a time."""
        value = getattr(self, name)
        return None if name.endswith("_ms") and not self.answered_count and not value else value

    def take(self, values: Iterable[Any]) -> None:
        """Add a row of sums, in the order of visit_totals.COLUMNS."""
        found = dict(zip(visit_totals.COLUMNS, (int(value or 0) for value in values), strict=True))
        for name in SUMS:
            setattr(self, name, getattr(self, name) + found[name])
        for name in LONGEST:
            setattr(self, name, max(getattr(self, name), found[name]))

    def sums(self) -> list[int]:
        """The row `take` takes."""
        return [getattr(self, name) for name in visit_totals.COLUMNS]


def _percent(part: int, whole: int) -> float | None:
    """One decimal, half up; None of nothing."""
    return _tenth(100 * part, whole)


def _tenth(total: int, count: int) -> float | None:
    """The mean, with one decimal, half up; None of nothing."""
    return (20 * total + count) // (2 * count) / 10 if count > 0 else None


def _mean(total: int, count: int) -> int | None:
    return (2 * total + count) // (2 * count) if count else None


@dataclass
class Line:
    """One row of a report. Below its target the service level is shown as missed."""

    key: str
    label: str
    figures: Figures

    @property
    def target_text(self) -> str:
        """80, or 82,5."""
        return f"{self.figures.target_percent or 0:.1f}".removesuffix(".0").replace(".", ",")

    def misses(self, percent: float | None) -> bool:
        target = self.figures.target_percent
        return percent is not None and target is not None and percent < target


COUNT, SHARE, TIME = "count", "percent", "time"
Column = tuple[str, Any, str, Any]  # name in Figures and in the API, label, kind, how it is worked out

_OFFERED = ("offered_count", _l("Offered"), COUNT, _l("calls that came to the queue while it was open"))
_ANSWERED = ("answered_count", _l("Answered"), COUNT, _l("calls a member of the queue answered"))
_LOST = ("lost_count", _l("Lost"), COUNT, _l("offered calls that were neither answered nor overflowed"))
_OVERFLOWED = ("overflowed_count", _l("Overflowed"), COUNT, _l("left the queue unanswered by its rules and went on to another destination"))
_ANSWERED_PERCENT = ("answered_percent", _l("% answered"), SHARE, _l("answered / offered × 100"))
_SLA = ("sla_percent", _l("SLA"), SHARE, _l(
    "answered within the queue's time / (answered + abandoned − abandoned sooner than the queue's abandon time) × 100"))
_LEVEL = ("service_level_percent", _l("NS"), SHARE, _l("answered within the queue's time / offered × 100"))
_TMA = ("mean_talk_ms", _l("TMA"), TIME, _l("mean handling time: total handling / answered"))
_TME = ("mean_wait_ms", _l("TME"), TIME, _l("mean waiting time of the answered calls"))
_TMAB = ("mean_abandon_ms", _l("TMAB"), TIME, _l("mean time until callers gave up"))
COLUMNS: dict[tuple[str, str], list[Column]] = {
    (QUEUES, BY_QUEUE): [
        _OFFERED, _ANSWERED, _LOST, _OVERFLOWED,
        ("transferred_count", _l("Transferred"), COUNT, _l("answered calls the member passed on")),
        ("closed_count", _l("Out of hours"), COUNT, _l("calls that came while the queue was closed; they are not offered")),
        _ANSWERED_PERCENT, _SLA, _LEVEL, _TMA, _TME, _TMAB,
        ("talk_ms", _l("Handling"), TIME, _l("total handling time")),
        ("longest_talk_ms", _l("Longest handling"), TIME, _l("longest handling time of one call")),
    ],
    (QUEUES, BY_DAY): [_OFFERED, _ANSWERED, _LOST, _OVERFLOWED, _ANSWERED_PERCENT, _SLA, _LEVEL],
    (QUEUES, BY_HOUR): [_OFFERED, _ANSWERED, _LOST, _OVERFLOWED, _ANSWERED_PERCENT, _SLA, _LEVEL, _TMAB, _TME, _TMA],
}
_IVR_COLUMNS: list[Column] = [
    ("received_count", _l("Received by IVR"), COUNT, _l("calls that came into the IVR")),
    ("ivr_closed_count", _l("Out of service"), COUNT, _l("calls that came into the IVR out of its hours")),
    ("ivr_abandoned_count", _l("Abandoned in IVR"), COUNT, _l("the caller hung up in the IVR")),
    ("offered_count", _l("Offered"), COUNT, _l("calls that came to the queue")),
    ("abandoned_count", _l("Abandoned"), COUNT, _l("the caller gave up in the queue")),
    ("abandoned_percent", _l("% abandoned"), SHARE, _l("abandoned / offered × 100")),
    _ANSWERED,
    ("within_count", _l("Answered NS"), COUNT, _l("answered within the queue's time")),
    ("service_level_percent", _l("Service level"), SHARE, _l("answered within the queue's time / offered × 100")),
    ("not_answered_count", _l("Not answered"), COUNT, _l("removed by the queue: its limit of time or of callers, or nobody logged in")),
    _TMA,
    ("longest_wait_ms", _l("MSA"), TIME, _l("longest wait of an answered call")),
    ("speed_of_answer_ms", _l("ASA"), TIME, _l("total waiting in the queue / answered")),
    ("longest_talk_ms", _l("MHT"), TIME, _l("longest handling time")),
    ("sla_percent", _l("SLA"), SHARE, _SLA[3]),
]
HEADS = {BY_QUEUE: _l("Queue"), BY_IVR: _l("IVR"), BY_AGENT: _l("Agent"), BY_DAY: _l("Day"), BY_HOUR: _l("Hour")}


def columns(asked: VisitsAsked) -> list[Column]:
    """What this report shows of each row."""
    return _IVR_COLUMNS if asked.what == IVRS else COLUMNS[asked.what, asked.by]


class Search:
    """A search, asked of the database by `run`."""

    def __init__(self, asked: VisitsAsked, run: Run = in_session) -> None:
        self.asked, self.run = asked, run

    def lines(self) -> list[Line]:
        """The rows of the report in its order: by name, by time. Days and hours without a call are there too."""
        found = self._gathered()
        by = self.asked.by
        return {BY_DAY: self._days, BY_HOUR: self._hours}[by](found) if by in (BY_DAY, BY_HOUR) else self._named(found)

    # ------------------------------------------------------------------------------------------------------- the database

    def _gathered(self) -> dict[Any, Figures]:
        """Key of a group (an id, a day, an hour of the day) → its figures."""
        asked, found = self.asked, dict[Any, list[Any]]()
        begin, finish = _whole_hours(asked.start, asked.end)
        if asked.numbers or begin >= finish:
            begin = finish = asked.end
        for start, end in ((asked.start, begin), (finish, asked.end)):
            if start < end:
                for statement in self._from_rows(start, end):
                    self._take(found, statement)
        if begin < finish:
            self._take(found, self._rolled_up(begin, finish))
        figures = {key: Figures() for key in found}
        for key, values in found.items():
            figures[key].take(values)
        return figures

    def _take(self, found: dict[Any, list[Any]], statement: Any) -> None:
        """Gather rows of sums; there may be a hundred thousand hours, so plain lists are added and nothing else is made of each."""
        key_of, sums = self._key_of(), len(SUMS)
        for key, *values in self.run(statement):
            group = key_of(key)
            old = found.get(group)
            found[group] = values if old is None else [*map(add, old[:sums], values[:sums]), *map(max, old[sums:], values[sums:])]

    def _key_of(self) -> Callable[[Any], Any]:
        """Which group a row of sums belongs to."""
        zone, by = ZoneInfo(self.asked.zone), self.asked.by
        if by == BY_DAY:
            return lambda hour: _instant(hour).astimezone(zone).date()
        if by == BY_HOUR:
            return lambda hour: _instant(hour).astimezone(zone).hour
        return lambda row_id: row_id or 0

    def _from_rows(self, start: datetime, end: datetime) -> Iterator[Any]:
        for table, sums in ((QueueVisit, visit_totals.queue_sums()), (IvrVisit, visit_totals.ivr_sums())):
            key = self._key(table, hour_of(table.started_at))
            where = [table.started_at >= start, table.started_at < end, *self._conditions(table), *self._numbers(table)]
            yield select(key, *sums.values()).where(*where).group_by(key)

    def _rolled_up(self, start: datetime, end: datetime) -> Any:
        asked = self.asked
        table: Any = VisitTotal if asked.agents or asked.scope is not None or asked.by == BY_AGENT else VisitHour
        key = self._key(table, table.hour_at)
        sums = [*(func.sum(getattr(table, name)) for name in SUMS), *(func.max(getattr(table, name)) for name in LONGEST)]
        return select(key, *sums).where(table.hour_at >= start, table.hour_at < end, *self._conditions(table)).group_by(key)

    def _key(self, table: Any, hour: Any) -> Any:
        name = {BY_QUEUE: "queue_id", BY_IVR: "ivr_id", BY_AGENT: "extension_id"}.get(self.asked.by)
        return getattr(table, name) if name else hour

    def _conditions(self, table: Any) -> list[Any]:
        """What visits and roll-ups know alike."""
        asked, found = self.asked, list[Any]()
        for name, words in (("direction", asking.DIRECTIONS), ("domain", asking.DOMAINS)):
            if word := getattr(asked, name):
                found.append(table.direction.in_(words[word]))
        found += [table.queue_id.in_(asked.queues)] if asked.queues else []
        found += [table.ivr_id.in_(asked.ivrs)] if asked.ivrs else []
        found += [table.extension_id.in_(asked.agents)] if asked.agents else []
        if asked.scope is not None:
            found.append(or_(table.from_cost_centre_id.in_(asked.scope), table.to_cost_centre_id.in_(asked.scope)))
        return found

    def _numbers(self, table: Any) -> list[Any]:
        asked = self.asked
        if not asked.numbers:
            return []
        if asked.match == EXACT:
            return [table.number.in_(asked.numbers)]
        return [or_(*(holds(table.number, number) for number in asked.numbers))]

    # -------------------------------------------------------------------------------------------------------------- rows

    def _days(self, found: dict[Any, Figures]) -> list[Line]:
        zone = ZoneInfo(self.asked.zone)
        first, last = (moment.astimezone(zone).date() for moment in (self.asked.start, self.asked.end - timedelta(microseconds=1)))
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        lines = {day: Line(f"{day:%Y-%m-%d}", f"{day:%d/%m/%Y}", Figures()) for day in days}
        for day, figures in found.items():
            lines[max(first, min(last, day))].figures.take(figures.sums())  # in a zone with half hours, an hour may begin the day before
        return list(lines.values())

    def _hours(self, found: dict[Any, Figures]) -> list[Line]:
        """The hours of the day, each with the sum over all days of the search."""
        return [Line(str(hour), _("%(hour)s h", hour=hour), found.get(hour, Figures())) for hour in range(24)]

    def _named(self, found: dict[int, Figures]) -> list[Line]:
        """Queues, IVRs or agents by name; what has none stands at the end."""
        if self.asked.what == QUEUES:
            found = {row_id: figures for row_id, figures in found.items() if row_id and (figures.offered_count or figures.closed_count)}
        kept = {row_id: figures for row_id, figures in found.items() if any(figures.sums())}
        names = {BY_QUEUE: self._queues, BY_IVR: self._ivrs, BY_AGENT: self._agents}[self.asked.by](kept)
        lines = [Line(str(row_id), names.get(row_id) or _("(deleted)"), figures) for row_id, figures in kept.items() if row_id]
        lines.sort(key=lambda line: (line.label.casefold(), int(line.key)))
        if 0 in kept:
            nothing = {BY_QUEUE: _("Without a queue"), BY_IVR: _("Without an IVR"), BY_AGENT: _("Answered by nobody")}[self.asked.by]
            lines.append(Line("", nothing, kept[0]))
        return lines

    def _queues(self, ids: Iterable[int]) -> dict[int, str]:
        return self._now_or_then(Queue, QueueVisit.queue, QueueVisit.queue_id, set(ids) - {0})

    def _ivrs(self, ids: Iterable[int]) -> dict[int, str]:
        return self._now_or_then(Ivr, IvrVisit.ivr, IvrVisit.ivr_id, set(ids) - {0})

    def _now_or_then(self, model: Any, name: Any, key: Any, ids: set[int]) -> dict[int, str]:
        names = {row_id: text for row_id, text in db.session.execute(select(model.id, model.name).where(model.id.in_(ids)))}
        return names | self._then(name, key, ids - set(names))

    def _agents(self, ids: Iterable[int]) -> dict[int, str]:
        """As they were called when they answered last in the period."""
        names = {}
        for row_id in set(ids) - {0}:
            visit = QueueVisit
            newest = select(visit.member_name, visit.member_number).where(visit.extension_id == row_id, visit.started_at < self.asked.end)
            row = next(iter(self.run(newest.order_by(visit.started_at.desc()).limit(1))), None)
            names[row_id] = party(row[0], row[1]) if row else ""
        return names

    def _then(self, name: Any, key: Any, ids: Iterable[int]) -> dict[int, str]:
        """Names of rows that are deleted, as their newest visit holds them."""
        found = {}
        for row_id in ids:
            row = next(iter(self.run(select(name).where(key == row_id).order_by(key.class_.started_at.desc()).limit(1))), None)
            found[row_id] = _("%(name)s (deleted)", name=row[0]) if row and row[0] else ""
        return found


def total(lines: Sequence[Line]) -> Line:
    """The grand total of a report."""
    figures = Figures()
    for line in lines:
        figures.take(line.figures.sums())
    return Line("total", _("Total"), figures)


def _whole_hours(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The first and the last full hour of a period."""
    return (datetime.fromtimestamp(-(-start.timestamp() // 3600) * 3600, UTC), datetime.fromtimestamp(end.timestamp() // 3600 * 3600, UTC))


def _instant(hour: Any) -> datetime:
    """The hour of a row in UTC, from the roll-ups or, on SQLite, from `2026-11-20 14`."""
    return datetime.fromisoformat(f"{hour}:00:00+00:00") if isinstance(hour, str) else hour.astimezone(UTC)


# ------------------------------------------------------------------------------------------------------------------- as text


def milliseconds(value: int) -> str:
    """00:03:25:120, as the source writes times of the IVR report."""
    seconds, rest = divmod(max(0, value), 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{rest:03}"


def whole_seconds(value: int) -> str:
    """00:03:25, rounded half up."""
    return milliseconds(value + 500)[:-4]


def written(asked: VisitsAsked, *, in_file: bool = False) -> Callable[[str, Any], str]:
    """How a value of a column stands on the screen (1:31) and in files (00:01:31); nothing is a dash."""
    time = milliseconds if asked.what == IVRS else whole_seconds if in_file else (lambda value: duration((value + 500) // 1000))

    def text(kind: str, value: Any) -> str:
        if value is None:
            return "–"
        if kind == SHARE:
            return f"{value:.1f}".replace(".", ",")
        return time(value) if kind == TIME else f"{value:,}".replace(",", ".")

    return text
