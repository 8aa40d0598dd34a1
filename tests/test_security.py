"""What keeps strangers out: passwords, sessions, permissions, tokens, secrets at rest, listeners."""

import csv
import io
import json
import os
import re
import stat
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect, select
from sqlalchemy import text as sql

from appliance import applying, changes, lanes, settings
from appliance import db as ground
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from appliance.revisions.model import Attempt
from appliance.telephony import store
from appliance.users import password, token
from appliance.users.model import LEVELS, SCREENS, by_login
from tests.build import PASSWORD, change, make_extension, make_trunk, make_user
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(autouse=True)
def fresh_limits(app):
    """The address of the tests may log in again."""
    from web.limits import limiter

    limiter.reset()


def log_in(client, login, text=PASSWORD, **more):
    return client.post("/login", data={"csrf_token": client.csrf("/login"), "login": login, "password": text}, **more)


def cookie_of(client):
    return client.get_cookie(f"bentevi_{settings.load().http_port}")


def stored_sessions():
    redis = lanes.connection()
    return {key: json.loads(redis.get(key)) for key in redis.scan_iter("session:*")}


# ------------------------------------------------------------------------------------------------------------ passwords

RULE = [  # USR-07: 6 to 20, capital, small, digit, one of $*&@#?, nothing twice in a row
    ("Abc12@", True), ("Abc12", False), ("Abc1@", False), ("Aabbcc1@", False), ("Abc1122@", False), ("abc123@", False),
    ("ABC123@", False), ("Abcdef@", False), ("Abc1234", False), ("Abc123!", False), ("Abc 12@", False), ("Ábc12@x", False),
    ("Padaria@1", True), ("P4$" + "xyzw" * 4 + "k", True), ("P4$" + "xyzw" * 4 + "kl", False), ("aA1@aA1@", False), ("a1A@b2B#", True),
    ("Abc12@@", False), ("Senha#4tes", True), ("12345@Ab", True),
]


@pytest.mark.parametrize("text,accepted", RULE, ids=[text for text, _ok in RULE])
def test_the_password_rule_gives_its_verdict(text, accepted):
    """USR-07: a table of 20 passwords."""
    assert (password.wrong(text) == "") is accepted
    user = {"name": "Ana", "login": "ana.souza", "password": text}
    if accepted:
        assert TABLE["users"].create(user).id
    else:
        with pytest.raises(Refused) as why:
            TABLE["users"].create(user)
        assert why.value.messages["password"] == password.wrong(text)


def test_passwords_of_people_are_kept_as_argon2id_only():
    user = make_user("ana.souza")
    assert user.password.startswith("$argon2id$") and PASSWORD not in user.password
    assert password.fits(PASSWORD, user.password) and not password.fits(PASSWORD + "x", user.password)
    assert make_user("bruno").password != user.password


def test_a_person_logs_in_by_login_and_by_e_mail(client):
    """USR-02."""
    make_user("ana.souza", email="ana@padaria.example")
    for name in ("ana.souza", "ANA.SOUZA", "ana@padaria.example", "Ana@Padaria.example"):
        assert log_in(client.application.test_client(), name).location == "/", name


def test_nobody_may_take_the_e_mail_of_another_as_login():
    """USR-02: login and e-mail open the same door, so they are one space of names."""
    make_user("ana.souza", email="ana@padaria.example")
    with pytest.raises(Refused) as why:
        make_user("ana@padaria.example")
    assert "Ana.Souza" in str(why.value)
    db.session.rollback()
    make_user("bruno@padaria.example")
    with pytest.raises(Refused):
        make_user("carlos", email="Bruno@padaria.example")


def test_each_stated_minimum_is_refused_one_below():
    """USR-02: login at least 5 characters, password at least 6."""
    for values in ({"login": "anaa"}, {"login": "ana.souza", "password": "Ab12@"}):
        with pytest.raises(Refused):
            TABLE["users"].create({"name": "Ana", "password": PASSWORD} | values)


def test_the_answer_does_not_tell_whether_the_login_exists(client):
    make_user("ana.souza")
    one, other = log_in(client, "ana.souza", "Wrong@123"), log_in(client, "nobody.here", "Wrong@123")
    tokens = r'value="[^"]*"|"X-CSRFToken": ?"[^"]*"'  # they hold the second they were made in
    said = [re.sub(tokens, "", answer.text) for answer in (one, other)]
    assert one.status_code == other.status_code == 422 and said[0] == said[1]


def test_five_wrong_passwords_lock_and_the_sixth_is_refused_even_if_right(client):
    """USR-35."""
    user = make_user("ana.souza")
    for _time in range(4):
        log_in(client, "ana.souza", "Wrong@123")
    assert log_in(client.application.test_client(), "ana.souza").status_code == 302, "four wrong ones do not lock"
    for _time in range(5):
        assert log_in(client, "ana.souza", "Wrong@123").status_code == 422
    locked = log_in(client, "ana.souza")
    assert locked.status_code == 422 and "15" in text_of(locked)
    db.session.refresh(user)
    assert timedelta(minutes=14) < user.locked_until - ground.now() <= timedelta(minutes=15)
    user.locked_until = ground.now() - timedelta(seconds=1)
    db.session.commit()
    assert log_in(client, "ana.souza").status_code == 302


def test_too_many_logins_from_one_address_are_refused(client):
    token_ = client.csrf("/login")
    codes = [client.post("/login", data={"csrf_token": token_, "login": "", "password": ""}).status_code for _time in range(31)]
    assert codes == [422] * 30 + [429]
    refused = client.post("/login", data={"csrf_token": token_, "login": "", "password": ""})
    assert "Tentativas demais. Espere um minuto." in text_of(refused)


def test_who_asked_too_often_in_an_hour_is_told_how_many_minutes_to_wait(client, monkeypatch):
    """A minute would be untrue where the limit is one of an hour."""
    now = time.time()
    for minute in range(7):
        monkeypatch.setattr(time, "time", lambda minute=minute: now + minute * 61)
        token_ = client.csrf("/login")
        answers = [client.post("/recovery", data={"csrf_token": token_, "login": "nobody"}) for _time in range(5)]
    assert {one.status_code for one in answers} == {429}
    assert re.search(r"Espere 5\d minutos\.", text_of(answers[-1]))


def test_an_inactive_person_cannot_log_in_and_an_open_session_ends_at_once(client):
    """USR-10: the history stays."""
    user = make_user("ana.souza")
    log_in(client, "ana.souza")
    assert client.get("/password").status_code == 200
    change(user, active=False)
    assert client.get("/password").location.startswith("/login")
    assert log_in(client.application.test_client(), "ana.souza").status_code == 422
    assert db.session.scalar(select(changes.Change).where(changes.Change.row_title.contains("ana.souza")))


def test_a_forced_change_redirects_every_page_and_refuses_the_old_password(client):
    """USR-06."""
    make_user("ana.souza", must_change_password=True, administrator=True)
    log_in(client, "ana.souza")
    for path in ("/", "/extensions", "/extensions/new", "/pending", "/audit", "/search?q=a"):
        assert client.get(path).location == "/password", path
    assert client.get("/api/v1/extensions").status_code == 403
    assert client.send("/apply").location == "/password"
    form = {"old": PASSWORD, "new": PASSWORD, "again": PASSWORD}
    assert client.send("/password", form).status_code == 422
    assert client.send("/password", form | {"new": "Nova#Senha7", "again": "Nova#Senha8"}).status_code == 422
    assert client.send("/password", form | {"old": "Wrong@123", "new": "Nova#Senha7", "again": "Nova#Senha7"}).status_code == 422
    assert client.get("/").location == "/password"
    assert client.send("/password", form | {"new": "Nova#Senha7", "again": "Nova#Senha7"}).location == "/assistant"
    assert client.get("/extensions").status_code == 200
    assert log_in(client.application.test_client(), "ana.souza").status_code == 422


# ------------------------------------------------------------------------------------------------------------- sessions


def test_the_cookie_is_a_random_name_and_nothing_else(client):
    make_user("ana.souza")
    log_in(client, "ana.souza")
    cookie = cookie_of(client)
    assert re.fullmatch(r"[\w-]{43}", cookie.value) and cookie.http_only and cookie.same_site == "Lax" and cookie.path == "/"
    assert not any(cookie.value in key.decode() for key in stored_sessions()), "Redis keeps only a digest of it"


def test_the_cookie_is_secure_over_https(client):
    make_user("ana.souza")
    assert not cookie_of(client) and log_in(client, "ana.souza").status_code == 302 and not cookie_of(client).secure
    other = client.application.test_client()
    other.get("/login", base_url="https://localhost")
    assert cookie_of(other).secure


def test_a_login_gives_the_session_a_new_name_and_logging_out_kills_it(client):
    make_user("ana.souza")
    client.get("/login")
    before = cookie_of(client).value
    log_in(client, "ana.souza")
    after = cookie_of(client).value
    assert before != after
    other = client.application.test_client()
    other.set_cookie(cookie_of(client).key, before)
    assert other.get("/password").location.startswith("/login"), "a planted session name opens nothing"
    client.send("/logout")
    other.set_cookie(f"bentevi_{settings.load().http_port}", after)
    assert other.get("/password").location.startswith("/login")


def test_a_password_change_ends_the_other_sessions_and_renames_this_one(client):
    make_user("ana.souza")
    other = client.application.test_client()
    log_in(client, "ana.souza")
    log_in(other, "ana.souza")
    before = cookie_of(client).value
    client.send("/password", {"old": PASSWORD, "new": "Nova#Senha7", "again": "Nova#Senha7"})
    assert cookie_of(client).value != before and client.get("/password").status_code == 200
    assert other.get("/password").location.startswith("/login")


@pytest.mark.parametrize("way", ["form", "api", "own form", "site file"])
def test_whoever_changes_a_password_ends_the_sessions_of_that_person(client, way):
    from appliance import sitefile

    carla = client.is_person(by_login("carla"))
    ana = person(client, "ana.souza", administrator=True)
    user = by_login("ana.souza")
    if way == "api":
        carla.api("PATCH", f"/api/v1/users/{user.id}", {"password": "Nova#Senha7"})
    elif way == "site file":
        sitefile.load('bentevi: 1\nusers: [{login: ana.souza, name: Ana, password: "Nova#Senha7", administrator: true}]\n')
        db.session.commit()
    else:
        here = carla if way == "form" else ana
        form = {"login": "ana.souza", "name": "Ana", "access_level": "user", "administrator": "yes", "active": "yes", "password": "Nova#Senha7"}
        if way == "own form":
            other = client.application.test_client().is_person(user)
            assert here.send(f"/users/{user.id}", form).status_code == 302
            assert here.get("/password").status_code == 200
            ana = other
        else:
            assert here.send(f"/users/{user.id}", form).status_code == 302
    assert ana.get("/password").status_code == 302
    assert carla.get("/password").status_code == 200


def test_a_post_without_its_token_is_refused(client, carla):
    """USR-35."""
    before = len(list(TABLE["cost_centres"].rows()))
    assert carla.post("/cost_centres/new", data={"name": "Loja"}).status_code == 400
    assert carla.post("/cost_centres/new", data={"name": "Loja", "csrf_token": "x"}).status_code == 400
    assert carla.post("/api/v1/cost_centres", json={"name": "Loja"}).status_code == 400
    assert client.application.test_client().post("/login", data={"login": "a", "password": "b"}).status_code == 400
    stranger = client.application.test_client()
    assert carla.post("/cost_centres/new", data={"name": "Loja", "csrf_token": stranger.csrf("/login")}).status_code == 400
    assert len(list(TABLE["cost_centres"].rows())) == before


@pytest.mark.parametrize("wanted", [
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n//evil.example",
    "javascript:alert(1)", "/%09/evil.example/..//", "evil.example", "/\x01/evil.example", "/é",
])  # fmt: skip
def test_a_login_leads_to_no_other_host(client, wanted):
    make_user("ana.souza")
    answer = log_in(client, "ana.souza", query_string={"next": wanted})
    assert answer.status_code == 302
    assert answer.location == "/" or re.match(r"/[^/\\]", answer.location), answer.location


def test_a_login_leads_back_to_where_one_came_from(client):
    make_user("ana.souza", administrator=True)
    wanted = client.get("/extensions?q=Ana+Maria&sort=-name").location
    answer = client.post(wanted, data={"csrf_token": client.csrf("/login"), "login": "ana.souza", "password": PASSWORD})
    assert answer.location == "/extensions?q=Ana+Maria&sort=-name"


def test_every_answer_says_what_a_browser_may_run(client, carla):
    for path in ("/", "/login", "/extensions", "/api/v1/extensions", "/nothing-here"):
        headers = carla.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "default-src 'self'" in policy and "frame-ancestors 'none'" in policy, path
        assert "*" not in policy and headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    for path in ("/", "/extensions/new", "/trunks/new"):
        text = carla.get(path).text
        assert not re.search(r"<script>|<script [^>]*>[^<]|\son[a-z]+=|style=\"|href=\"javascript:", text), path


# ---------------------------------------------------------------------------------------------------------- permissions


def test_a_person_opens_exactly_the_chosen_menus(client):
    """USR-01, USR-18: removing one removes it at the next page."""
    davi = person(client, "davi.souza", modules=["extensions", "trunks"], access_level="admin")
    menu = set(re.findall(r'href="/([a-z_]*)"', re.search(r'<aside[^>]*id="menu".*?</aside>', davi.get("/").text, re.S)[0])) - {""}
    assert menu == {"extensions", "trunks"}
    assert davi.get("/trunks").status_code == 200
    change(by_login("davi.souza"), modules=["extensions"])
    assert davi.get("/trunks").status_code == 403 and davi.get("/api/v1/trunks").status_code == 403
    assert 'href="/trunks"' not in davi.get("/extensions").text


@pytest.mark.parametrize("level,menus", [
    ("admin", set(SCREENS) | {"extensions", "users", "company", "sip"}), ("manager", {"now", "extensions", "cost_centres", "inbound_routes"}),
    ("user", {"now"}),
])  # fmt: skip
def test_each_level_has_its_default_menus(client, level, menus):
    """USR-10."""
    assert level in LEVELS
    davi = person(client, "davi.souza", access_level=level)
    for word in (*TABLE, "revisions", "audit"):
        allowed = word in by_login("davi.souza").permitted()
        assert davi.get(f"/{word}").status_code == (200 if allowed else 403), word
    permitted = by_login("davi.souza").permitted()
    assert menus <= permitted and (permitted == menus or level != "user")
    if level == "manager":
        assert not permitted & {"users", "company", "sip", "audit", "revisions"}


def test_who_is_no_administrator_sees_users_but_makes_and_changes_none(client):
    """USR-11: no button, and a forged request gets 403."""
    davi = person(client, "davi.souza", modules=["users"])
    mine = by_login("davi.souza").id
    page = davi.get("/users")
    assert page.status_code == 200 and "carla" in page.text and "/users/new" not in page.text
    form = {"name": "Eva", "login": "eva.souza", "password": PASSWORD, "administrator": "yes", "access_level": "admin"}
    for path in ("/users/new", f"/users/{mine}", f"/users/{mine}/delete", "/users/_delete"):
        assert davi.send(path, form | {"row": str(mine)}).status_code == 403, path
    for method, path in (("POST", ""), ("PATCH", f"/{mine}"), ("DELETE", f"/{mine}")):
        assert davi.api(method, f"/api/v1/users{path}", {"administrator": True}).status_code == 403
    assert not by_login("davi.souza").administrator and by_login("eva.souza") is None


def test_the_last_active_administrator_stays(carla):
    user = by_login("carla")
    assert carla.send(f"/users/{user.id}/delete").status_code == 422
    assert carla.api("DELETE", f"/api/v1/users/{user.id}").status_code == 422
    assert carla.api("PATCH", f"/api/v1/users/{user.id}", {"administrator": False, "name": "Carla"}).status_code == 422
    carla.send("/users/_delete", {"row": str(user.id)})
    assert by_login("carla").administrator
    make_user("ana.souza", administrator=True)
    assert carla.send(f"/users/{user.id}/delete").status_code == 302


def test_login_lands_on_the_start_page_and_only_permitted_ones_are_offered(client, carla):
    """USR-17."""
    user = make_user("ana.souza", modules=["extensions", "trunks"], start_page="trunks")
    assert log_in(client.application.test_client(), "ana.souza").location == "/trunks"
    form = re.search(r'<select[^>]*name="start_page".*?</select>', carla.get(f"/users/{user.id}").text)[0]
    assert re.findall(r'value="([a-z_]*)"', form) == ["", "extensions", "trunks"]
    with pytest.raises(Refused) as why:
        change(user, start_page="audit")
    assert "start_page" in why.value.messages
    db.session.rollback()
    user.modules = ["extensions"]  # taken away later: the first permitted page then
    db.session.commit()
    assert log_in(client.application.test_client(), "ana.souza").location == "/"


def test_a_waiting_change_shows_its_lines_only_to_who_may_see_the_row(client, carla):
    applying.now("test")
    make_trunk("Operadora", 5099, caller_id="4830139018")
    make_extension("2001", name="Ana")
    davi = person(client, "davi.souza", modules=["extensions"])
    assert "4830139018" in carla.get("/pending").text
    seen = davi.get("/pending").text
    assert "2001" in seen and "4830139018" not in seen and "5099" not in seen


# --------------------------------------------------------------------------------------------------------------- tokens


def test_a_token_has_the_rights_of_its_person_and_nothing_else_opens_the_api(client):
    user = make_user("davi.souza", modules=["cost_centres"])
    text = token.create(user, "test")
    db.session.commit()
    bearer = {"Authorization": f"Bearer {text}"}
    assert client.post("/api/v1/cost_centres", json={"name": "Loja"}, headers=bearer).status_code == 201
    assert client.get("/api/v1/extensions", headers=bearer).status_code == 403
    assert client.get("/cost_centres", headers=bearer).status_code == 302, "a token opens no page"
    for wrong in (f"Bearer {text}x", "Bearer ", "Bearer bentevi_", f"Basic {text}", text):
        assert client.get("/api/v1/cost_centres", headers={"Authorization": wrong}).status_code == 401
    assert not any(text in line for line in database_dump())
    change(user, active=False)
    assert client.get("/api/v1/cost_centres", headers=bearer).status_code == 401


def test_a_wrong_token_does_not_free_a_session_of_its_csrf_token(carla):
    answer = carla.post("/api/v1/cost_centres", json={"name": "Loja"}, headers={"Authorization": "Bearer x"})
    assert answer.status_code == 400


# ---------------------------------------------------------------------------------------------------------- audit trail


def read_csv(text):
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";"))


def test_a_changed_trunk_shows_in_the_trail_with_both_values_and_a_masked_password(carla):
    """USR-34."""
    trunk = make_trunk("Operadora", 5099, authentication="sends_registration", username="padaria", password="antiga-senha-9")
    carla.api("PATCH", f"/api/v1/trunks/{trunk.id}", {"port": 5100, "password": "nova-senha-secreta"})
    page = text_of(carla.get("/audit?word=trunks"))
    assert "5099" in page and "5100" in page and "Carla" in page
    rows = read_csv(carla.get("/audit.csv?word=trunks").text)
    port = next(row for row in rows if (row["antes"], row["depois"]) == ("5099", "5100"))
    assert port["quem"] == "Carla" and port["registro"] == "Operadora" and port["ação"] == "updated"
    assert any(row["depois"] == "changed" for row in rows), "that the password changed is told"
    for text in (page, carla.get("/audit.csv").text):
        assert "antiga-senha-9" not in text and "nova-senha-secreta" not in text


def test_what_people_type_is_no_formula_in_the_exported_trail(carla):
    names = ["=1+1", "+55 48", "-1", "@SUM(A1)", "a;b", 'a"b', "=HYPERLINK(\"x\")"]
    for name in names:
        carla.api("POST", "/api/v1/cost_centres", {"name": name, "description": f"\u00a0{name}"})
    rows = read_csv(carla.get("/audit.csv?word=cost_centres").text)
    assert {row["registro"].removeprefix("'") for row in rows} == set(names)
    for row in rows:
        for cell in row.values():
            assert not cell or cell[0] not in "=+-@\t\r\n", cell


# ------------------------------------------------------------------------------------------------------ secrets at rest

SECRETS = ("segredo-do-ramal-77", "segredo-do-tronco-88", "Peso@Secr3ta")


def database_dump():
    """The database as it lies on the disk, write-ahead log included; on PostgreSQL every row of every table as text."""
    if db.engine.dialect.name == "postgresql":
        rows = [row for name in inspect(db.engine).get_table_names() for row in db.session.execute(sql(f'SELECT one::text FROM "{name}" one')).all()]
        db.session.rollback()
        return ["\n".join(str(row[0]) for row in rows)]
    return [path.read_bytes().decode("latin-1") for path in settings.load().home.glob("bentevi.sqlite*")]


@pytest.fixture
def secrets_everywhere(carla):
    """Rows with known secrets, applied, changed, deleted and refused once."""
    extension = make_extension("2077", password=SECRETS[0])
    make_trunk("Operadora", 5099, authentication="sends_registration", username="padaria", password=SECRETS[1])
    make_user("eva.souza", password=SECRETS[2])
    assert applying.now("secrets").state == "done"
    gone = make_extension("2078", password=SECRETS[0])
    carla.send(f"/extensions/{gone.id}/delete")
    carla.send(f"/extensions/{extension.id}", {"number": "1", "name": "Ana", "password": "x y"})
    return extension


def test_secrets_are_on_no_disk_screen_log_or_list_of_processes(carla, secrets_everywhere):
    """Sealed at rest, masked wherever people look; only Asterisk's own 0600 files hold what it must know."""
    machine = settings.load()
    paths = ["/audit", "/audit.csv", "/pending", "/revisions", f"/revisions/{applying.newest_number()}", "/extensions",
             f"/extensions/{secrets_everywhere.id}", "/trunks", "/users", "/api/v1/extensions", "/api/v1/trunks", "/api/v1/users",
             f"/extensions/_rows?q={SECRETS[0]}"]
    seen = {path: carla.get(path).text for path in paths}
    seen[paths[-1]] = seen[paths[-1]].replace(f"q={SECRETS[0]}", "")
    seen |= {f"database {index}": text for index, text in enumerate(database_dump())}
    seen |= {str(path): path.read_text(errors="replace") for path in machine.log.iterdir() if path.is_file()}
    seen |= {str(path): path.read_text(errors="replace") for path in (machine.asterisk / "log").iterdir() if path.is_file()}
    files = [path for path in machine.secrets.rglob("*") if path.is_file() and path.stat().st_size]
    generated = [path.read_text().strip() for path in files if path.suffix != ".pem"]
    generated += [path.read_text().split("\n")[1] for path in files if path.suffix == ".pem"]  # of a private key, which comes first
    assert len(generated) > 4
    listed = b"\n".join(path.read_bytes() for path in processes_files("cmdline"))
    seen["processes"] = listed.decode(errors="replace")
    for place, text in seen.items():
        for secret in (*SECRETS, *(one for one in generated if len(one) > 15)):
            assert secret not in text, place
    allowed = {f"etc/bentevi/{name}" for name in ("extensions.auth.pjsip.conf", "trunks.auth.pjsip.conf")}
    holding = {str(path.relative_to(next(p for p in path.parents if p.name == "etc").parent)) for path in machine.revisions.rglob("*.conf")
               if SECRETS[0] in path.read_text() or SECRETS[1] in path.read_text()}
    assert holding == allowed
    found = store.files_of(machine, applying.newest_number())
    assert SECRETS[0] in found["bentevi/extensions.auth.pjsip.conf"] and allowed <= {f"etc/{name}" for name in applying.hidden_files()}


def processes_files(name):
    """/proc/<pid>/<name> of every process of this home."""
    home = str(settings.load().home)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                mine = home in (folder / "cmdline").read_text() or f"BENTEVI_HOME={home}\0" in (folder / "environ").read_text()
            except OSError:  # it ended while we looked, or is not ours to read
                continue
            if mine and (folder / "cmdline").read_bytes():
                yield folder / name


def test_every_file_of_the_home_is_for_its_owner_only(secrets_everywhere):
    machine = settings.load()
    # os.walk, because it passes over what goes while it looks: the trial Asterisk has folders that come and go.
    for path in [Path(folder) / name for folder, folders, files in os.walk(machine.home) for name in (".", *folders, *files)]:
        if not path.exists() or path.is_symlink() or path.is_socket() or path.is_fifo():
            continue
        mode = stat.S_IMODE(path.lstat().st_mode)
        # Asterisk gives the text of a voice message the mode 666 itself; the folders around it let nobody else in.
        is_asterisks = path.is_file() and machine.asterisk / "spool" in path.parents
        assert is_asterisks or ((path.is_dir() or path.is_file()) and mode & 0o077 == 0), f"{path} {mode:o}"
    for path in [path for path in machine.secrets.rglob("*") if path.is_file()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def listeners():
    """{(address, port)} of the TCP sockets this home's processes listen on, read from the kernel."""
    text = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    mine = {path.parent.name for path in processes_files("cmdline")}
    found = set()
    for line in text.splitlines():
        if set(re.findall(r"pid=(\d+)", line)) & mine:
            address, _colon, port = line.split()[3].rpartition(":")
            found.add((address.strip("[]"), int(port)))
    return found


def test_nothing_listens_beyond_the_bind_address_and_the_manager_only_on_loopback():
    machine = settings.load()
    found = listeners()
    ports = {port for _address, port in found}
    assert {machine.http_port, machine.https_port, machine.ami_port} <= ports, found
    for address, port in found:
        assert address == "127.0.0.1" or (address == machine.bind and port not in (machine.ami_port, machine.agi_port)), (address, port)
    conf = store.files_of(machine, applying.newest_number())["manager.conf"]
    assert "bindaddr = 127.0.0.1" in conf.replace("bindaddr=", "bindaddr = ")
    texts = re.findall(r"^secret ?= ?(.+)$", conf, re.M)
    assert texts and all(len(text) >= 30 for text in texts) and len(set(texts)) == len(texts)
    assert "manager.conf" in applying.hidden_files()


def test_a_shown_password_is_written_down(carla):
    extension = make_extension("2001")
    assert "secret-2001" in carla.send(f"/extensions/{extension.id}/_secret/password").text
    last = db.session.scalar(select(changes.Change).order_by(changes.Change.id.desc()))
    assert (last.action, last.user_name, last.row_id) == ("shown", "Carla", extension.id)
    assert carla.get(f"/extensions/{extension.id}/_secret/password").status_code == 405
    assert carla.send(f"/users/{by_login('carla').id}/_secret/password").status_code == 404


def test_a_refused_apply_names_rows_only_to_people_who_may_see_them(client):
    """Permission of the page of an attempt: its findings name rows of every author."""
    found = {"file": "bentevi/trunks.pjsip.conf", "line": 3, "code": "unknown_option", "text": "A endpoint has no option x", "word": "trunks",
             "row_id": 1, "parameters": {"type": "endpoint", "value": "tronco-secreto"}}  # fmt: skip
    attempt = Attempt(at=ground.now(), author="Carla", reason="", state="failed", steps=[], findings=[found], warning="")
    db.session.add(attempt)
    db.session.commit()
    path = f"/apply/{attempt.id}"
    assert "tronco-secreto" in person(client, "bruno.lima", modules=["trunks"]).get(path).text
    davi = person(client, "davi.souza", modules=["extensions"])
    assert "tronco-secreto" not in davi.get(path).text and "tronco-secreto" not in davi.get(f"{path}/_steps").text
