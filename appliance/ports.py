"""The ports of SIP and voice: which the files in force name, which Asterisk took when it started, and who has one instead (SYS-07).

A SIP port that is changed holds from Asterisk's next start, voice ports at once. Until then phones, firewall and advice go by what
Asterisk listens on.
"""

import errno
import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from appliance import whole_files
from appliance.settings import Settings


class Ports(NamedTuple):
    """SIP by UDP and TCP; the voice of calls, first and last."""

    sip: int
    rtp_start: int
    rtp_end: int

    def lines(self) -> str:
        """As the firewall reads them."""
        return f"sip {self.sip}\nvoice {self.rtp_start}-{self.rtp_end}\n"


def of_machine(machine: Settings) -> Ports:
    """What the environment says: what holds where no row says otherwise."""
    return Ports(machine.sip_port, machine.rtp_start, machine.rtp_end)


def in_force(machine: Settings) -> Ports:
    """Those of the revision in force; before the first one those of the environment."""
    etc, known = machine.asterisk / "etc", of_machine(machine)
    return Ports(
        _number(etc / "bentevi" / "sip.pjsip.conf", r"bind = .*:(\d+)", known.sip),
        _number(etc / "rtp.conf", r"rtpstart = (\d+)", known.rtp_start),
        _number(etc / "rtp.conf", r"rtpend = (\d+)", known.rtp_end),
    )


def _number(file: Path, pattern: str, default: int) -> int:
    found = re.search(rf"^{pattern}$", file.read_text(encoding="utf-8"), re.M) if file.exists() else None
    return int(found[1]) if found else default


def note_start(machine: Settings) -> None:
    """Asterisk starts now, with those in force."""
    whole_files.write(_started(machine), in_force(machine).lines())


def listening(machine: Settings) -> Ports:
    """What Asterisk listens on: the SIP port it started with, which it has until it ends; voice ports in force, which it takes at once."""
    return Ports(started(machine).sip, *in_force(machine)[1:])


def started(machine: Settings) -> Ports:
    """Those Asterisk started with, its voice ports as calls that are up may still have them; in force when it never started here."""
    file = _started(machine)
    found = re.fullmatch(r"sip (\d+)\nvoice (\d+)-(\d+)\n", file.read_text(encoding="ascii")) if file.exists() else None
    return Ports(*map(int, found.groups())) if found else in_force(machine)


def note_quiet(machine: Settings) -> None:
    """No call is up: nobody has an older voice port any more."""
    whole_files.write(_started(machine), listening(machine).lines())


def _started(machine: Settings) -> Path:
    return machine.asterisk / "started.ports"


def holder(machine: Settings, port: int) -> str:
    """Which program has a port, by UDP or TCP; "?" when the system does not say, "" when it is free."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET6 if ":" in machine.bind else socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just ended do not count
            try:
                probe.bind((machine.bind, port))
            except OSError as why:
                if why.errno == errno.EADDRINUSE:
                    return listener(port, kind)[0] or "?"
    return ""


@dataclass(frozen=True)
class Trouble:
    """The SIP port is not Asterisk's. `program` is "" when nobody has it or the system does not say who."""

    port: int
    program: str
    pid: int
    is_taken: bool


def sip_trouble(machine: Settings) -> Trouble | None:
    """None while Asterisk listens for SIP by UDP, and while it is not known who does."""
    port = listening(machine).sip
    with socket.socket(socket.AF_INET6 if ":" in machine.bind else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((machine.bind, port))
        except OSError as why:
            if why.errno != errno.EADDRINUSE:
                return None
            program, pid = listener(port, socket.SOCK_DGRAM)
            return Trouble(port, program, pid, True) if pid and pid != asterisk_pid(machine) else None
    return Trouble(port, "", 0, False) if asterisk_pid(machine) else None


def asterisk_pid(machine: Settings) -> int:
    """The process of this home's Asterisk, 0 when it does not run."""
    file = machine.asterisk / "run" / "asterisk.pid"
    text = file.read_text().strip() if file.exists() else ""
    return int(text) if text.isdigit() and Path(f"/proc/{text}").exists() else 0  # one that crashed leaves its file


def listener(port: int, kind: int) -> tuple[str, int]:
    """(program, pid) of who listens on a port; ("", 0) when nobody does or the system does not tell us."""
    sockets = "-lntp" if kind == socket.SOCK_STREAM else "-lnup"
    said = subprocess.run(["ss", "-H", sockets, f"sport = :{port}"], capture_output=True, text=True, check=False).stdout
    found = re.search(r'users:\(\("([^"]+)",pid=(\d+)', said)
    return (found[1], int(found[2])) if found else ("", 0)
