"""What the worker does: applying on the screen's request, on each save, and what waits while Redis is dead."""

import time

import pytest

from appliance import applying, lanes
from appliance.db import db
from appliance.resource import TABLE
from appliance.revisions.model import DONE, Attempt
from tests.build import company, make_extension
from tests.visitor import form_of

pytestmark = pytest.mark.pbx


def _wait_until_over(attempt_id):
    end = time.monotonic() + 60
    while True:
        attempt = db.session.get(Attempt, attempt_id)
        if attempt.is_over:
            return attempt
        db.session.rollback()  # an open transaction of ours would keep the worker from writing
        assert time.monotonic() < end, "the worker did not take it"
        time.sleep(0.1)


def test_apply_is_done_by_the_worker_and_its_steps_are_kept(pbx, carla):
    """Design: one run applies all pending rows; the page shows the steps."""
    make_extension("1000")
    answer = carla.send("/apply")
    assert answer.status_code == 302
    attempt = _wait_until_over(int(answer.location.rsplit("/", 1)[1]))
    assert attempt.state == DONE and [step["name"] for step in attempt.steps][:3] == ["render", "write", "check"]
    page = carla.get(f"/apply/{attempt.id}").text
    assert f"Em vigor (revisão {attempt.revision})" in page


def test_with_apply_on_save_each_saved_change_goes_into_force(pbx, carla):
    """Design: a setting applies on each save."""
    company(apply_on_save=True)
    values = {"number": "1000", "name": "Ana", "password": "secret-1000", "class": "Padrão", "devices": 1}
    answer = carla.send("/extensions/new", form_of(TABLE["extensions"].fields, values))
    assert answer.status_code == 302 and "/apply/" in answer.location
    assert _wait_until_over(int(answer.location.rsplit("/", 1)[1])).state == DONE
    assert "Unable to find" not in pbx.ask("pjsip show endpoint 1000")


def test_a_job_delivered_twice_applies_once(pbx):
    """Only a queued attempt is taken."""
    attempt = applying.now("once")
    assert applying.run(attempt.id).revision == attempt.revision and applying.waiting_restart() == []


def test_what_is_asked_for_and_rolled_back_is_never_handed_over(app):
    """The outbox is filled with the rows' commit."""
    lanes.put("telephony", "jobs.apply.run", 1)
    db.session.rollback()
    assert lanes.relay() == 0
