"""What of a home goes into a backup, and the description that lies beside it."""

import contextlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from appliance import db as ground
from appliance import schema, version
from appliance.backups import rows
from appliance.database import copy
from appliance.database.copy import Content
from appliance.db import db
from appliance.errors import Busy
from appliance.settings import Settings

FORMAT = 1
STAGE = "backup/stage"        # made for one backup; its paths are part of the format
MANIFEST, ROWS, ASTDB = f"{STAGE}/manifest.json", f"{STAGE}/rows.jsonl", f"{STAGE}/astdb.sqlite3"
FOLDERS = ["secrets", "audio", "recordings", "reports", "imports", "revisions", "asterisk/spool/voicemail", "asterisk/spool/monitor"]
LEFT_OUT = ["secrets/database_url", "secrets/database_move"]  # where the rows lie is a matter of the machine
ASTERISKS_OWN = "asterisk/var/astdb.sqlite3"

Say = Callable[[int, int], None]


@dataclass
class Manifest:
    """The description of a backup: version of the tables, and what each table held."""

    format: int = FORMAT
    backup_id: int = 0
    at: str = ""
    version: str = ""
    heads: list[str] = field(default_factory=list)
    database: str = ""
    revision: int = 0
    folders: list[str] = field(default_factory=list)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)  # name → rows, digest

    @property
    def row_count(self) -> int:
        return sum(int(table["rows"]) for table in self.tables.values())


def read(text: bytes) -> Manifest:
    """What a description says. Raises ValueError for one of a newer format or none at all."""
    said = json.loads(text)
    if said.get("format") != FORMAT:
        raise ValueError("format")
    return Manifest(**{name: value for name, value in said.items() if name in Manifest.__dataclass_fields__})


def held(contents: dict[str, Content]) -> dict[str, dict[str, Any]]:
    """Counts and digests as they stand in a description."""
    return {name: {"rows": content.count, "digest": content.digest} for name, content in contents.items()}


def size_bytes(machine: Settings) -> int:
    """Of the files that go into a backup; the rows come on top."""
    found = 0
    for name in FOLDERS:
        for folder, _folders, files in os.walk(machine.home / name):
            for file in files:
                with contextlib.suppress(FileNotFoundError):  # went meanwhile
                    found += os.lstat(os.path.join(folder, file)).st_size
    return found


def stage(machine: Settings, backup_id: int, revision: int, told: Say) -> Manifest:
    """Write the rows of one moment, Asterisk's own database and the description into the stage. Raises Busy when the disk is full."""
    folder = machine.home / STAGE
    clear(machine)
    folder.mkdir(parents=True, mode=0o700)
    need_room(machine.home, _size_of_database(machine))
    found = Manifest(backup_id=backup_id, at=ground.now().isoformat(), version=version.number(), revision=revision)
    try:
        with db.engine.execution_options(read_only=True).connect() as connection, _private(machine.home / ROWS) as out:
            ends = sum(copy.count(connection, table) for table in copy.tables())
            found.heads, found.database = schema.held(connection), connection.dialect.name
            found.tables = held(rows.dump(connection, out, _counted(told, ends)))
        _copy_asterisks_own(machine)
        found.folders = [name for name in FOLDERS if (machine.home / name).is_dir()]
        with _private(machine.home / MANIFEST) as out:
            out.write(json.dumps(asdict(found), indent=1).encode())
    except OSError as why:
        clear(machine)
        raise Busy(_("The rows cannot be written beside the database: %(why)s", why=why.strerror or str(why))) from why
    return found


def _counted(told: Say, total: int) -> Callable[[str, int, int], None]:
    """Rows of all tables together, said every second or so."""
    done_of: dict[str, int] = {}
    said_at = [time.monotonic()]

    def counted(name: str, done: int, _of: int) -> None:
        done_of[name] = done
        if time.monotonic() - said_at[0] > 1:
            said_at[0] = time.monotonic()
            told(sum(done_of.values()), total)

    return counted


def _private(file: Path) -> Any:
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _copy_asterisks_own(machine: Settings) -> None:
    """Asterisk goes on writing into it: SQLite's own copy is whole."""
    source = machine.home / ASTERISKS_OWN
    if source.exists():
        with closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as own, closing(sqlite3.connect(machine.home / ASTDB)) as twin:
            own.backup(twin)


def _size_of_database(machine: Settings) -> int:
    if db.engine.dialect.name == "postgresql":
        with db.engine.execution_options(read_only=True).connect() as connection:
            return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar() or 0)
    return sum(file.stat().st_size for file in machine.home.glob("bentevi.sqlite*"))


def need_room(folder: Path, size_bytes: int) -> None:
    """Raises Busy when so much does not fit on the disk, with a tenth to spare and a little."""
    free, needed = shutil.disk_usage(folder).free, size_bytes * 11 // 10 + 20_000_000
    if free < needed:
        raise Busy(_("The disk of the exchange has %(free)s MB free, %(needed)s MB are needed. Free some space and try again.",
                     free=free // 1_000_000, needed=needed // 1_000_000))


def clear(machine: Settings) -> None:
    """Nothing stays in the stage: it holds every row in clear."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(machine.home / STAGE)
