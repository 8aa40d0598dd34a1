"""SYS-11: the page of updates: on a checkout, on an appliance; a file in parts; what is asked of root; permission, API, the announced hour."""

import json

import pytest

from appliance import settings, version
from appliance.updates import state
from appliance.updates.state import State
from tests.updates.slots import make, public_key
from tests.visitor import person, text_of


@pytest.fixture
def appliance(app, tmp_path, monkeypatch):
    """What root publishes, and a key that is trusted; the spool is empty before and after."""
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("BENTEVI_UPDATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("BENTEVI_UPDATE_KEYS", str(public_key(tmp_path / "keys")))
    spool = state.spool(settings.load())
    empty(spool)
    yield tmp_path / "state"
    empty(spool)


def empty(spool):
    for file in spool.iterdir():
        if file.is_file():
            file.unlink()


def publish(folder, **values):
    now = State(**{"version": "9.0.0", "here": version.number(), "at": "2026-11-27T10:00:00+00:00"} | values)
    (folder / "state.json").write_text(state.as_text(now))
    with (folder / "history.jsonl").open("a") as out:
        out.write(f"{state.as_text(now)}\n" if now.is_over else "")


def send(carla, data, size=None, part=3000, offset=0):
    """What the page's script does; the last answer."""
    token, size = carla.csrf(), size or len(data)
    while True:
        answer = carla.post(f"/updates/file?offset={offset}&size={size}", data=data[offset:offset + part], headers={"X-CSRFToken": token})
        if answer.status_code != 200 or answer.json["has"] >= len(data):
            return answer
        offset = answer.json["has"]


def request():
    file = state.spool(settings.load()) / state.REQUEST
    return json.loads(file.read_text()) if file.exists() else None


def test_on_a_checkout_the_page_says_the_version_what_it_brought_and_how_it_is_updated(carla, monkeypatch, tmp_path):
    """SYS-11: and nothing can be sent or asked for."""
    monkeypatch.setenv("BENTEVI_UPDATE_STATE", str(tmp_path / "nowhere"))
    page = text_of(carla.get("/updates"))
    assert f"Instalada: Bentevi {version.number()}" in page and "git pull" in page and "Filas, URAs" in page and "Enviar" not in page
    assert carla.api("POST", "/api/v1/updates", {"do": "start"}).status_code == 422
    assert carla.api("GET", "/api/v1/updates").json["possible"] is False
    assert send(carla, b"BENTEVI-UPDATE 1\n" + bytes(5000)).status_code == 422


def test_a_file_is_sent_in_parts_shown_and_asked_for_at_an_hour(carla, appliance, tmp_path):
    """SYS-11: what it brings stands there before it is installed; root gets one word and an hour."""
    data = make(tmp_path / "1.update", version="9.0.0", payload="x" * 10_000).read_bytes()
    answer = send(carla, data)
    assert answer.status_code == 200 and answer.json["version"] == "9.0.0"
    page = text_of(carla.get("/updates"))
    assert "Bentevi 9.0.0" in page and "Uma novidade." in page and "Instalar 9.0.0" in page
    assert (state.spool(settings.load()) / state.SENT).read_bytes() == data
    carla.send("/updates", {"do": "start", "restart": "hour", "hour": "25:99"})
    assert request() is None and "22:30" in text_of(carla.get("/updates"))
    carla.send("/updates", {"do": "start", "restart": "hour", "hour": "22:15"})
    assert request() == {"do": "start", "restart": "22:15", "asked_by": "Carla"}
    page = carla.get("/updates")
    assert "começa em instantes" in text_of(page) and 'hx-get="/updates/_rows"' in page.text
    carla.send("/updates", {"do": "start", "restart": "now"})
    assert request()["restart"] == "22:15" and "em andamento" in text_of(carla.get("/updates"))
    assert "9.0.0" in carla.get("/audit").text or "start" in carla.get("/audit").text


def test_after_a_break_the_sending_goes_on_where_it_stopped(carla, appliance, tmp_path):
    """SYS-11: a part that belongs elsewhere is answered with how much is there."""
    data = make(tmp_path / "1.update", version="9.0.0", payload="x" * 10_000).read_bytes()
    token = {"X-CSRFToken": carla.csrf()}
    assert carla.post(f"/updates/file?offset=0&size={len(data)}", data=data[:5000], headers=token).json == {"has": 5000}
    probe = carla.post(f"/updates/file?offset={len(data)}&size={len(data)}", data=b"", headers=token)
    assert (probe.status_code, probe.json) == (409, {"has": 5000})
    assert send(carla, data, offset=5000).json["version"] == "9.0.0"
    carla.send("/updates/forget", {})
    assert "Arquivo de atualização" in text_of(carla.get("/updates")) and not list(state.spool(settings.load()).glob("sent*"))


def test_what_is_no_update_is_refused_with_words_and_not_kept(carla, appliance, tmp_path):
    """SYS-11: forged, cut, another kind of file, too much, an older version."""
    file = make(tmp_path / "1.update", version="9.0.0", payload="x" * 9000)
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    assert "assinatura" in send(carla, bytes(data)).json["error"]
    assert "não é um arquivo de atualização" in send(carla, b"PK\3\4" + bytes(5000)).json["error"]
    assert "não está completo" in send(carla, file.read_bytes()[:-100]).json["error"]
    assert send(carla, file.read_bytes(), size=4000).status_code == 422
    for offset in ("-1", "x", "99999999999"):
        assert carla.post(f"/updates/file?offset={offset}&size=1", data=b"x", headers={"X-CSRFToken": carla.csrf()}).status_code == 422
    assert not [one for one in state.spool(settings.load()).iterdir() if one.name.startswith("sent.u")]
    send(carla, make(tmp_path / "2.update", version="0.0.1").read_bytes())
    page = text_of(carla.get("/updates"))
    assert "mais antiga" in page and "Instalar 0.0.1" not in page
    carla.send("/updates", {"do": "start", "restart": "now"})
    assert request() is None


def test_what_is_under_way_is_shown_on_every_page_and_can_be_cancelled(carla, appliance):
    """SYS-11: the announced hour; the reason of one that came back."""
    publish(appliance, step=state.WAITING, restart="22:00", restart_at="2026-11-27T22:00:00-03:00")
    assert "reinicia às 22:00 para a versão 9.0.0" in text_of(carla.get("/"))
    page = text_of(carla.get("/updates"))
    assert "espera o reinício" in page and "Cancelar a atualização" in page and "Instalar do pendrive" not in page
    carla.send("/updates", {"do": "stick", "restart": "now"})
    assert request() is None
    carla.send("/updates", {"do": "cancel"})
    assert request()["do"] == "cancel"
    publish(appliance, step=state.RETURNED, code="silent", values={"names": "asterisk"})
    page = text_of(carla.get("/updates/_rows"))
    assert "voltou" in page and "Estes não responderam na versão nova: asterisk" in page
    assert "reinicia às" not in text_of(carla.get("/"))


def test_the_version_before_can_be_asked_for_while_it_is_there(carla, appliance):
    """SYS-11."""
    assert "Voltar para" not in text_of(carla.get("/updates"))
    publish(appliance, step=state.DONE, version=version.number(), here="0.0.9")
    assert "Voltar para 0.0.9" in text_of(carla.get("/updates"))
    carla.send("/updates", {"do": "return"})
    assert request()["do"] == "return"
    said = carla.api("GET", "/api/v1/updates").json
    assert said["possible"] and said["update"]["step"] == "done" and said["history"][0]["from"] == "0.0.9"


def test_who_may_not_open_updates_sends_and_asks_nothing(client, appliance):
    """SYS-11: page, parts and API are checked on the server."""
    davi = person(client, "davi.reis", access_level="user")
    assert davi.get("/updates").status_code == davi.get("/updates/_rows").status_code == 403
    assert davi.send("/updates", {"do": "stick"}).status_code == 403 and davi.api("POST", "/api/v1/updates", {"do": "stick"}).status_code == 403
    assert davi.post("/updates/file?offset=0&size=9", data=b"x", headers={"X-CSRFToken": davi.csrf()}).status_code == 403
    assert request() is None


def test_the_api_asks_as_the_page_does(carla, appliance):
    """SYS-11."""
    assert carla.api("POST", "/api/v1/updates", {"do": "stick", "restart": "23:05"}).status_code == 202
    assert request() == {"do": "stick", "restart": "23:05", "asked_by": "Carla"}
    for body in ({"do": "reboot"}, {"do": "stick", "restart": "x"}, [], None):
        assert carla.api("POST", "/api/v1/updates", body).status_code == 422
