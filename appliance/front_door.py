"""`up`, `down` and `status`: starting and stopping a whole home, and saying how it is.

Nothing here touches a process this home did not start.
"""

import contextlib
import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance import ports, supervisor, units
from appliance.errors import Refused
from appliance.processes import PROCESSES, Process, processes, reachable
from appliance.settings import CHECKOUT, Settings

SOCKET_PATH_BYTES = 107  # of a unix socket's name, see unix(7)
UP_SECONDS = 90
SUPERVISOR_SECONDS = 10  # for the supervisor itself to start
HOPELESS_RESTARTS = 4  # a process that ended so often while starting will not come up

Say = Callable[[str], None]


def up(settings: Settings, say: Say) -> bool:
    """Start everything and return when everything answers. False when it was running already.

    Raises Refused before anything is started when this home or its ports cannot be used, RuntimeError when a process
    does not come up; what was started is stopped again then.
    """
    if units.managed():
        raise Refused("systemd runs this home: systemctl start bentevi.target")
    check_home(settings)
    prepare_home(settings)
    with open(settings.run / "up.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second `up` at the same time waits, then finds it running
        return start_all(settings, say)


def start_all(settings: Settings, say: Say) -> bool:
    """What `up` does once it is the only one doing it."""
    if supervisor.supervisor_pid(settings) is not None:
        wait_until_all_answer(settings, say)
        return False
    clear_leftovers(settings, say)
    check_ports(settings)
    began = time.monotonic()
    first_start()
    say(f"{'prepared':<10} {time.monotonic() - began:5.1f} s")
    start_supervisor(settings)
    try:
        wait_until_all_answer(settings, say)
    except BaseException:  # also Ctrl-C: half a start is nothing a person asked for
        down(settings)
        raise
    return True


def down(settings: Settings) -> bool:
    """Stop everything and return when nothing is left. False when nothing ran."""
    if units.managed():
        raise Refused("systemd runs this home: systemctl stop bentevi.target")
    pid = supervisor.supervisor_pid(settings)
    if pid is None:
        return clear_leftovers(settings, lambda text: None)
    when = supervisor.born(pid)  # its file goes before it does: what is waited for is the process
    with contextlib.suppress(ProcessLookupError):  # ended by itself just now
        os.kill(pid, signal.SIGTERM)
    ends_at = time.monotonic() + 15 + sum(process.stop_seconds for process in processes(settings))
    while when is not None and supervisor.born(pid) == when:
        if time.monotonic() > ends_at:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    clear_leftovers(settings, lambda text: None)
    return True


def status(settings: Settings) -> list[dict[str, Any]]:
    """One entry per process: name, running, answers, pid, uptime_seconds, restarts; the supervisor first, if there is one."""
    if units.managed():
        found = units.look(settings)
        return [unit_status(settings, process, found[process.name]) for process in PROCESSES]
    pid = supervisor.supervisor_pid(settings)
    known = supervisor.read_state(settings)
    entries = [{"name": "supervisor", "running": pid is not None, "answers": pid is not None, "pid": pid}]
    for process in processes(settings):
        child = known.get(process.name)
        alive = child is not None and supervisor.born(child.pid) == child.born
        entries.append({
            "name": process.name,
            "running": alive,
            "answers": alive and child is not None and process.answers(settings, child.pid),
            "pid": child.pid if alive and child else None,
            "uptime_seconds": round(time.time() - child.started_at) if alive and child else None,
            "restarts": child.restarts if child else 0,
        })  # fmt: skip
    return entries


def unit_status(settings: Settings, process: Process, unit: units.Unit) -> dict[str, Any]:
    """The same for a process that systemd runs."""
    return {"name": process.name, "running": unit.pid > 0, "answers": unit.pid > 0 and process.answers(settings, unit.pid),
            "pid": unit.pid or None, "uptime_seconds": unit.uptime_seconds if unit.pid else None, "restarts": unit.restarts}  # fmt: skip


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the pages."""
    host = reachable(settings.bind)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}/"


def first_password(settings: Settings) -> str | None:
    """The generated password, until it has been changed."""
    file = settings.secrets / "first_password"
    return file.read_text().strip() if file.exists() else None


def check_home(settings: Settings) -> None:
    """Refuse folders that some program's configuration or a unix socket's name cannot hold."""
    sockets = (settings.run / "redis.sock", settings.asterisk / "run/asterisk.ctl", settings.run / "shadow-12345678/run/asterisk.ctl")
    longest = max(len(os.fsencode(path)) for path in sockets)
    if longest > SOCKET_PATH_BYTES:
        raise Refused(f"BENTEVI_HOME={settings.home}: too long by {longest - SOCKET_PATH_BYTES} bytes for the sockets in it. "
                      "Choose a shorter one.")  # fmt: skip
    for name, path in (("BENTEVI_HOME", settings.home), ("the checkout", CHECKOUT)):
        if re.search(r"""[\s"'$;{}\\%#,:]""", str(path)):
            raise Refused(f"{name} {path}: the folder's name may not hold spaces or any of \" ' $ ; {{ }} \\ % # , :")


def prepare_home(settings: Settings) -> None:
    """The folders of the home, for this user only."""
    os.umask(0o077)
    for folder in (settings.home, settings.run, settings.log, settings.secrets, settings.asterisk):
        folder.mkdir(parents=True, exist_ok=True)
    settings.home.chmod(0o700)


def check_ports(settings: Settings) -> None:
    """Refuse when somebody else has one of our ports. Ours are free here: nothing of this home runs."""
    sip = ports.in_force(settings).sip
    wanted = [
        ("BENTEVI_HTTP_PORT", settings.bind, settings.http_port, socket.SOCK_STREAM),
        ("BENTEVI_HTTPS_PORT", settings.bind, settings.https_port, socket.SOCK_STREAM),
        ("BENTEVI_SIP_PORT" if sip == settings.sip_port else "SIP port", settings.bind, sip, socket.SOCK_DGRAM),
        ("BENTEVI_AMI_PORT", "127.0.0.1", settings.ami_port, socket.SOCK_STREAM),
    ]
    taken = [taken_port(*port) for port in wanted]
    if any(taken):
        raise Refused("\n".join(dict.fromkeys(line for line in taken if line)))


def taken_port(variable: str, bind: str, port: int, kind: int) -> str:
    """A sentence when the port cannot be used, else nothing."""
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just ended do not count
        try:
            probe.bind((bind, port))
        except PermissionError:
            return f"{variable}={port}: ports below 1024 need root. Choose a higher one."
        except OSError as why:
            if why.errno == errno.EADDRNOTAVAIL:
                return f"BENTEVI_BIND={bind}: this machine does not have that address."
            return (f"{variable}={port}: cannot listen on {bind}, {why.strerror}{owner(port, kind)}. "
                    f"Stop that program, or set {variable} to a free port.")  # fmt: skip
    return ""


def owner(port: int, kind: int) -> str:
    """' (by nginx, pid 123)' if the system tells us."""
    program, pid = ports.listener(port, kind)
    return f" (by {program}, pid {pid})" if program else ""


def clear_leftovers(settings: Settings, say: Say) -> bool:
    """End what a killed supervisor left: its children were told to stop, one may be finishing a job. True if any."""
    left = [child for child in supervisor.read_state(settings).values() if supervisor.members(child.pid, child.born)]
    if left:
        say("ending processes of a start that was killed")
    for child in left:
        supervisor.kill_session(child.pid, child.born)
    for file in (supervisor.state_file(settings), supervisor.pid_file(settings)):
        file.unlink(missing_ok=True)
    return bool(left)


def first_start() -> None:
    """Tables, keys, first login, first revision: whatever this home still lacks. RuntimeError when that fails."""
    run = subprocess.run([sys.executable, "-m", "appliance.cli", "first-start"], stdin=subprocess.DEVNULL, check=False)
    if run.returncode:
        raise RuntimeError("this home could not be prepared; the reason stands above")


def start_supervisor(settings: Settings) -> None:
    """In a session of its own, so that it outlives the terminal."""
    with open(supervisor.log_file(settings, "supervisor"), "ab") as out:
        subprocess.Popen([sys.executable, "-m", "appliance.supervisor"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                         cwd=settings.home, start_new_session=True)  # fmt: skip


def wait_until_all_answer(settings: Settings, say: Say) -> None:
    """Says each process as it comes. RuntimeError, with the end of its log, when one does not."""
    began = time.monotonic()
    waiting = processes(settings)
    while waiting:
        if time.monotonic() - began > SUPERVISOR_SECONDS and supervisor.supervisor_pid(settings) is None:
            raise RuntimeError(f"the supervisor ended; see {supervisor.log_file(settings, 'supervisor')}")
        known = supervisor.read_state(settings)
        for process in list(waiting):
            child = known.get(process.name)
            if child is not None and process.answers(settings, child.pid):
                say(f"{process.name:<10} {time.monotonic() - began:5.1f} s")
                waiting.remove(process)
            elif (child is not None and child.restarts >= HOPELESS_RESTARTS) or time.monotonic() - began > UP_SECONDS:
                raise RuntimeError(f"{process.name} does not come up:\n{last_words(settings, process)}")
        time.sleep(0.05)


def last_words(settings: Settings, process: Process, lines: int = 15) -> str:
    """The end of a process's log."""
    file = supervisor.log_file(settings, process.name)
    text = file.read_text(errors="replace") if file.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or f"({file} is empty)"


def follow(settings: Settings) -> int:
    """`up --foreground`: stay until the supervisor ends, handing it our SIGTERM and SIGINT. Exit status."""
    pid = supervisor.supervisor_pid(settings)

    def stop(number: int, frame: object) -> None:
        if pid is not None and supervisor.supervisor_pid(settings) == pid:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while supervisor.supervisor_pid(settings) == pid and pid is not None:
        time.sleep(0.5)
    return 0


def log_files(settings: Settings, name: str | None) -> list[Path]:
    """The logs of one process or of all. Refused when there is no such process."""
    names = ["supervisor", *(process.name for process in processes(settings))]
    if name is not None and name not in names:
        raise Refused(f"no process is called {name}; there are: {', '.join(names)}")
    files = [settings.log / f"{each}.log" for each in names if name in (None, each)]
    return [file for file in files if file.exists()]
