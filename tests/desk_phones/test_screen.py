"""The pages: letting a phone in, what it did, and the table of models."""

import re

import pytest

from appliance.changes import Change
from appliance.db import db
from appliance.desk_phones import models
from appliance.desk_phones.model import key_of
from tests.build import make_extension
from tests.desk_phones.devices import KINDS
from tests.desk_phones.test_rules import make_phone
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def phone():
    return make_phone(make_extension("2001", name="Ana", provisioning=True))


def test_the_one_time_address_is_shown_once_and_the_visit_afterwards(carla, phone):
    """EXT-09, SYS-01: a person presses the button, writes the address into the phone, and sees that it came."""
    path = f"/desk_phones/{phone.id}"
    assert carla.send(f"{path}/provision", {}).location == f"{path}#visits"
    page = carla.get(path)
    address = re.search(r'<code class="generated">([^<]+/provisioning/grandstream/[\w-]{27}/)</code>', page.text)[1]
    assert address not in carla.get(path).text, "only once"
    secret = address.rstrip("/").rpartition("/")[2]
    answer = carla.get(f"/provisioning/grandstream/{secret}/cfg000b82123456.xml", headers={"User-Agent": "Grandstream Model HW GXP1625 SW 1.0.4"})
    assert answer.status_code == 200
    seen = text_of(carla.get(path))
    assert "127.0.0.1" in seen and "Grandstream Model HW GXP1625 SW 1.0.4" in seen
    visits = carla.get(f"/api/v1{path}/visits").json
    assert visits["fetched_from"] == "127.0.0.1" and visits["window_until"] is None and visits["phonebook_at"] is None


def test_the_api_lets_a_phone_in_and_the_trail_says_who_did(carla, phone):
    """EXT-09, SYS-01."""
    answer = carla.api("POST", f"/api/v1/desk_phones/{phone.id}/provision", {"without_secret": True})
    assert answer.status_code == 200 and "/provisioning/grandstream/" in answer.json["address"] and answer.json["until"]
    assert key_of(phone.id).opens_without_secret
    last = db.session.query(Change).order_by(Change.id.desc()).first()
    assert (last.word, last.action, last.user_name, last.pending) == ("desk_phones", "provision", "Carla", False)
    carla.send(f"/desk_phones/{phone.id}/provision", {"act": "close"})
    db.session.expire_all()
    assert key_of(phone.id).window_until is None


def test_who_has_not_the_menu_lets_nobody_in(client, phone):
    """USR-01."""
    davi = person(client, "davi.souza", modules=["extensions"])
    for path in (f"/desk_phones/{phone.id}/provision", f"/desk_phones/{phone.id}/reload", "/desk_phones/_reload"):
        assert davi.send(path, {}).status_code == 403, path
    for path in ("provision", "reload"):
        assert davi.api("POST", f"/api/v1/desk_phones/{phone.id}/{path}", {}).status_code == 403
    assert davi.get(f"/api/v1/desk_phones/{phone.id}/visits").status_code == davi.get("/desk_phones/models").status_code == 403
    assert key_of(phone.id) is None


def test_the_table_of_models_is_honest(carla):
    """SYS-06: every model with its state, the day of comparison, and that none was tried with a device."""
    page = text_of(carla.get("/desk_phones/models"))
    for model in models.MODELS:
        assert model.name in page
    assert page.count("ainda não") == len(models.MODELS) and "não confirmado" in page and "27/11/2026" in page
    told = {one["model"]: one for one in carla.get("/api/v1/desk_phones/models").json["models"]}
    assert told["GXP1625"]["compared_on"] == "2026-11-27" and told["GXP1625"]["tested_on"] is None
    assert told["TIP 125i"]["state"] == "unknown" and told["TIP 200"]["state"] == "guessed"


def test_a_phone_that_is_registered_nowhere_is_not_told_and_the_page_says_so(carla, phone):
    answer = carla.api("POST", f"/api/v1/desk_phones/{phone.id}/reload", {})
    assert answer.status_code == 422 and "2001" in answer.json["error"]
    carla.send(f"/desk_phones/{phone.id}/reload", {})
    assert "2001" in text_of(carla.get(f"/desk_phones/{phone.id}"))


@pytest.mark.parametrize("kind", KINDS)
def test_phones_are_told_apart_by_what_they_ask(kind, carla):
    """SYS-02 to SYS-04: the file of another format of the same brand is not served."""
    reader, model = KINDS[kind]
    phone = make_phone(make_extension("2002", provisioning=True), mac="00:0b:82:00:00:02", model=model)
    address = carla.api("POST", f"/api/v1/desk_phones/{phone.id}/provision", {}).json["address"]
    secret = address.rstrip("/").rpartition("/")[2]
    names = {"000b82000002.xml", "cfg000b82000002.xml", "000b82000002.cfg"}
    served = {name for name in names if carla.get(f"/provisioning/{phone.brand}/{secret}/{name}").status_code == 200}
    assert served == names & set(reader(phone.brand, phone.mac).files())
