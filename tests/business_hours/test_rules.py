"""Time arithmetic: which minutes a range, an event and a shift hold, and how GotoIfTime is asked them."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from appliance import hours
from appliance.errors import Refused
from appliance.fields import Reader
from appliance.hours import LocalTime, Periods, Slot, TimeOfDay, covers, dated_slots, weekly_slots
from appliance.time_conditions.config import slots
from appliance.time_conditions.model import PeriodLines
from tests.build import make, make_hours, week


def clock(*parts):
    """A moment as the company's clock shows it."""
    return datetime(*parts)  # noqa: DTZ001


MONDAY = clock(2026, 11, 23)


def at(day, text):
    """A moment of the week of 23 November 2026: at(0, "08:00") is Monday."""
    return MONDAY + timedelta(days=day, hours=int(text[:2]), minutes=int(text[3:5]), seconds=int(text[6:8] or 0))


def problems(kind, value):
    reader = Reader()
    kind.read(value, reader)
    return [(".".join(map(str, problem.path)), problem.text) for problem in reader.problems]


@pytest.mark.parametrize(("text", "day", "time", "inside"), [
    ("mon 08:00-12:00", 0, "07:59:59", False), ("mon 08:00-12:00", 0, "08:00:00", True), ("mon 08:00-12:00", 0, "11:59:59", True),
    ("mon 08:00-12:00", 0, "12:00:00", False), ("mon 08:00-12:00", 1, "09:00:00", False),
    ("mon 18:00-24:00", 0, "23:59:59", True), ("mon 18:00-24:00", 1, "00:00:00", False),
    ("sun 22:00-06:00", 6, "21:59:59", False), ("sun 22:00-06:00", 6, "22:00:00", True), ("sun 22:00-06:00", 0, "05:59:59", True),
    ("sun 22:00-06:00", 0, "06:00:00", False), ("sun 22:00-06:00", 6, "05:00:00", False),
])  # fmt: skip
def test_a_range_holds_its_first_minute_and_not_its_last(text, day, time, inside):
    """HRS-01: half-open, to the second, also over midnight and from Sunday to Monday."""
    assert covers([week(text)], at(day, time)) == inside


def test_a_tolerance_lengthens_every_range_also_over_midnight():
    """HRS-18: ten minutes more at the end of each day."""
    lines = [week("mon fri 08:00-18:00"), week("sun 18:00-24:00")]
    for day, time, inside in ((0, "18:09:59", True), (0, "18:10:00", False), (0, "07:59:59", False), (0, "00:09:59", True), (0, "00:10:00", False)):
        assert covers(lines, at(day, time), 10) == inside, (day, time)


def test_slots_of_a_week_end_a_minute_earlier_because_gotoiftime_counts_it_in():
    """HRS-01: one slot per stretch, days joined; past midnight is another day's."""
    assert weekly_slots([week("mon tue wed thu fri 08:00-12:00"), week("mon tue wed thu fri 13:00-18:00")]) == [
        Slot("08:00-11:59", "mon&tue&wed&thu&fri"), Slot("13:00-17:59", "mon&tue&wed&thu&fri")]
    assert weekly_slots([week("sat 22:00-06:00")]) == [Slot("22:00-23:59", "sat"), Slot("00:00-05:59", "sun")]
    assert weekly_slots([week("mon tue wed thu fri sat sun 00:00-24:00")]) == [Slot("00:00-23:59")]
    assert weekly_slots([week("sun 22:00-02:00"), week("mon 02:00-08:00")]) == [Slot("00:00-07:59", "mon"), Slot("22:00-23:59", "sun")]


@pytest.mark.parametrize("longer", [0, 10, 400])
def test_the_dialplan_and_the_login_mean_the_same_minutes(longer):
    """HRS-01, HRS-18: every minute of a week, by the slots and by `covers`."""
    lines = [week("mon wed 08:00-12:00"), week("mon 13:00-24:00"), week("sat sun 22:00-06:00"), week("fri 00:00-24:00")]
    slots_of_week = weekly_slots(lines, longer)
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    for minute in range(0, 7 * 24 * 60, 1 if not longer else 5):
        moment = MONDAY + timedelta(minutes=minute)
        in_slots = any(slot.times.split("-")[0] <= f"{moment:%H:%M}" <= slot.times.split("-")[1]
                       and (slot.weekdays == "*" or days[moment.weekday()] in slot.weekdays.split("&")) for slot in slots_of_week)
        assert in_slots == covers(lines, moment, longer), moment


def test_slots_of_an_event_are_its_days():
    """HRS-07: broken first and last day, whole days of a month together, each in its year."""
    assert dated_slots(clock(2026, 12, 24, 12), clock(2026, 12, 26, 8), False) == [
        Slot("12:00-23:59", monthdays="24", months="dec", year="2026"), Slot("00:00-23:59", monthdays="25", months="dec", year="2026"),
        Slot("00:00-07:59", monthdays="26", months="dec", year="2026")]
    assert dated_slots(clock(2026, 12, 25), clock(2026, 12, 26), False) == [Slot("00:00-23:59", monthdays="25", months="dec", year="2026")]
    assert dated_slots(clock(2026, 12, 21), clock(2027, 1, 4), False) == [
        Slot("00:00-23:59", monthdays="21-31", months="dec", year="2026"), Slot("00:00-23:59", monthdays="1-3", months="jan", year="2027")]
    assert dated_slots(clock(2026, 12, 31, 18), clock(2027, 1, 1, 0, 1), True) == [
        Slot("18:00-23:59", monthdays="31", months="dec"), Slot("00:00-00:00", monthdays="1", months="jan")]
    assert dated_slots(clock(2028, 2, 28), clock(2028, 3, 1), False) == [Slot("00:00-23:59", monthdays="28-29", months="feb", year="2028")]
    assert dated_slots(clock(2026, 5, 4, 9, 30), clock(2026, 5, 4, 9, 31), False) == [Slot("09:30-09:30", monthdays="4", months="may", year="2026")]


def test_an_event_of_every_year_has_the_29th_of_february_of_leap_years():
    """HRS-07: when 28 February and 1 March are both inside, whatever year it was written in; not when it ends with February."""
    def february(start, end):
        return [(slot.times, slot.monthdays) for slot in dated_slots(start, end, True) if slot.months == "feb"]

    whole = "00:00-23:59"
    assert february(clock(2026, 2, 25), clock(2026, 3, 6)) == [(whole, "25-29")] == february(clock(2028, 2, 25), clock(2028, 3, 6))
    assert february(clock(2026, 2, 28, 18), clock(2026, 3, 1, 8)) == [("18:00-23:59", "28"), (whole, "29")]
    assert february(clock(2026, 2, 25), clock(2026, 3, 1)) == [(whole, "25-28")]
    assert [slot.monthdays for slot in dated_slots(clock(2026, 2, 25), clock(2026, 3, 6), False)] == ["25-28", "1-5"], "of one year"
    leap = dated_slots(clock(2026, 2, 25), clock(2026, 3, 6), True)
    minutes = [clock(2028, 2, 24) + timedelta(minutes=number) for number in range(13 * 24 * 60)]
    assert all(sum(_fits(replace(slot, year="2028"), one) for slot in leap) == (clock(2028, 2, 25) <= one < clock(2028, 3, 6)) for one in minutes)


def test_every_minute_of_an_event_is_in_exactly_one_slot():
    """HRS-07: compared minute by minute for periods of many shapes."""
    for start, minutes in ((clock(2027, 12, 30, 23, 59), 3), (clock(2027, 12, 31), 24 * 60), (clock(2028, 2, 28, 6), 3 * 24 * 60 + 17),
                           (clock(2026, 1, 31, 23, 58), 2), (clock(2026, 1, 31, 23, 58), 5)):
        end = start + timedelta(minutes=minutes)
        found = dated_slots(start, end, False)
        for minute in range(-2, minutes + 2):
            moment = start + timedelta(minutes=minute)
            assert sum(_fits(slot, moment) for slot in found) == (start <= moment < end), moment


def _fits(slot, moment):
    first, _dash, last = slot.monthdays.partition("-")
    begin, end = slot.times.split("-")
    return (slot.year == str(moment.year) and slot.months == f"{moment:%b}".lower() and int(first) <= moment.day <= int(last or first)
            and begin <= f"{moment:%H:%M}" <= end)


def test_slots_of_a_time_condition_say_days_and_months():
    """HRS-12: days 1 to 5 of January."""
    line = {"weekdays": [], "first_day": 1, "last_day": 5, "months": ["jan", "jul"], "start": "09:00", "end": "17:00"}
    assert slots(line) == [Slot("09:00-16:59", "*", "1-5", "jan&jul")]
    assert slots(line | {"first_day": None, "last_day": None, "months": [], "weekdays": ["sat"], "start": "22:00", "end": "02:00"}) == [
        Slot("22:00-23:59", "sat"), Slot("00:00-01:59", "sun")]


@pytest.mark.parametrize(("lines", "place", "words"), [
    ([week("mon 10:00-09:00")], "0.end", "09:00 is before 10:00"), ([week("mon 18:00-17:00")], "0.end", "17:00 is before 18:00"),
    ([week("mon 08:00-08:00")], "0.end", "no time at all"), ([week("mon 24:00-06:00")], "0.end", "begins before 24:00"),
    ([week("mon 08:00-12:00"), week("tue mon 11:59-18:00")], "1.start", "On Mon this range overlaps"),
    ([week("mon 22:00-06:00"), week("tue 05:00-18:00")], "1.start", "On Tue this range overlaps"),
    ([week("sun 22:00-06:00"), week("mon 00:00-03:00")], "1.start", "On Mon this range overlaps"),
    ([week("moon 08:00-12:00")], "0.weekdays.0", "moon"), ([week("08:00-12:00")], "0.weekdays", "Fill in"),
    ([week("mon 8h-12:00")], "0.start", "8h"), ([week("mon 08:00-24:01")], "0.end", "24:01"), ([week("mon 08:60-12:00")], "0.start", "08:60"),
    ([{"weekdays": ["mon"], "start": "08:00"}], "0.end", "Fill in"), ([{"weekdays": "mon", "start": "08:00", "end": "09:00"}], "0.weekdays", "list"),
    ("mon", "", "list"),
])  # fmt: skip
def test_bad_ranges_are_refused_at_their_place(app, lines, place, words):
    """HRS-01: hours that end before they begin, empty, overlapping, an unknown weekday."""
    from flask_babel import force_locale

    with force_locale("en"):
        assert any(where == place and words in text for where, text in problems(Periods(), lines)), problems(Periods(), lines)


def test_neighbours_and_midnight_do_not_overlap(app):
    """HRS-01: half-open ranges may touch."""
    assert problems(Periods(), [week("mon 08:00-12:00"), week("mon 12:00-18:00"), week("mon 22:00-06:00"), week("tue 06:00-24:00")]) == []
    assert TimeOfDay().read("8:05", Reader()) == "08:05"


@pytest.mark.parametrize(("change", "place"), [
    ({"first_day": 5, "last_day": 1}, "0.last_day"), ({"first_day": 5}, "0.last_day"), ({"last_day": 5}, "0.first_day"), ({"first_day": 32, "last_day": 32}, "0.first_day"),
    ({"months": ["january"]}, "0.months.0"), ({"start": "22:00", "end": "06:00", "months": ["jan"]}, "0.end"), ({"start": "10:00", "end": "10:00"}, "0.end"),
])  # fmt: skip
def test_bad_lines_of_a_time_condition_are_refused_at_their_place(app, change, place):
    """HRS-12."""
    assert problems(PeriodLines(), [change])[0][0] == place


@pytest.mark.parametrize(("text", "stored"), [
    ("2026-12-25 00:00", "2026-12-25 00:00"), ("2026-12-25T08:30", "2026-12-25 08:30"), ("2026-12-31 24:00", "2027-01-01 00:00"),
    ("2026-02-30 10:00", None), ("25/12/2026 10:00", None), ("2026-12-25", None), ("2026-12-25 25:00", None), (True, None), ("9999-12-31 24:00", None),
])  # fmt: skip
def test_a_day_and_time_is_read_as_the_companys_clock_shows_it(app, text, stored):
    """HRS-07."""
    assert LocalTime().read(text, Reader()) == stored


def test_an_event_of_no_length_or_backwards_is_refused(app):
    """HRS-07: nothing is stored, the field is named."""
    for end, field in (("2026-12-25 00:00", "end"), ("2026-12-24 00:00", "end"), ("2028-12-25 00:00", "end")):
        with pytest.raises(Refused) as why:
            make("calendar_events", name="Natal", start="2026-12-25 00:00", end=end)
        assert why.value.field == field


def test_what_is_closed_does_not_send_its_calls_to_itself(app):
    """HRS-03: a queue that keeps to the hours is no destination of them, nor one closed by an event of it."""
    own = make_hours("Comercial")
    make("queues", name="Suporte", number="2500", business_hours="Comercial")
    from tests.build import change

    with pytest.raises(Refused) as why:
        change(own, closed_destination={"queue": "Suporte"})
    assert why.value.field == "closed_destination"
    with pytest.raises(Refused) as why:
        make("calendar_events", name="Natal", start="2026-12-25 00:00", end="2026-12-26 00:00", queues=["Suporte"], destination={"queue": "Suporte"})
    assert why.value.field == "destination"
    with pytest.raises(Refused):
        condition = make("time_conditions", name="Eu", inside_destination={"hangup": True}, outside_destination={"hangup": True})
        change(condition, inside_destination={"time_condition": "Eu"})


def test_days_are_told_in_the_order_of_the_week(app):
    """HRS-01: what the list shows."""
    from flask_babel import force_locale

    with force_locale("en"):
        assert hours.told(week("sat fri mon tue 08:00-18:00")) == "Mon–Tue, Fri–Sat 08:00–18:00"
