"""Who chooses where the messages of a mailbox are sent; what is announced, once and never lost; all folders are shown."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from appliance import db as ground
from appliance import lanes, settings, sitefile
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import SINGLE_ID, TABLE
from appliance.telephony.agi import Asked
from appliance.voicemail_boxes import agi, messages
from appliance.voicemail_boxes.config import voicemail_conf
from appliance.voicemail_boxes.model import VoicemailMessage
from jobs import voicemail_boxes as jobs
from tests.build import change, make_class, make_extension, make_user
from tests.imports import files
from tests.postbox import Postbox
from tests.sounds import tone
from tests.visitor import form_of, person, text_of

THEIRS = "bruno@espiao.example"


@pytest.fixture
def box(app):
    """Ana's mailbox, which tells her of new messages without their sound."""
    ana = make_extension("1001", **{"class": make_class("Com correio", voicemail=True).name})
    make_extension("1002", **{"class": "Com correio"})
    make_user("ana.souza", extension="1001", modules=["voicemail_boxes"])
    return change(TABLE["voicemail_boxes"].find(ana.number), email="ana@padaria.example", attach=False)


def _is(box, **values):
    db.session.expire_all()
    return {name: getattr(box, name) for name in values} == values


def test_who_only_configures_mailboxes_cannot_have_messages_sent_to_an_address(client, carla, box):
    """EXT-16, FEA-28: by form, API, bulk edit and import, for a mailbox that is there, a new one and one taken over; everything else of a
    mailbox may be changed; an administrator and the mailbox's own person may."""
    bruno, box_id, other_id = person(client, "bruno.lima", modules=["voicemail_boxes"], extension="1002"), box.id, TABLE["voicemail_boxes"].find("1002").id
    resource = TABLE["voicemail_boxes"]
    kept = {"email": "ana@padaria.example", "attach": False}
    for values in ({"email": THEIRS}, {"attach": True}):
        refused = bruno.send(f"/voicemail_boxes/{box_id}", form_of(resource.fields, resource.show(box) | values))
        assert refused.status_code == 422 and "1001" in text_of(refused) and _is(box, **kept)
        assert bruno.api("PATCH", f"/api/v1/voicemail_boxes/{box_id}", values).status_code == 422 and _is(box, **kept)
        name, value = next(iter(values.items()))
        form = {"row": str(box_id), "set": name, name: "yes" if value is True else value, "step": "store"}
        assert bruno.send("/voicemail_boxes/_edit", form).status_code == 422 and _is(box, **kept)
        line = {"number": "1001", "email": box.email, "attach": "não", **({"email": THEIRS} if name == "email" else {"attach": "sim"})}
        files.stored("voicemail_boxes", files.written([line]), login="bruno.lima")
        assert _is(box, **kept)
    assert bruno.api("PATCH", f"/api/v1/voicemail_boxes/{box_id}", {"max_messages": 7}).status_code == 200 and _is(box, **kept)
    # The mailbox of one's own, address and all, is not carried over to another extension.
    assert bruno.api("PATCH", f"/api/v1/voicemail_boxes/{other_id}", {"email": THEIRS}).status_code == 200
    assert bruno.api("DELETE", f"/api/v1/voicemail_boxes/{box_id}").status_code == 204
    assert bruno.api("PATCH", f"/api/v1/voicemail_boxes/{other_id}", {"number": "1001"}).status_code == 422
    assert bruno.api("POST", "/api/v1/voicemail_boxes", {"number": "1001", "email": THEIRS}).status_code == 422
    db.session.rollback()
    assert bruno.api("POST", "/api/v1/voicemail_boxes", {"number": "1001"}).status_code == 201
    new = resource.find("1001").id
    assert carla.api("PATCH", f"/api/v1/voicemail_boxes/{new}", {"email": "recepcao@padaria.example"}).status_code == 200
    ana = client.application.test_client().is_person(TABLE["users"].find("ana.souza"))
    assert ana.api("PATCH", f"/api/v1/voicemail_boxes/{new}", {"email": "ana@padaria.example", "attach": True}).status_code == 200
    assert sitefile.load(sitefile.dump(["voicemail_boxes"]).replace("ana@padaria", "ana.souza@padaria")).updated, "a file on the machine is nobody's"
    assert resource.find("1001").email == "ana.souza@padaria.example"


def test_an_announcement_is_written_once_and_outlives_the_worker_that_began_it(app, box):
    """SYS-21: while one writes no second one does; killed before the mail server took it, the message is asked for again after the longest
    time a job may take, and goes out; then never again."""
    with Postbox() as postbox:
        change(TABLE["email"].get(SINGLE_ID), server="127.0.0.1", port=postbox.port, security="none", sender="pabx@padaria.example")
        left(box, "INBOX", "a1")
        messages.look(box)
        row = db.session.scalars(select(VoicemailMessage)).one()
        row.claimed_at = ground.now()  # what a worker leaves that is killed now
        row_id = row.id
        db.session.query(lanes.Outgoing).delete()
        db.session.commit()
        jobs.announce(row_id)
        jobs.look()
        assert not postbox.messages and not asked(row_id)
        db.session.get_one(VoicemailMessage, row_id).claimed_at = ground.now() - messages.CLAIM - timedelta(seconds=1)
        assert messages.ask_again() == 1 and asked(row_id)
        db.session.commit()
        jobs.announce(row_id)
        jobs.announce(row_id)
        assert len(postbox.messages) == 1 and messages.ask_again() == 0


def test_an_announcement_that_was_refused_is_free_again(app, box):
    """SYS-21: the claim ends with the refusal; the next try sends."""
    left(box, "INBOX", "a1")
    messages.look(box)
    db.session.commit()
    row_id = db.session.scalars(select(VoicemailMessage.id)).one()
    db.session.commit()
    with pytest.raises(Refused):
        jobs.announce(row_id)
    with Postbox() as postbox:
        change(TABLE["email"].get(SINGLE_ID), server="127.0.0.1", port=postbox.port, security="none", sender="pabx@padaria.example")
        jobs.announce(row_id)
        assert len(postbox.messages) == 1


def test_messages_of_every_folder_are_shown(carla, box):
    """FEA-28: what the menu of the telephone saved elsewhere is still on the page, with its folder's name, and counts as heard."""
    for number, folder in enumerate(messages.FOLDERS):
        left(box, folder, f"b{number}")
    found = messages.of_box(box)
    assert {one.folder for one in found} == set(messages.FOLDERS) and {one.folder for one in found if one.is_new} == {"INBOX", "Urgent"}
    page = text_of(carla.get(f"/voicemail_boxes/{box.id}"))
    for name in ("Trabalho", "Família", "Amigos"):
        assert f"pasta {name}" in page


def test_the_greeting_a_person_recorded_is_found(app, box):
    """FEA-17: away or busy, the temporary one before both; without one it is the page's."""
    place, box_id = settings.load().asterisk / "spool" / "voicemail" / "bentevi" / str(box.extension_id), str(box.id)
    place.mkdir(parents=True, exist_ok=True)

    def answer(situation):
        return agi.greeting(Asked("voicemail_boxes/greeting", (box_id, situation)))["BENTEVI_GREETING"]

    assert (answer(""), answer("busy")) == ("", "")
    tone(place / "unavail.wav", 600)
    assert (answer(""), answer("busy")) == ("u", "u")
    tone(place / "busy.wav", 600)
    assert (answer(""), answer("busy")) == ("u", "b")
    (place / "unavail.wav").unlink()
    (place / "busy.wav").unlink()
    tone(place / "temp.wav", 600)
    assert answer("") == "u"


def test_dates_are_spoken_in_the_zone_of_the_company_and_no_password_is_changed(app, box):
    """FEA-17: the zone is the company's; “-” keeps the menu from changing a password that is not asked."""
    text = voicemail_conf("America/Manaus")
    assert "company = America/Manaus|'vm-received' q 'digits/at' HM" in text
    assert f"\n{box.extension_id} => -,1001,,,attach=no|" in text


def left(box, folder, name):
    """A message in a folder, as Asterisk writes it."""
    place = settings.load().asterisk / "spool" / "voicemail" / "bentevi" / str(box.extension_id) / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "msg0000.txt").write_text(f'[message]\ncallerid="João" <4899998888>\norigtime=1795000000\nmsg_id=1795000000-{name}\nduration=4\n')
    tone(place / "msg0000.wav", 600, seconds=4)
    for file in place.iterdir():
        file.chmod(0o600)


def asked(row_id):
    """Whether an e-mail about the row is asked for."""
    return db.session.scalar(select(lanes.Outgoing).where(lanes.Outgoing.function == "jobs.voicemail_boxes.announce", lanes.Outgoing.row_id == row_id,
                                                          lanes.Outgoing.at > ground.now() - timedelta(seconds=30))) is not None
