"""What a probe of a carrier finds, and the words a person reads of it and of a test call (SYS-15)."""

import socket

import pytest

from appliance import live
from appliance.assistant.live import CALLING, ENDED, RINGING, UP, _named, uniqueid
from appliance.telephony import sip_probe
from appliance.telephony.sip_probe import (
    ACCEPTED,
    ANSWERS,
    FORBIDDEN,
    NAME_UNKNOWN,
    NOT_ASKED,
    PORT_CLOSED,
    SILENT,
    UNCLEAR,
    UNKNOWN_USER,
    WRONG_PASSWORD,
)
from tests.carrier import BY_IP, REGISTRAR, Carrier
from tests.homes import free_ports
from tests.phones import Phones
from web.assistant import told
from web.panel import Names


@pytest.fixture
def far_ends():
    """Carriers without an exchange."""
    with Phones(exchange=("127.0.0.1", free_ports(1)[0])) as phones:
        yield lambda mode, **more: phones.keep(Carrier(phones.exchange, free_ports(1)[0], mode, **more))


def test_a_carrier_by_ip_that_answers_is_well(far_ends):
    found = sip_probe.ask("127.0.0.1", far_ends(BY_IP).port)
    assert (found.reached, found.code, found.registration, found.is_good) == (ANSWERS, 200, NOT_ASKED, True)


def test_a_right_password_is_told_from_a_wrong_one_and_nothing_is_registered(far_ends):
    carrier = far_ends(REGISTRAR, user="4830139018", password="Certa#2026")
    right = sip_probe.ask("127.0.0.1", carrier.port, "4830139018", "Certa#2026")
    assert (right.registration, right.register_code, right.is_good) == (ACCEPTED, 200, True)
    wrong = sip_probe.ask("127.0.0.1", carrier.port, "4830139018", "errada")
    assert (wrong.registration, wrong.register_code, wrong.is_good) == (WRONG_PASSWORD, 401, False)
    assert all(not entry.message.header("contact") for entry in carrier.seen if entry.message.method == "REGISTER")
    assert not any("Certa#2026" in line or "errada" in line for found in (right, wrong) for line in found.lines)


def test_silence_a_closed_port_and_an_unknown_name_are_three_things():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        found = sip_probe.ask("127.0.0.1", silent.getsockname()[1], "ana", "x")
        assert (found.reached, found.registration, found.is_good) == (SILENT, NOT_ASKED, False)
        assert silent.recv(2000).startswith(b"OPTIONS ")
    assert sip_probe.ask("127.0.0.1", free_ports(1)[0]).reached == PORT_CLOSED
    assert sip_probe.ask("nao-existe.invalid", 5060).reached == NAME_UNKNOWN


@pytest.mark.parametrize("code,was_asked,word", [
    (200, True, ACCEPTED), (200, False, ACCEPTED), (401, True, WRONG_PASSWORD), (407, True, WRONG_PASSWORD), (403, True, WRONG_PASSWORD),
    (403, False, FORBIDDEN), (404, True, UNKNOWN_USER), (503, True, UNCLEAR), (423, True, UNCLEAR),
])
def test_the_answer_to_a_registration_has_one_meaning(code, was_asked, word):
    assert sip_probe.verdict(code, was_asked) == word


def test_only_an_answer_to_our_own_request_counts():
    answer = b"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKours\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512\r\n" \
             b"WWW-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n\r\n"
    assert sip_probe.read(answer, "z9hG4bKother") is None
    assert sip_probe.read(b"INVITE sip:x SIP/2.0\r\n", "x") is None
    found = sip_probe.read(answer, "z9hG4bKours")
    assert (found.code, "SHA-512" in found.challenge) == (401, False)


def test_the_digest_is_the_one_of_the_rfcs_example():
    """RFC 2617 §3.5 with our own cnonce left out: without qop the answer depends on the challenge alone."""
    answer = sip_probe.Answer(401, "", 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"')
    header = sip_probe._credentials(answer, "GET", "/dir/index.html", "Mufasa", "Circle Of Life")
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in header


# --------------------------------------------------------------------------------------------------------------- words


def leg(endpoint="1001", state=UP, **values):
    return {"endpoint": endpoint, "channel": f"PJSIP/{endpoint}-00000001", "state": state, "was_up": state == UP, "up_at": 0.0, "spoke": True, "rx": 100,
            "tx": 100, "measured": 2, "cause": 0, "sip": 0, "ended_at": 0.0} | values


def row(*legs, kind="outside", key=None, over=False):
    return {"kind": kind, "extension": 1, "since": 0.0, "is_over": over, "key": key, "legs": {str(number): one for number, one in enumerate(legs)}}


def lines(found, **kinds):
    names = Names(trunks=({"id": 1, "name": "Operadora", "endpoint": "trunk-1", "enabled": True, "host": "sip.x", "port": 5060, "qualify": True,
                           "authentication": "sends_registration", "call_limit": None},))
    picture = live.Picture("e", {}, {"exchange": {"asterisk": {"running": True}}} | kinds, True)
    return [(line.state, line.text) for line in told.test(found, picture, names)]


def last(found, **kinds):
    return lines(found, **kinds)[-1]


@pytest.mark.parametrize("found,state,words", [
    (row(leg(state=RINGING), kind="echo"), "waiting", "está tocando"),
    (row(leg(state=ENDED, cause=19), kind="echo", over=True), "bad", "Ninguém atendeu"),
    (row(leg(state=ENDED, sip=486, cause=17), kind="echo", over=True), "bad", "recusou"),
    (row(leg(state=ENDED, sip=408, cause=18), kind="echo", over=True), "bad", "não responde às ligações"),
    (row(leg(state=ENDED, sip=488, cause=58), kind="echo", over=True), "bad", "formato de áudio"),
    (row(leg(), kind="echo", key="1"), "good", "ouve a central"),
    (row(leg(), kind="echo", key=""), "unsure", "Ninguém teclou"),
    (row(leg(), leg("trunk-1", RINGING)), "waiting", "outro telefone está tocando"),
    (row(leg(), leg("trunk-1", ENDED, sip=403, cause=21)), "bad", "recusa a ligação (403)"),
    (row(leg(), leg("trunk-1", ENDED, sip=401, cause=21)), "bad", "pede senha"),
    (row(leg(), leg("trunk-1", ENDED, sip=404, cause=1)), "bad", "não reconhece o número"),
    (row(leg(), leg("trunk-1", ENDED, sip=408, cause=18)), "bad", "não respondeu a tempo"),
    (row(leg(), leg("trunk-1", ENDED, sip=480, cause=19)), "unsure", "desligado, fora de área"),
    (row(leg(), leg("trunk-1", ENDED, sip=486, cause=17)), "good", "ocupado"),
    (row(leg(), leg("trunk-1", ENDED, sip=488, cause=58)), "bad", "formato de áudio"),
    (row(leg(), leg("trunk-1", ENDED, sip=503, cause=34)), "bad", "sem canal livre"),
    (row(leg(), leg("trunk-1", ENDED, sip=0, cause=38)), "bad", "não respondeu a tempo"),
    (row(leg(), leg("trunk-1", UP)), "good", "Chega som do outro lado"),
    (row(leg(), leg("trunk-1", UP, rx=0)), "waiting", "Esperando som do outro lado"),
    (row(leg(), leg("trunk-1", UP, rx=0, measured=4)), "bad", "nenhum pacote de som veio da operadora"),
    (row(leg(state=ENDED, was_up=True, cause=1, sip=404)), "bad", "não reconhece o número"),
])
def test_each_outcome_has_its_words(app, found, state, words):
    assert last(found)[0] == state
    assert words in last(found)[1]


def test_a_phone_without_sound_is_waited_for_and_then_told(app):
    assert lines(row(leg(rx=0, measured=2), kind="echo"))[1][0] == "waiting"
    assert lines(row(leg(rx=0, measured=4), kind="echo"))[1] == ("bad", "Áudio em um só sentido: nenhum pacote de som veio do telefone ().")
    assert lines(row(leg(rx=9, measured=4), kind="echo"))[1][0] == "good"
    assert lines(row(leg(ENDED, state=ENDED, was_up=True, rx=0, measured=1), kind="echo", over=True))[1][0] == "unsure"


def test_a_trunk_that_is_not_registered_or_does_not_answer_is_the_reason_of_a_call_that_did_not_leave(app):
    ended = row(leg(state=ENDED, was_up=True, cause=20), over=True)
    down = {"trunks": {"trunk-1": {"registration": "rejected", "is_reachable": True, "code": 401}}}
    assert "não está registrado na operadora" in last(ended, **down)[1]
    dead = {"trunks": {"trunk-1": {"registration": "registered", "is_reachable": False}}}
    assert "não responde" in last(ended, **dead)[1]


def test_after_an_overflow_the_last_trunk_counts(app):
    found = row(leg(), leg("trunk-2", ENDED, sip=503, cause=34), leg("trunk-1", UP))
    assert last(found)[0] == "good"
    assert told.is_heard(found)


def test_heard_is_only_what_went_both_ways():
    assert told.is_heard(row(leg(), kind="echo", key="1"))
    assert not told.is_heard(row(leg(), kind="echo", key=""))
    assert not told.is_heard(row(leg(rx=0), kind="echo", key="1"))
    assert not told.is_heard(row(leg(), leg("trunk-1", UP, rx=0)))
    assert not told.is_heard(row(leg(rx=0), leg("trunk-1", UP)))
    assert not told.is_heard(row(leg(), leg("trunk-1", CALLING)))


def test_the_id_of_a_test_call_names_it_and_no_other_is_taken_for_one():
    assert _named(uniqueid("echo", 12, 1795218506.7)) == ("echo", 12)
    assert _named(uniqueid("outside", 2**31 - 1, 1.0)) == ("outside", 2**31 - 1)
    assert _named("bentevi-1795218506.12") is None
    assert _named("bentevi-1795218506.910000012") is None
