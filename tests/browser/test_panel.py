"""The page “Agora” in a real browser shows what Asterisk itself says, whatever happens and whatever dies (marked browser, pbx)."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from appliance.db import db
from tests.build import make_extension, make_inbound_route, make_outbound_route, make_profile, make_trunk
from tests.carrier import Carrier
from tests.phones import Phones
from tests.player import RECOVERS_SECONDS, Player, everything_answers
from tests.story.conftest import Exchange, carrier, pbx, phones  # noqa: F401  the fixtures of a story
from tests.truth import shown, truth

pytestmark = [pytest.mark.browser, pytest.mark.pbx]

GONE_MS = 5000.0
SETTLES_SECONDS = 20.0  # when a page that is still wrong counts as wrong
DISTURBANCES = ("events", "live", "empty", "redis", "asterisk", "nginx", "web", "restart")


class Stage:
    """An exchange of six extensions and one trunk in force, a page on it, and the comparison of both."""

    def __init__(self, pbx: Exchange, phones: Phones, carrier: Carrier, logged_in: Callable[..., Page]) -> None:  # noqa: F811
        self.trunk = make_trunk("Operadora", carrier.port, call_limit=10)
        make_outbound_route("Fora", {"mask": "48XXXXXXXXX", "external_line": True, "trunk": "Operadora"},
                            {"mask": "48XXXXXXXX", "external_line": True, "trunk": "Operadora"})  # fmt: skip
        make_profile("Completo", "Fora")
        self.rows = [make_extension(str(2001 + one), name=f"Pessoa {one}", dialing_profile="Completo") for one in range(6)]
        make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "2001"}})
        self.extensions = {row.number: row.name for row in self.rows}
        self.trunks = {f"trunk-{self.trunk.id}": "Operadora"}
        pbx.apply()
        self.pbx, self.carrier = pbx, carrier
        pbx.ask(f"pjsip qualify trunk-{self.trunk.id}")
        self.phones = [phones.phone(row.number, f"secret-{row.number}") for row in self.rows]
        db.session.commit()
        self.page = logged_in()
        self.page.wait_for_selector("#exchange", state="attached")

    def look(self) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """(what Asterisk says, what the page shows)."""
        return truth(self.extensions, self.trunks), shown(self.page)

    def settles(self, after: str, seconds: float = SETTLES_SECONDS) -> None:
        """The page comes to equal Asterisk."""
        ends_at = time.monotonic() + seconds
        while True:
            said, seen = self.look()
            if said is not None and said == seen:
                return
            if time.monotonic() > ends_at:
                raise AssertionError(f"after: {after}\n" + "\n".join(differences(said, seen)))
            time.sleep(0.05)


def differences(said: dict[str, Any] | None, seen: dict[str, Any]) -> list[str]:
    """Where the page differs, each thing on a line."""
    if said is None:
        return ["Asterisk does not answer"]
    lines = [f"{key}: Asterisk {said[key]!r}, page {seen[key]!r}" for key in said if key != "calls" and said[key] != seen[key]]
    lines += [f"only Asterisk: {call}" for call in said["calls"] if call not in seen["calls"]]
    return lines + [f"only the page: {call}" for call in seen["calls"] if call not in said["calls"]]


@pytest.fixture
def stage(pbx: Exchange, phones: Phones, carrier: Carrier, logged_in: Callable[..., Page]) -> Iterator[Stage]:  # noqa: F811
    yield Stage(pbx, phones, carrier, logged_in)


def play(stage: Stage, actions: int, seed: int, disturbances: list[str]) -> int:
    """So many actions, the disturbances spread among them; after how many the page came to equal Asterisk."""
    print(f"panel: seed {seed}, {actions} actions")
    player = Player(seed, stage.phones, stage.carrier)
    at = {int((number + 1) * actions / (len(disturbances) + 1)): name for number, name in enumerate(disturbances)}
    stage.settles("the beginning")
    said: list[str] = []
    for number in range(actions):
        if number in at:
            said.append(player.disturb(at[number]))
            seconds = RECOVERS_SECONDS
        elif number % 12 == 11 and stage.page.locator("#calls > .call").count():
            said.append(end_from_page(stage.page, player.random))
            seconds = SETTLES_SECONDS
        else:
            said.append(player.act())
            seconds = SETTLES_SECONDS
        stage.settles(" / ".join([f"seed {seed}", *said[-6:]]), seconds)
        if number in at:
            everything_answers()
    print(f"panel: {len(said)} actions: " + "; ".join(said))
    return len(said)


def end_from_page(page: Page, chance: random.Random) -> str:
    """A person ends one of the calls on the page, by its button; one that ended by itself meanwhile is let go."""
    names = page.evaluate("[...document.querySelectorAll('#calls > .call')].map(call => call.id)")  # at once: one may end meanwhile
    if not names:
        return "the call ended before the page could end it"
    name = chance.choice(names)
    chosen = page.locator(f"[id='{name}']")
    try:
        said = chosen.locator(".call-who").inner_text(timeout=GONE_MS)
        chosen.locator(".call-end").click(timeout=GONE_MS)
    except PlaywrightTimeout:
        assert not chosen.count(), f"the button of {name} cannot be pressed"
        return f"{name} ended before the page could end it"
    expect(page.locator("#told .alert")).to_be_visible()
    page.evaluate("document.getElementById('told').replaceChildren()")
    return f"the page ends {said}"


def test_the_page_shows_what_asterisk_says_after_each_of_30_random_actions(stage):
    """TRK-06, EXT-28: calls with legs, states, holds and codecs, extensions and trunks, through deaths of every process."""
    assert play(stage, 30, seed=20261120, disturbances=list(DISTURBANCES)) == 30


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_page_shows_what_asterisk_says_after_each_of_2000_random_actions(stage):
    """The same for longer, with a seed of its own each time (printed)."""
    assert play(stage, 2000, seed=random.SystemRandom().randrange(10**9), disturbances=list(DISTURBANCES) * 3) == 2000
