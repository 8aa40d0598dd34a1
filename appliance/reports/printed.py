"""The call report for printing: HTML that a PDF is made of. The print layout lies in pdf/."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from flask_babel import gettext, ngettext

from appliance.calls import words
from appliance.calls.model import DIRECTIONS, STATES, Call
from appliance.company.model import Company
from appliance.db import db
from appliance.numbers import pretty
from appliance.reports import asked as asking
from appliance.reports import chart
from appliance.reports.asked import Asked
from appliance.reports.calls import OVER, Run, Search
from appliance.reports.columns import clock, duration
from appliance.reports.model import MOST_PDF_ROWS, refuse_long
from appliance.resource import SINGLE_ID

LAYOUT = Path(__file__).parent / "pdf"
COLUMNS = [getattr(Call, name) for name in (
    "started_at", "direction", "state", "from_number", "from_name", "to_number", "to_name", "reached_number", "reached_name", "wait_seconds",
    "talk_seconds")]


def html(asked: Asked, typed: dict[str, str], run: Run, *, kind: str, by: str, at: datetime) -> tuple[str, int]:
    """(page, number of calls): head, filters, totals, chart; the list of calls unless only a summary (`pdf_summary`) is asked.

    Raises Refused when the list would be too long: the search may have grown since it was asked for.
    """
    search = Search(asked, run)
    sums = search.sums()
    refuse_long(kind, sums.call_count)
    lists = kind == "pdf"
    calls = [row[2:] for piece in search.pieces(*COLUMNS) for row in piece] if lists else []
    company, zone = db.session.get(Company, SINGLE_ID), ZoneInfo(asked.zone)
    bars = chart.bars(sums.hours, asked)
    return environment().get_template("calls.html").render(
        company=company.name if company else "", filters=asking.told(asked, typed), sums=sums, bars=bars, svg=chart.svg(bars),
        states=[(STATES[state], sums.states[state]) for state in OVER], directions=[(label, sums.directions[word]) for word, label in DIRECTIONS.items()],
        calls=[_line(row, zone) for row in calls], lists=lists, by=by, at=f"{at.astimezone(zone):%d/%m/%Y %H:%M}", duration=duration, clock=clock,
        most=MOST_PDF_ROWS, css=(LAYOUT / "calls.css").read_text(), period=_period(asked, zone),
    ), sums.call_count


def _period(asked: Asked, zone: ZoneInfo) -> str:
    return f"{asked.start.astimezone(zone):%d/%m/%Y %H:%M} – {asked.end.astimezone(zone):%d/%m/%Y %H:%M}"


def _line(row: Any, zone: ZoneInfo) -> dict[str, Any]:
    """One call as the list shows it."""
    (started_at, direction, state, from_number, from_name, to_number, to_name, reached_number, reached_name, wait, talk) = row
    same = reached_number in ("", to_number)
    return {
        "at": f"{started_at.astimezone(zone):%d/%m/%Y %H:%M:%S}", "direction": DIRECTIONS.get(direction, direction),
        "state": STATES.get(state, state), "from": words.party(from_name, from_number), "to": words.party(to_name, to_number),
        "reached": "" if same else words.party(reached_name, reached_number), "wait": duration(wait), "talk": duration(talk) if talk else "–",
    }


def environment() -> jinja2.Environment:
    """Templates of pages that are printed."""
    found = jinja2.Environment(loader=jinja2.FileSystemLoader(LAYOUT), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                               lstrip_blocks=True, extensions=["jinja2.ext.i18n"])
    found.install_gettext_callables(gettext, ngettext, newstyle=False)  # type: ignore[attr-defined]
    found.filters["thousands"] = lambda count: f"{count:,}".replace(",", ".")
    found.filters["phone"] = pretty
    return found
