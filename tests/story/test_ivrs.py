"""Menus as callers hear them: every key, silence, wrong keys, typed extensions; each audio is a tone of its own."""

import time

import pytest
from flask_babel import force_locale

from appliance import db as ground
from appliance import lanes
from appliance.audio_prompts.model import READY, AudioPrompt
from appliance.calls.story import story
from appliance.db import db
from tests.build import (
    change,
    company,
    make,
    make_extension,
    make_inbound_route,
    make_internal_route,
    make_outbound_route,
    make_profile,
    make_trunk,
)
from tests.records import wait_recorded
from tests.sounds import library, order, pitch_hz, tones_heard
from tests.wire import the_wire

pytestmark = pytest.mark.pbx

GREETING, MENU, INVALID, TIMEOUT, EXCEEDED = 700, 1200, 1600, 2000, 800  # none of them a tone that a phone speaks with
ALL = (GREETING, MENU, INVALID, TIMEOUT, EXCEEDED)
OTHER, THANKS = 1450, 1700


def told(call):
    """The sentences of a call as a person in Brazil reads them."""
    with force_locale("pt_BR"):
        return [text for _at, text in story(call)]


def outcomes(call):
    """What came of each question of a menu."""
    return [step.result for step in call.steps if step.kind == "ivr"]


def hears_all(call, wanted, frequencies=ALL, seconds=30.0):
    """Wait until exactly these tones were heard in this order."""
    assert the_wire().comes_true(lambda: len(order(call, frequencies)) >= len(wanted), seconds), order(call, frequencies)
    assert order(call, frequencies) == wanted


@pytest.fixture
def sounds(pbx):
    """The five audios of a menu, by field."""
    company(area_code="48")
    made = {"greeting_prompt": GREETING, "prompt": MENU, "invalid_prompt": INVALID, "timeout_prompt": TIMEOUT, "attempts_exceeded_prompt": EXCEEDED}
    return {field: library(field, frequency).name for field, frequency in made.items()}


@pytest.fixture
def line(sounds, carrier):
    """A line from outside: its calls to 4830130001, 2 and 3 go to the first three menus that are made."""
    make_trunk("Operadora", carrier.port)
    return carrier


def outside(*menus):
    """An inbound route: 4830130001 leads to the first of these menus, and so on."""
    rules = [{"mask": f"483013000{place}", "destination": {"ivr": menu.name}} for place, menu in enumerate(menus, 1)]
    return make_inbound_route("Entrada", "Operadora", *rules)


def test_five_audios_are_heard_in_their_order_and_a_caller_ends_where_the_default_says(pbx, phone, line, sounds):
    """IVR-01, IVR-03, IVR-05, IVR-06, IVR-08, IVR-09: right key, wrong key, no key, too many attempts, each from outside."""
    ana, bruno = make_extension("1001", name="Ana"), make_extension("1002", name="Bruno")
    common = {"timeout_seconds": 2, "attempts": 2, "options": {"1": {"extension": "1001"}, "3": {"extension": "1002"}}} | sounds
    first = make("ivrs", name="Principal", number="3000", default_destination="3", **common)
    bare = make("ivrs", name="Sem padrão", number="3001", **common)
    outside(first, bare)
    pbx.apply()
    a, b = phone(ana), phone(bruno)

    normal = line.call("4830130001", caller="4899990001")
    hears_all(normal, [GREETING, MENU])
    normal.press("1")
    there = a.answer()
    assert normal.talks_with(there)
    normal.hang_up()
    there.wait_ended()

    wrong = line.call("4830130001", caller="4899990002")
    hears_all(wrong, [GREETING, MENU])
    wrong.press("9")
    hears_all(wrong, [GREETING, MENU, INVALID, MENU])
    wrong.press("9")  # the counter grew by one: this was the last attempt
    there = b.answer()
    assert wrong.talks_with(there)
    assert order(wrong, ALL) == [GREETING, MENU, INVALID, MENU, EXCEEDED]
    wrong.hang_up()
    there.wait_ended()

    nothing = line.call("4830130002", caller="4899990003")
    nothing.wait_ended(within_seconds=40)
    heard = tones_heard(nothing, ALL)
    assert [one.frequency for one in heard] == [GREETING, MENU, TIMEOUT, MENU, EXCEEDED]
    menu, after = heard[1], heard[2]
    assert 1.9 <= after.began_at - menu.ended_at <= 4.0  # 2 to 3 s, and what a busy machine adds

    by_caller = {call.from_number: call for call in wait_recorded()}
    assert outcomes(by_caller["554899990001"]) == ["1"]
    assert outcomes(by_caller["554899990002"]) == ["invalid", "invalid", "attempts"]
    assert outcomes(by_caller["554899990003"]) == ["timeout", "timeout", "attempts"]
    assert "Na URA Principal foi teclado 1." in told(by_caller["554899990001"])
    assert "Na URA Sem padrão as tentativas acabaram." in told(by_caller["554899990003"])
    assert by_caller["554899990003"].hang_up_side == "system" and by_caller["554899990003"].cause == 16


@pytest.mark.long
def test_the_wait_for_a_key_is_the_one_written_however_long_the_question_is(pbx, phone, sounds):
    """IVR-05: with 4 s the next step comes between 4 and 5 s after the end of the question; of a length in whole seconds too."""
    ana = make_extension("1001")
    lengths = {"3000": 2.0, "3001": 0.5, "3002": 1.9}
    for number, seconds in lengths.items():
        library(f"Pergunta {number}", OTHER, seconds=seconds)
        make("ivrs", name=number, number=number, prompt=f"Pergunta {number}", timeout_prompt=sounds["timeout_prompt"], timeout_seconds=4, attempts=2)
    pbx.apply()
    handset = phone(ana)
    for number in lengths:
        with handset.call(number) as call:
            hears_all(call, [OTHER, TIMEOUT], (OTHER, TIMEOUT))
            question, after = tones_heard(call, (OTHER, TIMEOUT))
            assert 3.9 <= after.began_at - question.ended_at <= 5.9, (number, after.began_at - question.ended_at)  # a second of it for a busy machine


@pytest.mark.parametrize("attempts,heard,became", [
    (1, [GREETING, EXCEEDED], ["invalid", "attempts"]),
    (3, [GREETING, INVALID, MENU, INVALID, MENU, EXCEEDED], ["invalid", "invalid", "invalid", "attempts"]),
])
def test_a_wrong_key_during_the_greeting_is_an_attempt(pbx, phone, line, sounds, attempts, heard, became):
    """IVR-09: the counter grows by one wherever the key is pressed; silence during the greeting is none."""
    library("Saudação longa", GREETING, seconds=4.0)
    long = sounds | {"greeting_prompt": "Saudação longa"}
    outside(make("ivrs", name="Principal", number="3000", attempts=attempts, timeout_seconds=2, options={"1": {"hangup": True}}, **long))
    pbx.apply()
    call = line.call("4830130001", caller="4899990001")
    assert call.hears(GREETING, 10)
    call.press("9")
    for place in range(attempts - 1):
        assert the_wire().comes_true(lambda asked=place: order(call, ALL).count(MENU) > asked, 30)
        call.press("9")
    call.wait_ended(within_seconds=40)
    assert order(call, ALL) == heard
    assert outcomes(wait_recorded()[-1]) == became


def test_every_key_leads_to_a_destination_of_another_kind(pbx, phone, line, sounds, second_carrier):
    """IVR-10, IVR-02, IVR-29: twelve keys, pressed while the question still plays; announcements play their sounds in order and go on."""
    ana, bruno, carla = make_extension("1001"), make_extension("1002"), make_extension("1003")
    make_trunk("Saída", second_carrier.port)
    make_outbound_route("Celular", {"mask": "X.", "trunk": "Saída"})
    company(overflow_profile=make_profile("Transbordo", "Celular").name, external_line_prefix="")
    second_carrier.when_called = "answer"
    library("nota", OTHER)
    library("obrigado", THANKS)
    make("ratings", name="Nota", prompt="nota", success_prompt="obrigado")
    make("announcements", name="Dois avisos", prompts=["nota", "obrigado"], destination={"extension": "1003"})
    make("announcements", name="Tchau", prompts=["obrigado"])
    make("ivrs", name="Segunda", number="3002", prompt=sounds["greeting_prompt"], options={"0": {"extension": "1001"}})
    route = make_internal_route("Atalho", {"mask": "X.", "destination": {"extension": "1002"}})
    main = make("ivrs", name="Principal", number="3000", prompt=sounds["prompt"], options={
        "0": {"extension": "1001"}, "1": {"telephone": "48988887777"}, "2": {"ivr": "Segunda"}, "3": {"announcement": "Dois avisos"},
        "4": {"rating": "Nota"}, "5": {"internal_route": route.name}, "6": {"announcement": "Tchau"}, "7": {"extension": "1002"},
        "8": {"extension": "1003"}, "9": {"hangup": True}, "*": {"announcement": "Tchau"}, "#": {"extension": "1001"}})
    outside(main)
    pbx.apply()
    phones_by_key = {"0": phone(ana), "7": phone(bruno), "8": phone(carla)}
    phones_by_key |= {"#": phones_by_key["0"], "5": phones_by_key["7"]}

    def pressed(key):
        call = line.call("4830130001", caller="4899990001")
        assert call.hears(MENU, 10)
        call.press(key)
        return call

    for key in ("0", "#", "7", "5", "8"):
        call = pressed(key)
        there = phones_by_key[key].answer()
        assert call.talks_with(there), key
        call.hang_up()
        there.wait_ended()
    call = pressed("1")
    assert call.talks_with(second_carrier.wait_call("48988887777"))
    call.hang_up()
    call = pressed("2")
    assert call.hears(GREETING, 10)
    call.press("0")
    there = phones_by_key["0"].answer()
    assert call.talks_with(there)
    call.hang_up()
    call = pressed("3")
    there = phones_by_key["8"].answer(within_seconds=15)
    assert call.talks_with(there)
    assert order(call, (OTHER, THANKS)) == [OTHER, THANKS]
    call.hang_up()
    call = pressed("4")
    assert call.hears(OTHER, 10)
    call.press("5")
    assert call.hears(THANKS, 10)
    call.wait_ended()
    for key, heard in (("6", [THANKS]), ("*", [THANKS]), ("9", [])):
        call = pressed(key)
        call.wait_ended()
        assert order(call, (OTHER, THANKS)) == heard, key
    steps = [outcomes(call) for call in wait_recorded()]
    assert sorted(found[0] for found in steps) == sorted("0#7581234" "6*9")


def test_a_typed_extension_rings_only_where_the_menu_lets_callers_dial(pbx, phone, line, sounds):
    """IVR-07: 1001 is reached; where dialling is off the same digits are a wrong key; an option that begins a number waits for more."""
    ana, bruno = make_extension("1001"), make_extension("1002")
    ways = {"1": {"extension": "1002"}}
    common = {"prompt": sounds["prompt"], "invalid_prompt": sounds["invalid_prompt"], "timeout_seconds": 3}
    dialling = make("ivrs", name="Disca", number="3000", dial_extension=True, options=ways, **common)
    closed = make("ivrs", name="Não disca", number="3001", options={"2": {"extension": "1002"}}, **common)
    quick = make("ivrs", name="Direto", number="3002", options=ways, **common)
    outside(dialling, closed, quick)
    pbx.apply()
    a, b = phone(ana), phone(bruno)

    call = line.call("4830130001", caller="4899990001")
    assert call.hears(MENU, 10)
    call.press("1001")
    assert call.talks_with(a.answer())
    call.hang_up()

    call = line.call("4830130001", caller="4899990005")
    assert call.hears(MENU, 10)
    call.press("1")  # an option, and the beginning of 1001: more is waited for
    time.sleep(1)
    call.press("001")
    assert call.talks_with(a.answer())
    call.hang_up()

    call = line.call("4830130001", caller="4899990002")
    assert call.hears(MENU, 10)
    call.press("1")  # and nothing more comes
    there = b.wait_ringing()
    call.hang_up()
    there.wait_ended()

    call = line.call("4830130003", caller="4899990003")
    assert call.hears(MENU, 10)
    call.press("1001")  # where no number begins so, the first key leads on at once
    there = b.wait_ringing()
    call.hang_up()
    there.wait_ended()

    call = line.call("4830130002", caller="4899990004")
    assert call.hears(MENU, 10)
    call.press("1001")
    hears_all(call, [MENU, INVALID, MENU])  # once for the whole number
    call.hang_up()
    rang_before = len(a.incoming)
    by_caller = {call.from_number: call for call in wait_recorded()}
    assert rang_before == 2
    assert outcomes(by_caller["554899990001"]) == outcomes(by_caller["554899990005"]) == ["extension"]
    assert "Na URA Disca foi discado o ramal 1001." in told(by_caller["554899990001"])
    assert outcomes(by_caller["554899990002"]) == ["1"]
    assert outcomes(by_caller["554899990004"])[:1] == ["invalid"]


def test_an_agent_transfers_a_customer_to_the_menu_and_fifty_menus_answer(pbx, phone, line, sounds):
    """IVR-01, IVR-02: each menu has its extension; a live customer transferred there hears the same menu, and it is in the call's path."""
    ana, bruno = make_extension("1001", name="Ana"), make_extension("1002", name="Bruno")
    menus = [make("ivrs", name=f"URA {place}", number=str(3000 + place), prompt=sounds["prompt" if place % 2 else "greeting_prompt"],
                  options={"1": {"extension": "1002"}}) for place in range(50)]
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "1001"}})
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    for place in (0, 1, 24, 49):
        with a.call(menus[place].number) as call:
            assert call.hears(MENU if place % 2 else GREETING, 10), place
    customer = line.call("4830130009", caller="4899990001")
    there = a.answer()
    assert customer.talks_with(there)
    there.transfer("3007")
    assert customer.hears(MENU, 10)
    customer.press("1")
    assert customer.talks_with(b.answer())
    customer.hang_up()
    found = next(call for call in wait_recorded() if call.from_number == "554899990001")
    assert outcomes(found) == ["1"]
    assert [step.name for step in found.steps if step.kind == "destination" and step.word == "ivrs"] == ["URA 7"]


def test_a_caller_in_a_loop_is_released_after_twenty_destinations(pbx, phone, line, sounds):
    """IVR-06: a menu whose key leads back to it is allowed, because a person presses; the 21st visit ends the call, and the record says so."""
    ana = make_extension("1001")
    menu = make("ivrs", name="Volta", number="3000", prompt=sounds["prompt"], timeout_seconds=5)
    change(menu, options={"1": {"ivr": "Volta"}})
    pbx.apply()
    call = phone(ana).call("3000")
    assert call.hears(MENU, 10)
    call.press("1" * 22)
    call.wait_ended(within_seconds=30)
    found = wait_recorded()[-1]
    assert outcomes(found) == ["1"] * 20
    assert "Não é completada: passou por mais de 20 destinos." in told(found)


@pytest.mark.parametrize("voice,lowest,highest", [("male", 60, 130), ("female", 140, 260)])
def test_a_text_with_accents_is_spoken_to_the_caller_by_the_chosen_voice(pbx, phone, voice, lowest, highest):
    """IVR-04, IVR-30: the question is made from a text by the exchange's voice, a man's or a woman's; what the caller hears is as high."""
    ana = make_extension("1001")
    prompt = make("audio_prompts", name="Boas-vindas", text="Olá! Não há avaliação à vista; pressione três para informações.", voice=voice)
    prompt_id = prompt.id
    db.session.rollback()
    lanes.relay()

    def is_spoken():
        ground.read_only()
        state = db.session.get(AudioPrompt, prompt_id).state
        db.session.rollback()  # an open transaction of ours would keep the worker from writing
        return state == READY

    assert the_wire().comes_true(is_spoken, 60)
    make("ivrs", name="Falada", number="3000", prompt="Boas-vindas")
    pbx.apply()
    call = phone(ana).call("3000")
    assert call.hears_sound(for_seconds=2.0, within_seconds=15)
    heard = pitch_hz(call.media.samples(0))
    call.hang_up()
    assert lowest < heard < highest, heard


def test_a_number_blocked_at_one_menu_enters_by_another_and_can_be_dialled(pbx, phone, line, sounds):
    """CON-05: inbound and outbound apart, and each menu with its own lists."""
    make("blacklists", name="Trotes", numbers=[{"number": "4833334444"}])
    guarded = make("ivrs", name="Guardada", number="3000", prompt=sounds["prompt"], blacklists=["Trotes"])
    open_one = make("ivrs", name="Aberta", number="3001", prompt=sounds["greeting_prompt"])
    outside(guarded, open_one)
    make_outbound_route("Saída", {"mask": "X.", "trunk": "Operadora"})
    ana = make_extension("1001", dialing_profile=make_profile("Completo", "Saída").name)
    line.when_called = "answer"
    pbx.apply()
    assert line.call("4830130001", caller="4833334444").wait_refused() == 403
    with line.call("4830130002", caller="4833334444") as call:
        assert call.hears(GREETING, 10)
    with line.call("4830130001", caller="4833334445") as call:
        assert call.hears(MENU, 10)
    handset = phone(ana)
    with handset.call("4833334444") as call:
        assert call.talks_with(line.wait_call("4833334444"))
    with handset.call("3000") as call:
        assert call.hears(MENU, 10)
    refused = next(call for call in wait_recorded() if call.state == "refused")
    assert "Recusada pela blacklist Trotes." in told(refused)
