"""Processes of ours that are forked from a parent which has read the program: they share its memory, and are there at once.

Started by themselves, each would read the same 65 MB for itself, and a small machine would spend most of its start on that. What only one of them
changes is copied then, page by page. The program is read after Asterisk was started, and telephones do not wait for it.
"""

import ctypes
import gc
import importlib
import logging
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import BinaryIO

from appliance.settings import CHECKOUT

log = logging.getLogger("bentevi.forked")

PR_SET_PDEATHSIG = 1
LATER = ("appliance.resources", "sqlite3", "jinja2.ext", "flask_sqlalchemy.cli")  # what an application reads only when it is made
LIBC = ctypes.CDLL(None)  # found before any fork: a child may not load anything


class Born(BaseException):
    """Raised in a fork, and nowhere else: leads it out of whatever its parent was doing. `argv` is what it is to become."""

    def __init__(self, argv: list[str]) -> None:
        super().__init__(argv)
        self.argv = argv


class Fork:
    """A running one, with what subprocess.Popen has of it: `pid`, `returncode` (None while it runs; minus the signal that ended it)."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its returncode, looked at now."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its returncode, when it has ended. Raises subprocess.TimeoutExpired after so many seconds."""
        ends_at = time.monotonic() + timeout if timeout is not None else None
        while (code := self.poll()) is None:
            if ends_at is not None and time.monotonic() > ends_at:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.02)
        return code

    def terminate(self) -> None:
        """SIGTERM, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def is_ours(argv: list[str]) -> bool:
    """Whether a command line is a module of Python, which can be forked."""
    return argv[:2] == [sys.executable, "-m"]


def modules(argv: list[str]) -> list[str]:
    """What one of ours consists of: its module; for gunicorn also the application; for a worker and the clock every job."""
    if argv[2] == "gunicorn":
        return ["gunicorn.app.wsgiapp", argv[3].partition(":")[0]]
    package, _dot, _name = argv[2].partition(".")
    return [f"{package}.{one.name}" for one in pkgutil.iter_modules([str(CHECKOUT / package)])] if package == "jobs" else [argv[2]]


@cache
def read_program(names: tuple[str, ...]) -> bool:
    """Read these modules, once. False, said in the log, when they cannot be read: then each process says so itself, and what is no Python runs."""
    try:
        from sqlalchemy.orm import configure_mappers  # a large library, and whoever only starts Asterisk comes by here too

        for name in (*names, *LATER):
            importlib.import_module(name)
        configure_mappers()
    except Exception:  # whatever stands in a broken file: who keeps everything running must not end of it
        log.exception("the program cannot be read; its processes are started one by one")
        return False
    gc.collect()
    gc.freeze()  # a collector that visits what is shared would copy every page of it
    return True


def fork(argv: list[str], name: str, out: BinaryIO, folder: Path, group: Path | None = None) -> Fork:
    """Start one: leader of a session of its own, in `folder`, its words going to `out`; `group`: the list of pids of a control group it joins.
    In the child this raises Born, which main() leads to become()."""
    pid = os.fork()
    if pid:
        return Fork(pid)
    os.setsid()
    if group:
        group.write_text("0")
    end_with_parent()
    for descriptor, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out.fileno()), (2, out.fileno())):
        os.dup2(file, descriptor)
    os.chdir(folder)
    Path("/proc/self/comm").write_text(f"bentevi-{name}"[:15])  # what `ps -e` and `top` show
    raise Born(argv)


def end_with_parent() -> None:
    """For a child, before its program: ends with us, and does not inherit the blocked signals."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def become(argv: list[str]) -> None:
    """Be the module of this command line, as if Python had been started with it. Comes back when it has ended."""
    for handler in logging.root.handlers[:]:  # its words are its own to arrange
        logging.root.removeHandler(handler)
    sys.argv = argv[2:]
    sys.modules.pop(argv[2], None)  # read once more, as the program itself
    runpy.run_module(argv[2], run_name="__main__", alter_sys=True)
