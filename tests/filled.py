"""Rows in every table there is, whatever the tables: values by the columns' types, some of them hard to carry."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Boolean, Date, DateTime, Float, Integer, LargeBinary, String, Table, insert
from sqlalchemy.engine import Connection

ROWS = 3
TEXTS = ["Ação", "a;b'c\"\\", "Ó日"]
START = datetime(2026, 11, 20, 23, 59, 59, 123456, tzinfo=UTC)


def fill(connection: Connection, tables: list[Table]) -> None:
    """ROWS rows in each of these tables, those that are pointed at first; ids begin at 1 and leave a gap behind the last."""
    for table in tables:
        connection.execute(insert(table), [{column.name: _value(table, column, number) for column in table.columns} for number in range(ROWS)])


def _value(table: Table, column: Any, number: int) -> Any:
    kind, alone = column.type, column.unique or column.primary_key or _is_in_unique(table, column)
    if column.foreign_keys:
        target = next(iter(column.foreign_keys)).column
        if target.table is table or (column.nullable and number == 0):
            return None
        return _value(target.table, target, number)
    if column.nullable and number == 1 and not alone:
        return None
    if isinstance(kind, Boolean):
        return number % 2 == 0
    if isinstance(kind, Integer):
        return number + 1 if alone else 7 * number
    if isinstance(kind, Float):
        return 1795218262.082742 + number / 3
    if isinstance(kind, JSON):
        return [{"ação": TEXTS[number], "n": number, "none": None}, 1.5, "x\u0000y" if number == 2 else True]
    if isinstance(kind, DateTime) or getattr(kind, "impl", None).__class__ is DateTime:
        return START + timedelta(hours=number, microseconds=number)
    if isinstance(kind, Date):
        return date(2026, 2, 28) + timedelta(days=number)
    if isinstance(kind, LargeBinary):
        return bytes(range(256))[: 40 + number]
    length = kind.length if isinstance(kind, String) else None
    return f"{table.name[:3]}{number}"[:length] if alone else TEXTS[number][:length]


def _is_in_unique(table: Table, column: Any) -> bool:
    return any(column.name in [one.name for one in constraint.columns] for constraint in table.constraints if type(constraint).__name__ == "UniqueConstraint")
