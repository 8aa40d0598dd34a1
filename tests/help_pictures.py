"""The pictures of the help: `PYTHONPATH=. python -m tests.help_pictures` goes through the assistant on an empty home, then through the
bakery's pages, and writes web/static/help/NAME.LANGUAGE.jpg. No test; run it after the look has changed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import pictures
from tests.carrier import REGISTRAR, Carrier
from tests.homes import environment, free_ports
from tests.phones import Phones

FOLDER = Path(__file__).parents[1] / "web" / "static" / "help"
SIZE, QUALITY = {"width": 1000, "height": 560}, 52
LANGUAGES = {"pt_BR": "pt-BR", "en": "en"}
PASSWORD = "Estrela@2026x"
PAGES = {
    "now": "/", "extension_classes": "/extension_classes/1", "pickup_groups": "/pickup_groups", "dialing_profiles": "/dialing_profiles",
    "extensions": "/extensions", "trunks": "/trunks/1", "inbound_routes": "/inbound_routes/1", "outbound_routes": "/outbound_routes/1",
    "internal_routes": "/internal_routes/1", "users": "/users", "cost_centres": "/cost_centres", "calls": "/calls", "reports": "/reports",
    "recordings": "/recordings", "recording_policy": "/recording_policy", "company": "/company", "sip": "/sip", "revisions": "/revisions",
    "jobs": "/jobs", "audit": "/audit", "queues": "/queues/1", "moh_classes": "/moh_classes/1", "missed_calls": "/missed_calls?state=all",
}


def main() -> None:
    """Everything, in about a minute and a half."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=pictures.QUIET)
        with home() as machine:
            of_the_assistant(browser, machine)
        with home() as machine:
            pictures.fill()
            of_the_pages(browser, machine)
        browser.close()


@contextmanager
def home() -> Iterator[object]:
    from appliance import front_door, settings

    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    os.environ.update(environment(folder / "home"))
    machine = settings.load()
    front_door.up(machine, print)
    try:
        yield machine
    finally:
        front_door.down(machine)
        shutil.rmtree(folder, ignore_errors=True)


def opened(browser: Browser, machine) -> Page:
    page = browser.new_context(base_url=f"http://127.0.0.1:{machine.http_port}", viewport=SIZE).new_page()
    page.on("dialog", lambda asked: asked.accept())
    page.context.add_cookies([{"name": "menu", "value": "closed", "url": f"http://127.0.0.1:{machine.http_port}"}])
    return page


def in_both(page: Page, name: str, of: str = "") -> None:
    """The page as it stands, in both languages; `of` is what must be in sight."""
    for language in LANGUAGES:
        token = page.locator("[name=csrf_token]").first.input_value()
        page.request.post(f"/language/{language}", form={"csrf_token": token}, headers={"Referer": page.url})
        page.goto(page.url.partition("#")[0])
        page.wait_for_timeout(600)  # the stream fills in states, a probe answers
        if of:
            page.locator(of).first.scroll_into_view_if_needed()
        page.screenshot(path=FOLDER / f"{name}.{language}.jpg", type="jpeg", quality=QUALITY)
    token = page.locator("[name=csrf_token]").first.input_value()
    page.request.post("/language/pt_BR", form={"csrf_token": token})
    page.goto(page.url.partition("#")[0])


def of_the_assistant(browser: Browser, machine) -> None:
    page, exchange = opened(browser, machine), ("127.0.0.1", machine.sip_port)
    first = (machine.secrets / "first_password").read_text().strip()
    page.goto("/login")
    page.locator("#login, [name=login]").first.fill("admin")
    page.locator("[name=password]").fill(first)
    page.locator("main button").first.click()
    for field, text in (("#old", first), ("#new", PASSWORD), ("#again", PASSWORD)):
        page.locator(field).fill(text)
    page.locator("main button").first.click()
    expect(page.locator(".journey")).to_be_visible()
    in_both(page, "assistant_company")
    page.locator("#name").fill("Padaria Estrela")
    page.locator("#area_code").select_option("48")
    page.locator("[data-save]").click()
    page.wait_for_url("**/extensions")
    for line, name in enumerate(("Ana", "Bruno", "Balcão")):
        page.locator("[name=name]").nth(line).fill(name)
    page.locator("[data-save]").click()
    page.wait_for_url("**/trunk")
    page.goto("/assistant/extensions")
    in_both(page, "assistant_extensions")
    with Phones(exchange=exchange) as phones:
        carrier = phones.keep(Carrier(exchange, free_ports(1)[0], REGISTRAR, "4830139018", "Certa#2026"))
        page.goto("/assistant/trunk")
        for field, text in (("#host", "127.0.0.1"), ("#port-number", str(carrier.port)), ("#username", "4830139018"), ("#password", "Certa#2026")):
            page.locator(field).fill(text)
        page.locator("[data-save]").click()
        expect(page.locator("#probe .good")).to_be_visible()
        in_both(page, "assistant_trunk", "#probe")
        page.goto("/assistant/numbers")
        in_both(page, "assistant_numbers")
        page.locator("[data-save]").click()
        page.wait_for_url("**/phones")
        page.locator("form[action='/assistant/phones/apply'] button").click()
        expect(page.locator(".outcome")).to_be_visible(timeout=30_000)
        page.locator("#phone-1001 button").click()
        ana = phones.phone("1001", page.locator("#password-1001").inner_text())
        page.goto("/assistant/phones")
        in_both(page, "assistant_phones", "#phone-1001")
        page.goto("/assistant/calls")
        page.locator("form[action='/assistant/calls/echo'] button").click()
        call = ana.answer()
        call.media.frequency = 900
        page.wait_for_timeout(1500)
        call.media.press("1")
        expect(page.locator("[data-heard=yes]")).to_be_visible()
        in_both(page, "assistant_calls")
        shutil.copy(FOLDER / "assistant_calls.pt_BR.jpg", pictures.PICTURES / "assistant.jpg")


def of_the_pages(browser: Browser, machine) -> None:
    page = opened(browser, machine)
    page.goto("/login")
    page.locator("[name=login]").fill("ana.souza")
    page.locator("[name=password]").fill(pictures.PASSWORD)
    page.locator("main button").first.click()
    page.wait_for_url(lambda address: "/login" not in address)
    page.locator("form[action='/apply'] button").click()
    expect(page.locator(".outcome")).to_be_visible(timeout=30_000)
    with pictures.calls_in_progress():
        for name, path in PAGES.items():
            page.goto(path)
            in_both(page, name)


if __name__ == "__main__":
    main()
