"""The processes as systemd units, on the appliance: the same command lines as under the supervisor. What is no Python is a unit of its own; what is,
is forked by one of two units, so that the program is read and held twice and not ten times: `pages` faces strangers, `program` does not.

    python -m appliance.units run NAME [WORDS]   becomes the process NAME; WORDS are added to its command line
    python -m appliance.units several UNIT       becomes the supervisor of the processes that UNIT runs
    python -m appliance.units watch              looks every minute, as root, and starts again what runs but does not answer

The units lie in os_image/overlay/etc/systemd/system/. Their environment says BENTEVI_UNITS=yes, and then no supervisor is started.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass

from appliance import forked, supervisor
from appliance import settings as ground
from appliance.errors import Refused
from appliance.processes import PROCESSES, Process
from appliance.settings import Settings

MISSES = 3          # looks without an answer, a minute apart, before a unit is started again
YOUNG_SECONDS = 600  # a unit that just started is left alone: the first start of a small machine takes its time
LOOK_SECONDS = 60


@dataclass(frozen=True)
class Unit:
    """What systemd says of one unit. `pid` is 0 when it does not run."""

    pid: int
    uptime_seconds: int
    restarts: int


def managed() -> bool:
    """Whether systemd runs the processes of this home."""
    return os.environ.get("BENTEVI_UNITS") == "yes"


def unit_name(process: Process) -> str:
    """The unit that runs it."""
    return f"bentevi-{process.unit or process.name}.service"


def look(settings: Settings) -> dict[str, Unit]:
    """Every process by its name: systemd is asked, for all at once, and of what a unit forks its supervisor's notes are read. Raises RuntimeError
    when systemd does not answer."""
    own = [process for process in PROCESSES if not process.unit]
    words = ["systemctl", "show", *map(unit_name, own), "-p", "MainPID", "-p", "NRestarts", "-p", "ActiveEnterTimestampMonotonic"]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"systemd does not answer: {run.stderr.strip()}")
    found = {process.name: _unit(block) for process, block in zip(own, run.stdout.strip().split("\n\n"), strict=True)}
    for unit in sorted({process.unit for process in PROCESSES if process.unit}):
        known = supervisor.read_state(settings, unit)
        found |= {process.name: _child(known.get(process.name)) for process in PROCESSES if process.unit == unit}
    return found


def _child(child: supervisor.Child | None) -> Unit:
    if child is None or supervisor.born(child.pid) != child.born:
        return Unit(0, 0, child.restarts if child else 0)
    return Unit(child.pid, round(time.time() - child.started_at), child.restarts)


def _unit(block: str) -> Unit:
    said = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    pid, entered = int(said["MainPID"]), int(said["ActiveEnterTimestampMonotonic"]) / 1_000_000
    return Unit(pid, round(time.monotonic() - entered) if pid and entered else 0, int(said["NRestarts"]))


def need_stopped(settings: Settings) -> None:
    """Raises Refused where systemd runs this home and any of it is up: only root may stop it, and we are not."""
    if managed() and any(unit.pid for unit in look(settings).values()):
        raise Refused("systemd runs this home; stop it first: sudo systemctl stop bentevi.target")


def process_of(name: str) -> Process:
    """The line of the table. Refused when there is none."""
    for process in PROCESSES:
        if process.name == name:
            return process
    raise Refused(f"no process is called {name}; there are: {', '.join(process.name for process in PROCESSES)}")


def run(settings: Settings, name: str, words: list[str]) -> None:
    """Become that process. Comes back when it has ended."""
    process = process_of(name)
    os.umask(0o077)
    os.chdir(settings.asterisk if name == "asterisk" else settings.home)
    argv = [*process.command(settings), *words]
    if forked.is_ours(argv):  # we are Python already: a second start of it costs a small machine seconds for each unit
        forked.become(argv)
        return
    os.execvp(argv[0], argv)


def watch(settings: Settings, missed: dict[str, int]) -> list[str]:
    """One look at all; the names of those that were started again now. What dies by itself is systemd's business.

    `missed` is how often each did not answer in a row, kept by the caller from look to look.
    """
    again = []
    found = look(settings)
    for process in PROCESSES:
        unit = found[process.name]
        if not unit.pid or unit.uptime_seconds < YOUNG_SECONDS or process.answers(settings, unit.pid):
            missed.pop(process.name, None)
            continue
        missed[process.name] = missed.get(process.name, 0) + 1
        if missed[process.name] >= MISSES:
            print(f"{process.name} does not answer: starting it again", flush=True)
            start_again(settings, process)
            again.append(process.name)
            del missed[process.name]
    return again


def start_again(settings: Settings, process: Process) -> None:
    """Its unit is started again; of a unit with several, this one is killed, and the unit's supervisor makes another."""
    if not process.unit:
        subprocess.run(["systemctl", "restart", unit_name(process)], check=True)
        return
    child = supervisor.read_state(settings, process.unit).get(process.name)
    if child is not None:
        supervisor.kill_session(child.pid, child.born)


def watch_for_ever(settings: Settings) -> None:
    """A look a minute; systemd starts us again should one fail."""
    missed: dict[str, int] = {}
    while True:
        time.sleep(LOOK_SECONDS)
        watch(settings, missed)


def main(words: list[str]) -> int:
    """The commands above; 2 when they make no sense."""
    try:
        if words[:1] == ["run"] and len(words) > 1:
            run(ground.load(), words[1], words[2:])
        if words[:1] == ["several"] and len(words) == 2:
            return supervisor.main(words[1])
        if words == ["watch"]:
            watch_for_ever(ground.load())
    except Refused as why:
        print(f"bentevi: {why}", file=sys.stderr)
        return 2
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
