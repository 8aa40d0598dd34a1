"""Homes that are moved: one with rows and no processes, and addresses to go to."""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from appliance.database import copy
from appliance.settings import CHECKOUT, load
from tests.postgresql import Server, running

FILL = """
from appliance.schema import upgrade
from appliance import app
from appliance.database import copy
from appliance.db import Base, db
from tests.filled import fill
with app.bare_app().app_context():
    upgrade()
    with db.engine.begin() as connection:
        fill(connection, Base.metadata.sorted_tables)
        for table in copy.tables():
            copy._put_sequence(connection, table, 900)
"""

def every_table() -> None:
    """Import whatever declares a table, so that the metadata is whole."""
    for file in sorted(Path(CHECKOUT / "appliance").rglob("*.py")):
        if "__tablename__" in file.read_text(encoding="utf-8"):
            importlib.import_module(".".join(file.relative_to(CHECKOUT).with_suffix("").parts))


class Filled:
    """A home whose every table has rows; no process runs."""

    def __init__(self, folder: Path, program: str = FILL) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")}
        self.environment = kept | {"BENTEVI_HOME": str(folder), "PYTHONPATH": str(CHECKOUT)}
        self.python("-c", program)

    def python(self, *words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([sys.executable, *words], env=self.environment | more, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr[-3000:]
        return done

    def bentevi(self, *words: str, said: str = "", check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([sys.executable, "-m", "appliance.cli", *words], env=self.environment | more, cwd=CHECKOUT, input=said,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr[-3000:]
        return done

    @property
    def url(self) -> str:
        """The database the home has now."""
        return load({"BENTEVI_HOME": str(self.folder)}).database_url

    @property
    def kind(self) -> str:
        return self.url.partition(":")[0].partition("+")[0]

    def held(self) -> dict[str, list[object]]:
        """Table → digest of its rows, and the last id it gave out."""
        every_table()
        engine = create_engine(self.url)
        with engine.connect() as connection:
            found = {table.name: [copy.content(connection, table).digest, copy._sequence(connection, table)] for table in copy.tables()}
        engine.dispose()
        return found

    def killed_at(self, line: str, *words: str) -> bool:
        """Move, and kill -9 as soon as it says something that begins so. False when it never did."""
        with subprocess.Popen([sys.executable, "-u", "-m", "appliance.cli", "database", "move", *words], env=self.environment, cwd=CHECKOUT,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
            for said in process.stdout:
                if said.startswith(line):
                    process.send_signal(signal.SIGKILL)
                    return True
        return False


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return Filled(tmp_path / "home")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Server]:
    """A PostgreSQL server of these tests alone: they kill it."""
    with running() as server:
        yield server


Address = Callable[[], str]


@pytest.fixture
def new_address(elsewhere: Server, tmp_path: Path) -> Address:
    """A file with the address of a new, empty database."""
    def address() -> str:
        file = tmp_path / "address"
        file.write_text(elsewhere.empty().replace("+psycopg", ""))
        return f"file:{file}"

    return address
