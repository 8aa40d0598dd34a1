"""SYS-07: the SIP port and the voice ports are changed on the page, and listener, firewall, desk phones and calls follow."""

import socket

import pytest

from appliance import applying, closed, live, ports, settings
from appliance.addresses import force
from appliance.desk_phones import reload
from tests.build import change, make_extension, sip
from tests.desk_phones.conftest import fresh_limits  # noqa: F401  the same fixture
from tests.homes import free_ports
from tests.story.test_applying import _wait as wait
from tests.story.test_desk_phones import in_its_box, register

pytestmark = pytest.mark.pbx


def open_ports():
    """What the firewall is told."""
    force.put()
    return closed.file().with_name("ports").read_text().splitlines()


def is_free(port):
    """Whether somebody else could listen there by UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_another_sip_port_is_taken_by_asterisk_firewall_and_phones_together(pbx, phones, phone, carla):
    """SYS-07: while a call is up everything is as it was and the firewall lets both in; then Asterisk listens on the new port only, the desk
    phone is told there, fetches its file, registers where it says and calls."""
    ana, bruno = make_extension("1001", name="Ana", provisioning=True), make_extension("1002", name="Bruno")
    pbx.apply()
    old, new, first = settings.load().sip_port, free_ports(1)[0], pbx.pid()
    _row, device = in_its_box(ana, "grandstream")
    device.start()
    desk, other = register(phones, device), phone(bruno)
    desk.wait(lambda: live.row("extensions", "1001").get("contacts"), 10, "its registration in the live state")
    call = desk.call("1002")
    there = other.answer()
    assert call.talks_with(there)

    assert carla.api("PATCH", "/api/v1/sip", {"sip_port": new}).json["sip_port"] == new
    pbx.apply()
    assert applying.waiting_restart() and call.talks_with(there)
    assert {f"sip {old}", f"sip {new}"} <= set(open_ports()) and is_free(new) and not is_free(old)
    assert device.start().port == old and reload.tell_of_port() == 0, "the file names the port that answers"

    call.hang_up()
    there.wait_ended()
    wait(lambda: not applying.calls_up(), 10)
    applying.restart()
    wait(lambda: pbx.pid() not in (0, first) and pbx.is_booted(), 60)
    assert is_free(old) and not is_free(new)
    assert [line for line in open_ports() if line.startswith("sip")] == [f"sip {new}"]
    wait(lambda: live.row("extensions", "1001").get("contacts"), 30)
    change(ana, provisioning=False)
    assert reload.tell_of_port() == 0, "it would not get the file"
    change(ana, provisioning=True)
    wait(reload.tell_of_port, 30)
    desk.wait(lambda: any(one.method == "NOTIFY" and one.header("Event") == "check-sync" for one in desk.messages), 10, "the order to fetch")
    assert device.start().port == new and reload.tell_of_port() == 0, "told until it has the file, not longer"

    phones.exchange = ("127.0.0.1", new)
    desk, other = register(phones, device), phone(bruno)
    call = desk.call("1002")
    assert call.talks_with(other.answer())
    call.hang_up()


def test_other_voice_ports_hold_for_the_next_call_and_the_call_that_is_up_keeps_its_own(pbx, phone, carla):
    """SYS-07: the range is in what callers are told, and the firewall has the old one only while somebody may still talk on it."""
    ana, bruno, carlos, dora = (make_extension(number) for number in ("1001", "1002", "1003", "1004"))
    pbx.apply()
    machine = settings.load()
    before, begin = ports.listening(machine), machine.rtp_end + 1001
    begin += begin % 2
    one, other, second, last = phone(ana), phone(bruno), phone(carlos), phone(dora)
    call = one.call("1002")
    there = other.answer()
    assert call.talks_with(there)
    assert carla.api("PATCH", "/api/v1/sip", {"rtp_start": begin, "rtp_end": begin + 99}).status_code == 200
    pbx.apply()
    assert not applying.waiting_restart(), "voice needs no restart"
    assert {f"voice {before.rtp_start}-{before.rtp_end}", f"voice {begin}-{begin + 99}"} <= set(open_ports())
    another = second.call("1004")
    answered = last.answer()
    assert another.talks_with(answered) and call.talks_with(there)
    assert begin <= answered.invite.sdp.port <= begin + 99, answered.invite.sdp.text
    assert before.rtp_start <= there.invite.sdp.port <= before.rtp_end
    for begun, end in ((call, there), (another, answered)):
        begun.hang_up()
        end.wait_ended()
    wait(lambda: not applying.calls_up(), 10)
    assert [line for line in open_ports() if line.startswith("voice")] == [f"voice {begin}-{begin + 99}"]


def test_few_ports_of_the_environment_keep_nobody_from_saving_the_page(app, carla, monkeypatch):
    """SYS-07: and the first start, which makes the row, works."""
    monkeypatch.setenv("BENTEVI_RTP_PORTS", "10000-10009")
    assert carla.api("PATCH", "/api/v1/sip", {"local_networks": ["10.0.0.0/8"]}).status_code == 200
    assert carla.api("PATCH", "/api/v1/sip", {"rtp_start": 10002}).status_code == 422


def test_ports_that_cannot_be_are_refused_at_their_field(pbx, carla):
    """SYS-07: among the voice ports, too few of them, below 1024, or another program's; nothing is stored."""
    machine = settings.load()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        wrong = {
            "sip_port": [{"sip_port": 80}, {"sip_port": machine.rtp_start + 2}, {"sip_port": held.getsockname()[1]}, {"sip_port": machine.https_port}, {"sip_port": "cinco"}],
            "rtp_end": [{"rtp_start": 12000, "rtp_end": 12010}, {"rtp_start": 12000, "rtp_end": 11000}, {"rtp_end": 70000}],
            "rtp_start": [{"rtp_start": 1000}, {"rtp_start": machine.rtp_end}],
        }
        for field, bodies in wrong.items():
            for body in bodies:
                answer = carla.api("PATCH", "/api/v1/sip", body)
                assert answer.status_code == 422 and field in str(answer.json), (body, answer.json)
        assert str(held.getsockname()[1]) in str(carla.api("PATCH", "/api/v1/sip", {"sip_port": held.getsockname()[1]}).json)
    assert sip().ports() == ports.of_machine(machine)
