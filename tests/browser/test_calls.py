"""The call report in a real browser (marked browser)."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from appliance import db as ground
from appliance.db import db
from tests.browser.conftest import PHONE
from tests.build import company, make_call, make_cost_centre, make_extension, make_internal_call

pytestmark = pytest.mark.browser
CLIENT = "5548999991234"


@pytest.fixture
def calls(app):
    """Seventy calls of the last hours."""
    company(area_code="48")
    make_cost_centre("Loja")
    ana, bruno = make_extension("2001", name="Ana", cost_centre="Loja"), make_extension("2002", name="Bruno")
    now = ground.now()
    for number in range(66):
        make_call(now - timedelta(minutes=number + 10), from_=f"55113333{number:04}", to="554830139018", reached=ana, state="busy" if number % 5 == 0 else "answered")
    make_call(now - timedelta(minutes=3), from_=CLIENT, from_name="João", to="554830139018", reached=bruno, steps=True)
    make_call(now - timedelta(minutes=2), from_=ana, to=CLIENT, direction="outbound")
    make_internal_call(ana, bruno, now - timedelta(minutes=1))
    make_internal_call(bruno, ana, now - timedelta(seconds=30), state="no_answer")
    db.session.commit()


def test_a_search_is_made_paged_narrowed_and_opened(page, calls):
    """REP-01, REP-02, REP-04: the address is the search; back works."""
    page.goto("/")
    page.get_by_role("link", name="Ligações", exact=True).click()
    expect(page.locator(".sums")).to_have_count(0)
    page.get_by_role("link", name="Últimos 7 dias").click()  # also on the first of a month
    page.get_by_role("button", name="Gerar relatório").click()
    expect(page.locator(".sum b").first).to_have_text("70")
    expect(page.locator(".call-list tbody tr")).to_have_count(50)
    expect(page).to_have_url(re.compile(r"report=1&start=[0-9-]+&end=[0-9-]+$"))
    page.get_by_role("link", name="Mais antigas").click()
    expect(page.locator(".call-list tbody tr")).to_have_count(20)
    page.go_back()
    expect(page.locator(".call-list tbody tr")).to_have_count(50)
    for side in ("Número de origem", "Número de destino"):
        page.get_by_label(side, exact=True).fill("(48) 99999-1234")
    page.get_by_label("E / OU").select_option("or")
    page.get_by_role("button", name="Gerar relatório").click()
    expect(page.locator(".call-list tbody tr")).to_have_count(2)
    expect(page.get_by_label("Número de origem", exact=True)).to_have_value("(48) 99999-1234")
    page.locator(".call-list tbody tr").last.get_by_role("link").click()
    expect(page.locator(".story-step")).to_have_count(4)
    expect(page.locator(".story-steps")).to_contain_text("2002 Bruno toca por 10 s")
    page.go_back()
    expect(page.get_by_label("Número de destino", exact=True)).to_have_value("(48) 99999-1234")


def test_what_is_wrong_stands_at_its_field(page, calls):
    page.goto("/calls")
    page.get_by_label("Número de origem", exact=True).fill("João")
    page.get_by_role("button", name="Gerar relatório").click()
    expect(page.locator("#wrong-from_number")).to_contain_text("não é um telefone")
    expect(page.get_by_label("Número de origem", exact=True)).to_have_value("João")


def test_a_csv_and_a_pdf_are_taken_home(page, calls):
    """REP-05, REP-37: the list moves by itself until the file is ready."""
    page.goto("/calls")
    page.get_by_role("link", name="Hoje", exact=True).click()
    page.get_by_label("Sentido").select_option("made")
    page.get_by_role("link", name="Este ano").click()
    page.get_by_label("Sentido").select_option("made")
    page.get_by_role("button", name="Gerar relatório").click()
    expect(page.locator(".sum b").first).to_have_text("3")
    with page.expect_download() as taken:
        page.get_by_role("link", name="CSV").click()
    assert taken.value.path().read_bytes().count(b"\r\n") == 4
    page.get_by_role("button", name="PDF", exact=True).click()
    expect(page.get_by_text("O relatório foi pedido")).to_be_visible()
    link = page.get_by_role("link", name="Baixar")
    expect(link).to_be_visible(timeout=30_000)
    with page.expect_download() as taken:
        link.click()
    assert taken.value.path().read_bytes()[:4] == b"%PDF"
    page.get_by_role("button", name="Excluir").click()
    expect(page.get_by_text("O relatório foi excluído.")).to_be_visible()


def test_the_report_fits_a_phone(logged_in, calls):
    page = logged_in(size=PHONE)
    for address in ("/calls", "/calls?report=1&start=2026-01-01&end=2099-01-01", "/reports"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
    page.goto("/calls")
    page.get_by_role("link", name="Este ano").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.locator(".call-list tbody a").first.click()
    expect(page.locator(".story-facts")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
