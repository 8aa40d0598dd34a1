"""Every row of a database as lines of text, neutral of the database: written from one, read into another, with counts and digests.

One line per table: its name, columns with their kinds, and the last number it gave out. Then a line per row, in the order of the key,
so that what did not change looks the same tomorrow. Then how many there were and the sum of their digests. The last line says `end`.
Columns go by name: a backup of an older version is read into tables of that version and migrated forward.
"""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import IO, Any

from sqlalchemy import Boolean, Column, Date, Float, LargeBinary, MetaData, Table, Text, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeDecorator, TypeEngine

from appliance import tables as every_table  # noqa: F401  every table must be known
from appliance.database import copy, target
from appliance.database.copy import Content, Told
from appliance.db import Instant, Large
from appliance.errors import Refused

JSON, BYTES, INSTANT, DAY, YES, NUMBER, REAL, TEXT = "json", "bytes", "instant", "day", "yes", "number", "real", "text"
KINDS: dict[str, Callable[[], TypeEngine[Any]]] = {
    JSON: copy.Json, BYTES: LargeBinary, INSTANT: Instant, DAY: Date, YES: Boolean, NUMBER: lambda: Large, REAL: Float, TEXT: Text,
}
PYTHON = {bytes: BYTES, datetime: INSTANT, date: DAY, bool: YES, int: NUMBER, float: REAL, str: TEXT}
READ: dict[str, Callable[[Any], Any]] = {BYTES: base64.b64decode, INSTANT: datetime.fromisoformat, DAY: date.fromisoformat}


def dump(connection: Connection, out: IO[bytes], told: Told) -> dict[str, Content]:
    """Write every row; what each table held. The connection's transaction is one moment."""
    known = copy.tables()
    unknown = set(inspect(connection).get_table_names()) - {table.name for table in known} - {"alembic_version", target.MARK}
    if unknown:
        raise Refused(f"tables nobody knows would be left behind: {', '.join(sorted(unknown))}")
    found = {table.name: _dump_table(connection, table, out, told) for table in known}
    _write(out, {"end": len(known)})
    return found


def _dump_table(connection: Connection, table: Table, out: IO[bytes], told: Told) -> Content:
    kinds = [_kind(column) for column in table.columns]
    number = copy.number_column(table)
    total = copy.count(connection, table)
    _write(out, {
        "table": table.name, "rows": total, "columns": [[column.name, kind] for column, kind in zip(table.columns, kinds, strict=True)],
        "key": [column.name for column in table.primary_key.columns], "number": number.name if number is not None else "",
        "autoincrement": bool(table.dialect_options["sqlite"]["autoincrement"]), "last": copy.last_number(connection, table),
    })  # fmt: skip
    content = Content()
    for row in copy.rows(connection, table, in_order=True):
        content.add(copy.canonical(table, row))
        _write(out, [_plain(value, kind) for value, kind in zip(row, kinds, strict=True)])
        if content.count % copy.BATCH_ROWS == 0:
            told(table.name, content.count, total)
    if content.count:
        told(table.name, content.count, total)
    _write(out, {"rows": content.count, "digest": content.digest})
    return content


def _kind(column: Column[Any]) -> str:
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return JSON if isinstance(kind, copy.Json) else PYTHON[kind.python_type]


def _plain(value: Any, kind: str) -> Any:
    if value is None or kind in (JSON, YES, NUMBER, REAL, TEXT):
        return value
    return base64.b64encode(bytes(value)).decode() if kind == BYTES else value.isoformat()


def _write(out: IO[bytes], value: Any) -> None:
    out.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")


def load(stream: IO[bytes], connection: Connection, told: Told) -> dict[str, Content]:
    """Put every row into the empty tables of the connection's database, in its transaction; what each table holds now.

    Raises Refused when the text ends early, or when what was stored is not what was saved.
    """
    found: dict[str, Content] = {}
    while "end" not in (head := _line(stream)):
        table = _table(head)
        footer: dict[str, Any] = {}
        content = copy.filled(connection, table, _rows(stream, head, footer), (head["rows"], head["last"]), told)
        stored = copy.content(connection, table)
        if not footer or (content.count, content.digest) != (footer["rows"], footer["digest"]) or stored != content:
            raise Refused(f"{table.name}: what was restored is not what was saved ({footer.get('rows')} rows saved, {stored.count} restored)")
        found[table.name] = content
    if head["end"] != len(found):
        raise Refused("the rows of the backup are not complete")
    return found


def _table(head: dict[str, Any]) -> Table:
    """A table as the backup speaks of it: enough to write and read its rows, whatever this version makes of it."""
    columns = [
        Column(name, KINDS[kind](), primary_key=name in head["key"], autoincrement=name == head["number"]) for name, kind in head["columns"]
    ]
    return Table(head["table"], MetaData(), *columns, sqlite_autoincrement=head["autoincrement"])


def _rows(stream: IO[bytes], head: dict[str, Any], footer: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    readers = [READ.get(kind) for _name, kind in head["columns"]]
    while isinstance(line := _line(stream), list):
        yield tuple(read(value) if read and value is not None else value for value, read in zip(line, readers, strict=True))
    footer.update(line)


def _line(stream: IO[bytes]) -> Any:
    text = stream.readline()
    if not text.endswith(b"\n"):
        raise Refused("the rows of the backup are not complete")
    try:
        return json.loads(text)
    except ValueError as why:
        raise Refused("the rows of the backup cannot be read") from why
