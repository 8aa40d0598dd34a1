"""SYS-11: the way of an update on a machine of folders: it ends in the new version or in the one before, wherever it is killed."""

import json
import os
import signal
import subprocess
import sys
from datetime import datetime

import pytest

from appliance.settings import CHECKOUT
from appliance.updates import state
from appliance.updates.words import NotGood, told
from os_image.updater import grubenv, work
from os_image.updater.work import Order, read_order
from tests.updates.slots import FILES, Machine, make

UNTIL_RESTART = ("taken.before", "taken.after", "backed_up.before", "backed_up.after", "written.before", "written.half", "written.half:2", "written.after",
                 "waited.after", "stopped.after", "snapshot.after", "switch.before")
ARMED = ("switch.armed", "restart.before")
AFTER_START = ("start.marked", "proved.before", "proved.well", "confirm.after")
GOING_BACK = ("start.marked", "proved.before", "back.marked", "back.switched", "start.rows_back", "start.ended")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """What pages read."""
    monkeypatch.setenv("BENTEVI_UPDATE_STATE", str(tmp_path / "published"))
    return tmp_path / "published"


@pytest.fixture
def machine(tmp_path, published):
    """Version 0.1.0 in slot a, nothing in b."""
    (tmp_path / "machine").mkdir()
    return Machine(tmp_path / "machine")


def begin(machine, file, **order):
    with file.open("rb") as stream:
        return machine.update().begin(stream, Order(**order))


def die(machine, point, *words):
    """Another process does it and is killed at that point."""
    run = subprocess.run([sys.executable, "-m", "tests.updates.slots", str(machine.folder), point, *map(str, words)], cwd=CHECKOUT, env=os.environ | {
        "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr[-2000:]


def is_whole(machine, slot):
    files = [machine.folder / slot / name for name in FILES]
    return all(file.exists() for file in files) and len({file.read_text() for file in files}) == 1


def environment(machine):
    return grubenv.load(machine.folder / "grubenv")


def test_a_good_update_is_in_force_after_one_restart_and_stays(machine, tmp_path, published):
    """SYS-11: backup before anything is written; the other slot; one restart; health; then it is the one that starts."""
    ended = begin(machine, make(tmp_path / "1.update"), asked_by="Carla")
    assert ended.step == state.RESTARTING and environment(machine) == {"slot": "a", "try": "b"}
    assert machine.asked() == ["backup", "stop", "snapshot"]
    assert machine.start() == "b" and machine.here == "0.2.0"
    assert machine.asked()[3:] == ["fresh", "health"] and environment(machine) == {"slot": "b", "try": ""}
    assert machine.start() == "b"
    [line] = state.history()
    assert (line.step, line.here, line.version, line.asked_by) == (state.DONE, "0.1.0", "0.2.0", "Carla")
    assert json.loads((published / "state.json").read_text())["step"] == "done" and not (machine.folder / "data" / state.SENT).exists()
    assert begin(machine, make(tmp_path / "2.update", version="0.3.0")).target == "a" and machine.start() == "a" and machine.here == "0.3.0"


@pytest.mark.parametrize(("answers", "code"), [
    ({"health": {"code": "silent", "values": {"names": "asterisk"}}}, "silent"), ({"health": {"code": "test_call", "values": {"why": "x"}}}, "test_call"),
])
def test_a_version_that_is_not_well_goes_back_by_itself_and_says_why(machine, tmp_path, answers, code):
    """SYS-11."""
    begin(machine, make(tmp_path / "1.update"))
    machine.answer(**answers)
    assert machine.start() == "a" and machine.here == "0.1.0"
    assert machine.asked()[-1] == "rows-back" and environment(machine) == {"slot": "a", "try": ""}
    [line] = state.history()
    assert (line.step, line.code) == (state.RETURNED, code) and state.current().is_over
    assert machine.start() == "a" and len(state.history()) == 1


def test_a_version_that_never_comes_up_is_not_started_twice(machine, tmp_path):
    """SYS-11: GRUB forgets `try` before it starts it: the machine's next start, by watchdog, panic or hand, is the version before."""
    begin(machine, make(tmp_path / "1.update"))
    assert machine.power_on() == "b"
    assert machine.start() == "a"
    assert [(one.step, one.code) for one in state.history()] == [(state.RETURNED, "never_up")] and machine.asked()[-1] == "rows-back"


def test_another_version_than_was_meant_goes_back(machine, tmp_path):
    """SYS-11."""
    begin(machine, make(tmp_path / "1.update", payload="6.6.6"))
    assert machine.start() == "a" and state.history()[0].code == "wrong_version"


@pytest.mark.parametrize("point", UNTIL_RESTART)
def test_killed_before_the_restart_the_version_before_runs_and_another_try_is_good(machine, tmp_path, point):
    """SYS-11: at every named step; with the machine still running (the unit settles it) and with a start in between."""
    file = make(tmp_path / "1.update")
    die(machine, point, file)
    machine.update().settle()
    assert state.current().is_over and state.history()[0].code == "cut_off" and environment(machine).get("try", "") == "" and machine.asked()[-1] == "start"
    assert machine.start() == "a" and is_whole(machine, "a") and len(state.history()) == 1
    die(machine, point, file)
    assert machine.start() == "a" and machine.here == "0.1.0" and state.current().is_over and len(state.history()) == 2
    assert begin(machine, file).step == state.RESTARTING and machine.start() == "b" and machine.here == "0.2.0" and len(state.history()) == 3


@pytest.mark.parametrize("point", ARMED)
def test_killed_after_grub_was_told_the_new_version_starts_once_or_never(machine, tmp_path, point):
    """SYS-11: without power it starts and is tried; settled on the running machine it is forgotten."""
    file = make(tmp_path / "1.update")
    die(machine, point, file)
    assert machine.start() == "b" and machine.here == "0.2.0" and state.history()[0].step == state.DONE
    again = make(tmp_path / "2.update", version="0.3.0")
    die(machine, point, again)
    machine.update().settle()
    assert machine.start() == "b" and machine.here == "0.2.0" and state.history()[0].code == "cut_off"


@pytest.mark.parametrize("point", AFTER_START)
def test_killed_while_it_is_tried_one_whole_version_is_in_force(machine, tmp_path, point):
    """SYS-11: not confirmed, the version before comes back; confirmed, the new one stays."""
    begin(machine, make(tmp_path / "1.update"))
    machine.power_on()
    die(machine, point)
    wanted = "b" if point == "confirm.after" else "a"
    assert machine.start() == wanted and is_whole(machine, wanted)
    assert [one.step for one in state.history()] == [state.DONE if wanted == "b" else state.RETURNED]
    assert environment(machine)["slot"] == wanted and machine.start() == wanted


@pytest.mark.parametrize("point", GOING_BACK)
def test_killed_while_it_goes_back_it_goes_back_all_the_same(machine, tmp_path, point):
    """SYS-11."""
    begin(machine, make(tmp_path / "1.update"))
    machine.answer(health={"code": "silent", "values": {"names": "asterisk"}})
    machine.power_on()
    if point in ("start.rows_back", "start.ended"):
        machine.update().at_start()
        machine.update().proved()
        machine.power_on()
    die(machine, point)
    assert machine.start() == "a" and machine.here == "0.1.0" and "rows-back" in machine.asked()
    assert [one.step for one in state.history()] == [state.RETURNED] and environment(machine)["slot"] == "a"


def test_every_named_point_is_killed_at_in_a_test_above():
    """SYS-11: a new point wants its test."""
    assert {point.partition(":")[0] for point in (*UNTIL_RESTART, *ARMED, *AFTER_START, *GOING_BACK)} == set(work.POINTS)


@pytest.mark.parametrize(("values", "answers", "code"), [
    ({"version": "0.0.9"}, {}, "older"), ({"version": "0.1.0"}, {}, "same"), ({"after": "0.1.5"}, {}, "too_far"),
    ({}, {"backup": {"code": "no_backup", "values": {"why": "x"}}}, "no_backup"), ({}, {"snapshot": {"code": "no_backup", "values": {"why": "x"}}}, "no_backup"),
])
def test_what_cannot_be_installed_changes_nothing_and_is_told(machine, tmp_path, values, answers, code):
    """SYS-11: neither slot nor environment; an exchange that was stopped for it runs again."""
    machine.answer(**answers)
    ended = begin(machine, make(tmp_path / "1.update", **values))
    assert (ended.step, ended.code) == (state.FAILED, code) and environment(machine).get("try", "") == "" and machine.asked()[-1:] != ["stop"]
    assert machine.start() == "a" and machine.here == "0.1.0" and len(state.history()) == 1


def test_a_file_that_changes_while_it_is_copied_is_never_written(machine, tmp_path):
    """SYS-11: the payload is compared as it is copied, before the other slot is touched."""
    file = make(tmp_path / "1.update", payload="0.2.0" * 100)
    data = file.read_bytes()
    file.write_bytes(data[:-1] + b"x")
    assert begin(machine, file).code == "damaged" and not (machine.folder / "b").exists() and "backup" not in machine.asked()
    assert not list((machine.folder / "data").glob("*.update")) and not (machine.folder / "data/taken.new").exists()


def test_a_small_disk_is_told_to_use_the_iso(tmp_path, published):
    """SYS-11: no second root partition."""
    (tmp_path / "machine").mkdir()
    machine = Machine(tmp_path / "machine", two=False)
    ended = begin(machine, make(tmp_path / "1.update"))
    assert ended.code == "no_second_root" and "ISO" in told(ended.code, ended.values)


def test_a_slot_that_was_started_by_hand_is_not_written_over_the_one_in_force(machine, tmp_path):
    """SYS-11: the other slot of a machine that runs b by hand is the one that would start."""
    begin(machine, make(tmp_path / "1.update"))
    machine.start()
    grubenv.store(machine.folder / "grubenv", {"slot": "a", "try": ""})
    assert begin(machine, make(tmp_path / "2.update", version="0.3.0")).code == "not_default" and is_whole(machine, "a")


def test_going_back_by_hand_needs_the_same_tables_or_the_wish_to_lose_what_came_since(machine, tmp_path):
    """SYS-11: `update return`."""
    with pytest.raises(NotGood) as why:
        machine.update().give_back()
    assert why.value.code == "nothing_before"
    begin(machine, make(tmp_path / "1.update"))
    machine.start()
    machine.answer(**{"same-tables": False})
    with pytest.raises(NotGood) as why:
        machine.update().give_back()
    assert why.value.code == "other_tables" and environment(machine)["slot"] == "b"
    machine.update().give_back(rows_back=True, asked_by="Carla")
    assert machine.start() == "a" and "rows-back-always" in machine.asked()
    assert next((one.step, one.code, one.asked_by) for one in state.history()) == (state.RETURNED, "by_hand", "Carla")
    with pytest.raises(NotGood):
        machine.update().give_back()
    assert begin(machine, make(tmp_path / "2.update")).step == state.RESTARTING and machine.start() == "b"


def test_going_back_by_hand_goes_on_after_power_failed_before_grub_was_told(machine, tmp_path, monkeypatch):
    """SYS-11."""
    begin(machine, make(tmp_path / "1.update"))
    machine.start()
    monkeypatch.setattr(work, "listeners", [lambda point: (_ for _ in ()).throw(KeyboardInterrupt) if point == "back.marked" else None])
    with pytest.raises(KeyboardInterrupt):
        machine.update().give_back()
    monkeypatch.setattr(work, "listeners", [])
    assert machine.start() == "a" and state.history()[0].code == "by_hand"


def test_it_waits_until_nobody_talks_and_can_be_cancelled(machine, tmp_path, monkeypatch):
    """SYS-11: the announced window."""
    monkeypatch.setattr(work, "POLL_SECONDS", 0.0)
    machine.answer(calls=2)
    looks = []

    def cancelled():
        looks.append(state.waiting_restart())
        return len(looks) > 5

    with make(tmp_path / "1.update").open("rb") as stream:
        ended = machine.update().begin(stream, Order(restart=state.FREE), cancelled)
    assert ended.step == state.CANCELLED and looks[0].step == state.WAITING and machine.asked().count("calls") == 5 and "stop" not in machine.asked()
    machine.answer(calls=0)
    assert begin(machine, make(tmp_path / "1.update"), restart=state.FREE).step == state.RESTARTING
    assert machine.asked()[-5:] == ["calls", "calls", "calls", "stop", "snapshot"]


def test_an_hour_is_the_next_such_hour_and_nothing_else_is_read_from_a_request():
    """SYS-11: root believes one word and an hour of a request."""
    at = work.next_hour("03:30")
    assert at > datetime.now().astimezone() and (at.hour, at.minute) == (3, 30) and work.next_hour(state.NOW) is None
    assert read_order('{"do": "start", "restart": "22:10", "asked_by": "Ana\\n\\u0007"}') == Order("22:10", False, "Ana")
    assert read_order('{"downgrade": "yes"}').downgrade is False
    for text in ('{"restart": "25:00"}', '{"restart": "22:10; reboot"}', "[]", "x"):
        with pytest.raises((ValueError, AttributeError)):
            read_order(text)


def test_two_updates_never_run_at_once(machine, tmp_path):
    """SYS-11."""
    with machine.update().alone(), pytest.raises(NotGood) as why:
        begin(machine, make(tmp_path / "1.update"))
    assert why.value.code == "busy"
    begin(machine, make(tmp_path / "1.update"))
    machine.power_on()
    machine.update().at_start()
    with pytest.raises(NotGood):
        begin(machine, make(tmp_path / "2.update", version="0.3.0"))
