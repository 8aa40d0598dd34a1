"""SYS-16: processes as systemd units: the supervisor's command lines, and what runs without answering is started again."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance import front_door, settings, units
from appliance.errors import Refused
from appliance.processes import PROCESSES, Process, live_answers, redis_answers
from appliance.settings import CHECKOUT, Settings
from appliance.support import doctor

HERE: Settings = settings.load({"BENTEVI_HOME": "/nonexistent"})  # nothing of it is touched

# A systemctl that says of every unit what `facts` beside it holds, and notes what it is told to restart.
SYSTEMCTL = """#!/bin/sh
folder=$(dirname "$0")
case $1 in
show) shift; for word; do case $word in bentevi-*) cat "$folder/facts"; echo ;; esac; done ;;
restart) echo "$2" >> "$folder/restarted" ;;
esac
"""


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its folder; units have been up for an hour."""
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(units, "YOUNG_SECONDS", -1_000_000_000)  # the test's machine may have started a minute ago
    (tmp_path / "facts").write_text("MainPID=123\nNRestarts=2\nActiveEnterTimestampMonotonic=1000000\n")
    monkeypatch.setattr(units, "PROCESSES", [Process("good", lambda _home: ["true"], lambda _home, _pid: True),
                                             Process("stuck", lambda _home: ["true"], lambda _home, _pid: False)])
    return tmp_path


def restarted(systemd: Path) -> list[str]:
    file = systemd / "restarted"
    return file.read_text().split() if file.exists() else []


def test_what_does_not_answer_three_times_in_a_row_is_started_again_once(systemd):
    missed: dict[str, int] = {}
    told = [units.watch(HERE, missed) for _look in range(4)]
    assert told == [[], [], ["stuck"], []] and restarted(systemd) == ["bentevi-stuck.service"]


def test_one_that_answers_again_begins_to_count_anew(systemd):
    missed = {"good": 2}
    units.watch(HERE, missed)
    assert missed == {"stuck": 1}


def test_what_does_not_run_or_just_started_is_systemds_business(systemd, monkeypatch):
    (systemd / "facts").write_text("MainPID=0\nNRestarts=9\nActiveEnterTimestampMonotonic=0\n")
    assert [units.watch(HERE, {"stuck": 2}) for _look in range(4)] == [[]] * 4
    (systemd / "facts").write_text("MainPID=123\nNRestarts=9\nActiveEnterTimestampMonotonic=1000000\n")
    monkeypatch.setattr(units, "YOUNG_SECONDS", 10**9)
    assert [units.watch(HERE, {"stuck": 2}) for _look in range(4)] == [[]] * 4 and not restarted(systemd)


def test_status_asks_systemd_where_it_runs_the_home_and_up_and_down_send_there(systemd, monkeypatch):
    monkeypatch.setenv("BENTEVI_UNITS", "yes")
    monkeypatch.setattr(front_door, "PROCESSES", units.PROCESSES)
    entries = front_door.status(HERE)
    assert [(entry["name"], entry["answers"], entry["pid"], entry["restarts"]) for entry in entries] == [("good", True, 123, 2), ("stuck", False, 123, 2)]
    for command in (lambda: front_door.up(HERE, print), lambda: front_door.down(HERE)):
        with pytest.raises(Refused, match=r"systemctl (start|stop) bentevi\.target"):
            command()


def test_a_unit_becomes_the_process_itself_with_the_words_of_its_unit(tmp_path):
    """Not a child of ours: systemd's pid is that of Redis."""
    folder = tmp_path / "r"
    (folder / "run").mkdir(parents=True)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")} | {
        "BENTEVI_HOME": str(folder), "PYTHONPATH": str(CHECKOUT), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    child = subprocess.Popen([sys.executable, "-m", "appliance.units", "run", "redis", "--unixsocketperm", "770"], env=variables, stdout=subprocess.DEVNULL)
    try:
        told = settings.load({"BENTEVI_HOME": str(folder)})
        ends_at = time.monotonic() + 30
        while not redis_answers(told, child.pid) and time.monotonic() < ends_at:
            time.sleep(0.05)
        assert Path(f"/proc/{child.pid}/comm").read_text() == "redis-server\n"
        assert (told.run / "redis.sock").stat().st_mode & 0o777 == 0o770
    finally:
        child.terminate()
        child.wait()


def test_the_doctor_asks_systemd_and_names_its_commands(systemd, monkeypatch):
    """SYS-19, SYS-16: no supervisor runs there, and nothing is wrong with that."""
    monkeypatch.setenv("BENTEVI_UNITS", "yes")
    monkeypatch.setattr(front_door, "PROCESSES", units.PROCESSES)
    (found,) = [one for one in doctor._processes(HERE) if one.level == doctor.ERROR]
    assert found.text == "stuck runs but does not answer" and "systemctl restart bentevi.target" in found.todo
    (systemd / "facts").write_text("MainPID=0\nNRestarts=0\nActiveEnterTimestampMonotonic=0\n")
    (found,) = doctor._processes(HERE)
    assert found.text == "nothing of this home runs" and "systemctl start bentevi.target" in found.todo


def test_a_unit_of_python_becomes_its_program_without_starting_python_again(tmp_path):
    """gunicorn with its own words, as `systemctl show` and the watch know it: same pid, leader of its session; it ends when it is told to."""
    folder = tmp_path / "r"
    (folder / "run").mkdir(parents=True)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")} | {"BENTEVI_HOME": str(folder), "PYTHONPATH": str(CHECKOUT)}
    child = subprocess.Popen([sys.executable, "-m", "appliance.units", "run", "live"], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        told = settings.load({"BENTEVI_HOME": str(folder)})
        ends_at = time.monotonic() + 30
        while not live_answers(told, child.pid):
            assert time.monotonic() < ends_at and child.poll() is None
            time.sleep(0.05)
        assert b"appliance.units" in Path(f"/proc/{child.pid}/cmdline").read_bytes()
    finally:
        child.terminate()
    assert child.wait(30) == 0


def test_a_name_that_is_no_process_is_refused():
    with pytest.raises(Refused, match=PROCESSES[0].name):
        units.process_of("nothing")


def test_a_restore_waits_until_systemd_has_stopped_the_home(systemd, monkeypatch):
    """SYS-20: on the appliance nobody but root stops it, so a restore says how; without systemd nothing is asked."""
    units.need_stopped()
    monkeypatch.setenv("BENTEVI_UNITS", "yes")
    with pytest.raises(Refused, match=r"stop it first: sudo systemctl stop bentevi\.target"):
        units.need_stopped()
    (systemd / "facts").write_text("MainPID=0\nNRestarts=0\nActiveEnterTimestampMonotonic=0\n")
    units.need_stopped()
