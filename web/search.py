"""Search over everything in the head of the page: pages, fields of forms, rows by number and name (CFG-13)."""

import re
import unicodedata

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from sqlalchemy import select

from appliance import resource as resources
from appliance.calls import words
from appliance.calls.model import Call
from appliance.company.model import Company
from appliance.db import db
from appliance.modules import model as modules
from appliance.reports.asked import held, may_see
from web import help, menu
from web.login import current_user, needs

pages = Blueprint("search", __name__)
MOST, MOST_CALLS = 8, 4


@pages.get("/search")
@needs("")
def search() -> ResponseReturnValue:
    """Up to eight of each: menu pages, form fields, rows the person may see."""
    text = request.args.get("q", "").strip()
    return render_template("parts/found.html", text=text, pages=_pages(text), fields=_fields(text), rows=_rows(text), calls=_calls(text), words=words,
                           helps=help.found(text)[:4] if len(text) > 2 else [])


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
    found, hidden = [], modules.hidden()
    for resource in resources.TABLE.values():
        if len(text) < 3 or resource.word in hidden or not current_user().may(resource.permission or resource.word):
            continue
        for spec in resource.fields.values():
            if _holds(f"{_both(spec.label)} {spec.also}", text):
                found.append((resource, str(spec.label)))
    return found[:MOST]


def _rows(text: str) -> list[tuple[resources.Resource, int, str]]:
    found, hidden = [], modules.hidden()
    for resource in resources.TABLE.values():
        if not text or not resource.search or resource.word in hidden or not current_user().may(resource.permission or resource.word):
            continue
        query = select(resource.model).where(resource.matching(text)).order_by(resource.model.id).limit(MOST)
        found += [(resource, row.id, resource.title(row)) for row in db.session.scalars(query)]
    return found[: MOST * 3]


def _calls(text: str) -> list[Call]:
    """The newest calls with this protocol number or telephone, whole: both are found by an index."""
    if not current_user().may("reports") or len(text) < 4 or not re.fullmatch(r"[A-Za-z0-9 ()+._-]{4,40}", text):
        return []
    arms = [Call.protocol == text]
    dialled = re.sub("[^0-9]", "", text)
    if dialled and not re.search("[A-Za-z_]", text):
        company = db.session.get(Company, resources.SINGLE_ID)
        numbers = held(dialled, company.country_code, company.area_code) if company else (dialled,)
        arms += [column == number for number in numbers for column in (Call.from_number, Call.to_number, Call.reached_number)]
    found: dict[int, Call] = {}
    for arm in arms:
        newest = select(Call).where(arm).order_by(Call.started_at.desc(), Call.id.desc()).limit(MOST_CALLS * 5)
        found |= {call.id: call for call in db.session.scalars(newest) if may_see(call, current_user())}
    return sorted(found.values(), key=lambda call: call.started_at, reverse=True)[:MOST_CALLS]


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
