"""The call report's questions to the database: one page of calls, all of them piece by piece, and their sums.

A search is a few *arms*, any of which a call may fit: each arm can walk one index in the order of time, so that a page of a
number with two million calls costs as much as a page of one with twenty. Sums come from the roll-ups where the filters allow it
(whole hours), with the pieces of hours at both ends from the rows; else from the rows the arms find.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, false, func, literal, not_, or_, select, true, type_coerce
from sqlalchemy.engine import Connection

from appliance.calls.model import ANSWERED, DIRECTIONS, OPEN, STATES, Call
from appliance.calls.totals import CallHour, CallTotal
from appliance.db import db
from appliance.reports import asked as asking
from appliance.reports.asked import AND, EXACT, Asked

Run = Callable[[Any], Sequence[Any]]  # a statement → its rows
Cursor = tuple[datetime, int]
Condition = ColumnElement[bool]

HOUR = timedelta(hours=1)
PIECE_ROWS = 4000           # rows per question of a long answer: memory stays flat, no transaction outlives a piece
OVER = [state for state in STATES if state != OPEN]
MOST_NUMBERS = 50           # numbers that hold a searched part, each then found by its index
MANY_CALLS = 100_000        # in a period with more calls (and half of all), a part of a number is first looked up among the numbers
EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


def in_session(statement: Select[Any]) -> Sequence[Any]:
    """Ask in this request's transaction."""
    return db.session.execute(statement).all()


def piecewise() -> Run:
    """Ask each question in a short transaction of its own: for answers that take long to read."""
    engine = db.engine.execution_options(read_only=True)

    def run(statement: Any) -> Sequence[Any]:
        with engine.connect() as connection:
            return connection.execute(statement).all()

    return run


def plainly() -> Run:
    """Like piecewise, rows as the driver gives them: for `pieces` of columns that need no reading, in half the time."""
    engine = db.engine.execution_options(read_only=True)

    def run(statement: Any) -> Sequence[Any]:
        with engine.connect() as connection:
            found: Any = connection.execute(statement).cursor
            return found.fetchall()

    return run


def on(connection: Connection) -> Run:
    """Ask on this connection: everything as of one moment, when its transaction keeps one."""
    return lambda statement: connection.execute(statement).all()


@dataclass
class Sums:
    """Sums of a search. `hours`: beginning of an hour (UTC) → [calls, answered], for charts."""

    call_count: int = 0
    wait_seconds: int = 0
    ring_seconds: int = 0
    talk_seconds: int = 0
    hold_seconds: int = 0
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OVER, 0))
    directions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0))
    hours: dict[datetime, list[int]] = field(default_factory=dict)

    @property
    def answered_count(self) -> int:
        return self.states[ANSWERED]

    @property
    def not_answered_count(self) -> int:
        return self.call_count - self.answered_count

    @property
    def mean_wait_seconds(self) -> int:
        return round(self.wait_seconds / self.call_count) if self.call_count else 0

    @property
    def mean_talk_seconds(self) -> int:
        return round(self.talk_seconds / self.answered_count) if self.answered_count else 0

    @property
    def answered_percent(self) -> int:
        return round(100 * self.answered_count / self.call_count) if self.call_count else 0

    def take(self, rows: Sequence[Any]) -> None:
        """Add rows of `_summed`."""
        if not rows:
            return
        beginnings, *columns = zip(*rows, strict=True)
        calls, *seconds = (int(sum(column)) for column in columns[:5])
        self.call_count += calls
        for name, value in zip(("wait_seconds", "ring_seconds", "talk_seconds", "hold_seconds"), seconds, strict=True):
            setattr(self, name, getattr(self, name) + value)
        for state, column in zip(OVER, columns[5:], strict=False):
            self.states[state] += int(sum(column))
        for direction, column in zip(DIRECTIONS, columns[5 + len(OVER):], strict=True):
            self.directions[direction] += int(sum(column))
        for beginning, count, answered in zip(beginnings, columns[0], columns[5 + OVER.index(ANSWERED)], strict=True):
            both = self.hours.setdefault(_aware(beginning), [0, 0])
            both[0] += int(count)
            both[1] += int(answered)


def _aware(hour: Any) -> datetime:
    """The hour of a row of `_summed` in UTC, from the roll-ups or, on SQLite, from `2026-11-20 14`."""
    if isinstance(hour, str):
        return datetime.fromisoformat(f"{hour}:00:00+00:00")
    return hour.astimezone(UTC)


class Search:
    """A search, asked of the database by `run`; the pieces of a long answer by `run_pieces`."""

    def __init__(self, asked: Asked, run: Run = in_session, run_pieces: Run | None = None) -> None:
        self.asked, self.run, self.run_pieces = asked, run, run_pieces or run
        self.arms = self._arms()

    # ----------------------------------------------------------------------------------------------------- conditions

    def _common(self, table: Any) -> list[Condition]:
        """What calls and roll-ups know alike; every arm has it."""
        asked, found = self.asked, []
        for name, words in (("direction", asking.DIRECTIONS), ("domain", asking.DOMAINS)):
            word = getattr(asked, name)
            if word:
                found.append(table.direction.in_(words[word]))
        if asked.state == asking.NOT_ANSWERED:
            found.append(table.state != ANSWERED)
        elif asked.state:
            found.append(table.state == asked.state)
        if asked.scope is not None:
            found.append(or_(table.from_cost_centre_id.in_(asked.scope), table.to_cost_centre_id.in_(asked.scope)))
        return found

    def _during(self, start: datetime, end: datetime, older_than: Cursor | None = None, newer_than: Cursor | None = None) -> list[Condition]:
        """Calls of a period that are over, strictly beyond a row in the order of time.

        Exactly one lower and one upper bound: SQLite walks an index from the first bound it meets, and with the period's own
        beside the row's it would read everything between them for every page.
        """
        found: list[Condition] = [Call.started_at >= start, Call.started_at < end]
        if newer_than and newer_than[0] >= start:
            at, row_id = newer_than
            found[0] = Call.started_at >= at
            found.append(not_(and_(Call.started_at == at, Call.id <= row_id)))
        if older_than and older_than[0] < end:
            at, row_id = older_than
            found[1] = Call.started_at <= at
            found.append(not_(and_(Call.started_at == at, Call.id >= row_id)))
        return [*found, Call.ended_at.is_not(None)]

    def _arms(self) -> list[Condition]:
        """The ways a call can fit: none when nothing can, one that is always true when nothing but a period is asked."""
        asked = self.asked
        origin = _with(self._numbers(asked.from_numbers, asked.from_match, Call.from_number),
                       self._centre(Call.from_cost_centre_id, asked.from_cost_centre, asked.from_numbers))
        reached = _with(self._numbers(asked.to_numbers, asked.to_match, Call.to_number, Call.reached_number),
                        self._centre(Call.to_cost_centre_id, asked.to_cost_centre, asked.to_numbers))
        sides = [arms for arms in (origin, reached) if arms is not None]
        if len(sides) == 2 and asked.join == AND:
            found = _both(*sides)
        else:
            found = [arm for arms in sides for arm in arms] if sides else [true()]
        if asked.extension:
            either = [and_(Call.from_number == asked.extension, Call.from_extension_id.is_not(None)),
                      and_(Call.reached_number == asked.extension, Call.reached_extension_id.is_not(None))]
            found = _both(found, either) if sides else either
        rest = [Call.trunk_id == asked.trunk] if asked.trunk else []
        rest += [Call.protocol == asked.protocol] if asked.protocol else []
        return [and_(arm, *rest) for arm in found]

    def _centre(self, column: Any, row_id: int | None, beside: tuple[str, ...]) -> Condition | None:
        """A cost centre's condition; beside a number it must not draw the database away from the number's index."""
        if row_id is None:
            return None
        asked = self.asked
        narrower = beside or asked.extension or asked.protocol or (asked.join == AND and (asked.from_numbers or asked.to_numbers))
        found: Condition = column + 0 == row_id if narrower else column == row_id
        return found

    def _numbers(self, numbers: tuple[str, ...], match: str, *columns: Any) -> list[Condition] | None:
        """Arms of a number: one per column and way it is really held there. None when no number is asked."""
        if not numbers:
            return None
        if match == EXACT:
            return [column == number for column in columns for number in numbers if self._is_held(column, number)]
        asked_for = self._call_count(self.asked.start, self.asked.end)
        if asked_for > MANY_CALLS and asked_for * 2 > self._call_count(*EVER):
            found = [(column, number) for column in columns for number in self._holding(column, numbers)]
            if len(found) <= MOST_NUMBERS:
                return [column == number for column, number in found]
        return [or_(*(holds(column, number) for column in columns for number in numbers))]

    def _is_held(self, column: Any, number: str) -> bool:
        return bool(self.run(select(literal(1)).where(column == number).limit(1)))

    def _holding(self, column: Any, numbers: tuple[str, ...]) -> list[str]:
        """Distinct numbers of a column that contain one of these; read from the column's index alone."""
        fits = or_(*(holds(column, number) for number in numbers))
        return [row[0] for row in self.run(select(column).where(fits).distinct().limit(MOST_NUMBERS + 1))]

    def _call_count(self, start: datetime, end: datetime) -> int:
        """About how many calls began in a period, from the roll-ups."""
        query = select(func.coalesce(func.sum(CallHour.call_count), 0))
        return int(self.run(query.where(CallHour.hour_at >= start, CallHour.hour_at < end))[0][0])

    # ---------------------------------------------------------------------------------------------------------- rows

    def page(self, limit: int, *, older_than: Cursor | None = None, newer_than: Cursor | None = None) -> list[int]:
        """Ids of at most `limit` calls, newest first: from the newest, after a cursor, or before one (nearest to it)."""
        up = newer_than is not None and older_than is None
        order = (Call.started_at.asc(), Call.id.asc()) if up else (Call.started_at.desc(), Call.id.desc())
        found: set[Cursor] = set()
        for arm in self.arms:
            during = self._during(self.asked.start, self.asked.end, older_than, newer_than)
            query = select(Call.started_at, Call.id).where(*during, *self._common(Call), arm)
            found |= {(at, row_id) for at, row_id in self.run(query.order_by(*order).limit(limit))}
        chosen = sorted(found, reverse=not up)[:limit]
        return [row_id for _at, row_id in (reversed(chosen) if up else chosen)]

    def pieces(self, *columns: Any) -> Iterator[Sequence[Any]]:
        """Every call of the search in the order of time, in pieces of at most PIECE_ROWS: (instant as the database gives it, id, *columns)."""
        after: Cursor | None = None
        while True:
            found: list[Sequence[Any]] = []
            for arm in self.arms:
                query = select(type_coerce(Call.started_at, String).label("key_at"), Call.id.label("key_id"), *columns).where(
                    *self._during(self.asked.start, self.asked.end, newer_than=after), *self._common(Call), arm)
                found.append(self.run_pieces(query.order_by(Call.started_at, Call.id).limit(PIECE_ROWS)))
            rows = found[0] if len(found) == 1 else _merged(found)
            if rows:
                yield rows
            if len(rows) < PIECE_ROWS:
                return
            last = rows[-1]
            after = (datetime.fromisoformat(last[0]).replace(tzinfo=UTC) if isinstance(last[0], str) else last[0], last[1])

    # ---------------------------------------------------------------------------------------------------------- sums

    def sums(self) -> Sums:
        """Sums of the whole search, fresh to the second: roll-ups are written with the calls they sum."""
        found, asked = Sums(), self.asked
        if asked.has_row_filters:
            found.take(self._from_rows(asked.start, asked.end))
            return found
        first = -(-asked.start.timestamp() // 3600) * 3600
        last = asked.end.timestamp() // 3600 * 3600
        begin, finish = (datetime.fromtimestamp(stamp, UTC) for stamp in (first, last))
        if begin >= finish:
            begin = finish = asked.end
        for start, end in ((asked.start, begin), (finish, asked.end)):
            if start < end:
                found.take(self._from_rows(start, end))
        if begin < finish:
            found.take(self.run(self._rolled_up(begin, finish)))
        return found

    def _from_rows(self, start: datetime, end: datetime) -> list[Any]:
        """`_summed` of each arm; a call that fits two arms counts with the first."""
        hour, found = hour_of(Call.started_at), list[Any]()
        for position, arm in enumerate(self.arms):
            before = [not_(func.coalesce(other, false())) for other in self.arms[:position]]
            where = [*self._during(start, end), *self._common(Call), arm, *before]
            found += self.run(_summed(Call, hour, literal(1)).where(*where).group_by(hour))
        return found

    def _rolled_up(self, start: datetime, end: datetime) -> Select[Any]:
        asked = self.asked
        sides = [column == value for column, value in ((CallTotal.from_cost_centre_id, asked.from_cost_centre),
                                                       (CallTotal.to_cost_centre_id, asked.to_cost_centre)) if value is not None]
        table: Any = CallTotal if sides or asked.scope is not None else CallHour
        where = [table.hour_at >= start, table.hour_at < end, *self._common(table)]
        if sides:
            where.append(and_(*sides) if asked.join == AND else or_(*sides))
        return _summed(table, table.hour_at, table.call_count).where(*where).group_by(table.hour_at)


def _merged(found: list[Sequence[Any]]) -> Sequence[Any]:
    """Rows of several arms, each once, in the order of time."""
    rows = {(row[0], row[1]): row for arm in found for row in arm}
    return [rows[key] for key in sorted(rows)[:PIECE_ROWS]]


def _summed(table: Any, hour: Any, count: Any) -> Select[Any]:
    """hour, calls, seconds waited, rung, talked and held, then calls by state and by direction."""
    columns = [hour, func.sum(count), *(func.sum(getattr(table, name)) for name in ("wait_seconds", "ring_seconds", "talk_seconds", "hold_seconds")),
               *(func.sum(case((table.state == state, count), else_=0)) for state in OVER),
               *(func.sum(case((table.direction == direction, count), else_=0)) for direction in DIRECTIONS)]  # fmt: skip
    return select(*columns)


def hour_of(column: Any) -> Any:
    """The hour (UTC) an instant lies in: an instant on PostgreSQL, `2026-11-20 14` on SQLite."""
    if db.engine.dialect.name == "postgresql":
        return func.date_trunc("hour", column, "UTC")
    return func.substr(type_coerce(column, String), 1, 13)


def _both(some: list[Condition], others: list[Condition]) -> list[Condition]:
    """Arms of calls that fit one of each: as many as the fewer of the two have."""
    fewer, more = sorted((some, others), key=len)
    return [and_(arm, or_(*more)) for arm in fewer] if more else []


def _with(arms: list[Condition] | None, more: Condition | None) -> list[Condition] | None:
    """Arms of a number narrowed by a cost centre; either may be missing."""
    if arms is None:
        return None if more is None else [more]
    return arms if more is None else [and_(arm, more) for arm in arms]


def holds(column: Any, number: str) -> Condition:
    """The number stands somewhere in the column; without LIKE, which folds capitals and takes three times as long."""
    found = func.strpos(column, number) if db.engine.dialect.name == "postgresql" else func.instr(column, number)
    return found > 0
