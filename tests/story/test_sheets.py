"""Sheets worked out by hand: what the phones did, and what must be stored of it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from appliance import applying, settings, supervisor
from appliance.alarms import active
from appliance.calls import reconcile
from appliance.calls.model import Call
from appliance.calls.raw import QueueEvent
from appliance.calls.story import sentence, story
from appliance.db import db
from appliance.extensions.model import Extension
from appliance.resource import SINGLE_ID, TABLE
from appliance.settings import CHECKOUT
from tests.build import (
    change,
    company,
    make_cost_centre,
    make_extension,
    make_inbound_route,
    make_outbound_route,
    make_profile,
    make_trunk,
)
from tests.player import until
from tests.records import kill, quiet, wait_recorded
from tests.rows import first_start_rows
from tests.story import features
from tests.story.loads import note_hold

pytestmark = pytest.mark.pbx
PAUSE = 0.7


@pytest.fixture
def office(pbx, phone, carrier, second_carrier):
    """Five phones 1000 to 1004, trunks A and B, area code 48, and the functions of features.py."""
    quiet()
    first_start_rows()
    company(area_code="48")
    change(TABLE["feature_codes"].get(SINGLE_ID), parking_first="851")  # 700 and 701 are queues of features.py
    make_trunk("A", carrier.port)
    make_trunk("B", second_carrier.port)
    make_outbound_route("Local", {"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": "A", "prepend": "48",
                                  "overflow": [{"conditions": ["busy", "failure"], "trunk": "B"}]})  # fmt: skip
    profile = make_profile("Completo", "Local").name
    company(overflow_profile="Completo")
    centre = make_cost_centre("Vendas")
    rows = [make_extension(str(1000 + number), name=f"Pessoa {number}", dialing_profile=profile,
                           cost_centre=centre.name if number < 2 else "") for number in range(6)]  # fmt: skip
    make_inbound_route("Entrada", "A", {"mask": "4830139018", "destination": {"extension": "1001"}},
                       {"mask": "48301390XX", "strip": 8, "prepend": "10", "destination": {"extension": "1002"}},
                       {"mask": "4830131111", "destination": {"telephone": "3333-4444"}})  # fmt: skip
    pbx.apply()
    features.write()
    handsets = [phone(row) for row in rows[:5]]
    db.session.commit()  # an open transaction would keep the process from storing what these tests look at while it happens
    return handsets


def only() -> Call:
    """The one conversation that was."""
    found = wait_recorded()
    assert len(found) == 1, [(call.from_number, call.to_number, call.state) for call in found]
    return found[0]


def kinds(call: Call) -> str:
    return " ".join(step.kind for step in call.steps)


def seconds(call: Call) -> tuple[int, int, int, int]:
    return call.wait_seconds, call.ring_seconds, call.talk_seconds, call.hold_seconds


def near(call: Call, wait: float, ring: float, talk: float, hold: float = 0.0) -> bool:
    """Within a second of the sheet."""
    return all(abs(is_so - should) <= 1 for is_so, should in zip(seconds(call), (wait, ring, talk, hold), strict=True))


def pause(times: float = 1) -> None:
    time.sleep(PAUSE * times)


def test_an_inside_call_with_its_names_and_cost_centres(office):
    """EXT-04, CFG-11: names and cost centres of the time; a later rename changes nothing, also when the call is built again."""
    ana, bruno, *_ = office
    call = ana.call("1001")
    bruno.wait_ringing()
    pause(2)
    there = bruno.answer()
    pause(2)
    call.hang_up()
    there.wait_ended()
    stored = only()
    assert (stored.state, stored.direction, stored.hang_up_side, stored.cause) == ("answered", "internal", "caller", 16)
    assert (stored.from_number, stored.from_name, stored.to_number, stored.to_name) == ("1000", "Pessoa 0", "1001", "Pessoa 1")
    assert (stored.reached_number, stored.reached_name) == ("1001", "Pessoa 1")
    assert (stored.from_cost_centre, stored.to_cost_centre) == ("Vendas", "Vendas")
    assert near(stored, 1.4, 1.4, 1.4) and kinds(stored) == "arrived destination ring answer end"
    assert next(text for _at, text in story(stored)) == "1000 Pessoa 0 ligou para 1001."


def test_a_name_stays_as_it_was(office):
    """EXT-04: renamed while the call lasts, which is stored again at its end; the call keeps the name it began with."""
    ana, bruno, *_ = office
    call = ana.call("1001")
    bruno.answer()
    pause()
    row = db.session.query(Extension).filter_by(number="1001").one()
    change(row, name="Outra")
    call.hang_up()
    assert only().reached_name == "Pessoa 1"


def test_busy_given_up_and_not_there(office):
    ana, bruno, *_ = office
    ana.call("1001")
    bruno.reject(486)
    ana.calls[-1].wait_refused()
    call = ana.call("1001")
    bruno.wait_ringing()
    pause(2)
    call.hang_up()
    ana.call("1005").wait_refused()
    ana.call("5999").wait_refused()
    busy, given_up, absent, unknown = wait_recorded()
    assert [call.state for call in (busy, given_up, absent, unknown)] == ["busy", "no_answer", "failed", "refused"]
    assert (busy.hang_up_side, given_up.hang_up_side, absent.hang_up_side) == ("called", "caller", "system")
    assert near(given_up, 1.4, 1.4, 0) and given_up.reached_number == "1001"
    assert [step.result for step in unknown.steps if step.kind == "refusal"] == ["no route"]


def test_a_received_call_and_its_changed_number(office, carrier):
    """RTE-06: the number as the route changed it is in the call's steps; numbers are stored with country code."""
    _ana, _bruno, carla, *_ = office
    call = carrier.call("4830139002", caller="48999998888")
    there = carla.answer()
    pause(2)
    there.hang_up()
    call.wait_ended()
    stored = only()
    assert (stored.direction, stored.from_number, stored.to_number, stored.trunk) == ("inbound", "5548999998888", "554830139002", "A")
    route = next(step for step in stored.steps if step.kind == "route")
    assert (route.word, route.name, route.number, route.detail) == ("inbound_routes", "Entrada", "1002", {"line": 2})
    assert (stored.reached_number, stored.hang_up_side) == ("1002", "called") and near(stored, 0, 0, 1.4)


def test_both_results_of_a_dialing_profile(office, carrier):
    """EXT-07: with the profile the call is made and stored so; without it is refused, and stored so."""
    ana, bruno, *_ = office
    carrier.answers("4833334444")
    call = ana.call("033334444").wait_answered()
    pause()
    call.hang_up()
    assert ana.call("7777").wait_refused() == 404
    made, refused = wait_recorded()
    assert (made.state, made.direction, made.to_number, made.trunk) == ("answered", "outbound", "554833334444", "A")
    assert [(step.kind, step.name, step.number, step.result) for step in made.steps if step.kind in ("route", "trunk")] == [
        ("route", "Local", "33334444", ""), ("trunk", "A", "4833334444", "answered")]
    assert (refused.state, refused.direction) == ("refused", "internal")
    row = db.session.query(Extension).filter_by(number="1001").one()
    change(row, dialing_profile="")
    assert applying.now("story").state == "done"
    assert bruno.call("033334444").wait_refused() == 403
    assert [step.result for step in wait_recorded()[-1].steps if step.kind == "refusal"] == ["no dialing profile"]


def test_overflow_between_trunks(office, carrier, second_carrier):
    ana, *_ = office
    carrier.treats("4833335555", "busy")
    call = ana.call("033335555")
    second_carrier.wait_call("33335555")
    call.wait_answered()
    pause()
    call.hang_up()
    carrier.treats("4833336666", "busy")
    second_carrier.treats("33336666", "unavailable")
    ana.call("033336666").wait_refused()
    carrier.treats("4833337777", 404)
    ana.call("033337777").wait_refused()
    over, both, unknown = wait_recorded()
    assert [(step.name, step.result) for step in over.steps if step.kind == "trunk"] == [("A", "busy"), ("B", "answered")]
    assert (over.state, over.trunk, over.reached_number) == ("answered", "B", "554833335555")
    assert (both.state, unknown.state) == ("failed", "failed")


def test_a_received_call_goes_on_to_a_telephone(office, carrier):
    call = carrier.call("4830131111", caller="48999998888")
    carrier.wait_call("4833334444")
    call.wait_answered()
    pause()
    call.hang_up()
    stored = only()
    assert (stored.direction, stored.to_number, stored.reached_number) == ("inbound", "554830131111", "554833334444")
    assert kinds(stored) == "arrived route destination route trunk answer end"


def test_a_blind_transfer(office):
    ana, bruno, carla, *_ = office
    call = ana.call("1001")
    there = bruno.answer()
    pause(2)
    there.transfer("1002")
    carla.wait_ringing()
    pause(2)
    third = carla.answer()
    pause(2)
    call.hang_up()
    third.wait_ended()
    stored = only()
    assert near(stored, 0, 0, 2.8) and (stored.reached_number, stored.to_number) == ("1002", "1001")
    assert kinds(stored) == "arrived destination ring answer transfer destination ring answer end"
    transfer = next(step for step in stored.steps if step.kind == "transfer")
    assert (transfer.result, transfer.name, transfer.number) == ("blind", "Pessoa 1", "1002")
    assert sentence(transfer).startswith("1001 Pessoa 1 transferiu a ligação para 1002")


def test_an_attended_transfer_is_one_conversation(office, carrier):
    _ana, bruno, carla, *_ = office
    call = carrier.call("4830139018", caller="48999998888")
    there = bruno.answer()
    pause(2)
    consult = bruno.call("1002")
    third = carla.answer()
    consult.wait_answered()
    pause(2)
    there.transfer_to(consult)
    there.wait_transferred()
    pause(2)
    third.hang_up()
    call.wait_ended()
    stored = only()
    assert near(stored, 0, 0, 4.2) and (stored.reached_number, stored.direction, stored.hang_up_side) == ("1002", "inbound", "called")
    transfer = next(step for step in stored.steps if step.kind == "transfer")
    assert (transfer.result, transfer.number) == ("attended", "1002")


def test_transfers_by_keys(office):
    ana, bruno, carla, *_ = office
    for code in ("##", "**"):
        call = ana.call("21001")
        there = bruno.answer()
        pause()
        there.press(code)
        pause()
        there.press("1002")  # a blind transfer takes the leg away at the last key
        third = carla.wait_ringing()
        third.answer()
        pause()
        if code == "**":
            there.hang_up()
        pause()
        call.hang_up()
        third.wait_ended()
    blind, attended = wait_recorded()
    for stored, result in ((blind, "blind"), (attended, "attended")):
        assert [(step.result, step.number) for step in stored.steps if step.kind == "transfer"] == [(result, "1002")]
        assert stored.reached_number == "1002" and stored.state == "answered"


def test_hold(office):
    """Hold is told by queue_log; it is part of the talk."""
    ana, bruno, *_ = office
    call = ana.call("1001")
    there = bruno.answer()
    pause(2)
    there.hold()
    note_hold("1001", "HOLD")
    pause(3)
    there.resume()
    note_hold("1001", "UNHOLD")
    pause(2)
    call.hang_up()
    stored = only()
    assert near(stored, 0, 0, 4.9, 2.1) and stored.hold_seconds >= 1
    assert [(step.name, step.number) for step in stored.steps if step.kind == "hold"] == [("Pessoa 1", "1001")]


def test_a_call_to_oneself(office):
    ana, *_ = office
    call = ana.call("1000")
    there = ana.answer()
    pause(2)
    there.hang_up()
    call.wait_ended()
    stored = only()
    assert (stored.from_number, stored.reached_number, stored.state, stored.hang_up_side) == ("1000", "1000", "answered", "called")
    assert near(stored, 0, 0, 1.4)


def test_pickup_park_and_conference(office):
    ana, bruno, carla, davi, _eva = office
    call = ana.call("1002")
    carla.wait_ringing()
    pause(2)
    picker = davi.call("79").wait_answered()
    pause(2)
    call.hang_up()
    picker.wait_ended()
    call = ana.call("1001")
    there = bruno.answer()
    pause(2)
    there.transfer("77")
    pause(3)
    fetcher = carla.call("851").wait_answered()
    pause(2)
    fetcher.hang_up()
    call.wait_ended()
    first = ana.call("600").wait_answered()
    pause()
    second = bruno.call("600").wait_answered()
    pause(4)
    first.hang_up()
    second.hang_up()
    picked, parked, *rooms = wait_recorded()
    assert (picked.reached_number, picked.state) == ("1003", "answered") and near(picked, 1.4, 1.4, 1.4)
    assert kinds(picked) == "arrived destination ring pickup answer end"
    assert (parked.reached_number, parked.hang_up_side) == ("1002", "called") and near(parked, 0, 0, 2.8)
    assert [(step.result, step.number) for step in parked.steps if step.kind == "park"] == [("unparked", "1001")]
    assert [(room.from_number, room.to_number, room.state) for room in rooms] == [("1000", "600", "answered"), ("1001", "600", "answered")]


def test_queues(office):
    ana, _bruno, carla, davi, _eva = office
    call = ana.call("700")
    davi.wait_ringing()
    pause(2)
    davi.answer()
    pause(2)
    call.hang_up()
    call = ana.call("700")
    carla.wait_ringing()
    pause(2)
    call.hang_up()
    ana.call("701").wait_ended(15)
    answered, abandoned, over = wait_recorded()
    assert [next(step.result for step in call.steps if step.kind == "queue") for call in (answered, abandoned, over)] == [
        "answered", "abandoned", "timeout"]
    assert [call.state for call in (answered, abandoned, over)] == ["answered", "no_answer", "no_answer"]
    assert near(answered, 1.4, 1.4, 1.4) and answered.reached_number == "1003" and near(abandoned, 1.4, 1.4, 0) and near(over, 2, 2, 0)
    events = {(event.call_id, event.event) for event in db.session.query(QueueEvent) if event.queue in ("q1", "q2") and event.call_id}
    assert {(answered.id, "ENTERQUEUE"), (answered.id, "CONNECT"), (abandoned.id, "ABANDON"), (over.id, "EXITWITHTIMEOUT")} <= events


def command(*words: str) -> str:
    """What `bentevi …` prints."""
    return subprocess.run([sys.executable, "-m", "appliance.cli", *words], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout


def test_calls_are_listed_and_told_at_the_console(office, carrier):
    """Design §5: the keys of `calls list --json`; a story in the language of whoever asks, by number or protocol."""
    _ana, bruno, *_ = office
    call = carrier.call("4830139018", caller="48999998888")
    there = bruno.answer()
    pause(2)
    call.hang_up()
    there.wait_ended()
    stored = only()
    call_id, number = stored.id, stored.protocol
    db.session.rollback()  # the command opens the database too
    data = json.loads(command("calls", "list", "--json", "--number", "99998888", "--from", "2020-01-01", "--limit", "5"))["calls"]
    assert [one["id"] for one in data] == [call_id]
    wanted = {"id", "started_at", "direction", "from", "to", "answered", "wait_seconds", "talk_seconds", "steps", "state", "protocol", "trunk"}
    assert wanted <= set(data[0]) and data[0]["from"] == "5548999998888" and data[0]["answered"] is True
    assert json.loads(command("calls", "list", "--json", "--to", "2020-01-01"))["calls"] == []
    told = command("calls", "show", number)
    assert "(48) 99999-8888 ligou para (48) 3013-9018; a ligação chegou pelo tronco A." in told and "1001 Pessoa 1 atende." in told
    assert "1001 Pessoa 1 answers." in command("calls", "show", str(call_id), "--language", "en")
    refusal = subprocess.run([sys.executable, "-m", "appliance.cli", "calls", "show", "999999"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert refusal.returncode == 2 and "999999" in refusal.stderr


def test_asterisks_counters_agree_with_what_is_stored(pbx, office, carrier):
    """No alarm over a mixed load of transfers, conferences, parking and failed calls; one when lines are missing."""
    machine = settings.load()
    ana, bruno, *_ = office
    before = pbx.pid()  # what earlier tests took out of the tables is no gap: the counters begin anew
    kill("asterisk")
    assert until(lambda: pbx.pid() not in (0, before) and pbx.is_booted(), 60)
    for handset in office:
        handset.register()
    db.session.commit()
    for number in ("600", "700", "77", "5999", "1005"):
        call = ana.call(number)
        pause()
        call.hang_up()
    call = ana.call("21001")
    there = bruno.answer()
    pause()
    consult = bruno.call("600").wait_answered()
    pause()
    there.transfer_to(consult)
    there.wait_transferred()
    pause(2)
    call.hang_up()
    wait_recorded()
    assert reconcile.reconcile(machine) is None and active() == []
    db.session.commit()
    path = machine.asterisk / "log" / "cel-custom" / "Master.csv"
    known = path.stat().st_size
    process = supervisor.read_state(machine)["records"].pid
    os.kill(process, signal.SIGSTOP)  # so that it does not read what is about to be lost
    ana.call("5999").wait_refused()
    time.sleep(0.5)
    lost = path.read_bytes()[known:]
    os.truncate(path, known)
    os.kill(process, signal.SIGCONT)
    assert b"CHAN_START" in lost and reconcile.reconcile(machine, patience=1)
    assert [alarm.code for alarm in active()] == ["records_gap"]
    db.session.commit()
    with open(path, "ab") as file:
        file.write(lost)
    wait_recorded()
    assert reconcile.reconcile(machine) is None and active() == []
    db.session.commit()
