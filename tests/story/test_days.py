"""Three working days, compressed: a clinic, a shop and an internet provider. The clock of the dialplan is set, the calls are real; at the end
the reports and the ledger of missed calls hold exactly what happened."""

import time

import pytest
from flask_babel import force_locale
from sqlalchemy import select

from appliance.calls.model import INBOUND, Call
from appliance.calls.story import story
from appliance.db import db
from appliance.missed_calls.model import MissedCall
from appliance.ratings.model import RatingScore
from appliance.resource import TABLE
from appliance.voicemail_boxes import messages
from appliance.voicemail_boxes.model import of_extension
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
    make_queue,
    make_trunk,
)
from tests.records import wait_recorded
from tests.sounds import library
from tests.wire import the_wire

pytestmark = pytest.mark.pbx

NUMBER = "4830130000"
MENU, CLOSED, HOLIDAY, THANKS, NOTICE = 1550, 1250, 800, 1700, 600  # none a phone speaks with
BEEP = 1400  # of a mailbox


def caller(number):
    """Each caller has a number of its own, so that the ledger tells them apart."""
    return f"4899990{number:04d}"


def queue_row(carla, name):
    """The line of a queue in the report by queue: offered, answered, lost, overflowed."""
    rows = {row["label"]: row for row in carla.get("/api/v1/queue_reports").json["rows"]}
    db.session.rollback()
    return [rows[name][count] for count in ("offered_count", "answered_count", "lost_count", "overflowed_count")]


def ivr_row(carla, name):
    """The line of an IVR in the report by IVR. Its total also has calls that earlier tests sent to queues."""
    found = next(row for row in carla.get("/api/v1/ivr_reports?by=ivr").json["rows"] if row["label"] == name)
    db.session.rollback()
    return found


def ledger():
    """Caller → (reason, state) of every missed call."""
    found = {row.number[-4:]: (row.reason, row.state) for row in db.session.scalars(select(MissedCall).order_by(MissedCall.at))}
    db.session.rollback()
    return found


def inbound():
    """Conversations that came from outside, once everything is stored."""
    return [call for call in wait_recorded() if call.direction == INBOUND]


def told(call: Call) -> str:
    with force_locale("pt_BR"):
        return "\n".join(text for _at, text in story(call))


@pytest.fixture
def outside(pbx, carrier):
    """The line to the carrier, both ways."""
    company(area_code="48", timezone="America/Sao_Paulo")
    make_trunk("Operadora", carrier.port)
    make_outbound_route("Local", {"mask": "9XXXXXXXX", "external_line": True, "trunk": "Operadora", "prepend": "48"})
    return make_profile("Completo", "Local").name


@pytest.mark.long
def test_a_day_of_a_clinic(pbx, phone, carrier, outside, clock, carla):
    """HRS-05, HRS-08, IVR-10, QUE-16, QUE-17, QUE-36, SVY-01, FEA-28: closed, opening, a telephonist who transfers, a full queue, somebody who gives
    up, one who overflows, lunch, a holiday, a message at night, and a call back."""
    company(overflow_profile=outside)
    make_class("Com recado", voicemail=True)
    desk = make_extension("1000", name="Recepção", dialing_profile=outside, **{"class": "Com recado"})
    people = [make_extension(number, name=name) for number, name in (("1001", "Ana"), ("1002", "Bruno"), ("1003", "Davi"))]
    for name, frequency in (("Menu", MENU), ("Fechado", CLOSED), ("Feriado", HOLIDAY), ("Nota", THANKS)):
        library(name, frequency)
    make_hours("Comercial", "mon tue wed thu fri 08:00-12:00", "mon tue wed thu fri 13:00-18:00", closed_prompt="Fechado",
               closed_destination={"voicemail": "1000"})
    make("ratings", name="Atendimento", prompt="Nota", timeout_seconds=3)
    make_queue("2000", *people[:2], name="Agenda", max_wait_seconds=8, overflow={"on_timeout": {"extension": "1000"}}, ratings=["Atendimento"])
    make("ivrs", name="Clínica", number="3000", prompt="Menu", business_hours="Comercial",
         options={"1": {"queue": "Agenda"}, "2": {"extension": "1000"}}, default_destination={"extension": "1000"})
    make("calendar_events", name="Natal", start="2026-12-25 00:00", end="2026-12-26 00:00", prompt="Feriado", destination={"hangup": True},
         queues=["Agenda"], ivrs=["Clínica"])
    make_inbound_route("Entrada", "Operadora", {"mask": NUMBER, "destination": {"ivr": "Clínica"}})
    pbx.apply()
    reception, ana, bruno, davi = phone(desk), *map(phone, people)
    desk_id = desk.id
    db.session.commit()

    def choose(number, key):
        call = carrier.call(NUMBER, caller=caller(number))
        assert call.hears(MENU, 10)
        call.press(key)
        return call

    clock.at("2026-12-21 07:59:59")                   # not open yet
    early = carrier.call(NUMBER, caller=caller(1))
    assert early.hears(CLOSED, 10)
    early.hang_up()
    clock.at("2026-12-21 08:00:00")                   # opening: answered and rated
    first = choose(2, "1")
    there = ana.answer()
    assert first.talks_with(there)
    there.hang_up()
    assert first.hears(THANKS, 15), "the rating is asked when Ana has hung up"
    first.press("5")
    first.wait_ended(20)
    second = choose(3, "2")                           # the telephonist passes a call on
    there = reception.answer()
    assert second.talks_with(there)
    there.transfer("1003")
    doctor = davi.answer()
    assert second.talks_with(doctor)
    second.hang_up()
    doctor.wait_ended()
    busy, answered = [], []                           # peak: both talk, one gives up, one overflows to the desk
    for number, handset in ((4, ana), (5, bruno)):
        busy.append(choose(number, "1"))
        answered.append(handset.answer())
        assert busy[-1].talks_with(answered[-1])
    gives_up, waits = choose(6, "1"), choose(7, "1")
    time.sleep(2)
    gives_up.hang_up()
    clock.at("2026-12-21 12:00")                      # the hour ends: who waits goes on waiting, and overflows as before
    there = reception.answer(20)
    assert waits.talks_with(there)
    for call in (*busy, waits):
        call.hang_up()
    for leg in (*answered, there):
        leg.wait_ended()
    clock.at("2026-12-21 12:30")                      # lunch
    lunch = carrier.call(NUMBER, caller=caller(8))
    assert lunch.hears(CLOSED, 10)
    lunch.hang_up()
    clock.at("2026-12-25 10:00")                      # holiday, in business hours
    feast = carrier.call(NUMBER, caller=caller(9))
    assert feast.hears(HOLIDAY, 10)
    feast.wait_ended(15)
    clock.at("2026-12-21 22:00")                      # night: a message is left
    night = carrier.call(NUMBER, caller=caller(10))
    assert night.hears(CLOSED, 10) and night.hears(BEEP, 20)
    with night.speaking():
        time.sleep(4)
    night.hang_up()
    back = reception.call(f"0{caller(6)[2:]}")        # who gave up is called back
    assert back.talks_with(carrier.wait_call())
    back.hang_up()

    calls = inbound()
    assert len(calls) == 10
    assert queue_row(carla, "Agenda") == [5, 3, 1, 1]
    menus = ivr_row(carla, "Clínica")
    assert (menus["received_count"], menus["ivr_closed_count"], menus["offered_count"], menus["answered_count"]) == (10, 4, 5, 3)
    assert ledger() == {"0001": ("out_of_hours", "open"), "0006": ("abandoned", "returned"), "0008": ("out_of_hours", "open"),
                        "0009": ("holiday", "open"), "0010": ("out_of_hours", "open")}
    assert [(row.queue, row.extension_name, row.score) for row in db.session.scalars(select(RatingScore)) if row.score] == [("Agenda", "Ana", 5)]
    assert "Natal" in told(next(call for call in calls if call.from_number.endswith(caller(9)[2:])))
    box = of_extension(desk_id)
    assert [message.caller[-4:] for message in messages.of_box(box)] == ["0010"]


def test_a_day_of_a_shop(pbx, phone, carrier, outside, clock, carla):
    """QUE-09, QUE-14, QUE-18, QUE-19, QUE-20, QUE-22, IVR-29: a counter with one telephone, a second caller who waits, a third who is told that
    the queue is full, a pause for lunch in which the office helps, somebody who gives up, and an evening without anybody."""
    rows = [make_extension(number, name=name) for number, name in (("1001", "Balcão"), ("1002", "Escritório"))]
    library("Cheio", NOTICE, 1.0)
    make("announcements", name="Cheio", prompts=["Cheio"], destination={"hangup": True})
    make_queue("2001", rows[1], name="Escritório", max_wait_seconds=60)
    counter = make_queue("2000", rows[0], name="Balcão", strategy="linear", max_wait_seconds=60, overflow={
        "on_full": {"max_waiting": 1, "destination": {"announcement": "Cheio"}}})
    make_inbound_route("Entrada", "Operadora", {"mask": NUMBER, "destination": {"queue": "Balcão"}})
    pbx.apply()
    till, office = map(phone, rows)
    counter_id, section = counter.id, counter.section
    db.session.commit()  # from here on no transaction of ours may keep the product from writing

    def comes(number):
        return carrier.call(NUMBER, caller=caller(number)).wait_answered()

    first = comes(1)
    there = till.answer()
    assert first.talks_with(there)
    second = comes(2)                                 # one waits, the next hears that the queue is full
    assert the_wire().comes_true(lambda: "has 1 calls" in pbx.ask(f"queue show {section}"), 20)
    third = comes(3)
    assert third.hears(NOTICE, 15)
    third.wait_ended(15)
    there.hang_up()
    first.wait_ended()
    there = till.answer(20)
    assert second.talks_with(there)
    second.hang_up()
    there.wait_ended()
    change(TABLE["queues"].get(counter_id), members=[{"extension": "1001", "paused": True}], overflow_queues=["Escritório"], overflow={
        "on_full": {"max_waiting": 1, "destination": {"announcement": "Cheio"}}, "on_no_agents": {"hangup": True}})
    pbx.apply()
    db.session.rollback()
    assert the_wire().comes_true(lambda: "paused" in pbx.ask(f"queue show {section}").lower(), 20)
    lunch = comes(4)                                  # the till is at lunch: the office helps
    there = office.answer(20)
    assert lunch.talks_with(there)
    lunch.hang_up()
    there.wait_ended()
    change(TABLE["queues"].get(counter_id), members=[{"extension": "1001"}])
    db.session.rollback()
    assert the_wire().comes_true(lambda: "paused" not in pbx.ask(f"queue show {section}").lower(), 20)
    impatient = comes(5)
    till.wait_ringing(20)
    impatient.hang_up()
    till.unregister()
    office.unregister()
    carrier.call(NUMBER, caller=caller(6)).wait_ended(30)

    assert len(inbound()) == 6
    assert queue_row(carla, "Balcão") == [6, 2, 2, 2], "two went on, to the notice and to the office; in the evening nobody was there to help"
    assert queue_row(carla, "Escritório") == [1, 1, 0, 0]
    assert ledger() == {"0003": ("full", "open"), "0005": ("abandoned", "open"), "0006": ("no_agents", "open")}


@pytest.mark.long
def test_a_day_of_an_internet_provider(pbx, phone, carrier, outside, clock, carla):
    """HRS-11, QUE-03, IVR-06, IVR-07, IVR-29, RTE-07: a notice before the menu, an extension that is dialled, two queues with one
    technician of which the more important comes first, a caller who presses wrong, and the night that goes to a mobile telephone."""
    company(overflow_profile=outside)
    technician, boss = make_extension("1001", name="Técnico"), make_extension("1002", name="Chefe")
    for name, frequency in (("Menu", MENU), ("Manutenção", NOTICE)):
        library(name, frequency, 1.0)
    make_queue("2000", technician, name="Vendas", queue_weight=0, max_wait_seconds=120)
    make_queue("2001", technician, name="Suporte", queue_weight=10, max_wait_seconds=120)
    make("ivrs", name="Provedor", number="3000", prompt="Menu", dial_extension=True, timeout_seconds=3, attempts=2,
         options={"1": {"queue": "Vendas"}, "2": {"queue": "Suporte"}})
    make("announcements", name="Manutenção", prompts=["Manutenção"], destination={"ivr": "Provedor"})
    make("time_conditions", name="Plantão", periods=[{"weekdays": [], "start": "08:00", "end": "22:00"}],
         inside_destination={"announcement": "Manutenção"}, outside_destination={"telephone": "99998-7777"})
    make_inbound_route("Entrada", "Operadora", {"mask": NUMBER, "destination": {"time_condition": "Plantão"}})
    pbx.apply()
    desk, office = phone(technician), phone(boss)
    db.session.commit()

    def comes(number, keys):
        call = carrier.call(NUMBER, caller=caller(number))
        assert call.hears(NOTICE, 10) and call.hears(MENU, 15)
        call.press(keys)
        return call

    clock.at("2026-12-21 10:00")
    direct = comes(1, "1002")
    there = office.answer(20)
    assert direct.talks_with(there)
    direct.hang_up()
    there.wait_ended()
    first = comes(2, "1")
    there = desk.answer(20)
    assert first.talks_with(there)
    sales = comes(3, "1")                             # waits longest, and is served last
    time.sleep(2)
    support = comes(4, "2")
    time.sleep(3)
    there.hang_up()
    there = desk.answer(20)
    assert support.talks_with(there), "the queue with the higher priority comes first"
    there.hang_up()
    there = desk.answer(20)
    assert sales.talks_with(there)
    sales.hang_up()
    there.wait_ended()
    wrong = comes(5, "9")
    assert wrong.hears(MENU, 20), "asked again"
    wrong.press("9")
    wrong.wait_ended(30)
    clock.at("2026-12-21 22:00")
    night = carrier.call(NUMBER, caller=caller(6))
    assert night.talks_with(carrier.wait_call("48999987777", 20))
    night.hang_up()

    calls = inbound()
    assert len(calls) == 6
    assert queue_row(carla, "Vendas") == [2, 2, 0, 0] and queue_row(carla, "Suporte") == [1, 1, 0, 0]
    menus = ivr_row(carla, "Provedor")
    assert (menus["received_count"], menus["answered_count"]) == (5, 3)
    assert "0005" in ledger() and len(ledger()) == 1
