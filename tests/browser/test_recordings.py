"""Listening to a recording where its call is."""

import re

import pytest
from playwright.sync_api import expect

from appliance.db import db
from tests.recordings.test_recordings import make_recording

pytestmark = pytest.mark.browser


def test_a_recording_is_heard_in_the_row_of_its_call_and_a_click_on_the_waveform_jumps(page):
    """REP-04, EXT-20: listen in the row and on the page of the call; the player seeks."""
    call_id = make_recording(seconds=20).call_id
    db.session.rollback()
    for address in ("/calls?report=1&start=2026-11-20&end=2026-11-20", f"/calls/{call_id}"):
        page.goto(address)
        page.get_by_role("button", name="Ouvir").first.click()
        sound = page.locator("audio")
        expect(sound).to_have_count(1)
        page.wait_for_function("() => document.querySelector('audio').duration > 19")
        wave = page.locator("[data-wave]")
        box = wave.bounding_box()
        wave.click(position={"x": box["width"] * 0.75, "y": box["height"] / 2})
        page.wait_for_function("() => document.querySelector('audio').currentTime > 14")
        assert page.evaluate("() => document.querySelector('audio').currentTime") < 18
        expect(page.locator(".wave-at")).not_to_have_attribute("width", "0")


def test_a_link_is_made_beside_the_player(page):
    """EXT-20: a signed link, shown once."""
    call_id = make_recording(seconds=3).call_id
    db.session.rollback()
    page.goto(f"/calls/{call_id}")
    page.get_by_role("button", name="Ouvir").first.click()
    page.get_by_role("button", name="Criar link").click()
    expect(page.locator(".player-link input")).to_have_value(re.compile(r"^http.*/listen/.+"))
