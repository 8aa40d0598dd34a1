"""Fixtures: one home with everything running for the whole session, emptied of rows before each test that uses it."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient

RTP_SPAN = 400


def free_ports(count: int) -> list[int]:
    """Ports nobody has now, for TCP and UDP."""
    held = []
    while len(held) < count:
        tcp, udp = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        except OSError:
            tcp.close()
            continue
        held.append((tcp, udp))
    ports = [tcp.getsockname()[1] for tcp, _udp in held]
    for pair in held:
        for one in pair:
            one.close()
    return ports


def environment(home: Path) -> dict[str, str]:
    """A home of its own, on free ports."""
    http, https, sip, ami, agi, ws = free_ports(6)
    start = 20000 + os.getpid() % 200 * 2 * 100 % 20000
    return {
        "BENTEVI_HOME": str(home), "BENTEVI_BIND": "127.0.0.1", "BENTEVI_HTTP_PORT": str(http), "BENTEVI_HTTPS_PORT": str(https),
        "BENTEVI_SIP_PORT": str(sip), "BENTEVI_AMI_PORT": str(ami), "BENTEVI_AGI_PORT": str(agi), "BENTEVI_WS_PORT": str(ws),
        "BENTEVI_RTP_PORTS": f"{start}-{start + RTP_SPAN}",
    }


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """The session's home, with every process of the product running."""
    from appliance import front_door, settings

    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    os.environ.update(environment(folder / "home"))
    machine = settings.load()
    front_door.up(machine, lambda _text: None)
    try:
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
