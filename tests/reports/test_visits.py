"""Visits of queues and IVRs, from the lines of record files to rows and their roll-ups."""

import random

import pytest
from sqlalchemy import func, select

from appliance.calls import visit_rows, visit_totals
from appliance.calls.model import Call, IvrVisit, QueueVisit
from appliance.calls.record import record_call
from appliance.calls.visit_totals import COLUMNS, HOUR_KEYS, KEYS, VisitHour, VisitTotal
from appliance.db import db
from tests.build import change
from tests.reports.conftest import TEN, stored
from tests.scripted import Scripted
from tests.test_call_records import HERE, captured

pytestmark = pytest.mark.usefixtures("app")


def visits():
    return list(db.session.scalars(select(QueueVisit).order_by(QueueVisit.entered_at, QueueVisit.id)))


def ivr_visits():
    return list(db.session.scalars(select(IvrVisit).order_by(IvrVisit.entered_at, IvrVisit.id)))


def rolled():
    """The roll-ups without what is zero, and what they must be: the sums of the rows."""
    def kept(table, keys):
        found = {tuple(getattr(row, name) for name in keys): [getattr(row, name) for name in COLUMNS] for row in db.session.scalars(select(table))}
        return {key: values for key, values in found.items() if any(values)}

    wanted = visit_totals.contribution(visits(), ivr_visits())
    return [kept(VisitTotal, KEYS), kept(VisitHour, HOUR_KEYS)], [visit_totals._narrowed(wanted, len(keys)) for keys in (KEYS, HOUR_KEYS)]


def test_an_answered_visit_has_its_times_member_and_targets(place):
    """REP-16, QUE-28: the wait until the member is there, the talk while they are joined, in milliseconds; names and targets of then."""
    stored(Scripted(TEN).ivr(place.main.id).press(place.main.id, "1", 4).queue(place.sales.id, 5.25).answer(place.sales.id, place.Ana, 17.5)
           .hang_up(77.125, place.sales.id))  # fmt: skip
    visit, = visits()
    assert (visit.outcome, visit.wait_ms, visit.talk_ms, visit.is_within, visit.is_transferred) == ("answered", 12250, 59625, True, False)
    assert (visit.queue, visit.member_name, visit.member_number, visit.extension_id) == ("Vendas", "Ana", "2001", place.Ana.id)
    assert (visit.target_percent, visit.target_seconds, visit.abandon_seconds) == (80, 20, 3)
    assert (visit.ivr_id, visit.number, visit.direction) == (place.main.id, "5548999998888", "inbound")
    assert (visit.from_cost_centre_id, visit.to_cost_centre_id) == (None, place.Ana.cost_centre_id)
    ivr, = ivr_visits()
    assert (ivr.outcome, ivr.ivr, ivr.queue_id, ivr.extension_id) == ("went_on", "Principal", place.sales.id, place.Ana.id)
    assert rolled()[0] == rolled()[1]


def test_every_other_end_of_a_visit(place):
    """REP-16, REP-27: given up, out by its time, by a key, nobody there, and what its rules sent on."""
    sales, support = place.sales.id, place.support.id
    stored(
        Scripted(TEN).queue(sales).hang_up(2.3, sales),
        Scripted(TEN).queue(sales).hang_up(30.3, sales),
        Scripted(TEN).queue(sales).leave(sales, "EXITWITHTIMEOUT", 45).queue(support, 45.2).answer(support, place.Bruno, 50).hang_up(60, support),
        Scripted(TEN).queue(sales).leave(sales, "EXITWITHTIMEOUT", 45).hang_up(45.3, by="system"),
        Scripted(TEN).queue(sales).leave(sales, "EXITWITHKEY", 9).goes_to("extensions", place.Davi.id, 9.2).hang_up(20, by="system"),
        Scripted(TEN).queue(sales).leave(sales, "EXITEMPTY", 4).hang_up(4.2, by="system"),
    )
    found = [(visit.queue_id, visit.outcome, visit.next_word, visit.next_id, visit.is_short) for visit in visits()]
    assert sorted(found, key=str) == sorted([
        (sales, "abandoned", "", None, True), (sales, "abandoned", "", None, False), (sales, "timeout", "queues", support, False),
        (support, "answered", "", None, False), (sales, "timeout", "", None, False), (sales, "key", "extensions", place.Davi.id, False),
        (sales, "no_agents", "", None, False)], key=str)  # fmt: skip
    waits = sorted(visit.wait_ms for visit in visits() if visit.outcome != "answered")
    assert waits == [2000, 3900, 8900, 30000, 44900, 45000]
    assert rolled()[0] == rolled()[1]


def test_a_queue_that_does_not_take_a_call(place):
    """REP-16: Asterisk's own log says nothing of them; out of hours is no offered call."""
    sales = place.sales.id
    full = Scripted(TEN).goes_to("queues", sales, 0.3)
    full.cel("BENTEVI_QUEUE", 0.5, f"{sales} full")
    empty = Scripted(TEN).goes_to("queues", sales, 0.3)
    empty.cel("BENTEVI_QUEUE", 0.5, f"{sales} empty")
    stored(
        Scripted(TEN).goes_to("queues", sales, 0.3).closed("queues", sales, 0.4).goes_to("announcements", 7, 0.5).hang_up(9),
        full.goes_to("queues", place.support.id, 0.6).hang_up(9), empty.hang_up(0.7, by="system"),
        Scripted(TEN).goes_to("queues", sales, 0.3).hang_up(3),                      # while a greeting is heard
        Scripted(TEN).goes_to("queues", sales, 0.3).hang_up(0.6, by="system"),
    )
    found = sorted((visit.outcome, visit.next_word, visit.wait_ms) for visit in visits() if visit.queue_id == sales)
    assert found == [("abandoned", "", 2700), ("closed", "announcements", 200), ("full", "queues", 300), ("no_agents", "", 400), ("not_taken", "", 300)]
    offered = db.session.scalar(select(func.sum(VisitHour.offered_count)).where(VisitHour.queue_id == sales))
    assert offered == 4 and rolled()[0] == rolled()[1]


def test_a_call_passed_on_from_one_queue_to_another(place):
    """REP-16: once answered in A, transferred in A, answered in B."""
    a, b = place.sales.id, place.support.id
    stored(Scripted(TEN).queue(a).answer(a, place.Ana, 10.3).transfer(a, 40.3).queue(b, 40.5).answer(b, place.Bruno, 45.5).hang_up(65.5, b))
    found = [(visit.queue_id, visit.outcome, visit.is_transferred, visit.member_name, visit.wait_ms, visit.talk_ms) for visit in visits()]
    assert found == [(a, "answered", True, "Ana", 10000, 30000), (b, "answered", False, "Bruno", 5000, 20000)]
    assert rolled()[0] == rolled()[1]


def test_visits_of_an_ivr(place):
    """REP-27: abandoned only when the caller hung up inside it; a call that comes back to it is one; out of hours is no abandoning."""
    main, second, sales = place.main.id, place.second.id, place.sales.id
    stored(
        Scripted(TEN).ivr(main).hang_up(5),
        Scripted(TEN).ivr(main).press(main, "2", 4).ivr(second, 4.1).press(second, "0", 8).ivr(main, 8.1).hang_up(12),
        Scripted(TEN).ivr(main).closed("ivrs", main, 0.3).hang_up(6),
        Scripted(TEN).ivr(main).press(main, "attempts", 20).hang_up(20.1, by="system"),
        Scripted(TEN).ivr(main).press(main, "2", 4).ivr(second, 4.1).press(second, "1", 8).queue(sales, 8.2).hang_up(30, sales),
    )
    found = sorted((visit.ivr_id, visit.outcome, visit.queue_id or 0) for visit in ivr_visits())
    assert found == sorted([(main, "abandoned", 0), (main, "abandoned", 0), (second, "went_on", 0), (main, "closed", 0), (main, "ended", 0),
                            (main, "went_on", sales), (second, "went_on", sales)])  # fmt: skip
    assert [visit.ivr_id for visit in visits()] == [second]
    assert rolled()[0] == rolled()[1]


def many(place, count=12):
    """Calls of every kind, some of them at the end of an hour."""
    sales, support, main = place.sales.id, place.support.id, place.main.id
    dice, found = random.Random(7), []
    for number in range(count):
        call = Scripted(TEN.replace(minute=59, second=50 + number % 10)).ivr(main).queue(sales, 2)
        kind = number % 4
        if kind == 0:
            call.answer(sales, place.Ana, 5 + dice.random() * 30).hang_up(60 + dice.random() * 60, sales)
        elif kind == 1:
            call.hang_up(2 + dice.random() * 5, sales)
        elif kind == 2:
            call.leave(sales, "EXITWITHTIMEOUT", 32).queue(support, 32.5).answer(support, place.Bruno, 40).hang_up(90, support)
        else:
            call.answer(sales, place.Davi, 8).transfer(sales, 20).queue(support, 20.5).answer(support, place.Ana, 30).hang_up(50, support)
        found.append(call)
    return found


def told():
    """Every visit without the ids that depend on the order of storing."""
    return sorted(tuple(str(getattr(visit, name)) for name in visit_rows.QUEUE_COLUMNS) for visit in visits()), sorted(
        tuple(str(getattr(visit, name)) for name in visit_rows.IVR_COLUMNS) for visit in ivr_visits())


def by_file(lines):
    """CEL first, as the process reads it; queue_log of all calls a transaction later."""
    yield [line for line in lines if line.kind == "cel"]
    yield [line for line in lines if line.kind == "queue"]


def in_any_order(lines):
    """Late and shuffled: half of queue_log, then the steps, then the rest of queue_log."""
    dice = random.Random(3)
    cel, log = ([line for line in lines if line.kind == kind] for kind in ("cel", "queue"))
    dice.shuffle(log)
    half = len(log) // 2
    yield log[:half]
    yield dice.sample(cel, len(cel))
    yield log[half:]


@pytest.mark.parametrize("order", [by_file, in_any_order])
@pytest.mark.database
def test_lines_that_come_late_or_in_another_order_give_the_same_visits_once(place, order):
    """REP-16, REP-27: exactly once, in rows and in roll-ups; the longest of an hour too."""
    calls = many(place)
    stored(*calls, order=order)
    found = told()
    assert len(found[0]) == 18 and len(found[1]) == 12
    assert rolled()[0] == rolled()[1]
    for call in calls:  # some more of it: everything is built again
        call.cel("LINKEDID_END", 120)
    stored(*[late_lines(call.lines[-1]) for call in calls])
    assert told() == found and rolled()[0] == rolled()[1]
    db.session.execute(Call.__table__.delete())
    db.session.commit()
    assert not visits() and not ivr_visits(), "visits go with their conversation"


def test_the_longest_of_an_hour_is_looked_for_again_when_it_changes(place):
    """REP-27: MSA and MHT; a late line shortens the longest visit."""
    sales = place.sales.id
    long = Scripted(TEN).queue(sales).answer(sales, place.Ana, 40.3)
    member = long.open[-1]
    long.cel("BRIDGE_EXIT", 50.3, {"bridge_id": member}, of=member)
    late = long.lines.pop()
    long.hang_up(100.3, sales)
    stored(Scripted(TEN).queue(sales).answer(sales, place.Ana, 10.3).hang_up(20.3, sales), long)
    row = db.session.scalars(select(VisitHour)).one()
    assert (row.longest_wait_ms, row.longest_talk_ms) == (40000, 60000)
    stored(late_lines(late))
    db.session.refresh(row)
    assert (row.longest_wait_ms, row.longest_talk_ms) == (40000, 10000) and rolled()[0] == rolled()[1]


def late_lines(*lines):
    """Lines of calls that are stored already."""
    return type("Late", (), {"lines": list(lines)})


@pytest.mark.parametrize(("name", "queues", "ivrs"), [
    ("queue_through_ivr", [(1, "answered", 819, 1406, "1001", False, 1, "")], [(1, "went_on", 1)]),
    ("ivr_abandoned", [], [(1, "abandoned", None)]),
    ("queue_overflow", [(1, "timeout", 4002, 0, "", False, None, "queues"), (2, "answered", 7, 713, "1002", False, None, "")], []),
    ("queue_blind_to_queue", [(1, "answered", 2, 704, "1001", True, None, ""), (2, "answered", 4, 704, "1002", False, None, "")], []),
    ("queue_nobody_there", [(3, "no_agents", 1, 0, "", False, None, "")], []),
    ("queue_attended_to_queue", [(1, "answered", 3, 1930, "1001", True, None, ""), (2, "answered", 4, 1914, "1002", False, None, "")], []),
])  # fmt: skip
def test_the_visits_in_lines_of_a_real_asterisk(name, queues, ivrs):
    """REP-16, REP-27: in any order, each line once or twice."""
    lines = captured(name)
    for seed in range(10):
        dice = random.Random(seed)
        call = record_call(dice.sample(lines, len(lines)) + dice.sample(lines, 3), HERE)
        assert [(visit.queue_id, visit.outcome, visit.wait_ms, visit.talk_ms, visit.member_number, visit.is_transferred, visit.ivr_id,
                 visit.next_word) for visit in call.queue_visits] == queues  # fmt: skip
        assert [(visit.ivr_id, visit.outcome, visit.queue_id) for visit in call.ivr_visits] == ivrs


def test_a_call_that_lasts_has_no_visit_yet(place):
    sales = place.sales.id
    call = Scripted(TEN).queue(sales).answer(sales, place.Ana, 10.3)
    stored(call)
    assert not visits() and not rolled()[0][0]


def test_a_changed_target_does_not_change_the_past(place, monkeypatch):
    """QUE-28: the targets of the time of the call stay with it, also when it is built again."""
    sales = place.sales.id
    call = Scripted(TEN).queue(sales).answer(sales, place.Ana, 15.3).hang_up(30, sales)
    stored(call)
    monkeypatch.setattr(visit_rows, "known_of", lambda queue: visit_rows.Known(queue.name, 90, 10, 5))
    change(place.sales, name="Comercial")
    call.cel("LINKEDID_END", 31)
    stored(late_lines(call.lines[-1]), Scripted(TEN).queue(sales).answer(sales, place.Ana, 15.3).hang_up(30, sales))
    assert sorted((visit.queue, visit.target_seconds, visit.is_within) for visit in visits()) == [("Comercial", 10, False), ("Vendas", 20, True)]
    row = db.session.scalars(select(VisitHour)).one()
    assert (row.answered_count, row.within_count) == (2, 1)
