"""Codes that are dialled: picking up, parking, lock, follow-me, the password of calls; with real telephones that listen."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from appliance import db as ground
from appliance.db import db
from appliance.follow_me import state
from appliance.follow_me.model import FollowMe
from appliance.resource import SINGLE_ID, TABLE
from appliance.scheduled_conferences.model import Moment
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
    make_user,
)
from tests.records import quiet, wait_recorded

pytestmark = pytest.mark.pbx
PIN, WRONG = "2580", "9999"


def codes(**values):
    """Change feature codes."""
    return change(TABLE["feature_codes"].get(SINGLE_ID), **values)


def kinds(call):
    return " ".join(step.kind for step in call.steps)


def test_calls_are_picked_up_in_the_group_and_by_extension(pbx, phone):
    """EXT-06, EXT-26, FEA-09, FEA-10: the group's code takes the ringing call, another group's does not; the code with the extension does
    from any group; who picked up stands in the call's story."""
    quiet()
    make("pickup_groups", name="Loja")
    make("pickup_groups", name="Escritório")
    rows = [make_extension(number, pickup_group=group) for number, group in (
        ("1001", ""), ("1002", "Loja"), ("1003", "Loja"), ("1004", "Escritório"))]
    pbx.apply()
    a, b, c, d = map(phone, rows)
    call = a.call("1002")
    ringing = b.wait_ringing()
    stranger = d.call("*8")
    assert stranger.hears_sound(), "it is told that nothing rings there"
    assert stranger.wait_refused() == 403
    assert ringing.state == "ringing"
    picker = c.call("*8").wait_answered()
    ringing.wait_ended()
    assert call.talks_with(picker)
    call.hang_up()
    picker.wait_ended()
    call = a.call("1002")
    ringing = b.wait_ringing()
    picker = d.call("*71002").wait_answered()
    ringing.wait_ended()
    assert call.talks_with(picker)
    call.hang_up()
    picker.wait_ended()
    told = [(kinds(one), one.reached_number) for one in wait_recorded() if one.from_number == "1001"]
    assert told == [("arrived destination ring pickup answer end", "1003"), ("arrived destination ring pickup answer end", "1004")]


def test_picking_up_an_extension_takes_no_call_of_a_longer_number(pbx, phone):
    """FEA-10: *7100 takes what rings at 100; what rings at 1001, whose number begins alike, is left alone."""
    rows = [make_extension(number) for number in ("100", "1001", "1002", "1003")]
    pbx.apply()
    short, long, b, c = map(phone, rows)
    call = b.call("1001")
    ringing = long.wait_ringing()
    stranger = c.call("*7100")
    assert stranger.hears_sound(), "it is told that nothing rings there"
    assert stranger.wait_refused() == 403
    assert ringing.state == "ringing"
    other = long.call("100")
    ringing_short = short.wait_ringing()
    picker = c.call("*7100").wait_answered()
    ringing_short.wait_ended()
    assert other.talks_with(picker)
    assert ringing.state == "ringing"
    call.hang_up()


def test_a_call_is_parked_taken_and_comes_back(pbx, phone, carrier):
    """FEA-11, FEA-12: the code says the place, another extension takes the call there, who is outside cannot; not taken in time it rings
    where it was parked from, with the place in the name."""
    codes(parking_seconds=10)
    rows = [make_extension(number) for number in ("1001", "1002", "1003")]
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830139018", "destination": {"extension": "1002"}},
                       {"default": True, "destination": {"extension": "1001"}})
    pbx.apply()
    a, b, c = map(phone, rows)
    outside = carrier.call("4830139018", caller="4899998888")
    there = b.answer()
    assert outside.talks_with(there)
    there.press("#72")
    assert there.hears_sound(0.6), "the place is said"
    there.hang_up()
    assert c.call("702").hears_sound(), "nothing is parked there"
    intruder = carrier.call("701", caller="4877776666")
    assert a.reject().caller_number != "", "a number of the inbound route, as any other"
    intruder.wait_refused()
    taken = c.call("701").wait_answered()
    assert outside.talks_with(taken)
    taken.press("#72")  # who took it is an extension and may park it again
    assert a.wire.comes_true(lambda: "PJSIP" in pbx.ask("parking show default"), 10)
    parked_at = datetime.now(UTC)  # who parked it still hears the place
    back = c.wait_ringing(within_seconds=25)
    assert 9 <= (back.logged.rang_at - parked_at).total_seconds() <= 11.5
    assert back.caller_name.startswith("P701") or back.caller_name.startswith("P702")
    assert back.answer().talks_with(outside)


@pytest.mark.long
def test_a_parked_call_whose_parker_is_busy_or_away_waits_again(pbx, phone, carrier):
    """FEA-12: it rang in vain where it was parked from, busy and then not registered: each time it waits in a place, with music and for
    everybody to take; whoever parked it gets it at last, named with the place once."""
    codes(parking_seconds=10)
    rows = [make_extension(number) for number in ("1001", "1002")]
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "1001"}})
    pbx.apply()
    a, b = map(phone, rows)
    outside = carrier.call("4830139018", caller="4899998888")
    assert outside.talks_with(a.answer())
    a.calls[-1].press("#72")
    a.calls[-1].wait_ended()
    a.wait_ringing(within_seconds=25).reject(486)
    assert outside.hears_sound(within_seconds=5), "the music of a place"
    a.unregister()
    assert a.wire.comes_true(lambda: "Unavail" in pbx.ask("pjsip show endpoint 1001"), 10)
    assert not a.rings(13), "nobody is there; it came back once meanwhile"
    assert outside.state == "up" and outside.hears_sound(within_seconds=5)
    a.register()
    back = a.answer(within_seconds=30)
    assert back.talks_with(outside)
    assert re.fullmatch(r"P70[1-3] ?(4899998888)?", back.caller_name.strip()), back.caller_name
    outside.hang_up()
    assert outside.code == 200 and b.calls == []


@pytest.mark.long
def test_a_parked_call_that_comes_back_in_vain_five_times_is_told_before_it_ends(pbx, phone, carrier):
    """FEA-12: it does not wait for ever, and does not end in silence."""
    codes(parking_seconds=10)
    ana = make_extension("1001")
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "1001"}})
    pbx.apply()
    a = phone(ana)
    outside = carrier.call("4830139018", caller="4899998888")
    there = a.answer()
    assert outside.talks_with(there)
    there.press("#72")
    there.wait_ended()
    for _round in range(5):
        a.wait_ringing(within_seconds=30).reject(486)
    assert outside.hears_sound(1.5, within_seconds=10)
    outside.wait_ended(within_seconds=40)
    assert not a.rings(1)


@pytest.mark.long
def test_a_queue_member_with_two_telephones_transfers_and_parks(pbx, phone, carrier):
    """FEA-05, FEA-06, FEA-11, FEA-12, QUE-22: to an outside number by its own routes, by asking first, and into a parking place from where
    the call comes back to all its telephones; a locked one transfers nobody to outside from there either."""
    codes(parking_seconds=10)
    make_trunk("Operadora", carrier.port)
    make_outbound_route("Local", {"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": "Operadora"})
    ana = make_extension("1001", devices=2, dialing_profile=make_profile("Tudo", "Local").name, **{"class": make_class("Com cadeado", lock=True).name})
    carla = make_extension("1003")
    make_queue("2000", ana)
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"queue": "Fila 2000"}})
    locked, ana_id = make("follow_me", number="1001"), ana.id
    pbx.apply()
    first, second, c = phone(ana), phone(ana, name="second"), phone(carla)

    def received():
        outside = carrier.call("4830139018", caller="4899998888")
        there = first.answer()
        assert outside.talks_with(there)
        return outside, there

    outside, there = received()
    there.press("##")
    assert there.hears_sound()
    there.press("033334444")
    assert outside.talks_with(carrier.wait_call("33334444"), within_seconds=10)
    outside.hang_up()
    there.wait_ended()
    outside, there = received()
    there.press("**")
    assert there.hears_sound()
    there.press("1003")
    third = c.answer()
    assert there.talks_with(third)
    there.hang_up()
    assert outside.talks_with(third, within_seconds=10)
    outside.hang_up()
    third.wait_ended()
    outside, there = received()
    there.press("#72")
    assert there.hears_sound(0.6), "the place is said"
    there.hang_up()
    back = second.wait_ringing(within_seconds=25)
    assert first.rings(3) and back.caller_name.startswith("P70")
    assert back.answer().talks_with(outside)
    outside.hang_up()
    back.wait_ended()
    change(locked, is_locked=True)
    state.put(ana_id)
    outside, there = received()
    there.press("##")
    assert there.hears_sound()
    there.press("033335555")
    assert outside.hears_sound(within_seconds=10)
    outside.wait_ended(within_seconds=30)
    assert [call.number for call in carrier.received] == ["33334444"]


def test_the_lock(pbx, phone, carrier):
    """EXT-17, FEA-19, FEA-20, EXT-08: code and feature password; the next call is refused and told why, incoming ones ring and emergency
    passes; phone, page and API show one state; three wrong passwords end the call; a class without it refuses the code."""
    locking = make_class("Com cadeado", lock=True)
    ana, bruno = make_extension("1001", **{"class": locking.name}), make_extension("1002")
    make_trunk("Operadora", carrier.port)
    user = make_user("ana.souza", extension="1001", feature_pin=PIN)
    assert PIN not in str(TABLE["users"].show(user)) and user.feature_pin != PIN
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    wrong = a.call("*54").wait_answered()
    for _try in range(3):
        assert wrong.hears_sound(within_seconds=10)
        wrong.press(f"{WRONG}#")
    wrong.wait_ended(within_seconds=30)
    assert state_of(ana) is None
    _dial_with_password(a, "*54")
    assert state_of(ana).is_locked
    refused = a.call("1002")
    assert refused.hears_sound()
    assert refused.wait_refused() == 403
    assert not b.rings(0.5)
    call = b.call("1001")
    assert call.talks_with(a.answer())
    call.hang_up()
    assert carrier.wire.comes_true(lambda: a.call("190") and any(one.number == "190" for one in carrier.received), 10)
    change(state_of(ana), is_locked=False)
    state.put(ana.id)
    assert a.call("1002").talks_with(b.answer())
    change(state_of(ana), is_locked=True)
    state.put(ana.id)
    assert a.call("1002").wait_refused() == 403
    change(user, feature_pin="13579")  # the new one is asked at once, without an apply
    _dial_with_password(a, "#54", "13579")
    assert not state_of(ana).is_locked
    change(ana, **{"class": "Padrão"})
    pbx.apply()
    refused = a.call("*54")
    assert refused.hears_sound()
    assert refused.wait_refused() == 403
    told = re.compile(rf"(?<![0-9]){PIN}(?![0-9])|(?<![0-9])13579(?![0-9])")  # a time or a number of a call may hold these digits too
    assert not [found[0] for text in (pbx.log(), *records()) if (found := told.search(text))]


@pytest.fixture
def following(pbx, phone, carrier):
    """Ana's extension 1001, whose class has follow-me, with its four telephones 1001 to 1004, and a trunk whose calls come to her."""
    quiet()
    following = make_class("Com siga-me", follow_me=True, simultaneous_calls=False, ring_timeout_seconds=5)
    ana = make_extension("1001", **{"class": following.name})
    bruno, carla, davi = make_extension("1002"), make_extension("1003"), make_extension("1004")
    make_user("ana.souza", extension="1001", feature_pin=PIN)
    make_trunk("Operadora", carrier.port)
    make_outbound_route("Celular", {"mask": "9XXXXXXXX", "external_line": True, "trunk": "Operadora"})
    company(overflow_profile=make_profile("Transbordo", "Celular").name)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830139018", "destination": {"extension": "1001"}})
    pbx.apply()
    a, b, c, d = map(phone, (ana, bruno, carla, davi))
    return ana, a, b, c, d


def test_follow_me_by_code(pbx, following):
    """EXT-18, FEA-18, PAN-18, EXT-08: by code every call goes on, and the page shows the same number; both numbers stand in the record; the
    code clears it; a class without it refuses the code on the next call."""
    ana, a, b, c, _d = following
    _dial_with_password(a, "*211003")
    assert (state_of(ana).always_from, state_of(ana).always_to) == ("any", "1003")
    quiet()
    call = b.call("1001")
    assert call.talks_with(c.answer())
    call.hang_up()
    stored = wait_recorded()[-1]
    assert (stored.to_number, stored.reached_number) == ("1001", "1003") and kinds(stored).count("destination") == 2
    assert "diverted" in kinds(stored)
    through = c.call("1001")  # who takes the calls may still call
    assert through.talks_with(a.answer())
    through.hang_up()
    _dial_with_password(a, "#21")
    assert state_of(ana).always_from == "off"
    change(ana, **{"class": "Padrão"})
    pbx.apply()
    _goes_to(a, b.call("1001"))
    refused = a.call("*211003")
    assert refused.hears_sound()
    assert refused.wait_refused() == 403


@pytest.mark.long
def test_follow_me_in_every_situation(pbx, following, carrier):
    """PAN-18, EXT-18, EXT-24: always, busy and unavailable, for internal, external and all callers, inside and to an outside number; an
    unregistered telephone is unavailable at once, one that rings in vain at the end of its ring time; a lost copy comes back."""
    ana, a, b, c, d = following
    row = make("follow_me", number="1001")
    external = lambda: carrier.call("4830139018", caller="4899998888")  # noqa: E731
    internal = lambda: b.call("1001")  # noqa: E731
    for origin, theirs, others in (("internal", internal, external), ("external", external, internal), ("any", external, None), ("any", internal, None)):
        change(row, always_from=origin, always_to="1003")
        state.put(ana.id)
        _goes_to(c, theirs())
        if others:
            _goes_to(a, others())
    change(row, always_from="external", always_to="0999998888")
    state.put(ana.id)
    outside = external()
    assert outside.talks_with(carrier.wait_call("999998888"))
    outside.hang_up()
    change(row, always_from="off", busy_from="internal", busy_to="1003", unavailable_from="external", unavailable_to="1003")
    state.put(ana.id)
    first = a.call("1002")
    assert first.talks_with(b.answer())
    _goes_to(c, d.call("1001"))
    busy = c.call("1001")
    assert busy.wait_refused() == 486, "who takes the calls hears that it is busy"
    assert external().wait_refused() == 486, "busy is for internal callers only"
    first.hang_up()
    assert a.wire.comes_true(lambda: "Not in use" in pbx.ask("pjsip show endpoint 1001"), 15)
    outside = external()
    a.wait_ringing()
    _goes_to(c, outside, within_seconds=15)
    inside = internal()
    a.wait_ringing()
    assert inside.wait_refused(within_seconds=15) == 486
    change(row, unavailable_from="any")
    state.put(ana.id)
    a.unregister()
    _goes_to(c, internal())
    _goes_to(c, external())
    pbx.ask("database deltree follow")
    assert state.put_all() == 2, "an Asterisk that lost its database has it again"


def test_when_busy_is_about_a_person_who_may_have_several_calls_too(pbx, phone, following):
    """PAN-18, EXT-18: in a class with simultaneous calls the telephone would ring a second time; with a rule “when busy” that fits the caller
    the call goes on, without one it rings; ringing alone is not busy."""
    ana, a, b, c, d = following
    change(ana, **{"class": make_class("Várias", follow_me=True, simultaneous_calls=True).name})
    row, ana_id = make("follow_me", number="1001", busy_from="internal", busy_to="1003"), ana.id
    pbx.apply()
    state.put(ana_id)
    _goes_to(a, b.call("1001"))  # free: it rings
    first = a.call("1002")
    assert first.talks_with(b.answer())
    _goes_to(c, d.call("1001"))
    change(row, busy_from="external")
    state.put(ana_id)
    _goes_to(a, d.call("1001"))  # not its caller's rule: a second call rings
    first.hang_up()


def test_two_who_follow_each_other_are_reached(pbx, phone, following):
    """EXT-18: 1001 follows to 1002 and 1002 to 1001: the call rings at 1002 when 1001 was called, and the other way round."""
    ana, a, b, _c, d = following
    bruno_class = make_class("Com siga-me também", follow_me=True, ring_timeout_seconds=5)
    bruno = TABLE["extensions"].find("1002")
    change(bruno, **{"class": bruno_class.name})
    one = make("follow_me", number="1001", always_from="any", always_to="1002")
    other = make("follow_me", number="1002", always_from="any", always_to="1001")
    ids = [ana.id, bruno.id]
    pbx.apply()
    for row_id in ids:
        state.put(row_id)
    _goes_to(b, d.call("1001"))
    _goes_to(a, d.call("1002"))
    change(one, always_from="off", unavailable_from="any", unavailable_to="1002")
    change(other, always_from="off", unavailable_from="any", unavailable_to="1001")
    for row_id in ids:
        state.put(row_id)
    a.unregister()
    call = d.call("1001")
    assert b.rings(10)
    assert call.wait_refused(within_seconds=20) in (480, 486), "rung in vain at both, and over"
    assert len(b.incoming) == 2


SITUATIONS, ORIGINS = ("always", "busy", "unavailable"), ("internal", "external", "any")
NINE = [(situation, origin) for situation in SITUATIONS for origin in ORIGINS]


@pytest.mark.parametrize(("situation", "origin"), [
    pytest.param(*pair, marks=() if pair in (("busy", "any"), ("unavailable", "internal")) else pytest.mark.long) for pair in NINE])
def test_follow_me_in_each_of_its_nine_ways(pbx, phone, following, carrier, situation, origin):
    """PAN-18: a class as it is by default (several calls at once); the rule takes its callers to 1003 in its situation, and nobody else."""
    ana, a, b, c, d = following
    change(ana, **{"class": make_class("Várias", follow_me=True, ring_timeout_seconds=5).name})
    make("follow_me", number="1001", **{f"{situation}_from": origin, f"{situation}_to": "1003"})
    ana_id = ana.id
    pbx.apply()
    state.put(ana_id)
    callers = {"internal": lambda: d.call("1001"), "external": lambda: carrier.call("4830139018", caller="4899998888")}
    talking = None
    if situation == "busy":
        talking = a.call("1002")
        assert talking.talks_with(b.answer())
    if situation == "unavailable":
        a.unregister()
    for who, call in callers.items():
        if origin in (who, "any"):
            _goes_to(c, call(), within_seconds=20)
        elif situation == "unavailable":
            assert call().wait_refused(within_seconds=20) == 480
            assert not c.rings(0.5)
        else:
            _goes_to(a, call())
    if talking:
        talking.hang_up()
    if situation != "always":  # outside the situation it rings here
        a.register()
        assert a.wire.comes_true(lambda: "Not in use" in pbx.ask("pjsip show endpoint 1001"), 15)
        _goes_to(a, callers["external" if origin == "external" else "internal"]())


@pytest.mark.long
def test_wrong_passwords_are_counted_across_calls(pbx, phone):
    """FEA-20, FEA-13, FEA-21: after nine wrong ones of a caller in three calls the right one is refused like any other, until a quarter of an
    hour is over; another extension is not kept out by it."""
    locking = make_class("Com cadeado", lock=True).name
    rows = [make_extension(number, **{"class": locking}) for number in ("1001", "1002")]
    for row in rows:
        make_user(f"pessoa{row.number}", extension=row.number, feature_pin=PIN)
    opens = make("scheduled_conferences", subject="Reunião", opens_at=moment(-5), closes_at=moment(30), pin="753159")
    pin, ids = opens.pin, [row.id for row in rows]
    pbx.apply()
    a, b = map(phone, rows)
    db.session.commit()
    for _call in range(3):
        _types(a, "*300", "000001", "000002", "000003")
        _types(a, "*54", "9991", "9992", "9993")
    for number, right in (("*300", pin), ("*54", PIN)):
        _types(a, number, right)
    assert pbx.log().count("refused: too many wrong passwords") == 2 and not is_locked(ids[0])
    one = b.call("*300").wait_answered()
    assert one.hears_sound()
    one.press(f"{pin}#")
    assert one.hears_sound(0.5, within_seconds=10) and one.state == "up"
    one.hang_up()
    _dial_with_password(b, "*54")
    assert is_locked(ids[1])
    kept = pbx.ask("database show guesses")
    assert f"extension-{ids[0]}" in kept and f"extension-{ids[1]}" not in kept, "who typed rightly has none"
    for what in ("conference", "password"):
        pbx.ask(f"database put guesses {what}-extension-{ids[0]} 10-{int(time.time()) - 901}")
    _dial_with_password(a, "*54")
    assert is_locked(ids[0])


def is_locked(extension_id):
    db.session.commit()
    db.session.expire_all()
    row = db.session.query(FollowMe).filter_by(extension_id=extension_id).one_or_none()
    found = bool(row and row.is_locked)
    db.session.commit()
    return found


def _types(handset, number, *passwords):
    """Dials a code and types passwords that do not pass; the call when it is over."""
    db.session.commit()
    call = handset.call(number).wait_answered()
    for password in passwords:
        assert call.hears_sound(within_seconds=10)
        call.press(f"{password}#")
    call.wait_ended(within_seconds=30)
    return call


def moment(minutes):
    """So many minutes from now, as people write it in the company's zone."""
    return Moment().show(ground.now() + timedelta(minutes=minutes))


def test_an_outside_call_waits_for_a_password(pbx, phone, carrier):
    """EXT-19: inside calls pass; outside the prompt comes first, the right password completes the call and its record names the person,
    three wrong ones end it; emergency is asked nothing."""
    quiet()
    asking = make_class("Com senha", password_call=True)
    make_trunk("Operadora", carrier.port)
    make_outbound_route("Local", {"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": "Operadora"})
    ana = make_extension("1001", **{"class": asking.name}, dialing_profile=make_profile("Tudo", "Local").name)
    bruno = make_extension("1002")
    make_user("ana.souza", extension="1001", feature_pin=PIN)
    make_user("bia.lima", extension="1001", feature_pin="7410")
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    inside = a.call("1002")
    assert inside.talks_with(b.answer())
    inside.hang_up()
    quiet()
    call = a.call("033334444").wait_answered()
    assert call.hears_sound()
    call.press("7410#")
    assert call.talks_with(carrier.wait_call("33334444"))
    call.hang_up()
    stored = wait_recorded()[-1]
    assert [(step.kind, step.name) for step in stored.steps if step.kind == "person"] == [("person", "Bia.Lima")]
    assert (stored.to_number, stored.direction) == ("551133334444", "outbound")
    wrong = a.call("033335555").wait_answered()
    for _try in range(3):
        assert wrong.hears_sound(within_seconds=10)
        wrong.press(f"{WRONG}#")
    wrong.wait_ended(within_seconds=30)
    assert not [one for one in carrier.received if one.number == "33335555"]
    emergency = a.call("190")
    assert carrier.wait_call("190") and emergency.wait_answered()


def _dial_with_password(handset, number, pin=PIN):
    """Dials a code, types the password, hears that it was done."""
    db.session.commit()  # an open transaction of the test would keep the question from being answered
    call = handset.call(number).wait_answered()
    assert call.hears_sound()
    call.press(f"{pin}#")
    assert call.hears_sound(within_seconds=10)
    call.wait_ended(within_seconds=20)


def _goes_to(handset, call, within_seconds=10):
    there = handset.answer(within_seconds)
    assert call.talks_with(there)
    call.hang_up()
    there.wait_ended()


def state_of(row):
    """What is stored of an extension now."""
    db.session.commit()
    db.session.expire_all()
    return db.session.query(FollowMe).filter_by(extension_id=row.id).one_or_none()


def records():
    """Every record file of Asterisk."""
    from appliance import settings

    folder = settings.load().asterisk / "log"
    return [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
