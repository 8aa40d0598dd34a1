"""What callers of a queue hear while they wait: music, the ringing tone, announcements; and what is recorded."""

import re

import pytest

from appliance import settings, sounds
from appliance.audio_prompts import intake
from appliance.db import db
from tests import media
from tests.build import change, make, make_extension, make_queue
from tests.records import wait_recorded
from tests.sounds import tone
from tests.story.test_queues import put_members, section, status

pytestmark = pytest.mark.pbx
GENEROUS = 30.0
RINGBACK = 425  # Hz, one second in five, as telephones in Brazil ring


@pytest.fixture
def prompts_of_tones():
    """Asterisk's prompts in Portuguese as short tones, name → Hz, so that a phone can tell which were said."""
    folder = settings.load().asterisk / "data" / "sounds" / "pt_BR"
    kept = {}

    def replace(**names):
        for name, frequency in names.items():
            file = folder / (name.replace("digits_", "digits/").replace("_", "-") + ".wav")
            kept[file] = file.read_bytes()
            tone(file, frequency, seconds=0.5)

    yield replace
    for file, content in kept.items():
        file.write_bytes(content)


def paused(row):
    return {"extension": row.number, "paused": True}


def sound_of(name, frequency, folder, seconds=3.0):
    """A sound of the library that is a tone."""
    row = make("audio_prompts", name=name)
    tone(folder / f"{frequency}.wav", frequency, seconds=seconds)
    with open(folder / f"{frequency}.wav", "rb") as stream:
        intake.upload(row, stream, f"{name}.wav")
    db.session.commit()
    sounds.make_waiting()
    return row


def test_a_caller_hears_the_files_of_the_queues_music_in_turn(pbx, phone, tmp_path):
    """QUE-08, QUE-27: two files are heard one after the other; without the first the other plays; without any the exchange's own tune."""
    for name, frequency in (("Um", 1250), ("Dois", 1850)):
        sound_of(name, frequency, tmp_path, seconds=1.5)
    group = make("moh_classes", name="Tons", files=["Um", "Dois"])
    ana, bruno = make_extension("1000"), make_extension("1001")
    make_queue("2000", paused(bruno), moh_class="Tons", ring_tone_mode="never")
    pbx.apply()
    desk = phone(ana)
    call = desk.call("2000").wait_answered()
    assert call.hears(1250, 10) and call.hears(1850, 10) and call.hears(1250, 10)
    call.hang_up()
    change(group, files=["Dois"])
    pbx.apply()
    call = desk.call("2000").wait_answered()
    assert call.hears(1850, 10) and not call.hears(1250, 2)
    call.hang_up()
    change(group, files=[])
    pbx.apply()
    call = desk.call("2000").wait_answered()
    assert call.hears_sound(1.0, 10) and not call.hears(1850, 1)


@pytest.mark.long
def test_the_ringing_tone_always_while_a_member_rings_and_never(pbx, phone, tmp_path):
    """QUE-12: tone only; music, then the tone once a member rings; music only."""
    sound_of("Música", 1250, tmp_path)
    make("moh_classes", name="Tons", files=["Música"])
    ana, bruno = make_extension("1000"), make_extension("1001")
    for number, mode in (("2001", "always"), ("2002", "while_ringing"), ("2003", "never")):
        make_queue(number, bruno, moh_class="Tons", ring_tone_mode=mode)
    pbx.apply()
    desk, other = phone(ana), phone(bruno)

    def heard(number, *frequencies, before_ringing=False):
        call = desk.call(number).wait_answered()
        if not before_ringing:
            other.wait_ringing(GENEROUS)
        # Music has no pauses, the ringing tone one of four seconds.
        found = [call.hears(frequency, 7 if place == 0 or frequency == RINGBACK else 2.5) for place, frequency in enumerate(frequencies)]
        call.hang_up()
        return found

    assert heard("2001", RINGBACK, 1250) == [True, False]
    assert heard("2002", RINGBACK) == [True]
    assert heard("2003", 1250, RINGBACK) == [True, False]
    other.unregister()
    assert heard("2002", 1250, RINGBACK, before_ringing=True) == [True, False], "nobody rings: music"
    assert heard("2001", RINGBACK, 1250, before_ringing=True) == [True, False]


@pytest.mark.long
def test_position_and_periodic_announcement_in_portuguese(pbx, phone, tmp_path, prompts_of_tones):
    """QUE-14, QUE-15, CFG-16: the second caller hears position two, then that he is next; the audio of choice comes again and again."""
    prompts_of_tones(queue_youarenext=650, queue_thereare=1550, digits_2=2250, queue_callswaiting=1750, queue_thankyou=2450, queue_holdtime=2650,
                     queue_periodic_announce=1050)  # fmt: skip
    sound_of("Aguarde", 900, tmp_path, seconds=0.6)
    callers = [make_extension(number) for number in ("1000", "1004", "1005", "1006")]
    bruno = make_extension("1001")
    make_queue("2000", paused(bruno), ring_tone_mode="never", announce_position=True, announce_wait=True, announce_seconds=15)
    make_queue("2001", paused(bruno), ring_tone_mode="never", periodic_announcement=True, periodic_prompt="Aguarde", periodic_seconds=10)
    make_queue("2002", paused(bruno), ring_tone_mode="never", periodic_announcement=True, periodic_seconds=10)
    pbx.apply()
    *desks, third, fourth = [phone(row) for row in callers]
    first = desks[0].call("2000").wait_answered()
    assert first.hears(650, 10) and first.hears(2450, 5), "alone: he is the next"
    periodic, default = third.call("2001").wait_answered(), fourth.call("2002").wait_answered()
    second = desks[1].call("2000").wait_answered()
    for frequency in (1550, 2250, 1750, 2450):
        assert second.hears(frequency, 10), frequency
    assert not second.has_heard(2650), "no estimate without a history of waits"
    first.hang_up()
    assert second.hears(650, 40), "served: he is the next now"
    assert periodic.wire.comes_true(lambda: len(bursts(periodic, 900)) >= 2, 40), "heard again and again"
    times = bursts(periodic, 900)
    assert 9 <= times[0] <= 16 and 9 <= times[1] - times[0] <= 16, times
    assert bursts(default, 1050), "nothing chosen: the exchange's own sentence"


@pytest.mark.long
def test_announcements_come_in_time_while_a_telephone_rings_that_nobody_answers(pbx, phone, tmp_path, prompts_of_tones):
    """QUE-14, QUE-15: Asterisk says nothing while a telephone rings. Where all ring, attempts end when an announcement is due; where one rings
    after the other the ring time counts, and it is heard between two."""
    prompts_of_tones(queue_youarenext=650, queue_thankyou=2450)
    sound_of("Aguarde", 900, tmp_path, seconds=0.6)
    callers, rows = [make_extension(number) for number in ("1000", "1004", "1005")], [make_extension(number) for number in ("1001", "1002", "1003")]
    said = {"periodic_announcement": True, "periodic_prompt": "Aguarde", "periodic_seconds": 10, "ring_tone_mode": "never"}
    make_queue("2001", rows[0], ring_timeout_seconds=60, **said)
    make_queue("2002", rows[1], ring_timeout_seconds=60, ring_tone_mode="never", announce_position=True, announce_seconds=15)
    make_queue("2003", rows[2], ring_timeout_seconds=12, strategy="rotate", **said)
    pbx.apply()
    handsets = [phone(row) for row in rows]
    periodic, position, one_by_one = (phone(row).call(number).wait_answered() for row, number in zip(callers, ("2001", "2002", "2003"), strict=True))
    for handset in handsets:
        handset.wait_ringing(GENEROUS)

    def times(call, frequency, count):
        assert call.wire.comes_true(lambda: len(bursts(call, frequency)) >= count, 90), bursts(call, frequency)
        found = bursts(call, frequency)[:count]
        return [later - sooner for sooner, later in zip([0.0, *found], found, strict=False)]

    for gap in times(periodic, 900, 3):
        assert 9 <= gap <= 13, "every 10 seconds"
    first, *gaps = times(position, 650, 3)
    assert first <= 3 and all(14 <= gap <= 19 for gap in gaps), "at once, then every 15 seconds"
    for gap in times(one_by_one, 900, 2):
        assert 12 <= gap <= 16, "after each ring time"


def bursts(call, frequency):
    """Seconds since the first packet at which the tone began anew."""
    begins, last = [], -10.0
    for place, share in enumerate(call.tone_shares(frequency)):
        at = place * media.BLOCK_SECONDS
        if share > 0.6:
            if at - last > 2:
                begins.append(at)
            last = at
    return begins


def test_calls_of_a_queue_are_recorded_and_direct_ones_are_not(pbx, phone):
    """QUE-06: a received call of the queue has a recording with both voices; a direct call of the same member has none."""
    ana, bruno = make_extension("1000"), make_extension("1001")
    make_queue("2001", bruno, recording=True)
    make_queue("2002", bruno)
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    for number in ("2001", "2002", "1001"):
        call = a.call(number)
        there = b.answer(GENEROUS)
        assert call.talks_with(there)
        call.hang_up()
        there.wait_ended()
    counts = {call.to_number: call.recording_count for call in wait_recorded()}
    assert {"2001": 1, "2002": 0, "1001": 0}.items() <= counts.items()


@pytest.mark.long
def test_the_estimated_wait_follows_earlier_waits(pbx, phone, prompts_of_tones):
    """QUE-13: after callers who waited more than two minutes the next hears two minutes, within a minute of the computed value."""
    prompts_of_tones(queue_holdtime=2650, digits_1=1150, digits_2=2250, digits_3=1550, digits_4=1750, queue_minute=1950, queue_minutes=1850)
    callers = [make_extension(str(number)) for number in range(1100, 1106)]
    rows = [make_extension(str(number)) for number in range(1200, 1206)]
    queue = make_queue("2000", *map(paused, rows), ring_tone_mode="never", announce_wait=True, announce_seconds=3600)
    last = make_extension("1000")
    pbx.apply()
    desks, handsets, late = [phone(row) for row in callers], [phone(row) for row in rows], phone(last)
    for desk in desks:
        desk.call("2000").wait_answered()
    assert not handsets[0].rings(150), "they wait"
    put_members(queue, *rows)
    for handset in handsets:
        handset.answer(GENEROUS)
    computed = int(re.search(r"\((\d+)s holdtime", status(pbx, section(queue)))[1])
    assert computed >= 100
    call = late.call("2000").wait_answered()
    minutes = (computed + 30) // 60
    assert call.hears(2650, 20) and call.hears({1: 1150, 2: 2250, 3: 1550, 4: 1750}[minutes], 10) and call.hears({1: 1950}.get(minutes, 1850), 10)
