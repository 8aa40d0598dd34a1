"""Rules of follow-me, and the page of the person it belongs to."""

import pytest

from appliance.db import db
from appliance.errors import Refused
from appliance.follow_me.model import FollowMe
from appliance.follow_me.state import wanted
from appliance.resource import TABLE
from appliance.users import password
from appliance.users.model import by_login
from tests.build import change, make, make_class, make_extension, make_user
from tests.visitor import text_of

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def ana():
    """Extension 1001 of Ana, whose class permits everything, and 1002."""
    make_class("Tudo", follow_me=True, lock=True, voicemail=True)
    make_extension("1002")
    make_extension("1001", **{"class": "Tudo"})
    return make_user("ana.souza", extension="1001")


@pytest.mark.parametrize("origin", ["internal", "external", "any"])
@pytest.mark.parametrize("situation", ["always", "busy", "unavailable"])
def test_nine_combinations_are_what_asterisk_reads(ana, situation, origin):
    """PAN-18: each situation with each origin is one entry, and the others are none."""
    row = make("follow_me", number="1001", **{f"{situation}_from": origin, f"{situation}_to": "1002"})
    assert wanted(row) == {("follow", f"{row.extension_id}-{situation}"): f"{origin}/1002"}


@pytest.mark.parametrize("values,field", [
    ({"number": "1009"}, "number"), ({"number": "1002", "always_from": "any", "always_to": "1001"}, "always_from"),
    ({"number": "1002", "is_locked": True}, "is_locked"), ({"busy_from": "any"}, "busy_to"), ({"busy_from": "any", "busy_to": "1001"}, "busy_to"),
    ({"always_from": "any", "always_to": "0999998888"}, "always_to"), ({"always_from": "any", "always_to": "190"}, "always_to"),
])  # fmt: skip
def test_what_leads_nowhere_is_refused(ana, values, field):
    """EXT-18, EXT-08: an extension without the permission, no number, itself, outside without a profile, emergency."""
    with pytest.raises(Refused) as why:
        make("follow_me", **{"number": "1001"} | values)
    assert field in why.value.messages


def test_it_follows_its_extension(ana):
    """EXT-18, EXT-16: a new number changes the rows of follow-me and mailbox; a deleted extension takes them along."""
    row = make("follow_me", number="1001", is_locked=True)
    extension = TABLE["extensions"].find("1001")
    change(extension, number="1005")
    db.session.expire_all()
    assert row.number == "1005" and TABLE["voicemail_boxes"].find("1005") is not None
    change(ana, extension="")
    TABLE["extensions"].delete(extension)
    db.session.commit()
    assert db.session.query(FollowMe).count() == 0 and not list(TABLE["voicemail_boxes"].rows())


def test_a_mailbox_calls_are_sent_to_keeps_its_extension(ana):
    """EXT-16: the destination {voicemail: number} is a link like any other."""
    change(ana, extension="")
    make("internal_routes", name="Recados", rules=[{"mask": "88", "destination": {"voicemail": "1001"}}])
    with pytest.raises(Refused, match="Recados"):
        TABLE["extensions"].delete(TABLE["extensions"].find("1001"))


def test_the_persons_own_page(ana, client):
    """FEA-20, PAN-18: the person sets the feature password (twice, not too easy), follow-me and lock; the administrator sees the same."""
    browser = client.is_person(ana)
    assert "Nenhuma foi definida" in text_of(browser.get("/own"))
    assert browser.send("/own/pin", {"pin": "2580", "again": "2581"}).status_code == 422
    assert browser.send("/own/pin", {"pin": "1111", "again": "1111"}).status_code == 422
    assert browser.send("/own/pin", {"pin": "2580", "again": "2580"}).location == "/own"
    db.session.expire_all()
    assert password.fits("2580", by_login("ana.souza").feature_pin)
    assert "2580" not in browser.get("/own").text
    refused = browser.send("/own/follow_me", {"always_from": "any", "always_to": "1001", "busy_from": "off", "unavailable_from": "off"})
    assert refused.status_code == 422 and "próprio ramal" in text_of(refused)
    sent = {"is_locked": "yes", "always_from": "external", "always_to": "1002", "busy_from": "off", "unavailable_from": "off"}
    assert browser.send("/own/follow_me", sent).location == "/own"
    assert browser.get("/follow_me").status_code == 403, "of others only with the menu"
    db.session.expire_all()
    row = TABLE["follow_me"].find("1001")
    assert (row.is_locked, row.always_from, row.always_to) == (True, "external", "1002")


def test_messages_are_for_the_person_and_administrators(ana, client):
    """EXT-16, FEA-28: another person, also one who may configure mailboxes, hears nothing."""
    box = TABLE["voicemail_boxes"].find("1001")
    other = make_user("bruno.lima", modules=["voicemail_boxes"])
    assert client.is_person(other).get(f"/api/v1/voicemail_boxes/{box.id}/messages").status_code == 403
    assert "Só a pessoa do ramal" in text_of(client.is_person(other).get(f"/voicemail_boxes/{box.id}"))
    assert client.is_person(ana).get(f"/api/v1/voicemail_boxes/{box.id}/messages").get_json() == []
