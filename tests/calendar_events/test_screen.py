"""Holidays taken over as events; hours chosen for queues and IVRs; the report of calls out of hours."""

import re
from datetime import UTC, date, datetime, timedelta

import pypdf
import pytest

from appliance import changes
from appliance.calendar_events import proposals
from appliance.calendar_events.model import CalendarEvent
from appliance.calls.model import ANSWERED, CLOSED, NO_ANSWER, CallStep
from appliance.db import db
from appliance.reports import model
from appliance.resource import TABLE
from tests.build import change, company, make, make_call, make_extension, make_hours
from tests.reports.test_files import sheet_of
from tests.reports.test_jobs import until
from tests.visitor import person, text_of


@pytest.fixture
def doors(app):
    company(area_code="48")
    return make("queues", name="Suporte", number="2500"), make("ivrs", name="Principal", number="3500")


def test_the_holidays_of_the_companys_state_are_proposed_and_taken_over_once(carla, doors):
    """HRS-07: national and state ones by the area code, moving ones too; opt-in, for chosen queues and IVRs."""
    page = text_of(carla.get("/calendar_events/holidays?year=2027"))
    for said in ("Sexta-feira Santa", "26/03", "Dia Nacional de Zumbi", "Santa Catarina", "Carnaval", "fechado por costume"):
        assert said in page, said
    ticked = re.findall(r'name="days" value="([0-9-]+)" checked', carla.get("/calendar_events/holidays?year=2027").text)
    assert "2027-12-25" in ticked and "2027-02-08" not in ticked
    assert "Dia do Estado" not in text_of(carla.get("/calendar_events/holidays?year=2027&state=SP"))
    assert carla.send("/calendar_events/holidays?year=2027&state=SC", {"days": ["2027-12-25"]}).status_code == 422
    assert not db.session.query(CalendarEvent).count()
    form = {"days": ["2027-12-25", "2027-02-08", "2027-03-26"], "queues": ["Suporte"], "ivrs": ["Principal"], "destination-type": "hangup"}
    assert carla.send("/calendar_events/holidays?year=2027&state=SC", form).status_code == 302
    resource = TABLE["calendar_events"]
    found = {row.name: resource.show(row) for row in db.session.query(CalendarEvent)}
    assert found["Natal 2027"] == {
        "name": "Natal 2027", "start": "2027-12-25 00:00", "end": "2027-12-26 00:00", "every_year": False, "prompt": None, "destination": {"hangup": True},
        "queues": ["Suporte"], "ivrs": ["Principal"]}
    assert (found["Carnaval 2027"]["start"], found["Carnaval 2027"]["end"]) == ("2027-02-08 00:00", "2027-02-10 00:00"), "two days are one event"
    assert len(found) == 3 and all(one.pending for one in db.session.query(changes.Change).filter_by(word="calendar_events"))
    again = carla.send("/calendar_events/holidays?year=2027&state=SC", form)
    assert again.status_code == 422 and "ainda não" in text_of(again)
    assert "entre os eventos" in text_of(carla.get("/calendar_events/holidays?year=2027"))


def test_the_list_says_which_holidays_are_not_taken_over(carla, doors):
    """HRS-07: proposed each year, the next one's from November on."""
    assert proposals.waiting(date(2026, 10, 31))[0] == 2026
    year, before = proposals.waiting(date(2026, 11, 1))
    assert (year, before) == (2027, 12)
    proposals.take(2027, "SC", {"2027-12-25"}, {"queues": ["Suporte"]})
    db.session.commit()
    assert proposals.waiting(date(2026, 11, 1)) == (2027, 11)
    assert "feriados de" in text_of(carla.get("/calendar_events"))


def test_a_holiday_that_was_taken_over_is_known_by_its_days(carla, client, doors):
    """HRS-07: in another language, renamed, made longer by half a day, or set to every year it is not offered a second time."""
    def taken(year, language):
        return {one.first.isoformat() for one in proposals.of_year(year, "SC", language) if one.event}

    days = {"2027-12-25", "2027-02-10", "2027-05-01"}
    ashes, work, christmas = sorted(proposals.take(2027, "SC", days, {"queues": ["Suporte"]}, "en"), key=lambda row: row.start)
    db.session.commit()
    assert taken(2027, "en") == taken(2027, "pt_BR") == days
    change(christmas, name="Fechado no fim do ano", start="2027-12-24 12:00")
    change(ashes, end="2027-02-10 14:00")
    change(work, every_year=True)
    assert taken(2027, "pt_BR") == days and taken(2028, "pt_BR") == {"2028-05-01"}
    make("calendar_events", name="Inventário", start="2027-11-02 08:00", end="2027-11-02 10:00", queues=["Suporte"])
    make("calendar_events", name="Recesso", start="2027-11-14 00:00", end="2027-11-21 00:00", queues=["Suporte"])
    assert taken(2027, "en") == days, "two hours of a holiday, and a week around it, are something else"


def test_queues_and_ivrs_are_chosen_on_the_form_of_the_hours(carla, client, doors):
    """HRS-04: the same column as on the queue's and the IVR's own form."""
    queue, ivr = doors
    day, night = make_hours("Dia"), make_hours("Noite")
    page = f"/business_hours/{day.id}"
    answer = carla.send(f"{page}/doors", {"queues": [str(queue.id)], "ivrs": [str(ivr.id)]})
    assert answer.status_code == 302
    db.session.refresh(queue), db.session.refresh(ivr)
    assert (queue.business_hours_id, ivr.business_hours_id) == (day.id, day.id)
    assert "agora: Dia" in text_of(carla.get(f"/business_hours/{night.id}"))
    carla.send(f"{page}/doors", {"queues": [str(queue.id)]})
    db.session.refresh(queue), db.session.refresh(ivr)
    assert (queue.business_hours_id, ivr.business_hours_id) == (day.id, None)
    limited = person(client, "davi.souza", modules=["business_hours"])
    eva = person(client, "eva.souza", modules=["queues"])  # she may change queues, but not hours
    queue_id, ivr_id, day_id = queue.id, ivr.id, day.id
    for somebody in (limited, eva):
        for ticked in ({"queues": []}, {"queues": [str(queue_id)], "ivrs": [str(ivr_id)]}):  # each changes a row
            assert somebody.send(f"{page}/doors", ticked).status_code == 403
            db.session.expire_all()
            assert (queue.business_hours_id, ivr.business_hours_id) == (day_id, None)
            db.session.rollback()


def closed_call(door, rule, at=None, **values):
    """A stored conversation that met a closed door."""
    call = make_call(at, **{"state": NO_ANSWER, "to": "4830139018"} | values)
    call.steps.append(CallStep(position=9, kind=CLOSED, at=call.started_at, word=rule.__tablename__, row_id=rule.id, name=rule.name, number="", result="",
                               detail={"door": door.__tablename__, "door_id": door.id, "door_name": door.name}))
    db.session.commit()
    return call


@pytest.mark.database
def test_the_report_lists_closed_calls_with_rule_and_door(carla, client, doors):
    """REP-07, REP-19, HRS-06: filters start, end, telephone, queues, IVRs and protocol, on the page, by the API and in the CSV; before any hours
    exist it says what is missing."""
    queue, ivr = doors
    page = text_of(carla.get("/out_of_hours"))
    assert "não há horários de atendimento nem eventos" in page
    hours = make_hours("Comercial")
    event = make("calendar_events", name="Natal", start="2026-12-25 00:00", end="2026-12-26 00:00")
    assert "não há horários" not in text_of(carla.get("/out_of_hours"))
    first = closed_call(queue, hours, datetime(2026, 11, 20, 22, 30, tzinfo=UTC), from_="5548999991234")
    second = closed_call(ivr, event, datetime(2026, 11, 21, 22, 30, tzinfo=UTC), from_="5548333344445")
    make_call(datetime(2026, 11, 20, 12, tzinfo=UTC))
    asked = "report=1&start=2026-11-20&end=2026-11-21"
    page = carla.get(f"/out_of_hours?{asked}")
    assert "Comercial" in text_of(page) and "Natal" in text_of(page) and f"/calls/{first.id}" in page.text
    for more, call in ((f"queues={queue.id}", first), (f"ivrs={ivr.id}", second), (f"queues={queue.id}&queues=9", first), ("from_number=99999-1234", first), (f"protocol={second.protocol}", second),
                       ("start=2026-11-21", second), ("end=2026-11-20", first)):
        names = more.split("=")[0]
        query = "&".join([part for part in asked.split("&") if not part.startswith(f"{names}=")] + [more])
        assert re.findall(r'href="/calls/(\d+)"', carla.get(f"/out_of_hours?{query}").text) == [str(call.id)], more
        (row,) = carla.get(f"/api/v1/out_of_hours?{query}").json["rows"]
        assert row["call"]["id"] == call.id and call.protocol in carla.get(f"/out_of_hours.csv?{query}").text
    both = carla.get(f"/api/v1/out_of_hours?{asked}&queues={queue.id}&ivrs={ivr.id}&limit=1").json
    assert (both["count"], both["calls"], both["answered"], both["rows"][0]["call"]["id"]) == (2, 2, 0, second.id)
    assert {name: both["rows"][0][name] for name in ("door", "door_id", "door_name", "rule", "rule_name")} == {
        "door": "ivrs", "door_id": ivr.id, "door_name": "Principal", "rule": "calendar_events", "rule_name": "Natal"}
    assert [row["call"]["id"] for row in carla.get(f"/api/v1/out_of_hours?{asked}&limit=1&after={both['next']}").json["rows"]] == [first.id]
    assert "Nenhuma ligação" in text_of(carla.get("/out_of_hours?report=1&start=2026-11-22&end=2026-11-22"))
    wrong = carla.get(f"/out_of_hours?{asked}&queues=abc&from_number=abc")
    assert wrong.status_code == 422 and "“abc” não é nenhuma das opções" in text_of(wrong) and "não é um telefone" in text_of(wrong)
    assert set(carla.get(f"/api/v1/out_of_hours?{asked}&queues=abc&from_number=abc").json["fields"]) == {"queues", "from_number"}
    file = carla.get(f"/out_of_hours.csv?{asked}").data.decode("utf-8-sig").split("\r\n")
    assert file[0].startswith("Data e hora;") and len(file) == 4
    assert file[2].startswith("20/11/2026 19:30:00;(48) 99999-1234;;") and ";Suporte;Comercial;horário de atendimento;" in file[2]
    davi = person(client, "davi.souza", modules=["queues"])
    for path in ("/out_of_hours", "/out_of_hours.csv", "/api/v1/out_of_hours"):
        assert davi.get(path).status_code == 403
    queue_id = queue.id
    TABLE["queues"].delete(queue)
    db.session.commit()
    assert f"/calls/{first.id}" in carla.get(f"/out_of_hours?{asked}&queues={queue_id}").text, "a queue that was deleted is asked like any other"


def test_calls_out_of_hours_as_spreadsheet_and_pdf(carla, doors):
    """REP-07, REP-19, REP-37: made by the jobs, with the filters of the page; a summary counts each door and rule."""
    queue, ivr = doors
    hours = make_hours("Comercial")
    for place in range(3):
        closed_call(queue, hours, datetime(2026, 11, 20, 22, 30 + place, tzinfo=UTC), from_="5548999991234", state=ANSWERED if place else NO_ANSWER)
    closed_call(ivr, hours, datetime(2026, 11, 20, 23, tzinfo=UTC), from_="551133334444")
    asked = f"report=1&start=2026-11-20&end=2026-11-20&queues={queue.id}"
    for kind in ("xlsx", "pdf", "pdf_summary"):
        assert carla.send(f"/out_of_hours/file?{asked}", {"format": kind}).status_code == 302
    ids = list(db.session.scalars(db.select(model.Report.id).order_by(model.Report.id)))
    until(lambda: not [row for row in db.session.scalars(db.select(model.Report)) if not row.is_over])
    sheet, listed, summary = [db.session.get_one(model.Report, row_id) for row_id in ids]
    assert [(one.state, one.row_count, one.reason) for one in (sheet, listed, summary)] == [("ready", 3, "")] * 3
    assert sheet.download_name.startswith("fora-do-horario-2026-11-2")
    rows, xml, _styles = sheet_of(sheet.path)
    assert len(rows) == 4 and rows[0]["A"][1] == "Data e hora" and "<f>" not in xml
    assert datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=float(rows[1]["A"][1]), seconds=0.5) >= datetime(2026, 11, 20, 19, 32, tzinfo=UTC)
    assert [rows[1][column][1] for column in "BEFGH"] == ["(48) 99999-1234", "Suporte", "Comercial", "horário de atendimento", "atendida"]
    texts = ["\n".join(page.extract_text() for page in pypdf.PdfReader(one.path).pages) for one in (listed, summary)]
    for text in texts:
        assert "Fila Suporte" in text and "Comercial" in text and "Principal" not in text
    assert "19:32:00" in texts[0] and "19:32:00" not in texts[1]
    assert "Fora do horário" in text_of(carla.get("/reports"))
    assert carla.send(f"/out_of_hours/file?{asked}", {"format": "doc"}).status_code == 302
    assert db.session.scalar(db.select(db.func.count()).select_from(model.Report)) == 3


def test_the_report_is_paged_and_shows_only_what_the_person_may_see(carla, client, doors):
    """REP-19, USR-18: fifty lines a page, both ways; calls of other cost centres stay hidden."""
    hours = make_hours("Comercial")
    make("cost_centres", name="Loja")
    centre = make("cost_centres", name="Escritório")
    ana = make_extension("1001", cost_centre="Loja")
    begin = datetime(2026, 11, 20, 12, tzinfo=UTC)
    ids = [closed_call(doors[0], hours, begin + timedelta(minutes=place // 2), from_=ana).id for place in range(120)]
    path, seen = "/out_of_hours?report=1&start=2026-11-20&end=2026-11-20", []
    while path:
        text = carla.get(path).text
        seen += re.findall(r'href="/calls/(\d+)"', text)
        found = re.search(r'rel="next" href="([^"]+)"', text)
        path = found[1].replace("&amp;", "&") if found else ""
    assert [int(one) for one in seen] == sorted(ids, key=lambda one: ids.index(one), reverse=True)
    back = re.search(r'rel="prev" href="([^"]+)"', text)[1].replace("&amp;", "&")
    assert [int(one) for one in re.findall(r'href="/calls/(\d+)"', carla.get(back).text)] == list(reversed(ids[20:70]))
    other = person(client, "bruno.lima", modules=["reports"], cost_centres=[centre.name])
    assert "/calls/" not in other.get("/out_of_hours?report=1&start=2026-11-20&end=2026-11-20").text.replace('href="/calls"', "")
