"""Calls between extensions, as phones hear and see them."""

import re

import pytest

from tests.build import change, make, make_class, make_extension, make_internal_route

pytestmark = pytest.mark.pbx


def test_two_extensions_talk_and_the_called_one_sees_the_callers_name(pbx, phone):
    """EXT-01, EXT-02, EXT-04, EXT-13: number, name and password are enough for a call with sound both ways."""
    ana, bruno = make_extension("1000", name="Ana; \"a\" <b>"), make_extension("1001", name="Bruno")
    pbx.apply()
    handset, other = phone(ana), phone(bruno)
    call = handset.call("1001")
    there = other.answer()
    assert call.talks_with(there)
    assert (there.caller_number, there.caller_name) == ("1000", "Ana; a b")
    call.hang_up()
    there.wait_ended()


def test_hold_digits_and_transfer_between_extensions(pbx, phone):
    """EXT-28: what a phone does in a call works through the exchange."""
    ana, bruno, carla = make_extension("1000"), make_extension("1001"), make_extension("1002")
    pbx.apply()
    a, b, c = phone(ana), phone(bruno), phone(carla)
    call = a.call("1001")
    there = b.answer()
    assert call.talks_with(there)
    call.press("159")
    assert there.digits(count=3) == "159"
    call.hold()
    call.resume()
    assert call.talks_with(there)
    there.transfer("1002")
    assert call.talks_with(c.answer())


def test_a_wrong_password_is_refused_and_a_changed_one_takes_over(pbx, phones, phone):
    """EXT-03: 401 for a wrong password; after a change the old one stops working, other phones stay registered."""
    ana, bruno = make_extension("1000"), make_extension("1001")
    pbx.apply()
    other = phone(bruno)
    assert phones.unregistered("1000", "wrong-password").register() == 401
    assert phones.unregistered("1000", "secret-1000").register() == 200
    change(ana, password="another-1000")
    pbx.apply()
    assert phones.unregistered("1000", "secret-1000").register() == 401
    handset = phones.phone("1000", "another-1000")
    call = handset.call("1001")
    assert call.talks_with(other.answer())


def test_a_deleted_extension_can_no_longer_register(pbx, phones, phone):
    """EXT-01: deleting it makes its phone's next REGISTER fail."""
    from appliance.db import db
    from appliance.resource import TABLE

    ana = make_extension("1000")
    pbx.apply()
    handset = phone(ana)
    TABLE["extensions"].delete(ana)
    db.session.commit()
    pbx.apply()
    assert handset.register() in (401, 403)


def test_after_the_ring_time_the_caller_hears_busy(pbx, phone):
    """EXT-24: not answered within the class's ring time counts as busy; the phone stops ringing then."""
    hasty = make_class("Apressada", ring_timeout_seconds=5)
    ana, bruno = make_extension("1000"), make_extension("1001", **{"class": hasty.name})
    pbx.apply()
    handset, other = phone(ana), phone(bruno)
    call = handset.call("1001")
    ringing = other.wait_ringing()
    assert call.wait_refused(within_seconds=12) == 486
    ringing.wait_ended()


def test_without_simultaneous_calls_the_second_caller_hears_busy(pbx, phone):
    """EXT-21 and EXT-14: one edit of the class changes its extensions; with it on, the phone rings also while talking."""
    single = make_class("Uma só", simultaneous_calls=False)
    ana, bruno = make_extension("1000"), make_extension("1001", **{"class": single.name})
    carla = make_extension("1002")
    pbx.apply()
    a, b, c = phone(ana), phone(bruno), phone(carla)
    first = a.call("1001")
    there = b.answer()
    assert first.talks_with(there)
    assert c.call("1001").wait_refused() == 486
    change(single, simultaneous_calls=True)
    pbx.apply()
    second = c.call("1001")
    assert second.talks_with(b.answer())
    assert first.talks_with(there)


def test_two_devices_of_one_extension_ring_together(pbx, phones, phone):
    """EXT-28: up to five devices per extension; one answers, the other is released."""
    ana, bruno = make_extension("1000"), make_extension("1001", devices=2)
    pbx.apply()
    desk, mobile = phone(bruno), phones.phone("1001", "secret-1001", name="mobile")
    call = phone(ana).call("1001")
    ringing = mobile.wait_ringing()
    assert call.talks_with(desk.answer())
    ringing.wait_ended()


def test_a_phone_behind_nat_is_answered_where_its_packets_come_from(pbx):
    """EXT-15: symmetric audio and rewritten contact only when the class says NAT."""
    behind = make_class("Remota", nat=True)
    make_extension("1000")
    make_extension("1001", **{"class": behind.name})
    pbx.apply()
    inside, outside = pbx.ask("pjsip show endpoint 1000"), pbx.ask("pjsip show endpoint 1001")
    assert "rtp_symmetric                      : false" in inside and "rtp_symmetric                      : true" in outside
    assert "rewrite_contact                    : false" in inside and "rewrite_contact                    : true" in outside


def test_an_internal_route_rings_its_destination(pbx, phone, carrier):
    """RTE-08: a short number dialled inside; dialled from outside it is nothing."""
    from tests.build import make_inbound_route, make_trunk

    ana, bruno = make_extension("1000"), make_extension("1001")
    make_internal_route("Atalho", {"mask": "77", "destination": {"extension": "1001"}},
                        {"mask": "8XX", "destination": {"extension": "1000"}})
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830139018", "destination": {"extension": "1000"}})
    pbx.apply()
    handset, other = phone(ana), phone(bruno)
    assert handset.call("77").talks_with(other.answer())
    assert other.call("812").talks_with(handset.answer())
    assert carrier.call("77", caller="4899998888").wait_refused() == 404


@pytest.mark.parametrize("number", ["1001&PJSIP", "1001,30", "1001;x=1", "1001%24%7BEXTEN%7D", "1001%0a", "10 01", "1001%22"])
def test_a_number_with_strange_signs_is_refused(pbx, phone, number):
    """Every number passes FILTER once and is refused when that changes it; nobody rings."""
    ana, bruno = make_extension("1000"), make_extension("1001")
    pbx.apply()
    handset, other = phone(ana), phone(bruno)
    call = handset.call("", uri=f"sip:{number}@127.0.0.1:{pbx.address[1]}") if "%" in number else handset.call(number)
    assert call.wait_refused() in (404, 484, 400, 408)
    assert not other.rings(0.5)


def test_an_unknown_caller_is_refused_until_guests_are_confirmed(pbx, phones, phone):
    """TRK-21: allowguest=yes alone changes nothing; confirmed, a stranger reaches extensions and nothing else."""
    from tests.build import sip

    ana = make_extension("1000")
    sip(general_lines="allowguest=yes")
    pbx.apply()
    handset, stranger = phone(ana), phones.unregistered("stranger")
    assert stranger.call("1000").wait_refused() in (401, 403, 404)
    sip(allow_guests=True)
    pbx.apply()
    assert stranger.call("1000").talks_with(handset.answer())
    assert stranger.call("0999999999").wait_refused() == 404


def test_cost_centre_and_pickup_group_travel_with_the_extension(pbx, phone):
    """EXT-05, EXT-26, CFG-11: its calls carry the cost centre and its endpoint the group, both by id: renaming changes nothing."""
    centre, group = make("cost_centres", name="Loja"), make("pickup_groups", name="Loja")
    ana, bruno = make_extension("1000", cost_centre="Loja", pickup_group="Loja"), make_extension("1001")
    pbx.apply()
    handset, other = phone(ana), phone(bruno)
    assert handset.call("1001").talks_with(other.answer())
    channel = re.search(r"PJSIP/1000-\w+", pbx.ask("core show channels concise"))[0]
    assert f"BENTEVI_COST_CENTRE={centre.id}\n" in pbx.ask(f"core show channel {channel}")
    groups = rf"named_call_group +: group-{group.id}\b[\s\S]*named_pickup_group +: group-{group.id}\b"
    assert re.search(groups, pbx.ask("pjsip show endpoint 1000"))
    change(group, name="Balcão")
    change(centre, name="Frente")
    pbx.apply()
    assert re.search(groups, pbx.ask("pjsip show endpoint 1000"))
