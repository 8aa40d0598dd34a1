"""What a power cut or an ailing disk may leave of the files that Redis and Asterisk keep for themselves: neither starts with a damaged one, and
everything waits for them. What can be read stays; what cannot is set aside beside it. Rows and calls are in none of them."""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

ASIDE = "damaged"  # the last one of each


def redis(folder: Path) -> None:
    """Redis' append-only file in `folder`: sessions, and jobs under way."""
    manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
    if not manifest.exists() or shutil.which("redis-check-aof") is None:
        return
    said = subprocess.run(["redis-check-aof", "--fix", str(manifest)], input="y\n", capture_output=True, text=True, check=False)
    if said.returncode:
        shutil.rmtree(folder / ASIDE, ignore_errors=True)
        _set_aside(manifest.parent, folder / ASIDE, said.stdout[-300:])


def astdb(file: Path) -> None:
    """Asterisk's own database: where telephones registered from, who is logged in to which queue; both come again by themselves."""
    import sqlite3  # every unit of the appliance reads this file, one needs it

    if not file.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=1)) as connection:
            said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:  # locked, or not to be opened: that is no damage
        return
    except sqlite3.DatabaseError as why:
        said = str(why)
    if said != "ok":
        for ending in ("-journal", "-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
        _set_aside(file, file.with_name(f"{file.name}.{ASIDE}"), said)


def _set_aside(what: Path, where: Path, why: str) -> None:
    print(f"{what} is damaged and set aside as {where.name}: {why}", file=sys.stderr, flush=True)
    what.rename(where)
