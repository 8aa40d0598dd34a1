"""The few things we ask of htmx; the only importer of htmx_flask.

htmx_flask 0.1.0 gives `request.htmx`; its make_response refuses newer swap styles, so headers are set here.
"""

import json
from typing import Any

from flask import Flask, Response, make_response, request
from htmx_flask import Htmx
from htmx_flask import request as htmx_request

_htmx = Htmx()


def connect(app: Flask) -> None:
    """Requests know whether htmx sent them; answers that depend on it say so to caches."""
    _htmx.init_app(app)
    app.after_request(_vary)


def wants_part() -> bool:
    """Whether htmx asked for a part of the page (a boosted link wants the whole page)."""
    return bool(htmx_request.htmx) and not request.headers.get("HX-Boosted") and not request.headers.get("HX-History-Restore-Request")


def reply(body: Any, status: int = 200, *, trigger: dict[str, Any] | None = None, redirect: str = "") -> Response:
    """An answer with the headers htmx understands; `redirect` makes the browser go to another page."""
    response = make_response(body, status)
    if trigger:
        response.headers["HX-Trigger"] = json.dumps(trigger)
    if redirect:
        response.headers["HX-Redirect"] = redirect
    return response


def _vary(response: Response) -> Response:
    response.vary.add("HX-Request")
    return response
