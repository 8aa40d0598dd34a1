"""Alembic's entry: one folder of migrations for SQLite and PostgreSQL."""

from typing import Any, Literal

from alembic import context
from flask import current_app
from sqlalchemy import Connection
from sqlalchemy.types import TypeDecorator

from appliance import alarms, changes, lanes, numbering  # noqa: F401  tables that are no resource
from appliance.assistant import model as assistant  # noqa: F401
from appliance.calls import raw, totals  # noqa: F401
from appliance.db import Base
from appliance.recordings import check  # noqa: F401
from appliance.reports import model as reports  # noqa: F401
from appliance.revisions import model  # noqa: F401
from appliance.users import token  # noqa: F401

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
        context.configure(connection=connection, target_metadata=Base.metadata, render_item=_plain_type, **CONFIGURED.configure_args)
        with context.begin_transaction():
            context.run_migrations()
        if sqlite:
            _check(connection)
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


def _plain_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Migrations speak of the database's own types, so that they stay true when a type of ours changes."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


def _check(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise RuntimeError(f"a migration left rows that point at nothing: {broken[:5]}")


run()
