"""bench idle: what a home costs that nobody uses: memory of its processes (proportional share), and their computing in a while, as a share of one core.

`./bentevi bench idle [SECONDS]`: default 300, after two minutes in which the first jobs run and the second Asterisk comes up.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from appliance import settings, supervisor
from tests.bench.machine import figure, report
from tests.bench.product import product

SETTLED_SECONDS = 120.0
TICK = os.sysconf("SC_CLK_TCK")


def main(seconds: float) -> None:
    """Measure and print."""
    with product() as machine:
        time.sleep(SETTLED_SECONDS)
        before, began = _computed(machine), time.monotonic()
        time.sleep(seconds)
        after, took = _computed(machine), time.monotonic() - began
        memory = _memory(machine)
        figures = [figure("memory", sum(memory.values()), "MB"), figure("processor", 100 * (sum(after.values()) - sum(before.values())) / took, "% of one core")]
        figures += [figure(f"memory_{name}", value, "MB") for name, value in sorted(memory.items())]
        figures += [figure(f"processor_{name}", 100 * (after[name] - before.get(name, 0.0)) / took, "% of one core") for name in sorted(after)]
    report("idle", figures)


def _sessions(home: settings.Settings) -> dict[int, str]:
    """Process id → name of the process of the table it belongs to: each of the supervisor's children leads a session of its own, and what begins
    another one (the second Asterisk) belongs to whoever started it."""
    leaders = {child.pid: name for name, child in supervisor.read_state(home).items()}
    leaders[_session(_parent(next(iter(leaders))))] = "supervisor"
    found = {pid: _owner(pid, leaders) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}
    return {pid: name for pid, name in found.items() if name}


def _owner(pid: int, leaders: dict[int, str]) -> str:
    while pid > 1:
        if (session := _session(pid)) in leaders:
            return leaders[session]
        pid = _parent(pid)
    return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _computed(home: settings.Settings) -> dict[str, float]:
    """Seconds of processor by name, with those of children that ended."""
    found: dict[str, float] = {}
    for pid, name in _sessions(home).items():
        with suppress(OSError):  # the process of a job, over by now: its parent has its seconds
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[name] = found.get(name, 0.0) + sum(map(int, words[11:15])) / TICK
    return found


def _memory(home: settings.Settings) -> dict[str, float]:
    """Megabytes by name; what several share is divided among them."""
    found: dict[str, float] = {}
    for pid, name in _sessions(home).items():
        with suppress(OSError):
            line = next(line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
            found[name] = found.get(name, 0.0) + int(line.split()[1]) / 1024
    return found


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 300.0)
