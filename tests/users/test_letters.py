"""Passwords set by a code from a letter: forgotten ones (USR-04) and first ones (USR-05)."""

import re
import time
from datetime import timedelta

import pytest

from appliance import db as ground
from appliance.db import db
from appliance.errors import Busy
from appliance.resource import SINGLE_ID, TABLE
from appliance.users import letters
from appliance.users.letters import PasswordLetter
from appliance.users.model import by_login
from jobs import users as job
from tests.build import change, make_user
from tests.postbox import Postbox
from tests.visitor import text_of
from web.limits import limiter

NEW = "Nova@Senha7"


@pytest.fixture(autouse=True)
def without_limits_of_other_tests(app):
    """Every test comes from the same address."""
    limiter.reset()


@pytest.fixture
def postbox(app):
    with Postbox() as server:
        change(TABLE["email"].get(SINGLE_ID), server="127.0.0.1", port=server.port, security="none", sender="pabx@padaria.example")
        yield server


class Stranger:
    """A browser nobody is logged in with."""

    def __init__(self, app) -> None:
        self.browser = app.test_client()
        self.get = self.browser.get

    def send(self, path, form):
        return self.browser.post(path, data={"csrf_token": self.browser.csrf("/login"), **form})


@pytest.fixture
def stranger(app):
    return Stranger(app)


def wait(until, seconds=120):
    """Until the home's own processes have done it."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)


def letter_of(asked_for: str) -> int:
    """A letter asked for, which this test and no worker writes."""
    letter = PasswordLetter(kind=letters.RECOVERY, asked_for=asked_for, asked_at=ground.now())
    db.session.add(letter)
    db.session.commit()
    return letter.id


def wait_written() -> None:
    """Until the home's worker wrote every letter or found nobody for it."""
    def are_left() -> int:
        found = db.session.scalar(db.select(db.func.count()).where(PasswordLetter.sent_at.is_(None)))
        db.session.rollback()  # an open transaction keeps the worker from writing
        return found

    db.session.commit()
    wait(lambda: not are_left())


def code_in(message) -> str:
    return re.search(r"^ +([A-Z2-9]{4}(?:-[A-Z2-9]{4}){3})$", message.get_content().replace("\r", ""), re.MULTILINE)[1]


def field_of(answer) -> str:
    """The field of the code, as the page has it."""
    return re.search(r"<input[^>]*name=.code.[^>]*>", answer.text)[0]


def use(stranger, code, new=NEW, again=None):
    return stranger.send("/recovery/code", {"code": code, "new": new, "again": again or new})


def enters(app, login, password) -> bool:
    return Stranger(app).send("/login", {"login": login, "password": password}).status_code == 302


def test_a_code_by_e_mail_sets_a_new_password_once(app, postbox, stranger):
    """USR-04: asked by e-mail or login; the code counts once, small letters and spaces do not matter, and it ends a lock."""
    person = make_user("ana.souza", email="ana@padaria.example")
    person.wrong_passwords, person.locked_until = 0, ground.now() + timedelta(minutes=15)
    db.session.commit()
    assert "esqueci" in text_of(stranger.get("/login")).lower()
    assert stranger.send("/recovery", {"login": "Ana@Padaria.example"}).location == "/recovery/code"
    assert "a caminho" in text_of(stranger.get("/recovery/code"))
    wait_written()
    (message,) = postbox.messages
    assert postbox.recipients == ["ana@padaria.example"] and "ana.souza" in message.get_content() and "http" not in message.get_content()
    code = code_in(message)
    assert use(stranger, code.lower().replace("-", " ")).location == "/login"
    assert "Sua senha foi definida" in text_of(stranger.get("/login"))
    assert enters(app, "ana.souza", NEW)
    assert use(stranger, code, "Outra@Senha8").status_code == 422 and enters(app, "ana.souza", NEW)
    changed = TABLE["users"].get(by_login("ana.souza").id)
    assert not changed.must_change_password
    assert code not in "".join(filter(None, db.session.scalars(db.select(PasswordLetter.digest))))


def test_a_stranger_learns_nothing_and_gets_nothing(app, postbox, stranger):
    """USR-04: an unknown e-mail, an inactive person and one without an e-mail get the answer of a known one; nobody is written to."""
    make_user("ana.souza", email="ana@padaria.example")
    make_user("bia.lima", email="bia@padaria.example", active=False)
    make_user("caio.reis")
    pages = []
    for name in ("ana@padaria.example", "nobody@padaria.example", "bia@padaria.example", "caio.reis", "' OR 1=1 --"):
        said = stranger.send("/recovery", {"login": name})
        pages.append((said.status_code, said.location, text_of(stranger.get("/recovery/code"))))
    assert len(set(pages)) == 1
    wait_written()
    assert postbox.recipients == ["ana@padaria.example"]
    assert [letter.asked_for for letter in db.session.scalars(db.select(PasswordLetter))] == ["ana@padaria.example"]


def test_a_code_expires_and_a_wrong_try_uses_nothing_up(app, postbox, stranger):
    """USR-04: a password against the rule, two that differ and a wrong code are told at their field; after an hour the code is nothing."""
    make_user("ana.souza", email="ana@padaria.example")
    stranger.send("/recovery", {"login": "ana.souza"})
    wait_written()
    code = code_in(postbox.messages[0])
    assert 'value=""' in field_of(stranger.get("/recovery/code"))
    kept = use(stranger, code, NEW, "Outra@Senha8")
    assert "senhas novas são diferentes" in text_of(kept) and f'value="{code}"' in field_of(kept)
    assert "Pelo menos um número" in text_of(use(stranger, code, "Senha@Nova"))
    assert use(stranger, "AAAA-BBBB-CCCC-DDDD").status_code == 422 and use(stranger, "").status_code == 422
    letter = db.session.scalar(db.select(PasswordLetter))
    letter.expires_at = ground.now() - timedelta(seconds=1)
    db.session.commit()
    assert use(stranger, code).status_code == 422 and not enters(app, "ana.souza", NEW)
    letter.expires_at = ground.now() + timedelta(seconds=60)
    db.session.commit()
    assert use(stranger, code).location == "/login"


def test_a_session_opened_before_ends_with_the_old_password(app, postbox, stranger):
    """USR-04: whoever was in with the old password is out."""
    person = make_user("ana.souza", email="ana@padaria.example")
    inside = app.test_client().is_person(person)
    assert inside.get("/password").status_code == 200
    stranger.send("/recovery", {"login": "ana.souza"})
    wait_written()
    use(stranger, code_in(postbox.messages[0]))
    assert inside.get("/password").status_code == 302


def test_nobody_can_fill_a_mailbox(app, postbox, stranger):
    """USR-04: three letters an hour to one person; each code counts until one was used, then none."""
    make_user("ana.souza", email="ana@padaria.example")
    for _time in range(5):
        job.write(letter_of("ana.souza"))
    assert len(postbox.messages) == letters.MOST_AN_HOUR
    first, _second, third = map(code_in, postbox.messages)
    assert use(stranger, first).location == "/login" and use(stranger, third).status_code == 422


def test_a_dead_mail_server_is_tried_again_and_a_job_that_runs_twice_writes_once(app, postbox, stranger):
    """USR-04: the job fails with a reason and the next try writes; one delivered twice does not write again."""
    make_user("ana.souza", email="ana@padaria.example")
    letter_id = letter_of("ana.souza")
    postbox.refuses = 450
    with pytest.raises(Busy):
        job.write(letter_id)
    postbox.refuses = 0
    job.write(letter_id)
    job.write(letter_id)
    assert len(postbox.messages) == 1
    letter = db.session.get_one(PasswordLetter, letter_id)  # killed after sending, before it was noted
    letter.sent_at = None
    db.session.commit()
    job.write(letter_id)
    assert len({code_in(message) for message in postbox.messages}) == 1 and use(stranger, code_in(postbox.messages[0])).location == "/login"


def test_a_new_person_gets_a_letter_and_the_administrator_no_password(app, carla, postbox, stranger):
    """USR-05: saved without a password, on the form and by API: nobody knows one until the code of the letter made it."""
    row = {"name": "Bia Lima", "login": "bia.lima", "email": "bia@padaria.example"}
    made = carla.api("POST", "/api/v1/users", row)
    assert made.status_code == 201 and "password" not in made.json
    saved = carla.send("/users/new", {"name": "Caio Reis", "login": "caio.reis", "email": "caio@padaria.example", "access_level": "user", "active": "yes"})
    page = text_of(carla.get(saved.location))
    assert "caio@padaria.example" in page and "Gerado" not in page
    assert not enters(app, "bia.lima", "") and not enters(app, "caio.reis", "")
    wait_written()
    assert sorted(postbox.recipients) == ["bia@padaria.example", "caio@padaria.example"]
    assert all("primeiro acesso" in message["Subject"] for message in postbox.messages)
    for message in postbox.messages:
        assert use(stranger, code_in(message)).location == "/login"
    assert enters(app, "bia.lima", NEW) and enters(app, "caio.reis", NEW)


def test_without_an_e_mail_or_a_server_the_password_is_made_and_shown_as_before(app, carla):
    """USR-05: what cannot be written is not promised; the page for forgotten passwords says whom to ask."""
    made = carla.api("POST", "/api/v1/users", {"name": "Bia Lima", "login": "bia.lima", "email": "bia@padaria.example"})
    assert made.status_code == 201 and enters(app, "bia.lima", made.json["password"])
    assert "não envia e-mails" in text_of(Stranger(app).get("/recovery"))
