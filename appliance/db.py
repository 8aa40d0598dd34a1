"""Engine, sessions, Base. The edges commit (a route, a job, a CLI command), the rules never do."""

import base64
import hashlib
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, DateTime, Engine, Integer, MetaData, Text, event, make_url
from sqlalchemy.engine import Connection, Dialect, ExceptionContext
from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from appliance import settings
from appliance.errors import Busy
from appliance.settings import Settings


class Base(DeclarativeBase):
    """Every table of ours; constraint names are fixed so that migrations can speak of them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    __table_args__: Any = {"sqlite_autoincrement": True}  # an id is never given twice: names in Asterisk and records hang on it


Large = BigInteger().with_variant(Integer, "sqlite")  # sizes and places in files; SQLite's own integers have 64 bits anyway

db = SQLAlchemy(model_class=Base)


# What a unit of work raises when the database is locked, full or away (see `trouble`). After it a rollback, and another try is worth while.
AWAY = (OperationalError, InterfaceError, PendingRollbackError)
LOCKED, FULL, GONE, DAMAGED, OURS = "locked", "full", "gone", "damaged", ""
_LOCKED = {"SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "40P01", "40001", "25P03"}  # SQLSTATEs: postgresql.org/docs, errcodes-appendix
_FULL = {"SQLITE_FULL", "53100"}
_DAMAGED = {"SQLITE_CORRUPT", "SQLITE_NOTADB", "XX001", "XX002", "42P01"}  # the last: a table is not there, as when a file was lost

LOCK_SECONDS = 15               # so long one who writes waits for another; storing thousands of rows takes some
WRITERS = 0x62656E74            # the advisory lock of PostgreSQL that whoever writes holds until the commit
IDLE_SECONDS = 300              # a transaction nobody goes on with ends by itself: its process may have died on another machine
POSTGRESQL_OPTIONS: dict[str, Any] = {
    "pool_pre_ping": True,      # connections of before a restart of the server are noticed, and made anew
    "connect_args": {
        "connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "application_name": "bentevi",
        "options": f"-c lock_timeout={LOCK_SECONDS}s -c idle_in_transaction_session_timeout={IDLE_SECONDS}s -c timezone=UTC",
    },
}


def _postgresql_options(schema: str) -> dict[str, Any]:
    if not schema:
        return POSTGRESQL_OPTIONS
    arguments: Any = POSTGRESQL_OPTIONS["connect_args"]
    return POSTGRESQL_OPTIONS | {"connect_args": arguments | {"options": f"{arguments['options']} -c search_path={schema}"}}


def connect(app: Flask, database_url: str = "", schema: str = "") -> None:
    """Give the application its database: this home's, unless another is named; of PostgreSQL one schema, which must be there, when it is named."""
    mark = _mark(settings.load())  # before the address is read: when it changes in between, the first look notices
    machine = settings.load()
    url = make_url(database_url or machine.database_url)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    options = _postgresql_options(schema) if url.get_backend_name() == "postgresql" else {}
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options | {"hide_parameters": True}  # an error told in a log must not tell what rows hold
    db.init_app(app)
    if not database_url:
        with app.app_context():
            _stay_at_home(db.engine, machine, mark)


def N_(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


WORDS = {  # what a person is told
    LOCKED: N_("Something else is being stored just now and takes long. Nothing of this was stored; calls go on. Try again in a moment."),
    FULL: N_("The disk of the database is full: nothing can be stored until there is room. Calls go on."),
    GONE: N_("The database does not answer. Nothing was stored; calls go on. Try again in a moment, and tell support when it stays like this."),
    DAMAGED: N_("The database is damaged and cannot be read. Nothing was stored; calls go on. Tell support: the last backup can be restored."),
}
MOVED = N_("The database of this exchange was just moved. Nothing of this was stored; calls go on. Try again in a moment.")


class Moved(Busy):
    """This home has another database since the process began: nothing may be read or written in the old one any more."""


_serving = _told = 0  # the process that was moved away from, and the one to end then, because somebody starts it again


def serve(told: int = 0) -> None:
    """For processes that are supervised: begin anew, on the new database, when the home was moved to another. `told`: the pid of a parent to end
    instead of this process, which would only fork another that knows the old one."""
    global _serving, _told
    _serving = os.getpid()
    _told = told or _serving


def _stay_at_home(engine: Engine, machine: Settings, mark: tuple[int, ...]) -> None:
    """Look, at every begin, whether the home still has the database this process began with.

    It looks after the lock is held, and the address is only changed by whoever holds the lock (database/move.py): so no write
    goes to a database that was left. Costs one stat.
    """
    known = [mark]

    def look(_connection: Connection) -> None:
        mark = _mark(machine)
        if mark == known[0]:
            return
        if settings.load().database_url == machine.database_url:
            known[0] = mark
            return
        if _serving == os.getpid():
            os.kill(_told, signal.SIGTERM)
        raise Moved(MOVED)

    event.listen(engine, "begin", look)


def _mark(machine: Settings) -> tuple[int, ...]:
    try:
        facts = os.stat(machine.database_file)
    except FileNotFoundError:
        return ()
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    if "sqlite" not in type(connection).__module__:
        return
    connection.isolation_level = None  # we say BEGIN ourselves: pysqlite's own way loses updates
    cursor = connection.cursor()
    # FULL: a commit is on the disk before we say so. With NORMAL a power cut took back what was acknowledged seconds before.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={LOCK_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("lower", 1, lambda text: text and str(text).lower(), deterministic=True)  # SQLite's own knows no Ó


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    """Both databases alike: one writes at a time, and what rules look at does not change before their commit; who only reads
    waits for nobody and sees one moment."""
    read_only = connection.get_execution_options().get("read_only")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
    elif read_only:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")


def read_only() -> None:
    """The rest of this unit of work only reads: it waits for no writer and sees the rows of one moment. Call before the first query."""
    if not db.session().in_transaction():
        db.session.connection(execution_options={"read_only": True})


def trouble(why: BaseException) -> str:
    """What ails the database: LOCKED, FULL, DAMAGED or GONE; OURS when the statement itself was wrong, which SQLite tells with the same class."""
    cause = getattr(why, "orig", None)
    name = getattr(cause, "sqlite_errorname", None)
    if name:
        if str(cause).startswith("no such table"):
            return DAMAGED
        code = "_".join(name.split("_")[:2])  # SQLITE_BUSY_SNAPSHOT is one way of SQLITE_BUSY
        return LOCKED if code in _LOCKED else FULL if code in _FULL else DAMAGED if code in _DAMAGED else OURS if code == "SQLITE_ERROR" else GONE
    state = getattr(cause, "sqlstate", None)
    return LOCKED if state in _LOCKED else FULL if state in _FULL else DAMAGED if state in _DAMAGED else GONE


@event.listens_for(Engine, "handle_error")
def _damaged_is_away(context: ExceptionContext) -> OperationalError | None:
    """Databases tell of a damaged file by other classes; whoever is ready for one of AWAY is ready for this one."""
    found, cause = context.sqlalchemy_exception, context.original_exception
    if found is None or isinstance(found, OperationalError) or trouble(found) != DAMAGED:
        return None
    return OperationalError(context.statement, None, cause, hide_parameters=True)


PASSING = (LOCKED, GONE)        # what may be over by itself in a while
PATIENCE_SECONDS = 300


def patiently(work: Callable[[], None]) -> None:
    """A short unit of work of a long job, tried again while the database is locked or away: hours of work are not given up for a moment of another's.

    `work` begins and ends its own transaction, and may run twice. Raises what it raised once PATIENCE_SECONDS are over, and at once what waiting does not mend.
    """
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return work()
        except AWAY as why:
            db.session.rollback()
            if trouble(why) not in PASSING or time.monotonic() > ends_at:
                raise
            time.sleep(1)


def now() -> datetime:
    """The one clock: an aware instant in UTC."""
    return datetime.now(UTC)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant on both databases; SQLite forgets the zone, we do not."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Sealed(TypeDecorator[str]):
    """Text that is encrypted at rest with the key of this home (secrets/key, outside the database)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return seal(value) if value is not None else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return unseal(value) if value is not None else None


WRONG_KEY = "secrets/key does not open this database: restore the key that belongs to it"


class WrongKey(Busy):
    """This home's key is not the one its rows were sealed with, or none at all."""


def seal(text: str) -> str:
    """The text encrypted for the database."""
    return _fernet().encrypt(text.encode()).decode()


def unseal(text: str) -> str:
    """The text a row holds. Raises WrongKey."""
    try:
        return _fernet().decrypt(text.encode()).decode()
    except InvalidToken as why:
        raise WrongKey(WRONG_KEY) from why


def _fernet() -> Fernet:
    return _cipher(os.environ.get("BENTEVI_HOME", ""))


@cache
def _cipher(_home: str) -> Fernet:
    """The cipher of a home, made once per process: thousands of secrets are opened for one apply. Raises WrongKey for a file that holds no key."""
    try:
        return Fernet(secret_file(settings.load().secrets / "key", lambda: Fernet.generate_key().decode()).encode())
    except ValueError as why:
        raise WrongKey(WRONG_KEY) from why


def secret_file(path: Path, make: Any) -> str:
    """What a 0600 file of secrets/ holds; made once, by whoever comes first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    text: str = make()
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())  # rows that are sealed by it wait for the disk too
    return text


def digest(text: str) -> str:
    """A short stable name for a secret, to compare without showing it."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
