"""About and modules: one version everywhere, what is in use, and modules that can be switched off without touching calls or data."""

import io
import json
import re
import subprocess
import sys
import tarfile

from appliance import settings, version
from appliance.backups import content
from appliance.db import db
from appliance.modules import model as modules
from appliance.resource import SINGLE_ID, TABLE
from appliance.settings import CHECKOUT
from appliance.support import bundle
from tests.build import change, make_extension, make_queue
from tests.visitor import person, text_of


def switch(**values):
    change(TABLE["modules"].get(SINGLE_ID), **values)


def test_one_version_stands_in_the_foot_about_help_command_bundle_backup_and_image(carla):
    """SYS-10: all equal."""
    release = re.search(r"^VERSION=(.+)$", (CHECKOUT / "os_image/release.env").read_text(), re.M)[1]
    said = {"release": release, "program": version.number()}
    said["foot"] = re.search(r"<footer[^>]*>.*?Bentevi ([\d.]+)", carla.get("/").text, re.S)[1]
    said["about"] = re.search(r"<dd>Bentevi ([\d.]+)</dd>", carla.get("/about").text)[1]
    said["help"] = re.search(r"Bentevi ([\d.]+), a versão", text_of(carla.get("/help")))[1]
    said["api"] = carla.api("GET", "/api/v1/about").json["version"]
    run = subprocess.run([sys.executable, "-m", "appliance.cli", "--version"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    said["command"] = run.stdout.split()[1]
    with tarfile.open(fileobj=io.BytesIO(bundle.make())) as archive:
        said["bundle"] = json.load(archive.extractfile("bentevi/versions.json"))["bentevi"]
    db.session.rollback()
    said["backup"] = content.stage(settings.load(), 0, 0, lambda _done, _total: None).version
    content.clear(settings.load())
    assert set(said.values()) == {release}, said


def test_about_tells_serial_number_licence_parts_and_how_much_of_each_module_is_in_use(carla):
    """SYS-12, SYS-13: values are those of the rows; everything is included and no key is asked for."""
    ana, bruno = make_extension("2001", name="Ana"), make_extension("2002", name="Bruno")
    make_queue("3001", ana)
    make_queue("3002", ana, bruno)
    said = carla.api("GET", "/api/v1/about").json
    counts = {one["module"]: one["counts"] for one in said["modules"]}
    assert counts["telephony"]["extensions"] == 2 and counts["call_centre"] == {"queues": 2, "agents": 2} and counts["khomp"] == {"boards": 0, "channels": 0}
    assert said["parts"]["Asterisk"].startswith("22") and {"Python", "Redis", "Linux"} <= set(said["parts"])
    assert re.fullmatch(r"([0-9A-F]{4}-){3}[0-9A-F]{4}", said["serial"]) and said["serial"] == modules.current().serial
    page = text_of(carla.get("/about"))
    assert said["serial"] in page and "software livre" in page and "nenhuma chave" in page and re.search(r"Call Center .* 2 filas · 2 atendentes", page), page


def test_a_module_switched_off_has_no_menu_no_page_and_no_api_and_comes_back_whole(carla):
    """SYS-14: 404 and no menu; rows, generated files and other pages stay as they are; the change is in the trail and waits for no apply."""
    queue = make_queue("3001", name="Suporte")
    applied = carla.get("/").text
    assert 'href="/queues"' in applied and 'href="/queue_reports"' in applied
    answer = carla.send("/modules", {name: "yes" for name in modules.MODULES if name != "call_centre"}, follow_redirects=True)
    assert answer.status_code == 200 and not modules.current().call_centre
    for path in ("/queues", f"/queues/{queue.id}", "/queues/new", "/queue_reports", "/queue_reports.csv", "/help/queues", f"/queues/{queue.id}/members"):
        assert carla.get(path).status_code == 404, path
    for path in ("/api/v1/queues", f"/api/v1/queues/{queue.id}", f"/api/v1/queues/{queue.id}/members"):
        answer = carla.api("GET", path)
        assert answer.status_code == 404 and answer.json["error"], path
    page = carla.get("/").text
    assert "/queue_reports" not in page and 'class="menu-page" href="/queues"' not in page and 'href="/ivrs"' in page
    assert "Suporte" not in text_of(carla.get("/search?q=Suporte")) and "/help/queues" not in carla.get("/help").text
    assert TABLE["queues"].find("Suporte") is not None and carla.get("/about").status_code == 200
    assert "menus ocultos" in text_of(carla.get("/about"))
    assert "call_centre" in carla.get("/audit").text or "Call Center" in text_of(carla.get("/audit"))
    switch(call_centre=True)
    assert carla.get(f"/queues/{queue.id}").status_code == 200 and carla.api("GET", "/api/v1/queues").json["rows"][0]["name"] == "Suporte"


def test_every_word_of_a_module_is_an_address_of_its_own(app):
    """SYS-14: what is hidden exists, and no module hides what belongs to telephony itself."""
    first = {rule.rule.strip("/").removeprefix("api/v1/").split("/")[0].partition(".")[0] for rule in app.url_map.iter_rules()}
    words = [word for module in modules.MODULES.values() for word in module.words]
    assert set(words) <= first and len(words) == len(set(words))
    assert not set(words) & {"extensions", "trunks", "users", "calls", "recordings", "modules", "about", "updates", "provisioning"}
    assert set(modules.MODULES) == set(TABLE["modules"].fields)


def test_who_may_not_open_about_sees_the_version_and_no_link(client):
    """SYS-10, SYS-12: the permission of the page and of the API is checked on the server."""
    davi = person(client, "davi.reis", access_level="user")
    assert davi.get("/about").status_code == 403 and davi.api("GET", "/api/v1/about").status_code == 403
    page = davi.get("/").text
    assert f"Bentevi {version.number()}" in page and 'href="/about"' not in page


def test_whose_start_page_is_of_a_hidden_module_comes_to_the_first_page(client):
    """SYS-14: a login never ends at an address that does not exist."""
    bruno = person(client, "bruno", access_level="manager", start_page="queues")
    assert bruno.get("/queues").status_code == 200
    switch(call_centre=False)
    assert bruno.get("/queues").status_code == 404 and bruno.get("/").status_code == 200
