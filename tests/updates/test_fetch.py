"""SYS-11: a newer version at an address: looked for, fetched over breaks, believed only by its signature; on the page, by API, by the clock."""

import os
import shutil
from datetime import timedelta

import pytest

from appliance import alarms, lanes, settings, version
from appliance import db as ground
from appliance.db import db
from appliance.updates import fetch, package, state
from jobs import updates as jobs
from tests.build import change
from tests.updates.shelf import shelf
from tests.updates.slots import make
from tests.updates.test_screen import appliance  # noqa: F401  a machine that updates itself, and its empty spool
from tests.visitor import person, text_of

LONG = "x" * 3_000_000


@pytest.fixture
def machine(app, appliance, monkeypatch):  # noqa: F811
    """The settings; nobody waits between two tries."""
    monkeypatch.setattr(fetch, "PAUSE_SECONDS", 0.0)
    return settings.load()


def policy(address, **values):
    change(fetch.policy(), address=address, **values)
    db.session.commit()


def update(tmp_path, number="9.0.0", payload=LONG):
    return make(tmp_path / f"{number}.update", version=number, payload=payload).read_bytes()


def sent(machine):
    file = state.spool(machine) / state.SENT
    return file.read_bytes() if file.exists() else b""


def test_the_head_alone_tells_what_is_there(machine, tmp_path):
    """SYS-11: a look reads some kilobytes of hundreds of megabytes; the signed words say the rest."""
    with shelf(update(tmp_path)) as there:
        found = fetch.look(machine, there.address)
        assert (found.version, found.size_bytes, found.code) == ("9.0.0", len(there.content), "")
        assert found.notes["pt_BR"] == ["Uma novidade."] and there.asked == [f"bytes=0-{package.BLOCK + package.MOST_DESCRIPTION - 1}"]
    assert fetch.has_bytes(machine) == 0 and sent(machine) == b""


def test_it_is_fetched_over_breaks_from_where_it_stopped(machine, tmp_path):
    """SYS-11: each byte once; what lies there at the end is what was signed."""
    with shelf(update(tmp_path)) as there:
        there.breaks = [10_000_000, 1_000_000, 500_000]  # the look is given whole
        found = fetch.fetch(machine, there.address)
        assert (found.step, found.code) == ("", "")
        starts = [int(one.removeprefix("bytes=").split("-")[0]) for one in there.asked]
        assert starts[:2] == [0, 0] and 0 < starts[2] <= 1_000_000 < starts[3] <= 1_500_000 and len(starts) == 4
        assert sent(machine) == there.content and fetch.has_bytes(machine) == 0
        fetch.fetch(machine, there.address)
        assert len(there.asked) == 5, "only a look: it lies there already"


def test_one_that_stays_away_keeps_what_was_fetched_for_next_time(machine, tmp_path):
    """SYS-11: also through a process that died; another file begins anew."""
    with shelf(update(tmp_path)) as there:
        there.breaks = [10_000_000, 1_000_000] + [0] * fetch.TRIES
        found = fetch.fetch(machine, there.address)
        assert (found.step, found.code, found.version) == (fetch.FAILED, "no_answer", "9.0.0")
        kept = fetch.has_bytes(machine)
        assert 0 < kept <= 1_000_000 and sent(machine) == b""
        address = there.address
    assert fetch.look(machine, address).code == "no_answer" and fetch.has_bytes(machine) == kept
    assert fetch.found(machine).version == "9.0.0", "what was found stays known"
    with shelf(update(tmp_path)) as there:
        fetch.fetch(machine, there.address)
        assert there.asked[1].startswith(f"bytes={kept}-") and sent(machine) == there.content
    with shelf(update(tmp_path, "8.9.0")) as there:
        fetch.fetch(machine, there.address)
        assert len(there.asked) == 1, "a newer one was sent"
    with shelf(update(tmp_path, "9.1.0")) as there:
        there.breaks = [10_000_000, 1_000_000] + [0] * fetch.TRIES
        fetch.fetch(machine, there.address)
    with shelf(update(tmp_path, "9.2.0", LONG + "y")) as there:
        assert fetch.fetch(machine, there.address).code == "" and there.asked[1].startswith("bytes=0-") and sent(machine) == there.content


def test_a_server_without_parts_gives_the_whole_again(machine, tmp_path):
    """SYS-11: from the first byte."""
    with shelf(update(tmp_path)) as there:
        there.has_ranges = False
        there.breaks = [10_000_000, 1_000_000]
        assert fetch.fetch(machine, there.address).code == "" and sent(machine) == there.content


def test_nothing_is_believed(machine, tmp_path):
    """SYS-11: forged, damaged behind a good head, a page of something else, longer than it says, older, the same, not there."""
    good = update(tmp_path)
    forged = good.replace(b"Uma novidade.", b"Uma novidad3.")
    for content, code in ((forged, "forged"), (b"<html>" * 1000, "not_update"), (good[:-1] + b"y", "damaged"), (good[:60], "truncated")):
        with shelf(content) as there:
            found = fetch.fetch(machine, there.address)
            assert (found.code, sent(machine), fetch.has_bytes(machine)) == (code, b"", 0), code
    for number in (version.number(), "0.0.1"):
        with shelf(update(tmp_path, number)) as there:
            found = fetch.fetch(machine, there.address)
            assert (found.version, found.code, sent(machine)) == ("", "", b"")
    with shelf(good) as there:
        there.status = 404
        found = fetch.fetch(machine, there.address)
        assert (found.code, found.values) == ("not_there", {"status": 404})
    assert fetch.fetch(machine, "").code == "no_address"


def test_no_room_is_said_before_it_is_filled(machine, tmp_path, monkeypatch):
    """SYS-11: with what is free and needed."""
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _path: usage._replace(free=fetch.ROOM_BYTES + 1000))
    with shelf(update(tmp_path)) as there:
        assert fetch.fetch(machine, there.address).code == "no_room" and fetch.has_bytes(machine) == 0


def test_two_at_once_do_not_write_into_each_other(machine, tmp_path):
    """SYS-11: a command beside the job: the second one leaves it to the first."""
    with shelf(update(tmp_path)) as there, fetch.locks.held(state.spool(machine) / "fetch.lock", 0):
        fetch.fetch(machine, there.address)
        assert there.asked == []


def test_by_the_clock_once_a_day_and_an_alarm_while_it_is_newer(machine, tmp_path, monkeypatch):
    """SYS-11: the policy says where, and whether it is fetched; without an address nobody is asked."""
    jobs.look()
    assert alarms.active() == []
    with shelf(update(tmp_path)) as there:
        policy(there.address)
        jobs.look()
        jobs.look()
        assert len(there.asked) == 1 and [(one.code, one.parameters) for one in alarms.active()] == [("update_found", {"version": "9.0.0"})]
        tomorrow = ground.now() + timedelta(hours=23)
        monkeypatch.setattr(ground, "now", lambda: tomorrow)
        policy(there.address, download=True)
        jobs.look()
        assert sent(machine) == there.content
        address = there.address
    policy(address, download=False)
    tomorrow += timedelta(hours=23)
    jobs.look()
    assert fetch.found(machine).code == "no_answer" and fetch.found(machine).version == "9.0.0"
    tomorrow += timedelta(minutes=50)
    looked = fetch.found(machine).at
    jobs.look()
    assert fetch.found(machine).at == looked, "not yet"
    tomorrow += timedelta(minutes=20)
    jobs.look()
    assert fetch.found(machine).at != looked, "one that was not answered is asked again in the hour"
    monkeypatch.setattr(version, "number", lambda: "9.0.0")
    jobs.look()
    assert alarms.active() == [] and fetch.found(machine).version == ""


def test_the_page_looks_fetches_and_offers_to_install(carla, machine, tmp_path, monkeypatch):
    """SYS-11: in Portuguese, with what is wrong in words; the API says the same. The home's own worker trusts other keys: its part is done here."""
    asked = []
    monkeypatch.setattr(lanes, "put", lambda *words: asked.append(words))
    carla.send("/updates", {"do": "look"})
    assert "Diga antes em que endereço" in text_of(carla.get("/updates"))
    with shelf(update(tmp_path)) as there:
        carla.send("/update_policy", {"address": there.address})
        assert there.address in text_of(carla.get("/updates"))
        carla.send("/updates", {"do": "look"})
        assert asked == [("backups", "jobs.updates.look_now", 0)]
        assert 'hx-get="/updates/_found"' in carla.get("/updates").text and carla.get("/updates/_found").status_code == 200
        jobs.look_now()
        assert carla.get("/updates/_found").headers["HX-Redirect"] == "/updates"
        page = text_of(carla.get("/updates"))
        assert "Bentevi 9.0.0" in page and "Uma novidade." in page and "Baixar 9.0.0" in page and "Instalar 9.0.0" not in page
        there.breaks = [10_000_000, 1_000_000] + [0] * fetch.TRIES
        jobs.fetch()
        page = text_of(carla.get("/updates"))
        assert "já estão aqui; continua daí" in page and "não responde, ou interrompeu" in page
        answer = carla.api("GET", "/api/v1/updates").json["found"]
        assert answer["version"] == "9.0.0" and 0 < answer["has_bytes"] < answer["size_bytes"] and "interrompeu" in answer["reason"]
        assert carla.api("POST", "/api/v1/updates", {"do": "fetch"}).status_code == 202
        assert carla.api("GET", "/api/v1/updates").json["found"]["fetching"] is True and asked[1:] == [("backups", "jobs.updates.fetch", 0)]
        file = state.spool(machine) / fetch.FOUND
        for one in (file, state.spool(machine) / fetch.FETCHED):
            os.utime(one, (0, 0))
        assert carla.api("GET", "/api/v1/updates").json["found"]["fetching"] is False, "who died is not waited for"
        jobs.fetch()
    assert "Instalar 9.0.0" in text_of(carla.get("/updates"))
    carla.send("/updates/forget")
    assert sent(machine) == b""


def test_addresses_that_cannot_be_and_secrets_in_them_are_refused(carla, client, machine):
    """SYS-11: each at its field; whoever has no right gets nothing."""
    for address, words in (("bentevi.example/x", "endereço completo"), ("ftp://bentevi.example/x", "endereço completo"), ("https:///x", "endereço completo"),
                           ("http://[::1/x", "endereço completo"), ("https://ana:segredo@bentevi.example/x", "não precisa de segredo")):
        assert words in text_of(carla.send("/update_policy", {"address": address})), address
        assert carla.api("PATCH", "/api/v1/update_policy", {"address": address}).status_code == 422
    assert fetch.policy().address == ""
    david = person(client, "david", access_level="manager", modules=["updates"])
    assert david.get("/update_policy").status_code == 403 and david.get("/updates").status_code == 200
    marina = person(client, "marina", access_level="manager", modules=["reports"])
    assert [marina.get("/updates/_found").status_code, marina.send("/updates", {"do": "fetch"}).status_code] == [403, 403]
