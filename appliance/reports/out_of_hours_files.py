"""The report of calls out of hours as CSV (streamed), XLSX and HTML for a PDF: the lines of the page, newest first."""

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from appliance.calls.model import ANSWERED, STATES
from appliance.calls.words import party
from appliance.company.model import Company
from appliance.db import db
from appliance.reports import columns, out_of_hours
from appliance.reports.calls import Run, piecewise
from appliance.reports.model import MOST_SHEET_ROWS, PDF, refuse_long
from appliance.reports.out_of_hours import DOORS, RULES, Search
from appliance.reports.printed import LAYOUT, environment
from appliance.resource import SINGLE_ID

log = logging.getLogger("bentevi.reports")
TITLE = _l("Calls out of hours")
COLUMNS = (_l("Date and time"), _l("From"), _l("Name"), _l("Called number"), _l("Queue or IVR"), _l("Rule"), _l("Kind of rule"), _l("Result"), _l("Received by"),
           _l("Protocol number"))


def _cells(row: Any, telephone: Callable[[str], str], words: dict[str, str]) -> list[str]:
    """A row of Search.pieces as texts in the order of COLUMNS, without its instant."""
    word, name, detail, number, caller, called, state, reached_number, reached_name, protocol = row[2:]
    return [telephone(number), caller, telephone(called), out_of_hours.door_name(detail), name, words.get(word, word), words.get(state, state),
            f"{reached_number} {reached_name}".strip(), protocol]


def _words() -> dict[str, str]:
    return {word: str(label) for table in (RULES, STATES) for word, label in table.items()}


def csv_pieces(search: Search) -> Iterator[bytes]:
    """Every line, as the call report's file is written. Call it inside the application; the pieces are read later."""
    code = secrets.token_hex(3).upper()
    broken = _("#ERRO;The file is not complete. Ask for it again, or tell support this code: %(code)s", code=code)
    head = ";".join(columns.cell(str(label)) for label in COLUMNS)
    return _csv_pieces(search, head, _words(), columns.local_text(search.asked.zone), piecewise(), broken)


def _csv_pieces(search: Search, head: str, words: dict[str, str], local: Any, run: Run, broken: str) -> Iterator[bytes]:
    yield f"\ufeff{head}\r\n".encode()
    try:
        for rows in search.pieces(run):
            for row in rows:
                cells = [local(f"{row[0]:%Y-%m-%d %H:%M:%S}"), *map(columns.cell, _cells(row, columns.telephone, words))]
                yield (";".join(cells) + "\r\n").encode()
    except Exception:  # the edge: the answer has begun, so the file itself must say it
        log.exception("reports out_of_hours: %s", broken)
        yield (broken + "\r\n").encode()


def write_xlsx(search: Search, path: Path, advance: Callable[[int], None]) -> int:
    """Write the sheet; how many lines it holds. Real dates; no cell can be a formula. `advance(rows)` may raise to stop."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    words, serial, count = _words(), columns.local_serial(search.asked.zone), 0
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet(str(TITLE)[:31])
        bold, instant = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "dd/mm/yyyy hh:mm:ss"})
        sheet.set_column(0, len(COLUMNS) - 1, 19)
        for place, label in enumerate(COLUMNS):
            sheet.write_string(0, place, str(label), bold)
        sheet.freeze_panes(1, 1)
        for rows in search.pieces(piecewise()):
            for row in rows[:MOST_SHEET_ROWS - count]:
                count += 1
                sheet.write_number(count, 0, serial(f"{row[0]:%Y-%m-%d %H:%M:%S}"), instant)
                for place, text in enumerate(_cells(row, columns.telephone, words), 1):
                    sheet.write_string(count, place, text)
            advance(count)
            if count >= MOST_SHEET_ROWS:
                break
        sheet.autofilter(0, 0, max(1, count), len(COLUMNS) - 1)
    return count


def html(search: Search, typed: dict[str, str], run: Run, *, kind: str, by: str, at: datetime) -> tuple[str, int]:
    """(page, number of lines): head, filters, totals, how many calls each rule turned away from each door; the list unless only a summary
    is asked. Raises Refused when the list would be too long: the search may have grown since it was asked for."""
    sums = search.sums(run)
    refuse_long(kind, sums.line_count)
    company, zone, words = db.session.get(Company, SINGLE_ID), ZoneInfo(search.asked.zone), _words()
    counts, answered, lines = Counter[tuple[str, str]](), Counter[tuple[str, str]](), []
    for rows in search.pieces(run):
        for row in rows:
            word, name, detail, number, caller, _called, state, reached_number, reached_name, protocol = row[2:]
            place = f"{DOORS.get(detail.get('door', ''), '')} {out_of_hours.door_name(detail)}".strip(), name
            counts[place] += 1
            answered[place] += state == ANSWERED
            if kind == PDF:
                lines.append({"at": f"{row[0].astimezone(zone):%d/%m/%Y %H:%M:%S}", "from": party(caller, number), "door": place[0], "rule": name,
                              "kind": words.get(word, word), "state": words.get(state, state),
                              "reached": party(reached_name, reached_number) if reached_number else "", "protocol": protocol})
    period = f"{search.asked.start.astimezone(zone):%d/%m/%Y %H:%M} – {search.asked.end.astimezone(zone):%d/%m/%Y %H:%M}"
    return environment().get_template("out_of_hours.html").render(
        company=company.name if company else "", title=TITLE, filters=out_of_hours.told(search, typed), sums=sums, lines=lines, period=period, by=by,
        doors=[(*place, count, answered[place]) for place, count in sorted(counts.items())], at=f"{at.astimezone(zone):%d/%m/%Y %H:%M}",
        css=(LAYOUT / "calls.css").read_text(),
    ), sums.line_count
