"""Several people in one room."""

from datetime import timedelta

import pytest

from appliance import db as ground
from appliance.db import db
from appliance.recordings.model import Recording
from appliance.scheduled_conferences.model import ScheduledConference
from tests.build import change, make, make_extension, make_inbound_route, make_trunk
from tests.records import quiet, wait_recorded

pytestmark = pytest.mark.pbx


def moment(minutes):
    """So many minutes from now, as people write it in the company's zone."""
    from appliance.scheduled_conferences.model import Moment

    return Moment().show(ground.now() + timedelta(minutes=minutes))


def test_fixed_rooms_with_and_without_a_pin(pbx, phone, carrier):
    """FEA-22: without a PIN one is in at once, with one it is asked and a wrong one does not let in; also from outside by a destination; three
    hear each other, and the record of each says in which room."""
    quiet()
    make("conference_rooms", number="4000", name="Diretoria", pin="4821", recording="all")
    make("conference_rooms", number="4001", name="Todos", use_pin=False)
    rows = [make_extension(number) for number in ("1001", "1002")]
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830139018", "destination": {"conference_room": "4001"}})
    pbx.apply()
    a, b = map(phone, rows)
    first, second, outside = a.call("4001").wait_answered(), b.call("4001").wait_answered(), carrier.call("4830139018", caller="4899998888").wait_answered()
    assert first.talks_with(second, within_seconds=15)
    assert outside.talks_with(first, within_seconds=15) and second.hears(outside)
    for call in (first, second, outside):
        call.hang_up()
    one, wrong = a.call("4000").wait_answered(), b.call("4000").wait_answered()
    assert one.hears_sound() and wrong.hears_sound()
    wrong.press("1111#")
    one.press("4821#")
    assert not one.talks_with(wrong, within_seconds=4), "a wrong PIN lets nobody in"
    wrong.press("4821#")
    assert one.talks_with(wrong, within_seconds=15)
    one.hang_up()
    wrong.hang_up()
    stored = wait_recorded()
    assert [[step.name for step in call.steps if step.kind == "destination"] for call in stored[-2:]] == [["Diretoria"], ["Diretoria"]]
    assert [call.recording_count for call in stored] == [0, 0, 0, 1, 1]
    assert db.session.query(Recording).count() == 2


@pytest.mark.long
def test_a_scheduled_conference_between_its_times(pbx, phone, carrier):
    """FEA-13, FEA-21: the code asks the password and leads into the conference it belongs to, also whom somebody transfers there from
    outside; before it opens and after it closes a message refuses; who is inside stays; a wrong password is asked again."""
    quiet()
    open_one = make("scheduled_conferences", subject="Reunião", opens_at=moment(-5), closes_at=moment(5))
    early = make("scheduled_conferences", subject="Amanhã", opens_at=moment(2), closes_at=moment(60), pin="7531")
    late = make("scheduled_conferences", subject="Ontem", opens_at=moment(-60), closes_at=moment(-1), pin="8642")
    assert len(open_one.pin) == 6 and {early.pin, late.pin} == {"7531", "8642"}
    pin = open_one.pin
    rows = [make_extension(number) for number in ("1001", "1002")]
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830139018", "destination": {"extension": "1001"}},
                       {"mask": "4830139019", "destination": {"scheduled_conferences": True}})
    pbx.apply()
    a, b = map(phone, rows)
    db.session.commit()
    for wanted in ("7531", "8642"):
        refused = a.call("*300").wait_answered()
        assert refused.hears_sound()
        refused.press(f"{wanted}#")
        assert refused.hears_sound(within_seconds=8)
        refused.wait_ended(within_seconds=20)
    outside = carrier.call("4830139018", caller="4899998888")
    there = a.answer()
    assert outside.talks_with(there)
    assert there.transfer("*300") == 202
    assert outside.hears_sound(within_seconds=8)
    outside.press("000000#")
    assert outside.hears_sound(within_seconds=8)
    outside.press(f"{pin}#")
    inside = b.call("*300").wait_answered()
    assert inside.hears_sound()
    inside.press(f"{pin}#")
    assert outside.talks_with(inside, within_seconds=20)
    guest = carrier.call("4830139019", caller="4877776666").wait_answered()
    assert guest.hears_sound(), "from outside by a route of its own"
    guest.press(f"{pin}#")
    assert guest.talks_with(inside, within_seconds=20)
    guest.hang_up()
    change(db.session.query(ScheduledConference).filter_by(subject="Reunião").one(), closes_at=moment(-1), opens_at=moment(-10), recording="all")
    assert outside.talks_with(inside), "closing removes nobody"
    outside.hang_up()
    inside.hang_up()
    reasons = [step.result for call in wait_recorded() for step in call.steps if step.kind == "refusal"]
    assert reasons == ["conference not open yet", "conference is over"]
