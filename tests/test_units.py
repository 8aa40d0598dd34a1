"""SYS-16: processes as systemd units: the supervisor's command lines, several forked by one, and what runs without answering is started again."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import forked, front_door, in_unit, settings, supervisor, units
from appliance.errors import Refused
from appliance.processes import PROCESSES, Process, live_answers, redis_answers
from appliance.settings import CHECKOUT, Settings
from appliance.support import doctor
from jobs.timetable import TIMETABLE

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


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[tuple[Settings, "subprocess.Popen[str]"]]:
    """The unit of pages, as systemd would start it, on a home of its own; no journal listens and no control group is delegated."""
    folder = tmp_path / "r"
    (folder / "run").mkdir(parents=True)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")} | {
        "BENTEVI_HOME": str(folder), "PYTHONPATH": str(CHECKOUT), "BENTEVI_UNITS": "yes"}
    child = subprocess.Popen([sys.executable, "-m", "appliance.units", "several", "pages"], env=variables, stderr=subprocess.PIPE, text=True, start_new_session=True)
    yield settings.load({"BENTEVI_HOME": str(folder)}), child
    child.terminate()
    child.communicate(timeout=60)


def until_live_answers(home: Settings, other_than: int = 0) -> int:
    """The pid of the streams' process."""
    ends_at = time.monotonic() + 60
    while True:
        known = supervisor.read_state(home, "pages").get("live")
        if known and known.pid != other_than and live_answers(home, known.pid):
            return known.pid
        assert time.monotonic() < ends_at
        time.sleep(0.05)


def test_a_unit_of_several_starts_again_what_dies_and_takes_all_with_it_when_it_is_stopped(pages, systemd, monkeypatch):
    """SYS-16: `status` and the watch read what its supervisor notes; what hangs is killed, and another is there."""
    home, child = pages
    first = until_live_answers(home)
    live = next(process for process in PROCESSES if process.name == "live")
    monkeypatch.setattr(units, "PROCESSES", [live, *units.PROCESSES])
    found = units.look(home)
    assert found["live"].pid == first and found["live"].restarts == 0 and found["good"].pid == 123
    units.start_again(home, live)
    assert units.look(home)["live"].pid != first
    second = until_live_answers(home, first)
    found = units.look(home)
    assert (found["live"].pid, found["live"].restarts) == (second, 1) and not restarted(systemd)
    child.terminate()
    _, said = child.communicate(timeout=60)
    assert child.returncode == 0 and "live ended with -9" in said
    assert units.look(home)["live"].pid == 0 and supervisor.born(second) is None
    assert not list(home.run.glob("*pages*"))


def test_a_forked_process_writes_to_the_journal_under_its_own_name(tmp_path):
    with socket.socket(socket.AF_UNIX) as journal:
        journal.bind(str(tmp_path / "stdout"))
        journal.listen()
        with in_unit.words("records", tmp_path / "stdout") as out:
            out.write(b"hello\n")
        said = journal.accept()[0].makefile("rb").read()
    assert said == b"bentevi-records\n\n6\n1\n0\n0\n0\nhello\n"
    with pytest.raises(OSError):
        in_unit.words("records", tmp_path / "nobody")


def test_a_forked_process_gets_a_control_group_beside_its_supervisor(tmp_path):
    unit = tmp_path / "system.slice/bentevi-program.service"
    (unit / "supervisor").mkdir(parents=True)
    told = in_unit.limits("records", 400, "0::/system.slice/bentevi-program.service/supervisor\n", tmp_path)
    assert told == unit / "records/cgroup.procs"
    assert (unit / "records/memory.max").read_text() == "400M" and (unit / "cgroup.subtree_control").read_text() == "+memory +pids"
    with pytest.raises(OSError, match=r"is no group within a unit's"):
        in_unit.limits("records", 400, "0::/user.slice\n", tmp_path)


def test_a_program_that_cannot_be_read_is_told_and_leaves_its_processes_to_be_started_one_by_one(tmp_path, monkeypatch, caplog):
    (tmp_path / "broken_program.py").write_text("raise ValueError('torn')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert not forked.read_program(("broken_program",))
    assert "torn" in caplog.text and "started one by one" in caplog.text


def test_a_name_that_is_no_process_is_refused():
    with pytest.raises(Refused, match=PROCESSES[0].name):
        units.process_of("nothing")


def test_a_restore_waits_until_systemd_has_stopped_the_home(systemd, monkeypatch):
    """SYS-20: on the appliance nobody but root stops it, so a restore says how; without systemd nothing is asked."""
    units.need_stopped(HERE)
    monkeypatch.setenv("BENTEVI_UNITS", "yes")
    with pytest.raises(Refused, match=r"stop it first: sudo systemctl stop bentevi\.target"):
        units.need_stopped(HERE)
    (systemd / "facts").write_text("MainPID=0\nNRestarts=0\nActiveEnterTimestampMonotonic=0\n")
    units.need_stopped(HERE)


def test_who_works_off_jobs_has_read_every_job_before_it_is_forked():
    """SYS-16, SYS-18: else each job's own process would read it anew, and the clock would hold all of them a second time."""
    wanted = {timed.function.rpartition(".")[0] for timed in TIMETABLE}
    assert wanted and wanted <= set(forked.modules([sys.executable, "-m", "jobs.worker", "default"]))


def test_an_application_that_a_fork_makes_reads_nothing_more(tmp_path):
    """SYS-16: what is read after the fork is held by each of the eight processes of a unit for itself: 13 MB each were."""
    made = "from appliance.app import bare_app; bare_app()"
    words = f"import sys; from appliance import forked; assert forked.read_program(('jobs.worker',)); known = set(sys.modules); {made}; print(*set(sys.modules) - known)"
    run = subprocess.run([sys.executable, "-c", words], cwd=CHECKOUT, env=dict(os.environ) | {"BENTEVI_HOME": str(tmp_path), "BENTEVI_DATABASE_URL": ""},
                         capture_output=True, text=True, check=True)  # fmt: skip
    assert not run.stdout.split()


@pytest.mark.parametrize("module", ["appliance.units", "appliance.cli", "os_image.updater.__main__"])
def test_what_every_start_of_the_machine_passes_reads_no_large_library(module):
    """SYS-16: each unit comes by here, one of them before Asterisk; on an emulated machine each of these libraries took it seconds, and the watch kept them."""
    large = {"sqlalchemy", "flask", "cryptography", "jinja2", "redis", "rq"}
    run = subprocess.run([sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert not large & set(run.stdout.split())
