"""The test phones proved on their own: two of them talk directly, with no exchange between."""

import math
import time

import pytest

from tests import media, sip
from tests.carrier import REGISTRAR, Carrier
from tests.phones import Phone, Phones, full_text, ladder
from tests.wire import StillWaiting


@pytest.fixture
def pair():
    """Ana and Bruno, each the other's exchange."""
    bruno = Phone("1001", "", ("127.0.0.1", 9))
    ana = Phone("1000", "", ("127.0.0.1", bruno.port))
    bruno.exchange = ("127.0.0.1", ana.port)
    yield ana, bruno
    ana.close()
    bruno.close()
    ana.wire.raise_mistakes()


def test_two_phones_hear_each_other_until_one_holds(pair):
    ana, bruno = pair
    call = ana.call("1001")
    there = bruno.answer()
    assert call.talks_with(there)
    call.hold()
    assert not call.talks_with(there, within_seconds=0.8)
    assert there.hears_silence()
    call.resume()
    assert call.talks_with(there)
    call.hang_up(cause=16)
    assert there.wait_ended().end_message.header("Reason") == "Q.850;cause=16"


def test_audio_keeps_its_pace_when_calls_follow_each_other(pair):
    ana, bruno = pair
    for _ in range(5):
        ana.call("1001")
        bruno.answer().hang_up()
    begun = time.monotonic()
    call = ana.call("1001")
    assert bruno.answer().hears(call)
    assert call.media.sent_count <= (time.monotonic() - begun) / 0.02 + 2


def test_keys_are_heard_once_each_and_in_order(pair):
    ana, bruno = pair
    call = ana.call("1001")
    there = bruno.answer()
    call.press("1593#*")
    assert there.digits() == "1593#*"
    assert call.digits(pause_seconds=0.1) == ""


def test_an_answer_and_its_acknowledgement_are_repeated_when_lost(pair):
    ana, bruno = pair
    lost: list[str] = []

    def lose_the_first_of_each(message: sip.Message, _sent: bool) -> bool:
        kind = message.method or f"{message.status} {message.cseq_method}"
        if kind in ("INVITE", "200 INVITE", "ACK", "BYE") and kind not in lost:
            lost.append(kind)
            return True
        return False

    bruno.loses = lose_the_first_of_each
    call = ana.call("1001")
    there = bruno.answer()
    assert call.talks_with(there)
    call.hang_up()
    there.wait_ended()
    assert lost == ["INVITE", "200 INVITE", "ACK", "BYE"]


@pytest.mark.parametrize("code", [404, 486, 503])
def test_a_refusal_reaches_the_caller_with_its_code(pair, code):
    ana, bruno = pair
    bruno.when_called = code
    call = ana.call("1001")
    assert call.wait_refused() == code
    assert call.reason == sip.REASONS[code]
    assert [line.code for line in ana.log + bruno.log] == [code, code]


def test_a_caller_who_gives_up_stops_the_ringing(pair):
    ana, bruno = pair
    call = ana.call("1001")
    there = bruno.wait_ringing()
    call.hang_up()
    assert (call.code, there.wait_ended().code) == (487, 487)
    assert there.logged.ended_at >= there.logged.rang_at


def test_audio_before_the_answer_is_heard(pair):
    ana, bruno = pair
    bruno.when_called = "early_media"
    call = ana.call("1001")
    there = bruno.wait_ringing()
    assert call.hears(there)
    assert call.logged.answered_at is None
    there.answer()
    assert call.talks_with(there)


def test_a_dead_phone_says_nothing_and_the_wait_tells_so(pair):
    ana, bruno = pair
    bruno.dead = True
    call = ana.call("1001")
    expected = r"(?s)1000 calling 1001.*waited 0.7 s for the answer.*INVITE sip:1001@"
    with pytest.raises(StillWaiting, match=expected) as told:
        call.wait_answered(within_seconds=0.7)
    assert "[PCMA PCMU sendrecv]" in str(told.value)
    assert "LOST" in ladder(bruno)


def test_the_called_side_takes_the_first_codec_it_knows(pair):
    ana, bruno = pair
    call = ana.call("1001", codecs=["G722", "PCMU", "PCMA"])
    there = bruno.answer()
    assert there.sdp_codecs() == ["G722", "PCMU", "PCMA"]
    assert call.talks_with(there)
    assert call.speaks_codec == there.speaks_codec == "PCMU"
    unspeakable = ana.call("1001", codecs=["G722", "opus"])
    bruno.wait_ringing().pick_up()
    assert unspeakable.wait_refused() == 488


def test_any_text_may_stand_as_the_number(pair):
    ana, bruno = pair
    for number in ["1&2", "1,2", "${X}", "1;x=2", "+5548999990000", "a%20b", ""]:
        call = ana.call(number)
        there = bruno.wait_ringing()
        assert there.number == number
        assert f"INVITE {call.invite.uri}" in ladder(there)
        assert "User-Agent: Bentevi test phone" in full_text(there.seen)
        call.hang_up()


def test_a_caller_is_seen_as_it_said(pair):
    ana, bruno = pair
    ana.call("1001", caller="48999990000", caller_name='Maria "Mia" Luz', headers=[("X-Bina", "1")])
    there = bruno.wait_ringing()
    assert (there.caller_number, there.caller_name) == ("48999990000", 'Maria "Mia" Luz')
    assert there.header("X-Bina") == "1"


def test_a_registrar_believes_only_the_right_password():
    carrier = Carrier(("127.0.0.1", 9), 0, REGISTRAR, "4830300000", "right")
    with Phones(("127.0.0.1", carrier.port)) as phones:
        phones.keep(carrier)
        wrong, right = phones.unregistered("4830300000", "wrong"), phones.unregistered("4830300000", "right")
        assert (wrong.register(), right.register()) == (401, 200)
        assert carrier.registration.contact == f"sip:4830300000@127.0.0.1:{right.port}"
        assert (carrier.register_count, carrier.refused_register_count) == (4, 1)
        right.unregister()
        assert carrier.registration is None


def test_sha_256_is_proved_when_asked():
    """Values of RFC 7616, section 3.9.1."""
    fields = {"username": "Mufasa", "realm": "http-auth@example.org", "uri": "/dir/index.html", "algorithm": "SHA-256",
              "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "nc": "00000001", "qop": "auth",
              "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"}  # fmt: skip
    expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    assert sip._response(fields, "Circle of Life", "GET") == expected


@pytest.mark.parametrize("kind", [0, 8])
def test_a_tone_survives_both_laws_and_no_other_is_heard_in_it(kind):
    for frequency in media.FREQUENCIES:
        samples = [media.LINEAR[kind][byte] for byte in media.tone_packet(kind, frequency) * 20]
        assert media.holds_tone(samples, frequency)
        assert not any(media.holds_tone(samples, other) for other in media.FREQUENCIES if other != frequency)


def test_two_voices_at_once_are_both_heard_and_a_short_rest_is_not():
    first, second = ([round(6000 * math.sin(2 * math.pi * hz * n / 8000)) for n in range(8000)] for hz in (550, 1250))
    both = [a + b for a, b in zip(first, second, strict=True)]
    assert media.holds_tone(both, 550) and media.holds_tone(both, 1250)
    assert not media.holds_tone(first[:1600] + [0] * 8000, 550)
