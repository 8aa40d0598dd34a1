"""The reports about queues and IVRs on the screen, in the API and in files (REP-16, REP-20, REP-21, REP-26, REP-27, DSH-04)."""

import csv
import io
import re
from datetime import timedelta

import pypdf
import pytest
from sqlalchemy import select

from appliance.calls.model import QueueVisit
from appliance.db import db
from appliance.reports import model
from tests.build import change
from tests.reports.conftest import TEN, stored
from tests.reports.test_jobs import until
from tests.scripted import Scripted
from tests.visitor import person, text_of

DAY = {"report": "1", "start": "2026-11-10", "end": "2026-11-10"}
OTHER = "1133334444"


def answered(place, queue, member, wait, talk, at=TEN, ivr=None, **more):
    """A call that waited so long and was talked to so long."""
    call = Scripted(at, **more)
    if ivr:
        call.ivr(ivr.id, 1)
    return call.queue(queue.id, 6).answer(queue.id, member, 6 + wait).hang_up(6 + wait + talk, queue.id)


def abandoned(queue, wait, at=TEN, ivr=None, **more):
    call = Scripted(at, **more)
    if ivr:
        call.ivr(ivr.id, 1)
    return call.queue(queue.id, 6).hang_up(6 + wait, queue.id)


def asked(browser, what, **filters):
    """What the API says, and that the page and the CSV say the same of every row."""
    query = {name: value for name, value in (DAY | filters).items() if value}
    answer = browser.get(f"/api/v1/{what}", query_string=query)
    assert answer.status_code == 200, answer.text
    page = browser.get(f"/{what}", query_string=query).text
    cells = [[re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
             for row in re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2].partition("</table>")[0], re.DOTALL)]  # fmt: skip
    file = browser.get(f"/{what}.csv", query_string=query)
    assert file.data.startswith(b"\xef\xbb\xbf") and file.mimetype == "text/csv"
    lines = list(csv.reader(io.StringIO(file.data.decode("utf-8-sig"), newline=""), delimiter=";"))[1:]
    labels = [row["label"] for row in answer.json["rows"]]
    if any(answer.json["total"].values()):
        assert [row[0] for row in cells] == [*labels, "Total"] == [line[0] for line in lines]
        for row, line in zip(cells, lines, strict=True):
            assert [row[0], *map(plain, row[1:])] == [line[0], *map(plain, line[1:])], "screen and file agree"
    return answer.json


def plain(cell):
    """A cell as either of the two writes it: 1:31 is 00:01:31, a dash is nothing, a percentage has its sign in the head of a file."""
    text = re.sub(r" %.*", "", cell).replace("–", "")
    return str(sum(int(part) * 60**place for place, part in enumerate(reversed(text.split(":"))))) if text.count(":") in (1, 2) else text


def row_of(found, label):
    return next(row for row in found["rows"] if row["label"] == label)


@pytest.fixture
def fourteen(place):
    """Ten answered, seven of them within 20 s; four abandoned, one of them at 2 s."""
    waits = [2, 5, 8, 11, 14, 17, 20, 21, 30, 45]
    stored(*(answered(place, place.sales, place.Ana, wait, 60) for wait in waits), *(abandoned(place.sales, wait) for wait in (2, 10, 20, 40)))
    return place


@pytest.mark.database
def test_both_formulas_of_the_service_level(fourteen, carla):
    """DSH-04, QUE-28: SLA = 7/13 = 53.8 %, NS = 7/14 = 50.0 %, on the screen, in the file and in the API, of both reports."""
    for what in ("queue_reports", "ivr_reports"):
        total = asked(carla, what, by="queue")["total"]
        assert (total["offered_count"], total["answered_count"], total["within_count"], total["abandoned_count"], total["short_count"]) == (14, 10, 7, 4, 1)
        assert (total["sla_percent"], total["service_level_percent"]) == (53.8, 50.0)
        page = carla.get(f"/{what}", query_string=DAY | {"by": "queue"}).text
        assert "53,8 %" in page and "50,0 %" in page
        assert page.count("abaixo da meta de 80 %") >= 2, "both are below the queue's 80 %"
    change(fourteen.sales, name="Comercial")
    assert [row["label"] for row in asked(carla, "queue_reports")["rows"]] == ["Comercial"]


@pytest.mark.database
def test_the_target_is_the_one_of_the_time_of_the_call(place, carla):
    """QUE-28: red below the percentage the queue wanted then, whatever it wants now, by name, day, hour and IVR; of a deleted queue too."""
    change(place.sales, service_level_percent=50)
    stored(*(answered(place, place.sales, place.Ana, wait, 60) for wait in (5, 30)))  # 50 %: reached
    change(place.sales, service_level_percent=95)

    def red(**filters):
        return re.findall(r"abaixo da meta de ([0-9,]+) %", carla.get("/queue_reports", query_string=DAY | filters).text)

    for by in ("queue", "day", "hour"):
        assert red(by=by) == [], "what is wanted now says nothing about then"
    change(place.support, service_level_percent=80)
    stored(*(answered(place, place.support, place.Ana, wait, 60) for wait in (5, 30)))
    change(place.support, service_level_percent=10)
    assert set(red(by="queue")) == {"80"} and set(red(by="day")) == {"65"}, "of calls under several targets their mean"
    assert set(red(by="day", number="9999")) == {"65"}, "from the visits themselves as from the sums"
    rows = {row["label"]: row["target_percent"] for row in asked(carla, "queue_reports")["rows"]}
    assert rows == {"Vendas": 50.0, "Suporte": 80.0}
    from appliance.resource import TABLE

    TABLE["queues"].delete(place.support)
    db.session.commit()
    assert set(red(by="queue")) == {"80"}


@pytest.fixture
def sheet(place):
    """The 25 calls of the sheet: three given up in the IVR, two out of hours, ten answered in sales, four abandoned there, two out by the
    queue's time, one of the same that support answers; and three that come to support without an IVR."""
    p, main, sales, support = place, place.main, place.sales, place.support
    waits, talks = [5, 8, 10, 12, 15, 18, 20, 25, 30, 45], [60, 65, 70, 75, 80, 85, 90, 95, 100, 185.5]
    limit = "EXITWITHTIMEOUT"
    calls = [Scripted(TEN).ivr(main.id).hang_up(seconds) for seconds in (3, 5, 9)]
    calls += [Scripted(TEN).ivr(main.id).closed("ivrs", main.id, 0.4).hang_up(6) for _number in range(2)]
    calls += [answered(p, sales, p.Ana if number < 6 else p.Davi, wait, talk, TEN + timedelta(minutes=10 * number), main)
              for number, (wait, talk) in enumerate(zip(waits, talks, strict=True))]  # fmt: skip
    calls += [abandoned(sales, wait, TEN + timedelta(hours=2), main) for wait in (2, 10, 31, 61)]
    calls += [Scripted(TEN).ivr(main.id).queue(sales.id, 6).leave(sales.id, limit, 66).hang_up(66, by="system") for _number in range(2)]
    calls.append(Scripted(TEN + timedelta(minutes=59, seconds=50)).ivr(main.id).queue(sales.id, 6).leave(sales.id, limit, 66)
                 .queue(support.id, 66).answer(support.id, p.Bruno, 70).hang_up(190, support.id))  # fmt: skip
    calls += [answered(p, support, p.Bruno, 3.25, 30, number=OTHER), answered(p, support, p.Bruno, 6.5, 40, number=OTHER), abandoned(support, 4)]
    assert len(calls) == 25
    stored(*calls)
    return place


@pytest.mark.database
def test_twenty_five_calls_give_each_column_of_the_sheet(sheet, carla):
    """REP-27: by hand: handling 905.5 + 120 + 70 s over 13 answered; waiting 188 + 13.75 + 108 + 180 s over 13."""
    asked(carla, "ivr_reports", by="ivr")
    page = carla.get("/ivr_reports", query_string=DAY).text
    heads = re.findall(r'<th class="number" title="[^"]+">([^<]+)</th>', page)
    foot = re.findall(r'<td class="number" data-label="[^"]+">([^<]+)</td>', page.partition("<tfoot>")[2])
    assert dict(zip(heads, foot, strict=True)) == {
        "Entrantes URA": "22", "Fora de Serviço": "2", "Abandonadas IVR": "3", "Oferecidas": "21", "Abandonadas": "5", "% Abandonadas": "23,8 %",
        "Atendidas": "13", "Atendidas NS": "10", "Nível Serviço": "47,6 %", "Não Atendidas": "3", "TMA": "00:01:24:269", "MSA": "00:00:45:000",
        "ASA": "00:00:37:673", "MHT": "00:03:05:500", "SLA": "58,8 %",
    }  # fmt: skip


@pytest.mark.database
def test_each_grouping_of_the_ivr_report_has_the_same_grand_total(sheet, carla):
    """REP-26: by IVR, queue, agent, hour and day; also narrowed by each of its filters."""
    narrowed = [{}, {"ivrs": str(sheet.main.id)}, {"queues": str(sheet.support.id)}, {"agents": "2001, 2003"}, {"number": OTHER, "match": "exact"},
                {"start": "2026-11-10 10:20", "end": "2026-11-10 12:00:03"}]  # fmt: skip
    for filters in narrowed:
        totals = {by: asked(carla, "ivr_reports", by=by, **filters)["total"] for by in ("ivr", "queue", "agent", "hour", "day")}
        assert all(total == totals["ivr"] for total in totals.values()), filters
        assert totals["ivr"]["offered_count"] > 0
    by_agent = {row["label"]: (row["answered_count"], row["received_count"]) for row in asked(carla, "ivr_reports", by="agent")["rows"]}
    assert by_agent == {"2001 Ana": (6, 6), "2003 Davi": (4, 4), "2002 Bruno": (3, 1), "Ninguém atendeu": (0, 11)}
    by_ivr = {row["label"]: row["offered_count"] for row in asked(carla, "ivr_reports", by="ivr")["rows"]}
    assert by_ivr == {"Principal": 18, "Sem URA": 3}
    by_queue = {row["label"]: (row["received_count"], row["offered_count"]) for row in asked(carla, "ivr_reports", by="queue")["rows"]}
    assert by_queue == {"Vendas": (17, 17), "Suporte": (0, 4), "Sem fila": (5, 0)}


@pytest.mark.database
def test_the_report_by_queue(sheet, carla):
    """REP-16: answered, lost, overflowed, handling; a call passed on from A to B is once answered in A, transferred in A, answered in B."""
    sales, support = sheet.sales.id, sheet.support.id
    stored(Scripted(TEN).queue(sales, 6).answer(sales, sheet.Ana, 16).transfer(sales, 46).queue(support, 46.5).answer(support, sheet.Bruno, 50)
           .hang_up(70, support), Scripted(TEN).goes_to("queues", sales, 6).closed("queues", sales, 6.1).hang_up(9))  # fmt: skip
    found = asked(carla, "queue_reports")
    names = ("offered_count", "answered_count", "lost_count", "overflowed_count", "transferred_count", "closed_count", "talk_ms", "longest_talk_ms")
    assert [row_of(found, "Vendas")[name] for name in names] == [18, 11, 6, 1, 1, 1, 935500, 185500]
    assert [row_of(found, "Suporte")[name] for name in names] == [5, 4, 1, 0, 0, 0, 210000, 120000]
    assert row_of(found, "Vendas")["mean_abandon_ms"] == 26000 and row_of(found, "Vendas")["mean_wait_ms"] == 18000
    assert [row["label"] for row in asked(carla, "queue_reports", queues=str(support))["rows"]] == ["Suporte"]
    both = carla.get("/api/v1/queue_reports", query_string=[*DAY.items(), ("queues", sales), ("queues", support)]).json
    assert both["total"] == found["total"], "several boxes of one name"


def test_a_period_of_three_days_has_three_rows(place, carla):
    """REP-20: the empty day too; days are those of the company."""
    late = TEN.replace(hour=2) + timedelta(days=1)  # 23:00 of the 10th in São Paulo
    stored(answered(place, place.sales, place.Ana, 5, 60), answered(place, place.sales, place.Ana, 5, 60, late), abandoned(place.sales, 9, TEN + timedelta(days=2)))
    found = asked(carla, "queue_reports", by="day", end="2026-11-12")
    assert [(row["key"], row["label"], row["answered_count"], row["lost_count"]) for row in found["rows"]] == [
        ("2026-11-10", "10/11/2026", 2, 0), ("2026-11-11", "11/11/2026", 0, 0), ("2026-11-12", "12/11/2026", 0, 1)]
    assert "<svg" in carla.get("/queue_reports", query_string=DAY | {"by": "day", "end": "2026-11-12"}).text


@pytest.mark.database
def test_a_call_counts_in_the_hour_it_began(place, carla):
    """REP-21: 10:59:58 is 10 h, although it came to the queue and was answered later; hours are sums of all days of the period."""
    end_of_hour = TEN.replace(minute=59, second=58)
    stored(answered(place, place.sales, place.Ana, 10, 60, end_of_hour), abandoned(place.sales, 12, end_of_hour, ivr=place.main),
           answered(place, place.sales, place.Ana, 20, 80, TEN + timedelta(days=1, minutes=5)), answered(place, place.sales, place.Ana, 1, 5, TEN + timedelta(hours=1)))
    found = asked(carla, "queue_reports", by="hour", end="2026-11-11")
    assert len(found["rows"]) == 24 and row_of(found, "10 h")["key"] == "10"
    ten, eleven = row_of(found, "10 h"), row_of(found, "11 h")
    assert (ten["answered_count"], ten["lost_count"], ten["mean_abandon_ms"], ten["mean_wait_ms"], ten["mean_talk_ms"]) == (2, 1, 12000, 15000, 70000)
    assert (eleven["answered_count"], eleven["lost_count"]) == (1, 0)
    half = asked(carla, "queue_reports", by="hour", start="2026-11-10 10:30", end="2026-11-10 11:00")
    assert row_of(half, "10 h")["answered_count"] == 1 == half["total"]["answered_count"], "parts of hours are exact"


FILTERS = [  # filters → offered, of: two from outside, one made, one internal
    ({}, 4), ({"direction": "received"}, 2), ({"direction": "made"}, 2), ({"domain": "internal"}, 1), ({"domain": "external"}, 3),
    ({"number": "(48) 99999-8888"}, 1), ({"number": "(48) 99999-8888", "match": "exact"}, 1), ({"number": "3333"}, 2),
    ({"number": "9999", "match": "exact"}, 0), ({"agents": "2001"}, 2), ({"agents": "2001; 2002"}, 3), ({"agents": "2003"}, 0),
    ({"queues": "sales"}, 3), ({"queues": "support"}, 1), ({"ivrs": "main"}, 1), ({"ivrs": "main", "queues": "support"}, 0),
    ({"start": "2026-11-11", "end": "2026-11-11"}, 0),
]  # fmt: skip


@pytest.mark.database
def test_each_filter_of_the_reports(place, carla):
    """REP-16, REP-20, REP-21, REP-26: queues, agents, telephone, direction, domain, IVR and period."""
    stored(answered(place, place.sales, place.Ana, 5, 60, ivr=place.main), answered(place, place.sales, place.Bruno, 5, 60, number=OTHER),
           answered(place, place.support, place.Ana, 5, 60, number=OTHER), abandoned(place.sales, 7, number="2009"))
    made, inside = db.session.scalars(select(QueueVisit).where(QueueVisit.queue_id == place.support.id)).one(), db.session.scalars(
        select(QueueVisit).where(QueueVisit.outcome == "abandoned")).one()  # fmt: skip
    turn(made, "outbound")
    turn(inside, "internal")
    rows = {name: str(getattr(place, name).id) for name in ("sales", "support", "main")}
    for filters, offered in FILTERS:
        filters = {name: rows.get(value, value) for name, value in filters.items()}
        for what, by in (("queue_reports", "queue"), ("queue_reports", "hour"), ("ivr_reports", "agent")):
            assert asked(carla, what, by=by, **filters)["total"]["offered_count"] == offered, (filters, what, by)


def turn(visit, direction):
    """The visit of a call in another direction, in rows and roll-ups."""
    from appliance.calls import visit_totals

    before = visit_totals.contribution([visit], [])
    visit.direction = direction
    db.session.flush()
    visit_totals.change([before], [visit_totals.contribution([visit], [])])
    db.session.commit()


def test_what_cannot_be_asked_is_told_at_its_field_and_stays_as_typed(place, carla):
    """REP-16, REP-26: one message per field, nothing is lost."""
    wrong = {"start": "40/11/2026", "end": "2026-11-10", "agents": "2001, 9999", "number": "abc", "direction": "sideways", "queues": "x;1"}
    for what in ("queue_reports", "ivr_reports"):
        answer = carla.get(f"/{what}", query_string={"report": "1"} | wrong)
        assert answer.status_code == 422
        for text in ("40/11/2026", "Não há ramal “9999”", "“abc” não é um telefone", 'value="2001, 9999"', "x;1"):
            assert text in answer.text, text
        api = carla.get(f"/api/v1/{what}", query_string=wrong)
        assert api.status_code == 422 and set(api.json["fields"]) == {"start", "agents", "number", "direction", "queues"}
        assert carla.get(f"/{what}.csv", query_string=wrong).status_code == 422
        assert carla.get(f"/{what}", query_string=DAY | {"by": "week"}).status_code == 422
        assert carla.get(f"/{what}").status_code == 200 and "Gerar relatório" in carla.get(f"/{what}").text
        assert "Nenhuma ligação deste período" in text_of(carla.get(f"/{what}", query_string=DAY))


def test_who_may_see_which_figures(sheet, client):
    """REP-16, REP-26: the permission of the reports; a person of some cost centres sees only their calls, also by the roll-ups."""
    nobody = person(client, "ana.souza", modules=[])
    for path in ("/queue_reports", "/ivr_reports", "/queue_reports.csv", "/ivr_reports.csv", "/api/v1/queue_reports", "/api/v1/ivr_reports"):
        assert nobody.get(path, query_string=DAY).status_code == 403, path
    assert nobody.send("/queue_reports/file?start=2026-11-10&end=2026-11-10", {"format": "xlsx"}).status_code == 403
    limited = person(client, "bia.lima", modules=["reports"], cost_centres=["Loja"])
    for filters in ({}, {"number": "9"}, {"by": "hour"}):
        assert asked(limited, "queue_reports", **filters)["total"]["offered_count"] == 6, "the six that Ana answered"
    assert asked(limited, "ivr_reports")["total"]["received_count"] == 6


def test_a_deleted_queue_keeps_its_figures_and_its_name(fourteen, carla):
    """REP-16: rows of the past stay."""
    from appliance.resource import TABLE

    TABLE["queues"].delete(fourteen.sales)
    db.session.commit()
    assert [(row["label"], row["offered_count"]) for row in asked(carla, "queue_reports")["rows"]] == [("Vendas (excluída)", 14)]


def test_the_tables_as_spreadsheet_and_pdf(sheet, carla):
    """REP-16, REP-27: made by the worker like the call report, with the figures of the page; the list says which report it is."""
    for what, kind in (("queue_reports", "xlsx"), ("ivr_reports", "pdf"), ("queue_reports", "pdf")):
        answer = carla.send(f"/{what}/file?start=2026-11-10&end=2026-11-10&by=queue", {"format": kind})
        assert answer.status_code == 302 and answer.location == "/reports", answer.text
    assert carla.send("/queue_reports/file?start=2026-11-10&end=2026-11-10", {"format": "exe"}).location.startswith("/queue_reports?")
    until(lambda: not [row for row in db.session.scalars(select(model.Report)) if not row.is_over])
    made = list(db.session.scalars(select(model.Report).order_by(model.Report.id)))
    assert [(row.state, row.row_count) for row in made] == [("ready", 2), ("ready", 3), ("ready", 2)], [row.reason for row in made]
    assert made[0].download_name.startswith("filas-2026-11-10") and made[1].download_name.startswith("uras-")
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(made[1].path).pages)
    assert "00:01:24:269" in text and "47,6" in text and "Padaria Estrela" in text and "Vendas" in text
    page = text_of(carla.get("/reports"))
    assert "Filas · XLSX" in page and "URAs · PDF" in page and "Por fila" in page
