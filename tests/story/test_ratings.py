"""Scores that customers type when the agent has hung up: what they hear, and what is kept."""

import time

import pytest
from flask_babel import force_locale
from sqlalchemy import select

from appliance.calls.story import story
from appliance.db import db
from appliance.ratings.model import RatingScore
from tests.build import (
    change,
    company,
    make,
    make_extension,
    make_inbound_route,
    make_internal_route,
    make_outbound_route,
    make_profile,
    make_queue,
    make_trunk,
)
from tests.records import wait_recorded
from tests.sounds import library, order, tones_heard
from tests.wire import the_wire

pytestmark = pytest.mark.pbx

AGENT, PRODUCT, COMPANY, THANKS, ERROR, MENU = 700, 1200, 1600, 1700, 800, 1450  # none of them a tone that a phone speaks with
ALL = (AGENT, PRODUCT, COMPANY, THANKS, ERROR)


def scores():
    """(rating, score) of everything that is kept, in order."""
    return [(row.rating, row.score) for row in rows()]


def rows():
    found = list(db.session.scalars(select(RatingScore).order_by(RatingScore.at, RatingScore.id)))
    db.session.commit()
    return found


def hears(call, wanted, seconds=30.0):
    """Wait until exactly these tones were heard in this order."""
    assert the_wire().comes_true(lambda: len(order(call, ALL)) >= len(wanted), seconds), order(call, ALL)
    assert order(call, ALL) == wanted


@pytest.fixture
def sounds(pbx):
    company(area_code="48")
    for name, frequency in (("atendente", AGENT), ("produto", PRODUCT), ("empresa", COMPANY), ("obrigado", THANKS), ("erro", ERROR), ("menu", MENU)):
        library(name, frequency)


@pytest.fixture
def chain(sounds):
    """Agent, then product, then company."""
    make("ratings", name="Empresa", prompt="empresa", timeout_seconds=2)
    make("ratings", name="Produto", prompt="produto", timeout_seconds=2, on_finish={"rating": "Empresa"})
    return make("ratings", name="Atendente", prompt="atendente", timeout_seconds=2, success_prompt="obrigado", error_prompt="erro",
                on_finish={"rating": "Produto"})


def test_three_ratings_in_a_chain_after_an_answered_call_through_a_menu(pbx, phone, carrier, chain):
    """SVY-01, SVY-02, SVY-06, SVY-08, SVY-13: three scores for one protocol; not asked without it, nor when the customer hangs up first."""
    ana, bruno = make_extension("1001", name="Ana"), make_extension("1002", name="Bruno")
    make_trunk("Operadora", carrier.port)
    common = {"prompt": "menu", "options": {"1": {"extension": "1001"}}}
    make("ivrs", name="Com pesquisa", number="3000", rating="Atendente", **common)
    make("ivrs", name="Sem pesquisa", number="3001", **common)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830130001", "destination": {"ivr": "Com pesquisa"}},
                       {"mask": "4830130002", "destination": {"ivr": "Sem pesquisa"}})
    pbx.apply()
    handset, other = phone(ana), phone(bruno)

    def talk(number, caller):
        call = carrier.call(number, caller=caller)
        assert call.hears(MENU, 10)
        call.press("1")
        there = handset.answer()
        assert call.talks_with(there)
        return call, there

    call, there = talk("4830130001", "4899990001")
    there.hang_up()
    hears(call, [AGENT])
    call.press("5")
    hears(call, [AGENT, THANKS, PRODUCT])
    call.press("3")
    hears(call, [AGENT, THANKS, PRODUCT, COMPANY])
    call.press("1")
    call.wait_ended()

    call, there = talk("4830130002", "4899990002")
    there.hang_up()
    call.wait_ended()
    assert order(call, ALL) == []

    call, there = talk("4830130001", "4899990003")
    call.hang_up()
    there.wait_ended()

    call, there = talk("4830130001", "4899990004")  # asked, and gone without a word
    there.hang_up()
    hears(call, [AGENT])
    call.hang_up()

    call, there = talk("4830130001", "4899990005")  # transferred: whoever spoke last is rated
    there.transfer("1002")
    there = other.answer()
    assert call.talks_with(there)
    there.hang_up()
    hears(call, [AGENT])
    call.press("2")
    hears(call, [AGENT, THANKS, PRODUCT])
    call.hang_up()

    stored = {one.from_number: one for one in wait_recorded()}
    assert scores() == [("Atendente", 5), ("Produto", 3), ("Empresa", 1), ("Atendente", None), ("Atendente", 2), ("Produto", None)]
    first, last = rows()[:3], rows()[-1]
    assert (last.extension, last.extension_name) == ("1002", "Bruno")
    assert {row.protocol for row in first} == {stored["554899990001"].protocol}
    assert {(row.extension, row.extension_name, row.customer) for row in first} == {("1001", "Ana", "554899990001")}
    with force_locale("pt_BR"):
        told = [text for _at, text in story(stored["554899990001"])]
    assert "O cliente deu nota 5 na avaliação Atendente." in told
    assert {one.state for one in stored.values()} == {"answered"}


@pytest.mark.long
def test_range_attempts_and_the_order_of_the_audios(pbx, phone, sounds):
    """SVY-03, SVY-04, SVY-05, SVY-06, SVY-07: 10 is 10, 1 is 1 after the wait, 0 is refused; main, error, main; one attempt is not asked again."""
    ana = make_extension("1001")
    make("ratings", name="Dez", prompt="atendente", success_prompt="obrigado", error_prompt="erro", max_score=10, timeout_seconds=2, attempts=2)
    make("ratings", name="Uma vez", prompt="atendente", success_prompt="obrigado", error_prompt="erro", timeout_seconds=2, attempts=1)
    make_internal_route("Notas", {"mask": "71", "destination": {"rating": "Dez"}}, {"mask": "72", "destination": {"rating": "Uma vez"}})
    pbx.apply()
    handset = phone(ana)

    def rated(number, keys, wanted):
        call = handset.call(number)
        assert call.hears(AGENT, 10)
        call.press(keys)
        pressed_at = time.monotonic()
        call.wait_ended(within_seconds=30)
        assert order(call, ALL) == wanted
        return call, pressed_at

    rated("71", "10", [AGENT, THANKS])
    call, pressed_at = rated("71", "1", [AGENT, THANKS])
    assert tones_heard(call, ALL)[1].began_at - pressed_at > 1.5  # the second digit was waited for
    rated("72", "9", [AGENT])
    rated("72", "*", [AGENT])
    rated("72", "10", [AGENT])   # not 1: more digits than a score has
    rated("72", "55", [AGENT])
    rated("71", "1#", [AGENT, THANKS])
    rated("72", "5#", [AGENT, THANKS])
    call = handset.call("71")
    assert call.hears(AGENT, 10)
    call.press("0")
    hears(call, [AGENT, ERROR, AGENT])
    call.press("7")
    call.wait_ended(within_seconds=20)
    assert order(call, ALL) == [AGENT, ERROR, AGENT, THANKS]
    call = handset.call("71")
    call.wait_ended(within_seconds=30)
    silent = tones_heard(call, ALL)
    assert [one.frequency for one in silent] == [AGENT, AGENT]  # nothing typed: asked again without the error audio
    assert 1.8 <= silent[1].began_at - silent[0].ended_at <= 4.0
    wait_recorded()
    assert scores() == [("Dez", 10), ("Dez", 1), ("Uma vez", None), ("Uma vez", None), ("Uma vez", None), ("Uma vez", None), ("Dez", 1), ("Uma vez", 5),
                        ("Dez", 7), ("Dez", None)]


@pytest.mark.long
def test_a_digit_too_many_makes_a_score_wrong_and_what_follows_it_belongs_to_the_same_mistake(pbx, phone, sounds):
    """SVY-04, SVY-05: “10” on scales of one digit, “100” on one of two, typed fast and slowly; the question comes again once, and its answer counts."""
    ana = make_extension("1001")
    common = {"prompt": "atendente", "success_prompt": "obrigado", "error_prompt": "erro", "timeout_seconds": 5, "attempts": 2}
    for name, lowest, highest in (("Cinco", 1, 5), ("Nove", 0, 9), ("Dez", 1, 10)):
        make("ratings", name=name, min_score=lowest, max_score=highest, **common)
    make_internal_route("Notas", *({"mask": f"7{place}", "destination": {"rating": name}} for place, name in enumerate(("Cinco", "Nove", "Dez"), 1)))
    pbx.apply()
    handset = phone(ana)
    for number, wrong, right, pause in (("71", "10", "5", 0), ("72", "10", "0", 0.5), ("73", "100", "10", 0.5), ("71", "12345", "1", 0), ("72", "99", "9", 0)):
        call = handset.call(number)
        assert call.hears(AGENT, 10)
        for key in wrong if pause else ():
            call.press(key)
            time.sleep(pause)  # slowly, as people type
        if not pause:
            call.press(wrong)
        hears(call, [AGENT, ERROR, AGENT])
        call.press(right)
        call.wait_ended(within_seconds=20)
        assert order(call, ALL) == [AGENT, ERROR, AGENT, THANKS], (number, wrong)
    wait_recorded()
    assert scores() == [("Cinco", 5), ("Nove", 0), ("Dez", 10), ("Cinco", 1), ("Nove", 9)]


def test_the_wait_for_a_score_is_the_one_written(pbx, phone, sounds):
    """SVY-03: with 5 s and nothing typed the next attempt begins 5 to 6 s after the audio."""
    ana = make_extension("1001")
    make("ratings", name="Atendente", prompt="atendente", timeout_seconds=5, attempts=2)
    make_internal_route("Notas", {"mask": "71", "destination": {"rating": "Atendente"}})
    pbx.apply()
    call = phone(ana).call("71")
    call.wait_ended(within_seconds=60)
    first, again = tones_heard(call, ALL)
    assert 4.9 <= again.began_at - first.ended_at <= 6.9, again.began_at - first.ended_at  # a second of it for a busy machine
    wait_recorded()
    assert scores() == [("Atendente", None)]


def test_a_score_is_of_who_answered_last_and_not_of_who_answered_before(pbx, phone, carrier, second_carrier, sounds):
    """SVY-01: passed on to a mobile it is of no extension; from a queue nobody took, of the extension the call went on to and of no queue."""
    ana, bruno = make_extension("1001", name="Ana"), make_extension("1002", name="Bruno")
    make_trunk("Operadora", carrier.port)
    make_trunk("Saída", second_carrier.port)
    make_outbound_route("Celular", {"mask": "X.", "trunk": "Saída"})
    change(ana, dialing_profile=make_profile("Completo", "Celular").name)
    company(external_line_prefix="")
    second_carrier.when_called = "answer"
    make("ratings", name="Nota", prompt="atendente", timeout_seconds=5, attempts=1)
    make_queue("2500", ana, name="Vendas", max_wait_seconds=5, overflow={"on_timeout": {"extension": "1002"}})
    make("ivrs", name="Menu", number="3000", prompt="menu", rating="Nota", options={"1": {"extension": "1001"}, "2": {"queue": "Vendas"}})
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"ivr": "Menu"}})
    pbx.apply()
    a, b = phone(ana), phone(bruno)

    def pressed(key, caller):
        call = carrier.call("4830130001", caller=caller)
        assert call.hears(MENU, 10)
        call.press(key)
        return call

    def rate(call, score):
        hears(call, [AGENT])
        call.press(score)
        call.wait_ended(within_seconds=20)

    call = pressed("1", "4899990001")
    there = a.answer()
    assert call.talks_with(there)
    there.transfer("48988887777")
    mobile = second_carrier.wait_call("48988887777")
    assert call.talks_with(mobile)
    mobile.hang_up()
    rate(call, "4")

    call = pressed("2", "4899990002")
    a.wait_ringing()
    there = b.answer(within_seconds=20)
    assert call.talks_with(there)
    there.hang_up()
    rate(call, "3")

    call = pressed("2", "4899990003")  # the queue's member answers and passes it on inside: the queue stays
    there = a.answer()
    assert call.talks_with(there)
    there.transfer("1002")
    there = b.answer()
    assert call.talks_with(there)
    there.hang_up()
    rate(call, "5")
    wait_recorded()
    assert [(row.score, row.queue, row.extension, row.extension_name) for row in rows()] == [
        (4, "", "", ""), (3, "", "1002", "Bruno"), (5, "Vendas", "1002", "Bruno")]


def test_after_a_queues_member_hung_up_its_ratings_are_asked_one_after_the_other(pbx, phone, sounds):
    """SVY-01: queue, agent, protocol and score are in the rating table; a rating asked twice by queue and menu is asked once."""
    ana, bruno = make_extension("1001", name="Ana"), make_extension("1002", name="Bruno")
    for name, prompt in (("Atendente", "atendente"), ("Produto", "produto")):
        make("ratings", name=name, prompt=prompt, timeout_seconds=2, attempts=1)
    queue = make_queue("2500", ana, name="Vendas", ratings=["Atendente", "Produto"])
    library("Escolha", MENU)
    make("ivrs", name="Menu", number="3500", prompt="Escolha", rating="Produto", options={"1": {"queue": "Vendas"}})
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    call = b.call("3500")
    assert call.hears(MENU, 10)
    call.press("1")
    there = a.answer()
    assert call.talks_with(there)
    there.hang_up()
    hears(call, [AGENT])
    call.press("4")
    hears(call, [AGENT, PRODUCT])
    call.press("2")
    call.wait_ended()
    wait_recorded()
    assert scores() == [("Atendente", 4), ("Produto", 2)]
    assert {(row.queue_id, row.queue, row.extension, row.extension_name) for row in rows()} == {(queue.id, "Vendas", "1001", "Ana")}
