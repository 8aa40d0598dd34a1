"""Queues over real calls: who rings and when, and where calls go that nobody takes."""

import time

import pytest

from appliance import settings
from appliance.calls.model import RING
from appliance.db import db
from appliance.queues import members
from appliance.telephony import runtime
from tests.build import change, make, make_extension, make_queue
from tests.calls import ENDED, RINGING, UP
from tests.player import until
from tests.records import quiet, wait_recorded
from tests.sounds import library

pytestmark = pytest.mark.pbx
GENEROUS = 30.0


def ringing(handsets):
    """The handsets at which a call rings now."""
    return [handset for handset in handsets if any(call.state == RINGING for call in handset.incoming)]


def who_rings(handsets, within_seconds=GENEROUS):
    """The first handset that rings."""
    wire = handsets[0].wire
    assert wire.comes_true(lambda: ringing(handsets), within_seconds), "nobody rings"
    return ringing(handsets)[0]


def settle(handsets):
    """Until the exchange has noticed that handsets without a call are free: a moment after a call it may still take them for ringing."""
    def busy():
        text = runtime.command(runtime.control(settings.load()), "queue show")
        idle = [handset.user for handset in handsets if all(call.state == ENDED for call in handset.calls)]
        return [line for line in text.splitlines() for user in idle if f"(PJSIP/{user})" in line and ("(Ringing)" in line or "(In use)" in line)]

    assert until(lambda: not busy(), GENEROUS), busy()


def served(caller, number, handsets):
    """One whole call into a queue: whoever rang first answers it and hangs up."""
    settle(handsets)
    call = caller.call(number)
    handset = who_rings(handsets)
    there = handset.answer(GENEROUS)
    there.hang_up()
    call.wait_ended(GENEROUS)
    return handset


def sync(queue):
    """What the worker does when a row was stored."""
    row_id = queue.id
    members.sync(row_id)


def put_members(queue, *lines):
    """Other members, in force at once as the worker does it."""
    change(queue, members=[line if isinstance(line, dict) else {"extension": line.number} for line in lines])
    sync(queue)


def section(queue, more=""):
    """The name of its section; no transaction of ours stays open, which would keep others from writing."""
    name = f"queue-{queue.id}{more}"
    db.session.rollback()
    return name


def status(pbx, name):
    """What Asterisk shows of a queue."""
    return pbx.ask(f"queue show {name}")


def test_a_queue_is_dialled_and_its_member_answers(pbx, phone):
    """QUE-01, QUE-22: the queue's number rings its member; the caller talks; when the member hangs up the call is over."""
    ana, bruno = make_extension("1000"), make_extension("1001")
    make_queue("2000", bruno)
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    call = a.call("2000")
    there = b.answer()
    assert call.talks_with(there)
    there.hang_up()
    call.wait_ended()


def test_six_strategies_ring_in_the_order_they_promise(pbx, phone):
    """QUE-09, QUE-22: all, in turn from the list's order, longest idle, fewest calls, random, and always from the top."""
    caller = make_extension("1000")
    rows = [make_extension(number) for number in ("1003", "1002", "1001")]  # not the order of their numbers
    for number, strategy in (("2001", "ring_all"), ("2002", "rotate"), ("2003", "least_recent"), ("2004", "fewest_calls"), ("2005", "random"),
                             ("2006", "linear")):  # fmt: skip
        make_queue(number, *rows, strategy=strategy)
    pbx.apply()
    desk, handsets = phone(caller), [phone(row) for row in rows]

    call = desk.call("2001")
    assert desk.wire.comes_true(lambda: len(ringing(handsets)) == 3, GENEROUS), "all ring"
    others = [handset.wait_ringing() for handset in handsets[1:]]
    there = handsets[0].answer()
    for other in others:
        other.wait_ended()
    assert call.talks_with(there)
    call.hang_up()
    there.wait_ended()

    assert [served(desk, "2002", handsets) for _call in range(6)] == handsets * 2, "in turn, in the order of the list"

    order = []
    for _call in range(6):
        order.append(served(desk, "2003", handsets))
        time.sleep(1.1)  # Asterisk counts whole seconds since the last call
    assert set(order[:3]) == set(handsets) and order[3:] == order[:3], "who was idle for longest"

    counts = dict.fromkeys(handsets, 0)
    for _call in range(6):
        handset = served(desk, "2004", handsets)
        assert counts[handset] == min(counts.values()), "who took the fewest"
        counts[handset] += 1

    assert len({served(desk, "2005", handsets) for _call in range(9)}) > 1, "any of them"

    first = desk.call("2006")
    at_first = handsets[0].answer(GENEROUS)
    assert served(desk, "2006", handsets[1:]) is handsets[1], "the first talks: the second of the list"
    first.hang_up()
    at_first.wait_ended()
    assert served(desk, "2006", handsets) is handsets[0], "and the first again"


def test_members_come_go_pause_and_change_places_while_a_caller_waits(pbx, phone):
    """QUE-22, QUE-19: no apply is needed, nobody waiting is dropped, and linear follows the new order at once."""
    caller = make_extension("1000")
    ana, bruno, carla = (make_extension(number) for number in ("1001", "1002", "1003"))
    queue = make_queue("2000", {"extension": "1001", "paused": True}, {"extension": "1002", "paused": True}, strategy="linear")
    pbx.apply()
    desk, handsets = phone(caller), [phone(row) for row in (ana, bruno, carla)]
    call = desk.call("2000")
    call.wait_answered()
    assert not ringing(handsets) and call.hears_sound(), "paused members are not rung; the caller waits with music"
    assert members.change(queue, "1002", paused=False) and not members.change(queue, "1002", paused=False)
    db.session.commit()
    sync(queue)
    assert who_rings(handsets) is handsets[1]
    assert call.talks_with(handsets[1].answer())
    call.hang_up()

    put_members(queue, carla, ana, bruno)
    assert [line.split()[0] for line in status(pbx, section(queue, "-2")).splitlines() if "PJSIP/" in line] == [
        f"extension-{row.id}" for row in (carla, ana, bruno)]
    assert served(desk, "2000", handsets) is handsets[2], "the new first of the list"
    put_members(queue, ana)
    assert served(desk, "2000", handsets) is handsets[0], "the others are gone"
    assert not db.session.scalar(db.select(db.func.count()).select_from(_pending())), "nothing waits for an apply"


def _pending():
    from appliance.changes import Change

    return db.select(Change).where(Change.pending).subquery()


def test_to_linear_and_back_nobody_waiting_is_dropped(pbx, phone):
    """QUE-09: a strategy change to and from linear takes effect; who waits stays, and is answered by the members of now."""
    caller, other = make_extension("1000"), make_extension("1004")
    rows = [make_extension(number) for number in ("1003", "1001", "1002")]
    queue = make_queue("2000", *({"extension": row.number, "paused": True} for row in rows), strategy="random")
    pbx.apply()
    desk, second, handsets = phone(caller), phone(other), [phone(row) for row in rows]
    waiting = desk.call("2000").wait_answered()
    change(queue, strategy="linear")
    pbx.apply()
    assert waiting.state == UP and waiting.hears_sound()
    put_members(queue, *rows)
    there = who_rings(handsets).answer()
    assert waiting.talks_with(there), "who waited is answered from the old section"
    assert served(second, "2000", [handset for handset in handsets if handset is not there.phone]) is (
        handsets[0] if there.phone is not handsets[0] else handsets[1]), "who comes now meets the list"
    waiting.hang_up()
    there.wait_ended()
    change(queue, strategy="random")
    pbx.apply()
    assert "'random'" in status(pbx, section(queue))
    served(desk, "2000", handsets)


def test_members_are_there_again_when_asterisk_has_started(pbx, phone):
    """QUE-22: members, pauses and penalties are re-established from the rows, whatever Asterisk remembers."""
    rows = [make_extension(number) for number in ("1001", "1002")]
    queue = make_queue("2000", rows[0], {"extension": "1002", "penalty": 3, "paused": True})
    pbx.apply()
    name = section(queue)
    pbx.ask(f"queue remove member PJSIP/1001 from {name}")
    pbx.ask(f"queue unpause member PJSIP/1002 queue {name}")
    pid = pbx.pid()
    pbx.ask("core stop now")
    ends_at = time.monotonic() + 90

    def shown():
        return status(pbx, name) if pbx.pid() not in (0, pid) and pbx.is_booted() else ""

    while not ("PJSIP/1001" in (text := shown()) and "penalty 3" in text and "paused" in text):
        assert time.monotonic() < ends_at, text
        time.sleep(0.2)


def test_all_telephones_of_a_member_ring_and_one_takes_the_call(pbx, phone, phones):
    """QUE-22, EXT-28: a member with two devices; the other is released; a transfer of the member and the caller's hanging up work as ever."""
    caller, ana, bruno = make_extension("1000"), make_extension("1001", devices=2), make_extension("1002")
    queue = make_queue("2000", ana, recording=True)
    pbx.apply()
    assert queue.recording
    desk, here, other = phone(caller), phone(ana), phone(bruno)
    mobile = phones.phone("1001", "secret-1001", name="mobile")
    call = desk.call("2000")
    ringing_here = here.wait_ringing(GENEROUS)
    there = mobile.answer(GENEROUS)
    ringing_here.wait_ended()
    assert call.talks_with(there)
    there.transfer("1002")
    assert call.talks_with(other.answer(GENEROUS))
    call.hang_up()
    call = desk.call("2000")
    there = here.answer(GENEROUS)
    assert call.talks_with(there)
    there.hang_up()
    call.wait_ended()


def test_a_member_in_a_call_rings_only_where_the_queue_says_so(pbx, phone):
    """QUE-04: on, a member in a direct call rings; off, the next free member does."""
    caller, friend = make_extension("1000"), make_extension("1004")
    ana, bruno = make_extension("1001"), make_extension("1002")
    make_queue("2001", ana, bruno, strategy="linear")
    both = make_queue("2002", ana, bruno, strategy="linear", ring_in_use=True)
    pbx.apply()
    desk, other, a, b = phone(caller), phone(friend), phone(ana), phone(bruno)
    direct = other.call("1001")
    talking = a.answer()
    assert served(desk, "2001", [a, b]) is b
    assert served(desk, "2002", [a, b]) is a
    change(both, ring_in_use=False)
    pbx.apply()
    assert served(desk, "2002", [a, b]) is b, "the switch changes members that are in already"
    assert direct.talks_with(talking)


def test_parallel_calls_ring_all_free_members_and_serial_ones_wait_their_turn(pbx, phone):
    """QUE-05: with it three callers ring three members at once, each its own; without it one is offered after another."""
    callers = [make_extension(number) for number in ("1000", "1004", "1005")]
    rows = [make_extension(number) for number in ("1001", "1002", "1003")]
    make_queue("2001", *rows, strategy="linear", autofill=True)
    serial = make_queue("2002", *rows, strategy="linear", autofill=False, ring_timeout_seconds=60).section
    pbx.apply()
    desks, handsets = [phone(row) for row in callers], [phone(row) for row in rows]
    calls = [desk.call("2001") for desk in desks]
    assert desks[0].wire.comes_true(lambda: len(ringing(handsets)) == 3, GENEROUS)
    rung = [handset.wait_ringing() for handset in handsets]
    assert sorted(one.caller_number for one in rung) == ["1000", "1004", "1005"]
    for call in calls:
        call.hang_up()
    for one in rung:
        one.wait_ended()
    settle(handsets)
    calls = []
    for count, desk in enumerate(desks, 1):  # one after the other, so that their order is known
        calls.append(desk.call("2002").wait_answered())
        assert desk.wire.comes_true(lambda count=count: f"has {count} calls" in status(pbx, serial), GENEROUS)
    assert who_rings(handsets) is handsets[0]
    assert not handsets[1].rings(2.0) and not handsets[2].rings(0.1), "the others wait until the first is served"
    assert handsets[0].answer().caller_number == "1000"
    second = who_rings(handsets[1:])
    assert second.answer().caller_number == "1004"


def test_the_queue_with_priority_gets_the_freed_member_first(pbx, phone):
    """QUE-03: one agent of two queues, priority 10 and 1, the low one's calls older: the freed agent gets those of priority 10 first."""
    callers = [make_extension(str(number)) for number in range(1100, 1106)]
    friend, ana = make_extension("1005"), make_extension("1001")
    make_queue("2001", ana, queue_weight=1)
    make_queue("2010", ana, queue_weight=10)
    pbx.apply()
    other, a, desks = phone(friend), phone(ana), [phone(row) for row in callers]
    direct = other.call("1001")
    a.answer()
    for place, desk in enumerate(desks):
        desk.call("2001" if place < 3 else "2010").wait_answered()
    assert not a.rings(1.0)
    direct.hang_up()
    order = []
    for _call in desks:
        there = a.answer(GENEROUS)
        order.append(there.caller_number)
        there.hang_up()
    assert (set(order[:3]), set(order[3:])) == ({"1103", "1104", "1105"}, {"1100", "1101", "1102"})


def test_wrap_up_keeps_a_member_from_calls_of_its_queue_only(pbx, phone):
    """QUE-11: for the wrap-up time no call of this queue, but one of another."""
    caller, other = make_extension("1000"), make_extension("1004")
    ana = make_extension("1001")
    make_queue("2001", ana, wrap_up_seconds=5)
    make_queue("2002", ana)
    pbx.apply()
    desk, second, a = phone(caller), phone(other), phone(ana)
    served(desk, "2001", [a])
    ended = time.monotonic()
    waiting = desk.call("2001").wait_answered()
    served(second, "2002", [a])
    assert time.monotonic() - ended < 5, "the other queue's call rang within the wrap-up time"
    there = a.answer(GENEROUS)
    assert there.caller_number == "1000" and time.monotonic() - ended >= 4, "only then the queue's own"
    assert waiting.talks_with(there)


def test_after_the_ring_time_the_next_rings_and_after_the_longest_wait_the_overflow(pbx, phone):
    """QUE-10, QUE-17: the ring time moves the offer to the next member, the longest wait sends the caller to an extension."""
    caller, last = make_extension("1000"), make_extension("1009")
    ana, bruno = make_extension("1001"), make_extension("1002")
    make_queue("2000", ana, bruno, strategy="rotate", ring_timeout_seconds=5, max_wait_seconds=12, overflow={"on_timeout": {"extension": "1009"}})
    pbx.apply()
    desk, a, b, end = phone(caller), phone(ana), phone(bruno), phone(last)
    call = desk.call("2000").wait_answered()
    first = a.wait_ringing()
    second = b.wait_ringing(GENEROUS)
    moved = (second.logged.rang_at - first.logged.rang_at).total_seconds()
    assert 4.5 < moved < 12, moved
    assert call.talks_with(end.answer(GENEROUS))
    call.hang_up()
    (stored,) = [one for one in wait_recorded() if one.to_number == "2000"]
    (visit,) = stored.queue_visits
    assert (visit.outcome, visit.next_word) == ("timeout", "extensions")
    assert 11_000 <= visit.wait_ms <= 14_000, "Asterisk counts whole seconds, and looks at its limit once a second"
    rung = [(step.ended_at - step.at).total_seconds() for step in stored.steps if step.kind == RING and step.number in ("1001", "1002")]
    assert 4.5 <= rung[0] <= 7, "the ring time of one member"


@pytest.mark.parametrize("kind", ["queue", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("extension", "ivr"))])
def test_each_kind_of_destination_takes_the_overflow_and_it_is_counted(pbx, phone, kind, carla):
    """QUE-16, QUE-17: an extension, another queue, an IVR; the queue's counter of overflows grows by one, and none is lost."""
    caller, bruno = make_extension("1000"), make_extension("1002")
    library("Menu", 1550)
    targets = {"extension": "1002", "queue": make_queue("2002", bruno).name, "ivr": make("ivrs", name="Principal", number="3000", prompt="Menu").name}
    make_queue("2000", max_wait_seconds=5, overflow={"on_timeout": {kind: targets[kind]}})
    pbx.apply()
    quiet()
    desk, b = phone(caller), phone(bruno)

    def counted():
        rows = carla.get("/api/v1/queue_reports").json["rows"]
        db.session.rollback()
        return next(([row["offered_count"], row["overflowed_count"], row["lost_count"]] for row in rows if row["label"] == "Fila 2000"), [0, 0, 0])

    for count in (1, 2):
        call = desk.call("2000")
        if kind == "ivr":
            assert call.hears(1550, GENEROUS)
        else:
            assert call.talks_with(b.answer(GENEROUS))
        call.hang_up()
        found = wait_recorded()
        assert counted() == [count, count, 0]
    waits = [call.queue_visits[0].wait_ms for call in found if call.to_number == "2000"]
    assert len(waits) == 2 and all(4_000 <= wait <= 7_000 for wait in waits), waits


def test_a_full_queue_sends_the_next_caller_on_at_once(pbx, phone):
    """QUE-16, QUE-18: size 2, the third caller goes straight to the overflow, here another queue."""
    callers = [make_extension(number) for number in ("1000", "1004", "1005")]
    ana, bruno = make_extension("1001"), make_extension("1002")
    make_queue("2001", bruno)
    make_queue("2000", {"extension": ana.number, "paused": True}, overflow={"on_full": {"max_waiting": 2, "destination": {"queue": "Fila 2001"}}})
    pbx.apply()
    desks, b = [phone(row) for row in callers], phone(bruno)
    for desk in desks[:2]:
        desk.call("2000").wait_answered()
    assert not b.rings(0.5)
    third = desks[2].call("2000")
    assert third.talks_with(b.answer(GENEROUS))


def test_without_anybody_available_a_call_overflows_at_once(pbx, phone, phones):
    """QUE-19: all in calls, none registered, all paused (a paused member counts as not available): at once; one free: it waits and rings.
    Who waits already leaves when everybody has gone."""
    caller, last, friend = make_extension("1000"), make_extension("1009"), make_extension("1005")
    ana, bruno = make_extension("1001"), make_extension("1002")
    queue = make_queue("2000", ana, bruno, overflow={"on_no_agents": {"extension": "1009"}})
    pbx.apply()
    desk, end, other = phone(caller), phone(last), phone(friend)

    def overflows():
        call = desk.call("2000")
        there = end.answer(GENEROUS)
        assert call.talks_with(there)
        call.hang_up()
        there.wait_ended()

    overflows()  # nobody is registered
    a = phone(ana)
    assert served(desk, "2000", [a]) is a, "one is free"
    direct = other.call("1001")
    talking = a.answer()
    overflows()  # one in a call, one not registered
    direct.hang_up()
    talking.wait_ended()
    put_members(queue, {"extension": "1001", "paused": True}, {"extension": "1002", "paused": True})
    overflows()  # paused
    put_members(queue, ana)
    waiting = desk.call("2000").wait_answered()
    rung = a.wait_ringing(GENEROUS)
    put_members(queue, {"extension": "1001", "paused": True})
    rung.reject(486)
    assert waiting.talks_with(end.answer(GENEROUS)), "everybody went into a pause while the caller waited"


def test_queues_that_help_take_the_call_in_their_order(pbx, phone):
    """QUE-20: A is closed, B without agents, C open: the call rings C; without C it goes where A's overflow, or A's hours, say."""
    caller, last = make_extension("1000"), make_extension("1009")
    bruno, carla = make_extension("1002"), make_extension("1003")
    b_queue = make_queue("2002", bruno, overflow={"on_no_agents": {"hangup": True}})
    c_queue = make_queue("2003", carla, strategy="linear", overflow={"on_no_agents": {"hangup": True}})
    a_queue = make_queue("2001", overflow_queues=["Fila 2002", "Fila 2003"], overflow={"on_no_agents": {"extension": "1009"}})
    pbx.apply()
    desk, end, c = phone(caller), phone(last), phone(carla)
    assert served(desk, "2001", [c]) is c, "A and B have nobody"
    put_members(c_queue)
    call = desk.call("2001")
    assert call.talks_with(end.answer(GENEROUS)), "nobody anywhere: A's own overflow"
    call.hang_up()
    put_members(c_queue, carla)
    for queue in (a_queue, c_queue):  # as the hours do it when a queue is closed
        close(pbx, queue)
    call = desk.call("2001")
    assert call.talks_with(end.answer(GENEROUS)), "A and C closed, B has nobody: as the hours of A say"
    call.hang_up()
    reopen(pbx, c_queue)
    assert served(desk, "2001", [c]) is c, "A is closed, B has nobody"
    assert b_queue.overflow


def close(pbx, queue):
    """The question of the hours answered with no, in the running dialplan: they let the queues that help try, then send the call to 1009."""
    lines = ["StackPop", f"Gosub,bentevi-queue-{queue.id},closed,1", "Goto,bentevi-own-numbers,1009,1"]
    pbx.ask(f"dialplan remove extension {queue.id}@bentevi-hours-queues")
    for number, line in enumerate(lines, 1):
        name, _comma, arguments = line.partition(",")
        pbx.ask(f'dialplan add extension {queue.id},{number},{name}{f"({arguments})" if arguments else ""} into bentevi-hours-queues')


def reopen(pbx, queue):
    """And with yes."""
    pbx.ask(f"dialplan remove extension {queue.id}@bentevi-hours-queues")
    pbx.ask(f"dialplan add extension {queue.id},1,Return into bentevi-hours-queues")


def test_a_module_that_is_hidden_goes_on_taking_calls(pbx, phone, carla):
    """SYS-14: without the menus of queues the queue still rings its agent, and an apply made meanwhile keeps it."""
    ana, bruno = make_extension("1001", name="Ana"), make_extension("1002")
    make_queue("2001", ana)
    pbx.apply()
    assert carla.api("PATCH", "/api/v1/modules", {"call_centre": False}).status_code == 200
    assert carla.get("/queues").status_code == 404
    change(bruno, name="Bruno")
    pbx.apply()
    agent, caller = phone(ana), phone(bruno)
    call = caller.call("2001")
    there = agent.answer(GENEROUS)
    assert call.talks_with(there)
    call.hang_up()
