"""The number people quote: as the company wants it, counted by the dialplan, and the one that is stored."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from appliance import settings
from appliance.calls.record import protocol
from appliance.company.protocol import put_least
from appliance.telephony import ami, runtime
from tests.build import company, make_extension, make_inbound_route, make_trunk
from tests.records import wait_recorded
from tests.wire import the_wire

pytestmark = pytest.mark.pbx

LAST_DAY, FIRST_DAY = 1927681195, 1927681205  # 31/01/2031 23:59:55 and 01/02/2031 00:00:05 in São Paulo


@pytest.fixture
def line(pbx, carrier):
    """Calls that come in and are heard by nobody: every number hangs up."""
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"hangup": True}})
    forget_counts()
    return carrier


def forget_counts():
    """Asterisk's own database without any count, as after the loss of its file."""
    for family in ("protocol", "protocol-least"):
        runtime.command(runtime.control(settings.load()), f"database deltree {family}")


def least(key):
    """The floor under a count, once the job of every minute has run (it may have come before us)."""
    put_least()
    return int(re.search(r"Value: (\d+)", runtime.command(runtime.control(settings.load()), f"database get protocol-least {key}"))[1])


def numbers(line, count=1):
    """The protocol numbers of so many calls at once."""
    before = {call.id for call in wait_recorded()}
    calls = [line.call(f"48301300{place:02}", caller=f"48999900{place:02}") for place in range(count)]
    for call in calls:
        call.wait_refused(30)
    return [call.protocol for call in wait_recorded() if call.id not in before]


def test_fifty_calls_at_once_have_fifty_numbers_in_a_row(pbx, line):
    """CFG-08: year, month, day and sequence, each once, stored as the dialplan counted them."""
    company(protocol_format=["year", "month", "day", "sequence"])
    pbx.apply()
    days = {datetime.now(ZoneInfo("America/Sao_Paulo")).strftime("%Y%m%d")}
    found = numbers(line, 50)
    days.add(datetime.now(ZoneInfo("America/Sao_Paulo")).strftime("%Y%m%d"))
    if len(days) == 1:  # not over midnight
        day = days.pop()
        assert sorted(found) == [f"{day}{place:06}" for place in range(1, 51)]
    assert len(set(found)) == 50


COUNTERS, TIMES = 20, 50
COUNTING = f"""
[lab-counting]
exten => s,1,Answer()
 same => n,Set(TURN=0)
 same => n(again),Set(BENTEVI_PROTOCOL=)
 same => n,Gosub(bentevi-protocol,s,1)
 same => n,Set(TURN=$[${{TURN}} + 1])
 same => n,GotoIf($[${{TURN}} < {TIMES}]?again)
 same => n,Set(DB(lab-counting/${{UNIQUEID}})=done)
 same => n,Hangup()
"""


def test_many_calls_that_count_in_the_same_instant_lose_no_number(pbx, line):
    """CFG-08: the counter is one step under a lock; without it two calls would read the same count."""
    company(protocol_format=["sequence"], protocol_restart="never")
    pbx.apply()
    machine = settings.load()
    control = runtime.control(machine)
    runtime.command(control, "database deltree lab-counting")
    with open(machine.asterisk / "etc" / "extensions.conf", "a") as file:
        file.write(COUNTING)
    runtime.command(control, "dialplan reload")
    with ami.actions(machine) as asterisk:
        for _counter in range(COUNTERS):
            asterisk.ask({"Action": "Originate", "Channel": "Local/s@lab-counting", "Application": "Wait", "Data": "30", "Async": "true"})

    def shown():
        return runtime.command(control, "database show lab-counting")

    assert the_wire().comes_true(lambda: shown().count("done") == COUNTERS, 60), shown()
    assert f"Value: {COUNTERS * TIMES}" in runtime.command(control, "database get protocol s6-ever")


def test_the_sequence_begins_again_when_the_company_says(pbx, line):
    """CFG-08: 20310131000001; a new day begins at 1 with daily, a new month with monthly, and never with never."""
    control = runtime.control(settings.load())

    def at(epoch):
        runtime.command(control, f"dialplan set global BENTEVI_EPOCH {epoch}")
        return numbers(line)[0]

    company(protocol_format=["year", "month", "day", "sequence"], protocol_restart="daily")
    pbx.apply()
    assert [at(LAST_DAY), at(LAST_DAY), at(FIRST_DAY)] == ["20310131000001", "20310131000002", "20310201000001"]
    company(protocol_format=["short_year", "month", "sequence"], protocol_restart="monthly", protocol_digits=4)
    pbx.apply()
    assert [at(LAST_DAY), at(LAST_DAY), at(FIRST_DAY)] == ["31010001", "31010002", "31020001"]
    company(protocol_format=["sequence"], protocol_restart="never", protocol_digits=8)
    pbx.apply()
    assert [at(LAST_DAY), at(FIRST_DAY)] == ["00000001", "00000002"]


def today(pattern):
    return datetime.now(ZoneInfo("America/Sao_Paulo")).strftime(pattern)


def test_a_lost_count_goes_on_behind_the_stored_calls(pbx, line):
    """CFG-08: the database of Asterisk is emptied, or set back as by an older backup; after the minute's look no number comes again."""
    company(protocol_format=["year", "month", "sequence"], protocol_restart="monthly", protocol_digits=4)
    pbx.apply()
    month = today("%Y%m")
    first = numbers(line, 3)
    assert sorted(first) == [f"{month}{place:04}" for place in (1, 2, 3)]
    forget_counts()
    assert least(f"Yms4-{month}") == 3
    assert numbers(line) == [f"{month}0004"]
    runtime.command(runtime.control(settings.load()), f"database put protocol Yms4-{month} 2")
    runtime.command(runtime.control(settings.load()), "database deltree protocol-least")
    assert least(f"Yms4-{month}") == 4
    assert numbers(line) == [f"{month}0005"]
    assert put_least() == 0  # the count is right: nothing to raise


def test_another_rhythm_on_the_same_day_gives_no_number_again(pbx, line):
    """CFG-08: from daily to monthly and yearly and never and back, the numbers made of the same parts; the count goes on with the first call."""
    parts = ["year", "month", "day", "sequence"]
    found = []
    for restart in ("daily", "monthly", "yearly", "never", "daily"):
        company(protocol_format=parts, protocol_restart=restart)
        pbx.apply()
        found += numbers(line, 2)
    assert len(set(found)) == 10
    assert sorted(int(number[8:]) for number in found) == list(range(1, 11))


def test_another_format_passes_what_an_earlier_one_wrote(pbx, line):
    """CFG-08: the day's digits of one format are a sequence of the next; those numbers are left out when the count comes to them."""
    company(protocol_format=["year", "month", "day", "sequence"], protocol_restart="daily", protocol_digits=4)
    pbx.apply()
    first = numbers(line, 2)
    company(protocol_format=["year", "month", "sequence"], protocol_restart="monthly", protocol_digits=6)
    pbx.apply()
    assert numbers(line) == [f"{today('%Y%m')}000001"]  # what lies far ahead does not matter yet
    day = int(today("%d")) * 10000
    runtime.command(runtime.control(settings.load()), f"database put protocol Yms6-{today('%Y%m')} {day}")
    assert least(f"Yms6-{today('%Y%m')}") == day + 2
    assert numbers(line) == [f"{today('%Y%m')}{day + 3:06}"]
    assert f"{today('%Y%m')}{day + 1:06}" in first


def test_without_a_format_the_dialplan_knows_the_number_that_is_stored(pbx, phone, line):
    """CFG-08: date, time and the exchange's count, as before; a call keeps its number when it is transferred."""
    ana, bruno, carla = make_extension("1001"), make_extension("1002"), make_extension("1003")
    pbx.apply()
    a, b, c = phone(ana), phone(bruno), phone(carla)
    call = a.call("1002")
    there = b.answer()
    assert call.talks_with(there)

    def spoken():
        channel = re.search(r"PJSIP/1001-\w+", pbx.ask("core show channels concise"))[0]
        return re.search(r"BENTEVI_PROTOCOL=(\d+)", pbx.ask(f"core show channel {channel}"))[1]

    before = spoken()
    there.transfer("1003")
    assert call.talks_with(c.answer())
    assert spoken() == before
    call.hang_up()
    stored = wait_recorded()[-1]
    assert before == stored.protocol == protocol(stored.linkedid, "America/Sao_Paulo")
