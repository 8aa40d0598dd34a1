"""record_call: from captured lines of a real Asterisk 22 to one Call; and what clocks, midnights and torn lines may not do to it."""

import random
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.calls.lines import CEL, Line, parse, whole_part
from appliance.calls.record import Here, protocol, record_call
from appliance.clock import Steps
from appliance.numbers import international

CAPTURED = Path(__file__).parent / "captured"
FILES = {"cel": 1, "cdr": 2, "queue": 3}
HERE = Here(area_code="48")


def captured(name: str) -> list[Line]:
    """The lines of a file of captured/, as the journal would give them."""
    rows = [row.split("\t", 1) for row in (CAPTURED / f"{name}.txt").read_text().splitlines() if not row.startswith("#")]
    return [parse(kind, text, (FILES[kind], number)) for number, (kind, text) in enumerate(rows)]


def sheet(name: str, **more) -> tuple:
    call = record_call(captured(name), HERE, **more)
    return call.state, call.direction, call.from_number, call.to_number, call.reached_number, call.talk_seconds, call.hang_up_side


@pytest.mark.parametrize(("name", "wanted"), [
    ("internal_answered", ("answered", "internal", "1000", "1001", "1001", 1, "caller")),
    ("internal_called_hangs_up", ("answered", "internal", "1000", "1001", "1001", 0, "called")),
    ("internal_busy", ("busy", "internal", "1000", "1001", "1001", 0, "called")),
    ("internal_given_up", ("no_answer", "internal", "1000", "1001", "1001", 0, "caller")),
    ("internal_unregistered", ("failed", "internal", "1000", "1005", "", 0, "system")),
    ("internal_unknown", ("refused", "internal", "1000", "5999", "", 0, "system")),
    ("to_self", ("answered", "internal", "1000", "1000", "1000", 0, "caller")),
    ("blind_refer", ("answered", "internal", "1000", "1001", "1002", 1, "caller")),
    ("blind_busy", ("answered", "internal", "1000", "1001", "1001", 1, "caller")),
    ("attended_refer", ("answered", "internal", "1000", "1001", "1002", 2, "caller")),
    ("attended_at_once", ("answered", "internal", "1052", "1051", "1050", 1, "called")),
    ("attended_from_outside", ("answered", "inbound", "5548999998888", "554830139018", "1002", 2, "caller")),
    ("attended_code", ("answered", "internal", "1000", "21001", "1002", 4, "caller")),
    ("inbound", ("answered", "inbound", "5548999998888", "554830139018", "1001", 0, "called")),
    ("inbound_refused", ("refused", "inbound", "5548999998888", "554830132222", "", 0, "system")),
    ("inbound_to_telephone", ("answered", "inbound", "5548999998888", "554830131111", "554833334444", 0, "caller")),
    ("outbound", ("answered", "outbound", "1000", "554833334444", "554833334444", 0, "caller")),
    ("outbound_overflow", ("answered", "outbound", "1000", "554833335555", "554833335555", 0, "caller")),
    ("outbound_both_fail", ("failed", "outbound", "1000", "554833336666", "554833336666", 0, "called")),
    ("outbound_unknown_number", ("failed", "outbound", "1000", "554833337777", "554833337777", 0, "called")),
    ("pickup", ("answered", "internal", "1000", "1002", "1003", 1, "caller")),
    ("park_retrieve", ("answered", "internal", "1000", "1001", "1002", 0, "called")),
    ("queue_abandoned", ("no_answer", "internal", "1000", "700", "1002", 0, "caller")),
    ("queue_timeout", ("no_answer", "internal", "1000", "701", "1004", 0, "system")),
    ("queue_transfer", ("answered", "internal", "1000", "700", "1001", 1, "caller")),
    ("robot", ("no_answer", "internal", "1000", "710", "", 0, "caller")),
])  # fmt: skip
def test_what_asterisk_wrote_is_told_as_it_was(name, wanted):
    assert sheet(name) == wanted


@pytest.mark.parametrize("name", ["attended_refer", "attended_at_once", "attended_code", "pickup", "park_retrieve", "queue_transfer", "outbound_overflow"])
def test_lines_in_any_order_and_twice_give_the_same_call(name):
    lines = captured(name)
    once = _told(lines)
    for seed in range(20):
        dice = random.Random(seed)
        assert _told(dice.sample(lines, len(lines)) + dice.sample(lines, 5)) == once


def _told(lines: list[Line]) -> list[object]:
    call = record_call(lines, HERE)
    steps = [(step.kind, step.at, step.ended_at, step.word, step.row_id, step.number, step.result) for step in call.steps]
    return [call.started_at, call.answered_at, call.ended_at, call.wait_seconds, call.ring_seconds, call.talk_seconds, *steps]


def stretched(name: str, seconds: float, start: float | None = None) -> list[Line]:
    """A captured call whose talk lasts so much longer, and that may start at another time."""
    lines = captured(name)
    answered = max(line.at for line in lines if line.event == "BRIDGE_ENTER")
    move = 0.0 if start is None else start - lines[0].at
    return [replace(line, at=line.at + move + (seconds if line.at > answered else 0.0)) for line in lines if line.kind == CEL]


def test_over_midnight():
    start = datetime(2026, 11, 20, 23, 59, 30, tzinfo=ZoneInfo("America/Sao_Paulo"))
    call = record_call(stretched("internal_answered", 59.5, start.timestamp()), HERE)
    assert (call.started_at, call.talk_seconds) == (start, 60) and call.ended_at.date() == date(2026, 11, 21)


def test_twelve_hours():
    call = record_call(stretched("internal_answered", 12 * 3600), HERE)
    assert call.talk_seconds == 12 * 3600 + 1 and call.wait_seconds == 0


def test_two_calls_in_the_same_millisecond_are_two():
    """CEL of both in one file, their first lines a microsecond apart, their lines mixed."""
    lines = captured("two_at_once")
    roots = [line.uniqueid for line in lines if line.event == "CHAN_START" and line.uniqueid == line.linkedid]
    calls = [record_call([line for line in lines if line.linkedid == root], HERE) for root in roots]
    assert len(calls) == 2 and abs((calls[0].started_at - calls[1].started_at).total_seconds()) < 0.001
    assert [(call.from_number, call.reached_number, call.state) for call in calls] == [("1000", "1001", "answered"), ("1002", "1003", "answered")]
    assert calls[0].protocol != calls[1].protocol


@pytest.mark.parametrize("step", [3600.0, -3600.0, 7.0, -7.0, 86400.0 * 400])
def test_a_step_of_the_clock_within_a_call_is_not_counted(step):
    """The process noticed it: lines behind it bear its shift. Wall time of the start stays, the end follows from it."""
    lines = stretched("internal_answered", 30)
    after = max(line.at for line in lines if line.event == "BRIDGE_ENTER")
    stepped = [replace(line, at=line.at + step, shift=step) if line.at > after else line for line in lines]
    call, plain = record_call(stepped, HERE), record_call(lines, HERE)
    assert (call.talk_seconds, call.wait_seconds, call.ring_seconds) == (plain.talk_seconds, plain.wait_seconds, plain.ring_seconds) == (31, 0, 0)
    assert call.started_at == plain.started_at and call.ended_at == plain.ended_at


def test_a_step_back_that_nobody_noticed_gives_nothing_negative():
    """Lines are in the order of writing: what is suddenly earlier tells of the step. Only the time between two lines is lost."""
    lines = stretched("blind_refer", 30)
    half = next(line.at for line in lines if line.event == "BLINDTRANSFER")
    call = record_call([replace(line, at=line.at - 3600) if line.at >= half else line for line in lines], HERE)
    assert 0 <= call.talk_seconds <= 31 and call.ended_at >= call.started_at and call.state == "answered"
    assert all(step.ended_at is None or step.ended_at >= step.at for step in call.steps)


def test_steps_of_the_clock_are_noticed():
    """Against the time since the machine started, which nobody sets; small ones are the time server's slow pull."""
    clock = {"wall": 1000.0, "steady": 50.0}
    steps = Steps(None, lambda: clock["wall"], lambda: clock["steady"])
    clock |= {"wall": 1000.4, "steady": 50.2}
    assert steps.look() == 0.0 and steps.shift == 0.0
    clock |= {"wall": 4600.6, "steady": 50.4}
    assert steps.look() == pytest.approx(3600.0) and steps.shift_at(4600.5) == pytest.approx(3600.0) and steps.shift_at(1000.5) == 0.0
    later = Steps(steps.facts(), lambda: clock["wall"], lambda: clock["steady"])
    clock |= {"wall": 1001.0, "steady": 50.8}
    assert later.look() == pytest.approx(-3600.0) and later.shift_at(1000.9) == pytest.approx(0.0)
    assert later.shift_at(4600.9) == pytest.approx(3600.0), "written before the step back, read behind it"


def test_what_was_cut_ends_when_asterisk_was_seen_last():
    lines = captured("killed")
    last = max(line.at for line in lines if line.kind == CEL)
    call = record_call(lines, HERE, cut_at=last + 5)
    assert (call.state, call.is_cut, call.talk_seconds, call.hang_up_side) == ("answered", True, 5, "system")
    assert record_call(lines, HERE, cut_at=last - 100).ended_at.timestamp() == pytest.approx(last, abs=0.001), "never before its last line"
    assert record_call(lines, HERE).state == "open"


def test_a_call_of_which_only_the_records_of_legs_came():
    lines = [line for line in captured("internal_answered") if line.kind == "cdr"]
    call = record_call(lines, HERE)
    assert (call.state, call.from_number, call.to_number, call.talk_seconds, call.from_extension_id) == ("answered", "1000", "1001", 1, 1)


def test_numbers_are_stored_with_country_code():
    for text, number in (
        ("33334444", "554833334444"), ("033334444", "033334444"), ("999998888", "5548999998888"), ("4833334444", "554833334444"),
        ("04833334444", "554833334444"), ("0154833334444", "554833334444"), ("+5511999998888", "5511999998888"), ("5511999998888", "5511999998888"),
        ("0054111234567", "54111234567"), ("190", "190"), ("5123", "5123"), ("*30", "*30"), ("08001234567", "558001234567"), ("", ""),
    ):
        assert international(text, "55", "48") == number, text


def test_the_protocol_number_is_date_time_and_count():
    assert protocol("bentevi-1795218262.48", "America/Sao_Paulo") == "2026112020442248"


@pytest.mark.parametrize("text", [
    "", '"CHAN_START"', '"CHAN_START","x","a","b","c","d","e","f","g","h","i","j","k","l","m",""', "\x00\x00", 'a"b,c',
    '"ANSWER","99999999999999.000000","a.1","a.1","","","","","","","","","","","",""',
    '"ANSWER","1795218262.082742","a.1","a.1","","","","","","","","","","","","[1]"',
])  # fmt: skip
def test_what_is_no_line_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse(CEL, text)


def test_a_whole_line_behind_a_torn_one_is_found():
    """Asterisk died while it wrote; its next start went on in the same line."""
    whole = captured("internal_answered")[3].text
    for cut in (1, 20, 60, len(whole) - 2):
        assert whole_part(CEL, whole[:cut] + whole) == whole
    assert whole_part(CEL, whole[:40]) == ""
