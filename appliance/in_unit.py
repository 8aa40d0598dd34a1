"""What a supervisor that is a systemd unit does for each process it forks, as a unit of its own would have it: a limit of memory, and its own
name in the journal.

The unit delegates its control group (Delegate=, DelegateSubgroup= of systemd.resource-control(5)): the supervisor may make groups in it.
"""

import os
import socket
from pathlib import Path
from typing import BinaryIO

JOURNAL = Path("/run/systemd/journal/stdout")
GROUPS = Path("/sys/fs/cgroup")
OURS = "supervisor"  # DelegateSubgroup of the units
INFO = 6


def words(process: str, journal: Path = JOURNAL) -> BinaryIO:
    """Where a process writes to: the journal, whose lines then say `bentevi-NAME`. OSError when nobody listens.

    The first seven lines are how a stream introduces itself (systemd: src/journal/journald-stream.c): identifier, unit (systemd knows it),
    priority, whether lines begin with one of their own, and whether they also go to syslog, the kernel and the console.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.connect(str(journal))
        stream.shutdown(socket.SHUT_RD)
        stream.sendall(f"bentevi-{process}\n\n{INFO}\n1\n0\n0\n0\n".encode())
        return os.fdopen(stream.detach(), "wb")


def limits(process: str, memory_mb: int, own: str | None = None, groups: Path = GROUPS) -> Path:
    """A control group beside ours for one process and all it starts, with at most so much memory; returns the file that takes pids.

    `own`: what /proc/self/cgroup says. OSError when the unit delegates nothing.
    """
    told = own if own is not None else Path("/proc/self/cgroup").read_text()
    ours = groups / told.strip().rpartition("::/")[2]
    if ours.name != OURS:
        raise OSError(f"{ours} is no group within a unit's")
    unit = ours.parent
    (unit / "cgroup.subtree_control").write_text("+memory +pids")
    folder = unit / process
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # whoever supports the machine sees limits and what is used of them
    (folder / "memory.max").write_text(f"{memory_mb}M")
    return folder / "cgroup.procs"
