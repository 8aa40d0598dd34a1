"""The order of ringing over many calls, while members join, leave and pause and the queue is edited under a waiting caller."""

import random
import time
from collections.abc import Callable

import pytest

from tests.build import change, make_extension, make_queue
from tests.story.test_queues import GENEROUS, put_members, ringing, served, settle

pytestmark = [pytest.mark.pbx, pytest.mark.long]
CALLS = 60


class Promise:
    """What a strategy promises for the next call: the handsets that may ring first. `taken` are answered calls, in order."""

    def __init__(self, strategy: str) -> None:
        self.strategy, self.present, self.paused = strategy, [], set()
        self.count: dict = {}
        self.last: dict = {}
        self.before = None  # who was rung last, None after a change of the list

    @property
    def free(self) -> list:
        return [one for one in self.present if one not in self.paused]

    def members(self, present: list, paused: set) -> None:
        """The list is this from now on; who comes in anew begins at nothing."""
        for one in set(self.present) - set(present):
            self.count.pop(one, None)
            self.last.pop(one, None)
        if present != self.present or paused != self.paused:
            self.before = None
        self.present, self.paused = list(present), set(paused)

    def next(self) -> list:
        free = self.free
        if self.strategy == "linear":
            return free[:1]
        if self.strategy == "rotate":
            return free if self.before is None else [free[(free.index(self.before) + 1) % len(free)]]
        if self.strategy == "fewest_calls":
            least = min(self.count.get(one, 0) for one in free)
            return [one for one in free if self.count.get(one, 0) == least]
        if self.strategy == "least_recent":
            oldest = min(self.last.get(one, 0) for one in free)
            return [one for one in free if self.last.get(one, 0) == oldest]
        return free

    def took(self, one, number: int) -> None:
        self.count[one] = self.count.get(one, 0) + 1
        self.last[one], self.before = number, one


@pytest.mark.parametrize("strategy", ["random", "linear", "least_recent", "fewest_calls", "rotate", "ring_all"])
def test_sixty_calls_ring_in_the_promised_order_through_every_change(pbx, phone, strategy):
    """QUE-09, QUE-22: also after members join, leave and pause, and the queue is edited while a caller waits."""
    caller = make_extension("1000")
    rows = {number: make_extension(number) for number in ("1003", "1001", "1004", "1002")}
    order = ["1003", "1001", "1004"]
    queue = make_queue("2000", *(rows[number] for number in order), strategy=strategy)
    pbx.apply()
    desk, handsets = phone(caller), {number: phone(row) for number, row in rows.items()}
    promise = Promise(strategy)
    promise.members([handsets[number] for number in order], set())
    taken = dict.fromkeys(handsets.values(), 0)

    def members(now: list[str], paused: tuple[str, ...] = ()) -> None:
        put_members(queue, *({"extension": number, "paused": number in paused} for number in now))
        promise.members([handsets[number] for number in now], {handsets[number] for number in paused})

    changes: dict[int, Callable[[], None]] = {
        12: lambda: members(order, ("1001",)), 20: lambda: members(order), 28: lambda: members([*order, "1002"]),
        36: lambda: members(["1001", "1004", "1002"]), 44: lambda: edited_under_a_caller(), 50: lambda: members(["1002", "1004", "1001"]),
    }

    def edited_under_a_caller() -> None:
        now = ["1001", "1004", "1002"]
        members(now, tuple(now))
        waiting = desk.call("2000").wait_answered()
        change(queue, ring_timeout_seconds=20, wrap_up_seconds=0)
        pbx.apply()
        assert waiting.state == "up"
        members(now)
        there = next(iter(ringing_soon())).answer(GENEROUS)
        assert waiting.talks_with(there)
        promise.took(there.phone, 44)
        there.hang_up()
        waiting.wait_ended()

    def ringing_soon():
        assert desk.wire.comes_true(lambda: ringing(list(handsets.values())), GENEROUS)
        return ringing(list(handsets.values()))

    for number in range(1, CALLS + 1):
        changes.get(number, lambda: None)()
        if strategy == "least_recent":
            time.sleep(1.1)  # Asterisk counts whole seconds since the last call
        expected = promise.next()
        if strategy == "ring_all":
            settle(list(handsets.values()))
            call = desk.call("2000")
            assert desk.wire.comes_true(lambda wanted=set(expected): set(ringing(list(handsets.values()))) == wanted, GENEROUS), number
            one = random.choice(expected)
            there = one.answer()
            there.hang_up()
            call.wait_ended(GENEROUS)
            assert desk.wire.comes_true(lambda: not ringing(list(handsets.values())), GENEROUS)
        else:
            one = served(desk, "2000", list(handsets.values()))
        assert one in expected, f"call {number}: {one.name} instead of {[other.name for other in expected]}"
        promise.took(one, number)
        taken[one] += 1
    if strategy == "random":
        assert all(count >= 3 for count in taken.values()), "everybody gets some"


def test_many_callers_of_two_queues_are_served_by_priority(pbx, phone):
    """QUE-03: one agent, six callers of each queue, those of priority 1 first in time: all of priority 10 are served first."""
    ana = make_extension("1001")
    callers = [make_extension(str(number)) for number in range(1100, 1112)]
    make_queue("2001", ana, queue_weight=1)
    make_queue("2010", ana, queue_weight=10)
    friend = make_extension("1000")
    pbx.apply()
    a, other, desks = phone(ana), phone(friend), [phone(row) for row in callers]
    direct = other.call("1001")
    a.answer()
    for place, desk in enumerate(desks):
        desk.call("2001" if place < 6 else "2010").wait_answered()
    direct.hang_up()
    served_in_order = []
    for _call in desks:
        there = a.answer(GENEROUS)
        served_in_order.append(there.caller_number)
        there.hang_up()
    assert set(served_in_order[:6]) == {str(number) for number in range(1106, 1112)}
    assert set(served_in_order[6:]) == {str(number) for number in range(1100, 1106)}
