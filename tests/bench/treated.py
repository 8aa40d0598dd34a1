"""bench treated: calls through a menu and a queue to a member (5, 10 and 15 new ones a second, or the rates given), against the same call on bare Asterisk.

SIPp calls in by a by-IP trunk, hears the menu's question, presses 1, waits in a queue of 100 members that rings one after the other, is answered by
a second SIPp and hangs up after some seconds. A call counts when a member answered it and it ended well. Bare: the same Asterisk, modules, queue and
members with a dialplan of Answer, ReadExten and Queue. Records are on.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance import applying, settings
from appliance.db import db
from appliance.queues.model import ROTATE
from appliance.resource import TABLE
from appliance.telephony import runtime
from tests.bench.calls import PAUSE_SECONDS, cpu_seconds
from tests.bench.machine import figure, report
from tests.bench.product import product
from tests.build import make_extension, make_inbound_route, make_queue, make_sound, make_trunk
from tests.homes import free_ports

RATES, SECONDS, STAY_MS, MEMBERS = (5, 10, 15), 20, 3000, 100
SCENARIOS = Path(__file__).parent / "sipp"
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def main(*rates: int) -> None:
    """Measure and print."""
    with product() as machine, tempfile.TemporaryDirectory() as folder:
        caller, called, other = free_ports(3)
        trunk, queue = _rows(caller)
        with _answering(Path(folder), called) as counts:
            _register(machine, called, other)
            ours = [_run(machine, rate, caller, counts) for rate in rates or RATES]
            _bare(machine, trunk, queue)
            bare = [_run(machine, rate, caller, counts) for rate in rates or RATES]
    figures: list[dict[str, Any]] = []
    for rate, mine, plain in zip(rates or RATES, ours, bare, strict=True):
        calls = rate * SECONDS
        figures += [
            figure(f"answered_{rate}_ratio", mine["answered"] / calls, ""), figure(f"bare_answered_{rate}_ratio", plain["answered"] / calls, ""),
            figure(f"answered_to_bare_{rate}_ratio", mine["answered"] / max(1, plain["answered"]), ""),
            figure(f"cpu_per_call_{rate}", mine["cpu_ms"] / max(1, mine["answered"]), "ms"),
            figure(f"bare_cpu_per_call_{rate}", plain["cpu_ms"] / max(1, plain["answered"]), "ms"),
        ]  # fmt: skip
    report("treated", figures)


def _rows(caller: int) -> tuple[int, str]:
    """The trunk, the menu and the queue with its members, applied. Id of the trunk, section of the queue."""
    trunk = make_trunk("In", caller, qualify=False)
    members = [make_extension(str(2000 + place)) for place in range(MEMBERS)]
    queue = make_queue("600", *members, name="Fila", strategy=ROTATE)
    sound = make_sound("Pergunta", 440, seconds=5)
    TABLE["ivrs"].create({"name": "Menu", "number": "700", "prompt": sound.name, "options": {"1": {"queue": queue.name}}})
    make_inbound_route("In", "In", {"mask": "48XXXXXXXX", "destination": {"ivr": "Menu"}})
    names = trunk.id, queue.section
    db.session.commit()
    assert applying.now("bench").state == "done"
    return names


@contextmanager
def _answering(folder: Path, port: int) -> Iterator[Path]:
    """A SIPp that answers every call and every OPTIONS until the end; the file of its counts, a line a second."""
    counts = folder / "called.csv"
    sipp = subprocess.Popen(["sipp", "-sn", "uas", "-aa", "-i", "127.0.0.1", "-p", str(port), "-nostdin", "-trace_stat", "-stf", str(counts), "-fd", "1"],
                            cwd=folder, **QUIET)  # fmt: skip
    try:
        yield counts
    finally:
        sipp.kill()
        sipp.wait(10)


def _register(machine: settings.Settings, called: int, port: int) -> None:
    """Every member's telephone is the SIPp that answers; waits until Asterisk has seen that it does."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{2000 + place};[authentication username={2000 + place} password=secret-{2000 + place}];{called}" for place in range(MEMBERS)]
        (Path(folder) / "members.csv").write_text("SEQUENTIAL\n" + "\n".join(lines) + "\n")
        subprocess.run(["sipp", "-sf", str(SCENARIOS / "register.xml"), "-inf", "members.csv", "-i", "127.0.0.1", "-p", str(port), "-nostdin",
                        "-m", str(MEMBERS), "-r", "20", "-timeout", "60s", f"127.0.0.1:{machine.sip_port}"], cwd=folder, check=True, **QUIET)  # fmt: skip
    while runtime.command(runtime.control(machine), "pjsip show contacts", timeout=60).count(" Avail ") < MEMBERS:
        time.sleep(0.5)


def _bare(machine: settings.Settings, trunk: int, queue: str) -> None:
    """The same endpoints and settings of the queue; the dialplan is as short as the call can be. This home ends with the bench."""
    etc = machine.asterisk / "etc"
    sound = re.search(r"ReadExten\(BENTEVI_PRESSED,([^,]+),", "".join(file.read_text() for file in etc.rglob("*.conf")))[1]
    (etc / "extensions.conf").write_text(
        f"[general]\nclearglobalvars=yes\n[bentevi-from-trunk-{trunk}]\nexten => _X.,1,Answer()\n same => n,ReadExten(KEY,{sound},keys,,5)\n"
        f" same => n,Goto(keys,${{KEY}},1)\n[keys]\nexten => 1,1,Queue({queue},ctk,,,300)\n")  # fmt: skip
    runtime.command(runtime.control(machine), "dialplan reload", timeout=60)


def _run(machine: settings.Settings, rate: int, caller: int, counts: Path) -> Counter[str]:
    """`answered`: calls a member answered and that ended well; `cpu_ms`: of Asterisk."""
    pid, count = int((machine.asterisk / "run" / "asterisk.pid").read_text()), rate * SECONDS
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "caller.csv"
        answered_before, before = _good(counts), cpu_seconds(pid)
        subprocess.run(["sipp", "-sf", str(SCENARIOS / "caller.xml"), "-aa", "-i", "127.0.0.1", "-p", str(caller), "-nostdin", "-s", "4833334444",
                        "-r", str(rate), "-d", str(STAY_MS), "-m", str(count), "-trace_stat", "-stf", str(file), "-timeout", "90s",
                        f"127.0.0.1:{machine.sip_port}"], cwd=folder, check=False, **QUIET)  # fmt: skip
        used = cpu_seconds(pid) - before
        time.sleep(PAUSE_SECONDS)  # what waits in Asterisk's queues belongs to this run, not to the next
        return Counter(answered=min(_good(file), _good(counts) - answered_before), cpu_ms=round(used * 1000))


def _good(file: Path) -> int:
    head, *rest = file.read_text().splitlines()
    return int(dict(zip(head.split(";"), rest[-1].split(";"), strict=False))["SuccessfulCall(C)"])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
