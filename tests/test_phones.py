"""The test phones and the simulated carrier, proved through a real Asterisk with a scratch configuration."""

import pytest

from tests.carrier import BY_IP, REGISTERS, REGISTRAR, Carrier
from tests.phones import Phone, Phones
from tests.scratch_asterisk import MUSIC_HZ, ScratchAsterisk, free_udp_port
from tests.scratch_config import BY_IP_HOST, files

pytestmark = pytest.mark.pbx


@pytest.fixture(scope="module")
def ports():
    return {"sip_port": free_udp_port(), "by_ip_port": free_udp_port(), "registrar_port": free_udp_port()}


@pytest.fixture(scope="module")
def telcos(ports):
    """Carriers are there before Asterisk: what it cannot reach at its start it tries again only seconds later."""
    exchange = ("127.0.0.1", ports["sip_port"])
    with Phones(exchange) as all_of_them:
        by_ip = all_of_them.keep(Carrier(exchange, ports["by_ip_port"], BY_IP, host=BY_IP_HOST))
        registrar = Carrier(exchange, ports["registrar_port"], REGISTRAR, "4830300000", "secret")
        yield {BY_IP: by_ip, REGISTRAR: all_of_them.keep(registrar)}


@pytest.fixture(scope="module")
def pbx(ports, telcos, tmp_path_factory):
    asterisk = ScratchAsterisk(tmp_path_factory.mktemp("asterisk"), ports["sip_port"], files(**ports)).start()
    yield asterisk
    asterisk.stop()


@pytest.fixture
def phones(pbx):
    with Phones(pbx.exchange) as phones:
        yield phones
        print(phones.ladder())


@pytest.fixture
def ana(phones):
    return phones.phone("1000", "secret")


@pytest.fixture
def bruno(phones):
    return phones.phone("1001", "secret")


@pytest.fixture
def carla(phones):
    return phones.phone("1002", "secret")


@pytest.fixture
def by_ip(pbx, telcos):
    carrier = telcos[BY_IP]
    carrier.forget()
    assert carrier.wire.comes_true(lambda: "Avail " in pbx.cli("pjsip show aor byip"), 10)
    return carrier


@pytest.fixture
def registrar(pbx, telcos):
    carrier = telcos[REGISTRAR]
    carrier.forget()
    carrier.wait_registered()
    return carrier


@pytest.fixture
def gateway(phones):
    carrier = phones.keep(Carrier(phones.exchange, 0, REGISTERS, "gateway", "secret"))
    assert carrier.register() == 200
    return carrier


# -- phones


def test_two_phones_talk_press_keys_and_hang_up(ana, bruno):
    call = ana.call("1001")
    there = bruno.answer()
    assert call.talks_with(there)
    assert there.caller_number == "1000"
    assert there.caller_name == "Ramal 1000"
    assert "1000" in there.header("P-Asserted-Identity")
    call.press("159")
    there.press("*0#")
    assert (there.digits(), call.digits()) == ("159", "*0#")
    call.hang_up()
    there.wait_ended()
    assert [(line.who, line.code, line.ended_by) for line in ana.log + bruno.log] == [
        ("1000", 200, "here"),
        ("1001", 200, "there"),
    ]


def test_a_wrong_password_is_refused_and_sha_256_is_answered(phones):
    assert phones.unregistered("1000", "wrong").register() == 401
    modern = phones.phone("1004", "secret")
    assert any("SHA-256" in entry.message.header("Authorization") for entry in modern.seen)
    assert modern.unregister() == 200


def test_all_devices_of_an_extension_ring_and_one_answers(ana, phones):
    desk, mobile = phones.phone("1001", "secret", name="desk"), phones.phone("1001", "secret", name="mobile")
    call = ana.call("1001")
    rung = desk.wait_ringing()
    assert call.talks_with(mobile.answer())
    assert rung.wait_ended().code == 487


def test_calls_that_are_not_connected_do_not_hear_each_other(ana, bruno, carla, phones):
    davi = phones.phone("1003", "secret")
    call, other = ana.call("1001"), carla.call("1003")
    there, elsewhere = bruno.answer(), davi.answer()
    assert call.talks_with(there) and other.talks_with(elsewhere)
    assert not call.talks_with(other, within_seconds=1)
    assert not there.talks_with(elsewhere, within_seconds=1)
    assert call.hears_silence()


def test_the_held_side_hears_music_until_the_call_is_resumed(ana, bruno):
    call = ana.call("1001")
    there = bruno.answer()
    call.hold()
    assert there.hears(MUSIC_HZ)
    assert not call.talks_with(there, within_seconds=1)
    call.resume()
    assert call.talks_with(there)
    assert there.hears_silence()


def test_a_blind_transfer_joins_the_far_end_with_the_new_one(ana, bruno, carla):
    call = ana.call("1001")
    there = bruno.answer()
    assert there.transfer("1002") == 202
    new = carla.answer()
    assert call.talks_with(new)
    assert there.wait_transferred() == 200
    there.wait_ended()


def test_an_attended_transfer_joins_both_far_ends(ana, bruno, carla):
    call = ana.call("1001")
    there = bruno.answer()
    there.hold()
    asking = bruno.call("1002")
    asked = carla.answer()
    assert asking.talks_with(asked)
    assert there.transfer_to(asking) == 202
    assert there.wait_transferred() == 200
    assert call.talks_with(asked)
    assert "1002" in call.wait_updated().header("P-Asserted-Identity")
    there.wait_ended()
    asking.wait_ended()


@pytest.mark.parametrize(("code", "seen_by_caller"), [(486, 486), (404, 404), (503, 503)])
def test_a_refusal_by_the_phone_reaches_the_caller(ana, bruno, code, seen_by_caller):
    bruno.when_called = code
    assert ana.call("1001").wait_refused() == seen_by_caller


def test_a_number_nobody_has_is_refused(ana):
    refused = ana.call("4444")
    assert refused.wait_refused() == 404
    assert refused.reason == "Not Found"


def test_a_caller_who_gives_up_stops_the_ringing(ana, bruno):
    call = ana.call("1001")
    ringing = bruno.wait_ringing()
    call.wait_ringing()
    call.hang_up()
    assert ringing.wait_ended().code == 487
    assert not bruno.rings(within_seconds=0.5)


def test_a_phone_that_says_nothing_does_not_ring(ana, bruno):
    bruno.when_called = "silent"
    call = ana.call("1001")
    assert bruno.wait_call().state == "calling"
    assert not bruno.rings(within_seconds=0.5)
    call.hang_up()


def test_keys_and_tones_of_the_exchange_are_heard(ana):
    assert ana.call("600").digits(count=4) == "159#"
    early = ana.call("601")
    assert early.hears(750)
    assert early.logged.answered_at is None


def test_both_laws_are_spoken_and_heard(ana, phones):
    davi = phones.phone("1003", "secret")
    call = ana.call("1003", codecs=["G722", "PCMA"])
    there = davi.answer()
    assert there.sdp_codecs() == ["PCMU"]
    assert call.talks_with(there)
    assert (call.speaks_codec, there.speaks_codec) == ("PCMA", "PCMU")
    assert (call.heard_codecs, there.heard_codecs) == ({"PCMA"}, {"PCMU"})


def test_the_order_of_codecs_in_an_offer_is_seen(ana, bruno):
    ana.call("1001", codecs=["G722", "PCMU", "PCMA"])
    assert bruno.wait_ringing().sdp_codecs() == ["PCMA", "PCMU"]


def test_a_lamp_shows_a_ringing_extension(ana, bruno, carla):
    assert carla.subscribe("1001") == 200
    assert "terminated" in str(carla.wait_message("NOTIFY"))
    ana.call("1001")
    bruno.wait_ringing()
    assert carla.wire.comes_true(lambda: "early" in str(carla.wait_message("NOTIFY")), 3)


@pytest.mark.parametrize("number", ["1001&1002", "1001,20", "$%7BX%7D", "1;x=2", "+5548999990000", "10%3001", ""])
def test_an_odd_number_is_sent_as_it_is(ana, number):
    call = ana.call(number)
    user = f"{number}@" if number else ""
    assert call.invite.uri == f"sip:{user}127.0.0.1:{ana.exchange[1]}"
    assert call.wait_refused() in (404, 484)


# -- the carrier in its three ways


def test_a_carrier_known_by_address_is_called_and_calls(ana, by_ip):
    out = ana.call("814833334444")
    there = by_ip.wait_call("4833334444")
    assert out.talks_with(there)
    assert there.caller_number == "1000"
    assert there.sdp_codecs() == ["PCMA", "PCMU"]
    with by_ip.call("551130300000", caller="48999990000") as caller:
        here = ana.answer()
        assert caller.talks_with(here)
        assert here.caller_number == "48999990000"
        assert here.caller_name == "to 551130300000"


def test_a_carrier_treats_each_number_as_told(ana, by_ip):
    by_ip.default = "unavailable"
    by_ip.treats("4811", "busy")
    by_ip.treats("4812", "ring")
    by_ip.treats("4813", "early_media")
    assert ana.call("8148").wait_refused() == 503
    assert ana.call("814811").wait_refused() == 486
    ringing = ana.call("814812").wait_ringing()
    assert ringing.logged.answered_at is None
    early = ana.call("814813")
    assert early.hears(by_ip.wait_call("4813"))
    assert [call.number for call in by_ip.received] == ["48", "4811", "4812", "4813"]


def test_a_dead_carrier_is_found_unreachable_by_options_until_it_lives_again(pbx, by_ip):
    def state() -> str:
        return pbx.cli("pjsip show aor byip")

    by_ip.wait(lambda: by_ip.options_count, 5, "OPTIONS")
    by_ip.dead = True
    assert by_ip.wire.comes_true(lambda: "Unavail" in state(), 8)
    by_ip.dead = False
    assert by_ip.wire.comes_true(lambda: "Avail " in state(), 8)


def test_a_registrar_gets_the_registration_and_calls_its_contact(ana, registrar):
    assert registrar.registration.user == "4830300000"
    assert ";line=" in registrar.registration.contact
    caller = registrar.call("4830300000", caller="48999990000")
    here = ana.answer()
    assert caller.talks_with(here)
    assert caller.invite.uri == registrar.registration.contact


def test_a_registrar_may_dial_into_the_line_and_ask_for_a_password(ana, registrar):
    registrar.number_in = "uri"
    with registrar.call("4830301234", caller="48999990000"):
        assert ana.answer().caller_name == "to 4830301234"
    registrar.challenges_calls = True
    out = ana.call("824833334444")
    there = registrar.wait_call("4833334444")
    assert there.header("Proxy-Authorization")
    assert out.talks_with(there)


def test_a_registrar_refuses_a_wrong_password(registrar):
    """The scratch configuration has a second registration with another password."""
    registrar.wait(lambda: registrar.refused_register_count, 5, "a wrong password")
    assert registrar.registration.user == "4830300000"


def test_a_gateway_registers_here_is_called_and_calls(ana, gateway):
    out = ana.call("83")
    there = gateway.wait_call()
    assert out.talks_with(there)
    assert there.invite.uri.startswith(f"sip:gateway@127.0.0.1:{gateway.port}")
    with gateway.call("4830300000", caller="gateway", caller_name="Maria") as caller:
        assert caller.talks_with(ana.answer())
    assert isinstance(gateway, Phone)
