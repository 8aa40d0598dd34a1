"""Queues as people watch them, and what is written down: the page Agora, the steps of a call, the ledger of missed calls."""

import pytest

from appliance import live
from appliance.calls.model import QUEUE
from appliance.db import db
from appliance.missed_calls.model import MissedCall
from appliance.resource import TABLE
from tests.build import (
    change,
    company,
    make_extension,
    make_inbound_route,
    make_outbound_route,
    make_profile,
    make_queue,
    make_trunk,
)
from tests.player import until
from tests.records import quiet, wait_recorded
from tests.story.test_queues import GENEROUS, put_members
from tests.visitor import text_of

pytestmark = pytest.mark.pbx
NUMBER, CALLER = "4830139018", "48999991234"


def queues(carla):
    """The queues of the API, name → facts."""
    return {one["name"]: one for one in carla.get("/api/v1/now").json["queues"]}


def states(carla, name="Suporte"):
    return [(one["number"], one["state"]) for one in queues(carla)[name]["members"]]


def waiting(carla, name="Suporte"):
    return [(one["position"], one["number"]) for one in queues(carla)[name]["callers"]]


def test_who_waits_and_what_members_do_is_seen_at_once(pbx, phone, carla):
    """QUE-14, QUE-22: callers with their position, members free, ringing, talking, paused and offline; rebuilt from Asterisk."""
    callers = [make_extension(number) for number in ("1000", "1004", "1005")]
    ana, _bruno = make_extension("1001", name="Ana"), make_extension("1002", name="Bruno")
    queue = make_queue("2000", ana, {"extension": "1002", "paused": True}, name="Suporte", ring_timeout_seconds=60)
    pbx.apply()
    desks, a = [phone(row) for row in callers], phone(ana)
    assert until(lambda: states(carla) == [("1001", "free"), ("1002", "paused")], 20), states(carla)
    first = desks[0].call("2000")
    there = a.wait_ringing()
    assert until(lambda: states(carla)[0] == ("1001", "ringing") and waiting(carla) == [(1, "1000")], 20)
    there.answer()
    assert until(lambda: states(carla)[0] == ("1001", "talking") and waiting(carla) == [], 20)
    for count, desk in enumerate(desks[1:], 1):  # answered before it waits: the next one comes when it does
        desk.call("2000").wait_answered()
        assert until(lambda count=count: len(waiting(carla)) == count, 20)
    assert until(lambda: waiting(carla) == [(1, "1004"), (2, "1005")], 20), waiting(carla)
    desks[1].calls[-1].hang_up()
    assert until(lambda: waiting(carla) == [(1, "1005")], 20), "who is behind moves up"
    page = text_of(carla.get("/"))
    assert "Suporte" in page and "1002 Bruno" in page and "1005" in page
    epoch = live.now().epoch
    pbx.ask("module reload cdr")  # any reload has the picture built anew, from lists
    assert until(lambda: live.now().epoch != epoch, 20)
    assert until(lambda: waiting(carla) == [(1, "1005")] and states(carla)[0] == ("1001", "talking"), 20)
    put_members(queue, {"extension": "1002"})
    assert until(lambda: states(carla) == [("1002", "offline")], 20), "one without a telephone"
    first.hang_up()
    carla.send(f"/queues/{queue.id}/members", {"extension": "1001"})
    assert until(lambda: states(carla)[1][0] == "1001", 20)
    assert desks[2].calls[-1].talks_with(a.answer(GENEROUS)), "who is put in on the page rings at once"


@pytest.fixture
def shop(pbx, carrier):
    """A number of the carrier that leads to the queue Suporte, and Ana, who may call out."""
    quiet()
    company(area_code="48")
    make_trunk("Operadora", carrier.port)
    make_outbound_route("Fora", {"mask": "ZXXXXXXXX", "external_line": True, "prepend": "48", "trunk": "Operadora"})
    ana = make_extension("1001", name="Ana", dialing_profile=make_profile("Completo", "Fora").name)
    make_queue("2000", ana, name="Suporte", overflow={"on_no_agents": {"hangup": True}, "on_full": {"max_waiting": 1, "destination": {"hangup": True}}},
               max_wait_seconds=6, ring_timeout_seconds=5)  # fmt: skip
    make_inbound_route("Entrada", "Operadora", {"mask": NUMBER, "destination": {"queue": "Suporte"}})
    pbx.apply()
    return ana


def ledger():
    """number → (reason, state, by), once everything is stored."""
    wait_recorded()
    found = {row.number: (row.reason, row.state, row.resolved_by) for row in db.session.scalars(db.select(MissedCall).order_by(MissedCall.id))}
    db.session.rollback()
    return found


def test_every_caller_nobody_answered_stands_in_the_ledger_until_called_back(pbx, phone, carrier, shop, carla):
    """QUE-36, QUE-17: no agent, full, giving up, waiting too long each make a line; calling back returns it, calling again too."""
    assert carrier.call(NUMBER, caller="48999990001").wait_refused(GENEROUS) == 603, "who is not served is not charged for the call either"
    a = phone(shop)
    section = TABLE["queues"].find("Suporte").section
    db.session.rollback()

    def is_free():
        return "Not in use" in pbx.ask(f"queue show {section}")

    assert until(is_free, 20)
    first = carrier.call(NUMBER, caller="48999990002").wait_answered()
    a.wait_ringing(GENEROUS)
    carrier.call(NUMBER, caller="48999990003").wait_answered().wait_ended(GENEROUS)
    first.hang_up()
    assert until(is_free, 20) and until(lambda: "No Callers" in pbx.ask(f"queue show {section}"), 20)
    carrier.call(NUMBER, caller="48999990004").wait_answered().wait_ended(40)
    assert ledger() == {f"554899999000{number}": (reason, "open", "") for number, reason in (
        (1, "no_agents"), (3, "full"), (2, "abandoned"), (4, "timeout"))}
    rows = {row.number[-1]: row for row in db.session.scalars(db.select(MissedCall))}
    queue_id = TABLE["queues"].find("Suporte").id
    assert {row.queue_id for row in rows.values()} == {queue_id} and {row.queue for row in rows.values()} == {"Suporte"}
    assert rows["4"].wait_seconds >= 5
    db.session.rollback()

    back = a.call("0999990002").wait_answered(GENEROUS)  # 0 for the outside; the route puts the area code in front
    assert back.talks_with(carrier.wait_call("48999990002"))
    back.hang_up()
    assert until(is_free, 20), "else the next caller finds nobody"
    again = carrier.call(NUMBER, caller="48999990003")
    there = a.answer(GENEROUS)
    assert again.talks_with(there)
    again.hang_up()
    there.wait_ended()
    found = ledger()
    assert found["5548999990002"] == ("abandoned", "returned", "1001 Ana") and found["5548999990003"] == ("full", "called_again", "1001 Ana")
    assert found["5548999990001"][1] == found["5548999990004"][1] == "open"
    page = text_of(carla.get("/missed_calls?state=all"))
    assert "(48) 99999-0001" in page and "1001 Ana" in page


def test_the_story_of_a_call_names_its_queues(pbx, phone):
    """QUE-16, QUE-20: the queue that did not take it, and the one that did, with what became of the wait."""
    quiet()
    caller, carla = make_extension("1000"), make_extension("1003")
    bruno = make_extension("1002")
    make_queue("2001", bruno, name="Vendas", overflow_queues=[])
    helping = make_queue("2002", carla, name="Apoio", strategy="linear")
    change(TABLE["queues"].find("Vendas"), overflow_queues=["Apoio"])
    pbx.apply()
    desk, c = phone(caller), phone(carla)
    call = desk.call("2001")
    assert call.talks_with(c.answer(GENEROUS))
    call.hang_up()
    stored = wait_recorded()[-1]
    assert [(step.name, step.result) for step in stored.steps if step.kind == QUEUE] == [("Vendas", "empty"), ("Apoio", "answered")]
    assert helping.id in [step.row_id for step in stored.steps if step.kind == QUEUE]
