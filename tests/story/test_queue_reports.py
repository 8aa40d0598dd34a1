"""Real calls through queues and an IVR, and what the reports say of them."""

import time

import pytest
from sqlalchemy import select

from appliance.calls.model import IvrVisit, QueueVisit
from appliance.calls.visit_rows import QUEUE_COLUMNS
from appliance.db import db
from tests.build import company, make, make_extension, make_hours, make_queue
from tests.records import quiet, wait_recorded
from tests.rows import first_start_rows
from tests.sounds import library

pytestmark = pytest.mark.pbx

LIMIT = 5


@pytest.fixture
def desk(pbx, phone, clock):
    """Phones 1000 (who calls), 1001 (sells) and 1002 (supports), with their queues and an IVR."""
    quiet()
    first_start_rows()
    company(area_code="48")
    rows = [make_extension(str(1000 + number), name=name) for number, name in enumerate(("Cliente", "Ana", "Bruno"))]
    library("Menu", 1550)
    make_hours("Comercial", "mon 08:00-18:00")
    support = make_queue("802", rows[2], name="Suporte", ring_timeout_seconds=60)
    sales = make_queue("801", rows[1], name="Vendas", ring_timeout_seconds=60, max_wait_seconds=LIMIT, business_hours="Comercial",
                       overflow={"on_timeout": {"queue": "Suporte"}})
    empty = make_queue("803", name="Vazia", overflow={"on_no_agents": {"hangup": True}})
    ivr = make("ivrs", name="Principal", number="700", prompt="Menu", options={"1": {"queue": "Vendas"}})
    found = {"sales": sales.id, "support": support.id, "empty": empty.id, "ivr": ivr.id}
    pbx.apply()
    clock.at("2026-12-21 10:00")
    handsets = [phone(row) for row in rows]
    db.session.commit()  # an open transaction would keep the process from storing what these tests look at
    return handsets, found


def pause(seconds=0.7):
    time.sleep(seconds)


def test_the_reports_of_real_calls(desk, clock, carla):
    """REP-16, REP-27, DSH-04: eight calls through an IVR and queues: answered, passed on, overflowed, given up, out of hours, nobody there."""
    (client, ana, bruno), rows = desk
    began = time.monotonic()
    call = client.call("700").wait_answered()         # 1: through the IVR, answered
    call.press("1")
    ana.wait_ringing()
    pause()
    there = ana.answer()
    pause(1.4)
    call.hang_up()
    there.wait_ended()
    first_took = time.monotonic() - began
    call = client.call("700").wait_answered()         # 2: hangs up in the IVR
    pause()
    call.hang_up()
    call = client.call("801").wait_answered()         # 3: gives up at once
    ana.wait_ringing()
    call.hang_up()
    call = client.call("801")                         # 4: nobody answers in time, support does
    bruno.wait_ringing(LIMIT + 20)
    there = bruno.answer()
    pause()
    there.hang_up()
    call.wait_ended()
    call = client.call("801")                         # 5: passed on to support, without asking
    there = ana.answer()
    pause()
    there.transfer("802")
    there = bruno.answer()
    pause()
    call.hang_up()
    there.wait_ended()
    clock.at("2026-12-20 10:00")                      # 6: out of hours
    client.call("801").wait_ended(15)
    clock.at("2026-12-21 10:00")
    client.call("803").wait_ended(15)                 # 7: nobody logged in
    call = client.call("801")                         # 8: passed on to support after asking there
    there = ana.answer()
    pause()
    consult = ana.call("802")
    third = bruno.answer()
    consult.wait_answered()
    pause()
    there.transfer_to(consult)
    there.wait_transferred()
    pause()
    third.hang_up()
    call.wait_ended()
    calls = wait_recorded()
    visits = list(db.session.scalars(select(QueueVisit).order_by(QueueVisit.entered_at)))
    print([{name: getattr(visit, name) for name in QUEUE_COLUMNS} for visit in visits])
    sales, support, empty = rows["sales"], rows["support"], rows["empty"]
    assert [(visit.queue_id, visit.outcome, visit.is_transferred, visit.next_word, visit.member_name) for visit in visits] == [
        (sales, "answered", False, "", "Ana"), (sales, "abandoned", False, "", ""), (sales, "timeout", False, "queues", ""),
        (support, "answered", False, "", "Bruno"), (sales, "answered", True, "", "Ana"), (support, "answered", False, "", "Bruno"),
        (sales, "closed", False, "", ""), (empty, "no_agents", False, "", ""), (sales, "answered", True, "", "Ana"),
        (support, "answered", False, "", "Bruno")]  # fmt: skip
    assert len(calls) == 8 and visits[0].ivr_id == rows["ivr"] and visits[2].next_id == support
    first, late = visits[0], visits[2]
    assert first.wait_ms >= 700 and first.talk_ms >= 1300 and first.wait_ms + first.talk_ms <= first_took * 1000
    assert LIMIT * 1000 <= late.wait_ms < LIMIT * 1000 + 2000, "Asterisk looks at its limit once a second"
    assert visits[-1].talk_ms > 1300, "support talks to whom it was asked for too"
    assert [(visit.outcome, visit.queue_id) for visit in db.session.scalars(select(IvrVisit).order_by(IvrVisit.entered_at))] == [
        ("went_on", sales), ("abandoned", None)]
    db.session.commit()
    page = {row["label"]: row for row in carla.get("/api/v1/queue_reports").json["rows"]}
    names = ("offered_count", "answered_count", "lost_count", "overflowed_count", "transferred_count", "closed_count", "short_count")
    assert [page["Vendas"][name] for name in names] == [5, 3, 1, 1, 2, 1, 1]
    assert [page["Suporte"][name] for name in names] == [3, 3, 0, 0, 0, 0, 0]
    assert [page["Vazia"][name] for name in names] == [1, 0, 1, 0, 0, 0, 0]
    assert (page["Vendas"]["sla_percent"], page["Vendas"]["service_level_percent"]) == (100.0, 60.0)
    report = carla.get("/api/v1/ivr_reports").json
    total = report["total"]
    assert (total["received_count"], total["ivr_abandoned_count"], total["offered_count"], total["not_answered_count"]) == (2, 1, 9, 2)
    assert carla.get("/api/v1/ivr_reports?by=hour").json["total"] == total
