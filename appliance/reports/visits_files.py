"""The reports about queues and IVRs as CSV (streamed), XLSX and HTML for a PDF: the rows and the total of the page."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter
from flask_babel import lazy_gettext as _l

from appliance.company.model import Company
from appliance.db import db
from appliance.reports import columns as cells
from appliance.reports import visits, visits_asked
from appliance.reports.calls import Run
from appliance.reports.chart import Bar, svg
from appliance.reports.model import IVRS, QUEUES
from appliance.reports.printed import LAYOUT, environment
from appliance.reports.visits import COUNT, SHARE, Line, Search
from appliance.reports.visits_asked import BY_DAY, BY_HOUR, GROUPINGS, VisitsAsked
from appliance.resource import SINGLE_ID

TITLES = {QUEUES: _l("Queue report"), IVRS: _l("IVR report")}
DAY_MS = 86_400_000


def csv_pieces(asked: VisitsAsked, run: Run) -> Iterator[bytes]:
    """The file line by line: `;`, UTF-8 with BOM, CRLF, decimal commas. Everything is asked of the database before the first piece."""
    lines = Search(asked, run).lines()
    shown, write = visits.columns(asked), visits.written(asked, in_file=True)
    head = [str(visits.HEADS[asked.by]), *(f"{label} (%)" if kind == SHARE and "%" not in str(label) else str(label) for _n, label, kind, _h in shown)]

    def text(line: Line) -> bytes:
        values = [_csv_value(write, kind, line.figures.shown(name)) for name, _label, kind, _help in shown]
        return (";".join([cells.cell(line.label), *values]) + "\r\n").encode()

    def pieces() -> Iterator[bytes]:
        yield ("\ufeff" + ";".join(map(cells.cell, head)) + "\r\n").encode()
        yield from map(text, lines)
        if lines:
            yield text(whole)

    whole = visits.total(lines)
    return pieces()


def _csv_value(write: Callable[[str, Any], str], kind: str, value: Any) -> str:
    """A spreadsheet reads no dash and no point of thousands as a number."""
    return "" if value is None else str(value) if kind == COUNT else write(kind, value)


def write_xlsx(asked: VisitsAsked, path: Path, run: Run) -> int:
    """Write the sheet; how many rows it holds. Counts, percentages and times are numbers; no cell can be a formula."""
    lines, shown = Search(asked, run).lines(), visits.columns(asked)
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet(str(GROUPINGS[asked.what][asked.by])[:31])
        time = "[hh]:mm:ss.000" if asked.what == IVRS else "[hh]:mm:ss"
        shapes = {COUNT: "#,##0", SHARE: '0.0"%"'}
        formats = [{bold: book.add_format({"num_format": shapes.get(kind, time), "bold": bold}) for bold in (False, True)} for _n, _l, kind, _h in shown]
        bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True})
        sheet.set_column(0, 0, 30)
        sheet.set_column(1, len(shown), 14)
        for place, label in enumerate([visits.HEADS[asked.by], *(label for _n, label, _k, _h in shown)]):
            sheet.write_string(0, place, str(label), bold)
        for number, line in enumerate([*lines, visits.total(lines)] if lines else [], 1):
            is_total = number > len(lines)
            sheet.write_string(number, 0, line.label, book.add_format({"bold": is_total}))
            for place, (name, _label, kind, _help) in enumerate(shown, 1):
                value = line.figures.shown(name)
                if value is not None:
                    sheet.write_number(number, place, value if kind in (COUNT, SHARE) else value / DAY_MS, formats[place - 1][is_total])
        sheet.freeze_panes(1, 1)
    return len(lines)


def html(asked: VisitsAsked, typed: dict[str, str], run: Run, *, by: str, at: datetime) -> tuple[str, int]:
    """(page, number of rows) for the printer: head, filters, chart of days and hours, the table with its total."""
    lines = Search(asked, run).lines()
    company, zone = db.session.get(Company, SINGLE_ID), ZoneInfo(asked.zone)
    shown, write = visits.columns(asked), visits.written(asked)
    period = f"{asked.start.astimezone(zone):%d/%m/%Y %H:%M} – {asked.end.astimezone(zone):%d/%m/%Y %H:%M}"
    return environment().get_template("visits.html").render(
        company=company.name if company else "", title=TITLES[asked.what], grouping=GROUPINGS[asked.what][asked.by], head=visits.HEADS[asked.by],
        filters=visits_asked.told(asked, typed), columns=shown, write=write, lines=lines, total=visits.total(lines), period=period, by=by,
        svg=drawing(asked, lines), at=f"{at.astimezone(zone):%d/%m/%Y %H:%M}", css=(LAYOUT / "calls.css").read_text(),
    ), len(lines)


def drawing(asked: VisitsAsked, lines: list[Line]) -> Any:
    """Offered calls per day or hour, the answered ones below; nothing for names, which have no order of time."""
    if asked.by not in (BY_DAY, BY_HOUR) or not any(line.figures.offered_count for line in lines):
        return ""
    letters = len("31/12") if asked.by == BY_DAY else None
    return svg([Bar(line.label[:letters], line.figures.offered_count, line.figures.answered_count) for line in lines])
