"""The application without screens: what the web, the jobs and the CLI stand on (rows, languages)."""

import threading

from flask import Flask
from flask_babel import Babel

from appliance import db, settings
from appliance.cells import LANGUAGES

__all__ = ["LANGUAGES", "bare_app"]
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
