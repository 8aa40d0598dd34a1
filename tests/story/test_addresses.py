"""Who may not use SIP, with real telephones: each at an address of its own (127.0.0.x)."""

import time

import pytest
from sqlalchemy import select

from appliance import live
from appliance.address_policy import bans
from appliance.address_policy.bans import Ban
from appliance.addresses import force
from appliance.db import db
from appliance.resource import TABLE
from tests.addresses.conftest import addresses
from tests.build import change, make, make_extension, make_inbound_route, make_trunk
from tests.phones import Phone
from tests.rows import first_start_rows

__all__ = ["addresses"]
pytestmark = [pytest.mark.pbx, pytest.mark.usefixtures("addresses")]
OFFICE, STRANGER = "127.0.0.61", "127.0.0.66"


@pytest.fixture
def counts_here(addresses):
    """Local networks count too, because the tests run on one."""
    change(TABLE["address_policy"].find(""), include_local=True)
    time.sleep(6)  # the listening process believes a policy for five seconds


def guess(phones, pbx, host, users, password="wrong", times=1):
    """Register with wrong passwords from an address; the last answer."""
    status = 0
    for user in users:
        handset = phones.keep(Phone(user, password, pbx.address, host=host))
        for _time in range(times):
            status = handset.register()
            time.sleep(0.003)  # what Asterisk tells twice in one thousandth of a second counts once
    return status


def wait_ban(address, seconds=20):
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        db.session.rollback()
        found = db.session.scalar(select(Ban).where(Ban.address == address))
        if found:
            db.session.expunge(found)
        db.session.rollback()  # a reader of ours must not hold up who writes
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{address} was not banned")


def wait_status(handset, status, seconds=20):
    """Until registering ends so."""
    ends_at = time.monotonic() + seconds
    while handset.register() != status:
        assert time.monotonic() < ends_at
        time.sleep(0.1)


def test_a_blocked_network_cannot_register_nor_call_while_a_call_that_is_up_goes_on(pbx, phones, phone):
    """SYS-08: at once, without an apply; unblocked, it registers again."""
    ana, bruno = make_extension("1001"), make_extension("1002")
    pbx.apply()
    inside, outside = phone(ana), phone(bruno, host=OFFICE)
    call = inside.call("1002")
    there = outside.answer()
    assert call.talks_with(there)
    row = make("address_rules", address="127.0.0.60/30", action="block")
    db.session.commit()
    force.put()
    assert outside.register() == 403
    assert call.talks_with(there), "what is up goes on"
    assert outside.call("1001").wait_refused() == 403
    assert inside.register() == 200
    TABLE["address_rules"].delete(row)
    db.session.commit()
    force.put()
    assert outside.register() == 200
    call.hang_up()
    there.wait_ended()


def test_blocks_are_in_force_again_when_asterisk_starts(pbx, phones):
    """SYS-08, USR-36."""
    make_extension("1001")
    pbx.apply()
    make("address_rules", address=OFFICE, action="block")
    bans.put(STRANGER, "sip", ["1001"], 20)
    db.session.commit()
    force.put()
    before = pbx.pid()
    pbx.ask("core stop now")
    ends_at = time.monotonic() + 60
    while (pbx.pid() == before or not pbx.is_booted()) and time.monotonic() < ends_at:
        time.sleep(0.1)
    for host, status in ((OFFICE, 403), (STRANGER, 403), ("127.0.0.70", 200)):
        assert phones.keep(Phone("1001", "secret-1001", pbx.address, host=host)).register() == status, host


def test_twenty_wrong_registers_block_an_address_for_an_hour_until_it_is_unblocked(pbx, phones, phone, carla, counts_here):
    """USR-36: the spec's proof; the panel lists it with a button, and the button lets it in."""
    ana = make_extension("1001")
    pbx.apply()
    guess(phones, pbx, STRANGER, ["1001"], times=20)
    ban = wait_ban(STRANGER)
    assert ban.users == ["1001"] and (ban.until - ban.since).seconds == 3600
    good = phones.keep(Phone("1001", "secret-1001", pbx.address, host=STRANGER))
    wait_status(good, 403)
    assert phone(ana).registered_code == 200, "others are not concerned"
    assert STRANGER in carla.get("/addresses").text
    carla.send(f"/addresses/{ban.id}/unblock")
    wait_status(good, 200)


def test_different_users_from_one_address_block_it(pbx, phones, counts_here):
    """USR-36: counted by different users tried."""
    pbx.apply()
    guess(phones, pbx, STRANGER, [f"30{number:02}" for number in range(20)])
    assert len(wait_ban(STRANGER).users) >= 5


def test_one_telephone_with_an_old_password_does_not_lock_its_office_out(pbx, phones, phone, counts_here):
    """USR-36: 200 tries, and its neighbour at the same address goes on."""
    ana, _bruno = make_extension("1001"), make_extension("1002")
    pbx.apply()
    neighbour = phone(ana, host=OFFICE)
    ends_at = time.monotonic() + 10
    while not live.row("extensions", "1001").get("contacts") and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert guess(phones, pbx, OFFICE, ["1002"], times=200) == 401
    guess(phones, pbx, STRANGER, ["1002"], times=20)
    wait_ban(STRANGER)  # events come in order: the office's were counted before
    assert not bans.of_address(OFFICE)
    assert neighbour.register() == 200


@pytest.mark.long
def test_local_networks_are_never_blocked_by_default(pbx, phones):
    """USR-36."""
    make_extension("1001")
    pbx.apply()
    time.sleep(6)
    guess(phones, pbx, STRANGER, ["1001"], times=25)
    guess(phones, pbx, STRANGER, [f"30{number:02}" for number in range(20)])
    change(TABLE["address_policy"].find(""), include_local=True)
    time.sleep(6)
    guess(phones, pbx, "127.0.0.67", ["1001"], times=20)
    wait_ban("127.0.0.67")
    assert not bans.of_address(STRANGER)


def test_answers_do_not_tell_extensions_that_exist_from_others(pbx, phones):
    """USR-36: the same codes, headers and lengths, for REGISTER and INVITE."""
    make_extension("1001")
    pbx.apply()
    for method in ("register", "call"):
        shapes = []
        for user in ("1001", "3999"):
            handset = phones.keep(Phone(user, "wrong", pbx.address, host=STRANGER))
            if method == "register":
                handset.register()
            else:
                handset.call("1001").wait_refused()
            answers = [seen.message for seen in handset.seen if not seen.sent]
            shapes.append([(answer.status, [line.partition(":")[0] for line in str(answer).splitlines()[1:]], len(answer.header("www-authenticate"))) for answer in answers])
        assert shapes[0] == shapes[1] and {status for status, *_more in shapes[0]} <= {100, 401}


def test_a_stranger_who_calls_as_if_he_were_a_trunk_is_refused_and_counted(pbx, phones, phone, carrier, counts_here):
    """TRK-10: the same INVITE from another address is refused and counted; the carrier itself never is."""
    ana = make_extension("1001")
    make_trunk("A", carrier.port)
    make_inbound_route("Entrada", "A", {"default": True, "destination": {"extension": "1001"}})
    pbx.apply()
    handset = phone(ana)
    for number in range(24):
        stranger = phones.keep(Phone(f"trunk-{number}", "x", pbx.address, host=STRANGER))
        stranger.credentials = None
        assert stranger.call("4830139018").wait_refused() in (401, 403)
    assert "trunk-9" in wait_ban(STRANGER).users
    assert carrier.call("4830139018", caller="48999998888").talks_with(handset.answer())


def test_the_counts_and_rows_of_these_tests_are_gone_afterwards():
    first_start_rows()
    assert not bans.standing()
