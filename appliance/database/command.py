"""`bentevi database …`: which database a home has, its tables, and carrying it to another."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import click

Rows = Callable[[], AbstractContextManager[None]]
Tell = Callable[[Any, bool, Callable[[], list[str]]], None]


def add_to(bentevi: click.Group, rows: Rows, tell: Tell) -> None:
    """Put the group `database` into the program."""

    @bentevi.group("database")
    def database() -> None:
        """The database: which one, its tables, moving to another."""

    @database.command("show")
    @click.option("--json", "as_json", is_flag=True, help="Print data instead of lines.")
    def show(as_json: bool) -> None:
        """Tell which database this home has, its version and its size. Never a password."""
        from appliance.database import facts  # rows and rules take half a second to load; most commands need none

        with rows():
            found = facts.facts()
            tell(found, as_json, lambda: [f"{name:<9} {value}" for name, value in found.items()])

    @database.command("move")
    @click.argument("target")
    @click.option("--json", "as_json", is_flag=True, help="Print counts and digests of the tables at the end; what goes on is told on stderr.")
    def move(target: str, as_json: bool) -> None:
        """Carry this home to another, empty database, while telephony goes on.

        \b
        TARGET is one of
          file:FILE                   the file's first line is the address
          env:NAME                    the variable NAME holds the address
          -                           asked for, or the first line of standard input
          postgresql://user@host/name an address without a password (libpq's ~/.pgpass is used)
          FILE                        an SQLite file that does not exist yet
          sqlite                      the SQLite file every home begins with

        Until it is done nothing can be stored; pages can be read. Every row is counted and compared on both sides before the home
        is switched. When it is killed the home is complete in the old database or in the new one; ask for it again then.
        """
        from appliance import settings
        from appliance.database import move as moving

        moving.may_choose(settings.load())
        with rows():
            pass  # a home with tables
        report = moving.move(target, lambda text: click.echo(text, err=as_json))
        tell({**asdict(report), "rows": report.row_count}, as_json, lambda: [
            f"{report.row_count} rows moved in {report.seconds:.1f} s; this home now uses {report.target}",
            *([f"the old file is kept as {report.kept}"] if report.kept else []),
        ])

    @database.command("upgrade")
    def upgrade_() -> None:
        """Bring the tables to what this version needs (`up` does it by itself)."""
        from appliance import schema

        with rows():
            schema.upgrade()

    @database.command("revision")
    @click.argument("message")
    def revision(message: str) -> None:
        """For developers: write a migration from what the models and this home's tables differ in."""
        from appliance import schema

        with rows():
            schema.write(message)
