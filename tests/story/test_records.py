"""Conversations as they are stored: against what the phones' own logs say, through kills of every process."""

import random
import threading
import time

import pytest

from appliance.calls.model import Call
from appliance.db import db
from tests import referee
from tests.build import company, make_class, make_extension, make_inbound_route, make_outbound_route, make_profile, make_trunk
from tests.carrier import BY_IP, Carrier
from tests.homes import free_ports
from tests.records import kill, quiet, wait_recorded
from tests.rows import first_start_rows
from tests.story.loads import Group, play

pytestmark = pytest.mark.pbx

GROUPS = 8
VICTIMS = ("records", "records", "worker", "redis", "web", "events", "live", "reports", "cron")


@pytest.fixture
def groups(pbx, phones):
    """Groups of three phones that may call out, one that may not, a number nobody registered, and a carrier for each group."""
    quiet()
    first_start_rows()
    company(area_code="48")
    make_class("Curta", ring_timeout_seconds=5)
    rules, lines = [], []
    for number in range(GROUPS):
        carrier_port = free_ports(1)[0]
        make_trunk(f"T{number}", carrier_port)
        rules.append((number, carrier_port))
    routes = [make_outbound_route(f"R{number}", {"mask": f"333{number:02}XXX", "external_line": True, "trunk": f"T{number}"})
              for number, _port in rules]  # fmt: skip
    profile = make_profile("Completo", *[route.name for route in routes]).name
    made = []
    for number, port in rules:
        users = [str(1000 + 10 * number + place) for place in range(4)]
        for place, user in enumerate(users):
            make_extension(user, dialing_profile=profile if place < 3 else "")
        make_extension(str(3000 + number))
        make_inbound_route(f"E{number}", f"T{number}", {"mask": f"48301390{number:02}", "destination": {"extension": users[0]}})
        lines.append((number, port, users))
    pbx.apply()
    for number, port, users in lines:
        handsets = [phones.phone(user, f"secret-{user}") for user in users]
        carrier = phones.keep(Carrier(pbx.address, port, BY_IP, name=f"carrier {number}"))
        made.append(Group(number, handsets, carrier, f"48301390{number:02}", f"333{number:02}444", random.Random(number)))
    return made


def differences(groups: list[Group], stored: list[Call]) -> list[str]:
    """What is lost, too much or wrong: each conversation the phones lived must be stored once, with its state and its seconds."""
    lived = referee.conversations([[*group.phones, group.carrier] for group in groups])
    lost, doubled, wrong = [], [], []
    left = list(stored)
    for expected in lived:
        found = [call for call in left if _is_it(call, expected)]
        if not found:
            lost.append(str(expected))
            continue
        call = min(found, key=lambda one: abs((one.started_at - expected.caller.started_at).total_seconds()))
        left.remove(call)
        pairs = [("state", call.state, expected.state)]
        pairs += [(name, getattr(call, name), getattr(expected, name)) for name in ("talk_seconds", "wait_seconds", "hold_seconds")]
        wrong += [f"{expected}: stored {name} {is_so}" for name, is_so, should in pairs
                  if (is_so != should if name == "state" else abs(is_so - should) > 1)]  # fmt: skip
    doubled = [f"{call.started_at:%H:%M:%S.%f} {call.from_number} → {call.to_number} {call.state}" for call in left]
    return [f"{what}: {one}" for what, found in (("lost", lost), ("too many", doubled), ("wrong", wrong)) for one in found]


def _is_it(call: Call, expected: referee.Expected) -> bool:
    who = expected.caller.who
    is_by = call.from_number == who if who.isdigit() else call.direction == "inbound" and call.trunk == f"T{who.split()[1]}"
    number = expected.caller.number.lstrip("0") if len(expected.caller.number) > 4 else expected.caller.number
    return is_by and call.to_number.endswith(number) and abs((call.started_at - expected.caller.started_at).total_seconds()) < 1


def killing(stop: threading.Event) -> threading.Thread:
    """Kills one process after the other until told to stop."""
    def kills() -> None:
        dice = random.Random(7)
        while not stop.wait(dice.uniform(0.5, 2.0)):
            kill(dice.choice(VICTIMS))

    thread = threading.Thread(target=kills)
    thread.start()
    return thread


def asterisk_dies(groups: list[Group], pbx) -> None:
    """kill -9 of Asterisk with a call up in every group, all of them quiet for some tenths of a second: what Asterisk has in its
    memory in that moment would be lost, and nobody could know of it."""
    legs = []
    for group in groups:
        call = group.phones[0].call(group.phones[1].user)
        legs += [group.phones[1].answer(), call.wait_answered()]
    time.sleep(0.6)
    before = pbx.pid()
    kill("asterisk")
    for leg in legs:
        leg.lose()
    end = time.monotonic() + 30
    while pbx.pid() in (0, before) or not pbx.is_booted():
        assert time.monotonic() < end, "Asterisk did not come back"
        time.sleep(0.1)
    time.sleep(1.0)  # the phones' addresses are read back from its own database


def run(groups: list[Group], pbx, scenes: int, rounds: int) -> list[str]:
    """So many scenes per group and round, processes dying meanwhile, Asterisk between rounds; what is not as the phones lived it."""
    for number in range(rounds):
        stop = threading.Event()
        killer = killing(stop)
        try:
            play(groups, scenes)
        finally:
            stop.set()
            killer.join()
        if number < rounds - 1:
            asterisk_dies(groups, pbx)
    failures = [text for group in groups for text in group.failures]
    assert not failures, "\n".join(failures)
    found = differences(groups, wait_recorded())
    db.session.rollback()
    return found


def test_a_hundred_calls_are_stored_once_while_processes_are_killed(pbx, groups):
    """Design §8: 0 call records lost or doubled; counts and states equal to the phones' own, seconds within one."""
    assert run(groups, pbx, scenes=6, rounds=2) == []


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_five_thousand_calls_are_stored_once_while_processes_are_killed(pbx, groups):
    """Design §8, the heavy proof."""
    assert run(groups, pbx, scenes=78, rounds=8) == []
