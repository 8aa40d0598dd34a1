"""Hours, events, time conditions, shifts and windows, as callers and extensions meet them. The machine is in UTC, the company in São Paulo."""

import pytest
from flask_babel import force_locale

from appliance.calls.model import CLOSED, REFUSED
from appliance.calls.story import story
from tests import media
from tests.build import (
    change,
    company,
    make,
    make_class,
    make_extension,
    make_hours,
    make_inbound_route,
    make_outbound_route,
    make_profile,
    make_sound,
    make_trunk,
    make_user,
    week,
)
from tests.calls import ENDED, UP
from tests.records import quiet, wait_recorded
from tests.wire import the_wire

pytestmark = pytest.mark.pbx


@pytest.fixture
def way_in(pbx, carrier):
    """Outside numbers lead to destinations: way_in({"551": {"queue": "Suporte"}})."""
    company(area_code="48", timezone="America/Sao_Paulo")
    make_trunk("A", carrier.port)

    def route(numbers):
        make_inbound_route("Entrada", "A", *({"mask": number, "destination": to} for number, to in numbers.items()))

    return route


def made_queue(name, number, **values):
    return make("queues", name=name, number=number, **values)


def made_ivr(name, number, **values):
    return make("ivrs", name=name, number=number, **values)


def diverted(carrier, number, handset):
    """Whether a call is sent to the closed destination (the handset rings) or let in (answered, or whatever an empty queue does)."""
    before = len(handset.incoming)
    call = carrier.call(number, caller="48999998888")
    assert the_wire().comes_true(lambda: len(handset.incoming) > before or call.state in (UP, ENDED), 10), f"nothing becomes of {number}"
    call.hang_up()
    return len(handset.incoming) > before


def told(call):
    """The sentences of a call as a person in Brazil reads them."""
    with force_locale("pt_BR"):
        return [text for _at, text in story(call)]


def heard_seconds(call, frequency):
    """How long a tone was heard in all."""
    return sum(share > 0.4 for share in call.tone_shares(frequency)) * media.BLOCK_SECONDS


def test_hours_decide_at_the_minute_by_the_companys_clock(pbx, phone, carrier, way_in, clock):
    """HRS-01, HRS-04: several ranges, the last second before and the first after each border, across midnight; one record closes a queue and an
    IVR, an unselected queue is unaffected."""
    night = make_extension("1009")
    make_hours("Comercial", "mon tue wed thu fri 08:00-12:00", "mon tue wed thu fri 13:00-18:00", "sat 22:00-06:00",
               closed_destination={"extension": "1009"})
    made_queue("Suporte", "2000", business_hours="Comercial")
    made_queue("Plantão", "2001")
    made_ivr("Principal", "3000", business_hours="Comercial")
    way_in({"51": {"queue": "Suporte"}, "52": {"ivr": "Principal"}, "53": {"queue": "Plantão"}})
    pbx.apply()
    handset = phone(night)
    borders = [  # Monday 23 November 2026 and the days around it
        ("2026-11-23 07:59:59", True), ("2026-11-23 08:00:00", False), ("2026-11-23 11:59:59", False), ("2026-11-23 12:00:00", True),
        ("2026-11-23 12:01:00", True), ("2026-11-23 12:59:59", True), ("2026-11-23 13:00:00", False), ("2026-11-23 17:59:59", False),
        ("2026-11-23 18:00:00", True), ("2026-11-21 11:00:00", True),
        ("2026-11-21 21:59:59", True), ("2026-11-21 22:00:00", False), ("2026-11-21 23:59:59", False), ("2026-11-22 00:00:00", False),
        ("2026-11-22 05:59:59", False), ("2026-11-22 06:00:00", True), ("2026-11-22 22:30:00", True),
    ]
    for at, is_closed in borders:
        clock.at(at)
        assert diverted(carrier, "51", handset) == is_closed, at
    for at, is_closed in (("2026-11-23 07:59:59", True), ("2026-11-23 08:00:00", False)):
        clock.at(at)
        assert diverted(carrier, "52", handset) == is_closed, at
        assert not diverted(carrier, "53", handset), at
    clock.at("2026-11-23 08:00:00", zone="UTC")
    assert diverted(carrier, "51", handset), "08:00 in UTC is 05:00 of the company"


def test_the_message_is_heard_to_its_end_and_without_one_the_call_goes_on_at_once(pbx, phone, carrier, way_in, clock):
    """HRS-02: with audio the caller hears it in full; without it the action follows at once."""
    night = make_extension("1009")
    make_sound("Fechado", 1250, seconds=2.0)
    make_hours("Com aviso", "mon 08:00-18:00", closed_prompt="Fechado", closed_destination={"extension": "1009"})
    make_hours("Sem aviso", "mon 08:00-18:00", closed_destination={"extension": "1009"})
    made_queue("Suporte", "2000", business_hours="Com aviso")
    made_queue("Vendas", "2001", business_hours="Sem aviso")
    way_in({"51": {"queue": "Suporte"}, "52": {"queue": "Vendas"}})
    pbx.apply()
    handset = phone(night)
    clock.at("2026-11-22 10:00")
    call = carrier.call("51", caller="48999998888")
    there = handset.wait_ringing(within_seconds=15)
    assert heard_seconds(call, 1250) >= 1.9, "to its end, before the telephone rings"
    assert call.talks_with(there.answer())
    call.hang_up()
    there.wait_ended()
    silent = carrier.call("52", caller="48999998888")
    there = handset.wait_ringing()
    assert silent.logged.answered_at is None, "nobody answered to play something"
    assert silent.talks_with(there.answer())


@pytest.mark.long
def test_each_action_after_the_message_and_what_the_records_tell(pbx, phone, carrier, way_in, clock):
    """HRS-03, HRS-06: hang up, extension, queue, telephone (by the overflow profile, FEA-03), IVR and a time condition in the place of a custom
    rule; each is told with the rule and the queue or IVR that was closed."""
    ana, bruno = make_extension("1001"), make_extension("1002")
    make_sound("Fechado", 1250)
    make_outbound_route("Saída", {"mask": "XXXXXXXX", "trunk": "A"})
    company(overflow_profile=make_profile("Completo", "Saída").name)
    make_hours("Ana", "mon 08:00-18:00", closed_destination={"extension": "1001"})
    make_hours("Bruno", "mon 08:00-18:00", closed_destination={"extension": "1002"})
    made_queue("Fila B", "2002", business_hours="Ana")
    made_ivr("URA B", "3002", business_hours="Bruno")
    make("time_conditions", name="Domingo", periods=[week("sun 00:00-24:00")], inside_destination={"extension": "1001"},
         outside_destination={"hangup": True})
    actions = {"51": {"hangup": True}, "52": {"extension": "1001"}, "53": {"queue": "Fila B"}, "54": {"telephone": "33334444"},
               "55": {"ivr": "URA B"}, "56": {"time_condition": "Domingo"}}
    for number, action in actions.items():
        make_hours(f"Regra {number}", "mon 08:00-18:00", closed_prompt="Fechado", closed_destination=action)
        made_queue(f"Fila {number}", f"20{number}", business_hours=f"Regra {number}")
    made_ivr("URA A", "3001", business_hours="Regra 52")
    way_in({number: {"queue": f"Fila {number}"} for number in actions} | {"61": {"ivr": "URA A"}})
    pbx.apply()
    quiet()
    first, second = phone(ana), phone(bruno)
    clock.at("2026-11-22 10:00")  # a Sunday
    reached = {"52": first, "53": first, "55": second, "56": first, "61": first}
    for number in [*actions, "61"]:
        call = carrier.call(number, caller="48999998888")
        assert call.hears(1250), number
        if number == "51":
            call.wait_ended()
        elif number == "54":
            assert call.talks_with(carrier.wait_call("33334444"))
        else:
            assert call.talks_with(reached[number].answer()), number
        call.hang_up()
        the_wire().comes_true(lambda: all(one.state == ENDED for one in [*first.calls, *second.calls, *carrier.calls]), 10)
    calls = {call.to_number: call for call in wait_recorded() if call.direction == "inbound"}
    for number in actions:
        assert f"Fila Fila {number}: fora do horário (Regra {number})." in told(calls[number]), told(calls[number])
        (step, *_more) = [step for step in calls[number].steps if step.kind == CLOSED]
        assert (step.word, step.name, step.detail["door"]) == ("business_hours", f"Regra {number}", "queues")
    assert "URA URA A: fora do horário (Regra 52)." in told(calls["61"])
    assert "Fila Fila B: fora do horário (Ana)." in told(calls["53"]) and "URA URA B: fora do horário (Bruno)." in told(calls["55"])
    assert (calls["51"].state, calls["52"].state) == ("no_answer", "answered"), "a message is no conversation"


def test_an_event_goes_before_the_hours_and_ends_at_its_minute(pbx, phone, carrier, way_in, clock):
    """HRS-07, HRS-08: 24/12 12:00 to 26/12 08:00; inside hours and inside the event the event's audio is heard; across the year; another year is
    not meant unless the event returns every year; of two at once the shorter one counts."""
    night = make_extension("1009")
    make_sound("Inventário", 1250)
    make_sound("Fechado", 650)
    make_hours("Sempre", "mon tue wed thu fri sat sun 00:00-24:00", closed_prompt="Fechado")
    made_queue("Suporte", "2000", business_hours="Sempre")
    made_ivr("Principal", "3000")
    make("calendar_events", name="Natal 2026", start="2026-12-24 12:00", end="2026-12-26 08:00", destination={"extension": "1009"}, queues=["Suporte"])
    make("calendar_events", name="Inventário", start="2026-11-30 08:00", end="2026-11-30 10:00", prompt="Inventário",
         destination={"extension": "1009"}, queues=["Suporte"])
    make("calendar_events", name="Ano-novo", start="2020-12-31 18:00", end="2021-01-02 00:00", every_year=True,
         destination={"extension": "1009"}, queues=["Suporte"], ivrs=["Principal"])
    make("calendar_events", name="Férias coletivas", start="2027-01-25 00:00", end="2027-02-10 00:00", destination={"extension": "1009"}, queues=["Suporte"])
    make("calendar_events", name="Aniversário", start="2027-02-01 10:00", end="2027-02-01 11:00", queues=["Suporte"])
    way_in({"51": {"queue": "Suporte"}, "52": {"ivr": "Principal"}})
    pbx.apply()
    handset = phone(night)
    borders = [
        ("2026-12-24 11:59:59", False), ("2026-12-24 12:00:00", True), ("2026-12-25 10:00:00", True), ("2026-12-26 07:59:59", True),
        ("2026-12-26 08:00:00", False), ("2026-12-26 08:01:00", False), ("2027-12-25 10:00:00", False),
        ("2026-12-31 17:59:59", False), ("2026-12-31 18:00:00", True), ("2026-12-31 23:59:59", True), ("2027-01-01 00:00:00", True),
        ("2027-01-01 23:59:59", True), ("2027-01-02 00:00:00", False), ("2029-12-31 23:59:59", True),
        ("2027-01-24 23:59:59", False), ("2027-01-25 00:00:00", True), ("2027-01-31 23:59:59", True), ("2027-02-09 23:59:59", True),
        ("2027-02-10 00:00:00", False), ("2027-02-01 10:30:00", False), ("2027-02-01 11:00:00", True),
    ]
    for at, is_closed in borders:
        clock.at(at)
        assert diverted(carrier, "51", handset) == is_closed, at
    assert not diverted(carrier, "52", handset)
    clock.at("2027-01-01 02:59:59", zone="UTC")
    assert diverted(carrier, "52", handset), "still the old year in São Paulo"
    clock.at("2026-11-30 09:00")
    call = carrier.call("51", caller="48999998888")
    assert call.hears(1250) and not call.has_heard(650)
    assert call.talks_with(handset.answer())
    call.hang_up()
    clock.at("2026-12-25 10:00")
    assert diverted(carrier, "51", handset)
    pbx.ask("dialplan set global BENTEVI_YEAR 2027")
    assert not diverted(carrier, "51", handset), "the year may be set beside the time"


def test_a_call_that_was_let_in_stays_when_the_hour_ends(pbx, phone, carrier, way_in, clock):
    """HRS-05: the hours are asked once, at the door; a new call is diverted."""
    ana, night = make_extension("1001"), make_extension("1009")
    make_hours("Fim", "mon 08:00-18:00", closed_destination={"extension": "1009"})
    make_hours("Começo", "mon 08:00-17:00", closed_destination={"extension": "1001"})
    made_queue("Dia", "2000", business_hours="Fim")
    made_queue("Tarde", "2001", business_hours="Começo")
    make("time_conditions", name="Dia", periods=[week("mon 08:00-18:00")], inside_destination={"queue": "Tarde"}, outside_destination={"queue": "Dia"})
    way_in({"51": {"time_condition": "Dia"}})
    pbx.apply()
    handset, other = phone(ana), phone(night)
    clock.at("2026-11-23 17:59:59")
    waiting = carrier.call("51", caller="48999998888")
    ringing = handset.wait_ringing()
    clock.at("2026-11-23 18:00:00")
    fresh = carrier.call("51", caller="48999997777")
    assert fresh.talks_with(other.answer())
    assert waiting.talks_with(ringing.answer()), "the first one goes on ringing where it was"


def test_doors_that_send_a_call_to_each_other_are_refused_by_an_apply(pbx, way_in):
    """HRS-03: two queues in a circle of closed destinations would pass a call to and fro; the apply names the way round."""
    one, other = make_hours("Um", "mon 08:00-18:00"), make_hours("Outro", "mon 08:00-18:00")
    made_queue("A", "2000", business_hours="Um")
    made_queue("B", "2001", business_hours="Outro")
    change(one, closed_destination={"queue": "B"})
    change(other, closed_destination={"queue": "A"})
    way_in({"51": {"queue": "A"}})
    found, = pbx.apply_refused()
    assert found["code"] == "loop" and all(name in found["text"] for name in ("fila A", "Um", "fila B", "Outro"))


def test_a_time_condition_has_two_sides(pbx, phone, carrier, way_in, clock):
    """HRS-11, HRS-12, HRS-13: days 1 to 5 of January from 09:00 to 17:00, and Saturdays past midnight; dialled from outside and inside, and
    behind a key of an IVR."""
    ana, bruno = make_extension("1001"), make_extension("1002")
    make("time_conditions", name="Janeiro", inside_destination={"extension": "1001"}, outside_destination={"extension": "1002"}, periods=[
        {"weekdays": [], "first_day": 1, "last_day": 5, "months": ["jan"], "start": "09:00", "end": "17:00"}, week("sat 22:00-02:00")])
    way_in({"51": {"time_condition": "Janeiro"}})
    make("internal_routes", name="Atalho", rules=[{"mask": "77", "destination": {"time_condition": "Janeiro"}}])
    make_sound("Menu", 1250)
    made_ivr("Principal", "3000", prompt="Menu", options={"1": {"time_condition": "Janeiro"}})
    pbx.apply()
    inside, outside = phone(ana), phone(bruno)
    for at, is_inside in (("2027-01-03 10:00", True), ("2027-01-06 10:00", False), ("2027-02-03 10:00", False), ("2027-01-05 16:59:59", True),
                          ("2027-01-05 17:00", False), ("2027-01-01 08:59:59", False), ("2027-01-01 09:00", True), ("2027-01-09 22:00", True),
                          ("2027-01-10 01:59:59", True), ("2027-01-10 02:00", False)):
        clock.at(at)
        call = carrier.call("51", caller="48999998888")
        ringing = (inside if is_inside else outside).wait_ringing()
        call.hang_up()
        ringing.wait_ended()
    clock.at("2027-01-03 10:00")
    call = outside.call("77")
    assert call.talks_with(inside.answer())
    call.hang_up()
    for at, is_inside in (("2027-01-03 10:00", True), ("2027-01-06 10:00", False)):
        clock.at(at)
        call = (outside if is_inside else inside).call("3000").wait_answered()
        assert call.hears(1250, 10)
        call.press("1")
        there = (inside if is_inside else outside).answer()
        assert call.talks_with(there)
        call.hang_up()
        there.wait_ended()


@pytest.fixture
def way_out(pbx, carrier):
    """The name of a profile that leads to the carrier."""
    company(area_code="48", timezone="America/Sao_Paulo", external_line_prefix="0")
    make_trunk("A", carrier.port)
    make_outbound_route("Saída", {"mask": "XXXXXXXX", "external_line": True, "trunk": "A"})
    return make_profile("Completo", "Saída").name


def refused_by(reason):
    """The refused calls of this reason, once everything is stored."""
    return [call for call in wait_recorded() if call.state == REFUSED and any(step.result == reason for step in call.steps)]


def refused_with_words(handset, number):
    """Whether the call is refused with 403 after something was said."""
    call = handset.call(number)
    assert call.hears_sound(0.8, within_seconds=8), number
    return call.wait_refused() == 403


def test_an_extension_calls_only_in_the_hours_of_its_class(pbx, phone, carrier, way_out, clock):
    """EXT-25: outside them an outgoing call is refused with a message and logged, inside it completes; emergency always passes, incoming calls
    are unaffected."""
    make_class("Loja", call_time_window=[week("mon 08:00-18:00")])
    ana, bruno = make_extension("1001", dialing_profile=way_out, **{"class": "Loja"}), make_extension("1002")
    make_inbound_route("Entrada", "A", {"default": True, "destination": {"extension": "1001"}})
    pbx.apply()
    quiet()
    handset, other = phone(ana), phone(bruno)
    for at, may in (("2026-11-23 07:59:59", False), ("2026-11-23 08:00", True), ("2026-11-23 17:59:59", True), ("2026-11-23 18:00", False)):
        clock.at(at)
        if may:
            call = handset.call("033334444")
            assert call.talks_with(carrier.wait_call("33334444")), at
            call.hang_up()
        else:
            assert refused_with_words(handset, "033334444"), at
    assert refused_with_words(handset, "1002"), "inside too"
    assert handset.call("192").wait_answered(), "emergency"
    assert carrier.call("30139018", caller="48999998888").talks_with(handset.answer())
    assert other.call("1001").talks_with(handset.answer())
    clock.at("2026-11-23 12:00")
    assert handset.call("1002").talks_with(other.answer())
    for one in [*handset.calls, *other.calls, *carrier.calls]:
        one.leave()
    refused = refused_by("outside the hours of its class")
    assert len(refused) == 3 and {call.to_number for call in refused} >= {"1002"}
    assert all("Não é completada: o ramal não pode fazer ligações neste horário." in told(call) for call in refused), told(refused[0])
    assert "refused: outside the hours of its class, number 033334444" in pbx.log()


def test_the_test_call_after_an_apply_keeps_to_no_shift(pbx, carrier, way_out):
    """HRS-18, EXT-25: else nothing could be applied at night."""
    nobody = [week("sun 03:33-03:34")]
    make_class("Loja", call_time_window=nobody)
    make("work_shifts", name="Nunca", periods=nobody)
    make_extension("1001", dialing_profile=way_out, **{"class": "Loja"})
    make_user("ana.souza", extension="1001", work_shift="Nunca")
    carrier.echoes = True
    company(canary_number="033334444", canary_extension="1001")
    assert [step["name"] for step in pbx.apply().steps][-1] == "canary"
    assert carrier.wait_call("33334444")


@pytest.mark.long
def test_after_the_shift_and_its_tolerance_new_calls_are_refused_and_the_old_one_goes_on(pbx, phone, carrier, way_out, clock):
    """HRS-18, USR-15: end 18:00, tolerance 10 minutes: at 18:05 a call completes, at 18:10 new calls are refused, one in progress is not cut."""
    make("work_shifts", name="Dia", periods=[week("mon 08:00-18:00")], tolerance_minutes=10)
    make("work_shifts", name="Noite", periods=[week("mon 18:00-24:00")])
    ana, bruno = make_extension("1001", dialing_profile=way_out), make_extension("1002")
    make_inbound_route("Entrada", "A", {"default": True, "destination": {"extension": "1001"}})
    make_user("ana.souza", extension="1001", work_shift="Dia")
    make_user("bruno.lima", extension="1002", work_shift="Dia")
    pbx.apply()
    quiet()
    handset, other = phone(ana), phone(bruno)
    clock.at("2026-11-23 18:05")
    call = handset.call("033334444")
    there = carrier.wait_call("33334444")
    assert call.talks_with(there)
    clock.at("2026-11-23 18:09:59")
    second = other.call("1001")
    handset.wait_ringing()
    second.hang_up()
    clock.at("2026-11-23 18:10")
    assert refused_with_words(other, "1001")
    assert call.talks_with(there), "not cut"
    call.hang_up()
    assert handset.call("192").wait_answered(), "emergency"
    clock.at("2026-11-23 07:59:59")
    assert refused_with_words(handset, "1002")
    assert carrier.call("30139018", caller="48999998888").talks_with(handset.answer()), "incoming calls are unaffected"
    for one in [*handset.calls, *other.calls, *carrier.calls]:
        one.leave()
    refused = refused_by("outside the work shift")
    assert [call.to_number for call in refused] == ["1001", "1002"]
    assert all("Não é completada: o turno de trabalho da pessoa do ramal terminou." in told(call) for call in refused), told(refused[0])
    make_user("clara.dias", extension="1002", work_shift="Noite")
    pbx.apply()
    clock.at("2026-11-23 20:00")
    assert other.call("1001").talks_with(handset.answer()), "a telephone of two shifts calls in both"
    assert refused_with_words(handset, "1002")
