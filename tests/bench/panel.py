"""bench panel: 200 pages open and 20 calls a second: from Asterisk's event to the changed page, and what it costs.

Calls come from SIPp by a trunk, are answered by another and last 3 s, so that some 60 are in progress. One of the pages is a
real browser, the others are plain streams. The delay is taken for the event that begins a call: from the time Asterisk
stamps on it to the moment the browser has its row (both clocks are this machine's). Then 1,000 streams: is anybody
refused, and how long does a page take meanwhile?
"""

import http.client
import json
import os
import resource
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from appliance import lanes, settings
from appliance.db import db
from appliance.resource import TABLE
from appliance.supervisor import members, read_state
from appliance.telephony.ami import Connection
from appliance.users.model import by_login
from tests.bench.calls import _rows
from tests.bench.machine import figure, percentile, report
from tests.bench.product import product
from tests.homes import free_ports
from web.login import stamp
from web.sessions import IDLE_SECONDS, _key

STREAMS, MANY, RATE, SECONDS, HOLD_MS = 200, 1000, 20, 30, 3000
PER_SESSION = 40

# Notes when each row of a call came into the page, by the browser's wall clock.
WATCH = """() => { window.came = {}; new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes)
    if (node.dataset && node.dataset.call && !(node.dataset.call in window.came)) window.came[node.dataset.call] = performance.timeOrigin + performance.now();
}).observe(document.getElementById("calls"), {childList: true}); }"""


def main() -> None:
    """Measure and print."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with product() as machine:
        caller, called = free_ports(2)
        _rows(caller, called)
        for number in range(2000, 2040):
            TABLE["extensions"].create({"number": str(number), "name": f"Ramal {number}", "password": f"secret-{number}"})
        db.session.commit()
        from appliance import applying

        assert applying.now("bench").state == "done"
        figures = _under_calls(machine, caller, called) + _many(machine)
    report("panel", figures)


def session() -> str:
    """A logged-in browser's cookie."""
    user = by_login("admin")
    assert user is not None
    user.must_change_password = False
    db.session.commit()
    token = secrets.token_urlsafe(32)
    lanes.connection().set(_key(token), json.dumps({"user_id": user.id, "stamp": stamp(user)}), ex=IDLE_SECONDS)
    db.session.rollback()
    return token


class Readers:
    """So many plain streams, read by one thread."""

    def __init__(self, machine: settings.Settings, count: int) -> None:
        self.sockets: list[socket.socket] = []
        self.refused = self.received = 0
        tokens = [session() for _number in range(count // PER_SESSION + 1)]
        for number in range(count):
            one = socket.create_connection(("127.0.0.1", machine.http_port), timeout=30)
            cookie = f"bentevi_{machine.http_port}={tokens[number // PER_SESSION]}"
            one.sendall(f"GET /live/exchange,calls,extensions,trunks HTTP/1.1\r\nHost: bench\r\nCookie: {cookie}\r\n\r\n".encode())
            self.sockets.append(one)
        for one in self.sockets:
            first = one.recv(1 << 16)
            if not first.startswith(b"HTTP/1.1 200"):
                self.refused += 1
                print(first[:200].splitlines()[:1], file=sys.stderr)
        self.going = True
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        import select

        poll = select.epoll()
        by_number = {one.fileno(): one for one in self.sockets}
        for one in self.sockets:
            one.setblocking(False)
            poll.register(one, select.EPOLLIN)
        while self.going:
            for number, _event in poll.poll(0.5):
                more = by_number[number].recv(1 << 18)
                self.received += len(more)
                if not more:
                    self.refused += 1
                    poll.unregister(number)

    def close(self) -> None:
        self.going = False
        self.thread.join()
        for one in self.sockets:
            one.close()


def _under_calls(machine: settings.Settings, caller: int, called: int) -> list[dict[str, Any]]:
    began_at: dict[str, float] = {}

    def heard(event: dict[str, str]) -> None:
        if event["Event"] == "Newchannel" and event["Uniqueid"] == event["Linkedid"]:
            began_at[event["Uniqueid"]] = float(event["Timestamp"])

    token = session()
    readers = Readers(machine, STREAMS - 1)
    secret = (machine.secrets / "ami_events").read_text().strip()
    with sync_playwright() as playwright, Connection(heard).open(machine.ami_port, "bentevi-events", secret):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(base_url=f"http://127.0.0.1:{machine.http_port}")
        context.add_cookies([{"name": f"bentevi_{machine.http_port}", "value": token, "url": f"http://127.0.0.1:{machine.http_port}"}])
        page = context.new_page()
        page.goto("/")
        page.evaluate(WATCH)
        before = {name: _cpu(machine, name) for name in ("events", "live", "nginx", "asterisk")}
        start = time.monotonic()
        _sipp(page, caller, called, machine)
        lasted = time.monotonic() - start
        used = {name: (_cpu(machine, name) - before[name]) / lasted for name in before}
        came: dict[str, float] = page.evaluate("window.came")
        browser.close()
    delays = [(came[call] / 1000 - at) * 1000 for call, at in began_at.items() if call in came]
    memory = {name: _memory(machine, name) for name in ("events", "live")}
    refused, received = readers.refused, readers.received
    readers.close()
    return [
        figure("calls_begun", len(began_at), ""), figure("calls_shown_ratio", len(delays) / max(1, len(began_at)), ""),
        figure("event_to_dom_p50", percentile(delays, 0.5), "ms"), figure("event_to_dom_p95", percentile(delays, 0.95), "ms"),
        *(figure(f"cpu_{name}", share * 100, "% of a core") for name, share in used.items()),
        *(figure(f"memory_{name}", size, "MB") for name, size in memory.items()),
        figure("sent_to_each_stream", received / (STREAMS - 1) / lasted / 1000, "kB/s"), figure("streams_refused", refused, ""),
    ]


def _sipp(page: Page, caller: int, called: int, machine: settings.Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        common = ["-i", "127.0.0.1", "-nostdin"]
        quiet: dict[str, Any] = {"cwd": folder, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        answering = subprocess.Popen(["sipp", "-sn", "uas", "-p", str(called), *common], **quiet)
        calling = subprocess.Popen(
            ["sipp", "-sn", "uac", f"127.0.0.1:{machine.sip_port}", "-s", "4833334444", "-p", str(caller), "-d", str(HOLD_MS), "-r", str(RATE),
             "-m", str(RATE * SECONDS), *common], **quiet)  # fmt: skip
        while calling.poll() is None:
            page.wait_for_timeout(200)
        answering.terminate()
        answering.wait()
        page.wait_for_timeout(1000)


def _many(machine: settings.Settings) -> list[dict[str, Any]]:
    """1,000 streams at rest but for a change now and then; pages are asked for meanwhile."""
    token, waits = session(), []
    readers = Readers(machine, MANY)
    resource_ = TABLE["extensions"]
    row_id = resource_.find("2000").id
    for number in range(20):
        resource_.update(resource_.get(row_id), {"name": f"Ana {number}"})
        db.session.commit()
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", machine.http_port, timeout=30)
        connection.request("GET", "/extensions", headers={"Cookie": f"bentevi_{machine.http_port}={token}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        waits.append((time.perf_counter() - began) * 1000)
        time.sleep(0.5)
    memory, refused = _memory(machine, "live"), readers.refused
    readers.close()
    return [figure("streams_1000_refused", refused, ""), figure("page_with_1000_streams_p50", percentile(waits, 0.5), "ms"),
            figure("page_with_1000_streams_p95", percentile(waits, 0.95), "ms"), figure("memory_live_1000", memory, "MB")]  # fmt: skip


def _pids(machine: settings.Settings, name: str) -> list[int]:
    child = read_state(machine)[name]
    return members(child.pid, child.born)


def _cpu(machine: settings.Settings, name: str) -> float:
    """Seconds used so far by a process and those it started."""
    total = 0.0
    for pid in _pids(machine, name):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _memory(machine: settings.Settings, name: str) -> float:
    """Megabytes of its own (PSS)."""
    total = 0
    for pid in _pids(machine, name):
        total += next(int(line.split()[1]) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
    return total / 1024


if __name__ == "__main__":
    main()
