"""bench calls: how many of 50, 100 and 150 new calls a second (or of the rates given) are answered through our dialplan, and Asterisk's CPU per call, against a bare Asterisk in the same run.

SIPp calls in by a by-IP trunk; the call passes the number filter, the inbound route, an outbound route, the trunk's limit and
leaves by another trunk to a second SIPp. Bare: the same Asterisk and modules with a dialplan of one Dial. Records are on.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance import applying, settings
from appliance.db import db
from appliance.resource import TABLE
from appliance.telephony import runtime
from tests.bench.machine import figure, report
from tests.bench.product import product
from tests.homes import free_ports

RATES, SECONDS, HOLD_MS, PAUSE_SECONDS = (50, 100, 150), 12, 500, 5


@dataclass
class Run:
    """One SIPp run: calls that were answered and ended well, calls that failed, CPU seconds of Asterisk."""

    rate: int
    good: int
    failed: int
    cpu_seconds: float


def main(*rates: int) -> None:
    """Measure and print."""
    with product() as machine:
        caller, called = free_ports(2)
        _rows(caller, called)
        ours = [_run(machine, rate, caller, called) for rate in rates or RATES]
        _bare(machine, caller, called)
        bare = [_run(machine, rate, caller, called) for rate in rates or RATES]
    figures: list[dict[str, Any]] = []
    for mine, plain in zip(ours, bare, strict=True):
        per_call, plain_per_call = mine.cpu_seconds / max(1, mine.good), plain.cpu_seconds / max(1, plain.good)
        figures += [
            figure(f"answered_{mine.rate}_ratio", mine.good / (mine.good + mine.failed), ""),
            figure(f"bare_answered_{mine.rate}_ratio", plain.good / (plain.good + plain.failed), ""),
            figure(f"cpu_per_call_{mine.rate}", per_call * 1000, "ms"),
            figure(f"bare_cpu_per_call_{mine.rate}", plain_per_call * 1000, "ms"),
            figure(f"cpu_per_call_to_bare_{mine.rate}_ratio", per_call / plain_per_call, ""),
        ]
    report("calls", figures)


def _rows(caller: int, called: int) -> None:
    TABLE["trunks"].create({"name": "In", "host": "127.0.0.1", "port": caller, "qualify": False})
    TABLE["trunks"].create({"name": "Out", "host": "127.0.0.1", "port": called, "qualify": False, "call_limit": 10000})
    TABLE["outbound_routes"].create({"name": "On", "rules": [{"mask": "48XXXXXXXX", "trunk": "Out", "caller_id": "4830139018"}]})
    TABLE["inbound_routes"].create({"name": "In", "trunks": ["In"], "allow_outbound": True,
                                    "rules": [{"mask": "48XXXXXXXX", "destination": {"outbound_route": "On"}}]})  # fmt: skip
    db.session.commit()
    assert applying.now("bench").state == "done"


def _bare(machine: settings.Settings, caller: int, called: int) -> None:
    """The same endpoints; the dialplan is one Dial. The file in force is written over: this home ends with the bench."""
    etc = machine.asterisk / "etc"
    trunks = TABLE["trunks"]
    lines = f"[bentevi-from-trunk-{trunks.find('In').id}]\nexten => _X.,1,Dial(PJSIP/${{EXTEN}}@trunk-{trunks.find('Out').id})\n"
    (etc / "extensions.conf").write_text(f"[general]\nclearglobalvars=yes\n{lines}")
    runtime.command(runtime.control(machine), "dialplan reload", timeout=60)


def _run(machine: settings.Settings, rate: int, caller: int, called: int) -> Run:
    pid = int((machine.asterisk / "run" / "asterisk.pid").read_text())
    with tempfile.TemporaryDirectory() as folder:
        count = rate * SECONDS
        common = ["-i", "127.0.0.1", "-nostdin", "-m", str(count)]
        answering = subprocess.Popen(["sipp", "-sn", "uas", "-p", str(called), *common], cwd=folder, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        time.sleep(0.5)
        before = cpu_seconds(pid)
        subprocess.run(["sipp", "-sn", "uac", "-p", str(caller), "-s", "4833334444", "-r", str(rate), "-d", str(HOLD_MS), *common,
                        "-trace_stat", "-stf", "stat.csv", "-timeout", "90s", f"127.0.0.1:{machine.sip_port}"], cwd=folder, check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        used = cpu_seconds(pid) - before
        answering.terminate()
        answering.wait(10)
        head, *rest = (Path(folder) / "stat.csv").read_text().splitlines()
        last = dict(zip(head.split(";"), rest[-1].split(";"), strict=False))
    time.sleep(PAUSE_SECONDS)  # what waits in Asterisk's queues belongs to this run, not to the next
    return Run(rate, int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]), used)


def cpu_seconds(pid: int) -> float:
    """Of this process, user and system, since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
