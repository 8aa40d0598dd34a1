"""Transfers by keys: who types, who hears whom, and by which routes a call leaves."""

import time

import pytest

from appliance.resource import SINGLE_ID, TABLE
from tests.build import change, make_extension, make_inbound_route, make_outbound_route, make_profile, make_trunk
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
    began = time.monotonic()
    ringing.wait_ended(within_seconds=20)
    assert call.talks_with(there, within_seconds=10)
    assert time.monotonic() - began >= 4

    _consult(there)
    third = c.answer()
    assert there.talks_with(third)
    there.hang_up()
    assert call.talks_with(third, within_seconds=10)


def _consult(leg):
    leg.press("**")
    assert leg.hears_sound(), "it asks for the number"
    leg.press("1003")


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


def _reaches(carrier, number):
    return carrier.wire.comes_true(lambda: any(call.number == number for call in carrier.received), 1.5)
