"""Pages, API and commands about addresses."""

import http.client
import re
import time

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from appliance import changes, closed, ports, settings
from appliance.address_policy import bans
from appliance.address_rules import model as rules
from appliance.address_rules.model import AddressRule
from appliance.addresses import force, watch
from appliance.changes import Change
from appliance.cli import bentevi
from appliance.closed import PAGES, SIP
from appliance.db import db
from appliance.errors import Refused
from os_image.firstboot import firewall
from tests.build import make, make_trunk, make_user
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("addresses")

OUTSIDE = "198.51.100.7"
FROM_OUTSIDE = {"REMOTE_ADDR": OUTSIDE}


def banned(address=OUTSIDE, kind=SIP, users=("1001", "1002")):
    ban = bans.put(address, kind, list(users), 20)
    db.session.commit()
    return ban


def until(condition, seconds=20):
    ends_at = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends_at:
        db.session.rollback()
        time.sleep(0.05)
    assert condition()


def test_a_blocked_network_opens_neither_pages_nor_api_nor_files_of_telephones(carla, app):
    """SYS-08: in force from the save on, by the running home's own worker."""
    assert carla.get("/login", environ_base=FROM_OUTSIDE).status_code != 403
    assert carla.send("/address_rules/new", {"address": "198.51.100.99/24", "action": "block", "description": "Varredura"}).status_code == 302
    until(lambda: closed.keeps_out(OUTSIDE))
    for path in ("/login", "/", "/api/v1/extensions", "/provisioning/yealink/x.cfg", "/static/theme.js"):
        assert carla.get(path, environ_base=FROM_OUTSIDE).status_code == 403, path
    assert carla.get("/login", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code != 403
    row = db.session.scalar(select(AddressRule))
    assert row.address == "198.51.100.0/24"
    carla.send(f"/address_rules/{row.id}/delete")
    until(lambda: not closed.keeps_out(OUTSIDE))


def test_the_administrators_own_address_cannot_be_blocked_by_mistake(carla):
    """SYS-08: by page and API, and with the way out in the message."""
    form = {"address": "198.51.100.0/24", "action": "block", "description": ""}
    answer = carla.post("/address_rules/new", data={"csrf_token": carla.csrf(), **form}, environ_base=FROM_OUTSIDE)
    assert answer.status_code == 422 and OUTSIDE in text_of(answer)
    answer = carla.open("/api/v1/address_rules", method="POST", json=form, headers={"X-CSRFToken": carla.csrf()}, environ_base=FROM_OUTSIDE)
    assert answer.status_code == 422 and OUTSIDE in answer.json["fields"]["address"]
    assert not rules.rules()
    make("address_rules", address=OUTSIDE, action="allow")
    answer = carla.post("/address_rules/new", data={"csrf_token": carla.csrf(), **form}, environ_base=FROM_OUTSIDE)
    assert answer.status_code == 302
    own = db.session.scalar(select(AddressRule).where(AddressRule.address == OUTSIDE))
    carla.post(f"/address_rules/{own.id}/delete", data={"csrf_token": carla.csrf()}, environ_base=FROM_OUTSIDE)
    db.session.rollback()
    assert db.session.get(AddressRule, own.id), "without it the wider block would lock out who deletes it"


def test_the_machine_itself_cannot_be_blocked():
    """SYS-08: neither by page nor by file nor by command."""
    for text in ("127.0.0.1", "127.0.0.0/8", "0.0.0.0/0", "::1", "::/0"):
        with pytest.raises(Refused):
            make("address_rules", address=text, action="block")
        db.session.rollback()
    assert CliRunner().invoke(bentevi, ["addresses", "block", "127.0.0.0/8"]).exit_code == 2
    assert not rules.rules()


def test_bans_are_listed_with_reason_and_users_and_lifted_by_a_button(carla):
    """USR-36: address, why, users tried, since, until, unblock; written into the trail."""
    ban = banned(users=[f"user{number}" for number in range(30)])
    force.put()
    page = text_of(carla.get("/addresses"))
    assert OUTSIDE in page and "user0" in page and "user19" in page and "user20" not in page
    carla.send(f"/addresses/{ban.id}/unblock")
    db.session.rollback()
    carla.get("/addresses")  # says that it may come in again
    assert not bans.standing() and OUTSIDE not in text_of(carla.get("/addresses"))
    lifted = db.session.scalar(select(Change).where(Change.word == "addresses", Change.action == "unblocked"))
    assert lifted.row_title == OUTSIDE and lifted.user_name == "Carla"
    assert carla.send(f"/addresses/{ban.id}/unblock").status_code == 404


def test_allow_for_ever_makes_a_rule_and_ends_the_ban(carla):
    """USR-36, SYS-08."""
    ban = banned()
    carla.send(f"/addresses/{ban.id}/allow")
    db.session.rollback()
    assert not bans.standing() and rules.rules()[0][1] == "allow"


def test_only_who_has_the_menu_sees_and_lifts_bans(client, carla):
    """USR-36: permission on the server, for pages and API."""
    ban = banned()
    davi = person(client, "davil", access_level="user", modules=["now"])
    for method, path in (("GET", "/addresses"), ("GET", "/api/v1/addresses"), ("POST", f"/addresses/{ban.id}/unblock"), ("POST", f"/addresses/{ban.id}/allow"),
                         ("DELETE", f"/api/v1/addresses/{ban.id}")):
        assert davi.open(path, method=method, data={"csrf_token": davi.csrf()}, headers={"X-CSRFToken": davi.csrf()}).status_code == 403, path
    db.session.rollback()
    bruno = person(client, "bruno", modules=["addresses"])
    assert "Liberar para sempre" not in text_of(bruno.get("/addresses"))
    assert bruno.send(f"/addresses/{ban.id}/allow").status_code == 403
    assert carla.get("/api/v1/addresses").json["rows"][0]["users"] == ["1001", "1002"]
    assert carla.api("DELETE", f"/api/v1/addresses/{ban.id}").status_code == 204
    db.session.rollback()
    assert not bans.standing()


def test_a_ban_ends_by_itself_and_is_in_the_rows_so_that_no_restart_forgets_it():
    """USR-36."""
    ban = banned(kind=PAGES)
    assert bans.put(OUTSIDE, PAGES, ["x"], 1) is None, "told twice it bans once"
    db.session.rollback()
    force.put()
    assert closed.keeps_out(OUTSIDE)
    closed.file().unlink()  # as after a start on another machine
    force.put()
    assert closed.keeps_out(OUTSIDE)
    ban.until = ban.since
    db.session.commit()
    force.put()
    assert not closed.keeps_out(OUTSIDE)


def test_the_page_lists_the_ports_that_are_open(carla):
    """TRK-07: those the firewall is told, and those of the pages."""
    machine = settings.load()
    page = text_of(carla.get("/addresses"))
    used = ports.listening(machine)
    assert re.search(rf"{machine.http_port}, {machine.https_port} TCP .* {used.sip} UDP, TCP .* {used.rtp_start}-{used.rtp_end} UDP", page), page
    assert firewall.ports(used.lines()) == {"sip": [(used.sip, used.sip)], "voice": [(used.rtp_start, used.rtp_end)]}


def test_wrong_logins_of_different_people_close_the_pages_for_an_address(client):
    """USR-36: the spec's hour, from an address outside; SIP stays open; the lock of one person stays what it is (USR-35)."""
    make_user("ana.silva")
    for number in range(9):
        client.post("/login", data={"csrf_token": client.csrf("/login"), "login": f"user{number}", "password": "x"}, environ_base=FROM_OUTSIDE)
    assert not bans.standing()
    client.post("/login", data={"csrf_token": client.csrf("/login"), "login": "ana.silva", "password": "x"}, environ_base=FROM_OUTSIDE)
    db.session.rollback()
    ban = bans.standing()[0]
    assert (ban.address, ban.kind, ban.users_count) == (OUTSIDE, PAGES, 10) and (ban.until - ban.since).seconds == 3600
    assert client.get("/login", environ_base=FROM_OUTSIDE).status_code == 403
    assert not [network for network in force.decided()[SIP]]


def test_a_local_network_is_never_blocked_for_wrong_logins_by_default(client):
    """USR-36."""
    for number in range(12):
        client.post("/login", data={"csrf_token": client.csrf("/login"), "login": f"user{number}", "password": "x"}, environ_base={"REMOTE_ADDR": "192.168.0.44"})
    db.session.rollback()
    assert not bans.standing()


def test_an_allowed_address_outranks_its_ban():
    """SYS-08."""
    banned(kind=PAGES)
    make("address_rules", address="198.51.100.0/24", action="allow")
    force.put()
    assert not closed.keeps_out(OUTSIDE)


def test_support_lists_unblocks_blocks_and_allows_at_the_console():
    """USR-36: bentevi addresses."""
    banned()
    run = CliRunner().invoke
    assert OUTSIDE in run(bentevi, ["addresses", "list"]).output
    assert '"tries": 20' in run(bentevi, ["addresses", "list", "--json"]).output
    assert run(bentevi, ["addresses", "unblock", OUTSIDE]).exit_code == 0
    assert run(bentevi, ["addresses", "block", "203.0.113.0/24", "--description", "Varredura"]).exit_code == 0
    assert closed.keeps_out("203.0.113.9")
    assert run(bentevi, ["addresses", "unblock", "203.0.113.9"]).exit_code == 2, "a rule still blocks it, and that is said"
    assert run(bentevi, ["addresses", "allow", "203.0.113.9"]).exit_code == 0
    assert not closed.keeps_out("203.0.113.9") and closed.keeps_out("203.0.113.8")
    assert run(bentevi, ["addresses", "unblock", "nobody"]).exit_code == 2
    db.session.rollback()
    assert not bans.standing()
    changes.actor.set(changes.NOBODY)


def test_a_closed_address_opens_no_stream_through_nginx(carla):
    """SYS-08: what the streams are told of the address is nginx's word, not the browser's."""
    machine = settings.load()

    def status(headers, source="127.0.0.9"):
        line = http.client.HTTPConnection("127.0.0.1", machine.http_port, timeout=10, source_address=(source, 0))
        line.request("GET", "/live/exchange", headers=headers)
        answer = line.getresponse()
        line.close()
        return answer.status

    cookie = {"Cookie": f"bentevi_{machine.http_port}={carla.token}"}
    assert status(cookie) == 200
    make("address_rules", address="127.0.0.9", action="block")
    db.session.commit()
    force.put()
    assert status(cookie) == 403 and status(cookie | {"X-Forwarded-For": "127.0.0.1"}) == 403
    assert status(cookie, "127.0.0.1") == 200


def test_the_policy_has_bounds(carla):
    """USR-36."""
    for name, value in (("users_count", 2), ("tries_count", 4), ("window_minutes", 0), ("ban_minutes", 43201)):
        assert carla.api("PATCH", "/api/v1/address_policy", {name: value}).status_code == 422, name
    assert carla.api("PATCH", "/api/v1/address_policy", {"users_count": 3}).status_code == 200


def test_carriers_are_spared():
    """USR-36: the host of a trunk is never banned by itself."""
    make_trunk("Operadora", 5099, host="198.51.100.20")
    assert "198.51.100.20" in watch.spared()


def test_twenty_wrong_sip_passwords_from_outside_ban_under_the_default_policy_and_an_event_told_twice_counts_once():
    """USR-36: an address outside the local networks; the twentieth try, not the tenth told twice."""
    watching = watch.Watch()
    for number in range(20):
        db.session.rollback()
        assert not bans.standing()
        event = {"Event": "ChallengeResponseFailed", "Service": "PJSIP", "AccountID": "1001", "EventTV": str(number), "RemoteAddress": f"IPV4/UDP/{OUTSIDE}/5060"}
        for _told in range(2 if number < 19 else 1):
            watching.look(event)
    db.session.rollback()
    ban = bans.standing()[0]
    assert (ban.address, ban.kind, ban.tries_count, ban.users) == (OUTSIDE, SIP, 20, ["1001"])
    assert [str(network) for network in force.decided()[SIP]] == [f"{OUTSIDE}/32"] and not closed.keeps_out(OUTSIDE)
