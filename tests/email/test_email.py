"""The mail server: the test button tells how it went; what fails waits with its reason; no password is seen anywhere."""

import logging

import pytest

from appliance import lanes, own_certificate, settings
from appliance.db import db
from appliance.email import post
from appliance.errors import Busy, Refused
from appliance.resource import SINGLE_ID, TABLE
from tests.build import change
from tests.postbox import Postbox
from tests.visitor import text_of

PASSWORD = "correio-secreto-9"


def server(postbox, **values):
    db.session.expire_all()
    return change(TABLE["email"].get(SINGLE_ID), **({"server": "127.0.0.1", "port": postbox.port, "security": "none", "sender": "pabx@padaria.example"} | values))


def test_the_test_button_sends_and_tells_how_it_went(carla, caplog):
    """SYS-21: taken, refused login, refused recipient and a dead server, each in words; the password stands nowhere."""
    caplog.set_level(logging.DEBUG)
    with Postbox(users={"pabx": PASSWORD}) as postbox:
        server(postbox, username="pabx", password=PASSWORD)
        assert carla.send("/email/test", {"to": "ana@padaria.example"}).location == "/email"
        page = text_of(carla.get("/email"))
        assert "aceitou a mensagem para ana@padaria.example" in page and postbox.recipients == ["ana@padaria.example"]
        (written,) = postbox.messages
        assert "Teste da central" in written["Subject"] and written["From"] == "pabx@padaria.example"
        server(postbox, password="outra-senha-1")
        carla.send("/email/test", {"to": "ana@padaria.example"})
        assert "recusa usuário e senha (535)" in text_of(carla.get("/email"))
        server(postbox, password=PASSWORD)
        postbox.refuses = 550
        assert carla.api("POST", "/api/v1/email/test", {"to": "ana@padaria.example"}).status_code == 422
        postbox.refuses = 450
        assert carla.api("POST", "/api/v1/email/test", {"to": "ana@padaria.example"}).status_code == 503
    carla.send("/email/test", {"to": "ana@padaria.example"})
    page = carla.get("/email").text
    assert f"não responde na porta {postbox.port}" in page
    assert PASSWORD not in page and PASSWORD not in caplog.text and PASSWORD not in carla.api("GET", "/api/v1/email").text
    carla.send("/email/test", {"to": "ana@x.example\r\nBcc: b@x.example"})
    assert "não é um endereço" in text_of(carla.get("/email"))


def test_starttls_and_a_certificate_nobody_vouches_for(app, tmp_path):
    """SYS-21: with STARTTLS nothing is sent to a server whose certificate cannot be verified, nor to one without it."""
    own_certificate.ensure(tmp_path, "127.0.0.1")
    with Postbox(certificate=own_certificate.path(tmp_path)) as postbox:
        server(postbox, security="starttls")
        with pytest.raises(Refused):
            post.send(post.message("ana@padaria.example", "x", "y", "1"))
        assert not postbox.messages
    with Postbox() as postbox:
        server(postbox, security="starttls")
        with pytest.raises(Refused):
            post.send(post.message("ana@padaria.example", "x", "y", "1"))
        assert not postbox.messages


def test_an_accent_in_user_name_or_password_is_refused_in_words(carla):
    """SYS-21: at the form, at the field; and of a row that has one already when it is used, as a refusal and no crash."""
    for name, value in (("username", "ação"), ("password", "padaria-é-9")):
        refused = carla.api("PATCH", "/api/v1/email", {"server": "127.0.0.1", "security": "none", "sender": "pabx@padaria.example", name: value})
        assert refused.status_code == 422 and "acentos" in refused.text and name in refused.text
    with Postbox(users={"pabx": PASSWORD}) as postbox:
        server(postbox, username="pabx", password=PASSWORD)
        TABLE["email"].get(SINGLE_ID).password = "padaria-é-9"
        db.session.commit()
        with pytest.raises(Refused, match="acentos"):
            post.send(post.message("ana@padaria.example", "x", "y", "1"))
        assert not postbox.messages


def test_a_password_is_never_sent_in_clear_over_a_network(app):
    """SYS-21."""
    with pytest.raises(Refused) as why:
        change(TABLE["email"].get(SINGLE_ID), server="mail.padaria.example", security="none", username="pabx", password=PASSWORD, sender="a@b.example")
    assert "security" in why.value.messages


def test_what_fails_is_tried_again_and_stands_under_jobs(app):
    """SYS-21, SYS-18: an announcement that the dead server did not take is busy, keeps its claim free, and is sent once by the next try."""
    from appliance.voicemail_boxes import messages
    from appliance.voicemail_boxes.model import VoicemailMessage
    from jobs import voicemail_boxes as jobs
    from tests.build import make_class, make_extension

    make_class("Com correio", voicemail=True)
    row = make_extension("1001", **{"class": "Com correio"})
    box = TABLE["voicemail_boxes"].find("1001")
    change(box, email="ana@padaria.example", attach=False)
    place = settings.load().asterisk / "spool" / "voicemail" / messages.CONTEXT / str(row.id) / "INBOX"
    place.mkdir(parents=True)
    (place / "msg0000.txt").write_text('[message]\ncallerid="Ana" <4899998888>\norigtime=1795199422\nduration=7\nmsg_id=1795199422-00000001\n')
    (place / "msg0000.wav").write_bytes(b"RIFF")
    for file in place.iterdir():
        file.chmod(0o600)
    with Postbox() as postbox:
        server(postbox)
        postbox.refuses = 451
        assert messages.look(box) == 1
        noted = db.session.query(VoicemailMessage).one()
        assert db.session.query(lanes.Outgoing).filter_by(function="jobs.voicemail_boxes.announce", row_id=noted.id).count() == 1
        db.session.query(lanes.Outgoing).delete()
        db.session.commit()
        with pytest.raises(Busy):
            jobs.announce(noted.id)
        postbox.refuses = 0
        jobs.announce(noted.id)
        jobs.announce(noted.id)
        jobs.look()
        assert len(postbox.messages) == 1 and "7 s" in postbox.messages[0].get_content()
