"""Help: text on every field, a page per entry of the menu and the guides whose parts exist, in both languages (CFG-14)."""

import re
from pathlib import Path

import pytest
from flask_babel import force_locale

from appliance.links import Parts, Rows
from appliance.resource import TABLE
from tests.visitor import person, text_of
from web import help as helps
from web import menu

LANGUAGES = ("pt_BR", "en")
TEXTS = Path(__file__).parents[1] / "web" / "templates" / "help"
PICTURES = Path(__file__).parents[1] / "web" / "static" / "help"


def fields(found, prefix):
    for name, spec in found.items():
        yield f"{prefix}{name}", spec
        if isinstance(spec.kind, Rows | Parts):
            yield from fields(spec.kind.fields, f"{prefix}{name}.")


def test_every_field_of_every_resource_has_a_help_text_in_both_languages(app):
    """CFG-14: also inside lines."""
    missing, same = [], []
    for resource in TABLE.values():
        for name, spec in fields(resource.fields, f"{resource.word}."):
            said = []
            for language in LANGUAGES:
                with force_locale(language):
                    said.append(str(spec.help))
            missing += [] if all(said) else [name]
            same += [name] if said[0] == said[1] else []
    assert not missing
    assert not same


def test_every_entry_of_the_menu_has_a_page_of_help_that_answers(carla):
    """CFG-14: what it is, step by step, common problems; a resource's fields with their help."""
    for page in menu.pages():
        word = helps.word_of(page.path)
        answer = carla.get(f"/help/{word}")
        assert answer.status_code == 200, word
        for name, spec in fields(TABLE[word].fields, "") if word in TABLE else ():
            assert str(spec.help) in text_of(answer) or "." in name, (word, name)


def test_both_languages_have_the_same_pages_built_alike():
    pages = {language: {file.name for file in (TEXTS / language).glob("*.html")} for language in LANGUAGES}
    assert pages["pt_BR"] == pages["en"]
    for name in pages["en"]:
        shapes = [re.findall(r"<(p|ol|li|dl|dt|dd|h2|img)\\b|picture\(\"(\w+)\"\)|href=\"([^\"]*)\"", (TEXTS / language / name).read_text()) for language in LANGUAGES]
        assert shapes[0] == shapes[1], name


def test_the_guides_that_exist_are_reached_from_their_screens(carla):
    """CFG-14: from zero, administrative extensions, desktop softphone."""
    assert set(helps.GUIDES) == {"from_zero", "administrative_extensions", "softphone"}
    for word in helps.GUIDES:
        assert carla.get(f"/help/{word}").status_code == 200
        assert any(word in guides for guides in helps.REACHED_FROM.values())
    for screen, guides in helps.REACHED_FROM.items():
        for guide in guides:
            assert f'href="/help/{guide}"' in carla.get(f"/help/{screen}").text
    assert 'href="/help/softphone"' in carla.get("/assistant/phones").text


def test_links_and_pictures_of_the_help_lead_somewhere(carla):
    for file in TEXTS.glob("*/*.html"):
        text = file.read_text()
        for path in set(re.findall(r'href="(/[^"]*)"', text)):
            assert carla.get(path, follow_redirects=True).status_code == 200, (file.name, path)
        for name in re.findall(r'picture\("(\w+)"\)', text):
            picture = PICTURES / f"{name}.{file.parent.name}.jpg"
            assert picture.exists(), picture
            assert picture.stat().st_size < 90_000, picture


@pytest.mark.parametrize("path,word", [("/", "now"), ("/extensions/new", "extensions"), ("/trunks", "trunks"), ("/calls", "calls"), ("/assistant/trunk", "assistant")])
def test_each_page_links_to_its_help(carla, path, word):
    assert f'href="/help/{word}"' in carla.get(path).text


@pytest.mark.parametrize("asked,found", [("NAT", "sip"), ("softphone", "softphone"), ("401", "trunks"), ("captura", "pickup_groups"), ("horario", "company")])
def test_the_help_is_searched_without_accents(carla, asked, found):
    answer = carla.get("/help", query_string={"q": asked})
    assert f'href="/help/{found}"' in answer.text
    assert carla.get("/help", query_string={"q": "xyzzy"}).text.count('href="/help/') <= 2


def test_the_search_in_the_head_finds_the_assistant_and_the_help_in_both_languages(carla):
    """CFG-13."""
    for asked in ("primeiros passos", "first run", "assistente"):
        assert 'href="/assistant"' in carla.get("/search", query_string={"q": asked}).text, asked
    assert 'href="/help/softphone"' in carla.get("/search", query_string={"q": "softphone"}).text


def test_who_may_not_open_a_page_reads_its_help_without_a_link_to_it(client):
    davi = person(client, "davi.reis", modules=["now"])
    answer = davi.get("/help/trunks")
    assert answer.status_code == 200
    assert "Abrir a página" not in answer.text
    assert davi.get("/help/nothing").status_code == 404
