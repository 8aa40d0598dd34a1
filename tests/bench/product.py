"""The product on a home of its own, for as long as a bench takes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from appliance import front_door, settings
from appliance.app import bare_app
from tests.homes import environment


@contextmanager
def product(**more: str) -> Iterator[settings.Settings]:
    """Everything running as shipped, and an application context for rows."""
    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    os.environ.update(environment(folder / "home") | more)
    machine = settings.load()
    front_door.up(machine, lambda _text: None)
    try:
        with bare_app().app_context():
            yield machine
    finally:
        front_door.down(machine)
        rmtree(folder, ignore_errors=True)
