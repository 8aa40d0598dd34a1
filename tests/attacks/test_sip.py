"""SIPVicious and a flood against the SIP port (docs/hardening.md). What strangers are answered is in tests/story/test_strangers.py."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.homes import free_ports
from tests.phones import Phones
from tests.stranger import Stranger

pytestmark = [pytest.mark.long, pytest.mark.pbx, pytest.mark.timeout(900)]

NAMES = ["1000", "1001", "1002", "1003", "1004", "8642", "2000", "3000", "4000", "admin", "Operadora", "anonymous"]
PASSWORDS = ["1000", "1234", "password", "padaria", "Troque-1000", "troque-1000-isto", "admin", ""]
FLOOD = 6000
STRANGE = "127.0.0.66"  # another address of this machine: what is refused by address is not the phones


def memory_bytes(pid: int) -> int:
    """Memory a process holds now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def run(tool: Path, *words: str) -> str:
    done = subprocess.run([tool, *words], text=True, errors="replace", capture_output=True, timeout=300, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
def test_svwar_finds_no_extension(target, tools, tmp_path, method):
    """EXT-02, USR-35: four of the names are extensions, one is a trunk, others are a queue, a menu and a room."""
    (tmp_path / "names").write_text("\n".join(NAMES) + "\n")
    host, port = target.sip
    said = run(tools / "sipvicious_svwar", "-d", str(tmp_path / "names"), "-m", method, "-p", str(port), "-P", str(free_ports(1)[0]), "--force", host)
    assert "found nothing" in said and "reqauth" not in said and "| Extension" not in said, said


def test_svcrack_finds_no_password(target, tools, tmp_path):
    """EXT-03."""
    (tmp_path / "passwords").write_text("\n".join(PASSWORDS) + "\n")
    host, port = target.sip
    said = run(tools / "sipvicious_svcrack", "-u", "1000", "-d", str(tmp_path / "passwords"), "-p", str(port), "-P", str(free_ports(1)[0]), host)
    assert "| 1000" not in said and "found nothing" in said, said


def test_a_flood_neither_ends_a_call_nor_the_exchange(target):
    """USR-35: thousands of REGISTER, OPTIONS and INVITE from strangers while two people talk; new calls work afterwards and memory is bounded."""
    pid = target.pid("asterisk")
    child = next((int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()), pid)
    with Phones(target.sip) as phones, Stranger(target.sip, STRANGE) as stranger:
        ana, bruno = (phones.phone(number, f"Troque-{number}-isto") for number in ("1000", "1002"))
        call = ana.call("1002")
        there = bruno.answer()
        assert call.talks_with(there)
        before = memory_bytes(child)
        for number in range(FLOOD):
            method = ("REGISTER", "OPTIONS", "INVITE")[number % 3]
            stranger.send(stranger.message(method, str(1000 + number % 5000)))
            if number % 20 == 0:
                time.sleep(0.01)
        assert call.talks_with(there), "the call goes on"
        call.hang_up()
        there.wait_ended()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if (code := ana.register()) == 200:
                break
            time.sleep(1)
        assert code == 200
        again = bruno.call("1000")
        assert again.talks_with(ana.answer(within_seconds=20))
        assert memory_bytes(child) - before < 150 * 2**20
    assert target.pid("asterisk") == pid
    assert all(one["running"] and one["answers"] for one in json.loads(target.bentevi("status", "--json"))["processes"])
