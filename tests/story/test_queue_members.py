"""What members keep when others come, go and change places in a queue that has an order."""

import pytest

from appliance import settings
from appliance.telephony import ami
from tests.build import make_extension, make_queue
from tests.player import until
from tests.story.test_queues import put_members, section, served

pytestmark = pytest.mark.pbx
GENEROUS = 30.0


def taken(name):
    """Member → (calls taken, second of the last), as Asterisk has them, in its order."""
    with ami.actions(settings.load()) as asterisk:
        events = asterisk.ask({"Action": "QueueStatus", "Queue": name}).events
    return {event["StateInterface"].removeprefix("PJSIP/"): (int(event["CallsTaken"]), int(event["LastCall"]))
            for event in events if event.get("Event") == "QueueMember"}  # fmt: skip


@pytest.mark.parametrize("strategy", ["linear", "rotate"])
def test_who_stays_keeps_wrap_up_and_counts_when_another_goes(pbx, phone, strategy):
    """QUE-22, QUE-11: the first of the list is taken out, another comes to its end: nobody else is put in anew, and the wrap-up time goes on."""
    caller, rows = make_extension("1000"), [make_extension(number) for number in ("1001", "1002", "1003")]
    ana, bruno, carla = rows
    queue = make_queue("2000", {"extension": "1001", "paused": True}, bruno, carla, strategy=strategy, wrap_up_seconds=3600)
    name = section(queue, "-2")
    pbx.apply()
    desk, handsets = phone(caller), [phone(row) for row in rows]
    assert served(desk, "2000", handsets[1:]) is handsets[1]
    assert served(desk, "2000", handsets[1:]) is handsets[2]
    assert until(lambda: [count for count, _last in taken(name).values()] == [0, 1, 1], GENEROUS)
    before = taken(name)
    put_members(queue, bruno, carla)
    assert taken(name) == {number: before[number] for number in ("1002", "1003")}
    put_members(queue, bruno, carla, ana)
    after = taken(name)
    assert list(after) == ["1002", "1003", "1001"] and after["1001"] == (0, 0)
    assert {number: after[number] for number in ("1002", "1003")} == {number: before[number] for number in ("1002", "1003")}
    assert served(desk, "2000", handsets) is handsets[0], "the others are in the wrap-up time still"
    put_members(queue, bruno, ana)
    assert list(taken(name)) == ["1002", "1001"] and taken(name)["1002"] == before["1002"] and taken(name)["1001"][0] == 1


def test_a_caller_is_not_sent_away_while_all_members_change_places(pbx, phone):
    """QUE-22, QUE-19: the list is turned round, and then somebody else is the only member, while a caller waits who leaves when nobody is there."""
    caller, last = make_extension("1000"), make_extension("1009")
    rows = [make_extension(number) for number in ("1001", "1002", "1003")]
    queue = make_queue("2000", *rows[:2], strategy="linear", ring_timeout_seconds=5, overflow={"on_no_agents": {"extension": "1009"}})
    name = section(queue, "-2")
    pbx.apply()
    desk, end, handsets = phone(caller), phone(last), [phone(row) for row in rows]
    call = desk.call("2000").wait_answered()
    handsets[0].wait_ringing(GENEROUS).reject(486)
    put_members(queue, rows[1], rows[0])
    assert list(taken(name)) == ["1002", "1001"]
    put_members(queue, rows[2])
    assert list(taken(name)) == ["1003"]
    there = handsets[2].answer(GENEROUS)
    assert call.talks_with(there) and not end.incoming
