"""What a stranger, or a person with few rights, tries by hand: every address without its token, every address without the right to it, ways out of
folders, hostile files, invented hosts, lists of logins."""

import http.client
import io
import re
import ssl

import pytest
from flask import Flask

from appliance import settings
from appliance.audio_prompts import intake
from appliance.processes import nginx_conf
from appliance.resource import LARGEST_ID
from appliance.users.model import WRONG_PASSWORDS
from tests.build import PASSWORD, make_user
from tests.sounds import tone
from tests.visitor import person, text_of
from web import strangers

pytestmark = pytest.mark.usefixtures("app")

OPEN_TO_ALL = {
    "static", "healthz", "addresses.may_call", "login.log_in", "login.check_login", "login.choose_language", "recovery.form", "recovery.ask", "recovery.code",
    "recordings.listen", "provisioning.file",
}
CHANGING = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(autouse=True)
def fresh_limits(app):
    """The address of the tests may ask again."""
    from web.limits import limiter

    limiter.reset()


def addresses(app: Flask):
    """(method, address, endpoint) of everything there is; each number of a row is one that no row has, so that nothing happens by accident."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<int:[^>]*>", str(LARGEST_ID), rule.rule)
        path = re.sub(r"<any\((\w+)[^>]*>", r"\1", path)
        path = re.sub(r"<[^>]*>", "x", path)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, path, rule.endpoint


def test_nothing_changes_without_the_token_of_the_page(app, carla):
    """USR-35: every address that is no GET, asked with an administrator's session as another site would make the browser ask."""
    asked = [(method, path) for method, path, _endpoint in addresses(app) if method in CHANGING]
    assert len(asked) > 200
    for method, path in asked:
        assert carla.open(path, method=method, data={}).status_code == 400, (method, path)
        assert carla.open(path, method=method, data={"csrf_token": "x"}, headers={"X-CSRFToken": "x"}).status_code == 400, (method, path)


def test_a_stranger_is_asked_to_log_in_everywhere(app, client):
    """USR-35, USR-01."""
    for method, path, endpoint in addresses(app):
        if endpoint in OPEN_TO_ALL:
            continue
        answer = client.open(path, method=method)
        if path.startswith("/api/"):
            assert answer.status_code == 401, (method, path)
        else:
            assert answer.status_code == 302 and answer.location.startswith("/login"), (method, path)


def test_who_has_no_right_is_refused_by_the_server_everywhere(app, client):
    """USR-01, USR-18: with the right token of his own session, on every address that needs a menu."""
    davi = person(client, "davi.souza", modules=["cost_centres"])
    token = {"X-CSRFToken": davi.csrf()}
    asked = 0
    for method, path, endpoint in addresses(app):
        needed = getattr(app.view_functions[endpoint], "permission", "")
        if needed in ("", "cost_centres"):
            continue
        assert davi.open(path, method=method, headers=token).status_code == 403, (method, path)
        asked += 1
    assert asked > 300


def is_limited(view):
    """Whether it may be asked so often only: one of the functions around it is the limiter's."""
    return view is not None and (hasattr(view, "__wrapper-limiter-instance") or is_limited(getattr(view, "__wrapped__", None)))


def test_the_description_of_the_api_holds_every_address_and_asks_for_a_token(app, carla):
    """What is not described is tried by nobody."""
    described = carla.get("/api/v1/openapi.json").json
    known = {(re.sub(r"\{[^}]*\}", "{}", path), method.upper()) for path, methods in described["paths"].items() for method in methods}
    limited = 0
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/") and rule.endpoint != "openapi":
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                assert (re.sub(r"<[^>]*>", "{}", rule.rule), method) in known, (method, rule.rule)
                if is_limited(app.view_functions[rule.endpoint]):
                    operation = described["paths"][re.sub(r"<(?:int:)?([^>]*)>", r"{\1}", rule.rule)][method.lower()]
                    assert "429" in operation["responses"], (method, rule.rule)
                    limited += 1
    assert limited >= 4
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer" and described["security"] == [{"token": []}]
    upload = described["paths"]["/api/v1/extensions/imports"]["post"]["requestBody"]["content"]
    assert list(upload) == ["multipart/form-data"]
    for path in described["paths"].values():
        for operation in path.values():
            assert {"401", "403"} <= set(operation["responses"])
            assert all(one["schema"]["maximum"] == LARGEST_ID for one in operation["parameters"] if one["in"] == "path" and one["schema"]["type"] == "integer")


@pytest.mark.parametrize("body", [[], ["a"], "a", 1, None, {"to": ["a"]}, {"to": {}}])
def test_a_body_of_another_shape_is_refused_in_words(carla, body):
    assert carla.api("POST", "/api/v1/email/test", body).status_code == 422


def test_being_locked_does_not_tell_who_exists(client):
    """USR-35: a name of nobody is locked like a person's."""
    make_user("ana.souza")
    said = {}
    for login in ("ana.souza", "nobody.there"):
        lines = []
        for _time in range(WRONG_PASSWORDS + 2):
            answer = client.post("/login", data={"csrf_token": client.csrf("/login"), "login": login, "password": "Wrong@123"})
            lines.append((answer.status_code, text_of(answer)))
        said[login] = lines
    assert said["ana.souza"] == said["nobody.there"]
    assert said["ana.souza"][0] != said["ana.souza"][-1] and strangers.is_locked(" NOBODY.there")
    assert client.post("/login", data={"csrf_token": client.csrf("/login"), "login": "ana.souza", "password": PASSWORD}).status_code == 422


# ------------------------------------------------------------------------------------------------------- through nginx


def ask(method: str, path: str, headers: dict[str, str] | None = None, tls: bool = False) -> tuple[int, http.client.HTTPMessage, bytes]:
    """One request as it is, to the real nginx; http.client changes nothing in the path."""
    machine = settings.load()
    unchecked = ssl._create_unverified_context()
    connection = (http.client.HTTPSConnection("127.0.0.1", machine.https_port, timeout=20, context=unchecked) if tls else
                  http.client.HTTPConnection("127.0.0.1", machine.http_port, timeout=20))
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


OUTSIDE = ["..", "%2e%2e", "..%2f", "%2e%2e%2f", "..%5c", "....//", "..;", "%252e%252e", ".%2e", "..%c0%af"]


@pytest.mark.parametrize("folder", ["/static", "/static/vendor", "/_recordings", "/_audio", "/provisioning/khomp", "/live", "/help", ""])
def test_no_way_leads_out_of_a_folder(folder):
    secret = (settings.load().secrets / "key").read_bytes()
    for up in OUTSIDE:
        for end in ("secrets/key", "etc/passwd", "appliance/settings.py", "web.py"):
            path = f"{folder}/{'/'.join([up] * 6)}/{end}".replace("//", "/") if up != "....//" else f"{folder}/{up * 6}{end}"
            status, _headers, body = ask("GET", path)
            assert status in (301, 302, 400, 401, 403, 404), (path, status)
            assert secret not in body and b"root:" not in body and b"import " not in body, path
    assert ask("GET", "/_recordings/")[0] == ask("GET", "/_audio/")[0] == 404, "only the pages send these"


def test_a_host_that_is_made_up_leads_nowhere():
    """No page, cookie or redirect on this machine holds a name that a request made up."""
    for headers in ({"Host": "evil.example"}, {"Host": "127.0.0.1", "X-Forwarded-Host": "evil.example"}, {"Host": "127.0.0.1", "Forwarded": "host=evil.example"}):
        for path in ("/", "/login", "/recovery", "/extensions", "/nothing", "/static"):
            status, answer, body = ask("GET", path, headers)
            assert status < 500 and b"evil.example" not in body, (path, headers)
            assert "evil.example" not in answer.get("Set-Cookie", "")
            if path != "/static":  # nginx adds the slash, with the host of the request itself
                assert "evil.example" not in answer.get("Location", ""), (path, headers)
    assert ask("GET", "/login", {"Host": "a/b@c"})[0] == 400


def test_what_an_answer_tells_of_the_machine():
    """USR-35: cookies by TLS only and for no script, nothing personal is kept, no version is told."""
    _status, plain, _body = ask("GET", "/login")
    _status, headers, _body = ask("GET", "/login", tls=True)
    cookie = headers["Set-Cookie"]
    assert "; Secure" in cookie and "; HttpOnly" in cookie and "; SameSite=Lax" in cookie and "; Secure" not in plain["Set-Cookie"]
    assert headers["Server"] == "nginx" and headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "same-origin"
    assert "unsafe" not in headers["Content-Security-Policy"] and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert not {"X-Powered-By", "Via", "Access-Control-Allow-Origin"} & set(headers)
    for method in ("TRACE", "CONNECT", "PROPFIND", "DEBUG", "TRACK"):
        assert ask(method, "/login")[0] in (400, 405), method


def test_browsers_are_told_to_stay_with_tls_only_where_every_port_is_the_usual_one():
    machine = settings.load()
    usual = settings.load({"BENTEVI_HOME": str(machine.home), "BENTEVI_HTTP_PORT": "80", "BENTEVI_HTTPS_PORT": "443"})
    assert '"https 1" "max-age=31536000"' in nginx_conf(usual) and "max-age=31536000\";" in nginx_conf(usual)
    assert '"https 1"' not in nginx_conf(machine)
    assert "Strict-Transport-Security" not in ask("GET", "/login", tls=True)[1]


def test_what_is_too_large_is_refused_before_it_is_sent():
    status, _headers, _body = ask("POST", "/login", {"Content-Length": str(65 * 2**20), "Expect": "100-continue"})
    assert status == 413
    assert ask("GET", "/" + "a" * 20_000)[0] == 414
    assert ask("GET", "/login", {"X-Long": "a" * 40_000})[0] in (400, 431)


# ------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["../../../../tmp/evil.wav", "..\\evil.wav", "a\x00.wav", "/etc/cron.d/evil", "x" * 3000 + ".wav", "<script>alert(1)</script>.wav",
                                  "$(touch evil).wav", "-o evil.wav", "|id.wav"])
def test_the_name_of_a_sent_file_is_only_a_text(carla, tmp_path, name):
    """Where a file lies is ours to say."""
    prompt = carla.api("POST", "/api/v1/audio_prompts", {"name": "Aviso"}).json["id"]
    before = set(settings.load().home.rglob("*evil*"))
    answer = carla.post(f"/api/v1/audio_prompts/{prompt}/file", data={"file": (io.BytesIO(tone(tmp_path / "a.wav", 440, seconds=0.3)), name)}, headers={"X-CSRFToken": carla.csrf()})
    assert answer.status_code in (202, 422)
    assert set(settings.load().home.rglob("*evil*")) == before
    assert all(file.resolve().is_relative_to(intake.folder().resolve()) for file in intake.folder().rglob("*") if file.is_file())
    page = carla.get(f"/audio_prompts/{prompt}")
    assert page.status_code == 200 and "<script>alert" not in page.text


@pytest.mark.parametrize("content", [b"<html><script>alert(1)</script>", b"<?php system('id'); ?>", b"\x7fELF" + b"\0" * 200, b"#!/bin/sh\nid\n", b"",
                                     b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\xff\xff\xff\xff\xff\xff", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"])
def test_a_file_that_is_no_sound_is_never_served(carla, content):
    prompt = carla.api("POST", "/api/v1/audio_prompts", {"name": "Aviso"}).json["id"]
    carla.post(f"/api/v1/audio_prompts/{prompt}/file", data={"file": (io.BytesIO(content), "a.wav")}, headers={"X-CSRFToken": carla.csrf()})
    answer = carla.get(f"/audio_prompts/{prompt}/sound")
    assert answer.status_code == 404 or answer.mimetype == "audio/wav"
