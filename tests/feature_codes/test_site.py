"""The sections of the site file that this part of the exchange has."""

import pytest

from appliance import sitefile
from appliance.conference_rooms import config as conference_rooms
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import SINGLE_ID, TABLE

pytestmark = pytest.mark.usefixtures("app")

SITE = """bentevi: 1
extension_classes:
  - {name: Padrão, voicemail: true, follow_me: true, lock: true, password_call: false}
extensions:
  - {number: "1000", name: Ana, password: "Troque-1000-isto", class: Padrão}
  - {number: "1001", name: Bruno, password: "Troque-1001-isto", class: Padrão}
users:
  - {name: Ana Souza, login: ana.souza, password: "Ana@Padaria4", extension: "1000", feature_pin: "2580"}
internal_routes:
  - {name: Recados, rules: [{mask: "88", destination: {voicemail: "1000"}}, {mask: "89", destination: {conference_room: "4000"}}]}
conference_rooms:
  - {number: "4000", name: Sala da diretoria, pin: "4821", recording: none}
scheduled_conferences:
  - {subject: Reunião de segunda, recording: all, opens_at: "2026-11-23 09:00", closes_at: "2026-11-23 10:00"}
follow_me:
  - {number: "1001", unavailable_from: any, unavailable_to: "1000"}
feature_codes: {blind_transfer: "##", attended_transfer: "**", park: "#72", ad_hoc_conference: "*2", group_pickup: "*8", directed_pickup: "*7"}
"""


def load(text):
    report = sitefile.load(text, skip_unavailable=True)
    db.session.commit()
    return report


def test_a_site_with_codes_mailboxes_and_conferences():
    """EXT-16, FEA-01, FEA-13, FEA-20 to FEA-22, PAN-18: a class with voicemail is enough for the destination; what is not built is left out and
    listed; a password that was not given is generated once; the second time changes nothing; an export holds no secret."""
    report = load(SITE)
    assert [one for one in report.skipped if "ad_hoc_conference" in one] and len(report.skipped) == 1
    shown = TABLE["internal_routes"].show(next(iter(TABLE["internal_routes"].rows())))["rules"]
    assert [line["destination"] for line in shown] == [{"voicemail": "1000"}, {"conference_room": "4000"}]
    assert {row.number for row in TABLE["voicemail_boxes"].rows()} == {"1000", "1001"}
    (conference,) = TABLE["scheduled_conferences"].rows()
    pin = conference.pin
    assert len(pin) == 6 and pin in str(report.secrets)
    assert TABLE["scheduled_conferences"].show(conference)["opens_at"] == "2026-11-23 09:00"
    again = load(SITE)
    assert not again.created and not again.updated and conference.pin == pin
    text = sitefile.dump()
    assert "4821" not in text and pin not in text and "argon2" not in text and "feature_pin" not in text
    assert TABLE["feature_codes"].get(SINGLE_ID).directed_pickup == "*7"


def test_a_room_that_is_to_ask_a_pin_has_one_or_is_open_to_nobody():
    """FEA-22: without a PIN it is refused at the form; a site file, which may hold no secrets, brings it closed until the PIN is written."""
    with pytest.raises(Refused) as why:
        TABLE["conference_rooms"].create({"number": "4001", "name": "Aberta"})
    assert "pin" in why.value.messages or why.value.field == "pin"
    db.session.rollback()
    load(SITE.replace('pin: "4821", ', ""))
    (room,) = TABLE["conference_rooms"].rows()
    assert "ConfBridge" not in conference_rooms.extensions_conf() and "Playback(conf-locked)" in conference_rooms.extensions_conf()
    TABLE["conference_rooms"].update(room, {"pin": "4821"})
    assert f"ConfBridge(room-{room.id},bentevi-room,room-{room.id})" in conference_rooms.extensions_conf()
    assert "conf-locked" not in conference_rooms.extensions_conf()
