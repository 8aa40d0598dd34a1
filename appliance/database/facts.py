"""Which database this home has."""

from typing import Any

from sqlalchemy import func, select, text

from appliance import schema
from appliance.database import target
from appliance.db import db, read_only


def facts() -> dict[str, Any]:
    """Kind, place without a password, version, newest migration, size in bytes."""
    read_only()
    connection = db.session.connection()
    version: Any
    if connection.dialect.name == "postgresql":
        version = str(connection.scalar(text("SHOW server_version"))).split()[0]
        size = connection.scalar(select(func.pg_database_size(func.current_database())))
    else:
        version = connection.scalar(select(func.sqlite_version()))
        size = (connection.scalar(text("PRAGMA page_count")) or 0) * (connection.scalar(text("PRAGMA page_size")) or 0)
    found = {"kind": connection.dialect.name, "place": target.shown(db.engine.url), "version": version,
             "tables": ", ".join(schema.held(connection)), "bytes": int(size or 0)}  # fmt: skip
    db.session.rollback()
    return found
