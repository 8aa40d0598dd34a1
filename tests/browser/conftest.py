"""A real browser in front of the running product."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright

from appliance import settings
from appliance.db import db
from appliance.users import password
from appliance.users.model import User, by_login
from tests.build import PASSWORD

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESK, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_browser(app: Flask, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """A window on the product: `open_browser(size)`. A script's mistake or a breach of the security policy fails the test."""
    complaints: list[str] = []
    contexts = []

    def opened(size: dict[str, int] = DESK, **wishes: str) -> Page:
        context = chromium.new_context(base_url=f"http://127.0.0.1:{settings.load().http_port}", viewport=size, **wishes)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda why: complaints.append(str(why)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
        page.on("dialog", lambda asked: asked.accept())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def logged_in(open_browser: Callable[..., Page]) -> Callable[..., Page]:
    """A window where somebody has logged in: `logged_in()` is Carla, the administrator."""

    def entered(login: str = "carla", size: dict[str, int] = DESK, **wishes: str) -> Page:
        user = by_login(login)
        assert isinstance(user, User)
        if user.password == "-":
            user.password = password.hashed(PASSWORD)
        db.session.commit()  # an open transaction of ours would keep the product from writing
        page = open_browser(size, **wishes)
        log_in(page, login, PASSWORD)
        return page

    return entered


@pytest.fixture
def page(logged_in: Callable[..., Page]) -> Page:
    """Carla's window."""
    return logged_in()


def log_in(page: Page, login: str, text: str) -> None:
    page.goto("/login")
    page.get_by_label("Login ou e-mail").fill(login)
    page.get_by_label("Senha").fill(text)
    page.get_by_role("button", name="Entrar").click()
    page.wait_for_url(lambda address: "/login" not in address)
