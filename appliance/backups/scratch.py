"""A scratch database: rows of a backup go there, are compared, and brought to today's tables; nothing else looks at it until it is taken over.

On SQLite it is a file of its own, on PostgreSQL a schema of its own within the database it is to belong to.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import URL, Connection, make_url

from appliance import schema
from appliance.app import bare_app
from appliance.backups import rows
from appliance.database import move, target
from appliance.database.copy import Content
from appliance.db import db
from appliance.errors import Refused

SCHEMA = "bentevi_restored"
Told = Callable[[str, int, int], None]


def on_file(file: Path) -> Flask:
    """An empty SQLite file."""
    remove(file)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return bare_app(database_url=f"sqlite:///{file}")


def remove(file: Path) -> None:
    """A scratch file and what SQLite put beside it."""
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def in_schema(url: URL) -> Flask:
    """An empty schema within a database of PostgreSQL; what a killed restore left in it is removed. Refused when it may not be made."""
    app = target.application(url)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    with app.app_context():
        db.engine.dispose()
    return bare_app(database_url=target.as_text(url), schema=SCHEMA)


def known_heads(heads: list[str]) -> None:
    """Raises Refused when the backup was made by a newer version than this one."""
    known = {found.revision for found in schema.steps().walk_revisions()}
    if not heads or not set(heads) <= known:
        raise Refused(f"this backup was made by a newer version (tables {', '.join(heads) or 'unknown'}). Bring this machine to that version first.")


def fill(app: Flask, stream: IO[bytes], heads: list[str], told: Told) -> dict[str, Content]:
    """Tables of the backup's version, its rows, and then today's tables; what was restored, before they were brought forward.

    Raises Refused when what was stored is not what was saved.
    """
    known_heads(heads)
    with app.app_context():
        for head in heads:
            schema.upgrade(head)
        with move.filling(db.engine) as connection:
            found = rows.load(stream, connection, told)
        if set(heads) != schema.newest():
            schema.upgrade()
        move.settle(db.engine)
    return found


# --------------------------------------------------------------------------------------------------------- taking it over (PostgreSQL)


def is_waiting(connection: Connection, schema: str) -> bool:
    """Whether there is such a schema still to be taken over."""
    return bool(connection.scalar(text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": schema}))


def take_over(url: URL, schema: str, aside: str) -> None:
    """In one transaction the tables of the home go into the schema `aside`, and those of `schema` take their place. Done before: nothing."""
    for name in (schema, aside):
        if not re.fullmatch(r"[a-z0-9_]{1,63}", name):
            raise ValueError(name)
    app = bare_app(database_url=target.as_text(url))
    with app.app_context():
        with db.engine.begin() as connection:
            if is_waiting(connection, schema):
                here = str(connection.scalar(text("SELECT current_schema()")))
                quoted = connection.dialect.identifier_preparer.quote(here)
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {aside}"))
                _move_tables(connection, here, aside)
                _move_tables(connection, schema, quoted)
                connection.execute(text(f"DROP SCHEMA {schema}"))
        db.engine.dispose()


def _move_tables(connection: Connection, source: str, into: str) -> None:
    names: Any = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = :schema"), {"schema": source.strip('"')})
    quote = connection.dialect.identifier_preparer.quote
    for name in list(names):
        connection.execute(text(f"ALTER TABLE {quote(source.strip(chr(34)))}.{quote(name)} SET SCHEMA {into}"))


def is_plain(url: str) -> bool:
    """Whether this is a file of SQLite."""
    return make_url(url).get_backend_name() == "sqlite"
