"""The tables' version: which one a database has, which is newest, and the way from one to another (Alembic, folder migrations/).

Alembic and what it brings (Mako, a highlighter) are read when first asked for: only commands and the first start need them, and they are
a tenth of the memory of every process that would hold them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flask import current_app
from sqlalchemy.engine import Connection

from appliance.db import db

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(revision: str = "head", folder: Path = MIGRATIONS) -> None:
    """Bring the tables of the application at hand to this version, in one transaction."""
    _connect()
    from flask_migrate import upgrade as forward

    forward(directory=str(folder), revision=revision)


def downgrade(revision: str, folder: Path = MIGRATIONS) -> None:
    """Take the tables back to an older version, in one transaction; what that one cannot hold goes."""
    _connect()
    from flask_migrate import downgrade as back

    back(directory=str(folder), revision=revision)


def write(message: str) -> None:
    """For developers: a new step, from what the models and the tables at hand differ in."""
    _connect()
    from flask_migrate import migrate

    number = len(list((MIGRATIONS / "versions").glob("[0-9]*.py"))) + 1
    migrate(directory=str(MIGRATIONS), message=message, rev_id=f"{number:04}")


def steps(folder: Path = MIGRATIONS) -> "ScriptDirectory":
    """All there are."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(folder))


def newest() -> set[str]:
    """The version this program needs."""
    return set(steps().get_heads())


def held(connection: Connection) -> list[str]:
    """The version a database has; empty when it has no tables yet."""
    from alembic.migration import MigrationContext

    return list(MigrationContext.configure(connection).get_current_heads())


def _connect() -> None:
    from flask_migrate import Migrate

    if "migrate" not in current_app.extensions:
        Migrate(cast(Any, current_app)._get_current_object(), db, directory=str(MIGRATIONS), render_as_batch=True, compare_type=True)
