"""Queues that help each other, over real calls: who is asked, where a call waits that nobody takes, and what is told of it afterwards."""

import pytest
from flask_babel import force_locale

from appliance.calls.model import CLOSED, QUEUE
from appliance.calls.story import story
from appliance.db import db
from appliance.missed_calls.model import MissedCall
from tests.build import make_extension, make_hours, make_queue
from tests.calls import UP
from tests.player import until
from tests.records import quiet, wait_recorded
from tests.story.test_queues import GENEROUS, put_members, section, served, status

pytestmark = pytest.mark.pbx
TO_LAST = {"on_no_agents": {"extension": "1009"}}


def waits_in(pbx, name):
    """Whether one call is in this queue's list."""
    return until(lambda: "has 1 calls" in status(pbx, name), GENEROUS)



def sentences(call):
    with force_locale("pt_BR"):
        return [text for _at, text in story(call)]


def test_without_an_overflow_the_caller_waits_in_his_own_queue(pbx, phone):
    """QUE-19, QUE-20: nobody is logged in, or all are in calls, and no queue helps: he waits as if there were none, is rung for as soon as a
    member is free, and the longest wait counts as ever."""
    caller, friend, last = make_extension("1000"), make_extension("1005"), make_extension("1009")
    ana, bruno = make_extension("1001"), make_extension("1002")
    make_queue("2002", bruno)
    queue = make_queue("2001", ana, overflow_queues=["Fila 2002"], max_wait_seconds=8, overflow={"on_timeout": {"extension": "1009"}})
    name = section(queue)
    pbx.apply()
    quiet()
    desk, end, other = phone(caller), phone(last), phone(friend)

    call = desk.call("2001").wait_answered()
    assert waits_in(pbx, name), "nobody is logged in: he waits"
    assert call.hears_sound()
    there = end.answer(GENEROUS)
    assert call.talks_with(there), "and after the longest wait goes where the queue says"
    waited = (there.logged.rang_at - call.logged.answered_at).total_seconds()
    assert waited >= 7, waited  # Asterisk counts in whole seconds
    call.hang_up()
    there.wait_ended()

    a = phone(ana)
    direct = other.call("1001")
    talking = a.answer()
    call = desk.call("2001").wait_answered()
    assert waits_in(pbx, name), "all are in calls: he waits"
    direct.hang_up()
    talking.wait_ended()
    there = a.answer(GENEROUS)
    assert call.talks_with(there), "and is rung for when one is free"
    call.hang_up()
    calls = [call for call in wait_recorded() if call.to_number == "2001"]
    visits = {call.id: [(visit.queue, visit.outcome, visit.next_word) for visit in call.queue_visits] for call in calls}
    assert [visits[call.id] for call in calls] == [[("Fila 2001", "timeout", "extensions")], [("Fila 2001", "answered", "")]]


def test_who_waits_stays_when_everybody_pauses_and_no_destination_is_chosen(pbx, phone):
    """QUE-19, QUE-20: only a destination for it makes those who wait already leave."""
    caller, ana, bruno = make_extension("1000"), make_extension("1001"), make_extension("1002")
    make_queue("2002", bruno)
    queue = make_queue("2001", ana, overflow_queues=["Fila 2002"])
    name = section(queue)
    pbx.apply()
    desk, a = phone(caller), phone(ana)
    call = desk.call("2001").wait_answered()
    a.wait_ringing(GENEROUS).reject(486)
    put_members(queue, {"extension": "1001", "paused": True})
    assert not a.rings(8.0)
    assert call.state == UP and waits_in(pbx, name)
    put_members(queue, ana)
    assert call.talks_with(a.answer(GENEROUS))


def test_a_call_that_was_helped_is_over_with_it_when_it_is_transferred(pbx, phone):
    """QUE-20: B helps A and answers; its member passes the caller on to C, where all are busy: he waits in C, and does not go where A leads."""
    caller, last, friend = make_extension("1000"), make_extension("1009"), make_extension("1005")
    bruno, carla = make_extension("1002"), make_extension("1003")
    make_queue("2002", bruno)
    c_queue = make_queue("2003", carla)
    make_queue("2001", overflow_queues=["Fila 2002"], overflow=TO_LAST)
    name = section(c_queue)
    pbx.apply()
    desk, end, b, c, other = phone(caller), phone(last), phone(bruno), phone(carla), phone(friend)
    direct = other.call("1003")
    talking = c.answer()
    call = desk.call("2001")
    there = b.answer(GENEROUS)
    assert call.talks_with(there)
    there.transfer("2003")
    assert waits_in(pbx, name)
    assert not end.incoming
    direct.hang_up()
    talking.wait_ended()
    assert call.talks_with(c.answer(GENEROUS))


def test_a_closed_queue_with_helpers_is_told_of_once(pbx, phone, clock, carla):
    """QUE-20, REP-07, REP-19, HRS-06, REP-16: A is closed, B has nobody, C is open and rings: the path names A and B, the closed door stands
    once in the report, B was offered nothing and A overflowed only where somebody took the call."""
    caller, last = make_extension("1000"), make_extension("1009")
    bruno, clara = make_extension("1002"), make_extension("1003")
    make_hours("Comercial", "mon 08:00-18:00", closed_destination={"extension": "1009"})
    make_queue("2002", bruno, name="B")
    c_queue = make_queue("2003", clara, name="C", strategy="linear")
    c_id = c_queue.id
    a_id = make_queue("2001", name="A", business_hours="Comercial", overflow_queues=["B", "C"], overflow=TO_LAST).id
    pbx.apply()
    quiet()
    desk, end, c = phone(caller), phone(last), phone(clara)
    clock.at("2026-11-22 10:00")  # a Sunday
    assert served(desk, "2001", [c]) is c, "closed, and C helps"
    put_members(c_queue)
    call = desk.call("2001")
    there = end.answer(GENEROUS)
    assert call.talks_with(there), "closed, and nobody helps: as the hours say"
    call.hang_up()
    there.wait_ended()
    clock.at("2026-11-23 10:00")
    call = desk.call("2001")                      # open, nobody there or anywhere: as the queue says
    there = end.wait_ringing(GENEROUS)
    there.reject(486)
    call.wait_ended(GENEROUS)
    put_members(c_queue, clara)
    assert served(desk, "2001", [c]) is c, "open without anybody, and C helps"

    calls = [call for call in wait_recorded() if call.to_number == "2001"]
    found = [[(visit.queue_id, visit.outcome, visit.next_word, visit.next_id) for visit in call.queue_visits] for call in calls]
    last_id = last.id
    assert found == [
        [(a_id, "closed", "queues", c_id), (c_id, "answered", "", None)],
        [(a_id, "closed", "extensions", last_id)],
        [(a_id, "no_agents", "extensions", last_id)],
        [(a_id, "no_agents", "queues", c_id), (c_id, "answered", "", None)],
    ]
    assert [sum(step.kind == CLOSED for step in call.steps) for call in calls] == [1, 1, 0, 0]
    assert [(step.name, step.result) for step in calls[0].steps if step.kind in (CLOSED, QUEUE)] == [
        ("Comercial", ""), ("B", "skipped empty"), ("C", "answered")]
    told = sentences(calls[0])
    places = [[place for place, text in enumerate(told) if words in text] for words in ("Fila A: fora do horário", "Fila B, que poderia", "fila C")]
    assert all(places) and places == sorted(places), told
    rows = db.session.scalars(db.select(MissedCall).where(MissedCall.call_id.in_([call.id for call in calls])))
    missed = [(place, row.reason, row.queue) for row in rows for place, call in enumerate(calls) if call.id == row.call_id]
    assert missed == [(2, "no_agents", "A")], [(call.state, call.talk_seconds, [(step.kind, step.result) for step in call.steps]) for call in calls]
    linkedids = [call.protocol for call in calls]
    db.session.commit()
    text = carla.get("/out_of_hours.csv").text  # this month
    assert [text.count(protocol) for protocol in linkedids] == [1, 1, 0, 0]
    page = {row["label"]: row for row in carla.get("/api/v1/queue_reports").json["rows"]}  # a row more are deleted queues of other tests
    names = ("offered_count", "answered_count", "overflowed_count", "lost_count", "closed_count")
    assert {label: [page[label][name] for name in names] for label in "ABC" if label in page} == {"A": [2, 0, 2, 0, 2], "C": [2, 2, 0, 0, 0]}


def test_asking_many_queues_for_help_uses_up_no_destinations(pbx, phone):
    """QUE-20: two queues after each other, each with ten others that could help and have nobody: the call goes on all the same."""
    caller, last = make_extension("1000"), make_extension("1009")
    helpers = [make_queue(str(2100 + number)).name for number in range(10)]
    make_queue("2002", overflow_queues=helpers, overflow=TO_LAST)
    make_queue("2001", overflow_queues=helpers, overflow={"on_no_agents": {"queue": "Fila 2002"}})
    pbx.apply()
    desk, end = phone(caller), phone(last)
    call = desk.call("2001")
    assert call.talks_with(end.answer(GENEROUS))


@pytest.mark.long
def test_a_member_who_holds_a_call_or_whose_telephone_rings_meanwhile_is_not_available(pbx, phone):
    """QUE-19: he is not rung by this queue, so a new caller overflows at once; with “ring members who are in a call” he waits and rings. One who
    merely rings, or is in the wrap-up time, is waited for."""
    caller, second, friend, last = (make_extension(number) for number in ("1000", "1004", "1005", "1009"))
    ana = make_extension("1001", devices=2)
    queue = make_queue("2001", ana, wrap_up_seconds=6, overflow=TO_LAST)
    make_queue("2002", ana, ring_in_use=True, overflow=TO_LAST)
    name = section(queue)
    pbx.apply()
    desk, next_desk, other, end, a = phone(caller), phone(second), phone(friend), phone(last), phone(ana)

    def state_is(word):
        return until(lambda: f"({word})" in status(pbx, name), GENEROUS)

    def overflows():
        call = desk.call("2001")
        there = end.answer(GENEROUS)
        assert call.talks_with(there)
        call.hang_up()
        there.wait_ended()

    direct = other.call("1001")
    talking = a.answer()
    direct.hold()  # a telephone counts as “on hold” when the other side holds the call
    assert state_is("On Hold"), status(pbx, name)
    overflows()
    call = desk.call("2002")
    rung = a.wait_ringing(GENEROUS)
    assert rung.caller_number == "1000"
    assert state_is("In use+Ringing") or state_is("On Hold"), status(pbx, name)
    overflowing = next_desk.call("2001")
    there = end.answer(GENEROUS)
    assert overflowing.talks_with(there), "a call rings beside the one he has"
    for one in (overflowing, call, direct):
        one.hang_up()
    for one in (there, rung, talking):
        one.wait_ended()

    assert state_is("Not in use")
    call = desk.call("2001").wait_answered()
    rung = a.wait_ringing(GENEROUS)
    waiting = next_desk.call("2001").wait_answered()
    assert until(lambda: "has 2 calls" in status(pbx, name), GENEROUS), "he only rings: the second caller waits for him"
    rung.answer()
    call.hang_up()
    rung.wait_ended()
    third = other.call("2001").wait_answered()
    assert until(lambda: "has 2 calls" in status(pbx, name), GENEROUS), "in the wrap-up time he is waited for too"
    assert waiting.talks_with(a.answer(GENEROUS))
    assert not end.rings(0.5) and third.state == UP
