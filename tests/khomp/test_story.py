"""Calls through Khomp channels, by the stand-in for the driver (standin.c), heard in both directions."""

import pytest

from tests.build import make, make_extension, make_inbound_route, make_outbound_route, make_profile, make_trunk

pytestmark = pytest.mark.pbx

FXO = ["b0c0-3"]


def board(index=0, model="EBS-FXO", channels=4, **values):
    return make("khomp_boards", index=index, model=model, channels=channels, **values)


def line(name="EBS", **values):
    return make("trunks", **{"name": name, "protocol": "khomp", "channels": FXO} | values)


def caller(trunk="EBS", number="1000", **rule):
    make_outbound_route("Fora", {"mask": "[2-5]XXXXXXX", "external_line": True, "trunk": trunk} | rule)
    return make_extension(number, dialing_profile=make_profile("Completo", "Fora").name)


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
