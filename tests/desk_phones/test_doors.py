"""Who gets a file and who does not: requests to the running exchange, as phones and as others make them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from appliance import db as ground
from appliance import ports, settings
from appliance.db import db, digest
from appliance.desk_phones import doors
from appliance.desk_phones.model import key_of
from tests.build import change, make_extension, sip
from tests.desk_phones.devices import KINDS, plain
from tests.desk_phones.test_rules import make_phone

pytestmark = pytest.mark.usefixtures("app")

GRANDSTREAM = KINDS["grandstream"][0]


@pytest.fixture
def phone():
    return make_phone(make_extension("2001", name="Ana", provisioning=True))


def opened(phone, without_secret=False):
    """The address a person is shown."""
    secret = doors.open_window(phone, without_secret)
    db.session.commit()
    return f"{plain(phone.brand)}{secret}/"


def close_grace(phone):
    """As two minutes later."""
    key_of(phone.id).paired_at = ground.now() - doors.GRACE - timedelta(seconds=1)
    db.session.commit()


@pytest.mark.parametrize("kind", KINDS)
def test_a_known_device_gets_its_file_once_by_the_one_time_address(kind):
    """SYS-01 to SYS-04: the file gives the phone an address of its own, by which it fetches the next; the first address is dead."""
    reader, model = KINDS[kind]
    ana = make_extension("2001", name="Ana", provisioning=True)
    phone = make_phone(ana, model=model)
    first = opened(phone)
    device = reader(phone.brand, phone.mac, first)
    account = device.start()
    assert (account.user, account.auth, account.password, account.name) == ("2001", "2001", "secret-2001", "Ana")
    assert (account.server, account.port) == ("127.0.0.1", settings.load().sip_port)
    assert account.address.startswith(plain(phone.brand)) and account.address != first
    assert set(device.statuses) == {200, 404} and device.statuses.count(200) == 1
    close_grace(phone)
    assert reader(phone.brand, phone.mac, first).start() is None, "the one-time address"
    change(ana, name="Ana Maria")
    again = device.start()
    assert again.name == "Ana Maria" and again.address == account.address


def test_nobody_else_gets_anything_and_all_refusals_are_alike(client, phone):
    """SYS-01: unknown devices, the wrong brand, other devices' files and plain guesses."""
    other = make_phone(make_extension("2002", provisioning=True), mac="00:0b:82:00:00:02", model="IPS 200")
    first = opened(phone)
    secret = first.rstrip("/").rpartition("/")[2]
    key = GRANDSTREAM(phone.brand, phone.mac, first).start().address.rstrip("/").rpartition("/")[2]
    mine, theirs = "cfg000b82123456.xml", "000b82000002.xml"
    opened(other)
    asked = [
        f"grandstream/{mine}", f"khomp/{secret}/{mine}", f"intelbras/{key}/{mine}", f"nobody/{key}/{mine}", f"khomp/{key}/{theirs}", f"khomp/{theirs}",
        f"grandstream/{key}/cfg000b82000002.xml", f"grandstream/{key}/cfgffffffffffff.xml", f"grandstream/{'x' * 27}/{mine}",
        f"grandstream/{'x' * 27}/phonebook.xml", "grandstream/phonebook.xml", "khomp/Enterprise_Phonebook.xml",
        f"grandstream/{key}/../{key}/{mine}x", f"grandstream/{key}/{key}/{mine}", "grandstream/", "x",
    ]
    answers = [client.get(f"/provisioning/{path}", headers={"X-Forwarded-For": f"10.0.{index}.1"}) for index, path in enumerate(asked)]
    said = {(answer.status_code, answer.text, answer.content_type) for answer in answers}
    assert said == {(404, "Not found\n", "text/plain; charset=utf-8")}
    heads = [{name: value for name, value in answer.headers if not name.startswith(("X-RateLimit", "Retry-After"))} for answer in answers]
    assert [head for head in heads if head != heads[0]] == []


def test_without_a_window_there_is_no_password_at_the_address_of_the_brand(phone):
    """SYS-01: what DHCP tells every device opens only while a person says so, only for a known MAC, and only once."""
    device = GRANDSTREAM("grandstream", phone.mac, plain("grandstream"))
    assert device.start() is None
    opened(phone)
    assert device.start() is None, "a window with a secret is for who knows it"
    opened(phone, without_secret=True)
    stranger = GRANDSTREAM("grandstream", "00:0b:82:77:77:77", plain("grandstream"))
    assert stranger.start() is None
    assert device.start().password == "secret-2001"
    close_grace(phone)
    assert GRANDSTREAM("grandstream", phone.mac, plain("grandstream")).start() is None


def test_a_window_ends_by_itself_and_by_hand(phone):
    """SYS-01."""
    first = opened(phone)
    key_of(phone.id).window_until = ground.now() - timedelta(seconds=1)
    db.session.commit()
    assert GRANDSTREAM("grandstream", phone.mac, first).start() is None
    second = opened(phone)
    doors.close_window(phone)
    db.session.commit()
    assert GRANDSTREAM("grandstream", phone.mac, second).start() is None


def test_a_new_window_makes_the_former_address_worthless(phone):
    """SYS-01: a replaced or stolen phone loses its address when its successor is let in."""
    old = GRANDSTREAM("grandstream", phone.mac, opened(phone))
    first = old.start().address
    second = opened(phone)
    assert old.get("phonebook.xml"), "until the successor comes"
    assert GRANDSTREAM("grandstream", phone.mac, second).start().address != first
    old.start()
    assert 200 not in old.statuses and old.get("phonebook.xml") == ""


def test_of_many_who_come_at_once_with_the_secret_one_address_is_served(client, phone):
    """SYS-01: two devices race for one window; it opens for one of them."""
    secret = opened(phone).rstrip("/").rpartition("/")[2]
    path = f"/provisioning/grandstream/{secret}/cfg000b82123456.xml"

    def ask(number):
        return client.application.test_client().get(path, headers={"X-Forwarded-For": f"10.0.9.{number}"}).status_code

    db.session.rollback()
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(ask, range(8)))
    assert sorted(codes) == [200] + [404] * 7


@pytest.mark.parametrize("source,is_served", [("192.168.7.7", True), ("10.1.2.3", True), ("8.8.8.8", False), ("2001:db8::1", False), ("::ffff:10.0.0.1", True)])
def test_only_devices_of_the_local_networks_are_served(client, phone, source, is_served):
    """SYS-01: the networks of the SIP page."""
    secret = opened(phone).rstrip("/").rpartition("/")[2]
    path = f"/provisioning/grandstream/{secret}/cfg000b82123456.xml"
    assert client.get(path, headers={"X-Forwarded-For": source}).status_code == (200 if is_served else 404)
    sip(local_networks=["172.20.0.0/16"])
    assert client.get(path, headers={"X-Forwarded-For": source}).status_code == 404


def test_a_phone_s_own_address_works_from_where_it_is_and_nowhere_else(client, phone):
    """SYS-01: a key that was copied off the wire or out of the phone opens nothing at another place."""
    secret = opened(phone).rstrip("/").rpartition("/")[2]
    here, there = {"X-Forwarded-For": "192.168.7.7"}, {"X-Forwarded-For": "192.168.7.8"}
    text = client.get(f"/provisioning/grandstream/{secret}/cfg000b82123456.xml", headers=here).text
    own = f"/provisioning/{text.split('/provisioning/')[1].split('<')[0]}"
    for file in ("cfg000b82123456.xml", "phonebook.xml"):
        assert client.get(f"{own}/{file}", headers=here).status_code == 200
        assert client.get(f"{own}/{file}", headers=there).status_code == 404


def test_a_device_that_says_it_is_another_one_is_not_believed(client, phone):
    """SYS-03: Grandstream phones name their MAC in each request."""
    secret = opened(phone).rstrip("/").rpartition("/")[2]
    path = f"/provisioning/grandstream/{secret}/cfg000b82123456.xml"
    lies = {"User-Agent": "Grandstream Model HW GXP1628 SW 1.0.4.138 DevId c074ad2bd859"}
    assert client.get(path, headers=lies).status_code == 404
    assert client.get(path, headers={"User-Agent": lies["User-Agent"].replace("c074ad2bd859", "000b82123456")}).status_code == 200


def test_provisioning_off_in_the_extension_closes_everything(phone, carla):
    """EXT-09: the switch on the extension."""
    device = GRANDSTREAM("grandstream", phone.mac, opened(phone))
    device.start()
    change(phone.of_extension(), provisioning=False)
    device.start()
    assert 200 not in device.statuses and device.get("phonebook.xml") == ""
    refused = carla.api("POST", f"/api/v1/desk_phones/{phone.id}/provision", {})
    assert refused.status_code == 422 and "2001" in refused.json["error"]


def test_guesses_are_limited_and_a_right_request_waits_with_them(client, phone):
    """SYS-01: an address that tries MACs is refused for a while, whatever it asks; others are not."""
    secret = opened(phone).rstrip("/").rpartition("/")[2]
    right = f"/provisioning/grandstream/{secret}/cfg000b82123456.xml"
    guesser, neighbour = {"X-Forwarded-For": "192.168.7.66"}, {"X-Forwarded-For": "192.168.7.67"}
    codes = [client.get(f"/provisioning/grandstream/cfg000b82{number:06x}.xml", headers=guesser).status_code for number in range(25)]
    assert codes == [404] * 20 + [429] * 5
    refused = client.get(right, headers=guesser)
    assert (refused.status_code, refused.text) == (429, "Too many requests\n")
    assert client.get(right, headers=neighbour).status_code == 200
    assert [client.get(right, headers=neighbour).status_code for _time in range(30)] == [200] * 30, "who asks rightly is not counted"


def test_a_host_that_is_no_plain_name_gets_nothing_written_into_its_file(client, phone):
    secret = opened(phone).rstrip("/").rpartition("/")[2]
    path = f"/provisioning/grandstream/{secret}/cfg000b82123456.xml"
    assert client.get(path, headers={"Host": "a/b<c>"}).status_code in (400, 404)
    assert "<P237>pabx.example/provisioning/" in client.get(path, headers={"Host": "pabx.example"}).text


def test_no_secret_is_in_a_log_a_row_or_the_trail(client, phone, carla):
    """SYS-01: neither the one-time secret nor the key nor the passwords, in any log of the home; that there was a visit is."""
    first = opened(phone)
    device = GRANDSTREAM("grandstream", phone.mac, first)
    account = device.start()
    device.phonebook()
    device.get("cfg000b82000000.xml")
    secrets = [one.rstrip("/").rpartition("/")[2] for one in (first, account.address)] + [account.password, account.page_password]
    machine = settings.load()
    logs = {str(path): path.read_text(errors="replace") for folder in (machine.log, machine.asterisk / "log") for path in folder.iterdir() if path.is_file()}
    logs |= {path: carla.get(path).text for path in ("/audit", "/audit.csv", f"/desk_phones/{phone.id}", "/api/v1/desk_phones", "/desk_phones")}
    for place, text in logs.items():
        assert not [one for one in secrets if one in text], place
    web = next(text for path, text in logs.items() if path.endswith("web.log"))
    assert f"served configuration of desk_phones {phone.id} (00:0b:82:12:34:56, extension 2001) to 127.0.0.1" in web
    assert "refused configuration for 00:0b:82:00:00:00" in web
    row = key_of(phone.id)
    assert row.pairing_digest == digest(secrets[0]) and row.key == secrets[1] and row.fetched_from == "127.0.0.1" and "GXP1625" in row.fetched_agent


def test_the_sip_port_of_the_exchange_stands_in_the_file(phone):
    """SYS-02, SYS-03: another port is in the next file, so phones register again after a reload."""
    device, machine = GRANDSTREAM("grandstream", phone.mac, opened(phone)), settings.load()
    assert device.start().port == ports.listening(machine).sip
    noted = machine.asterisk / "started.ports"
    before = noted.read_text() if noted.exists() else ""
    noted.write_text(ports.listening(machine)._replace(sip=5999).lines())
    try:
        assert device.start().port == 5999
    finally:
        noted.write_text(before or ports.in_force(machine).lines())
