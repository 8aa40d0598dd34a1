"""What listens: a home for this machine alone, and one for the network; the rest is on loopback or nowhere (docs/hardening.md)."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.attacks.conftest import Target
from tests.homes import environment

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

FOR_ALL = ("HTTP", "HTTPS", "SIP")
FOR_THE_MACHINE = ("AMI", "AGI", "WS")


def processes_of(folder: Path) -> set[int]:
    """Every process of a home; nginx writes its title over its environment, and the home stands in that."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                told = (entry / "environ").read_bytes().split(b"\0"), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"BENTEVI_HOME={folder}".encode() in told[0] or f"{folder}/".encode() in told[1]:
                found.add(int(entry.name))
    return found


def listeners(folder: Path) -> set[tuple[str, str, int]]:
    """(protocol, address, port) of everything a home listens on."""
    mine, found = processes_of(folder), set()
    for line in subprocess.run(["ss", "-Hlntup"], text=True, capture_output=True, check=True).stdout.splitlines():
        if {int(one) for one in re.findall(r"pid=(\d+)", line)} & mine:
            protocol, _state, _in, _out, address = line.split()[:5]
            host, _colon, port = address.rpartition(":")
            found.add((protocol, host.strip("[]"), int(port)))
    return found


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])
def test_only_the_documented_ports_answer(bind):
    """TRK-07, USR-35."""
    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    home = Target(folder / "home", environment(folder / "home") | {"BENTEVI_BIND": bind})
    try:
        home.bentevi("up")
        everything = listeners(home.folder)
        # Each Asterisk (the one in force, and the one on trial) has a socket per family to ask name servers from, on a port of the kernel's choice.
        asking = {one for one in everything if one[0] == "udp" and one[1] in ("0.0.0.0", "*", "::") and one[2] != home.port("SIP")}
        assert len(asking) <= 4
        found = everything - asking
        shown, own = {home.port(name) for name in FOR_ALL}, {home.port(name) for name in FOR_THE_MACHINE}
        assert shown | own == {port for _protocol, _host, port in found}, found
        for protocol, host, port in found:
            assert host == (bind if port in shown else "127.0.0.1"), (protocol, host, port)
        assert {protocol for protocol, _host, port in found if port == home.port("SIP")} == {"tcp", "udp"}
        assert {protocol for protocol, _host, port in found if port != home.port("SIP")} == {"tcp"}
    finally:
        home.bentevi("down")
        shutil.rmtree(folder, ignore_errors=True)
