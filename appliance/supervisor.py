"""The supervisor: one process that starts the others, starts again what dies, and stops them all.

`python -m appliance.supervisor`, started by `bentevi up`. What it knows stands in home/run/state.json for `status`,
`down` and the next `up`. On the appliance, where systemd starts what is no Python, one for each unit that runs several
processes (appliance/units.py). Every pid is written down with the moment the process was born, so that a number the system
gave to somebody else since deceives nobody.

Our own processes are forks of the supervisor, which reads the program when the first of them is due (appliance/forked.py).

Each child is the leader of a session of its own: whatever it started in turn (gunicorn's and nginx's workers, the
process of a job) belongs to that session and is ended with it. When the supervisor itself is killed, the kernel sends
SIGTERM to the children (PR_SET_PDEATHSIG); nginx, gunicorn and RQ pass it on to theirs.
"""

import contextlib
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from appliance import forked, in_unit
from appliance import settings as ground
from appliance.clock import machine_boot
from appliance.errors import Refused
from appliance.forked import Born, Fork
from appliance.processes import Process, processes
from appliance.settings import Settings

log = logging.getLogger("bentevi.supervisor")

SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
START_SECONDS = 60  # for a process the next ones need
LONGEST_PAUSE_SECONDS = 30
AGAIN_SECONDS = 5    # until one that could not begin has another turn
STEADY_SECONDS = 15  # who lived that long came up well: it starts again at once, however often it died before
LOG_BYTES = 20_000_000  # a larger log is set aside at the next start, one old one is kept


@dataclass
class Child:
    """One process as it is now. `born` with the pid names it for good, see born()."""

    pid: int
    born: str
    started_at: float  # seconds since 1970
    restarts: int = 0
    short_lives: int = 0  # one after the other, up to now

    @property
    def pause_seconds(self) -> float:
        """How long it rests before it starts again: a single death costs nothing, a loop of them is slowed down."""
        return min(2.0 ** (self.short_lives - 2), LONGEST_PAUSE_SECONDS) if self.short_lives > 1 else 0.0


class Supervisor:
    """All processes of one home, or those of one unit of the appliance. `run` returns when they have ended after SIGTERM or SIGINT."""

    def __init__(self, settings: Settings, unit: str = "") -> None:
        self.settings, self.unit = settings, unit
        self.wanted = [process for process in processes(settings) if unit in ("", process.unit)]
        self.running: dict[str, Fork | subprocess.Popen[bytes]] = {}
        self.children: dict[str, Child] = {}
        self.due: dict[str, float] = {}  # name → when it is started again, monotonic seconds
        self.stopping = False

    def run(self) -> None:
        """Start everything, keep it running, stop it in reverse order."""
        # Blocked signals wait in sigtimedwait below: no handler interrupts anything halfway.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for process in self.wanted:
            self.start(process)
            if process.needed_by_next:
                self.wait_for(process)
            if self.stopping:
                break
        while not self.stopping:
            self.look(self.next_due())
        if self.unit:  # none of them needs another to end
            self.tell(self.wanted)
        for process in reversed(self.wanted):
            self.stop(process, told=bool(self.unit))

    def start(self, process: Process) -> None:
        """Start one and note it. One that cannot even begin (a full disk, a program that is not there) has another turn soon: the others go on."""
        before = self.children.get(process.name)
        restarts, short_lives = (before.restarts + 1, before.short_lives) if before else (0, 0)
        try:
            child = self.begin(process)
        except (OSError, Refused) as why:
            log.error("%s cannot be started: %s", process.name, why)
            self.due[process.name] = time.monotonic() + AGAIN_SECONDS
            return
        self.running[process.name] = child
        self.children[process.name] = Child(child.pid, born(child.pid) or "", time.time(), restarts, short_lives)
        self.write_state()
        log.info("%s started, pid %s", process.name, child.pid)

    def begin(self, process: Process) -> Fork | subprocess.Popen[bytes]:
        """Fork what is ours, execute what is not."""
        argv = process.command(self.settings)
        folder = self.settings.asterisk if process.name == "asterisk" else self.settings.home
        with self.words(process) as out:
            if forked.is_ours(argv) and forked.read_program(self.program()):
                return forked.fork(argv, process.name, out, folder, self.limits(process))
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=folder,
                                    start_new_session=True, preexec_fn=forked.end_with_parent)  # fmt: skip

    def words(self, process: Process) -> BinaryIO:
        """What it writes to: home/log/<name>.log, or the journal; what we write to ourselves when the journal does not listen."""
        if not self.unit:
            return open(log_file(self.settings, process.name), "ab")
        try:
            return in_unit.words(process.name)
        except OSError as why:
            log.warning("%s writes without its name: %s", process.name, why)
            return os.fdopen(os.dup(2), "wb")

    def limits(self, process: Process) -> Path | None:
        """The control group that limits its memory, on the appliance; none where systemd gives us none to make."""
        if not self.unit:
            return None
        try:
            return in_unit.limits(process.name, process.memory_mb)
        except OSError as why:
            log.warning("%s has no limit of its own: %s", process.name, why)
            return None

    def program(self) -> tuple[str, ...]:
        """The modules of all that are forked."""
        lines = [process.command(self.settings) for process in self.wanted if process.unit]
        return tuple(module for argv in lines for module in forked.modules(argv))

    def wait_for(self, process: Process) -> None:
        """Until it answers. One that does not is said and left behind: the others restart until it does."""
        ends_at = time.monotonic() + START_SECONDS
        while not self.stopping and time.monotonic() < ends_at:
            child = self.running.get(process.name)  # none while it waits for its next start
            if child is not None and process.answers(self.settings, child.pid):
                return
            self.look(0.05)
        log.error("%s does not answer; see %s", process.name, log_file(self.settings, process.name))

    def look(self, seconds: float) -> None:
        """Sleep until something ends, is due or asks us to stop; deal with it."""
        received = signal.sigtimedwait(SIGNALS, seconds)
        if received is not None and received.si_signo in (signal.SIGTERM, signal.SIGINT):
            self.stopping = True
            return
        if received is not None and received.si_signo == signal.SIGHUP:
            self.begin_anew([process for process in self.wanted if process.has_rows])
        for process in self.wanted:
            child = self.running.get(process.name)
            if child is not None and child.poll() is not None:
                self.died(process, child)
        for process in self.wanted:
            if process.name in self.due and self.due[process.name] <= time.monotonic():
                del self.due[process.name]
                self.start(process)

    def died(self, process: Process, child: Fork | subprocess.Popen[bytes]) -> None:
        """Clear what it left behind (which may hold its port) and say when it starts again."""
        known = self.children[process.name]
        del self.running[process.name]
        kill_session(known.pid, known.born)
        lived = time.time() - known.started_at
        is_well = child.returncode == 0 or lived > STEADY_SECONDS  # who ended by itself was told to
        known.short_lives = 0 if is_well else known.short_lives + 1
        self.due[process.name] = time.monotonic() + known.pause_seconds
        log.warning("%s ended with %s after %.0f s; starting again in %.0f s", process.name, child.returncode, lived, known.pause_seconds)

    def next_due(self) -> float:
        """Seconds until something is due; an hour when nothing is."""
        return max(0.0, min(self.due.values(), default=time.monotonic() + 3600) - time.monotonic())

    def begin_anew(self, chosen: list[Process]) -> None:
        """Stop these, all told at once, and start them again: SIGHUP says that the home has another database."""
        self.tell(chosen)
        for process in reversed(chosen):
            self.stop(process, told=True)
        for process in chosen:
            self.start(process)

    def tell(self, chosen: list[Process]) -> None:
        """SIGTERM for all of these."""
        for process in chosen:
            self.due.pop(process.name, None)
            if process.name in self.running:
                self.running[process.name].terminate()

    def stop(self, process: Process, told: bool = False) -> None:
        """SIGTERM (unless it was `told` already), patience, SIGKILL for it and whatever it started."""
        child = self.running.pop(process.name, None)
        if child is None:
            return
        known = self.children.pop(process.name)
        if not told:
            child.terminate()
        try:
            child.wait(process.stop_seconds)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop within %s s: killed", process.name, process.stop_seconds)
        kill_session(known.pid, known.born)
        child.wait()
        self.write_state()
        log.info("%s stopped", process.name)

    def write_state(self) -> None:
        """What `status` and `down` read; replaced as a whole. A full disk keeps it from being written, and nothing else from going on."""
        file = state_file(self.settings, self.unit)
        fresh = file.with_suffix(".new")
        try:
            fresh.write_text(json.dumps({name: asdict(child) for name, child in self.children.items()}))
            fresh.rename(file)
        except OSError as why:
            log.error("what runs cannot be noted: %s", why)


def state_file(settings: Settings, unit: str = "") -> Path:
    """Name → Child of every process started and not stopped."""
    return settings.run / (f"state-{unit}.json" if unit else "state.json")


def read_state(settings: Settings, unit: str = "") -> dict[str, Child]:
    """The children the supervisor (of a unit) noted last; also those of one that was killed. None when a power cut left no whole note: nothing lives then."""
    file = state_file(settings, unit)
    try:
        return {name: Child(**child) for name, child in json.loads(file.read_text()).items()} if file.exists() else {}
    except ValueError:
        return {}


def pid_file(settings: Settings, unit: str = "") -> Path:
    """Pid and birth of the supervisor (of a unit), which holds a lock on it so that there is only one."""
    return settings.run / (f"supervisor-{unit}.pid" if unit else "supervisor.pid")


def supervisor_pid(settings: Settings) -> int | None:
    """The pid of this home's supervisor, None when there is none."""
    file = pid_file(settings)
    pid, _, when = file.read_text().partition(" ") if file.exists() else ("", "", "")
    return int(pid) if pid.isdecimal() and born(int(pid)) == when else None


def log_file(settings: Settings, name: str) -> Path:
    """Where a process writes to; set aside first when it has become large."""
    file = settings.log / f"{name}.log"
    if file.exists() and file.stat().st_size > LOG_BYTES:
        file.rename(file.with_suffix(".log.1"))
    return file


def born(pid: int) -> str | None:
    """Which boot of the machine, and when in it, a process started; None when there is no such process (any more)."""
    fields = _stat(pid)
    if fields is None or fields[0] == "Z":
        return None
    return f"{machine_boot()}/{fields[19]}"


def members(leader: int, when: str) -> list[int]:
    """The live processes of a child's session; none when the pid has been given to a stranger since.

    The kernel does not give a number to a new process while a session bears it, so that members without their leader
    are ours for certain, within one boot of the machine.
    """
    now = born(leader)
    if (now is not None and now != when) or not when.startswith(machine_boot()):
        return []
    entries = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [pid for pid in entries if (fields := _stat(pid)) and int(fields[3]) == leader and fields[0] != "Z"]


def kill_session(leader: int, when: str) -> None:
    """SIGKILL for a child and all it started, until nobody is left: one may be starting another meanwhile."""
    while found := members(leader, when):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):  # gone between looking and killing
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the name, which may hold spaces and brackets itself; see proc(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def main(unit: str = "") -> int:
    """Become the supervisor of this home (or of one unit of it), unless there is one; 2 when there is. In a fork: become what it was made for."""
    try:
        return supervise(ground.load(), unit)
    except Born as what:
        argv = what.argv
    forked.become(argv)  # here, where nothing of the supervisor's is left on the stack
    return 0


def supervise(settings: Settings, unit: str) -> int:
    """Until told to stop; 2 when another does it already."""
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    with open(pid_file(settings, unit), "a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.error("another supervisor has %s", settings.home)
            return 2
        held.truncate(0)
        held.write(f"{os.getpid()} {born(os.getpid())}")
        held.flush()
        Supervisor(settings, unit).run()
        pid_file(settings, unit).unlink()
        state_file(settings, unit).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
