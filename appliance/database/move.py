"""Carries a home from one database to another while telephony goes on: `bentevi database move`.

Whoever writes waits from the moment the copy begins until the home has its new database: the mover holds the lock of the old one all
that time. Pages can be read meanwhile, Asterisk goes on noting calls in its files, and the records process reads on from the mark
that was copied with the rows. The switch is one rename of the home's own file, made while the lock is held; a process that began
with the old database notices at its next transaction (appliance/db.py) and begins anew. So, killed at any point, the home has the
old database complete or the new one complete.
"""

import fcntl
import json
import os
import secrets
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table, inspect, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import OperationalError

from appliance import front_door, schema, supervisor, whole_files
from appliance import settings as machine_settings
from appliance.app import bare_app
from appliance.database import copy, target
from appliance.db import LOCKED, db, trouble
from appliance.errors import Busy, Refused
from appliance.processes import processes
from appliance.settings import Settings
from appliance.telephony import revision

WAIT_SECONDS = 120.0  # for an apply, and for whoever writes
RESTART_SECONDS = 90.0

Say = Callable[[str], None]


@dataclass
class Report:
    """What was carried. Addresses without passwords; `kept` is where the old SQLite file lies now."""

    source: str
    target: str
    seconds: float = 0.0
    tables: list[dict[str, Any]] = field(default_factory=list)
    kept: str = ""

    @property
    def row_count(self) -> int:
        return sum(table["rows"] for table in self.tables)


def may_choose(machine: Settings) -> None:
    """Refused when the environment says which database the home has, because then the home cannot."""
    if os.environ.get("BENTEVI_DATABASE_URL"):
        raise Refused("BENTEVI_DATABASE_URL says which database this home has, so the home cannot say it itself. Write that address into "
                      f"{machine.database_file} (mode 0600), start without the variable, and move then.")  # fmt: skip


def move(words: str, say: Say) -> Report:
    """Carry this home to the database that `words` name (target.read); what was carried.

    Raises Refused or Busy before anything is changed when it cannot be done. A killed move is simply asked for again.
    """
    machine = machine_settings.load()
    os.umask(0o077)
    url, old = target.read(words, machine), make_url(machine.database_url)
    if (url.database, url.host, url.port, url.query) == (old.database, old.host, old.port, old.query):
        raise Refused(f"this home already uses {target.shown(old)}")
    began = time.monotonic()
    machine.run.mkdir(exist_ok=True)
    with open(machine.run / "up.lock", "w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)  # nobody starts the home meanwhile, nobody moves it twice
        with bare_app().app_context():
            finish(machine)
            _is_ready()
        report = Report(target.shown(old), target.shown(url))
        _prepare(machine, url, say)
        with revision.lock(machine, WAIT_SECONDS):
            _carry(machine, url, report, say)
        _begin_anew(machine, say)
        with bare_app().app_context():
            report.kept = finish(machine_settings.load())
    report.seconds = time.monotonic() - began
    return report


def _is_ready() -> None:
    """The old database has today's tables and no others: nothing would be left behind."""
    with db.engine.execution_options(read_only=True).connect() as connection:
        if set(schema.held(connection)) != schema.newest():
            raise Refused("this home's tables are of another version: run `bentevi database upgrade` first")


def _prepare(machine: Settings, url: URL, say: Say) -> None:
    """Today's tables in the new database, empty; the old one is not needed for that."""
    say(f"preparing {target.shown(url)}")
    app = target.application(url)
    with app.app_context():
        known, token = _pending(machine).get("tokens", []), secrets.token_hex(16)
        source = make_url(machine.database_url)
        _note(machine, {"target": target.as_text(url), "tokens": [*known, token],
                        "source": str(source.database) if source.get_backend_name() == "sqlite" else ""})  # fmt: skip
        with db.engine.begin() as connection:
            target.claim(connection, url, token, known)
        schema.upgrade()
        db.engine.dispose()


def _carry(machine: Settings, url: URL, report: Report, say: Say) -> None:
    """Copy, compare, switch, all while nobody can write in the old database."""
    new = bare_app(database_url=target.as_text(url))
    old = bare_app()
    with old.app_context(), _held(db.engine, say) as source:
        tables = copy.tables()
        unknown = set(inspect(source).get_table_names()) - {table.name for table in tables} - {"alembic_version", target.MARK}
        if unknown:
            raise Refused(f"tables nobody knows would be left behind: {', '.join(sorted(unknown))}")
        with new.app_context(), filling(db.engine) as filled:
            contents = {table.name: _copied(source, filled, table, say) for table in tables}
            say("comparing what was read with what is stored")
            for table in tables:
                found = copy.content(filled, table)
                if found != contents[table.name]:
                    raise RuntimeError(f"{table.name} differs: {contents[table.name]} was read, {found} is stored; the home stays where it was")
        with new.app_context():
            settle(db.engine)
        report.tables = [{"name": name, "rows": held.count, "digest": held.digest} for name, held in contents.items()]
        say(f"{report.row_count} rows in {len(tables)} tables are the same on both sides")
        _switch(machine, url)
        say("switched")
    with old.app_context():
        db.engine.dispose()


@contextmanager
def _held(engine: Any, say: Say) -> Iterator[Connection]:
    """The lock of whoever writes, held on the old database."""
    say("waiting until nobody writes")
    ends_at = time.monotonic() + WAIT_SECONDS
    with engine.connect() as connection:
        while not connection.in_transaction():
            try:
                connection.begin()
            except OperationalError as why:
                if trouble(why) != LOCKED or time.monotonic() > ends_at:
                    raise Busy(f"the database cannot be locked: {why.orig}") from why
                connection.rollback()
        _take_time(connection)
        yield connection
        connection.rollback()


@contextmanager
def filling(engine: Any) -> Iterator[Connection]:
    """One transaction of the new database; foreign keys are looked at when everything is there."""
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            for pragma in ("foreign_keys=OFF", "synchronous=FULL"):
                connection.connection.driver_connection.execute(f"PRAGMA {pragma}")
        with connection.begin():
            _take_time(connection)
            yield connection
            if is_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()):
                raise RuntimeError(f"rows point at nothing: {broken[:5]}")
        connection.invalidate()  # its settings are nobody else's


def _take_time(connection: Connection) -> None:
    """A copy may take an hour, and one side is quiet while the other works."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def settle(engine: Any) -> None:
    """What was committed lies on the disk, and the planner knows how much there is."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
        else:  # to the driver: it may not stand in a transaction
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


def _copied(source: Connection, filled: Connection, table: Table, say: Say) -> copy.Content:
    said_at = [time.monotonic()]

    def told(name: str, done: int, total: int) -> None:
        if done == total or time.monotonic() - said_at[0] > 1:
            said_at[0] = time.monotonic()
            say(f"{name}: {done} of {total}")

    return copy.copied(source, filled, table, told)


def _switch(machine: Settings, url: URL) -> None:
    """From here on the home has the new database: one rename, or one removal for the file every home begins with."""
    file = machine.database_file
    if url.get_backend_name() == "sqlite" and url.database == str(machine.sqlite_file):
        file.unlink()
    else:
        whole_files.write(file, target.as_text(url) + "\n")
    sync(file.parent)


def _begin_anew(machine: Settings, say: Say) -> None:
    """The processes with rows start again, on the new database. Without a supervisor of ours they do so by themselves."""
    pid = supervisor.supervisor_pid(machine)
    if pid is None:
        return
    before = supervisor.read_state(machine)
    os.kill(pid, signal.SIGHUP)
    names = [process.name for process in processes(machine) if process.has_rows]
    ends_at = time.monotonic() + RESTART_SECONDS
    while True:
        state = supervisor.read_state(machine)
        if all(name in state and state[name] != before.get(name) for name in names):
            break
        if time.monotonic() > ends_at:
            raise Busy("moved, but the processes were not started again in time; see `bentevi status`")
        time.sleep(0.1)
    front_door.wait_until_all_answer(machine, say)


# ---------------------------------------------------------------------------------------------------------- what a killed move left


def finish(machine: Settings) -> str:
    """What is left to do when a home has its new database: take the mark off, set the old SQLite file aside; its new name, or "".

    Done by the move itself, or by the next start when the move was killed. Needs an application on the home's database.
    """
    pending = _pending(machine)
    if make_url(pending.get("target", "sqlite://")) != make_url(machine.database_url):
        return ""
    with db.engine.begin() as connection:
        target.release(connection)
    kept = _set_aside(Path(pending["source"])) if pending["source"] else ""
    _pending_file(machine).unlink()
    return kept


def _set_aside(file: Path) -> str:
    if not file.exists():
        return ""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = file.with_name(f"{file.stem}-until-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{file.suffix}")
    for ending in ("-wal", "-shm", ""):
        part = file.with_name(file.name + ending)
        if part.exists():
            part.rename(kept.with_name(kept.name + ending))
    return str(kept)


def _pending_file(machine: Settings) -> Path:
    return machine.secrets / "database_move"


def _pending(machine: Settings) -> dict[str, Any]:
    """Where the last move that did not finish went to, and the marks it may have left in databases."""
    file = _pending_file(machine)
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _note(machine: Settings, pending: dict[str, Any]) -> None:
    whole_files.write(_pending_file(machine), json.dumps(pending))
    sync(machine.secrets)


def sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
