"""CSV files as spreadsheets write them: bytes → rows with line numbers and problems; text → cells no spreadsheet spoils. Knows no rows of ours.

    sheet = csv_files.read(path.read_bytes(), most_rows=100_000)     # Refused: not a CSV file at all, too large, empty
    column = sheet.find("number", "número", "telefone")              # index of the first column headed like this, or None
    for line, cells in sheet.rows:                                   # line: where the row begins in the file, from 1
        why = csv_files.damage(cells[column])                        # "": fine; else what the spreadsheet did, and the way out
        text = csv_files.text_of(cells[column])                      # the value: ="0123" and '0123 are 0123, spaces around are gone
    sheet.faults                                                     # lines that cannot be read (too many cells, an open quote)

`head=False` reads a plain list without a head (columns are then "1", "2" …). Lines of `faults` are not in `rows`, blank lines in
neither. Reading 100,000 short lines takes less than a second and some 60 MB.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as attribute

from flask_babel import gettext as _

from appliance.errors import Refused

LARGEST_BYTES = 20_000_000
MOST_ROWS = 20_000
MOST_COLUMNS = 200
LONGEST_CELL = 100_000  # characters
SEPARATORS = ";\t,"
FORMULA = frozenset("=+-@\t\r\n")  # a spreadsheet takes a cell that begins with one of these for a formula


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: line of the file (from 1), heading of the column ("" for the whole line), and what to do."""

    line: int
    column: str
    text: str


@dataclass
class Sheet:
    """What a file holds. `head`: the headings as written; each row has as many cells, as written (see text_of and damage)."""

    head: list[str]
    rows: list[tuple[int, list[str]]] = attribute(default_factory=list)
    faults: list[Fault] = attribute(default_factory=list)
    encoding: str = ""
    separator: str = ""

    def find(self, *names: str) -> int | None:
        """The first column headed like one of the names, whatever case, accents and signs."""
        wanted = {folded(name) for name in names} - {""}
        return next((index for index, heading in enumerate(self.head) if folded(heading) in wanted), None)


def folded(text: str) -> str:
    """A heading without case, accents and signs: “Máscara (DID)” and “mascara_did” are the same."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


# ------------------------------------------------------------------------------------------------------------- reading


def read(content: bytes, *, head: bool = True, most_rows: int = MOST_ROWS, largest_bytes: int = LARGEST_BYTES) -> Sheet:
    """The rows of a file: UTF-8 (with or without BOM), cp1252 or UTF-16; `;`, tab or comma; quoted cells may hold line breaks.

    Raises Refused, in words for a person, when the file as a whole cannot be used.
    """
    if len(content) > largest_bytes:
        raise Refused(_("The file has %(size)s MB; at most %(most)s MB are read. Split it into several files.",
                        size=f"{len(content) / 1e6:.1f}", most=largest_bytes // 1_000_000))
    text, encoding = decode(content)
    hint = re.match(r'"?sep=([;,\t])"?\r?\n', text)  # a line some programs write for Excel
    skipped, separator = 0, hint[1] if hint else _separator(text)
    if hint:
        text, skipped = text[hint.end():], 1
    records, faults = _records(text, separator, skipped, most_rows + 1)
    if not records and not faults:
        raise Refused(_("The file is empty."))
    if head and not records:
        raise Refused(_("line %(line)s: %(text)s", line=faults[0].line, text=faults[0].text))
    if records and records[-1][1][0] == BROKEN:
        raise Refused(_("The export of this file broke off in the middle. Export it again."))
    headings = _headings(records.pop(0)[1]) if head else [str(number) for number in range(1, max(len(cells) for _line, cells in records) + 1)]
    if not records and not faults:
        raise Refused(_("The file has a head and no row below it."))
    if len(records) > most_rows:
        raise Refused(_("The file has more than %(most)s rows. Split it into several files.", most=f"{most_rows:,}".replace(",", ".")))
    if len(headings) > MOST_COLUMNS:
        raise Refused(_("The file has more than %(most)s columns.", most=MOST_COLUMNS))
    sheet = Sheet(headings, faults=faults, encoding=encoding, separator=separator)
    for line, cells in records:
        _take(sheet, line, cells, exact=head)
    sheet.faults.sort(key=lambda fault: fault.line)
    return sheet


def decode(content: bytes) -> tuple[str, str]:
    """(text, encoding) of a text file. Raises Refused for what is no text."""
    for magic, what in ((b"PK\x03\x04", "XLSX"), (b"\xd0\xcf\x11\xe0", "XLS"), (b"%PDF", "PDF")):
        if content.startswith(magic):
            raise Refused(_("This is a %(what)s file. Open it in the spreadsheet program and save it as CSV (UTF-8).", what=what))
    encoding = "utf-8-sig"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif content[:1000].count(0) > len(content[:1000]) // 4:  # UTF-16 without its mark: every other byte of plain letters is zero
        encoding = "utf-16-le" if content[:2].endswith(b"\0") else "utf-16-be"
    elif b"\0" in content:
        raise Refused(_("This is not a text file. Save it as CSV (UTF-8)."))
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError as why:
        line = content[:why.start].count(b"\n") + 1
        if encoding != "utf-8-sig":
            raise Refused(_("line %(line)s: %(text)s", line=line, text=_("these signs cannot be read. Save the file as CSV (UTF-8)."))) from why
        if re.search(rb"\xc3[\x80-\xbf]", content):  # Ã and a sign: letters of UTF-8 in the same file
            raise Refused(_("line %(line)s: %(text)s", line=line, text=_("The file mixes two encodings. Save it as CSV (UTF-8)."))) from why
    try:
        return content.decode("cp1252"), "cp1252"
    except UnicodeDecodeError as why:
        line = content[:why.start].count(b"\n") + 1
        raise Refused(_("line %(line)s: %(text)s", line=line, text=_("these signs cannot be read. Save the file as CSV (UTF-8)."))) from why


def _separator(text: str) -> str:
    """What stands most often between the headings."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    outside = re.sub(r'"[^"]*"', "", first)
    return max(SEPARATORS, key=lambda sign: (outside.count(sign), -SEPARATORS.index(sign)))


def _records(text: str, separator: str, skipped: int, most: int) -> tuple[list[tuple[int, list[str]]], list[Fault]]:
    """(line, cells) of each record that is not blank, at most one more than `most`, and what could not be read."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records: list[tuple[int, list[str]]] = []
    faults: list[Fault] = []
    while len(records) <= most:
        line = skipped + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as why:
            faults.append(Fault(line, "", _broken(why)))
            continue
        if any(cell and not cell.isspace() for cell in cells):
            records.append((line, cells))
    return records, faults


def _broken(why: csv.Error) -> str:
    if "field larger" in str(why):
        return _("A cell is longer than %(most)s signs; perhaps a quotation mark is never closed.", most=LONGEST_CELL)
    return _("A quotation mark (\") is opened and not closed before the next separator. Write two (\"\") for one inside a text.")


def _headings(cells: list[str]) -> list[str]:
    headings = [text_of(cell.lstrip("\ufeff")) for cell in cells]
    while headings and not headings[-1]:
        headings.pop()
    return [heading or _("column %(number)s", number=number) for number, heading in enumerate(headings, 1)]


def _take(sheet: Sheet, line: int, cells: list[str], exact: bool) -> None:
    """A record with one cell per heading; empty ones beyond the head do not count."""
    wanted = len(sheet.head)
    while len(cells) > wanted and not cells[-1].strip():
        cells.pop()
    if len(cells) > wanted:
        sheet.faults.append(Fault(line, "", _("The line has %(count)s cells, the head has %(wanted)s. A text with a separator in it must stand "
                                              "in quotation marks.", count=len(cells), wanted=wanted)))
    elif len(cells) < wanted and exact:
        sheet.faults.append(Fault(line, "", _("The line has %(count)s cells, the head has %(wanted)s. A separator is missing, or a line break "
                                              "stands outside quotation marks.", count=len(cells), wanted=wanted)))
    else:
        sheet.rows.append((line, cells + [""] * (wanted - len(cells))))


# --------------------------------------------------------------------------------------------------------------- cells


_EXPONENT = re.compile(r"[+-]?\d+(?:[.,]\d*)?\s?[eE][+-]\d{1,3}")
_ERROR = re.compile(r"#(?:N/[AD]|N[OÚU]ME?\?|NAME\?|REF!|VALOR!|VALUE!|DIV/0!|N[ÚU]M!|NULL?O?!|####+)")
BROKEN = "#ERRO"  # first cell of the last line of a file whose export broke off
_GUARDED = FORMULA | frozenset("'0123456789")


def text_of(cell: str) -> str:
    """The value of a cell: what protects it from the spreadsheet (`="0123"`, `'0123`) and spaces around it are taken off."""
    text = cell.strip()  # also the space that does not break, which comes with copies from web pages
    if text[:1] == "'" and text[1:2] and text[1] in _GUARDED:
        return text[1:]
    if text[:2] == '="' and text[-1:] == '"' and len(text) > 2:
        return text[2:-1].replace('""', '"')
    return text


def damage(cell: str) -> str:
    """What a spreadsheet did to the cell so that its value is lost, with the way out; "" when nothing."""
    text = cell.strip()
    if _EXPONENT.fullmatch(text):
        return _("“%(text)s” is a number the spreadsheet has shortened; its digits are lost. Format the column as text, write the number again "
                 "and save.", text=text)
    if _ERROR.fullmatch(text):
        return _("The spreadsheet has written an error (%(text)s) here. Put the value in its place.", text=text)
    if text[:1] == "=" and not re.fullmatch(r'="(?:[^"]|"")*"', text):
        return _("A formula stands here. Put its value in its place, and format the column as text.")
    return ""


def guarded(text: str) -> str:
    """A text as a cell that stays text in a spreadsheet and that text_of gives back: no formula, no zeros or digits lost."""
    if text[:1] in FORMULA or (text[:1] == "'" and text[1:2] and text[1] in _GUARDED):
        return f"'{text}"
    is_number = text.isdigit() and text.isascii()
    return f"'{text}" if is_number and (len(text) > 9 or (text[0] == "0" and len(text) > 1)) else text


def plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in FORMULA else text


def quoted(text: str) -> str:
    """A cell of a file whose cells stand between semicolons."""
    if '"' in text or ";" in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def line_of(cells: Iterable[str]) -> str:
    """One line as Brazilian spreadsheets read it; the file begins with START."""
    return ";".join(map(quoted, cells)) + "\r\n"


START = "\ufeff"
