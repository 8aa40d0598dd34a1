"""Times of day, weekly hours and dated days: what people write, what it means, and the slots GotoIfTime is asked.

Everything is half-open: 18:00 is the first minute that is outside, and 24:00 ends a day. GotoIfTime counts its last minute in, so a slot
ends one minute earlier than the row says. A range that ends earlier than it begins passes midnight and belongs to the day it begins on.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import String
from werkzeug.datastructures import MultiDict

from appliance.fields import MISSING, Kind, Reader, Text, Words, is_plain
from appliance.links import Rows, part

WEEKDAYS = {"mon": _l("Mon"), "tue": _l("Tue"), "wed": _l("Wed"), "thu": _l("Thu"), "fri": _l("Fri"), "sat": _l("Sat"), "sun": _l("Sun")}
MONTHS = {
    "jan": _l("Jan"), "feb": _l("Feb"), "mar": _l("Mar"), "apr": _l("Apr"), "may": _l("May"), "jun": _l("Jun"), "jul": _l("Jul"),
    "aug": _l("Aug"), "sep": _l("Sep"), "oct": _l("Oct"), "nov": _l("Nov"), "dec": _l("Dec"),
}
DAY, NOON = 24 * 60, 12 * 60
WEEK = 7 * DAY
_DAYS = list(WEEKDAYS)


class TimeOfDay(Text):
    """A time of the day as 08:00, up to 24:00."""

    widget = "text"
    pattern = "([01]?[0-9]|2[0-4]):[0-5][0-9]"

    def __init__(self) -> None:
        super().__init__(5)

    def refine(self, text: str, reader: Reader) -> str | None:
        if not re.fullmatch(self.pattern, text) or (text.startswith("24") and text != "24:00"):
            return reader.refuse(_("“%(text)s” is not a time. Write it as 08:00; 24:00 ends the day.", text=text))
        return text.zfill(5)


class LocalTime(Kind):
    """A day and time as the company's clock shows it, 2026-12-25 00:00. Kept as written, so that midnight stays midnight in any zone."""

    widget = "datetime"

    def column(self) -> Any:
        return String(16)

    def read(self, value: Any, reader: Reader) -> str | None:
        text = str(value).strip().replace("T", " ") if is_plain(value) else ""
        found = re.fullmatch(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2})(?::00)?", text, re.ASCII)
        try:
            if found and found[2] == "24:00":
                return f"{datetime.fromisoformat(found[1]) + timedelta(days=1):%Y-%m-%d %H:%M}"
            if found:
                return f"{datetime.fromisoformat(f'{found[1]} {found[2]}'):%Y-%m-%d %H:%M}"
        except (ValueError, OverflowError):
            return reader.refuse(_("There is no such day or time: %(value)s.", value=text))
        return reader.refuse(_("Write a day and a time as 2026-12-25 00:00."))

    def text(self, stored: Any) -> str:
        return f"{datetime.fromisoformat(stored):%d/%m/%Y %H:%M}" if stored else ""

    def from_form(self, form: MultiDict[str, str], name: str) -> Any:
        text = form.get(name, MISSING)
        return text.replace("T", " ") if isinstance(text, str) else text


def minutes(text: str) -> int:
    """Minutes since midnight of 08:00."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def clock(minute: int) -> str:
    """08:00 of minutes since midnight."""
    return f"{minute // 60:02}:{minute % 60:02}"


# ---------------------------------------------------------------------------------------------------- ranges of a week


def range_problem(start: str, end: str) -> str:
    """What is wrong with a range of a day, "" when nothing is."""
    begins, ends = minutes(start), minutes(end)
    if begins == ends:
        return _("From %(start)s to %(end)s is no time at all. Write 00:00 to 24:00 for the whole day.", start=start, end=end)
    if begins == DAY:
        return _("A range begins before 24:00; write 00:00 and the next day.")
    if ends < begins and not (begins >= NOON and ends <= NOON):
        return _("%(end)s is before %(start)s. A range that passes midnight begins at 12:00 or later and ends by 12:00 of the next day.",
                 start=start, end=end)
    return ""


@dataclass(frozen=True)
class Stretch:
    """A stretch of one weekday (0 Monday), in minutes since its midnight; `end` is the first minute that is outside."""

    day: int
    start: int
    end: int


def stretches(lines: Iterable[dict[str, Any]], longer_minutes: int = 0) -> list[Stretch]:
    """The week of some lines, in order, each stretch inside one day; each range `longer_minutes` longer at its end."""
    taken = bytearray(WEEK)
    for line in lines:
        start, end = minutes(line["start"]), minutes(line["end"])
        length = min((end - start if end > start else end + DAY - start) + longer_minutes, WEEK)
        for day in line["weekdays"]:
            begin = _DAYS.index(day) * DAY + start
            for minute in range(begin, begin + length):
                taken[minute % WEEK] = 1
    return [Stretch(day, start, end) for day in range(7) for start, end in _runs(taken[day * DAY:(day + 1) * DAY])]


def _runs(taken: bytearray) -> Iterator[tuple[int, int]]:
    """(first, first after) of each run of ones."""
    for found in re.finditer(b"\x01+", bytes(taken)):
        yield found.start(), found.end()


def covers(lines: Iterable[dict[str, Any]], at: datetime, longer_minutes: int = 0) -> bool:
    """Whether a moment of the company's clock is inside."""
    minute = at.hour * 60 + at.minute
    return any(one.day == at.weekday() and one.start <= minute < one.end for one in stretches(lines, longer_minutes))


def overlap(lines: list[dict[str, Any]]) -> tuple[int, str] | None:
    """(index, weekday) of the first line that takes minutes of an earlier one; None when none does."""
    taken: set[int] = set()
    for index, line in enumerate(lines):
        own = {one.day * DAY + minute for one in stretches([line]) for minute in range(one.start, one.end)}
        both = taken & own
        if both:
            return index, _DAYS[min(both) // DAY]
        taken |= own
    return None


class Periods(Rows):
    """The ranges of a week: [{weekdays: [mon, tue], start: "08:00", end: "18:00"}]."""

    def __init__(self) -> None:
        super().__init__({
            "weekdays": part(Words(WEEKDAYS), _l("Weekdays"), help=_l("Days the range is for. One that passes midnight belongs to the day it begins on.")),
            "start": part(TimeOfDay(), _l("Start"), example="08:00", help=_l("The first minute that is inside.")),
            "end": part(TimeOfDay(), _l("End"), example="18:00", help=_l(
                "The first minute that is outside again. 24:00 is the end of the day; earlier than the beginning, it is of the next day.")),
        }, _l("range"), most=50)

    def read(self, value: Any, reader: Reader) -> list[dict[str, Any]] | None:
        before = len(reader.problems)
        found = super().read(value, reader)
        if found is None or len(reader.problems) > before:
            return found
        for index, line in enumerate(found):
            problem = range_problem(line["start"], line["end"])
            if problem:
                reader.at(index).at("end").refuse(problem)
        clash = overlap(found) if len(reader.problems) == before else None
        if clash:
            reader.at(clash[0]).at("start").refuse(
                _("On %(day)s this range overlaps another one. Join the two, or change one of them.", day=WEEKDAYS[clash[1]]))
        return found

    def text(self, stored: Any) -> str:
        return ", ".join(told(line) for line in stored or [])


def told(line: dict[str, Any]) -> str:
    """A range in a few words: Mon–Fri 08:00–18:00."""
    return f"{days_told(line['weekdays'])} {line['start']}–{line['end']}"


def days_told(days: list[str]) -> str:
    """Mon–Fri, Sun: neighbours joined, in the order of the week."""
    found: list[list[int]] = []
    for place in sorted(_DAYS.index(day) for day in days):
        if found and found[-1][-1] == place - 1:
            found[-1].append(place)
        else:
            found.append([place])
    names = list(WEEKDAYS.values())
    return ", ".join(str(names[run[0]]) if len(run) == 1 else f"{names[run[0]]}–{names[run[-1]]}" for run in found)


def working_days() -> list[dict[str, Any]]:
    """What a new record begins with."""
    return [{"weekdays": _DAYS[:5], "start": "08:00", "end": "18:00"}]


# ------------------------------------------------------------------------------------------------- slots of GotoIfTime


@dataclass(frozen=True)
class Slot:
    """The arguments of one GotoIfTime, and the year it holds in ("" for every year)."""

    times: str
    weekdays: str = "*"
    monthdays: str = "*"
    months: str = "*"
    year: str = ""


def weekly_slots(lines: Iterable[dict[str, Any]], longer_minutes: int = 0) -> list[Slot]:
    """As few slots as the week needs: the same stretch of several days is one."""
    days: dict[tuple[int, int], list[str]] = {}
    for one in stretches(lines, longer_minutes):
        days.setdefault((one.start, one.end), []).append(_DAYS[one.day])
    return [Slot(_times(start, end), "*" if len(names) == 7 else "&".join(names)) for (start, end), names in days.items()]


def _times(start: int, end: int) -> str:
    return f"{clock(start)}-{clock(end - 1)}"


def dated_slots(start: datetime, end: datetime, every_year: bool) -> list[Slot]:
    """The days from `start` until before `end`: the broken first and last day, whole days of one month together.

    Of every year: the row's own year may have no 29 February, between the 28th and 1 March, and another one has it.
    """
    found: list[Slot] = []
    day = start
    while day < end:
        midnight = day.replace(hour=0, minute=0) + timedelta(days=1)
        first = day.hour * 60 + day.minute
        last = DAY if midnight <= end else end.hour * 60 + end.minute
        year = "" if every_year else str(day.year)
        _add_day(found, Slot(_times(first, last), monthdays=str(day.day), months=list(MONTHS)[day.month - 1], year=year))
        if every_year and (day.month, day.day, midnight.day) == (2, 28, 1) and midnight < end:
            _add_day(found, Slot(_times(0, DAY), monthdays="29", months="feb"))
        day = midnight
    return found


def _add_day(found: list[Slot], slot: Slot) -> None:
    """A day more, as part of the slot before it when both are whole days of one month."""
    before = found[-1] if found else None
    if before and slot.times == before.times == _times(0, DAY) and (before.months, before.year) == (slot.months, slot.year):
        found[-1] = replace(before, monthdays=f"{before.monthdays.split('-')[0]}-{slot.monthdays}")
    else:
        found.append(slot)
