"""Applying under calls, going back, and what Asterisk must restart for."""

import random
import re
import time

import pytest

from appliance import applying, changes, snapshots
from appliance.db import db
from appliance.resource import TABLE
from appliance.revisions.model import newest_number
from tests.build import change, make_class, make_extension, make_outbound_route, make_profile, make_trunk, sip

pytestmark = pytest.mark.pbx


def test_pending_changes_have_authors_until_they_are_applied(pbx):
    """Saving marks rows pending; applying puts all of all authors into force."""
    changes.actor.set(changes.Actor("Ana", 1))
    make_extension("1000")
    make_extension("1001")
    changes.actor.set(changes.Actor("Bruno", 2))
    make_extension("1002")
    assert changes.pending_by_author() == [("Ana", 2), ("Bruno", 1)]
    pbx.apply()
    assert changes.pending() == []


def test_rollback_brings_back_rows_with_todays_secrets(pbx, phones, phone):
    """Rollback makes a new revision; a deleted extension comes back with its secret, a changed secret stays changed."""
    ana, bruno = make_extension("1000", name="Ana"), make_extension("1001")
    pbx.apply()
    number = newest_number()
    change(ana, name="Outra", password="today-1000")
    TABLE["extensions"].delete(bruno)
    make_extension("1002")
    pbx.apply()
    snapshots.restore(number)
    db.session.commit()
    pbx.apply()
    assert newest_number() == number + 2
    assert TABLE["extensions"].find("1000").name == "Ana" and TABLE["extensions"].find("1002") is None
    handset, back = phones.phone("1000", "today-1000"), phones.phone("1001", "secret-1001")
    assert handset.call("1001").talks_with(back.answer())
    assert phones.unregistered("1002", "secret-1002").register() in (401, 403)


def test_one_row_comes_back_from_an_older_revision(pbx):
    """The screen restores one row from an older revision."""
    ana, bruno = make_extension("1000", name="Ana"), make_extension("1001", name="Bruno")
    pbx.apply()
    number = newest_number()
    change(ana, name="Outra")
    change(bruno, name="Outro")
    assert snapshots.restore_row("extensions", ana.id, number)
    db.session.commit()
    assert (ana.name, bruno.name) == ("Ana", "Outro")


def test_a_registered_phone_does_not_make_its_own_change_look_wrong(pbx, phone):
    """Read-back compares what the file says, not where phones registered from: the aor of a registered phone changes."""
    ana = make_extension("1000")
    pbx.apply()
    phone(ana)
    change(ana, devices=3)
    pbx.apply()
    assert re.search(r"max_contacts +: 3", pbx.ask("pjsip show aor 1000"))


@pytest.mark.parametrize("count", [8, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_random_edits_load_without_error_under_a_call(pbx, phone, carrier, count):
    """SYS-17: files always load, a bad edit leaves the former files, and the call that is up hears everything."""
    rng = random.Random(17)
    trunk = make_trunk("A", carrier.port)
    make_outbound_route("Local", {"mask": "9XXXXXXXX", "trunk": "A"})
    profile = make_profile("Completo", "Local").name
    ana, bruno = make_extension("1000", dialing_profile=profile), make_extension("1001")
    single = make_class("Outra")
    pbx.apply()
    handset, other = phone(ana), phone(bruno)
    call = handset.call("1001")
    there = other.answer()
    assert call.talks_with(there)
    edits = [
        lambda number: make_extension(str(2000 + number), name=rng.choice(["Zé \"do\" Bar;", "a" * 80, "Ção <1>", "x]y[z"])),
        lambda number: change(ana, name=f"Ana {number}"),
        lambda number: change(trunk, caller_id=f"48{number:08d}", codecs=rng.choice([["alaw"], ["ulaw", "alaw"]])),
        lambda number: change(single, ring_timeout_seconds=5 + number % 60, nat=rng.random() < 0.5),
        lambda number: make_outbound_route(f"Rota {number}", {"mask": f"8{number:05d}X.", "trunk": "A", "strip": number % 5}),
    ]
    for number in range(count):
        rng.choice(edits)(number)
        pbx.apply()
    assert call.talks_with(there)


def test_external_address_waits_for_the_call_to_end_and_then_holds(pbx, phone):
    """TRK-20: with an external IP the SDP and Contact to an outside peer carry it, to the local network the local address;
    Asterisk restarts for it only when no call is up."""
    ana, bruno = make_extension("1000"), make_extension("1001")
    pbx.apply()
    handset, other = phone(ana), phone(bruno, host="127.0.0.2")
    call, first = handset.call("1001"), pbx.pid()
    there = other.answer()
    assert call.talks_with(there) and "IN IP4 127.0.0.1" in there.invite.sdp.text
    sip(nat=True, external_ip="203.0.113.7", local_networks=["127.0.0.1/32"])
    pbx.apply()
    assert applying.waiting_restart() and call.talks_with(there)
    call.hang_up()
    there.wait_ended()
    _wait(lambda: not applying.calls_up())
    applying.restart()
    _wait(lambda: pbx.pid() != first and pbx.is_booted())
    second = pbx.pid()
    handset.register()
    other.register()
    handset.call("1001")
    ringing = other.wait_ringing()
    assert "IN IP4 203.0.113.7" in ringing.invite.sdp.text and "203.0.113.7" in ringing.header("Contact")
    ringing.reject(486)
    sip(local_networks=["127.0.0.0/8"])
    pbx.apply()
    _wait(lambda: pbx.pid() != second and pbx.is_booted())
    handset.register()
    other.register()
    handset.call("1001")
    assert "IN IP4 127.0.0.1" in other.wait_ringing().invite.sdp.text


def _wait(ready, seconds=30.0):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it did not come"
        db.session.rollback()
        time.sleep(0.1)
