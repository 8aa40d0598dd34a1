"""Khomp in a real browser: the form changes with the protocol, the picker of channels, the page of boards (browser, pbx)."""

import pytest
from playwright.sync_api import expect

from appliance.db import db
from appliance.resource import TABLE
from tests.browser.conftest import PHONE
from tests.khomp.conftest import driver, network, no_driver_stays  # noqa: F401  the stand-in and its lines
from tests.khomp.test_story import board, line
from tests.story.conftest import pbx, phone, phones  # noqa: F401  the fixtures of a story

pytestmark = [pytest.mark.browser, pytest.mark.pbx]


def box(page, name):
    return page.locator(f'input[name=channels][value="{name}"]')


def test_the_form_changes_with_the_protocol_and_channels_are_picked(logged_in, pbx):  # noqa: F811
    """TRK-04, TRK-17: the name stays; a channel of another trunk can be seen and not chosen; none is refused; a link at once."""
    board()
    board(1, "EBS-E1-SPX", 60)
    line("Loja", channels=["b0c1"])
    db.session.commit()
    page = logged_in()
    page.goto("/trunks/new")
    page.get_by_label("Nome", exact=True).fill("Linhas")
    expect(page.locator("#field-host")).to_be_visible()
    expect(page.locator("#field-channels")).to_be_hidden()
    page.locator("#host").fill("10.0.0.9")
    page.locator("#protocol").select_option("khomp")
    expect(page.locator("#field-host")).to_be_hidden()
    expect(page.locator("#field-authentication")).to_be_hidden()
    expect(page.locator("#field-channels")).to_be_visible()
    expect(page.get_by_label("Nome", exact=True)).to_have_value("Linhas")
    expect(box(page, "b0c1")).to_be_disabled()
    expect(page.locator("#field-channels")).to_contain_text("usado pelo tronco Loja: 1")
    page.locator("[data-save]").click()
    expect(page.locator("#field-channels")).to_contain_text("Escolha pelo menos um canal.")
    expect(page.locator("#protocol")).to_have_value("khomp")
    box(page, "b0c3").check()
    page.locator("fieldset", has_text="Link 1").get_by_role("button", name="todos / nenhum").click()
    page.locator("#allocation").select_option("cyclic_descending")
    page.locator("[data-save]").click()
    page.wait_for_url(lambda address: not address.endswith("/new"))
    found = TABLE["trunks"].find("Linhas")
    assert found.channels == ["b0c3", *(f"b1c{number}" for number in range(30, 60))] and found.allocation == "cyclic_descending"
    assert found.host == ""
    db.session.rollback()
    expect(box(page, "b1c30")).to_be_checked()
    page.locator("#protocol").select_option("sip")
    expect(page.locator("#field-host")).to_be_visible()
    expect(page.locator("#field-channels")).to_be_hidden()


def test_the_page_of_boards_shows_lines_as_they_are(logged_in, pbx, phone, driver, network):  # noqa: F811
    """TRK-17, TRK-06: a channel that is taken turns at once, links and alarms stand beside; also on a telephone."""
    from tests.khomp.test_story import caller

    board()
    board(1, "EBS-E1-SPX", 60)
    line()
    ana = caller()
    pbx.apply()
    page = logged_in()
    page.goto("/khomp_boards")
    channel = page.locator('[data-channel="b0c0"]')
    expect(channel).to_have_attribute("data-state", "free", timeout=40_000)
    expect(channel).to_have_attribute("title", "b0c0: livre · EBS · kcsFree:kfxsEnable")
    expect(page.locator("#khomp-driver")).to_contain_text("O driver da Khomp responde")
    expect(page.locator("#khomp-board-1 .khomp-links")).to_contain_text("Link 1: bom")
    call = phone(ana).call("033334444").wait_answered()
    expect(channel).to_have_attribute("data-state", "busy", timeout=15_000)
    call.hang_up()
    driver.alarm("b1c31")
    expect(page.locator("#khomp-board-1 .khomp-links")).to_contain_text("Link 1: SignalLost", timeout=15_000)
    small = logged_in(size=PHONE)
    small.goto("/khomp_boards")
    assert small.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
