"""Alembic's entry: one folder of migrations for SQLite and PostgreSQL."""

from typing import Any, Literal

from alembic import context
from flask import current_app
from sqlalchemy import Connection, Table, event
from sqlalchemy.types import TypeDecorator

from appliance import tables  # noqa: F401  every table there is
from appliance.db import Base

CONFIGURED = current_app.extensions["migrate"]


def run() -> None:
    """Bring the tables to what is asked for, inside one transaction."""
    engine = CONFIGURED.db.engine
    with engine.connect() as connection:
        # Alembic's batch mode rebuilds a table on SQLite; with foreign keys on, dropping the old one would silently
        # delete every row that points at it. The pragma has no effect inside a transaction, so it goes to the driver.
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        given_out = _sequences(connection) if sqlite else {}
        connection.rollback()
        context.configure(connection=connection, target_metadata=Base.metadata, render_item=_plain_type, **CONFIGURED.configure_args)
        with context.begin_transaction():
            context.run_migrations()
        if sqlite:
            _keep_sequences(connection, given_out)
            _check(connection)
            connection.commit()
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


def _plain_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Migrations speak of the database's own types, so that they stay true when a type of ours changes."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


@event.listens_for(Table, "before_create")
def _as_it_was(table: Table, connection: Connection, **_more: Any) -> None:
    """Batch mode makes a table anew from what it can read of the old one, and forgets two words of SQLite."""
    name = table.name.removeprefix("_alembic_tmp_")
    if connection.dialect.name != "sqlite" or name == table.name:
        return
    old = str(connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).scalar() or "").upper()
    table.dialect_options["sqlite"]["autoincrement"] = "AUTOINCREMENT" in old
    table.dialect_options["sqlite"]["with_rowid"] = "WITHOUT ROWID" not in old


def _sequences(connection: Connection) -> dict[str, int]:
    """The last id each table gave out, also to rows that are gone: an id is never given twice, whatever is made anew."""
    if not connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").scalar():
        return {}
    return {str(name): int(number) for name, number in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}


def _keep_sequences(connection: Connection, given_out: dict[str, int]) -> None:
    now = _sequences(connection)
    names = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")}
    for name, number in given_out.items():
        if name in names and now.get(name, 0) < number:
            connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))


def _check(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise RuntimeError(f"a migration left rows that point at nothing: {broken[:5]}")


run()
