"""Search over everything in the head of the page: pages, fields of forms, rows by number and name (CFG-13)."""

import unicodedata

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from sqlalchemy import select

from appliance import resource as resources
from appliance.db import db
from web import menu
from web.login import current_user, needs

pages = Blueprint("search", __name__)
MOST = 8


@pages.get("/search")
@needs("")
def search() -> ResponseReturnValue:
    """Up to eight of each: menu pages, form fields, rows the person may see."""
    text = request.args.get("q", "").strip()
    return render_template("parts/found.html", text=text, pages=_pages(text), fields=_fields(text), rows=_rows(text))


def _pages(text: str) -> list[menu.Page]:
    """Found by the Portuguese or the English label, and by the labels of the source documents."""
    if not text:
        return []
    found = []
    for page in menu.pages():
        if current_user().may(page.word) and _holds(f"{_both(page.label)} {page.also}", text):
            found.append(page)
    return found[:MOST]


def _fields(text: str) -> list[tuple[resources.Resource, str]]:
    found = []
    for resource in resources.TABLE.values():
        if len(text) < 3 or not current_user().may(resource.permission or resource.word):
            continue
        for spec in resource.fields.values():
            if _holds(f"{_both(spec.label)} {spec.also}", text):
                found.append((resource, str(spec.label)))
    return found[:MOST]


def _rows(text: str) -> list[tuple[resources.Resource, int, str]]:
    found = []
    for resource in resources.TABLE.values():
        if not text or not resource.search or not current_user().may(resource.permission or resource.word):
            continue
        query = select(resource.model).where(resource.matching(text)).order_by(resource.model.id).limit(MOST)
        found += [(resource, row.id, resource.title(row)) for row in db.session.scalars(query)]
    return found[: MOST * 3]


def _both(label: object) -> str:
    with force_locale("en"):
        english = str(label)
    with force_locale("pt_BR"):
        return f"{english} {label}"


def _holds(haystack: str, text: str) -> bool:
    return _plain(text) in _plain(haystack)


def _plain(text: str) -> str:
    """Without accents and case: “horario” finds “Horário”."""
    return "".join(sign for sign in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(sign))
