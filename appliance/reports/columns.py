"""Columns of the call report in files: what stands in each, and how instants, durations and telephone numbers are written."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from flask_babel import lazy_gettext as _l
from sqlalchemy import String, func, type_coerce

from appliance.calls.model import DIRECTIONS, SIDES, STATES, Call
from appliance.csv_files import plain, quoted
from appliance.db import db

INSTANT, TEXT, NUMBER, SECONDS, COUNT, CAUSE = "instant", "text", "number", "seconds", "count", "cause"
COLUMNS: list[tuple[Any, Any, str | dict[str, Any]]] = [  # label, column of Call, kind (a dictionary: words on the screen)
    (_l("Start"), Call.started_at, INSTANT), (_l("End"), Call.ended_at, INSTANT), (_l("Direction"), Call.direction, DIRECTIONS),
    (_l("Result"), Call.state, STATES), (_l("Origin"), Call.from_number, NUMBER), (_l("Name of the origin"), Call.from_name, TEXT),
    (_l("Origin cost centre"), Call.from_cost_centre, TEXT), (_l("Called"), Call.to_number, NUMBER), (_l("Name called"), Call.to_name, TEXT),
    (_l("Received by"), Call.reached_number, NUMBER), (_l("Name of who received"), Call.reached_name, TEXT),
    (_l("Destination cost centre"), Call.to_cost_centre, TEXT), (_l("Trunk"), Call.trunk, TEXT), (_l("Wait"), Call.wait_seconds, SECONDS),
    (_l("Talk"), Call.talk_seconds, SECONDS), (_l("On hold"), Call.hold_seconds, SECONDS), (_l("Hung up by"), Call.hang_up_side, SIDES),
    (_l("Reason"), Call.cause, CAUSE), (_l("Protocol number"), Call.protocol, TEXT), (_l("Recordings"), Call.recording_count, COUNT),
]


def selected() -> list[Any]:
    """What is asked of the database for the columns: instants as text `2026-11-20 14:05:06…` in UTC, the rest as stored."""
    table = Call.__table__.c  # without the ORM, which would look at each statement again
    return [_as_text(table[column.key]) if kind == INSTANT else table[column.key] for _label, column, kind in COLUMNS]


def _as_text(column: Any) -> Any:
    if db.engine.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD HH24:MI:SS")
    return type_coerce(column, String)


def labels() -> list[str]:
    """The head of the file, in the language of this request or job."""
    return [str(label) for label, _column, _kind in COLUMNS]


class Words(dict[Any, str]):
    """Stored value → what is written; a value that comes for the first time is worked out and kept. Only for few different ones."""

    def __init__(self, known: dict[Any, str], work_out: Callable[[Any], str]) -> None:
        super().__init__(known)
        self.work_out = work_out

    def __missing__(self, value: Any) -> str:
        self[value] = self.work_out(value)
        return self[value]


def local_text(zone: str) -> Callable[[str | None], str]:
    """`2026-11-20 17:05:06…` in UTC → `20/11/2026 14:05:06` in the zone; the hour is worked out once, a file has millions."""
    hours = Words({}, lambda hour: f"{_local(hour, zone):%d/%m/%Y %H}")
    minutes = Words({}, lambda minute: f"{_local(f'{minute}:00', zone):%d/%m/%Y %H:%M}")  # for zones with half hours

    def by_hour(text: str | None) -> str:
        return hours[text[:13]] + text[13:19] if text else ""

    def by_minute(text: str | None) -> str:
        return minutes[text[:16]] + text[16:19] if text else ""

    return by_hour if all(_local(f"2026-{month:02}-01 00", zone).minute == 0 for month in range(1, 13)) else by_minute


def local_serial(zone: str) -> Callable[[str], float]:
    """The same as a spreadsheet counts: days since 1899-12-30, local."""
    hours: dict[str, float] = {}

    def serial(text: str) -> float:
        hour = text[:13]
        if hour not in hours:
            hours[hour] = (_local(hour, zone).replace(tzinfo=UTC) - datetime(1899, 12, 30, tzinfo=UTC)).total_seconds()
        return (hours[hour] + int(text[14:16]) * 60 + int(text[17:19])) / 86400

    return serial


def _local(text: str, zone: str) -> datetime:
    whole = text if len(text) > 13 else f"{text}:00:00"
    return datetime.fromisoformat(whole).replace(tzinfo=UTC).astimezone(ZoneInfo(zone))


@lru_cache(maxsize=4096)
def clock(seconds: int) -> str:
    """01:02:05, for files; a spreadsheet takes it for a duration."""
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest:02}"


def duration(seconds: int) -> str:
    """1:05 or 1:02:05, for people."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def telephone(number: str) -> str:
    """A number that a spreadsheet leaves as text: `(48) 99999-1234`; long or special ones in groups, never `5,5E+12`."""
    if number.isdigit() and number.isascii():
        if number.startswith("55") and len(number) in (12, 13):
            return f"({number[2:4]}) {number[4:-4]}-{number[-4:]}"
        if len(number) in (10, 11) and number[0] != "0":
            return f"({number[:2]}) {number[2:-4]}-{number[-4:]}"
        if len(number) <= 6 and number[0] != "0":
            return number  # an extension or a short code: a spreadsheet loses nothing of it
        return _grouped(number)
    return plain(number)


def _grouped(number: str) -> str:
    try:
        parsed = phonenumbers.parse(f"+{number}", None)
        if phonenumbers.is_possible_number(parsed) and not number.startswith("0"):
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL).removeprefix("+")
    except phonenumbers.NumberParseException:
        pass  # no country begins like this: groups of digits will do
    return " ".join(number[place:place + 4] for place in range(0, len(number), 4))


@lru_cache(maxsize=8192)
def cell(text: str) -> str:
    """A text as a cell: no formula, in quotes where it needs them."""
    return quoted(plain(text))


@lru_cache(maxsize=32768)
def telephone_cell(number: str) -> str:
    """A telephone as a cell; the usual ones by the shortest way."""
    if number[:2] == "55" and 12 <= len(number) <= 13 and number.isdigit() and number.isascii():
        return f"({number[2:4]}) {number[4:-4]}-{number[-4:]}"
    return quoted(telephone(number))
