"""Transfers by keys: who types, who hears whom, and by which routes a call leaves."""

import pytest

from appliance.follow_me import state
from appliance.resource import SINGLE_ID, TABLE
from tests.build import (
    change,
    make,
    make_class,
    make_extension,
    make_inbound_route,
    make_outbound_route,
    make_profile,
    make_trunk,
    make_user,
    week,
)
from tests.records import quiet, wait_recorded

pytestmark = pytest.mark.pbx


def codes(**values):
    """Change feature codes."""
    return change(TABLE["feature_codes"].get(SINGLE_ID), **values)


@pytest.fixture
def three(pbx, phone):
    """Ana calls, Bruno transfers, Carla is the one transferred to; nothing is in force yet."""
    return [make_extension(number, name=name) for number, name in (("1001", "Ana"), ("1002", "Bruno"), ("1003", "Carla"))]


def test_a_blind_transfer_by_its_code_and_the_code_changed(pbx, phone, three):
    """FEA-05, FEA-01: ##1003 leaves A with C and B free, in one conversation; #1 takes effect on the next call without a new registration."""
    quiet()
    pbx.apply()
    a, b, c = map(phone, three)
    call = a.call("1002")
    there = b.answer()
    assert call.talks_with(there)
    there.press("##")
    assert there.hears_sound()
    there.press("1003")
    third = c.answer()
    there.wait_ended()
    assert call.talks_with(third)
    call.hang_up()
    third.wait_ended()
    (stored,) = wait_recorded()
    assert [(step.result, step.number) for step in stored.steps if step.kind == "transfer"] == [("blind", "1003")]
    codes(blind_transfer="#1")
    pbx.apply()
    call = a.call("1002")
    there = b.answer()
    assert call.talks_with(there)
    call.press("##")  # the caller may transfer too, but this is no code any more
    assert there.digits(count=2) == "##"
    call.press("#1")
    assert call.hears_sound()
    call.press("1003")
    third = c.answer()
    call.wait_ended()
    assert there.talks_with(third)


@pytest.mark.long
def test_an_attended_transfer_and_its_other_ends(pbx, phone, three):
    """FEA-06, FEA-07, FEA-08: B asks C while A waits; hanging up joins A and C; C hangs up, the code is typed or C does not answer in time:
    B is back with A."""
    codes(attended_transfer_seconds=5)
    pbx.apply()
    a, b, c = map(phone, three)
    call = a.call("1002")
    there = b.answer()
    assert call.talks_with(there)
    _consult(there)
    third = c.answer()
    assert there.talks_with(third)
    third.hang_up()
    assert call.talks_with(there, within_seconds=10)

    _consult(there)
    ringing = c.wait_ringing()
    there.press("*0")
    ringing.wait_ended()
    assert call.talks_with(there, within_seconds=10)

    _consult(there)
    ringing = c.wait_ringing()
    ringing.wait_ended(within_seconds=20)
    assert 4.5 <= (ringing.logged.ended_at - ringing.logged.rang_at).total_seconds() <= 6.5
    assert call.talks_with(there, within_seconds=10)

    _consult(there)
    third = c.answer()
    assert there.talks_with(third)
    there.hang_up()
    assert call.talks_with(third, within_seconds=10)


def _consult(leg, number="1003"):
    leg.press("**")
    assert leg.hears_sound(), "it asks for the number"
    leg.press(number)


def test_who_is_outside_transfers_nobody_and_parks_nobody(pbx, phone, three, carrier):
    """FEA-05, FEA-11: the keys of an outside party are only heard, both ways; the extension on the other side may."""
    ana, bruno, carla = three
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830139018", "destination": {"extension": "1002"}})
    make_outbound_route("Local", {"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": "Operadora"})
    change(ana, dialing_profile=make_profile("Tudo", "Local").name)
    pbx.apply()
    a, b, c = phone(ana), phone(bruno), phone(carla)
    outside = carrier.call("4830139018", caller="4899998888")
    there = b.answer()
    assert outside.talks_with(there)
    outside.press("##1003")
    assert there.digits(count=6) == "##1003"
    outside.press("#72")
    assert there.digits(count=9) == "##1003#72"
    assert outside.talks_with(there)
    there.press("##")
    assert there.hears_sound()
    there.press("1003")
    third = c.answer()
    assert outside.talks_with(third)
    outside.hang_up()
    call = a.call("033334444").wait_answered()
    far = carrier.wait_call("33334444")
    assert call.talks_with(far)
    far.press("##1003")
    assert call.digits(count=6) == "##1003"
    call.press("##")
    assert call.hears_sound()
    call.press("1003")
    assert far.talks_with(c.answer())


def test_the_profile_for_transfers(pbx, phone, three, carrier):
    """FEA-04: a transfer to outside goes by this profile though the extension's own forbids it, and not where this one forbids it though
    its own would; without one it is the extension's own."""
    ana, bruno, _carla = three
    make_trunk("Operadora", carrier.port)
    make_outbound_route("Local", {"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": "Operadora"})
    make_outbound_route("Celular", {"mask": "9XXXXXXXX", "external_line": True, "trunk": "Operadora"})
    make_profile("Só local", "Local")
    make_profile("Só celular", "Celular")
    change(bruno, dialing_profile="Só celular")
    codes(transfer_profile="Só local")
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    call = a.call("1002")
    there = b.answer()
    assert call.talks_with(there)
    assert there.transfer("0999998888") in (404, 202) and not _reaches(carrier, "999998888")
    if there.state == "ended":
        call.hang_up()
        call = a.call("1002")
        there = b.answer()
    there.press("##")
    assert there.hears_sound()
    there.press("033334444")
    assert call.talks_with(carrier.wait_call("33334444"))
    call.hang_up()
    codes(transfer_profile="")
    pbx.apply()
    call = a.call("1002")
    there = b.answer()
    there.press("##")
    assert there.hears_sound()
    there.press("0999998888")
    assert call.talks_with(carrier.wait_call("999998888"))


@pytest.fixture
def way_out(pbx, carrier):
    """The profile “Tudo”, by which one may call outside, and 1001 that has it and gets the calls from outside; nothing is in force yet."""
    make_trunk("Operadora", carrier.port)
    make_outbound_route("Local", {"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": "Operadora"})
    profile = make_profile("Tudo", "Local").name
    ana = make_extension("1001", dialing_profile=profile)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830139018", "destination": {"extension": "1001"}})
    return profile, ana


@pytest.mark.long
def test_a_locked_extension_transfers_nobody_to_outside(pbx, phone, carrier, way_out):
    """EXT-17, FEA-19, FEA-05, FEA-06: by REFER, by the code and by asking first it is refused with a message; inside numbers pass; without
    the lock all of them complete."""
    _profile, ana = way_out
    change(ana, **{"class": make_class("Com cadeado", lock=True).name})
    carla = make_extension("1003")
    locked = make("follow_me", number="1001", is_locked=True)
    ana_id = ana.id
    pbx.apply()
    state.put(ana_id)
    a, c = phone(ana), phone(carla)
    outside, _there = _transfers(a, carrier, "033334441", by_code=False)
    assert outside.hears_sound(within_seconds=10), "it is told why"
    outside.wait_ended(within_seconds=30)
    outside, _there = _transfers(a, carrier, "033334442", by_code=True)
    assert outside.hears_sound(within_seconds=10)
    outside.wait_ended(within_seconds=30)
    outside, there = _received(a, carrier)
    _consult(there, "033334443")
    assert outside.talks_with(there, within_seconds=30), "asking first ends in a message, and the call is back"
    there.hang_up()
    outside.wait_ended()
    outside, _there = _transfers(a, carrier, "1003", by_code=True)
    assert outside.talks_with(c.answer()), "inside numbers are not asked"
    outside.hang_up()
    assert [call.number for call in carrier.received] == []
    change(locked, is_locked=False)
    state.put(ana_id)
    outside, _there = _transfers(a, carrier, "033334444", by_code=False)
    assert outside.talks_with(carrier.wait_call("33334444"))
    outside.hang_up()
    outside, there = _received(a, carrier)
    _consult(there, "033334445")
    assert there.talks_with(carrier.wait_call("33334445"))


@pytest.mark.long
def test_outside_its_hours_and_its_shift_an_extension_transfers_nobody_to_outside(pbx, phone, carrier, way_out, clock):
    """EXT-25, HRS-18: the hours of the class and the shift of the person are asked of who transfers, by REFER and by the code; inside them
    the transfer completes, and who may always call is not asked for another's sake."""
    profile, ana = way_out
    change(ana, **{"class": make_class("Comercial", call_time_window=[week("mon 08:00-18:00")]).name})
    carla = make_extension("1003", dialing_profile=profile)
    pbx.apply()
    a, c = phone(ana), phone(carla)
    clock.at("2026-11-23 20:00")
    for number, by_code in (("033334441", False), ("033334442", True)):
        outside, _there = _transfers(a, carrier, number, by_code)
        assert outside.hears_sound(within_seconds=10)
        outside.wait_ended(within_seconds=30)
    inside = c.call("1001")
    there = a.answer()
    assert inside.talks_with(there)
    _consult(inside, "033334443")
    assert inside.talks_with(carrier.wait_call("33334443")), "who transfers is asked, not who is transferred"
    inside.hang_up()
    for one in (*a.calls, *c.calls, *carrier.calls):
        one.leave()
    assert [call.number for call in carrier.received] == ["33334443"]
    clock.at("2026-11-23 10:00")
    outside, _there = _transfers(a, carrier, "033334444", by_code=True)
    assert outside.talks_with(carrier.wait_call("33334444"))
    outside.hang_up()
    change(ana, **{"class": "Padrão"})
    make("work_shifts", name="Dia", periods=[week("mon 08:00-18:00")], tolerance_minutes=10)
    make_user("ana.souza", extension="1001", work_shift="Dia")
    pbx.apply()
    clock.at("2026-11-23 18:10")
    outside, _there = _transfers(a, carrier, "033334445", by_code=True)
    assert outside.hears_sound(within_seconds=10)
    outside.wait_ended(within_seconds=30)
    clock.at("2026-11-23 18:09:59")
    outside, _there = _transfers(a, carrier, "033334446", by_code=False)
    assert outside.talks_with(carrier.wait_call("33334446"))
    assert [call.number for call in carrier.received] == ["33334443", "33334444", "33334446"]


def _received(handset, carrier):
    """An outside call that the extension answered: its two ends."""
    outside = carrier.call("4830139018", caller="4899998888")
    there = handset.answer()
    assert outside.talks_with(there)
    return outside, there


def _transfers(handset, carrier, number, by_code):
    """An outside call, answered and sent on by REFER or by its code."""
    outside, there = _received(handset, carrier)
    if by_code:
        there.press("##")
        assert there.hears_sound()
        there.press(number)
    else:
        assert there.transfer(number) == 202
    there.wait_ended(within_seconds=20)
    return outside, there


def _reaches(carrier, number):
    return carrier.wire.comes_true(lambda: any(call.number == number for call in carrier.received), 1.5)
