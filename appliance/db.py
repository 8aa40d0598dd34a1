"""Engine, sessions, Base. The edges commit (a route, a job, a CLI command), the rules never do."""

import base64
import hashlib
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Engine, MetaData, Text, event
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from appliance import settings
from appliance.errors import Busy

MIGRATIONS = Path(__file__).parent / "migrations"


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


db = SQLAlchemy(model_class=Base)
migrate = Migrate(db=db, directory=str(MIGRATIONS), render_as_batch=True, compare_type=True)


def connect(app: Flask) -> None:
    """Give the application its database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.load().database_url
    db.init_app(app)
    migrate.init_app(app)


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    if "sqlite" not in type(connection).__module__:
        return
    connection.isolation_level = None  # we say BEGIN ourselves: pysqlite's own way loses updates
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=15000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("lower", 1, lambda text: text and str(text).lower(), deterministic=True)  # SQLite's own knows no Ó


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        read_only = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def read_only() -> None:
    """The rest of this unit of work only reads: on SQLite it does not wait for writers. Call before the first query."""
    if not db.session().in_transaction():
        db.session.connection(execution_options={"read_only": True})


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


def seal(text: str) -> str:
    """The text encrypted for the database."""
    return _fernet().encrypt(text.encode()).decode()


def unseal(text: str) -> str:
    """The text a row holds. Raises Busy when this home's key is not the one it was sealed with."""
    try:
        return _fernet().decrypt(text.encode()).decode()
    except InvalidToken as why:
        raise Busy("secrets/key does not open this database: restore the key that belongs to it") from why


def _fernet() -> Fernet:
    return _cipher(os.environ.get("BENTEVI_HOME", ""))


@cache
def _cipher(_home: str) -> Fernet:
    """The cipher of a home, made once per process: thousands of secrets are opened for one apply."""
    return Fernet(secret_file(settings.load().secrets / "key", lambda: Fernet.generate_key().decode()).encode())


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
    return text


def digest(text: str) -> str:
    """A short stable name for a secret, to compare without showing it."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
