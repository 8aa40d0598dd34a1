"""The call report as CSV (streamed) and XLSX (made by a job); both hold what COLUMNS says, in the order of time."""

import logging
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import xlsxwriter
from flask_babel import gettext as _
from xlsxwriter.worksheet import Worksheet

from appliance.calls import words
from appliance.reports import columns
from appliance.reports.asked import Asked
from appliance.reports.calls import Run, Search, piecewise, plainly
from appliance.reports.columns import CAUSE, COLUMNS, COUNT, INSTANT, NUMBER, SECONDS
from appliance.reports.model import MOST_SHEET_ROWS

log = logging.getLogger("bentevi.reports")
WIDTHS = {INSTANT: 18, SECONDS: 10, COUNT: 10, NUMBER: 19, CAUSE: 30}


def csv_pieces(asked: Asked) -> Iterator[bytes]:
    """The file in pieces: `;`, UTF-8 with BOM, CRLF, local times. The head leaves at once; memory holds one piece.

    Call it inside the application: words and database are looked up now. The pieces are read later, each in a transaction of its
    own, and need no application. After an error the last line is `#ERRO` with a code, because the answer has long begun.
    """
    head, cells = columns.labels(), [_cell_as_text(kind, asked.zone) for _label, _column, kind in COLUMNS]
    chosen, runs, code = columns.selected(), (piecewise(), plainly()), secrets.token_hex(3).upper()
    broken = _("#ERRO;The file is not complete. Ask for it again, or tell support this code: %(code)s", code=code)
    return _csv_pieces(asked, head, cells, chosen, runs, broken)


def _csv_pieces(asked: Asked, head: list[str], cells: list[Any], chosen: list[Any], runs: tuple[Run, Run], broken: str) -> Iterator[bytes]:
    yield ("\ufeff" + ";".join(head) + "\r\n").encode()
    try:
        for piece in Search(asked, *runs).pieces(*chosen):
            # Column by column: each cell is one call of a small function, most of them of a dictionary or a cache; the csv
            # module would look at every letter of every cell again and takes longer than all the rest.
            converted = [map(cell, values) for cell, values in zip(cells, list(zip(*piece, strict=True))[2:], strict=True)]
            yield ("\r\n".join(map(";".join, zip(*converted, strict=True))) + "\r\n").encode()
    except Exception:  # the edge: the answer has begun, so the file itself must say it
        log.exception("reports calls: %s", broken)
        yield (broken + "\r\n").encode()


def _cell_as_text(kind: str | dict[str, Any], zone: str) -> Callable[[Any], str]:
    """How a stored value is written: a whole cell, in quotes where it needs them."""
    if isinstance(kind, dict):
        return columns.Words({word: columns.cell(str(label)) for word, label in kind.items()}, columns.cell).__getitem__
    if kind == CAUSE:
        return columns.Words({code: columns.cell(words.cause(code)) for code in range(128)}, str).__getitem__  # now, in this language
    found: dict[str, Callable[[Any], str]] = {
        INSTANT: columns.local_text(zone), NUMBER: columns.telephone_cell, SECONDS: columns.clock, COUNT: str}
    return found.get(kind, columns.cell)


def write_xlsx(asked: Asked, path: Path, advance: Callable[[int], None]) -> int:
    """Write the sheet; how many calls it holds. `advance(rows)` is told after each piece and may raise to stop.

    Real dates and durations; every text is written as text, so no cell of it can be a formula or a link.
    """
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet(_("Calls"))
        formats = {INSTANT: book.add_format({"num_format": "dd/mm/yyyy hh:mm:ss"}), SECONDS: book.add_format({"num_format": "[hh]:mm:ss"})}
        bold = book.add_format({"bold": True, "bottom": 1})
        for index, (label, _column, kind) in enumerate(COLUMNS):
            sheet.set_column(index, index, WIDTHS.get(kind, 14) if isinstance(kind, str) and kind in WIDTHS else 16)
            sheet.write_string(0, index, str(label), bold)
        sheet.freeze_panes(1, 1)
        writers = [_cell_writer(sheet, kind, asked.zone, formats) for _label, _column, kind in COLUMNS]
        count = 0
        for piece in Search(asked, piecewise(), plainly()).pieces(*columns.selected()):
            for row in piece[:MOST_SHEET_ROWS - count]:
                count += 1
                for index, (write, value) in enumerate(zip(writers, row[2:], strict=True)):
                    if value is not None and value != "":
                        write(count, index, value)
            advance(count)
            if count >= MOST_SHEET_ROWS:
                break
        sheet.autofilter(0, 0, max(1, count), len(COLUMNS) - 1)
    return count


def _cell_writer(sheet: Worksheet, kind: str | dict[str, Any], zone: str, formats: dict[str, Any]) -> Callable[[int, int, Any], Any]:
    if isinstance(kind, dict):
        found = columns.Words({word: str(label) for word, label in kind.items()}, str)
        return lambda row, column, word: sheet.write_string(row, column, found[word])
    if kind == INSTANT:
        serial = columns.local_serial(zone)
        return lambda row, column, text: sheet.write_number(row, column, serial(text), formats[INSTANT])
    if kind == SECONDS:
        return lambda row, column, seconds: sheet.write_number(row, column, seconds / 86400, formats[SECONDS])
    if kind == COUNT:
        return sheet.write_number
    if kind == CAUSE:
        causes = columns.Words({}, words.cause)
        return lambda row, column, code: sheet.write_string(row, column, causes[code])
    if kind == NUMBER:
        return lambda row, column, number: sheet.write_string(row, column, columns.telephone(number))
    return sheet.write_string
