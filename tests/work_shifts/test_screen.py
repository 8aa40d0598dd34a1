"""People bound to a work shift: logging in, staying, and being sent out."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from appliance import changes
from appliance import db as ground
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from appliance.users import token
from appliance.users.model import by_login
from tests.build import PASSWORD, change, company, make, make_extension, make_user, week
from tests.visitor import text_of
from web import access, sessions


@pytest.fixture
def clock(monkeypatch):
    """The one clock of the program: clock("2026-11-23 08:00") in São Paulo."""
    def at(text):
        moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/Sao_Paulo"))
        monkeypatch.setattr(ground, "now", lambda: moment.astimezone(ZoneInfo("UTC")))

    return at


@pytest.fixture
def ana(app):
    company(timezone="America/Sao_Paulo")
    make("work_shifts", name="Dia", periods=[week("mon 08:00-18:00")], tolerance_minutes=10)
    return make_user("ana.souza", modules=["extensions", "now"], work_shift="Dia")


def log_in(client):
    return client.post("/login", data={"login": "ana.souza", "password": PASSWORD, "csrf_token": client.csrf("/login")})


def test_login_is_refused_outside_the_shift_with_the_reason(client, ana, clock):
    """HRS-17, USR-15: 07:59 refused, 08:00 accepted, 18:00 refused although the tolerance lasts; a wrong password says nothing of shifts."""
    for at, is_let_in in (("2026-11-23 07:59:59", False), ("2026-11-23 08:00", True), ("2026-11-23 17:59:59", True), ("2026-11-23 18:00", False),
                          ("2026-11-24 10:00", False)):
        clock(at)
        answer = log_in(client)
        assert (answer.status_code == 302) == is_let_in, at
        if not is_let_in:
            assert answer.status_code == 422 and "Seu turno de trabalho “Dia” é seg 08:00–18:00" in text_of(answer)
        client.delete_cookie(sessions.cookie_name())
    answer = client.post("/login", data={"login": "ana.souza", "password": "x", "csrf_token": client.csrf("/login")})
    assert "turno" not in text_of(answer)


def test_at_the_end_of_the_tolerance_the_session_ends_with_a_message(client, ana, clock):
    """HRS-18, USR-15: pages, parts of pages, tokens of the API and streams."""
    clock("2026-11-23 17:59")
    text = token.create(ana, "script")
    db.session.commit()
    assert log_in(client).status_code == 302
    key = sessions.key_of(client.get_cookie(sessions.cookie_name()).value)
    bearer = {"Authorization": f"Bearer {text}"}
    clock("2026-11-23 18:09:59")
    assert client.get("/extensions").status_code == 200
    assert client.get("/api/v1/extensions", headers=bearer).status_code == 200
    assert access.by_key(key, ("extensions",))
    db.session.rollback()
    clock("2026-11-23 18:10")
    with pytest.raises(access.Refusal) as why:
        access.by_key(key, ("extensions",))
    assert why.value.status == 401
    db.session.rollback()
    answer = client.get("/api/v1/extensions", headers=bearer)
    assert answer.status_code == 403 and "turno de trabalho" in answer.json["error"]
    answer = client.get("/extensions")
    assert answer.status_code == 302 and answer.location.startswith("/login")
    assert "Seu turno de trabalho “Dia” é seg 08:00–18:00" in text_of(client.get(answer.location))
    assert sessions.stored(key) == {}
    clock("2026-11-23 17:59")
    assert client.get("/extensions").status_code == 302, "it is over, also when the clock goes back"


def test_an_administrator_without_a_shift_stays(app, carla):
    """USR-15: nobody locks everybody out."""
    make("work_shifts", name="Dia")
    with pytest.raises(Refused) as why:
        change(by_login("carla"), work_shift="Dia")
    assert why.value.field == "work_shift"


def test_only_what_changes_calls_waits_to_be_applied(app):
    """HRS-18: binding a person with an extension to a shift is applied; a new name is not."""
    make_extension("1001")
    make("work_shifts", name="Dia")
    ana = make_user("ana.souza", extension="1001")
    before = len(changes.pending())
    change(ana, name="Ana")
    assert len(changes.pending()) == before
    change(ana, work_shift="Dia")
    assert len(changes.pending()) == before + 1
    TABLE["users"].delete(ana)
    assert len(changes.pending()) == before + 2
