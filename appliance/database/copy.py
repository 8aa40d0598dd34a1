"""Every row of one database into another, whatever the tables: in batches, with ids and sequences, counted and digested on both sides.

Nothing here names a table: the metadata does. Memory stays the same for any number of rows.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from sqlalchemy import JSON, Column, Integer, MetaData, Table, Text, bindparam, cast, func, insert, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeDecorator

from appliance.db import Base
from appliance.errors import Refused

BATCH_ROWS = 2000
WHOLE = 2**128

class Json(Text):
    """JSON as the text that is stored."""


Told = Callable[[str, int, int], None]  # table, rows so far, rows in all


@dataclass
class Content:
    """What a table holds: how many rows, and the sum of their digests, which does not depend on their order."""

    count: int = 0
    total: int = 0

    def add(self, row: tuple[Any, ...]) -> None:
        """One more row, of canonical values."""
        self.count += 1
        self.total = (self.total + int.from_bytes(hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest())) % WHOLE

    @property
    def digest(self) -> str:
        """For people and for --json."""
        return f"{self.total:032x}"


def tables() -> list[Table]:
    """Every table, those that are pointed at first, with the types that the bytes on the disk have: sealed text stays sealed."""
    plain = MetaData()
    found = []
    for table in Base.metadata.sorted_tables:
        bare = table.to_metadata(plain)
        for column in bare.columns:
            if isinstance(column.type, TypeDecorator) and isinstance(column.type.impl_instance, Text):
                column.type = Text()
            elif isinstance(column.type, JSON):
                column.type = Json()
        found.append(bare)
    return found


def count(connection: Connection, table: Table) -> int:
    """How many rows a table has."""
    return connection.scalar(select(func.count()).select_from(table)) or 0


def copied(source: Connection, target: Connection, table: Table, told: Told) -> Content:
    """Copy a table inside the target's transaction; what it held."""
    return filled(target, table, rows(source, table), (count(source, table), last_number(source, table)), told)


def filled(target: Connection, table: Table, found: Iterable[tuple[Any, ...]], facts: tuple[int, int], told: Told) -> Content:
    """Put these rows into an empty table inside the target's transaction; what they were. `facts`: how many are expected, and the last
    number the table gave out."""
    content, batch, (total, last) = Content(), list[tuple[Any, ...]](), facts
    write = _writer(target, table)
    for row in found:
        content.add(canonical(table, row))
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            write(batch)
            told(table.name, content.count, total)
            batch = []
    if batch:
        write(batch)
    if content.count:
        told(table.name, content.count, total)
    _put_sequence(target, table, last)
    return content


def last_number(connection: Connection, table: Table) -> int:
    """The last number the table gave out, or the largest it holds; 0 when it gives out none."""
    return max(_sequence(connection, table), _largest(connection, table))


def content(connection: Connection, table: Table) -> Content:
    """What a table holds now."""
    found = Content()
    for row in rows(connection, table):
        found.add(canonical(table, row))
    return found


def rows(connection: Connection, table: Table, in_order: bool = False) -> Iterator[tuple[Any, ...]]:
    """Every row, by its key when the order matters; JSON as text, without NUL in texts: PostgreSQL cannot store it, and nothing of ours needs it."""
    is_postgresql = connection.dialect.name == "postgresql"  # its driver would read JSON
    asked = [cast(column, Text) if is_postgresql and isinstance(column.type, Json) else column for column in table.columns]
    texts = [place for place, column in enumerate(table.columns) if column.type.python_type is str]
    ordered = select(*asked).order_by(*table.primary_key.columns) if in_order else select(*asked)
    question = ordered.execution_options(stream_results=True, yield_per=BATCH_ROWS)
    with connection.execute(question) as result:
        for row in result:
            if any("\0" in str(row[place]) or not isinstance(row[place], str) for place in texts if row[place] is not None):
                yield tuple(str(value).replace("\0", "") if place in texts and value is not None else value for place, value in enumerate(row))
            else:  # SQLite keeps a number in a column of JSON as a number
                yield tuple(row)


def canonical(table: Table, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same values from either database look the same: instants in UTC, JSON whatever its spaces."""
    return tuple(_plain(column, value) for column, value in zip(table.columns, row, strict=True))


def _plain(column: Column[Any], value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, memoryview):
        return bytes(value)
    if value is not None and isinstance(column.type, Json):
        return json.dumps(json.loads(value), sort_keys=True)
    return value


def _writer(target: Connection, table: Table) -> Callable[[list[tuple[Any, ...]]], None]:
    names = [column.name for column in table.columns]
    if target.dialect.name == "postgresql":
        quote = target.dialect.identifier_preparer.quote
        line = f"COPY {quote(table.name)} ({', '.join(map(quote, names))}) FROM STDIN"

        def by_copy(batch: list[tuple[Any, ...]]) -> None:
            driver: Any = target.connection.driver_connection
            try:
                with driver.cursor().copy(line) as stream:
                    for row in batch:
                        stream.write_row(row)
            except psycopg.DataError as why:  # SQLite holds texts to no length
                place = str(why.diag.context or "").split(":")[0]
                raise Refused(f"a row of {table.name} does not fit into the other database: {why.diag.message_primary} ({place})") from why

        return by_copy
    statement = insert(table).values({name: bindparam(f"c{place}") for place, name in enumerate(names)})

    def by_insert(batch: list[tuple[Any, ...]]) -> None:
        target.execute(statement, [{f"c{place}": value for place, value in enumerate(row)} for row in batch])

    return by_insert


# ------------------------------------------------------------------------------------------- sequences: an id is never given twice


def number_column(table: Table) -> Column[Any] | None:
    """The column whose numbers the database gives out."""
    column = table.autoincrement_column
    return column if column is not None and isinstance(column.type, Integer) else None


def _largest(connection: Connection, table: Table) -> int:
    column = number_column(table)
    return int(connection.scalar(select(func.max(column))) or 0) if column is not None else 0


def _sequence(connection: Connection, table: Table) -> int:
    """The last number that was given out, also to a row that is gone."""
    column = number_column(table)
    if column is None:
        return 0
    if connection.dialect.name == "sqlite":
        if not connection.scalar(text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")):
            return 0
        return int(connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}) or 0)
    name = _sequence_name(connection, table, column)
    if name is None:
        return 0
    state = connection.execute(text(f"SELECT last_value, is_called FROM {name}")).one()
    return int(state.last_value) if state.is_called else int(state.last_value) - 1


def _sequence_name(connection: Connection, table: Table, column: Column[Any]) -> str | None:
    quoted = connection.dialect.identifier_preparer.quote(table.name)
    return connection.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": quoted, "column": column.name})


def _put_sequence(connection: Connection, table: Table, value: int) -> None:
    column = number_column(table)
    if column is None or value < 1:
        return
    if connection.dialect.name == "sqlite":
        if table.dialect_options["sqlite"]["autoincrement"]:
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :value)"), {"name": table.name, "value": value})
        return
    name = _sequence_name(connection, table, column)
    if name is not None:
        connection.execute(text("SELECT setval(:name, :value)"), {"name": name, "value": value})
