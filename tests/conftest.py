"""Fixtures: one home with everything running for the whole session, emptied of rows before each test that uses it.

BENTEVI_TEST_DATABASE says on which database: sqlite, which every home begins with, or postgresql.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, cast

import pytest
from flask import Flask

from tests import postgresql
from tests.homes import environment

if TYPE_CHECKING:
    from tests.visitor import Visitor

IS_POSTGRESQL = os.environ.get("BENTEVI_TEST_DATABASE") == "postgresql"


KNOWS_DATABASE = {"home", "new_database", "empty_database"}  # fixtures by which a test gets the database of this round


@pytest.fixture(autouse=True)
def _runs_on_the_database_of_this_round(request: pytest.FixtureRequest) -> None:
    """A test that is marked `database` and would run on SQLite in every round proves nothing: it fails."""
    if request.node.get_closest_marker("database"):
        assert KNOWS_DATABASE & set(request.fixturenames), "marked `database`, but it takes no database from a fixture"


@pytest.fixture(autouse=True)
def _files_are_for_their_owner() -> None:
    """What a test writes into a home has the rights the home's own processes give, whatever an earlier test left."""
    os.umask(0o077)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """On PostgreSQL nothing that is marked `database` may be left out."""
    report = yield
    if IS_POSTGRESQL and report.skipped and item.get_closest_marker("database"):
        report.outcome, report.longrepr = "failed", f"{item.nodeid} is marked `database` and was skipped on PostgreSQL"
    return report


HEAVY = ("tests/browser/", "tests/story/", "tests/databases/", "tests/imports/")  # first (pytest-xdist: --no-loadscope-reorder), so that no long file is left for the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the order within a file stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(HEAVY))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Names of tests that failed, for whoever wants to try them again alone."""
    file = os.environ.get("BENTEVI_TEST_FAILED")
    if file and report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        with open(file, "a") as names:
            names.write(report.nodeid + "\n")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """A PostgreSQL server of this session."""
    with postgresql.running() as found:
        yield found


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Gives the URL of a fresh database for a home of one's own: "" for SQLite in the home, where the tables are made later; a
    database with today's tables on PostgreSQL."""
    if not IS_POSTGRESQL:
        return lambda: ""
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.fresh


@pytest.fixture
def empty_database(request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables for a home of one's own: "" for SQLite in the home, or one on PostgreSQL."""
    if not IS_POSTGRESQL:
        return ""
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.empty()


@pytest.fixture(scope="session")
def home(new_database: Callable[[], str]) -> Iterator[Path]:
    """The session's home, with every process of the product running."""
    from appliance import front_door, settings

    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    os.environ.update(environment(folder / "home") | {"BENTEVI_DATABASE_URL": new_database()})
    machine = settings.load()
    try:
        front_door.up(machine, lambda _text: None)
        yield machine.home
    finally:
        front_door.down(machine)
        rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def whole_app(home: Path) -> Flask:
    """The application on the session's home; needed once, because routes are made once."""
    from tests.visitor import Visitor
    from web.app import create_app

    app = create_app()
    app.test_client_class = Visitor
    return app


@pytest.fixture
def app(whole_app: Flask) -> Iterator[Flask]:
    """The application inside its context, with the rows of a first start and nothing else."""
    from appliance.db import db
    from tests.rows import first_start_rows

    with whole_app.app_context():
        assert db.engine.dialect.name == ("postgresql" if IS_POSTGRESQL else "sqlite")
        first_start_rows()
        yield whole_app


@pytest.fixture
def client(app: Flask) -> "Visitor":
    """A browser without pictures, not logged in."""
    return cast("Visitor", app.test_client())


@pytest.fixture
def carla(client: "Visitor") -> "Visitor":
    """A browser of Carla, the administrator."""
    from appliance.users.model import by_login

    return client.is_person(by_login("carla"))
