"""The call report as CSV, XLSX and PDF: the same calls, the same totals, nothing a spreadsheet would run (REP-05, REP-37)."""

import csv
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pypdf
import pytest
from sqlalchemy import func, select, text

from appliance.calls.model import Call
from appliance.db import db
from appliance.reports import asked as asking
from appliance.reports import chart, columns, files, model
from appliance.reports.calls import Search
from appliance.users.model import by_login
from jobs import reports as jobs
from tests.bench.many import many_calls
from tests.build import company, make_call
from tests.reports.conftest import CLIENT, DAY, MONTH
from tests.visitor import person

EVIL = ["=1+1", "+5548", "-2", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x.example";"clique")']
SPACE = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def rows_of(answer):
    """What a Brazilian spreadsheet reads of a file."""
    assert answer.data.startswith(b"\xef\xbb\xbf") and answer.mimetype == "text/csv"
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""), delimiter=";"))


def seconds(text_):
    hours, minutes, rest = map(int, text_.split(":"))
    return hours * 3600 + minutes * 60 + rest


def made(kind, filters=MONTH, by="carla"):
    """A report made here and now, as the worker makes it."""
    user = by_login(by)
    asked = asking.read(filters, user)
    report = model.ask(asking.stored(asked, filters), asked.scope, kind, Search(asked).sums().call_count, user.id)
    db.session.commit()
    row_id = report.id
    jobs.run(row_id)
    return db.session.get(model.Report, row_id)


def pages_of(path):
    return [page.extract_text() for page in pypdf.PdfReader(path).pages]


# ---------------------------------------------------------------------------------------------------------------- CSV


def test_a_csv_has_the_calls_of_the_search_and_their_totals(twelve, carla):
    """REP-05: same row count, accents, semicolons, local times, durations."""
    asked = MONTH | {"direction": "received"}
    answer = carla.get("/calls.csv", query_string=asked)
    head, *rows = rows_of(answer)
    api = carla.get("/api/v1/calls", query_string=asked).json
    assert len(rows) == api["count"] == 5 and answer.data.count(b"\r\n") == 6 and b"\n\n" not in answer.data
    assert head[:5] == ["Início", "Fim", "Sentido", "Resultado", "Origem"]
    first = dict(zip(head, rows[0], strict=True))
    assert first["Início"] == "10/11/2026 09:00:00" and first["Fim"] == "10/11/2026 09:01:10"
    assert (first["Sentido"], first["Resultado"], first["Origem"]) == ("recebida", "atendida", "(48) 99999-1234")
    assert first["Espera"] == "00:00:10" and first["Conversa"] == "00:01:00" and first["Motivo"] == "fim normal (causa 16)"
    assert sum(seconds(row[head.index("Conversa")]) for row in rows) == api["sums"]["talk_seconds"]
    assert sum(row[head.index("Resultado")] == "atendida" for row in rows) == api["sums"]["answered"]


@pytest.mark.parametrize("evil", EVIL)
def test_no_cell_of_a_csv_is_a_formula(app, carla, evil):
    """REP-05: names come from outside callers."""
    make_call(DAY, from_=evil[:40], from_name=evil, to_name=evil, reached_name=evil, trunk=evil, from_cost_centre=evil, to_cost_centre=evil)
    head, row = rows_of(carla.get("/calls.csv", query_string=MONTH))
    assert not [cell for cell in row if cell[:1] in "=+-@\t\r\n" and cell]
    assert dict(zip(head, row, strict=True))["Nome da origem"] == f"'{evil}"


@pytest.mark.parametrize("number,written", [
    ("5548999991234", "(48) 99999-1234"), ("554830139018", "(48) 3013-9018"), ("2001", "2001"), ("12125551234", "(12) 12555-1234"),
    ("08001234567", "0800 1234 567"), ("*72", "*72"), ("", ""), ("+5548", "'+5548"), ("351210000000", "351 21 000 0000"), ("0001", "0001"),
    ("anonymous", "anonymous"), ("123456789012345678", "1234 5678 9012 3456 78"),
])
def test_telephones_stay_text_in_a_spreadsheet(number, written):
    """REP-05: 5548999991234 would become 5,5E+12, and a leading 0 would go."""
    assert columns.telephone(number) == written


def test_a_semicolon_a_quote_or_a_line_break_in_a_name_stays_in_its_cell(app, carla):
    """REP-05."""
    for number, name in enumerate(["a;b", 'say "hi"', "two\nlines", "Ótima ção €"]):
        make_call(DAY + timedelta(minutes=number), from_name=name)
    rows = rows_of(carla.get("/calls.csv", query_string=MONTH))
    assert [row[5] for row in rows[1:]] == ["a;b", 'say "hi"', "two\nlines", "Ótima ção €"]


@pytest.mark.parametrize("zone,shown", [("America/Sao_Paulo", "10/11/2026 09:00:00"), ("Asia/Kolkata", "10/11/2026 17:30:00"),
                                        ("America/Noronha", "10/11/2026 10:00:00"), ("UTC", "10/11/2026 12:00:00")])
def test_instants_of_a_file_are_in_the_companys_zone(app, carla, zone, shown):
    """SYS-22: half hours too."""
    company(timezone=zone)
    make_call(DAY)
    assert rows_of(carla.get("/calls.csv", query_string=MONTH))[1][0] == shown
    serial = columns.local_serial(zone)("2026-11-10 12:00:00")
    assert datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=serial) == datetime.strptime(shown, "%d/%m/%Y %H:%M:%S").replace(tzinfo=UTC)


def test_a_long_csv_comes_piece_by_piece_with_every_call_once(app, carla):
    """REP-05: several pieces, several arms; the head leaves before any question to the database."""
    many_calls(12_345, DAY, days=2)
    asked = {"start": "2026-11-01", "end": "2026-12-30"}
    answer = carla.get("/calls.csv", query_string=asked, buffered=False)
    chunks = list(answer.iter_encoded())
    assert len(chunks) == 5 and chunks[0].startswith(b"\xef\xbb\xbf") and chunks[0].count(b"\r\n") == 1
    _head, *rows = list(csv.reader(io.StringIO(b"".join(chunks).decode("utf-8-sig"), newline=""), delimiter=";"))
    assert len({row[18] for row in rows}) == len(rows) == 12_345
    assert [row[0][6:10] + row[0][3:5] + row[0][:2] + row[0][11:] for row in rows] == sorted(
        row[0][6:10] + row[0][3:5] + row[0][:2] + row[0][11:] for row in rows)
    either = asked | {"join": "or", "from_number": "2010", "from_match": "exact", "to_number": "2010", "to_match": "exact"}
    expected = db.session.scalar(select(func.count()).where((Call.from_number == "2010") | (Call.to_number == "2010") | (Call.reached_number == "2010")))
    assert len(rows_of(carla.get("/calls.csv", query_string=either))) - 1 == expected > 50


def test_an_error_in_the_middle_ends_the_csv_with_a_line_that_says_so(app, caplog):
    """REP-05: the answer has begun, so it cannot become an error page; the log has the code."""
    make_call(DAY)
    pieces = files.csv_pieces(asking.read(MONTH, by_login("carla")))
    assert next(pieces).startswith(b"\xef\xbb\xbf")
    db.session.rollback()
    db.session.execute(text("ALTER TABLE calls RENAME TO calls_away"))
    db.session.commit()
    try:
        last = b"".join(pieces).decode()
    finally:
        db.session.execute(text("ALTER TABLE calls_away RENAME TO calls"))
        db.session.commit()
    code = re.fullmatch(r"#ERRO;.*: ([0-9A-F]{6})\r\n", last)[1]
    assert code in caplog.text


# --------------------------------------------------------------------------------------------------------------- XLSX


def sheet_of(path):
    """(rows of cells as {column: (type, text)}, the sheet's XML, its styles)."""
    with zipfile.ZipFile(path) as book:
        assert not [name for name in book.namelist() if "external" in name.lower()]
        xml, styles = book.read("xl/worksheets/sheet1.xml").decode(), book.read("xl/styles.xml").decode()
    rows = []
    for row in ElementTree.fromstring(xml).iterfind(".//s:sheetData/s:row", SPACE):
        cells = {}
        for cell in row:
            found = cell.find("s:is/s:t", SPACE)
            value = cell.find("s:v", SPACE)
            cells[re.sub(r"\d", "", cell.get("r"))] = (cell.get("t") or "n", found.text if found is not None else value.text if value is not None else "")
        rows.append(cells)
    return rows, xml, styles


def test_an_xlsx_has_real_dates_and_durations_a_fixed_head_and_no_formulas(app):
    """REP-37, REP-05."""
    make_call(DAY, from_name="=1+1", to_name="http://x.example/", reached_name="\x07bell", wait=75, talk=3700)
    report = made(model.XLSX)
    assert (report.state, report.row_count, report.progress) == (model.READY, 1, 100), report.reason
    rows, xml, styles = sheet_of(report.path)
    head, row = rows
    assert head["A"] == ("inlineStr", "Início") and "<f>" not in xml and "hyperlink" not in xml.lower()
    assert 'state="frozen"' in xml and "dd/mm/yyyy hh:mm:ss" in styles and "[hh]:mm:ss" in styles
    assert row["A"][0] == "n" and datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=float(row["A"][1])) == datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
    assert row["N"] == ("n", str(75 / 86400)) and row["F"] == ("inlineStr", "=1+1") and row["E"] == ("inlineStr", "(48) 99999-1234")


@pytest.mark.long
def test_fifty_thousand_calls_make_a_sheet_and_a_summary_but_no_pdf(app, carla):
    """REP-37: refused with advice, before any job."""
    many_calls(50_000, DAY - timedelta(days=9), days=20)
    refused = carla.send("/reports?start=2026-11-01&end=2026-11-30", {"format": "pdf"})
    assert refused.location == "/calls?start=2026-11-01&end=2026-11-30" and db.session.scalar(select(func.count()).select_from(model.Report)) == 0
    page = carla.get(refused.location).text
    assert "Esta busca tem 50.000 ligações; um PDF lista no máximo 2.000. Peça o PDF resumo" in page
    summary = made(model.PDF_SUMMARY)
    assert (summary.state, summary.row_count) == (model.READY, 50_000), summary.reason
    said = " ".join(pages_of(summary.path))
    assert "50.000" in said and "10/11" in said
    sheet = made(model.XLSX)
    assert (sheet.state, sheet.row_count) == (model.READY, 50_000) and len(sheet_of(sheet.path)[0]) == 50_001


def test_a_sheet_holds_so_many_calls_and_no_more():
    """REP-37."""
    model.refuse_long(model.XLSX, 1_048_575)
    with pytest.raises(model.Refused) as why:
        model.refuse_long(model.XLSX, 1_048_576)
    assert "1.048.575" in str(why.value) and "CSV" in str(why.value)
    model.refuse_long(model.PDF, 2000)
    model.refuse_long(model.PDF_SUMMARY, 10_000_000)
    with pytest.raises(model.Refused):
        model.refuse_long(model.PDF, 2001)


# ---------------------------------------------------------------------------------------------------------------- PDF


def test_a_pdf_says_what_was_asked_and_has_page_numbers_and_the_totals_of_the_page(app, carla):
    """REP-37."""
    company(name="Padaria Estrela <&> Filhos", area_code="48")
    for number in range(150):
        make_call(DAY + timedelta(minutes=number), from_name="Maria <script>" if number == 3 else "", state="answered" if number % 3 else "busy", talk=100)
    asked = MONTH | {"direction": "received", "from_number": "(48) 99999-1234", "from_match": "exact"}
    report = made(model.PDF, asked)
    assert report.state == model.READY, report.reason
    pages = pages_of(report.path)
    count = len(pages)
    assert count > 2 and all(f"página {number} de {count}" in page for number, page in enumerate(pages, 1))
    said = re.sub(r"\s+", " ", " ".join(pages))
    for part in ("Padaria Estrela <&> Filhos", "Início: 01/11/2026 00:00", "Fim: 01/12/2026 00:00", "Sentido: recebida",
                 "Número de origem: (48) 99999-1234 (é exatamente)", "Carla", "Maria <script>"):
        assert part in said, part
    shown = re.findall(r'class="sum"><b>([^<]+)</b>', carla.get("/calls", query_string=asked).text)
    assert shown[:3] == ["150", "100", "50"]
    for total in shown[:5]:
        assert total in said
    assert said.count("10/11/2026 ") >= 150


def test_a_pdf_and_a_sheet_of_nothing_are_made_and_say_so(app):
    """REP-37."""
    report = made(model.PDF)
    assert report.state == model.READY and "Nenhuma ligação atende a estes filtros" in " ".join(pages_of(report.path))
    assert made(model.PDF_SUMMARY).state == model.READY
    sheet = made(model.XLSX)
    assert sheet.state == model.READY and len(sheet_of(sheet.path)[0]) == 1


def test_ten_years_are_one_report(app, carla):
    """REP-37: bars by year."""
    for year in (2017, 2020, 2026):
        make_call(datetime(year, 3, 1, 12, tzinfo=UTC))
    asked = {"report": "1", "start": "2017-01-01", "end": "2026-12-31"}
    assert carla.get("/calls", query_string=asked).status_code == 200
    report = made(model.PDF_SUMMARY, asked)
    said = " ".join(pages_of(report.path))
    assert report.row_count == 3 and all(str(year) in said for year in range(2017, 2027))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://127.0.0.1/", "https://example.org/x.png", "static:///../../setup.cfg", "static:///../app.py",
                                 "static:////etc/hosts.css", "data:text/html,x", "ftp://x/y.css", "static:///nothing.css"])
def test_a_report_fetches_no_address_and_no_file_but_our_own_static_ones(url):
    """REP-37: what callers write into names ends up in the paper."""
    with pytest.raises(ValueError):
        jobs.own_files(url)
    assert jobs.own_files("static:///bentevi.svg").status == 200


def test_the_bars_add_up_to_the_calls_and_speak(app):
    make_call(DAY)
    make_call(DAY + timedelta(days=3), state="busy", from_name="<x>")
    asked = asking.read(MONTH, by_login("carla"))
    bars = chart.bars(Search(asked).sums().hours, asked)
    assert len(bars) == 30 and sum(bar.calls for bar in bars) == 2 and sum(bar.answered for bar in bars) == 1
    drawn = str(chart.svg(bars))
    ElementTree.fromstring(drawn)
    assert "10/11: 1 ligações, 1 atendidas" in drawn and 'role="img"' in drawn


def test_a_report_holds_only_the_calls_its_asker_may_see_when_it_is_made(twelve, client, carla):
    """USR-18, CFG-12."""
    person(client, "ana.souza", modules=["reports"], cost_centres=["Loja"])
    assert made(model.XLSX, by="ana.souza").row_count == 7
    assert "Só centros de custo: Loja" in re.sub(r"\s+", " ", " ".join(pages_of(made(model.PDF, by="ana.souza").path)))
    assert made(model.XLSX, MONTH | {"from_number": CLIENT}, by="ana.souza").row_count == 1
