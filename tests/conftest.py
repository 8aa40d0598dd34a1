"""Fixtures: one home with everything running for the whole session, emptied of rows before each test that uses it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.homes import environment


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """The session's home, with every process of the product running."""
    from appliance import front_door, settings

    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    os.environ.update(environment(folder / "home"))
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
    from tests.rows import first_start_rows

    with whole_app.app_context():
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
