"""The database a home is to be carried to: how it is named without a secret on the command line, and whether it will do."""

import getpass
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from flask import Flask
from sqlalchemy import MetaData, inspect, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError

from appliance.app import bare_app
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.settings import DATABASES, Settings

MARK = "bentevi_move"  # a table that only a half-made copy has; it holds the token of the move that makes it


def read(words: str, machine: Settings) -> URL:
    """The address people mean: `sqlite`, a file, an address without a password, `file:FILE`, `env:NAME`, or `-` to ask for it.

    Raises Refused; no message holds a password.
    """
    kind, colon, rest = words.partition(":")
    if words == "sqlite":
        return URL.create("sqlite", database=str(machine.sqlite_file))
    if words == "-":
        return _url(getpass.getpass("Address of the database: ") if sys.stdin.isatty() else sys.stdin.readline())
    if kind == "env" and colon:
        if not os.environ.get(rest):
            raise Refused(f"there is no variable {rest} in the environment")
        return _url(os.environ[rest])
    if kind == "file" and colon:
        try:
            return _url(Path(rest).read_text(encoding="utf-8"))
        except OSError as why:
            raise Refused(f"{rest}: {why.strerror}") from why
    if "://" in words:
        url = _url(words)
        if url.password:
            raise Refused("everybody on this machine sees what stands on a command line, and there is a password in this address. "
                          "Write it into a file and say file:FILE, or say - to be asked for it.")  # fmt: skip
        return url
    return URL.create("sqlite", database=str(Path(words).resolve()))


def _url(words: str) -> URL:
    scheme, colon, rest = words.strip().partition("://")
    if not colon or scheme not in DATABASES:
        raise Refused("this is not the address of a database; it begins with postgresql:// or sqlite://")
    try:
        return make_url(f"{DATABASES[scheme]}://{rest}")
    except (ArgumentError, ValueError) as why:
        raise Refused("the address of the database is not understood: postgresql://user:password@host:5432/name") from why


def shown(url: URL) -> str:
    """For people and logs: without the password."""
    return url.render_as_string(hide_password=True)


def as_text(url: URL) -> str:
    """For the home's own file."""
    return url.render_as_string(hide_password=False)


def application(url: URL) -> Flask:
    """An application on that database. Refused when its folder is not there, Busy when its server does not answer."""
    if url.get_backend_name() == "sqlite":
        folder = Path(str(url.database)).parent
        if not folder.is_dir():
            raise Refused(f"there is no folder {folder}")
        _look_at_file(Path(str(url.database)))
    app = bare_app(database_url=as_text(url))
    try:
        with app.app_context(), db.engine.connect() as connection:
            _will_do(connection)
    except (OperationalError, InterfaceError) as why:
        raise Busy(f"{shown(url)} does not answer: {str(why.orig).strip()}") from why
    return app


def _look_at_file(path: Path) -> None:
    """Refuse a file with tables before it is opened for writing, which alone would change it."""
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    except sqlite3.DatabaseError as why:
        raise Refused(f"{path} is no SQLite database: {why}") from why
    if names and MARK not in names:
        raise _not_empty(str(path), len(names))


def _not_empty(name: str, number: int) -> Refused:
    return Refused(f"{name} is not empty: it has {number} tables. Choose an empty one; nothing in it was touched.")


def _will_do(connection: Connection) -> None:
    """Refused when texts would not come back as they are, or would be searched wrongly."""
    if connection.dialect.name == "postgresql":
        encoding = connection.scalar(text("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"))
        if encoding != "UTF8":
            raise Refused(f"the database stores {encoding}; it must be made with ENCODING 'UTF8'")
        if connection.scalar(text("SELECT lower('ÓÇ')")) != "óç":
            raise Refused("the database knows no capital letters with accents: make it with LOCALE 'pt_BR.UTF-8' or 'C.UTF-8' instead of 'C'")


def claim(connection: Connection, url: URL, token: str, killed: list[str]) -> None:
    """Make the database ours to fill, in the caller's transaction: `token` stands in it from now on.

    What a killed move left in it, one of those with these tokens, is removed. Refused when it holds anything else.
    """
    names = inspect(connection).get_table_names()
    if MARK in names and connection.scalar(text(f"SELECT token FROM {MARK}")) in killed:
        left = MetaData()
        left.reflect(connection)
        left.drop_all(connection)
    elif names:
        raise _not_empty(shown(url), len(names))
    connection.execute(text(f"CREATE TABLE {MARK} (token VARCHAR(40))"))
    connection.execute(text(f"INSERT INTO {MARK} VALUES (:token)"), {"token": token})


def release(connection: Connection) -> None:
    """It is a home's database now."""
    connection.execute(text(f"DROP TABLE IF EXISTS {MARK}"))
