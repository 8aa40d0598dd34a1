"""What is recorded, and that both voices are in it."""

import array
import shutil
import time

import pytest
from sqlalchemy import select

from appliance import alarms, resource, settings
from appliance import db as ground
from appliance.calls.model import Call
from appliance.db import db
from appliance.recording_policy.model import RecordingPolicy
from appliance.recordings import files
from appliance.recordings.model import EMPTY, READY, Recording
from appliance.recordings.sound import is_closed
from jobs import recordings as jobs
from tests.build import make_class, make_extension, make_inbound_route, make_outbound_route, make_profile, make_trunk
from tests.media import holds_tone
from tests.player import until
from tests.voice import Voice

pytestmark = pytest.mark.pbx

ANY = {"default": True, "destination": {"extension": "1001"}}


def raw_files():
    """Every file Asterisk has written and nobody converted yet, oldest first."""
    folder = settings.load().asterisk / "spool" / "monitor"
    return sorted(folder.glob("*/*.wav"), key=lambda file: file.stat().st_mtime)


@pytest.fixture(autouse=True)
def _nothing_recorded(app):
    for file in raw_files():
        file.unlink()


@pytest.fixture
def site(pbx, carrier):
    """Three extensions, each with its own rule, and a trunk both ways."""
    make_trunk("A", carrier.port)
    make_outbound_route("Fora", {"mask": "48XXXXXXXX", "external_line": False, "trunk": "A"})
    make_profile("Tudo", "Fora")
    for number, recording in (("1001", "external"), ("1002", "all"), ("1003", "none")):
        make_class(f"Grava {recording}", recording=recording)
        make_extension(number, **{"class": f"Grava {recording}", "dialing_profile": "Tudo"})
    make_inbound_route("Entrada", "A", {"mask": "4830139002", "destination": {"extension": "1002"}},
                       {"mask": "4830139003", "destination": {"extension": "1003"}}, ANY)
    pbx.apply()


@pytest.fixture
def handset(phones, site):
    """A registered phone by number."""
    return lambda number: phones.phone(number, f"secret-{number}")


def talk(one: Voice, other: Voice) -> None:
    """Each in turn says something that the other hears."""
    for speaker, listener in ((one, other), (other, one)):
        assert listener.hears(speaker)
        with speaker.speaking():
            time.sleep(0.4)


def samples_of(file) -> array.array:
    """What is in a file that Asterisk has closed."""
    end = time.monotonic() + 5
    while not is_closed(file):
        assert time.monotonic() < end
        time.sleep(0.1)
    samples = array.array("h")
    samples.frombytes(file.read_bytes()[44:])
    return samples


def spoken(file) -> bool:
    """Whether anything at all is in it."""
    return len(samples_of(file)) > 0


def test_external_only_records_a_call_from_outside_and_none_inside(site, handset, carrier):
    """EXT-20: with “external only” an internal call leaves no file, an external one has both voices."""
    ana, bruno = handset("1001"), handset("1003")
    call = bruno.call("1001")
    talk(call, ana.answer())
    call.hang_up()
    assert raw_files() == []
    call = carrier.call("4830139001", caller="48999998888")
    there = ana.answer()
    talk(call, there)
    call.hang_up()
    there.wait_ended()
    file, = raw_files()
    assert holds_tone(samples_of(file), call.frequency) and holds_tone(samples_of(file), there.frequency)


def test_all_calls_records_inside_too_whoever_calls(site, handset):
    """EXT-20: “all calls” counts for the one who calls and the one who is called."""
    ana, everything = handset("1003"), handset("1002")
    for caller, called, number in ((ana, everything, "1002"), (everything, ana, "1003")):
        before = len(raw_files())
        call = caller.call(number)
        there = called.answer()
        talk(call, there)
        call.hang_up()
        there.wait_ended()
        files = raw_files()
        assert len(files) == before + 1
        assert holds_tone(samples_of(files[-1]), call.frequency) and holds_tone(samples_of(files[-1]), there.frequency)


def test_a_call_that_leaves_is_recorded_on_the_outside_partys_side(site, handset, carrier):
    """EXT-20: outgoing, both voices; an extension whose class says no leaves nothing."""
    ana, silent = handset("1001"), handset("1003")
    call = silent.call("4833334445")
    talk(call, carrier.wait_call("4833334445"))
    call.hang_up()
    assert raw_files() == []
    call = ana.call("4833334444")
    there = carrier.wait_call("4833334444")
    talk(call, there)
    call.hang_up()
    there.wait_ended()
    file, = raw_files()
    assert holds_tone(samples_of(file), call.frequency) and holds_tone(samples_of(file), there.frequency)


def test_a_recording_survives_a_transfer_inside(site, handset, carrier):
    """EXT-20: on the outside party's channel; after a blind transfer to an extension that records nothing it goes on."""
    ana, silent = handset("1001"), handset("1003")
    call = carrier.call("4830139001", caller="48999998888")
    there = ana.answer()
    talk(call, there)
    there.transfer("1003")
    third = silent.answer()
    talk(call, third)
    call.hang_up()
    third.wait_ended()
    file, = raw_files()
    sound = samples_of(file)
    assert [holds_tone(sound, voice.frequency) for voice in (call, there, third)] == [True] * 3


def test_a_recording_survives_an_attended_transfer(site, handset, carrier):
    """EXT-20: the third party's voice is in the same recording."""
    ana, silent = handset("1001"), handset("1003")
    call = carrier.call("4830139001", caller="48999998888")
    there = ana.answer()
    talk(call, there)
    there.hold()
    consult = ana.call("1003")
    third = silent.answer()
    talk(consult, third)
    there.transfer_to(consult)
    talk(call, third)
    call.hang_up()
    third.wait_ended()
    file, = raw_files()
    sound = samples_of(file)
    assert [holds_tone(sound, voice.frequency) for voice in (call, there, third)] == [True] * 3


def test_nobody_answers_nothing_is_in_the_file(site, handset, carrier):
    """EXT-20: what rings in vain leaves no words behind."""
    ana = handset("1001")
    call = carrier.call("4830139001", caller="48999998888")
    ana.reject(486)
    assert call.wait_refused() == 486
    assert not any(spoken(file) for file in raw_files())


def test_a_nearly_full_disk_pauses_recording_and_calls_go_on(site, handset, carrier):
    """Disk full: an alarm says so, calls pass unrecorded; recording begins again by itself with some room to spare."""
    ana = handset("1001")

    def recorded() -> bool:
        """Whether a call from outside, in which both hear each other, leaves a file."""
        call = carrier.call("4830139001", caller="48999998888")
        there = ana.answer()
        talk(call, there)
        call.hang_up()
        there.wait_ended()
        return bool(raw_files())

    policy = db.session.get_one(RecordingPolicy, resource.SINGLE_ID)
    before, wanted = policy.free_gb, shutil.disk_usage(settings.load().home).free // files.GB + 50  # more than there is, also for the clock's own job
    policy.free_gb = wanted  # past what the page takes, on a large disk
    db.session.commit()
    try:
        assert jobs.guard() and [alarm.code for alarm in alarms.active()] == ["recordings_paused"]
        db.session.rollback()
        assert not recorded()
        assert jobs.guard(free_bytes=int(wanted * files.GB * 1.1)), "hysteresis: a little more is not enough"
    finally:
        db.session.get_one(RecordingPolicy, resource.SINGLE_ID).free_gb = before
        db.session.commit()
        assert not jobs.guard()
    assert not alarms.active()
    db.session.rollback()
    assert recorded()


def wait_recording(since, count=1):
    """The recordings once the records of their calls and the worker have done their work."""
    end = time.monotonic() + 30
    while True:
        found = list(db.session.scalars(select(Recording).where(Recording.started_at > since).order_by(Recording.id)))
        if len(found) >= count and all(one.state in (READY, EMPTY) for one in found):
            return found
        db.session.rollback()
        assert time.monotonic() < end, [(one.state, one.reason) for one in found]
        time.sleep(0.2)


def test_a_recorded_call_is_found_with_its_sound_in_its_own_row(site, handset, carrier):
    """EXT-20: a recording is reachable from its call, small and sealed; Asterisk's own file is gone."""
    ana, since = handset("1001"), ground.now()
    call = carrier.call("4830139001", caller="48999998888")
    there = ana.answer()
    talk(call, there)
    call.hang_up()
    there.wait_ended()
    recording, = wait_recording(since)
    row = db.session.get_one(Call, recording.call_id)
    assert (recording.state, row.from_number, row.reached_number, row.recording_count) == (READY, "5548999998888", "1001", 1)
    assert recording.seconds in (1, 2) and recording.place and recording.uniqueid == row.linkedid
    assert (files.folder() / recording.name).exists()
    assert until(lambda: not raw_files(), 30)  # goes after the commit that says “ready”


def test_what_rang_in_vain_counts_as_no_recording(site, handset, carrier):
    """EXT-20: a call nobody answered shows none."""
    ana, since = handset("1001"), ground.now()
    call = carrier.call("4830139001", caller="48999998888")
    ana.reject(486)
    call.wait_refused()
    recording, = wait_recording(since)
    assert recording.state == EMPTY and db.session.get_one(Call, recording.call_id).recording_count == 0
