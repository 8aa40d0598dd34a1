"""The application without screens: what the web, the jobs and the CLI stand on (rows, languages)."""

import threading

from flask import Flask
from flask_babel import Babel
from sqlalchemy import inspect

from appliance import db, settings
from appliance.cells import LANGUAGES
from appliance.errors import Refused
from appliance.settings import Settings
from appliance.telephony import store

__all__ = ["LANGUAGES", "bare_app", "need_rows"]
WEB = settings.CHECKOUT / "web"
_making = threading.Lock()  # werkzeug makes rules by `ast`, which two threads of Python 3.11 may not use at once: a SystemError now and then


def bare_app(locale_selector: object = None, database_url: str = "", schema: str = "") -> Flask:
    """An application with rows and languages; Portuguese unless somebody selects another. On this home's database, or another (of which
    one schema, on PostgreSQL)."""
    from appliance import resources  # noqa: F401  the table must be in use before any row is read

    with _making:
        app = Flask("web", root_path=str(WEB))
    app.config["BABEL_DEFAULT_LOCALE"] = "pt_BR"
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(WEB / "translations")
    Babel(app, locale_selector=locale_selector)
    db.connect(app, database_url, schema)
    return app


def need_rows(machine: Settings, even_ailing: bool = False) -> None:
    """Raises Refused for a home that has no tables yet, and what the database says that cannot be read, or has none any more, though the home
    was in use; not so with `even_ailing`. Inside an application."""
    try:
        with db.db.engine.execution_options(read_only=True).connect() as connection:
            if inspect(connection).has_table("company"):
                return
            if not store.in_force(machine):
                raise Refused(f"{machine.home} has no tables yet: run `bentevi up` first")
            connection.exec_driver_sql("SELECT id FROM company")
    except db.AWAY as why:
        if not (even_ailing and db.trouble(why)):
            raise
