"""SYS-17: applies killed by -9 at every named point; one complete revision is in force, and rows and page tell the truth."""

import os
import signal
import subprocess
import sys
import time

import pytest

from appliance import applying, changes, settings
from appliance.db import db
from appliance.resource import TABLE
from appliance.revisions.model import FAILED, last_attempt, newest_number
from appliance.telephony import points, store, warm
from tests.build import change, company, make_extension, make_outbound_route, make_profile, make_trunk

pytestmark = pytest.mark.pbx

# The program that dies: an apply whose test call fails (so that it returns), or one that goes through.
DYING = """
import os, signal, sys
from appliance import applying
from appliance.app import bare_app
from appliance.telephony import points
def die(point):
    print(point, flush=True)
    if point == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
points.listeners.append(die)
with bare_app().app_context():
    {work}
"""
RETURNING = [point for point in points.POINTS if point.startswith(("return", "canary"))]
FORWARD = [point for point in points.POINTS if point not in RETURNING]


def die_at(point: str, work: str = "applying.now('killed')") -> list[str]:
    """Run it in a process of its own that kills itself there; the points it passed."""
    db.session.rollback()
    child = subprocess.run([sys.executable, "-c", DYING.format(work=work), point], env=dict(os.environ), cwd=settings.CHECKOUT,
                           capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert child.returncode == -signal.SIGKILL, f"{point} was not reached: {child.stdout}\n{child.stderr}"
    return child.stdout.split()


def wait_warm() -> None:
    """Until the shadow is kept on the revision in force."""
    ends_at = time.monotonic() + 60
    while warm.offered(settings.load()) != store.in_force(settings.load()):
        assert time.monotonic() < ends_at, (settings.load().log / "proving.log").read_text()[-3000:]
        time.sleep(0.05)


def complete_and_true(pbx, carla, names: dict[int, str]) -> None:
    """Right after the death, and after what the next start does: `names` is revision → name of extension 1000 in it."""
    machine = settings.load()
    linked = store.in_force(machine)
    files = store.files_of(machine, linked)
    assert names[linked] in files["bentevi/extensions.pjsip.conf"] and files["asterisk.conf"].startswith("; template")
    applying.recover()
    number = newest_number()
    assert store.in_force(machine) == number and store.files_of(machine, number)
    assert names[number] in pbx.ask("pjsip show endpoint 1000")
    pending = changes.pending()
    attempt = last_attempt()
    row = TABLE["extensions"].find("1000")
    assert bool(pending) == (f'"{row.name}"' != names[number])
    assert attempt.is_over and (attempt.state == FAILED) == bool(pending)
    db.session.rollback()
    assert not list(machine.revisions.glob("*.new")) and not (machine.revisions / "applying").exists()
    page = carla.get("/revisions").text
    assert f'href="/revisions/{number}"' in page and f'href="/revisions/{number + 1}"' not in page
    assert ('class="pending-words"' in page) == bool(pending)


@pytest.fixture
def exchange(pbx, carla):
    """An extension, a route and a trunk in force; a test call that finds nobody is wanted for each change of a route."""
    trunk = make_trunk("A", 5999, qualify=False)
    make_outbound_route("Local", {"mask": "9XXXXXXXX", "trunk": "A"})
    make_extension("1000", name="Nome 0", dialing_profile=make_profile("Completo", "Local").name)
    pbx.apply()
    company(canary_number="*99", canary_extension="1000")
    pbx.apply()
    return trunk


@pytest.mark.parametrize("chosen", [
    pytest.param([*FORWARD[::4], *RETURNING[::3]], id="some"),
    pytest.param([*FORWARD, *RETURNING] * 3, id="all", marks=[pytest.mark.long, pytest.mark.timeout(3600)]),
])
def test_killed_at_every_point_of_an_apply(pbx, carla, exchange, chosen):
    """Each rename, reload and commit, before and after; what was reached is printed."""
    reached: dict[str, int] = {}
    count = 0
    for point in chosen:
        before, count = newest_number(), count + 1
        old = TABLE["extensions"].find("1000").name
        names = {before: f'"{old}"', before + 1: f'"Nome {count}"'}
        change(TABLE["extensions"].find("1000"), name=f"Nome {count}")
        if point in RETURNING:
            change(exchange, caller_id=f"48{count:08d}")
        db.session.rollback()
        wait_warm()
        passed = die_at(point)
        assert passed[-1] == point
        reached[point] = reached.get(point, 0) + 1
        complete_and_true(pbx, carla, names)
        if changes.pending():
            company(canary_number="", canary_extension="")
            pbx.apply()
            company(canary_number="*99", canary_extension="1000")
            pbx.apply()
    print("killed at: " + ", ".join(f"{point} {number}" for point, number in reached.items()))
    assert set(reached) == set(chosen)
