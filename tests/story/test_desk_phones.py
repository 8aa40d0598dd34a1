"""Desk phones out of their box: they fetch their files, register with what stands in them, call, and come when they are told."""

import pytest

from appliance import live
from appliance.db import db
from appliance.desk_phones import doors
from tests.build import change, make_extension
from tests.desk_phones.conftest import fresh_limits  # noqa: F401  the same fixture
from tests.desk_phones.devices import KINDS, plain
from tests.desk_phones.test_rules import make_phone

pytestmark = pytest.mark.pbx


def in_its_box(extension, kind, mac="00:0b:82:12:34:56"):
    """A phone of a brand for this extension, let in: (row, device)."""
    reader, model = KINDS[kind]
    row = make_phone(extension, mac=mac, model=model)
    secret = doors.open_window(row)
    db.session.commit()
    return row, reader(row.brand, row.mac, f"{plain(row.brand)}{secret}/")


def register(phones, device):
    """A SIP phone with exactly what the file said."""
    account = device.account
    assert (account.server, account.port) == phones.exchange and account.user == account.auth
    return phones.phone(account.user, account.password)


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_out_of_its_box_registers_calls_and_lists_the_extensions(pbx, phones, phone, kind):
    """EXT-09, EXT-12, SYS-01 to SYS-05: nothing is typed but one address. The phone book is in the order of names; who is hidden is not in
    it and still rings when dialled; a new extension is there after the next refresh."""
    ana = make_extension("1001", name="Ana & Filhos", provisioning=True)
    hidden, zeca = make_extension("1002", name="Diretoria", hide_in_phonebook=True), make_extension("1003", name="zeca")
    pbx.apply()
    _row, device = in_its_box(ana, kind)
    assert device.start().name == "Ana & Filhos"
    desk, there, last = register(phones, device), phone(hidden), phone(zeca)
    assert device.phonebook() == [("Ana & Filhos", "1001"), ("zeca", "1003")]
    for number, other in (("1002", there), ("1003", last)):
        call = desk.call(number)
        answered = other.answer()
        assert call.talks_with(answered)
        call.hang_up()
    back = last.call("1001")
    assert back.talks_with(desk.answer())
    back.hang_up()
    make_extension("1004", name="Ágata")
    change(zeca, hide_in_phonebook=True)
    assert device.phonebook() == [("Ágata", "1004"), ("Ana & Filhos", "1001")]


EVENTS = {"khomp": "check-sync;reboot=false", "grandstream": "check-sync", "intelbras": "check-sync", "intelbras S": "check-sync;reboot=false"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_is_told_to_reload_and_comes_back_with_the_new_password(pbx, phones, carla, kind):
    """EXT-09, SYS-02 to SYS-04: by the button and by the API the phone gets the event its firmware knows, and fetches its file."""
    ana = make_extension("1001", name="Ana", provisioning=True)
    pbx.apply()
    row, device = in_its_box(ana, kind)
    device.start()
    desk = register(phones, device)
    desk.wait(lambda: live.row("extensions", "1001").get("contacts"), 10, "its registration in the live state")
    change(ana, password="outra-senha-1001")
    pbx.apply()
    assert carla.api("POST", f"/api/v1/desk_phones/{row.id}/reload", {}).json == {"told": 1}
    notify = _synced(desk, 1)
    assert notify.header("Event") == EVENTS[kind]
    assert device.start().password == "outra-senha-1001"
    again = register(phones, device)
    carla.send(f"/desk_phones/{row.id}/reload", {})
    assert _synced(again, 1).header("Event") == EVENTS[kind]
    carla.send("/desk_phones/_reload", {})
    assert _synced(again, 2)


def _synced(desk, count):
    """The newest of so many orders to reload."""

    def came():
        return [one for one in desk.messages if one.method == "NOTIFY" and one.header("Event").startswith("check-sync")]

    desk.wait(lambda: len(came()) >= count, 10, f"{count} NOTIFY")
    return came()[-1]


def test_a_phone_moved_to_another_extension_is_told_where_it_still_is(pbx, phones, carla):
    """EXT-09: after a change of the row the phone is still registered as before; it is told there, and becomes the other one."""
    ana, bia = make_extension("1001", provisioning=True), make_extension("1002", name="Bia", provisioning=True)
    pbx.apply()
    row, device = in_its_box(ana, "grandstream")
    device.start()
    desk = register(phones, device)
    desk.wait(lambda: live.row("extensions", "1001").get("contacts"), 10, "its registration in the live state")
    change(row, extension=bia.number)
    assert carla.api("POST", f"/api/v1/desk_phones/{row.id}/reload", {}).json == {"told": 1}
    assert _synced(desk, 1)
    assert device.start().user == "1002"
    assert register(phones, device).registered_code == 200


def test_a_registered_phone_fetches_its_file_at_another_address(pbx, phones, client):
    """SYS-01: DHCP may give a phone another address; where its extension is registered, its own secret opens its file."""
    ana = make_extension("1001", provisioning=True)
    pbx.apply()
    row = make_phone(ana)
    secret = doors.open_window(row)
    db.session.commit()
    first = client.get(f"/provisioning/grandstream/{secret}/cfg000b82123456.xml", headers={"X-Forwarded-For": "192.168.7.7"})
    device = KINDS["grandstream"][0]("grandstream", row.mac)
    device.account = device.read(first.text)
    own = f"/provisioning/{device.account.address.split('/provisioning/')[1]}cfg000b82123456.xml"
    assert client.get(own).status_code == 404, "127.0.0.1 is not where it was"
    desk = phones.phone("1001", device.account.password)
    desk.wait(lambda: live.row("extensions", "1001").get("contacts"), 10, "its registration in the live state")
    assert client.get(own).status_code == 200
