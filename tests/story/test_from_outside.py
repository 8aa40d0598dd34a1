"""Calls that arrive by trunks, in all three ways of authentication."""

import pytest

from tests.build import (
    change,
    company,
    make_extension,
    make_inbound_route,
    make_internal_route,
    make_outbound_route,
    make_profile,
    make_trunk,
)
from tests.carrier import REGISTERS, REGISTRAR, Carrier
from tests.homes import free_ports

pytestmark = pytest.mark.pbx

REST = {"default": True, "destination": {"extension": "1009"}}


def test_numbers_go_where_the_inbound_route_says(pbx, phone, carrier):
    """RTE-03, RTE-04, RTE-06: by DID, by mask with digits changed, and everything else: one digit, +55…, no number."""
    did, masked, rest = make_extension("1001"), make_extension("1002"), make_extension("1009")
    make_trunk("A", carrier.port)
    make_inbound_route("Entrada", "A", {"mask": "4830139018", "destination": {"extension": "1001"}},
                       {"mask": "48301390XX", "destination": {"extension": "1002"}}, REST)
    pbx.apply()
    first, second, third = phone(did), phone(masked), phone(rest)
    for number, handset in (("4830139018", first), ("4830139077", second), ("5", third), ("+554830139018", third), ("", third)):
        call = carrier.call(number, caller="48999998888")
        there = handset.answer()
        assert call.talks_with(there)
        assert there.caller_number == "48999998888"
        call.hang_up()
        there.wait_ended()


def test_number_formats_bring_carriers_to_one_form(pbx, phone, carrier):
    """Design: as_is, national and e164 before the inbound routes."""
    ana, rest = make_extension("1001"), make_extension("1009")
    trunk = make_trunk("A", carrier.port, number_format="national")
    route = make_inbound_route("Entrada", "A", {"mask": "4830139018", "destination": {"extension": "1001"}}, REST)
    pbx.apply()
    handset, _other = phone(ana), phone(rest)
    for number in ("+554830139018", "554830139018", "04830139018", "4830139018"):
        call = carrier.call(number, caller="48999998888")
        assert call.talks_with(handset.answer())
        call.hang_up()
    company(area_code="48")
    change(trunk, number_format="e164")
    change(route, rules=[{"mask": "554830139018", "destination": {"extension": "1001"}}, REST])
    pbx.apply()
    for number in ("4830139018", "30139018"):
        call = carrier.call(number, caller="48999998888")
        assert call.talks_with(handset.answer())
        call.hang_up()


def test_a_call_without_a_number_counts_as_the_trunks_default_number(pbx, phone, carrier):
    """Design: FXO and GSM lines deliver no number."""
    ana, rest = make_extension("1001"), make_extension("1009")
    make_trunk("A", carrier.port, default_number="4830139018")
    make_inbound_route("Entrada", "A", {"mask": "4830139018", "destination": {"extension": "1001"}}, REST)
    pbx.apply()
    handset, _other = phone(ana), phone(rest)
    assert carrier.call("", caller="48999998888").talks_with(handset.answer())


def test_without_a_route_a_call_is_refused_with_a_reason(pbx, carrier):
    """TRK-01: no route, no call, and the log says why."""
    make_trunk("A", carrier.port)
    pbx.apply()
    assert carrier.call("4830139018", caller="48999998888").wait_refused() == 404
    assert "refused: no inbound route, number 4830139018, from 48999998888" in pbx.log()


def test_the_same_number_by_another_trunk_does_not_match(pbx, phone, carrier, second_carrier):
    """RTE-04: the route belongs to trunk A."""
    ana = make_extension("1001")
    make_trunk("A", carrier.port)
    make_trunk("B", second_carrier.port)
    make_inbound_route("Entrada", "A", {"mask": "4830139018", "destination": {"extension": "1001"}})
    pbx.apply()
    handset = phone(ana)
    assert carrier.call("4830139018", caller="48999998888").talks_with(handset.answer())
    assert second_carrier.call("4830139018", caller="48999998888").wait_refused() == 404


def test_a_trunk_by_ip_does_not_swallow_the_phones_behind_its_address(pbx, phones, phone, carrier):
    """TRK-10: matched by address and port; another port of the same address is a stranger, or a phone with its password."""
    ana, bruno = make_extension("1001"), make_extension("1002")
    make_trunk("A", carrier.port)
    make_inbound_route("Entrada", "A", {"default": True, "destination": {"extension": "1001"}})
    pbx.apply()
    handset, other = phone(ana), phone(bruno)
    stranger = phones.unregistered("stranger")
    assert stranger.call("4830139018", caller="trunk-1").wait_refused() in (401, 403, 404)
    assert not handset.rings(0.5)
    assert other.call("1001").talks_with(handset.answer())


def test_a_gateway_registers_here(pbx, phones, phone):
    """TRK-08: user and password, calls both ways; a wrong password gets 401."""
    ana = make_extension("1000", dialing_profile="")
    make_trunk("Gateway", 5060, authentication="receives_registration", host="", username="gateway1", password="gw-secret-1")
    make_outbound_route("Saída", {"mask": "9XXXXXXXX", "trunk": "Gateway"})
    change(ana, dialing_profile=make_profile("Completo", "Saída").name)
    make_inbound_route("Entrada", "Gateway", {"default": True, "destination": {"extension": "1000"}})
    pbx.apply()
    gateway = phones.keep(Carrier(pbx.address, free_ports(1)[0], REGISTERS, "gateway1", "gw-secret-1"))
    assert phones.keep(Carrier(pbx.address, free_ports(1)[0], REGISTERS, "gateway1", "wrong")).register() == 401
    assert gateway.register() == 200
    handset = phone(ana)
    out = handset.call("999998888")
    assert out.talks_with(gateway.wait_call("999998888"))
    out.hang_up()
    assert gateway.call("4830139018", caller="48999998888").talks_with(handset.answer())


def test_the_exchange_registers_at_a_carrier(pbx, phones, phone):
    """TRK-09: the manual's string fills user, password, host and line; the carrier sees the line in the contact."""
    ana = make_extension("1000")
    port = free_ports(1)[0]
    registrar = phones.keep(Carrier(pbx.address, port, REGISTRAR, "4830300000", "carrier-secret", challenges_calls=True, number_in="uri"))
    make_trunk("Operadora", port, host="", authentication="sends_registration",
               registration=f"4830300000:carrier-secret@127.0.0.1:{port}/4830300001")
    make_outbound_route("Saída", {"mask": "9XXXXXXXX", "trunk": "Operadora"})
    change(ana, dialing_profile=make_profile("Completo", "Saída").name)
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "1000"}})
    pbx.apply()
    assert registrar.wait_registered(within_seconds=20).user == "4830300001"
    handset = phone(ana)
    out = handset.call("999998888")
    assert out.talks_with(registrar.wait_call("999998888"))
    out.hang_up()
    assert registrar.call("4830300001", caller="48999998888").talks_with(handset.answer())


@pytest.mark.long
def test_a_monitored_trunk_is_asked_and_one_that_is_not_is_left_alone(pbx, carrier, second_carrier):
    """TRK-11: OPTIONS with monitoring on, none with it off."""
    make_trunk("A", carrier.port, qualify=True)
    make_trunk("B", second_carrier.port, qualify=False)
    pbx.apply()
    carrier.wait_message("OPTIONS", within_seconds=40)
    assert carrier.options_count >= 1 and second_carrier.options_count == 0


def test_destinations_outside_need_a_profile_and_keep_its_limits(pbx, phone, carrier):
    """RTE-07, FEA-03: a telephone as destination leaves by the overflow profile, is refused without, abroad and over the cap."""
    make_trunk("A", carrier.port, caller_id="4830139018")
    make_outbound_route("Saída", {"mask": "0ZZ9XXXXXXXX", "external_line": True, "strip": 1, "trunk": "A"},
                        {"mask": "00X.", "external_line": True, "trunk": "A"})
    make_profile("Transbordo", "Saída")
    make_inbound_route("Entrada", "A", {"mask": "11", "destination": {"telephone": "(48) 99999-8888"}},
                       {"mask": "22", "destination": {"telephone": "0054111234"}})
    pbx.apply()
    assert carrier.call("11", caller="48999997777").wait_refused() == 403
    assert "refused: no profile for overflows" in pbx.log()
    company(overflow_profile="Transbordo", overflow_calls_per_day=100000)
    pbx.apply()
    call = carrier.call("11", caller="48999997777")
    there = carrier.wait_call("48999998888")
    assert call.talks_with(there) and there.caller_number == "4830139018"
    call.hang_up()
    assert carrier.call("22", caller="48999997777").wait_refused() == 403
    company(overflow_calls_per_day=0)
    pbx.apply()
    assert carrier.call("11", caller="48999997777").wait_refused() == 403
    assert "refused: daily limit of overflow calls" in pbx.log()


def test_inbound_into_internal_and_outbound_routes(pbx, phone, carrier, second_carrier):
    """RTE-07, TRK-15: internal route by the number as it stands; outbound route only when confirmed."""
    from appliance.errors import Refused

    ana = make_extension("1001")
    make_trunk("A", carrier.port)
    make_trunk("B", second_carrier.port)
    make_outbound_route("Outra central", {"mask": "5XXX", "trunk": "B"})
    make_internal_route("Atalho", {"mask": "77", "destination": {"extension": "1001"}},
                        {"mask": "5XXX", "destination": {"outbound_route": "Outra central"}})
    lines = ({"mask": "483013XX77", "strip": 8, "destination": {"internal_route": "Atalho"}},
             {"mask": "48305XXX", "strip": 4, "destination": {"outbound_route": "Outra central"}})
    with pytest.raises(Refused):
        make_inbound_route("Entrada", "A", *lines)
    make_inbound_route("Entrada", "A", *lines, allow_outbound=True)
    pbx.apply()
    handset = phone(ana)
    assert carrier.call("4830139077", caller="48999997777").talks_with(handset.answer())
    assert carrier.call("48305123", caller="48999997777").talks_with(second_carrier.wait_call("5123"))
    assert handset.call("5456").talks_with(second_carrier.wait_call("5456"))


def test_the_short_form_of_the_manual_becomes_a_line(pbx, phone, carrier):
    """RTE-03: number and destination typed in the short form; the full form shows them as a mask line, and the call arrives."""
    ana = make_extension("1000")
    make_trunk("A", carrier.port)
    route = make_inbound_route("Entrada", "A", did="4830139018", did_destination={"extension": "1000"})
    assert [(line["mask"], line["destination"]) for line in route.rules] == [("4830139018", f"extension:{ana.id}")]
    pbx.apply()
    handset = phone(ana)
    assert carrier.call("4830139018", caller="48999998888").talks_with(handset.answer())


def test_two_exchanges_call_each_other_by_a_trunk(pbx, phone, carrier):
    """TRK-15: an internal route leads to the other exchange, and its extensions reach ours."""
    ana = make_extension("1000")
    make_trunk("Filial", carrier.port)
    make_outbound_route("Filial", {"mask": "5XXX", "trunk": "Filial"})
    make_internal_route("Filial", {"mask": "5XXX", "destination": {"outbound_route": "Filial"}})
    make_inbound_route("Da filial", "Filial", {"mask": "1000", "destination": {"extension": "1000"}})
    pbx.apply()
    handset = phone(ana)
    out = handset.call("5123")
    there = carrier.wait_call("5123")
    assert out.talks_with(there) and there.caller_number == "1000"
    out.hang_up()
    assert carrier.call("1000", caller="5123").talks_with(handset.answer())
