"""The reports about queues and IVRs in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE
from tests.reports.conftest import place  # noqa: F401
from tests.reports.test_visit_pages import sheet  # noqa: F401

pytestmark = pytest.mark.browser


def test_queues_are_chosen_the_grouping_is_changed_and_the_table_is_taken_home(sheet, page):  # noqa: F811
    """REP-16, REP-20, REP-21: the filters stay while the tabs change; the address is the search."""
    page.goto("/queue_reports")
    page.get_by_label("Início", exact=True).fill("2026-11-10")
    page.get_by_label("Fim", exact=True).fill("2026-11-10")
    page.locator(".boxes summary").first.click()
    page.get_by_label("Suporte").check()
    page.get_by_role("button", name="Gerar relatório").click()
    rows = page.locator(".figures tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Suporte")
    page.get_by_role("link", name="Por hora").click()
    expect(rows).to_have_count(24)
    expect(page.locator(".drawn")).to_be_visible()
    assert re.search(rf"queues={sheet.support.id}\b", page.url) and "by=hour" in page.url
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "filas-hour-2026-11-10.csv"


def test_the_ivr_report_fits_a_phone(sheet, logged_in):  # noqa: F811
    """REP-27: cards instead of a table, nothing to the right of the screen."""
    page = logged_in(size=PHONE)
    page.goto("/ivr_reports?report=1&start=2026-11-10&end=2026-11-10&by=agent")
    expect(page.locator(".figures tbody tr")).to_have_count(4)
    expect(page.get_by_text("00:01:24:269").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
