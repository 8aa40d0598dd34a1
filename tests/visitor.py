"""A browser without pictures: requests as a server gets them, a person logged in without the login page, forms as they are posted."""

import contextvars
import html
import json
import re
import secrets
from typing import Any

from flask import has_app_context
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from appliance import lanes, settings
from appliance.db import db
from appliance.fields import Boolean, Field, Numbers
from appliance.links import Destination, Parts, Rows
from appliance.trunks.model import Extra
from tests.build import make_user
from web.login import stamp
from web.sessions import IDLE_SECONDS, _key


class Visitor(FlaskClient):
    """Each request in a context of its own: nothing of the test's own rows, session or person leaks into it."""

    token = ""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        if has_app_context():
            db.session.rollback()  # a reader of ours must not hold up the writer of the page
        return contextvars.Context().run(super().open, *args, **({"buffered": True} | kwargs))

    def is_person(self, user: Any) -> "Visitor":
        """From now on a session of this person."""
        self.token = secrets.token_urlsafe(32)
        lanes.connection().set(_key(self.token), json.dumps({"user_id": user.id, "stamp": stamp(user)}), ex=IDLE_SECONDS)
        self.set_cookie(f"bentevi_{settings.load().http_port}", self.token)
        return self

    def csrf(self, path: str = "/password") -> str:
        """The token of a page, as the browser sends it back."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)
        assert found, path
        return found[1]

    def send(self, path: str, form: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        """Post a form with its token."""
        return self.post(path, data={"csrf_token": self.csrf(), **(form or {})}, **more)

    def api(self, method: str, path: str, body: Any = None) -> TestResponse:
        """Ask the API as a script of the pages does: with the session and the token in a header."""
        return self.open(path, method=method, json=body, headers={"X-CSRFToken": self.csrf()})


def person(client: Any, login: str, **values: Any) -> Visitor:
    """A visitor who is a new person."""
    visitor: Visitor = client.application.test_client()
    return visitor.is_person(make_user(login, **values))


def form_of(fields: dict[str, Field], values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Outside values → what a browser posts."""
    form: dict[str, Any] = {}
    for name, value in values.items():
        kind, key = fields[name].kind, prefix + name
        if isinstance(kind, Rows):
            for index, line in enumerate(kind.lines(value)):
                form |= form_of(kind.fields, line, f"{key}-{index}-")
        elif isinstance(kind, Parts):
            form |= form_of(kind.fields, value, f"{key}-")
        elif isinstance(kind, Destination):
            form[f"{key}-type"] = next(iter(value))
            form |= {f"{key}-{word}": target for word, target in value.items() if target is not True}
        elif isinstance(kind, Extra):
            form[key] = "\n".join(f"{option}={text}" for option, text in value.items())
        elif isinstance(kind, Numbers):
            form[key] = ", ".join(value)
        elif isinstance(kind, Boolean):
            form |= {key: "yes"} if value else {}
        elif value is not None:
            form[key] = value if isinstance(value, list) else str(value)
    return form


def text_of(response: TestResponse) -> str:
    """What a page says, without marks."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", response.text)))
