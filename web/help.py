"""Help: a page per entry of the menu and practice guides, in both languages, offline; an index with a search (CFG-14)."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Blueprint, abort, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

from appliance import resource as resources
from appliance.links import Parts, Rows
from web import assets, menu
from web.login import current_user, needs

pages = Blueprint("help", __name__)

GUIDES = {  # practice guides whose parts of the product exist; the others wait (docs/features.md)
    "from_zero": _l("In practice: from zero to the first call"),
    "administrative_extensions": _l("In practice: administrative extensions"),
    "softphone": _l("In practice: a softphone on the computer or mobile"),
}
REACHED_FROM = {"assistant": ["from_zero", "softphone"], "extensions": ["administrative_extensions", "softphone"], "dialing_profiles": ["administrative_extensions"]}


@dataclass(frozen=True)
class Topic:
    """One page of help. `path` is the page it speaks of, "" for a guide."""

    word: str
    title: Any
    path: str = ""


def topics() -> list[Topic]:
    """Guides first, then the menu in its order."""
    guides = [Topic(word, title) for word, title in GUIDES.items()]
    return guides + [Topic(word_of(page.path), page.label, page.path) for page in menu.pages()]


def word_of(path: str) -> str:
    """The help page of an address: its first part, `now` for the start page."""
    return path.strip("/").split("/")[0] or "now"


def here(path: str) -> str:
    """Where “Help” leads from a page; a page without help of its own leads to the index."""
    word = word_of(path)
    return f"/help/{word}" if any(topic.word == word for topic in topics()) else "/help"


@pages.get("/help")
@needs("")
def index() -> ResponseReturnValue:
    """All pages of help, or those that hold what is searched for."""
    text = request.args.get("q", "").strip()
    return render_template("help/index.html", found=search(text), text=text)


@pages.get("/help/<word>")
@needs("")
def page(word: str) -> ResponseReturnValue:
    """One page: what it is, step by step, common problems, and every field of the form."""
    topic = next((topic for topic in topics() if topic.word == word), None) or abort(404)
    resource = resources.TABLE.get(word)
    guides = [(guide, GUIDES[guide]) for guide in REACHED_FROM.get(word, [])]
    return render_template("help/page.html", topic=topic, resource=resource, parts=_parts(resource) if resource else {}, guides=guides,
                           template=template(word), may_open=bool(topic.path) and _may_open(topic))


def _may_open(topic: Topic) -> bool:
    return any(page.path == topic.path and current_user().may(page.word) for page in menu.pages())


def _parts(resource: resources.Resource) -> dict[str, dict[str, Any]]:
    """Field → the fields inside its lines."""
    return {name: spec.kind.fields for name, spec in resource.fields.items() if isinstance(spec.kind, Rows | Parts)}


def template(word: str) -> str:
    """The text of a page in the person's language, "" when nobody has written one yet: then the form's own words explain it."""
    name = f"help/{get_locale()}/{word}.html"
    return name if name in _templates() else ""


@cache
def _templates() -> frozenset[str]:
    return frozenset(current_app.jinja_env.list_templates(filter_func=lambda name: name.startswith("help/")))


def search(text: str) -> list[Topic]:
    """Topics that hold every word, in their title, their text, or a field of their form; all of them for no text."""
    words = _plain(text).split()
    return [topic for topic in topics() if all(word in _words_of(topic) for word in words)]


def found(text: str) -> list[Topic]:
    """The same without topics of pages this person may not open: for the search in the head."""
    paths = {page.path for page in menu.pages()}
    return [topic for topic in search(text) if topic.path not in paths or _may_open(topic)]


def _words_of(topic: Topic) -> str:
    resource = resources.TABLE.get(topic.word)
    fields = " ".join(f"{spec.label} {spec.help} {spec.also}" for spec in resource.fields.values()) if resource else ""
    name = template(topic.word)
    source = current_app.jinja_env.loader.get_source(current_app.jinja_env, name)[0] if name and current_app.jinja_env.loader else ""
    return _plain(f"{topic.title} {topic.word} {Markup(source).striptags()} {fields}")


def _plain(text: str) -> str:
    """Without accents, case and marks of templates."""
    text = re.sub(r"{[{%].*?[%}]}", " ", text)
    return "".join(sign for sign in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(sign))


def picture(name: str) -> str:
    """The address of a picture in the person's language, "" when there is none."""
    file = f"help/{name}.{get_locale()}.jpg"
    return assets.url(file) if (assets.STATIC / file).exists() else ""
