"""`./bentevi up`, `down`, `status`: run as a person runs them, on homes and ports of their own."""

import contextlib
import errno
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance import reserve, supervisor
from appliance.processes import PROCESSES
from appliance.settings import CHECKOUT, Settings, load

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
PORTS = {"BENTEVI_HTTP_PORT": TCP, "BENTEVI_HTTPS_PORT": TCP, "BENTEVI_AMI_PORT": TCP, "BENTEVI_AGI_PORT": TCP,
         "BENTEVI_WS_PORT": TCP, "BENTEVI_SIP_PORT": UDP}  # fmt: skip
NAMES = ["supervisor", "redis", "asterisk", "proving", "records", "events", "agi", "web", "live", "worker", "reports", "backups", "cron", "nginx"]


class Home:
    """A home in a temporary folder, on ports that are free now."""

    def __init__(self, folder: Path, rtp: str, database_url: str = "") -> None:
        with contextlib.ExitStack() as held:  # all at once, so that no port is found twice
            sockets = {name: held.enter_context(socket.socket(socket.AF_INET, kind)) for name, kind in PORTS.items()}
            for each in sockets.values():
                each.bind(("127.0.0.1", 0))
            self.variables = {name: str(each.getsockname()[1]) for name, each in sockets.items()}
        self.variables |= {"BENTEVI_HOME": str(folder), "BENTEVI_RTP_PORTS": rtp, "BENTEVI_DATABASE_URL": database_url}
        self.folder = folder

    def bentevi(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")}
        return subprocess.run([CHECKOUT / "bentevi", *words], env=inherited | self.variables | changed, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)  # fmt: skip

    @property
    def settings(self) -> Settings:
        return load(self.variables)

    def pid(self, name: str) -> int:
        return supervisor.read_state(self.settings)[name].pid

    def processes(self) -> list[str]:
        """Every live process that has to do with this home, whoever started it."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and entry.name != str(os.getpid()):
                with contextlib.suppress(OSError):  # gone meanwhile
                    words = (entry / "cmdline").read_bytes()
                    signs = words + (entry / "environ").read_bytes() + os.fsencode(os.readlink(entry / "cwd"))
                    if str(self.folder).encode() in signs and words:
                        found.append(f"{entry.name} {words.decode(errors='replace')}")
        return found

    def answers_again(self, seconds: float = 20) -> bool:
        return until(lambda: self.bentevi("status").returncode == 0, seconds)


def until(condition, seconds):
    ends_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def home(tmp_path_factory, new_database):
    home = Home(tmp_path_factory.mktemp("home"), "30000-30099", new_database())
    said = home.bentevi("up")
    assert said.returncode == 0, said.stdout + said.stderr
    home.first_words = said.stdout
    yield home
    home.bentevi("down")
    assert home.processes() == []


@pytest.fixture
def second_home(tmp_path, new_database):
    home = Home(tmp_path / "second", "30100-30199", new_database())
    yield home
    home.bentevi("down")
    assert home.processes() == []


def page(url):
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(url, context=anyone if url.startswith("https") else None, timeout=5) as answer:
        return answer.status, answer.headers


def test_up_ends_with_the_address_and_the_first_login(home):
    *_, address, login, password = home.first_words.splitlines()
    assert address == f"URL: http://127.0.0.1:{home.settings.http_port}/"
    assert login == "Login: admin"
    assert password == f"Password: {(home.folder / 'secrets/first_password').read_text().strip()}"


def test_everything_answers_after_up(home):
    said = home.bentevi("status")
    assert said.returncode == 0
    assert [line.split()[:2] for line in said.stdout.splitlines()] == [[name, "answers"] for name in NAMES]


def test_our_own_processes_are_forks_of_the_supervisor_and_share_its_memory(home):
    """What is not changed is held once: of what each maps, most is nobody's alone. `ps` tells them apart."""
    leader = supervisor.supervisor_pid(home.settings)
    for process in [process for process in PROCESSES if process.unit]:
        folder = Path(f"/proc/{home.pid(process.name)}")
        assert (folder / "cmdline").read_bytes() == Path(f"/proc/{leader}/cmdline").read_bytes(), process.name
        assert (folder / "comm").read_text() == f"bentevi-{process.name}\n"[:16]
        told = {line.split(":")[0]: int(line.split()[1]) for line in (folder / "smaps_rollup").read_text().splitlines()[1:]}
        assert told["Private_Dirty"] + told["Private_Clean"] < told["Rss"] / 2, process.name


def test_pages_answer_on_both_ports_and_hashed_files_may_be_kept_for_a_year(home):
    assert page(f"http://127.0.0.1:{home.settings.http_port}/healthz")[0] == 200
    assert page(f"https://127.0.0.1:{home.settings.https_port}/healthz")[0] == 200
    script = next((CHECKOUT / "web/static/vendor").glob("htmx.*.js"))
    kept, asked = (page(f"http://127.0.0.1:{home.settings.http_port}/static/vendor/{name}")[1]["Cache-Control"]
                   for name in (script.name, "manifest.json"))  # fmt: skip
    assert "max-age=31536000" in kept
    assert asked == "no-cache"


def test_nobody_else_on_the_machine_can_read_the_home(home):
    assert home.folder.stat().st_mode & 0o077 == 0
    assert (home.folder / "secrets/https/https.pem").stat().st_mode & 0o077 == 0
    assert (home.folder / "run/redis.sock").stat().st_mode & 0o077 == 0
    assert (home.folder / "run/web.sock").stat().st_mode & 0o077 == 0


def test_a_second_up_says_that_it_runs_and_changes_nothing(home):
    before, began = supervisor.read_state(home.settings), time.monotonic()
    said = home.bentevi("up")
    assert said.returncode == 0 and "already running" in said.stdout
    assert said.stdout.splitlines()[-3:] == home.first_words.splitlines()[-3:]
    assert time.monotonic() - began < 10
    assert supervisor.read_state(home.settings) == before


@pytest.mark.parametrize("name", ["redis", "asterisk", "web", "worker", *(pytest.param(name, marks=pytest.mark.long) for name in ("records", "events", "live", "reports", "cron", "nginx"))])
def test_a_killed_process_is_started_again(home, name):
    killed = home.pid(name)
    os.kill(killed, signal.SIGKILL)
    assert until(lambda: home.pid(name) != killed, 5)
    assert home.answers_again()


@pytest.mark.parametrize("variable", ["BENTEVI_HTTP_PORT", "BENTEVI_HTTPS_PORT", "BENTEVI_SIP_PORT", "BENTEVI_AMI_PORT"])
def test_a_port_that_is_taken_is_refused_by_name_before_anything_starts(home, second_home, variable):
    taken = home.variables[variable]
    said = second_home.bentevi("up", **{variable: taken})
    assert said.returncode == 2
    assert re.search(rf"{variable}={taken}: .*pid \d+", said.stderr), said.stderr
    assert second_home.processes() == []
    assert not (second_home.folder / "log/redis.log").exists()


def test_a_home_whose_name_is_too_long_for_its_sockets_is_refused(second_home):
    said = second_home.bentevi("up", BENTEVI_HOME=f"/tmp/{'x' * 90}")
    assert said.returncode == 2
    assert "too long" in said.stderr


@pytest.mark.long
def test_two_homes_run_side_by_side_and_a_killed_supervisor_leaves_nothing(home, second_home):
    assert second_home.bentevi("up").returncode == 0
    assert home.bentevi("status").returncode == second_home.bentevi("status").returncode == 0
    assert len(second_home.processes()) >= len(NAMES)
    os.kill(supervisor.supervisor_pid(second_home.settings), signal.SIGKILL)
    assert until(lambda: second_home.processes() == [], 15), second_home.processes()
    assert second_home.bentevi("status").returncode == 1
    assert home.bentevi("status").returncode == 0


ON_A_FULL_DISK = """
mount -t tmpfs -o size=400m tmpfs "$BENTEVI_HOME" && "$0" up && "$0" down && test -s "$BENTEVI_HOME/reserve" || exit 70
test -z "$1" || rm "$BENTEVI_HOME/reserve"
cat /dev/zero >"$BENTEVI_HOME/filler"
"$0" up && "$0" status
result=$?
"$0" down
exit $result
"""


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_taken", [False, True])
def test_a_machine_whose_disk_is_full_starts_by_the_room_kept_for_that(second_home, is_taken):
    """SYS-23: whatever filled it; without that room not even the supervisor could note who it is."""
    second_home.folder.mkdir(mode=0o700)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")}
    done = subprocess.run(["unshare", "-rm", "sh", "-c", ON_A_FULL_DISK, CHECKOUT / "bentevi", "taken" if is_taken else ""], env=inherited | second_home.variables,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode == 0) != is_taken and done.returncode != 70, done.stdout + done.stderr
    assert is_taken or "the disk is full: the room kept for this start was handed back" in done.stdout


def test_room_is_kept_only_where_there_is_plenty_and_handed_back_only_when_the_disk_is_full(tmp_path, monkeypatch):
    usage = {"total": 10**9, "used": 0, "free": 10**8}
    monkeypatch.setattr(reserve.shutil, "disk_usage", lambda folder: SimpleNamespace(**usage))
    machine = load({"BENTEVI_HOME": str(tmp_path)})
    file = tmp_path / "reserve"
    usage["free"] = 60_000_000
    reserve.keep(machine)
    assert not file.exists(), "it would take what is left"
    usage["free"] = 200_000_000
    reserve.keep(machine)
    assert file.stat().st_size == 50_000_000 and file.stat().st_blocks * 512 >= 50_000_000, "room that is only promised would be gone when it is needed"
    assert not reserve.give_up(machine) and file.exists()
    usage["free"] = 1_000_000
    assert reserve.give_up(machine) and not file.exists() and not reserve.give_up(machine)

    def unknown(*_words):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    usage["free"] = 200_000_000
    monkeypatch.setattr(reserve.os, "posix_fallocate", unknown)
    reserve.keep(machine)
    assert not file.exists(), "where no room can be promised the start goes on without"


def test_down_leaves_nothing_and_up_starts_again(second_home):
    assert second_home.bentevi("up").returncode == 0
    assert second_home.bentevi("down").stdout == "stopped\n"
    assert second_home.processes() == []
    assert [file.name for file in (second_home.folder / "run").iterdir() if file.suffix != ".lock"] == []
    assert second_home.bentevi("down").stdout == "nothing was running\n"
    assert second_home.bentevi("up").returncode == 0
