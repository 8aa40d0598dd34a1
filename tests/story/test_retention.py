"""SYS-20: what is known of people outside is taken out of old calls, whatever table holds it; counts stay; voice messages and the audit trail go by their days."""

from datetime import timedelta

import pytest
from sqlalchemy import func, inspect, select

from appliance import db as ground
from appliance.calls.model import Call
from appliance.changes import Change
from appliance.db import Base, db
from appliance.missed_calls.model import MissedCall
from appliance.recordings.model import READY, REMOVED, Recording
from appliance.reports import calls as report
from appliance.resource import SINGLE_ID, TABLE
from appliance.voicemail_boxes import messages
from jobs import retention
from tests.build import (
    change,
    company,
    make,
    make_class,
    make_extension,
    make_inbound_route,
    make_outbound_route,
    make_profile,
    make_queue,
    make_trunk,
)
from tests.player import until
from tests.records import wait_recorded
from tests.sounds import library
from tests.story.test_voicemail import leave
from tests.visitor import text_of

pytestmark = pytest.mark.pbx

CALLER, CALLED = "4899917331", "48988417332"
RAW = {"record_lines", "bad_lines", "record_channels"}  # what Asterisk wrote, kept for some days whatever the policy says


def found_in(*numbers):
    """Tables that hold one of these texts anywhere."""
    db.session.rollback()
    found, there = set(), inspect(db.session.connection()).get_table_names()
    for table in Base.metadata.tables.values():
        if table.name in RAW or table.name not in there:
            continue
        for row in db.session.execute(select(table)):
            if any(number in str(value) for value in row if value is not None for number in numbers):
                found.add(table.name)
    db.session.rollback()
    return found


def policy(**values):
    change(TABLE["retention_policy"].get(SINGLE_ID), **values)


def later(monkeypatch, days):
    then = ground.now() + timedelta(days=days)
    monkeypatch.setattr(ground, "now", lambda: then)


@pytest.mark.database
def test_people_outside_are_forgotten_and_what_counts_stays(pbx, phone, carrier, carla, monkeypatch):
    """SYS-20: menu, queue, score, recording, missed call and a call out; then every table is searched for the numbers."""
    company(area_code="48", external_line_prefix="")
    library("menu", 1450)
    library("atendente", 700)
    recording = make_class("Gravada", recording="all")
    ana = make_extension("1001", name="Ana", **{"class": recording.name})
    make_trunk("Operadora", carrier.port)
    make_outbound_route("Celular", {"mask": "X.", "trunk": "Operadora"})
    change(ana, dialing_profile=make_profile("Completo", "Celular").name)
    make_queue("2500", ana, name="Vendas", max_wait_seconds=20)
    make("ratings", name="Nota", prompt="atendente", timeout_seconds=5, attempts=1)
    make("ivrs", name="Menu", number="3000", prompt="menu", rating="Nota", options={"1": {"queue": "Vendas"}})
    make_inbound_route("Entrada", "Operadora", {"mask": "4830130001", "destination": {"ivr": "Menu"}},
                       {"mask": "4830130002", "destination": {"extension": "1001"}})
    pbx.apply()
    a = phone(ana)
    call = carrier.call("4830130001", caller=CALLER)
    assert call.hears(1450, 10)
    call.press("1")
    there = a.answer(within_seconds=20)
    assert call.talks_with(there)
    there.hang_up()
    assert call.hears(700, 20)
    call.press("5")
    call.wait_ended(within_seconds=20)
    missed = carrier.call("4830130002", caller=CALLER)
    a.wait_ringing()
    missed.hang_up()
    carrier.when_called = "answer"
    out = a.call(CALLED)
    assert out.talks_with(carrier.wait_call(CALLED))
    out.hang_up()
    wait_recorded()
    assert until(lambda: (db.session.rollback(), db.session.scalar(select(func.count()).where(MissedCall.number != "")))[1] == 1, 20)
    held = {"calls", "call_steps", "queue_visits", "ivr_visits", "missed_calls", "rating_scores", "queue_events"}
    assert held <= found_in(CALLER[2:], CALLED[2:]), "else this proves nothing"
    before = sums()
    recorded = db.session.scalars(select(Recording)).all()
    assert recorded
    for one in recorded:
        one.state = READY
    db.session.commit()
    later(monkeypatch, 40)
    assert retention.forget_old() == 0, "never, unless somebody says so"
    policy(call_days=60)
    assert retention.forget_old() == 0, "not yet"
    policy(call_days=30)
    assert retention.forget_old() == 1 and {"calls", "call_steps"} <= found_in(CALLER[2:]), "two are held by their recordings"
    for one in db.session.scalars(select(Recording)):
        one.state, one.reason = REMOVED, "retention"
    db.session.commit()
    assert retention.forget_old() == 2 and found_in(CALLER[2:], CALLED[2:]) == set()
    assert retention.forget_old() == 0
    assert sums() == before
    first = db.session.scalars(select(Call).order_by(Call.started_at)).first()
    assert (first.from_number, first.to_number, first.reached_number) == ("-", "554830130001", "1001") and first.queue_visits[0].member_name == "Ana"
    page = carla.get(f"/calls/{first.id}")
    assert page.status_code == 200 and "Vendas" in text_of(page) and "1001" in text_of(page)
    for path in ("/calls", "/missed_calls", "/rating_scores"):
        assert carla.get(path).status_code in (200, 302, 404), path
    assert carla.api("GET", f"/api/v1/calls/{first.id}").json["from"]["number"] == "-"


def sums():
    """What reports count."""
    db.session.rollback()
    rows = db.session.execute(select(Call.direction, Call.state, func.count(), func.sum(Call.talk_seconds), func.sum(Call.wait_seconds))
                              .group_by(Call.direction, Call.state).order_by(Call.direction, Call.state)).all()
    totals = db.session.execute(select(func.sum(report.CallTotal.call_count), func.sum(report.CallTotal.talk_seconds))).all()
    db.session.rollback()
    return rows, totals


def test_voice_messages_go_by_their_days_and_the_lamp_with_them(pbx, phone, carrier, monkeypatch):
    """SYS-20: heard or not; younger ones stay."""
    mailing = make_class("Com correio", voicemail=True)
    ana = make_extension("1001", **{"class": mailing.name})
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830139019", "destination": {"voicemail": "1001"}})
    pbx.apply()
    a = phone(ana)
    leave(carrier.call("4830139019", caller=CALLER))
    box = TABLE["voicemail_boxes"].find("1001")
    assert until(lambda: len(messages.of_box(box)) == 1, 20)
    policy(voicemail_days=10)
    assert retention.forget_old() == 0
    later(monkeypatch, 11)
    assert retention.forget_old() == 1 and messages.of_box(box) == []
    assert a.wire.comes_true(lambda: b"Voice-Message: 0/0" in a.wait_message("NOTIFY").body, 15), "the lamp of the phone"


def test_the_audit_trail_by_its_days(app, carla, monkeypatch):
    """SYS-20: what is not applied yet stays however old it is."""
    make("cost_centres", name="Loja")
    make_extension("1001")
    later(monkeypatch, 100)
    retention.forget_old()
    assert "Guardado por 180 dias" in text_of(carla.get("/audit")) or "180" in text_of(carla.get("/audit"))
    policy(audit_days=90)
    retention.forget_old()
    db.session.rollback()
    words = set(db.session.scalars(select(Change.word)))
    assert "cost_centres" not in words and "extensions" in words


def test_less_than_a_month_is_refused(carla):
    """SYS-20: at its field."""
    assert "No mínimo 30 dias" in text_of(carla.send("/retention_policy", {"call_days": "29", "voicemail_days": "0", "audit_days": "180"}))
