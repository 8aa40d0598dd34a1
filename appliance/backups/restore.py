"""Restoring a home from a backup: everything is made ready beside it, compared, and taken over at the end.

Until the plan is written (`restoring/plan.json`) nothing of the home has changed, and a killed restore is simply asked for again. From then
on every step can be done again: the restore itself, the next `bentevi up` or the next command brings it to its end before anything reads a
row. What the home was before lies in `before-restore-…`, whole, with its rows, key and recordings.
"""

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from appliance import settings as machine_settings
from appliance import whole_files
from appliance.app import bare_app
from appliance.backup_policy.attempts import DONE, Backup
from appliance.backups import content, scratch, store
from appliance.backups.content import Manifest
from appliance.backups.destination import Destination
from appliance.database import copy, move, target
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.settings import Settings

FOLDER = "restoring"
PLAN = "plan.json"
MARK = "restored.json"  # the next start applies the configuration anew: paths and ports of this machine stand in its files
LIVE_STATE = ["redis", "records.json"]  # what only the running home knew: sessions, jobs, marks of a process
BESIDE_SQLITE = ["bentevi.sqlite-wal", "bentevi.sqlite-shm"]

Say = Callable[[str], None]


@dataclass
class Difference:
    """What a restore would change, or did: by table how many rows are here and in the backup; recordings likewise."""

    tables: list[dict[str, Any]] = field(default_factory=list)  # name, here, backup, same
    recordings_here: int = 0
    recordings_backup: int = 0
    recordings_missing: int = 0
    bytes_here: int = 0
    bytes_backup: int = 0
    bytes_in_all: int = 0   # of every file of the backup

    @property
    def changed(self) -> list[dict[str, Any]]:
        return [table for table in self.tables if not table["same"]]


@dataclass
class Report:
    """How a restore went."""

    snapshot: str
    at: str
    version: str
    database: str
    rows: int
    difference: Difference
    seconds: float = 0.0
    kept: str = ""


@dataclass
class Plan:
    """What is still to be done once everything is ready: paths relative to the home."""

    aside: str
    items: list[str]
    gone: list[str]
    database: str = ""   # of PostgreSQL, with its password: the file is this user's alone
    schema: str = ""
    mark: dict[str, Any] = field(default_factory=dict)


def choose(where: Destination, name: str) -> store.Snapshot:
    """The snapshot that is meant: its name or the beginning of it; the newest when none is named. Raises Refused."""
    where.look()
    found = store.snapshots(where, reads_only=True)
    if not found:
        raise Refused(f"there are no backups at {where.shown}")
    if not name:
        return found[-1]
    fitting = [one for one in found if one.name.startswith(name)]
    if len(fitting) != 1:
        raise Refused(f"no backup is called {name}; `bentevi backup list` shows them" if not fitting else f"more than one backup begins with {name}")
    return fitting[0]


def manifest(where: Destination, snapshot: str) -> Manifest:
    """The description of a backup. Raises Refused for one this version cannot read."""
    try:
        with store.opened(where, snapshot, content.MANIFEST) as stream:
            return content.read(stream.read())
    except (ValueError, TypeError) as why:
        raise Refused("the description of this backup cannot be read: it was made by a newer version, or by something else") from why


def difference(machine: Settings, where: Destination, snapshot: str, said: Manifest) -> Difference:
    """What the home has and what the backup has. A home without tables has nothing."""
    found = Difference()
    here = _here(machine)
    for name in dict.fromkeys([*here, *said.tables]):
        one, other = here.get(name, {"rows": 0, "digest": ""}), said.tables.get(name, {"rows": 0, "digest": ""})
        if one["rows"] or other["rows"]:
            found.tables.append({"name": name, "here": one["rows"], "backup": other["rows"], "same": one == other})
    folder = machine.home / "recordings"
    mine = {str(file.relative_to(machine.home)): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    theirs = {}
    for entry in store.entries(where, snapshot, ""):
        found.bytes_in_all += entry.size_bytes
        if entry.path.startswith("recordings/"):
            theirs[entry.path] = entry.size_bytes
    found.recordings_here, found.bytes_here = len(mine), sum(mine.values())
    found.recordings_backup, found.bytes_backup = len(theirs), sum(theirs.values())
    found.recordings_missing = sum(1 for path in mine if path not in theirs)
    return found


def goal(machine: Settings, words: str) -> URL:
    """The database to restore into: this home's, or the empty one that is named as in `database move`. Raises Refused or Busy."""
    here = make_url(machine.database_url)
    if not words:
        return here
    move.may_choose(machine)
    url = target.read(words, machine)
    if _place(url) != _place(here) and url.get_backend_name() != "sqlite":
        app = target.application(url)
        with app.app_context():
            with db.engine.connect() as connection:
                names = inspect(connection).get_table_names()
            db.engine.dispose()
        if names:
            raise Refused(f"{target.shown(url)} is not empty: it has {len(names)} tables. Choose an empty one; nothing in it was touched.")
    elif url.get_backend_name() == "sqlite" and url.database != str(machine.sqlite_file):
        raise Refused("a home is restored into PostgreSQL or into its own file: say an address or `sqlite`")
    return url


def _place(url: URL) -> tuple[object, ...]:
    return url.database, url.host, url.port, url.query


def _here(machine: Settings) -> dict[str, dict[str, Any]]:
    if scratch.is_plain(machine.database_url) and not Path(str(make_url(machine.database_url).database)).exists():
        return {}
    app = bare_app()
    with app.app_context():
        try:
            with db.engine.execution_options(read_only=True).connect() as connection:
                names = set(inspect(connection).get_table_names())
                return content.held({table.name: copy.content(connection, table) for table in copy.tables() if table.name in names})
        except DBAPIError:  # tables of an older version, or a database that is not there: there is nothing to compare with
            return {}
        finally:
            db.engine.dispose()


def restore(where: Destination, snapshot: store.Snapshot, said: Manifest, changes: Difference, url: URL, stop: Callable[[], None], say: Say) -> Report:
    """Make everything ready, `stop` whatever runs of the home, and take it over. Raises Refused or Busy while the home is still as it was."""
    machine, began = machine_settings.load(), time.monotonic()
    os.umask(0o077)
    scratch.known_heads(said.heads)
    ready = machine.home / FOLDER
    shutil.rmtree(ready, ignore_errors=True)
    (ready / "files").mkdir(parents=True, mode=0o700)
    content.need_room(machine.home, changes.bytes_in_all)
    try:
        plan = _prepare(machine, where, snapshot, said, url, say)
    except (OSError, DBAPIError) as why:
        raise Busy(f"nothing was changed; the restore stopped: {why}") from why
    except (Refused, Busy):
        shutil.rmtree(ready, ignore_errors=True)
        raise
    machine.run.mkdir(mode=0o700, exist_ok=True)
    with open(machine.run / "up.lock", "w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)  # nobody starts the home meanwhile
        stop()
        _close(machine)
        whole_files.write(ready / PLAN, json.dumps(asdict(plan)))
        move.sync(ready)
        kept = finish(machine, say)
    return Report(snapshot.name, said.at, said.version, target.shown(url), said.row_count, changes, time.monotonic() - began, kept)


def _prepare(machine: Settings, where: Destination, snapshot: store.Snapshot, said: Manifest, url: URL, say: Say) -> Plan:
    """Rows into the scratch database, files below restoring/files."""
    files = machine.home / FOLDER / "files"
    is_file = url.get_backend_name() == "sqlite"
    app = scratch.on_file(files / "bentevi.sqlite") if is_file else scratch.in_schema(url)
    say("restoring rows")
    with store.opened(where, snapshot.name, content.ROWS) as stream:
        found = scratch.fill(app, stream, said.heads, _told(say))
    if content.held(found) != said.tables:
        raise Refused("the rows are not those the backup says it holds; nothing was changed")
    say(f"{said.row_count} rows in {len(found)} tables are as they were saved")
    _settle_own_row(app, said, snapshot)
    say("restoring files")
    store.bring(where, snapshot.name, files, [*said.folders, content.ASTDB])
    _arrange(files, url, machine)
    stamp = f"{datetime.now(UTC):%Y%m%dt%H%M%Sz}"
    items = [*content.FOLDERS, *(["bentevi.sqlite"] if is_file else []), *([content.ASTERISKS_OWN] if (files / content.ASTERISKS_OWN).exists() else [])]
    gone = [*LIVE_STATE, *BESIDE_SQLITE, *([] if (files / content.ASTERISKS_OWN).exists() else [content.ASTERISKS_OWN])]
    mark = {"snapshot": snapshot.name, "at": said.at, "version": said.version}
    return Plan(f"before-restore-{stamp}", items, gone, "" if is_file else target.as_text(url), "" if is_file else scratch.SCHEMA, mark)


def _told(say: Say) -> scratch.Told:
    said_at = [time.monotonic()]

    def told(name: str, done: int, total: int) -> None:
        if done == total or time.monotonic() - said_at[0] > 1:
            said_at[0] = time.monotonic()
            say(f"{name}: {done} of {total}")

    return told


def _settle_own_row(app: Any, said: Manifest, snapshot: store.Snapshot) -> None:
    """The backup itself was being made when its rows were read: here it is complete."""
    with app.app_context():
        mine = update(Backup).where(Backup.id == said.backup_id)
        db.session.execute(mine.values(state=DONE, step="", progress=100, snapshot=snapshot.name, ended_at=snapshot.at, row_count=said.row_count))
        db.session.commit()
        move.settle(db.engine)


def _arrange(files: Path, url: URL, machine: Settings) -> None:
    """What was restored lies as a home has it; where the rows are is this machine's own affair."""
    own = files / content.ASTDB
    if own.exists():
        (files / content.ASTERISKS_OWN).parent.mkdir(parents=True, exist_ok=True)
        own.rename(files / content.ASTERISKS_OWN)
    shutil.rmtree(files / "backup", ignore_errors=True)
    for name in content.FOLDERS:
        (files / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (url.get_backend_name() == "sqlite" and url.database == str(machine.sqlite_file)) and not os.environ.get("BENTEVI_DATABASE_URL"):
        whole_files.write(files / "secrets" / "database_url", target.as_text(url) + "\n")
    os.sync()


def _close(machine: Settings) -> None:
    """Nothing of the old SQLite file stays in its journal, so that the file alone is all of it. One that is damaged is put aside as it is."""
    if machine.sqlite_file.exists():
        with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(sqlite3.connect(machine.sqlite_file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# ------------------------------------------------------------------------------------------------------------- from here on only forward


def is_half_done(machine: Settings) -> bool:
    """Whether a restore was cut off while it took over."""
    return (machine.home / FOLDER / PLAN).exists()


def finish(machine: Settings, say: Say = lambda _text: None) -> str:
    """Take over what is ready; the folder that holds what was before, or "". May be killed and done again at any point."""
    ready = machine.home / FOLDER
    if not (ready / PLAN).exists():
        return ""
    plan = Plan(**json.loads((ready / PLAN).read_text()))
    say("taking over")
    aside = machine.home / plan.aside
    aside.mkdir(mode=0o700, exist_ok=True)
    if plan.schema:
        scratch.take_over(make_url(plan.database), plan.schema, plan.aside.replace("-", "_"))
    for name in plan.gone:
        if os.path.lexists(machine.home / name) and not os.path.lexists(aside / name):
            _rename(machine.home / name, aside / name)
    for name in plan.items:
        fresh, here = ready / "files" / name, machine.home / name
        if os.path.lexists(fresh):
            if os.path.lexists(here):
                _rename(here, aside / name)
            _rename(fresh, here)
    whole_files.write(machine.home / MARK, json.dumps(plan.mark))
    move.sync(machine.home)
    (ready / PLAN).unlink()
    move.sync(ready)
    shutil.rmtree(ready, ignore_errors=True)
    if not any(path.is_file() for path in aside.rglob("*")) and not plan.schema:
        shutil.rmtree(aside)  # the home was empty
        return ""
    return str(aside)


def _rename(source: Path, goal: Path) -> None:
    goal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    source.rename(goal)
    move.sync(goal.parent)
    move.sync(source.parent)


def restored_from(machine: Settings) -> dict[str, Any]:
    """What the home was restored from, until its configuration was applied once; else nothing."""
    file = machine.home / MARK
    return dict(json.loads(file.read_text())) if file.exists() else {}


def settled(machine: Settings) -> None:
    """The restored configuration was applied."""
    (machine.home / MARK).unlink(missing_ok=True)
