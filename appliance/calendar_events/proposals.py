"""Holidays of a year, to be taken over as events: those of the country and of the company's state, and the days many firms close (HRS-07)."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

import holidays
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from appliance.calendar_events.model import CalendarEvent
from appliance.company.model import Company
from appliance.db import db
from appliance.errors import Refused
from appliance.numbers import AREA_CODES
from appliance.resource import SINGLE_ID, TABLE

NATIONAL, STATE, OPTIONAL = "national", "state", "optional"
KINDS = {NATIONAL: _l("national holiday"), STATE: _l("holiday of the state"), OPTIONAL: _l("closed by custom")}
STATES = sorted(set(AREA_CODES.values()))
LANGUAGES = {"pt_BR": "pt_BR", "en": "en_US"}
FIRST_YEAR, LAST_YEAR = 2000, 2099


@dataclass(frozen=True)
class Holiday:
    """A holiday, or neighbouring days of one name. `event` is the one that was taken over already."""

    first: date
    days: int
    name: str
    kind: str
    event: CalendarEvent | None = None

    @property
    def title(self) -> str:
        """The name of its event."""
        return f"{self.name[:74]} {self.first.year}"


def home_state() -> str:
    """The state of the company's area code, "" when there is none."""
    company = db.session.get(Company, SINGLE_ID)
    return AREA_CODES.get(company.area_code, "") if company else ""


def of_year(year: int, state: str, language: str = "pt_BR") -> list[Holiday]:
    """In the order of the year; a day that is a holiday of the country and the state is the country's."""
    said: dict[str, Any] = {"language": LANGUAGES.get(language, "pt_BR"), "years": year}
    country = holidays.country_holidays("BR", **said)
    found = {day: (name, NATIONAL) for day, name in country.items()}
    if state:
        for day, name in holidays.country_holidays("BR", subdiv=state, **said).items():
            found.setdefault(day, (name, STATE))
    optional = holidays.country_holidays("BR", subdiv=state or None, categories=("optional",), **said)
    for day, name in optional.items():
        found.setdefault(day, (name, OPTIONAL))
    return _taken(_joined(found))


def _joined(days: dict[date, tuple[str, str]]) -> list[Holiday]:
    """Neighbouring days of one name are one: Carnival."""
    made: list[Holiday] = []
    for day, (name, kind) in sorted(days.items()):
        last = made[-1] if made else None
        if last and (last.name, last.kind) == (name, kind) and last.first + timedelta(days=last.days) == day:
            made[-1] = Holiday(last.first, last.days + 1, name, kind)
        else:
            made.append(Holiday(day, 1, name, kind))
    return made


def _taken(found: list[Holiday]) -> list[Holiday]:
    """With the event of each that was taken over: the one of its days. Its name follows the language of whoever took it over, and may have
    been changed since."""
    events = list(db.session.scalars(select(CalendarEvent).order_by(CalendarEvent.id)))
    return [replace(one, event=next((row for row in events if _is_of(row, one)), None)) for one in found]


def _is_of(row: CalendarEvent, one: Holiday) -> bool:
    """Whether an event is a holiday's: it begins or ends with it and is not a day longer at its other end than it. One that returns every
    year is asked in the holiday's year."""
    begins, ends = row.period
    first = datetime.combine(one.first, time())
    last = first + timedelta(days=one.days)
    if row.every_year:
        try:
            begins, ends = begins.replace(year=first.year), ends.replace(year=first.year + ends.year - begins.year)
        except ValueError:  # 29 February, in a year without one
            return False
    day = timedelta(days=1)
    return (begins == first and first < ends <= last + day) or (ends == last and first - day <= begins < last)


def take(year: int, state: str, days: Collection[str], values: dict[str, Any], language: str = "pt_BR") -> list[CalendarEvent]:
    """Make events of the holidays that begin on these days (2027-01-01), each with `values` (queues, ivrs, prompt, destination).

    One that was taken over before stays as it is. Raises Refused when nothing is chosen, or for a value that does not fit.
    """
    chosen = [one for one in of_year(year, state, language) if one.first.isoformat() in days and one.event is None]
    if not chosen:
        raise Refused(_("Tick at least one holiday that is not among the events yet."), field="days")
    if not values.get("queues") and not values.get("ivrs"):
        raise Refused(_("Choose at least one queue or IVR that is closed on these days."), field="queues")
    made = []
    for one in chosen:
        end = one.first + timedelta(days=one.days)
        made.append(TABLE["calendar_events"].create({"name": one.title, "start": f"{one.first} 00:00", "end": f"{end} 00:00"} | values))
    return made


def waiting(today: date) -> tuple[int, int]:
    """(year, public holidays of it that are still to come and no event): this year's, from November on the next one's; (0, 0) for none."""
    for year in ([today.year + 1] if today.month >= 11 else []) + [today.year]:
        open_ones = [one for one in of_year(year, home_state()) if one.kind != OPTIONAL and one.event is None and one.first >= today]
        if open_ones:
            return year, len(open_ones)
    return 0, 0
