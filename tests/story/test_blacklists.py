"""Calls from and to listed numbers, refused and told; everything else goes through."""

import os
import signal

import pytest
from flask_babel import force_locale

from appliance import front_door, processes, settings
from appliance.calls.model import REFUSED
from appliance.calls.story import story
from appliance.db import db
from appliance.resource import TABLE
from tests.build import change, company, make, make_extension, make_inbound_route, make_outbound_route, make_profile, make_trunk
from tests.records import kill, wait_recorded
from tests.wire import the_wire

pytestmark = pytest.mark.pbx

TO_ANA = {"default": True, "destination": {"extension": "1001"}}


def blacklist(name, *numbers, **values):
    return make("blacklists", name=name, numbers=[{"number": number} for number in numbers], **values)


def told(call):
    """The sentences of a call as a person in Brazil reads them."""
    with force_locale("pt_BR"):
        return [text for _at, text in story(call)]


@pytest.fixture
def ana(pbx):
    company(area_code="48")
    return make_extension("1001")


@pytest.fixture
def way_out(pbx, carrier):
    """A route to a carrier that answers, for an extension that may use it: (route, extension's row)."""
    company(area_code="48", external_line_prefix="0")
    make_trunk("A", carrier.port)
    carrier.when_called = "answer"
    route = make_outbound_route("Saída", {"mask": "X.", "trunk": "A"}, {"mask": "X.", "external_line": True, "trunk": "A"})
    return route, make_extension("1001", dialing_profile=make_profile("Completo", "Saída").name)


def test_a_listed_caller_is_refused_and_told_an_unlisted_one_comes_through(pbx, phone, carrier, ana):
    """CON-03, CON-04, RTE-05."""
    make_trunk("A", carrier.port)
    blacklist("Trotes", "4833334444")
    make_inbound_route("Entrada", "A", TO_ANA, blacklists=["Trotes"])
    pbx.apply()
    handset = phone(ana)
    assert carrier.call("4830139018", caller="4833334444").wait_refused() == 403
    assert not handset.incoming
    call = carrier.call("4830139018", caller="4833334445")
    assert call.talks_with(handset.answer())
    call.hang_up()
    refused, passed = wait_recorded()
    assert refused.state == REFUSED and passed.state == "answered"
    assert "Recusada pela blacklist Trotes." in told(refused)
    assert not any("blacklist" in text for text in told(passed))
    assert "refused: blacklists" in pbx.log()


CARRIERS_WAYS = ["4833334444", "04833334444", "554833334444", "+554833334444", "33334444"]
MOBILE_WAYS = ["48991112222", "048991112222", "5548991112222", "+5548991112222", "991112222", "4891112222", "554891112222", "91112222"]


@pytest.mark.parametrize("written", ["(48) 3333-4444", "0 48 3333.4444", "+55 48 3333-4444", "3333-4444"])
def test_a_fixed_number_is_found_however_list_and_carrier_write_it(pbx, phone, carrier, ana, written):
    """CON-04: country, area and number; 0 in front; the bare number of the own area."""
    make_trunk("A", carrier.port)
    blacklist("Trotes", written)
    make_inbound_route("Entrada", "A", TO_ANA, blacklists=["Trotes"])
    pbx.apply()
    handset = phone(ana)
    for caller in CARRIERS_WAYS:
        assert carrier.call("4830139018", caller=caller).wait_refused() == 403, caller
    other = carrier.call("4830139018", caller="4733334444")
    assert other.talks_with(handset.answer()), "the same number in another area"


@pytest.mark.parametrize("written", ["(48) 99111-2222", "48 9111-2222"])
def test_a_mobile_is_found_with_and_without_its_ninth_digit(pbx, phone, carrier, ana, written):
    """CON-04: address books from before 2016 know eight digits."""
    make_trunk("A", carrier.port)
    blacklist("Trotes", written)
    make_inbound_route("Entrada", "A", TO_ANA, blacklists=["Trotes"])
    pbx.apply()
    phone(ana)
    for caller in MOBILE_WAYS:
        assert carrier.call("4830139018", caller=caller).wait_refused() == 403, caller


def test_a_number_counts_from_the_moment_it_is_added_until_it_is_removed_without_an_apply(pbx, phone, carrier, ana):
    """CON-03."""
    from appliance.blacklists import entries

    make_trunk("A", carrier.port)
    trotes = blacklist("Trotes")
    make_inbound_route("Entrada", "A", TO_ANA, blacklists=["Trotes"])
    pbx.apply()
    handset = phone(ana)
    row = entries.add(trotes.id, trotes.name, "4833334444")
    db.session.commit()
    assert carrier.call("4830139018", caller="4833334444").wait_refused() == 403
    entries.remove(db.session.get(entries.BlacklistNumber, row.id), "Trotes")
    db.session.commit()
    assert carrier.call("4830139018", caller="4833334444").talks_with(handset.answer())


def test_a_list_no_route_names_refuses_nothing(pbx, phone, carrier, ana):
    """CON-04: takes effect only when bound."""
    make_trunk("A", carrier.port)
    blacklist("Trotes", "4833334444")
    route = make_inbound_route("Entrada", "A", TO_ANA)
    pbx.apply()
    handset = phone(ana)
    call = carrier.call("4830139018", caller="4833334444")
    assert call.talks_with(handset.answer())
    call.hang_up()
    change(route, blacklists=["Trotes"])
    pbx.apply()
    assert carrier.call("4830139018", caller="4833334444").wait_refused() == 403


@pytest.mark.parametrize("caller", ["anonymous", "0000000000"])
def test_calls_without_a_number_are_refused_when_the_list_says_so(pbx, phone, carrier, ana, caller):
    make_trunk("A", carrier.port)
    trotes = blacklist("Trotes", "4833334444")
    make_inbound_route("Entrada", "A", TO_ANA, blacklists=["Trotes"])
    pbx.apply()
    handset = phone(ana)
    call = carrier.call("4830139018", caller=caller)
    assert call.talks_with(handset.answer()), "without the option they come through"
    call.hang_up()
    change(TABLE["blacklists"].get(trotes.id), block_withheld=True)
    pbx.apply()
    assert carrier.call("4830139018", caller=caller).wait_refused() == 403
    refused = wait_recorded()[-1]
    assert "Recusada pela blacklist Trotes: o número está oculto." in told(refused)
    assert carrier.call("4830139018", caller="4833339999").talks_with(handset.answer())


def test_a_listed_number_cannot_be_called_and_a_voice_says_so(pbx, phone, carrier, way_out):
    """RTE-10: refused with a prompt and a log row; as dialled, with area code, with the outside digits."""
    route, row = way_out
    blacklist("Proibidos", "(48) 3333-4444", "0800 123 4567")
    change(TABLE["outbound_routes"].get(route.id), blacklists=["Proibidos"])
    pbx.apply()
    ana = phone(row)
    db.session.rollback()
    for number in ("33334444", "4833334444", "04833334444", "0154833334444", "08001234567", "033334444"):
        call = ana.call(number)
        assert call.hears_sound(1.0, within_seconds=6), f"{number}: nothing was said"
        assert call.wait_refused() == 403, number
    assert not carrier.calls
    call = ana.call("33334445")
    assert call.talks_with(carrier.wait_call())
    call.hang_up()
    refused = wait_recorded()[0]
    assert refused.state == REFUSED and refused.direction == "outbound"
    assert "Recusada pela blacklist Proibidos." in told(refused)


def test_emergency_calls_pass_whatever_the_lists_hold(pbx, phone, carrier, way_out):
    """RTE-10: an emergency number is never blocked, with the outside digits neither; the form does not even take it."""
    from appliance.blacklists.entries import BlacklistNumber
    from appliance.errors import Refused

    route, row = way_out
    listed = blacklist("Proibidos", "33334444")
    with pytest.raises(Refused):
        TABLE["blacklists"].update(listed, {"numbers": [{"number": "190"}]})
    db.session.rollback()
    db.session.add_all([BlacklistNumber(blacklist_id=listed.id, number=one, key=one, note="") for one in ("190", "0190", "193")])
    db.session.commit()
    change(TABLE["outbound_routes"].get(route.id), blacklists=["Proibidos"])
    change(TABLE["company"].get(1), overflow_profile="Completo")
    make("internal_routes", name="Socorro", rules=[{"mask": "77", "destination": {"telephone": "190"}}])
    pbx.apply()
    ana = phone(row)
    for dialled in ("190", "0190", "77"):
        call = ana.call(dialled)
        assert call.talks_with(carrier.wait_call()), dialled
        call.hang_up()


def test_calls_nobody_dials_are_refused_by_the_list_too(pbx, phone, carrier, way_out):
    """RTE-10: an inside number that leads to a telephone, and a caller from outside who would leave again."""
    route, row = way_out
    blacklist("Proibidos", "4833334444")
    change(TABLE["outbound_routes"].get(route.id), blacklists=["Proibidos"])
    company(overflow_profile="Completo")
    make("internal_routes", name="Atalho", rules=[{"mask": "77", "destination": {"telephone": "4833334444"}}])
    make_inbound_route("Entrada", "A", {"default": True, "destination": {"telephone": "4833334444"}})
    pbx.apply()
    assert phone(row).call("77").wait_refused(within_seconds=12) == 403
    assert carrier.call("4830139018", caller="48999998888").wait_refused(within_seconds=12) == 403


def test_calls_go_on_when_nobody_answers_the_question(pbx, phone, carrier, ana):
    """RTE-05: killed or hanging, the program that knows the numbers never stops the telephones; the log says so; then it is back."""
    make_trunk("A", carrier.port)
    blacklist("Trotes", "4833334444")
    make_inbound_route("Entrada", "A", TO_ANA, blacklists=["Trotes"])
    pbx.apply()
    handset = phone(ana)
    agi = next(entry for entry in front_door.status(settings.load()) if entry["name"] == "agi")
    os.kill(agi["pid"], signal.SIGSTOP)
    try:
        call = carrier.call("4830139018", caller="4833334444")
        assert call.talks_with(handset.answer(within_seconds=10))
        call.hang_up()
        assert "not answered: blacklists/refused" in pbx.log()
    finally:
        os.kill(agi["pid"], signal.SIGCONT)
    kill("agi")
    the_wire().wait(lambda: processes.agi_answers(settings.load(), 0), 20, lambda: "bentevi-agi did not come back")
    assert carrier.call("4830139018", caller="4833334444").wait_refused() == 403
