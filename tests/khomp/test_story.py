"""Calls through Khomp channels, by the stand-in for the driver (standin.c), heard in both directions."""

import time
from datetime import UTC, datetime

import pytest

from appliance import live
from appliance.resource import TABLE
from tests.build import (
    change,
    company,
    make,
    make_class,
    make_extension,
    make_inbound_route,
    make_outbound_route,
    make_profile,
    make_trunk,
)
from tests.player import until
from tests.records import kill, quiet, wait_recorded
from tests.story.test_recording import wait_recording

pytestmark = pytest.mark.pbx

FXO = ["b0c0-3"]


def board(index=0, model="EBS-FXO", channels=4, **values):
    return make("khomp_boards", index=index, model=model, channels=channels, **values)


def line(name="EBS", **values):
    return make("trunks", **{"name": name, "protocol": "khomp", "channels": FXO} | values)


def caller(trunk="EBS", number="1000", **rule):
    make_outbound_route("Fora", {"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": trunk} | rule)
    return make_extension(number, dialing_profile=make_profile("Completo", "Fora").name)


def says(pbx, text, seconds=5.0):
    """Whether Asterisk's log comes to hold the text; it is written behind the call."""
    ends_at = time.monotonic() + seconds
    while text not in pbx.log():
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.05)
    return True


def test_a_call_leaves_by_a_channel_and_is_heard_both_ways(pbx, phone, driver, network):
    """TRK-16."""
    board()
    trunk = line(caller_id="4830139018")
    ana = caller()
    pbx.apply()
    assert "Khomp" in pbx.ask("core show channeltypes")
    call = phone(ana).call("033334444")
    far = network.wait_call("33334444")
    assert call.talks_with(far)
    assert (far.channel, far.options) == ("b0c0", "orig=4830139018")
    assert driver.log() == ["out b0c0 33334444 orig=4830139018"]
    call.hang_up()
    far.wait_ended()
    assert trunk.id


@pytest.mark.parametrize(("order", "taken"), [
    ("ascending", [0, 0, 0, 0, 0]), ("descending", [3, 3, 3, 3, 3]),
    ("cyclic_ascending", [0, 1, 2, 3, 0]), ("cyclic_descending", [3, 2, 1, 0, 3]),
])
def test_calls_one_after_the_other_take_channels_in_the_order_of_the_trunk(pbx, phone, driver, network, order, taken):
    """TRK-18: channels 1 to 4 of the row are b0c0 to b0c3. The driver's `*` takes the one with the fewest calls so far and the direction
    breaks ties: from equal counts that is 1, 2, 3, 4 and, when all have one, 1 again."""
    board()
    line(allocation=order)
    ana = caller()
    pbx.apply()
    handset = phone(ana)
    for number in range(5):
        call = handset.call(f"03333444{number}").wait_answered()
        call.hang_up()
        network.wait_call(f"3333444{number}").wait_ended()
    assert driver.took() == [f"b0c{one}" for one in taken]


@pytest.mark.parametrize(("order", "taken"), [("ascending", [0, 1, 2, 3]), ("descending", [3, 2, 1, 0])])
def test_calls_at_the_same_time_take_the_next_free_channel(pbx, phone, driver, network, order, taken):
    """TRK-18: the first and the last free one."""
    board()
    line(allocation=order)
    ana = caller()
    pbx.apply()
    handset = phone(ana)
    for number in range(4):
        handset.call(f"03333444{number}").wait_answered()
    assert driver.took() == [f"b0c{one}" for one in taken]


@pytest.mark.parametrize("allocation", ["descending", "cyclic_descending"])
def test_channels_of_two_boards_are_taken_from_the_last_board_down(pbx, phone, driver, network, allocation):
    """TRK-18: pieces of a descending trunk stand in descending order too."""
    board()
    board(1, "EBS-E1-SPX", 60)
    line(channels=["b0c2", "b0c3", "b1c0"], allocation=allocation)
    ana = caller()
    pbx.apply()
    handset = phone(ana)
    for number in range(3):
        handset.call(f"03333444{number}").wait_answered()
    assert driver.took() == ["b1c0", "b0c3", "b0c2"]


def test_when_every_channel_is_taken_the_call_overflows_as_at_the_trunks_limit(pbx, phone, driver, network, carrier):
    """TRK-16, RTE-19: with only the condition “trunk limit” the fifth call leaves by SIP; so does one when all are out of service."""
    board()
    line(channels=["b0c0", "b0c1"])
    make_trunk("Operadora", carrier.port)
    ana = caller(overflow=[{"conditions": ["trunk_limit"], "prepend": "48", "trunk": "Operadora"}])
    pbx.apply()
    handset = phone(ana)
    calls = [handset.call(f"03333444{number}").wait_answered() for number in range(2)]
    assert handset.call("033334442").talks_with(carrier.wait_call("4833334442"))
    for call in calls:
        call.hang_up()
    for number in range(2):
        network.wait_call(f"3333444{number}").wait_ended()
    driver.alarm("b0c0")
    handset.call("033334443").wait_answered()
    assert driver.took()[-1] == "b0c1"
    driver.alarm("b0c1")
    assert handset.call("033334444").talks_with(carrier.wait_call("4833334444"))


@pytest.mark.parametrize(("cause", "condition"), [(17, "busy"), (34, "failure")])
def test_what_the_line_answers_is_the_condition_of_the_overflow(pbx, phone, driver, network, carrier, cause, condition):
    """TRK-16, RTE-19: a busy number and a line in trouble, told apart as at SIP trunks; with the other condition the call ends."""
    board()
    line()
    make_trunk("Operadora", carrier.port)
    ana = caller(overflow=[{"conditions": [condition], "prepend": "48", "trunk": "Operadora"}])
    bruno_route = {"mask": "[2-5]XXXXXXX", "trunk": "EBS",
                   "overflow": [{"conditions": ["failure" if condition == "busy" else "busy", "trunk_limit"], "trunk": "Operadora"}]}
    make_outbound_route("Outra", bruno_route)
    bruno = make_extension("1001", dialing_profile=make_profile("Outro", "Outra").name)
    pbx.apply()
    network.default = cause
    assert phone(ana).call("033334444").talks_with(carrier.wait_call("4833334444"))
    assert phone(bruno).call("33335555").wait_refused() in (486, 503)
    assert [call.number for call in carrier.received] == ["4833334444"]


def test_the_call_limit_of_a_khomp_trunk_overflows(pbx, phone, driver, network, carrier):
    """TRK-05, TRK-16: one call although four channels are free."""
    board()
    line(call_limit=1)
    make_trunk("Operadora", carrier.port)
    ana = caller(overflow=[{"conditions": ["trunk_limit"], "prepend": "48", "trunk": "Operadora"}])
    pbx.apply()
    handset = phone(ana)
    handset.call("033334440").wait_answered()
    assert handset.call("033334441").talks_with(carrier.wait_call("4833334441"))
    assert [call.number for call in network.received] == ["33334440"]


def test_without_the_driver_a_site_with_only_khomp_trunks_applies_and_calls_overflow(no_driver, pbx, phone, carrier):
    """TRK-16, TRK-04: nothing fails; the call leaves by the SIP trunk of the overflow, and with none the caller hears that it failed."""
    board()
    line()
    ana = caller()
    attempt = pbx.apply()
    assert attempt.state == "done" and not attempt.findings
    handset = phone(ana)
    assert handset.call("033334444").wait_refused() == 503
    make_trunk("Operadora", carrier.port)
    route = TABLE["outbound_routes"].find("Fora")
    change(route, rules=[{"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": "EBS",
                          "overflow": [{"conditions": ["failure"], "prepend": "48", "trunk": "Operadora"}]}])
    pbx.apply()
    assert handset.call("033334444").talks_with(carrier.wait_call("4833334444"))


def test_the_same_route_is_moved_from_sip_to_khomp_and_calls_continue(pbx, phone, driver, network, carrier):
    """TRK-19: nothing but the rule's trunk changes."""
    board(1, "EBS-E1-SPX", 60)
    line("E1", channels=["b1l0"], allocation="descending")
    make_trunk("Operadora", carrier.port)
    ana = caller("Operadora")
    pbx.apply()
    handset = phone(ana)
    assert handset.call("033334444").talks_with(carrier.wait_call("33334444"))
    route = TABLE["outbound_routes"].find("Fora")
    change(route, rules=[{**TABLE["outbound_routes"].show(route)["rules"][0], "trunk": "E1"}])
    pbx.apply()
    assert handset.call("033334444").talks_with(network.wait_call("33334444"))
    assert driver.took() == ["b1c29"] and len(carrier.received) == 1


def test_an_analog_line_without_a_number_takes_the_default_number_and_e1_its_own(pbx, phone, driver, network):
    """TRK-16: FXO arrives at `s`; E1 brings the digits; a channel of no trunk is refused; an outside caller gets no inside rights."""
    board()
    board(1, "EBS-E1-SPX", 60)
    line(default_number="4830139018")
    line("E1", channels=["b1l1"], number_format="national")
    ana, bruno = make_extension("1000"), make_extension("1001")
    make_inbound_route("Entrada", "EBS", {"mask": "4830139018", "destination": {"extension": "1000"}}, trunks=["EBS", "E1"])
    make_inbound_route("E1", "E1", {"mask": "4833330001", "destination": {"extension": "1001"}})
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    analog = network.call("b0c3", caller="48999991234")
    assert analog.talks_with(a.answer())
    digital = network.call("b1c31", "554833330001", caller="48999990000")
    assert digital.talks_with(b.answer())
    inside = network.call("b1c32", "1000")
    inside.wait_ended()
    assert inside.cause == 1 and says(pbx, "refused: no inbound route, number 1000")
    nobody = network.call("b1c0", "4833330001")
    nobody.wait_ended()
    assert nobody.cause == 21 and says(pbx, "refused: channel without a trunk")


def test_keys_reach_the_line(pbx, phone, driver, network):
    """TRK-16."""
    board()
    line()
    ana = caller()
    pbx.apply()
    call = phone(ana).call("033334444").wait_answered()
    far = network.wait_call("33334444")
    assert call.talks_with(far)
    call.press("159")
    assert far.digits(3) == "159"


def calls():
    return live.now().rows("calls")


def test_a_khomp_call_is_seen_now_and_told_and_recorded_with_its_trunk(pbx, phone, driver, network):
    """TRK-16, EXT-20: direction, trunk, numbers and a recording with both voices, of a call that leaves and of one that arrives."""
    board()
    trunk = line("EBS da loja", caller_id="4830139018", default_number="4830139018")
    company(area_code="48")
    make_class("Gravada", recording="external")
    make_outbound_route("Fora", {"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": trunk.name})
    ana = make_extension("1000", dialing_profile=make_profile("Completo", "Fora").name, **{"class": "Gravada"})
    make_inbound_route("Entrada", trunk.name, {"default": True, "destination": {"extension": "1000"}})
    pbx.apply()
    quiet()
    since = datetime.now(UTC)
    handset = phone(ana)
    call = handset.call("033334444").wait_answered()
    far = network.wait_call("33334444")
    assert until(lambda: [row["state"] for row in calls().values()] == ["talking"], 10)
    (row,) = calls().values()
    leg = row["legs"][1]
    assert (leg["endpoint"], leg["dialled"], leg["is_outgoing"], leg["trunk_place"], leg["codec"]) == ("b0c0", "33334444", True, trunk.id, "alaw")
    assert call.talks_with(far)
    call.hang_up()
    incoming = network.call("b0c2", caller="48999991234")
    assert incoming.talks_with(handset.answer())
    assert until(lambda: [[leg["endpoint"] for leg in row["legs"]] for row in calls().values()] == [["b0c2", "1000"]], 10)
    incoming.hang_up()
    assert until(lambda: not calls(), 10)
    left, came = [one for one in wait_recorded() if one.started_at >= since]
    assert (left.direction, left.trunk, left.trunk_id, left.to_number, left.state) == ("outbound", "EBS da loja", trunk.id, "554833334444", "answered")
    assert (came.direction, came.trunk, came.trunk_id, came.from_number, came.to_number) == (
        "inbound", "EBS da loja", trunk.id, "5548999991234", "554830139018")
    assert came.reached_extension_id == ana.id and came.state == "answered"
    recorded = wait_recording(since, 2)
    assert sorted(one.call_id for one in recorded) == sorted([left.id, came.id])


def test_a_picture_built_anew_knows_a_khomp_call(pbx, phone, driver, network):
    """TRK-06: after the listener lost its connection, trunk and number of a call in progress are there again."""
    board()
    trunk = line()
    ana = caller()
    pbx.apply()
    phone(ana).call("033334444").wait_answered()
    assert until(lambda: [leg["dialled"] for row in calls().values() for leg in row["legs"]] == ["", "33334444"], 10)
    epoch = live.now().epoch
    kill("events")
    assert until(lambda: live.now().epoch != epoch and live.now().is_fresh, 30)
    assert until(lambda: [(leg["endpoint"], leg["dialled"], leg["trunk_place"]) for row in calls().values() for leg in row["legs"]][1:]
                 == [("b0c0", "33334444", trunk.id)], 10)
