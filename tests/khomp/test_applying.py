"""Putting khomp.conf into force: what the driver takes at once, what waits for a restart, and the boards it lists (pbx)."""

import pytest

from appliance import applying, live, settings
from appliance.db import db
from appliance.khomp_boards.model import boards
from appliance.revisions.model import newest
from appliance.telephony import khomp, runtime
from jobs import khomp_boards as jobs
from tests.build import change, make_extension
from tests.khomp.test_story import board, caller, calls, line
from tests.player import until
from tests.visitor import person

pytestmark = pytest.mark.pbx


def test_a_changed_group_is_taken_by_a_reload_and_the_running_driver_holds_it(pbx, driver):
    """TRK-16, SYS-17: the same Asterisk goes on; the driver's own dump has the new group."""
    board()
    trunk = line()
    pbx.apply()
    pid = pbx.pid()
    assert f"trunk{trunk.id} = b0c0-3:bentevi-from-trunk-{trunk.id}" in pbx.ask("khomp dump groups")
    change(trunk, channels=["b0c1"], allocation="descending")
    attempt = pbx.apply()
    assert f"trunk{trunk.id} = B0C1:bentevi-from-trunk-{trunk.id}" in pbx.ask("khomp dump groups")
    assert newest().restart_needed == [] and pbx.pid() == pid
    assert "khomp.conf" in newest().changed_files and attempt.state == "done"


def test_a_change_of_contexts_alone_leaves_the_driver_alone(pbx, driver):
    """SYS-17: khomp.conf is the same bytes."""
    board()
    line()
    pbx.apply()
    make_extension("1000")
    pbx.apply()
    assert "khomp.conf" not in newest().changed_files


def test_what_the_driver_does_not_take_waits_for_a_restart_while_a_call_is_up(pbx, phone, driver, network):
    """TRK-16, SYS-17: marked “restart”; the call goes on, and after it Asterisk starts with the new groups."""
    board()
    trunk = line()
    ana = caller()
    pbx.apply()
    pid = pbx.pid()
    (driver.data / "khomp_forgetful").touch()
    call = phone(ana).call("033334444").wait_answered()
    change(trunk, allocation="descending")
    pbx.apply()
    assert newest().restart_needed == ["khomp.conf"] and pbx.pid() == pid
    assert call.talks_with(network.wait_call("33334444"))
    assert "b0c0-3" in pbx.ask("khomp dump groups")
    call.hang_up()
    assert until(lambda: applying.calls_up() == 0, 10)
    assert applying.restart()
    assert until(lambda: pbx.pid() not in (0, pid) and pbx.is_booted(), 60)
    assert "B0C0-3" in pbx.ask("khomp dump groups") and newest().restart_needed == []


def test_the_trial_of_a_revision_never_loads_the_driver(pbx, driver):
    """TRK-16: it would take the boards from the Asterisk that has calls on them."""
    board()
    line()
    pbx.apply()
    machine = settings.load()
    assert (machine.asterisk / "modules" / khomp.MODULE).exists()
    assert not (runtime.trial_modules(machine) / khomp.MODULE).exists()
    assert "load = chan_khomp.so" in (machine.asterisk / "etc" / "modules.conf").read_text()
    lines = (driver.data / "khomp_lines.sock").stat().st_ino
    pbx.apply()
    assert (driver.data / "khomp_lines.sock").stat().st_ino == lines, "a second driver would have taken the socket"


def test_a_mistake_in_khomp_conf_is_found_before_anything_is_switched(pbx, driver, monkeypatch):
    """SYS-17: the file is checked by us, because the shadow has no driver; the finding names the trunk."""
    board()
    trunk = line()
    pbx.apply()
    db.session.execute(trunk.__table__.update().values(extra={"echo-cancelled": "maybe"}))
    db.session.commit()
    (found,) = pbx.apply_refused()
    assert found["row"].endswith("EBS") and found["file"] == "khomp.conf" and "echo-cancelled" in found["text"]


def test_the_list_of_boards_and_channels_equals_the_drivers(pbx, driver, carla):
    """TRK-17: read by the clock and by the button; the page shows both and what differs; the picker has every channel."""
    board(0, "EBS-FXO", 2)
    pbx.apply()
    assert until(lambda: set(live.now().rows("khomp")) == {"driver", "board-0", "board-1"}, 30)
    page = carla.get("/khomp_boards").text
    for words in ("O driver da Khomp responde", "estão declarados 2 canais; o driver informa 4", "Placa 1: encontrada, mas não declarada"):
        assert words in " ".join(page.split()), words
    jobs.read()
    jobs.read()
    assert [(row.index, row.model, row.channels, row.serial, row.source) for row in boards()] == [
        (0, "EBS-FXO", 2, "", "declared"), (1, "EBS-E1-SPX", 60, "0374", "driver")]
    db.session.rollback()
    assert carla.send("/khomp_boards/_take/0").headers["HX-Refresh"] == "true"
    db.session.rollback()
    assert [row.channels for row in boards()] == [4, 60]
    db.session.rollback()
    page = carla.get("/trunks/new").text
    names = {f"b0c{number}" for number in range(4)} | {f"b1c{number}" for number in range(60)}
    assert all(f'value="{name}"' in page for name in names) and "O driver da Khomp não está presente" not in page
    assert "já estão como o driver informa" in carla.send("/khomp_boards/_read").text


def test_alarms_of_lines_are_seen_on_the_trunk(pbx, phone, driver, network, carla):
    """TRK-06: free, in use and out of service channels as the driver says them, with what to check."""
    board()
    trunk = line(channels=["b0c0", "b0c1"])
    ana = caller()
    pbx.apply()

    def shown():
        rows = carla.api("GET", "/api/v1/now").get_json()["trunks"]
        return next((one["status"], one["counts"]["free"], one["counts"]["busy"], one["counts"]["failed"]) for one in rows if one["id"] == trunk.id)

    assert until(lambda: shown() == ("ready", 2, 0, 0), 30)
    handset = phone(ana)
    first = handset.call("033334441").wait_answered()
    assert until(lambda: shown() == ("ready", 1, 1, 0), 15)
    handset.call("033334442").wait_answered()
    assert until(lambda: shown() == ("full", 0, 2, 0), 15)
    first.hang_up()
    network.wait_call("33334441").wait_ended()
    driver.alarm("b0c0")
    assert until(lambda: shown() == ("ready", 0, 1, 1) or shown() == ("full", 0, 1, 1), 15)
    page = carla.get("/").text
    assert "Fora de serviço:" in page and "b0c0" in page
    assert calls()


def test_without_the_driver_every_page_says_so(no_driver, pbx, carla):
    """TRK-16, TRK-17: list of boards, form of a trunk, “Agora”; reading boards says why nothing was read."""
    board()
    trunk = line()
    pbx.apply()
    assert until(lambda: live.now().rows("khomp").get("driver", {}).get("is_present") is False, 40)
    for path, words in (("/khomp_boards", "declaradas à mão"), (f"/trunks/{trunk.id}", "declaradas à mão"), ("/trunks/new", "declaradas à mão"),
                        ("/", "transbordam para o próximo da rota")):
        assert words in carla.get(path).text, path
    assert "nada pôde ser lido" in carla.send("/khomp_boards/_read").text
    jobs.read()
    assert len(boards()) == 1


def test_reading_boards_is_for_those_who_may(client):
    """TRK-17: also against a forged request without a token."""
    davi = person(client, "davi.s", modules=["extensions"])
    assert davi.get("/khomp_boards").status_code == 403
    assert davi.send("/khomp_boards/_read").status_code == 403 and davi.send("/khomp_boards/_take/0").status_code == 403
    bruno = person(client, "bruno", modules=["khomp_boards"])
    assert bruno.get("/khomp_boards").status_code == 200
    assert bruno.post("/khomp_boards/_read").status_code == 400
