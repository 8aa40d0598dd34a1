"""Portuguese is complete: nothing missing, nothing guessed, nothing English on a page."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from flask_babel import force_locale, gettext
from flask_babel.speaklater import LazyString

from appliance.db import db
from appliance.resource import TABLE
from tests.build import make_extension, make_inbound_route, make_internal_route, make_outbound_route, make_profile, make_trunk
from web import sessions

ROOT = Path(__file__).parents[1]
# Words that are the same in both languages, or names.
SAME = {"SIP", "CNPJ", "CPF", "Codecs", "E-mail", "Login", "Menu", "Host"}


def catalogue() -> Catalog:
    with (ROOT / "web/translations/pt_BR/LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale="pt_BR")


def messages() -> list[Message]:
    return [message for message in catalogue() if message.id]


def test_every_text_is_translated_and_none_is_a_guess():
    missing = [m.id for m in messages() if not (all(m.string) if m.pluralizable else m.string)]
    assert not missing
    assert not [m.id for m in messages() if m.fuzzy]
    assert not catalogue().obsolete


def test_placeholders_are_the_same_in_both_languages():
    known = catalogue()
    wrong = {str(message.id): [str(why) for why in message.check(known)] for message in messages()}
    assert not {text: why for text, why in wrong.items() if why}


def test_the_catalogue_holds_the_texts_of_the_program_and_no_others():
    with (ROOT / "babel.cfg").open() as file:
        method_map, options_map = parse_mapping_cfg(file)
    found = extract_from_dir(ROOT, method_map, options_map, keywords={
        "_": None, "_l": None, "N_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "npgettext": ((1, "c"), 2, 3),
    })
    written = {text if isinstance(text, str) else text[0] for _file, _line, text, _comments, _context in found}
    known = {m.id if isinstance(m.id, str) else m.id[0] for m in messages()}
    assert written - known == set(), "run setup/catalogue.sh and translate these"
    assert known - written == set(), "run setup/catalogue.sh: nothing says these any more"


READ = ("placeholder", "title", "aria-label", "data-busy", "data-confirm")
NO_PAGES = ("/_may_call", "/api", "/static", "/healthz", "/audit.csv")


class Words(HTMLParser):
    """What a person reads of a page: texts, and the attributes that are shown or read aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.quiet = 0

    def handle_starttag(self, tag, attributes):
        self.quiet += tag in ("script", "style", "pre", "code")
        self.found |= {value for name, value in attributes if name in READ and value}

    def handle_endtag(self, tag):
        self.quiet -= tag in ("script", "style", "pre", "code")

    def handle_data(self, data):
        if not self.quiet and data.strip():
            self.found.add(" ".join(data.split()))


def english_texts() -> set[str]:
    """Texts that differ in Portuguese, those with values in them left out."""
    plain = [m for m in messages() if isinstance(m.id, str) and "%(" not in m.id and m.id != m.string]
    return {m.id for m in plain if len(m.id) > 3} - SAME - {m.string for m in plain}


@pytest.fixture
def filled(app):
    """Rows of every kind, some applied changes, one refused."""
    make_trunk("Operadora", 5070)
    make_outbound_route("Celular", {"mask": "9XXXXXXXX", "trunk": "Operadora", "overflow": [{"trunk": "Operadora"}]})
    make_profile("Completo", "Celular")
    make_extension("2001", name="Ana", dialing_profile="Completo")
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "2001"}})
    make_internal_route("Atalho", {"mask": "77", "destination": {"extension": "2001"}})
    TABLE["sip"].update(TABLE["sip"].find(""), {"general_lines": "insecure=port,invite\nallowguest=yes"})
    for word, name in (("cost_centres", "Loja"), ("pickup_groups", "Loja")):
        TABLE[word].create({"name": name})
    db.session.commit()
    return app


def addresses(app) -> list[str]:
    """Every page: those without a number in the address, and the first row of each resource."""
    found = set()
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or rule.endpoint in sessions.QUIET or rule.rule.startswith(NO_PAGES):
            continue
        word = rule.rule.split("/")[1]
        if not rule.arguments:
            found.add(rule.rule)
        elif rule.rule == f"/{word}/<int:row_id>" and word in TABLE:
            found |= {f"/{word}/{row.id}" for row in list(TABLE[word].rows())[:1]}
    return sorted(found)


def test_no_page_in_portuguese_shows_an_english_text(filled, client):
    """CFG-16: no untranslated text on any page."""
    with client.session_transaction() as session:
        session["user_id"] = next(iter(TABLE["users"].rows())).id
    english, shown = english_texts(), {}
    for address in addresses(filled):
        answer = client.get(address, follow_redirects=True)
        assert answer.status_code in (200, 404), address
        if answer.mimetype == "text/html":
            words = Words()
            words.feed(answer.get_data(as_text=True))
            parts = {part for text in words.found for part in (text, text.rstrip(":"), re.sub(r" \d+$", "", text))}
            shown[address] = parts & english
    assert len(shown) > 30
    assert not {address: texts for address, texts in shown.items() if texts}


def test_the_login_page_too(client):
    assert "Entrar" in client.get("/login").get_data(as_text=True)
    client.get("/login", headers={"Accept-Language": "en"})
    assert "Log in" not in client.get("/login").get_data(as_text=True)


def test_a_person_may_read_english(filled):
    with force_locale("en"):
        assert gettext("Extensions") == "Extensions"
        assert isinstance(TABLE["extensions"].label, LazyString) and str(TABLE["extensions"].label) == "Extensions"
    with force_locale("pt_BR"):
        assert str(TABLE["extensions"].new) == "Novo ramal"
