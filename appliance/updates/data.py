"""What an update does to the home, as the home's own user: a backup that is proved, a copy of the rows right before the restart, health, and the
rows back when the version before returns (SYS-11).

Calls that ended between the restart and the return are not lost: Asterisk keeps its record files, and which of their lines were read stands in
the rows. Rows of before therefore make the version before read those lines again. What people changed on pages in those minutes is kept aside.
"""

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

from alembic.migration import MigrationContext
from sqlalchemy.engine import make_url

from appliance import applying, front_door, version, whole_files
from appliance import db as ground
from appliance.backup_policy import attempts
from appliance.backup_policy import model as policies
from appliance.backups import content, rehearsal, restore, rows, scratch, take
from appliance.database import move, target
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.revisions.model import newest_number
from appliance.settings import Settings
from appliance.telephony import runtime
from appliance.updates import state
from appliance.updates.words import NotGood

FOLDER = "updates/before"       # the rows and secrets right before the restart, until the next update
KEPT = "updates/kept"           # the backup before the update where no place for backups is chosen
ASIDE = "updates/returned"      # the rows of a version that did not stay
FILE, ROWS, NOTE = "bentevi.sqlite", "rows.jsonl", "note.json"
ANSWER_SECONDS = 900.0  # the tables of a large home are migrated first
STEADY_SECONDS = 10.0


@dataclass
class Note:
    """What a copy of the rows is of."""

    version: str = ""
    at: str = ""
    heads: list[str] = field(default_factory=list)
    database: str = ""
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)


def heads() -> list[str]:
    """The version of the tables as they are now. Inside an application."""
    with db.engine.connect() as connection:
        return sorted(MigrationContext.configure(connection).get_current_heads())


# ------------------------------------------------------------------------------------------------------------ before the restart


def back_up(machine: Settings) -> str:
    """A backup, restored into a scratch database and compared. Where a place for backups is chosen, there, and its name is given; else beside
    the rows, and "" is given. Raises NotGood: without it nothing is updated."""
    try:
        return _ordinary() if policies.current().kind != policies.NONE else _local(machine)
    except NotGood:
        raise
    except (Refused, Busy, OSError, sqlite3.Error) as why:
        raise NotGood("no_backup", why=str(why)[:300]) from why


def _ordinary() -> str:
    backup = attempts.new("bentevi update")
    db.session.commit()
    number = backup.id
    if not take.run(number) or not rehearsal.run(number):
        row = db.session.get_one(attempts.Backup, number)
        raise NotGood("no_backup", why=(row.reason or row.rehearsal_reason)[:300])
    return db.session.get_one(attempts.Backup, number).snapshot


def _local(machine: Settings) -> str:
    with take.alone():
        try:
            said = content.stage(machine, 0, newest_number(), lambda _done, _total: None)
            db.session.rollback()
            proof = machine.home / "updates" / "proof.sqlite"
            with open(machine.home / content.ROWS, "rb") as stream:
                app = scratch.on_file(proof)
                found = scratch.fill(app, stream, said.heads, lambda _name, _done, _total: None)
                with app.app_context():
                    db.engine.dispose()
            scratch.remove(proof)
            if content.held(found) != said.tables:
                raise NotGood("no_backup", why="the rows that were restored are not those that were saved")
            _keep(machine, machine.home / KEPT, {ROWS: machine.home / content.ROWS, "manifest.json": machine.home / content.MANIFEST}, None)
        finally:
            content.clear(machine)
    return ""


def snapshot(machine: Settings) -> list[str]:
    """Rows and secrets as they are, while nothing of the home runs; the version of the tables. Raises NotGood."""
    note = Note(version.number(), ground.now().isoformat(), heads(), db.engine.dialect.name)
    draft = machine.home / "updates" / "rows.new"
    scratch.remove(draft)
    try:
        if note.database == "sqlite":
            name = FILE
            content.need_room(machine.home, machine.sqlite_file.stat().st_size)
            with closing(sqlite3.connect(machine.sqlite_file)) as own, closing(sqlite3.connect(draft)) as twin:
                own.backup(twin)
                if twin.execute("PRAGMA quick_check").fetchone() != ("ok",):
                    raise NotGood("no_backup", why="the copy of the database is damaged")
        else:
            name = ROWS
            with db.engine.execution_options(read_only=True).connect() as connection, open(draft, "wb") as out:
                note.tables = content.held(rows.dump(connection, out, lambda _name, _done, _total: None))
        _keep(machine, machine.home / FOLDER, {name: draft}, note)
    except (Refused, Busy, OSError, sqlite3.Error) as why:
        if isinstance(why, NotGood):
            raise
        raise NotGood("no_backup", why=str(why)[:300]) from why
    finally:
        scratch.remove(draft)
    return note.heads


def _keep(machine: Settings, folder: Path, files: dict[str, Path], note: Note | None) -> None:
    """The folder with these files and the secrets, whole or as it was."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    for name, source in files.items():
        source.rename(fresh / name)
    shutil.copytree(machine.secrets, fresh / "secrets")
    if note:
        whole_files.write(fresh / NOTE, json.dumps(asdict(note)))
    os.sync()
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    move.sync(folder.parent)


def note_of(machine: Settings) -> Note:
    """Of the copy that is kept; an empty one when there is none."""
    file = machine.home / FOLDER / NOTE
    return Note(**json.loads(file.read_text())) if file.exists() else Note()


def has_same_tables(machine: Settings) -> bool:
    """Whether the version before can read the rows as they are now. Inside an application."""
    return note_of(machine).heads == heads()


# --------------------------------------------------------------------------------------------------------------- after the restart


def fresh_version(machine: Settings) -> None:
    """The next start applies the configuration anew: another version writes other files. What was sent by a page was taken long ago."""
    (state.spool(machine) / state.SENT).unlink(missing_ok=True)
    whole_files.write(machine.home / restore.MARK, json.dumps({"snapshot": "", "at": "", "version": version.number()}))


def rows_back(machine: Settings, even_same: bool = False) -> bool:
    """Rows and secrets as they were before the restart, where the tables differ (or `even_same`); whether that was done. Nothing of the home may run.
    What was there goes aside. May be killed and done again at any point. Inside an application."""
    note, folder = note_of(machine), machine.home / FOLDER
    fresh_version(machine)
    waiting = folder / (FILE if note.database == "sqlite" else ROWS)
    if not note.heads or not waiting.exists() or (heads() == note.heads and not even_same):
        return False
    aside = machine.home / ASIDE
    if note.database == "sqlite":
        _file_back(machine, waiting, aside)
    else:
        _schema_back(machine, waiting, note)
    for file in (folder / "secrets").iterdir():
        fresh = machine.secrets / f"{file.name}.new"
        shutil.copy2(file, fresh)
        fresh.rename(machine.secrets / file.name)
    waiting.rename(waiting.with_name(f"{waiting.name}.used"))
    os.sync()
    return True


def rows_back_always(machine: Settings) -> bool:
    """The same where the tables do not differ: somebody wants to be where the update began."""
    return rows_back(machine, even_same=True)


def _file_back(machine: Settings, waiting: Path, aside: Path) -> None:
    """A copy takes the place of the file by one rename; the copy itself stays until all is done."""
    db.engine.dispose()
    with closing(sqlite3.connect(machine.sqlite_file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    aside.mkdir(mode=0o700, exist_ok=True)
    fresh, kept = machine.home / "updates" / "rows.new", aside / FILE
    if not kept.exists() or kept.stat().st_mtime < waiting.stat().st_mtime:
        shutil.copy2(machine.sqlite_file, kept.with_name(FILE + ".new"))
        kept.with_name(FILE + ".new").rename(kept)
    shutil.copyfile(waiting, fresh)
    fresh.chmod(0o600)
    move.sync(fresh)
    for ending in ("-wal", "-shm"):
        machine.sqlite_file.with_name(machine.sqlite_file.name + ending).unlink(missing_ok=True)
    fresh.rename(machine.sqlite_file)
    move.sync(machine.home)


def _schema_back(machine: Settings, waiting: Path, note: Note) -> None:
    """The saved rows in tables of their version take the place of today's, in one transaction; today's stay in a schema of their own."""
    url = make_url(machine.database_url)
    db.engine.dispose()
    with open(waiting, "rb") as stream:
        app = scratch.in_schema(url)
        found = scratch.fill(app, stream, note.heads, lambda _name, _done, _total: None)
        with app.app_context():
            db.engine.dispose()
    if content.held(found) != note.tables:
        raise Busy("the rows are not those that were saved")
    scratch.take_over(make_url(target.as_text(url)), scratch.SCHEMA, f"before_update_{ground.now():%Y%m%dt%H%M%Sz}")


def health(machine: Settings, seconds: float = ANSWER_SECONDS, steady_seconds: float = STEADY_SECONDS) -> None:
    """Every process answers and goes on doing so, the configuration can be put into force by this version, the test call passes.
    Raises NotGood for what does not. Inside an application; takes minutes on a slow machine."""
    ends_at, well_since = time.monotonic() + seconds, 0.0
    while not well_since or time.monotonic() < well_since + steady_seconds:
        silent = [str(entry["name"]) for entry in front_door.status(machine) if not entry["answers"]]
        well_since = 0.0 if silent else well_since or time.monotonic()
        if silent and time.monotonic() > ends_at:
            raise NotGood("silent", names=", ".join(silent))
        time.sleep(min(1.0, steady_seconds))
    attempt = applying.now(f"version {version.number()}")
    if attempt.state != "done":
        raise NotGood("not_applied", why="; ".join(applying.told(found)["text"] for found in attempt.findings)[:300])
    test_call: Callable[[], list[Any]] | None = applying.test_call()
    db.session.rollback()
    found = test_call() if test_call else []
    if found:
        raise NotGood("test_call", why=found[0].text[:300])


def calls_up(machine: Settings) -> int:
    """How many channels Asterisk has; 0 when it does not answer: nobody talks then."""
    try:
        said = runtime.command(runtime.control(machine), "core show channels count")
    except Busy:
        return 0
    return next((int(line.split()[0]) for line in said.splitlines() if "active channel" in line), 0)
