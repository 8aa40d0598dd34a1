"""Prints what a home's database holds: `python -m tests.databases.held`."""

import importlib
import json
from pathlib import Path

from appliance.app import bare_app
from appliance.database import copy
from appliance.db import db
from appliance.settings import CHECKOUT


def every_table() -> None:
    """Import whatever declares a table, so that the metadata is whole."""
    for file in sorted(Path(CHECKOUT / "appliance").rglob("*.py")):
        if "__tablename__" in file.read_text(encoding="utf-8"):
            importlib.import_module(".".join(file.relative_to(CHECKOUT).with_suffix("").parts))


if __name__ == "__main__":
    every_table()
    with bare_app().app_context(), db.engine.connect() as connection:
        print(json.dumps({table.name: [copy.content(connection, table).digest, copy._sequence(connection, table)] for table in copy.tables()}))
