"""Messages that callers leave: at the telephone, on the page, and by e-mail."""

import pytest

from appliance.db import db
from appliance.resource import SINGLE_ID, TABLE
from appliance.voicemail_boxes import messages
from appliance.voicemail_boxes.model import VoicemailBox
from jobs import voicemail_boxes as jobs
from tests.build import change, make_class, make_extension, make_inbound_route, make_sound, make_trunk, make_user
from tests.postbox import Postbox
from tests.visitor import text_of

pytestmark = pytest.mark.pbx
PIN = "2580"


def leave(call):
    """Waits for the tone and speaks for some seconds."""
    call.wait_answered()
    assert call.hears(1400, within_seconds=20), "the tone after the announcement"
    with call.speaking():
        call.wire.comes_true(lambda: call.state == "ended", 3.5)
    call.hang_up()


def _plays(menu, voice):
    """Listens to the menu for a moment, presses 1, and hears the message after its date and number."""
    assert menu.hears_sound(0.6, within_seconds=10)
    menu.press("1")
    return menu.hears(voice, within_seconds=20)


def test_a_message_is_left_announced_heard_and_deleted(pbx, phone, carrier, carla):
    """EXT-16, FEA-17, FEA-28, FEA-20, SYS-21: offered while the phone is offline and as a destination; lamp and e-mail with the sound tell of
    it once; the code and the password play it, three wrong ones end the call; deleted on the page it is gone from the telephone."""
    mailing = make_class("Com correio", voicemail=True)
    ana, bruno = make_extension("1001", **{"class": mailing.name}), make_extension("1002")
    make_user("ana.souza", extension="1001", feature_pin=PIN)
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"mask": "4830139018", "destination": {"extension": "1001"}},
                       {"mask": "4830139019", "destination": {"voicemail": "1001"}})
    box = TABLE["voicemail_boxes"].find("1001")
    change(box, email="ana@padaria.example")
    with Postbox() as postbox:
        change(TABLE["email"].get(SINGLE_ID), server="127.0.0.1", port=postbox.port, security="none", sender="pabx@padaria.example")
        pbx.apply()
        a, b = phone(ana), phone(bruno)
        a.unregister()
        caller = carrier.call("4830139018", caller="4899998888")
        voice = caller.frequency
        leave(caller)
        a.register()
        assert a.wire.comes_true(lambda: b"Voice-Message: 1/0" in a.wait_message("NOTIFY").body, 15), "the lamp of the phone"
        db.session.rollback()
        assert a.wire.comes_true(lambda: postbox.messages, 30), "one e-mail"
        written = postbox.messages[0]
        sound = next(written.iter_attachments())
        assert "4899998888" in written["Subject"] and written["To"] == "ana@padaria.example" and sound.get_content_type() == "audio/wav"
        assert len(sound.get_content()) > 16_000
        jobs.look()
        assert len(postbox.messages) == 1
    (found,) = messages.of_box(box)
    assert (found.caller, found.is_new) == ("4899998888", True) and found.seconds >= 2
    db.session.commit()

    wrong = a.call("*97").wait_answered()
    for _try in range(3):
        assert wrong.hears_sound(within_seconds=10)
        wrong.press("9999#")
    wrong.wait_ended(within_seconds=30)
    menu = a.call("*97").wait_answered()
    assert menu.hears_sound()
    menu.press(f"{PIN}#")
    assert any(_plays(menu, voice) for _try in range(3)), "what the caller spoke"
    menu.hang_up()
    assert a.wire.comes_true(lambda: [one.is_new for one in messages.of_box(box)] == [False], 15)

    second = b.call("1001")  # the phone is there: it rings
    a.reject(486)
    assert second.wait_refused() == 486, "a mailbox for who is offline only"
    leave(carrier.call("4830139019", caller="4877776666"))
    assert a.wire.comes_true(lambda: len(messages.of_box(box)) == 2, 15)
    page = carla.get(f"/voicemail_boxes/{box.id}")
    assert "(48) 7777-6666" in text_of(page)
    newest = messages.of_box(box)[0]
    assert carla.get(f"/voicemail_boxes/{box.id}/messages/{newest.id}/sound").data[:4] == b"RIFF"
    assert carla.send(f"/voicemail_boxes/{box.id}/messages/{newest.id}/heard", {"back": "box"}).status_code == 302
    assert [one.is_new for one in messages.of_box(box)] == [False, False]
    for one in messages.of_box(box):
        assert carla.send(f"/voicemail_boxes/{box.id}/messages/{one.id}/delete", {"back": "box"}).status_code == 302
    assert messages.of_box(box) == []
    assert not list((messages.settings.load().asterisk / "spool" / "voicemail" / "bentevi" / str(ana.id)).rglob("msg*"))
    db.session.commit()
    change(ana, **{"class": "Padrão"})
    pbx.apply()
    refused = a.call("*97")
    assert refused.hears_sound()
    assert refused.wait_refused() == 403


@pytest.mark.long
def test_a_full_mailbox_says_so_at_once_and_a_recorded_greeting_is_heard(pbx, phone, carrier):
    """FEA-28, FEA-17: full after one message: the next caller hears no greeting and no tone, and nothing is kept; with room again the greeting
    its person recorded by the menu is played in place of the page's; the menu changes no password."""
    ana = make_extension("1001", **{"class": make_class("Com correio", voicemail=True).name})
    make_user("ana.souza", extension="1001", feature_pin=PIN)
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"voicemail": "1001"}})
    box = change(TABLE["voicemail_boxes"].find("1001"), max_messages=1, prompt=make_sound("Saudação", 700, seconds=2).name)
    box_id = box.id
    pbx.apply()
    a = phone(ana)
    first = carrier.call("4830139018", caller="4899998888").wait_answered()
    assert first.hears(700, within_seconds=10), "the greeting of the page"
    leave(first)
    assert a.wire.comes_true(lambda: len(_found(box_id)) == 1, 15)
    full = carrier.call("4830139018", caller="4877776666").wait_answered()
    full.wait_ended(within_seconds=30)
    assert full.level() > -50 and not full.has_heard(700) and not full.has_heard(1400)
    assert [one.caller for one in _found(box_id)] == ["4899998888"]
    configured = _mailbox_lines()
    menu = a.call("*97").wait_answered()
    assert menu.hears_sound()
    menu.press(f"{PIN}#")
    assert menu.hears_sound(0.6, within_seconds=10)
    menu.press("0")
    assert menu.hears_sound(0.6, within_seconds=10)
    menu.press("5")  # the password of Asterisk's own: refused, the menu goes on
    assert menu.hears_sound(0.6, within_seconds=10)
    menu.press("1")
    assert menu.hears(1400, within_seconds=20)
    menu.speak(900)
    menu.wire.comes_true(lambda: menu.state == "ended", 3)
    menu.press("#")
    menu.be_quiet()
    assert any(_keeps(menu, box_id) for _try in range(4)), "the recording is kept by 1"
    menu.hang_up()
    db.session.commit()
    assert _mailbox_lines() == configured
    for one in _found(box_id):
        messages.remove(db.session.get(VoicemailBox, box_id), one)
    db.session.commit()
    own = carrier.call("4830139018", caller="4899998888").wait_answered()
    assert own.hears(900, within_seconds=10) and not own.has_heard(700)
    leave(own)
    assert a.wire.comes_true(lambda: len(_found(box_id)) == 1, 15)


def _keeps(menu, box_id):
    """Presses 1 when it is asked what becomes of the recording, and waits until it is a greeting."""
    assert menu.hears_sound(0.6, within_seconds=10)
    menu.press("1")
    return menu.wire.comes_true(lambda: "unavail" in messages.recorded(db.session.get(VoicemailBox, box_id)), 4)


def _found(box_id):
    """Messages of a mailbox; no transaction of ours stays open."""
    found = messages.of_box(db.session.get(VoicemailBox, box_id))
    db.session.commit()
    return found


def _mailbox_lines():
    """The mailboxes as Asterisk's file has them."""
    return [path.read_text() for path in (messages.settings.load().asterisk).glob("**/voicemail_boxes.voicemail.conf")]
