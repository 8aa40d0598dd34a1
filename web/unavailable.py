"""The page people see when rows cannot be read or written now: the database is locked, full, away, or on the move.

It asks no row for anything, because that would fail again.
"""

import logging

from flask import Flask, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from appliance import db as ground
from appliance.db import db
from web import htmx

log = logging.getLogger("bentevi.web")


def connect(app: Flask, ours: object) -> None:
    """Answer 503 with words instead of an error of ours. `ours` answers what was our mistake after all."""
    def away(why: Exception) -> ResponseReturnValue:
        kind = ground.trouble(why)
        if not kind:
            return ours(why)  # type: ignore[operator,no-any-return]
        log.error("the database is %s at %s: %s", kind, told_path(), str(getattr(why, "orig", why)).strip())
        return answer(ground.WORDS[kind])

    for kind in ground.AWAY:
        app.register_error_handler(kind, away)


def told_path() -> str:
    """The address of this request as a log may hold it: addresses that phones fetch their files from have a secret in them."""
    return "/provisioning/…" if request.path.startswith("/provisioning/") else request.path


def answer(text: str) -> ResponseReturnValue:
    """503 with words (a msgid, or what is translated already): JSON for the API, a notice beside the page for a part of it, else a page that sends the same again."""
    g.without_rows = True
    language = str(get_locale())  # known to this request, or to be had without rows
    db.session.rollback()
    text = _(text)
    again = {"Retry-After": "5"}
    if request.path.startswith("/api/"):
        return jsonify(error=text, fields={}), 503, again
    if htmx.wants_part():
        return render_template("parts/unavailable.html", text=text), 503, again | {"HX-Retarget": "#unavailable", "HX-Reswap": "innerHTML"}
    repeats = request.method in ("GET", "HEAD") or (request.method == "POST" and not request.files)
    return render_template("unavailable.html", text=text, repeats=repeats, sent=request.form.items(multi=True), language=language), 503, again
