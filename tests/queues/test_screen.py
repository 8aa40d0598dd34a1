"""Members on the page and by the API: who may, what is told, and that the row says it."""

import pytest

from appliance.db import db
from appliance.resource import TABLE
from tests.build import make_extension, make_queue
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("app")


def lines(queue):
    db.session.rollback()
    found = [(line["extension"], line["paused"]) for line in TABLE["queues"].show(TABLE["queues"].get(queue))["members"]]
    db.session.rollback()  # whoever writes next waits for nobody
    return found


@pytest.fixture
def queue(app):
    make_extension("1001", name="Ana")
    make_extension("1002", name="Bruno")
    row_id = make_queue("2000", TABLE["extensions"].find("1001"), name="Suporte").id
    db.session.rollback()
    return row_id


def test_members_come_pause_and_go_on_the_page(carla, queue):
    """QUE-22: at once, without saving the form."""
    assert carla.send(f"/queues/{queue}/members", {"extension": "1002"}).status_code == 302
    assert lines(queue) == [("1001", False), ("1002", False)]
    carla.send(f"/queues/{queue}/members/1001", {"act": "pause"})
    assert lines(queue) == [("1001", True), ("1002", False)]
    page = text_of(carla.get(f"/queues/{queue}"))
    assert "Ana" in page and "Bruno" in page and "Tirar da pausa" in page
    carla.send(f"/queues/{queue}/members/1001", {"act": "unpause"})
    carla.send(f"/queues/{queue}/members/1002", {"act": "leave"})
    assert lines(queue) == [("1001", False)]
    assert carla.send(f"/queues/{queue}/members", {"extension": "9999"}).status_code == 302
    assert "9999" in text_of(carla.get(f"/queues/{queue}")), "and why not"
    assert carla.send(f"/queues/{queue}/members/1001", {"act": "dance"}).status_code == 400


def test_members_come_pause_and_go_by_the_api(carla, queue):
    path = f"/api/v1/queues/{queue}/members"
    answer = carla.api("POST", path, {"extension": "1002", "penalty": 3})
    assert answer.json["members"][1] == {"extension": "1002", "penalty": 3, "paused": False}
    assert carla.api("PATCH", f"{path}/1002", {"paused": True, "penalty": 1}).json["members"][1] == {
        "extension": "1002", "penalty": 1, "paused": True}
    make_extension("1003")
    for wrong in ({"penalty": 101}, {"penalty": "muito"}, {"penalty": None}, {"paused": "talvez"}):
        refused = carla.api("POST", path, {"extension": "1003"} | wrong)
        assert refused.status_code == 422 and f"members-2-{next(iter(wrong))}" in refused.json["fields"], wrong
    assert carla.api("POST", path, {"extension": "1003", "paused": True}).json["members"][2] == {"extension": "1003", "penalty": 0, "paused": True}
    assert len(carla.api("DELETE", f"{path}/1003").json["members"]) == 2
    assert carla.api("PATCH", f"{path}/1009", {"paused": True}).status_code == 422
    assert carla.api("PATCH", f"{path}/1002", {"penalty": 5000}).status_code == 422
    assert carla.api("DELETE", f"{path}/1002").json["members"] == [{"extension": "1001", "penalty": 0, "paused": False}]
    assert carla.api("POST", f"/api/v1/queues/{queue + 99}/members", {"extension": "1002"}).status_code == 404


def test_who_may_not_change_queues_changes_no_member(client, queue):
    davi = person(client, "davi.reis", modules=["now"])
    assert davi.send(f"/queues/{queue}/members/1001", {"act": "pause"}).status_code == 403
    assert davi.api("PATCH", f"/api/v1/queues/{queue}/members/1001", {"paused": True}).status_code == 403
    assert lines(queue) == [("1001", False)]


def test_the_console_lists_pauses_puts_in_and_takes_out(whole_app, queue):
    """QUE-22: `bentevi queue`; what is wrong is one sentence and 2."""
    from click.testing import CliRunner

    from appliance.cli import bentevi

    def run(*words):
        return CliRunner().invoke(bentevi, ["queue", *words])

    assert run("join", "Suporte", "1002").output == "done\n" and run("join", "2000", "1002").output == "it was so already\n"
    assert run("pause", "2000", "1001").exit_code == 0
    assert lines(queue) == [("1001", True), ("1002", False)]
    assert "1001 (paused), 1002" in run("list").output and '"waiting": 0' in run("list", "--json").output
    assert run("unpause", "2000", "1001").exit_code == 0 and run("leave", "2000", "1002").exit_code == 0
    assert lines(queue) == [("1001", False)]
    for words in (("pause", "Nada", "1001"), ("pause", "Suporte", "1009"), ("join", "Suporte", "1009")):
        assert run(*words).exit_code == 2, words
