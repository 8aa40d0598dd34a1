"""Programs for tests of migrations, each run on a home of its own: filled tables through every step, and a table made anew.

    python -m tests.migrated steps          every table filled, down to the oldest release and up again, step by step
    python -m tests.migrated anew TABLE     what batch mode does to a table of SQLite
"""

import shutil
import sys
from typing import Any

from sqlalchemy import MetaData, text

from appliance import schema
from appliance.app import bare_app
from appliance.database import copy
from appliance.db import Base, db
from appliance.settings import load
from tests.filled import ROWS, fill

GIVEN_OUT = 900
Held = dict[str, dict[str, dict[str, str]]]  # table → primary key → column → value
ANEW = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "9999", "{head}"
def upgrade():
    with op.batch_alter_table("{table}", recreate="always") as batch:
        batch.add_column(sa.Column("fresh", sa.Integer(), nullable=True))
def downgrade():
    pass
"""


def held() -> Held:
    """Every row of every table that is there now."""
    found: Held = {}
    there = MetaData()
    with db.engine.connect() as connection:
        there.reflect(connection)
        for table in there.sorted_tables:
            if table.name != "alembic_version":
                keys = [column.name for column in table.primary_key]
                rows = [row._asdict() for row in connection.execute(text(f'SELECT * FROM "{table.name}"'))]
                found[table.name] = {repr([row[key] for key in keys]): {name: repr(value) for name, value in row.items()} for row in rows}
    return found


def columns(rows: Held) -> dict[str, set[str]]:
    return {name: set(next(iter(table.values()))) for name, table in rows.items() if table}


def same(before: Held, after: Held, step: str) -> None:
    """Tables and columns that both have hold the same."""
    known = columns(before), columns(after)
    for name in set(before) & set(after):
        assert set(before[name]) == set(after[name]), f"{step}: rows of {name} went or came"
        common = known[0].get(name, set()) & known[1].get(name, set())
        for key, row in before[name].items():
            differing = {column: (row[column], after[name][key][column]) for column in common if row[column] != after[name][key][column]}
            assert not differing, f"{step}: {name} {key}: {differing}"


def filled() -> list[Any]:
    """Rows in every table, and a gap behind the last id of each; the tables."""
    tables = copy.tables()
    with db.engine.begin() as connection:
        fill(connection, Base.metadata.sorted_tables)
        for table in tables:
            copy._put_sequence(connection, table, GIVEN_OUT)
    return tables


def counts(table: Any) -> bool:
    """Whether SQLite never gives an id of the table twice."""
    return copy.number_column(table) is not None and bool(table.dialect_options["sqlite"]["autoincrement"])


def steps() -> None:
    schema.upgrade()
    tables = filled()
    first = before = held()
    assert set(first) == {table.name for table in tables} and all(len(rows) == ROWS for rows in first.values())
    revisions = [step.revision for step in schema.steps().walk_revisions()]
    for revision in revisions[:-1]:
        schema.downgrade("-1")
        after = held()
        same(before, after, f"down from {revision}")
        before = after
    oldest = before
    for revision in reversed(revisions[:-1]):
        schema.upgrade("+1")
        after = held()
        same(before, after, f"up to {revision}")
        before = after
    same({name: {key: {column: row[column] for column in oldest[name][key]} for key, row in first[name].items()} for name in oldest},
         before, "down and up")  # fmt: skip
    with db.engine.begin() as connection:
        for table in tables:
            if table.name in oldest and copy.number_column(table) is not None:
                assert copy._sequence(connection, table) == GIVEN_OUT, f"{table.name} would give ids again"
            if connection.dialect.name == "sqlite":
                sql = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table.name})
                assert "AUTOINCREMENT" in sql or not counts(table), f"{table.name}: {sql}"


def anew(name: str) -> None:
    folder = load().home / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder)
    schema.upgrade(folder=folder)
    tables = filled()
    with db.engine.begin() as connection:
        before = {table.name: copy.content(connection, table) for table in tables}
    head = schema.steps(folder).get_current_head()
    (folder / "versions" / "9999_anew.py").write_text(ANEW.format(head=head, table=name))
    schema.upgrade(folder=folder)
    with db.engine.begin() as connection:
        for table in tables:
            assert copy.content(connection, table) == before[table.name], table.name
            if counts(table):
                assert copy._sequence(connection, table) == GIVEN_OUT, table.name
        sql = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": name})
        assert "fresh" in sql and "AUTOINCREMENT" in sql, sql


if __name__ == "__main__":
    with bare_app().app_context():
        {"steps": steps, "anew": anew}[sys.argv[1]](*sys.argv[2:])
    print("same")
