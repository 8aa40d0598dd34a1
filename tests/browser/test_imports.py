"""CSV import, bulk edit and undo in a real browser (marked browser)."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from appliance.db import db
from appliance.extensions.model import Extension
from tests.browser.conftest import PHONE
from tests.build import make_class, make_extension

pytestmark = pytest.mark.browser


def count():
    found = db.session.scalar(select(func.count()).select_from(Extension))
    db.session.rollback()
    return found


def test_a_file_is_uploaded_looked_at_stored_with_a_moving_bar_and_undone(page):
    """EXT-01: the whole way on the screen; the bar moves while the worker works, and nobody reloads the page."""
    make_extension("2001", name="Ana")
    lines = [f"{10000 + n};Pessoa {n};segredo-{n:06}" for n in range(3000)] + ["2001;Ana Souza;", "1,19E+10;Errada;"]
    text = "\r\n".join(["Ramal;Nome;Senha;Andar", *[f"{line};1" for line in lines], ""])
    page.goto("/extensions")
    page.get_by_role("button", name="CSV").click()
    page.get_by_role("link", name="Importar CSV").click()
    page.get_by_label("Arquivo CSV").set_input_files({"name": "ramais.csv", "mimeType": "text/csv", "buffer": text.encode("cp1252")})
    page.get_by_role("button", name="Enviar e escolher as colunas").click()
    expect(page.get_by_label("Campo da coluna Ramal")).to_have_value("number")
    expect(page.get_by_label("Campo da coluna Andar")).to_have_value("")
    assert "segredo-" not in page.content()
    page.get_by_role("button", name="Conferir todas as linhas").click()
    expect(page.get_by_text("Colunas deixadas de fora: Andar")).to_be_visible(timeout=60_000)
    expect(page.locator(".fault-list")).to_contain_text("3003")
    expect(page.locator(".fault-list")).to_contain_text("a planilha encurtou")
    expect(page.locator(".preview-list").last).to_contain_text("Ana → Ana Souza")
    assert count() == 1
    page.evaluate("""() => { window.seen = []; new MutationObserver(() => { const bar = document.querySelector('.import-progress');
        if (bar) window.seen.push(bar.value / bar.max); }).observe(document.body, {childList: true, subtree: true}); }""")
    with page.expect_navigation():
        page.get_by_role("button", name="Gravar 3.001 registros bons").click()
    page.evaluate("""() => { window.seen = []; const look = () => { const bar = document.querySelector('.import-progress');
        if (bar) window.seen.push(bar.value / bar.max); if (window.seen.length < 4000) requestAnimationFrame(look); }; look(); }""")
    expect(page.get_by_text("Gravado: 3.000 novos, 1 alterados, 0 como estavam.")).to_be_visible(timeout=90_000)
    shares = page.evaluate("() => window.seen")
    assert any(0 < share < 1 for share in shares), "the bar was seen on its way"
    assert count() == 3001
    page.get_by_role("link", name="Desfazer esta importação…").click()
    page.get_by_role("button", name=re.compile("Desfazer todas")).click(timeout=60_000)
    expect(page.get_by_text(re.compile("alterações foram desfeitas"))).to_be_visible(timeout=60_000)
    assert count() == 1


@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_chosen_rows_are_edited_together(logged_in, size):
    """The bar of the selection on a desk and on a telephone."""
    make_class("Loja")
    for number in range(3):
        make_extension(f"200{number}", name=f"Pessoa {number}")
    page = logged_in(size=size) if size else logged_in()
    page.goto("/extensions")
    page.get_by_label("2000 Pessoa 0").check()
    page.get_by_label("2001 Pessoa 1").check()
    bar = page.locator(".bulk")
    expect(bar).to_contain_text("2")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing stands out of the page"
    bar.get_by_role("button", name="Editar").click()
    expect(page.get_by_role("heading", name="Editar 2 registros")).to_be_visible()
    page.get_by_label("Categoria", exact=True).select_option("Loja")
    expect(page.locator("[name=set][value=class]")).to_be_checked()
    page.get_by_role("button", name="Mostrar o que mudaria").click()
    page.get_by_role("button", name="Alterar 2 registros").click()
    expect(page.get_by_text("2 registros foram alterados.")).to_be_visible()
    page.get_by_role("link", name="Desfazer…").click()
    page.get_by_role("button", name="Desfazer todas as 2 alterações").click()
    expect(page.get_by_text("2 alterações foram desfeitas.")).to_be_visible()
