"""A private PostgreSQL server on a socket in a folder of its own, for tests and benches."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server() -> Iterator[str]:
    """Its URL for SQLAlchemy; server and data are gone afterwards."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert programs, "PostgreSQL is not installed; ./bentevi test installs it"
    folder = Path("/tmp") / f"bt-pg-{os.getpid()}"  # short: a socket's path has at most 107 letters
    folder.mkdir(mode=0o700)
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")

    def run(name: str, *words: str) -> None:
        subprocess.run([*as_user, str(programs[-1] / name), *words], check=True, cwd="/", stdout=subprocess.DEVNULL)

    run("initdb", "-D", str(folder / "data"), "-U", "bentevi", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c unix_socket_permissions=0777"
    if as_user:
        folder.chmod(0o711)
    try:
        run("pg_ctl", "-D", str(folder / "data"), "-o", options, "-l", str(folder / "log"), "-w", "start")
        yield f"postgresql+psycopg://bentevi@/postgres?host={folder}"
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            run("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
