"""A private PostgreSQL server on a socket in a folder of its own, for tests and benches: one process of ours, gone with us.

The server may not run as root, so it runs as the user `postgres` of the distribution's package then.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from appliance.forked import PR_SET_PDEATHSIG
from appliance.settings import CHECKOUT

USER = "bentevi"
TEMPLATE = "bentevi_template"
START_SECONDS = 30
LIBC = ctypes.CDLL(None)  # found before any fork: a child may not load anything
PREPARE = """
from appliance.schema import upgrade
from appliance import app
with app.bare_app().app_context():
    upgrade()
"""


class Server:
    """One server, and fresh databases on it."""

    def __init__(self, folder: Path, fsync: str = "off") -> None:
        self.folder, self.fsync = folder, fsync
        self.process: subprocess.Popen[bytes] | None = None
        self.count = 0

    def start(self) -> None:
        """Return when it answers. It ends with this process, however that ends."""
        options = {
            "listen_addresses": "", "unix_socket_directories": str(self.folder), "unix_socket_permissions": "0777", "max_connections": "200",
            "fsync": self.fsync, "shared_buffers": "64MB", "dynamic_shared_memory_type": "mmap",
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as out:
            self.process = subprocess.Popen([program("postgres"), "-D", str(self.folder / "data"), *words], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out, cwd="/", preexec_fn=_end_with_us, start_new_session=True, **_as_user())  # fmt: skip
        ends_at = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.words()).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < ends_at and self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends it at once and in order; SIGKILL as a crash would: its children notice within a moment, and are waited for."""
        if self.process is None:
            return
        os.kill(self.process.pid, how)
        self.process.wait()
        while _members(self.process.pid):
            time.sleep(0.02)
        self.process = None

    def words(self, database: str = "postgres") -> str:
        """How libpq finds a database of it."""
        return f"host={self.folder} user={USER} dbname={database}"

    def url(self, database: str) -> str:
        """How SQLAlchemy finds a database of it."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}"

    def empty(self) -> str:
        """The URL of a new database without tables."""
        return self.url(self._create("template0"))

    def fresh(self) -> str:
        """The URL of a new database with today's tables, copied from one that is made once."""
        if not self._has(TEMPLATE):
            name = self._create("template0", f"{TEMPLATE}_new")
            home = self.folder / "home"
            home.mkdir(mode=0o700)
            environment = {**os.environ, "BENTEVI_HOME": str(home), "BENTEVI_DATABASE_URL": self.url(name), "PYTHONPATH": str(CHECKOUT)}
            subprocess.run([sys.executable, "-c", PREPARE], env=environment, cwd=CHECKOUT, check=True)
            self.ask(f"ALTER DATABASE {name} RENAME TO {TEMPLATE}")
        return self.url(self._create(TEMPLATE))

    def ask(self, text: str, database: str = "postgres") -> list[Any]:
        """Rows of an answer, outside any transaction."""
        with psycopg.connect(self.words(database), autocommit=True) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

    def _create(self, template: str, name: str = "") -> str:
        self.count += 1
        name = name or f"bentevi_{self.count}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        return name

    def _has(self, name: str) -> bool:
        return bool(self.ask(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"))


@contextmanager
def running(fsync: str = "off") -> Iterator[Server]:
    """A server; it and its data are gone afterwards. Benches want it to wait for the disk (`fsync`), tests do not."""
    sweep()
    folder = Path("/tmp") / f"bt-pg-{os.getpid()}"  # short: a socket's path has at most 107 letters
    while folder.exists():
        folder = folder.with_name(f"{folder.name}x")
    folder.mkdir(mode=0o711)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        subprocess.run([program("initdb"), "-D", str(folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
                       check=True, cwd="/", stdout=subprocess.DEVNULL, **_as_user())  # fmt: skip
        server_ = Server(folder, fsync)
        server_.start()
        try:
            yield server_
        finally:
            server_.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database on a server of its own."""
    with running() as found:
        yield found.url("postgres")


@cache
def program(name: str) -> str:
    """One of PostgreSQL's own programs, which Debian keeps off the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert folders, "PostgreSQL is not installed; ./bentevi test installs it"
    return str(folders[-1] / name)


def sweep() -> None:
    """Folders that killed sessions left behind; their servers ended with them."""
    for folder in Path("/tmp").glob("bt-pg-*"):
        pid = folder.name.removeprefix("bt-pg-").rstrip("x")
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _as_user() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _end_with_us() -> None:
    """Runs in the child, after it became another user: whoever changes that before loses the wish."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _members(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
