"""Whether Asterisk has the SIP port it needs, and who has it instead."""

import errno
import re
import socket
import subprocess
from dataclasses import dataclass

from appliance.settings import Settings


@dataclass(frozen=True)
class Trouble:
    """The SIP port is not Asterisk's. `program` is "" when nobody has it or the system does not say who."""

    port: int
    program: str
    pid: int
    is_taken: bool


def sip_trouble(machine: Settings) -> Trouble | None:
    """None while Asterisk listens for SIP by UDP, and while it is not known who does."""
    with socket.socket(socket.AF_INET6 if ":" in machine.bind else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((machine.bind, machine.sip_port))
        except OSError as why:
            if why.errno != errno.EADDRINUSE:
                return None
            program, pid = listener(machine.sip_port, socket.SOCK_DGRAM)
            return Trouble(machine.sip_port, program, pid, True) if pid and pid != asterisk_pid(machine) else None
    return Trouble(machine.sip_port, "", 0, False) if asterisk_pid(machine) else None


def asterisk_pid(machine: Settings) -> int:
    """The process of this home's Asterisk, 0 when it does not run."""
    file = machine.asterisk / "run" / "asterisk.pid"
    text = file.read_text().strip() if file.exists() else ""
    return int(text) if text.isdigit() else 0


def listener(port: int, kind: int) -> tuple[str, int]:
    """(program, pid) of who listens on a port; ("", 0) when nobody does or the system does not tell us."""
    sockets = "-lntp" if kind == socket.SOCK_STREAM else "-lnup"
    said = subprocess.run(["ss", "-H", sockets, f"sport = :{port}"], capture_output=True, text=True, check=False).stdout
    found = re.search(r'users:\(\("([^"]+)",pid=(\d+)', said)
    return (found[1], int(found[2])) if found else ("", 0)
