"""Jobs: tried again, seen on their page, never lost with a killed worker (SYS-18)."""

import importlib
import os
import signal
import time

import pytest
from rq.job import JobStatus

from appliance import lanes, settings, supervisor
from appliance.calls.model import Call
from appliance.db import db
from appliance.errors import Busy
from appliance.lanes import Outgoing
from appliance.processes import PROCESSES
from appliance.recordings import files
from appliance.recordings.model import READY, WAITING, Recording
from jobs import minute
from jobs.cron import Cron
from jobs.timetable import EACH_MINUTE, TIMETABLE
from tests.recordings.test_recordings import make_recording
from tests.visitor import person, text_of
from web.jobs import TITLES

JOB = "outbox-7-1"


@pytest.fixture(autouse=True)
def _empty_lanes(app):
    """No jobs of other tests."""
    for name in lanes.LANES:
        lanes.lane(name).delete(delete_jobs=True)
    yield
    for name in lanes.LANES:
        for job in lanes.state()[list(lanes.LANES).index(name)].failed:
            lanes.forget(job.id)


def wait(until, seconds=30):
    """Until something is true; nothing of ours stays open meanwhile."""
    end = time.monotonic() + seconds
    while not until():
        db.session.rollback()
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)
    db.session.rollback()


def failed_job(function="jobs.recordings.verify", row=1):
    """A job that failed for good, with a reason that needs escaping."""
    job = lanes.lane("reports").enqueue("jobs.nothing.here", "<b>7</b>", job_id=f"{JOB}{row}", failure_ttl=600)
    wait(lambda: job.get_status(refresh=True) == JobStatus.FAILED)
    return job


def test_every_function_of_the_timetable_and_of_the_titles_exists_and_has_words():
    """SYS-18: reading the table is reading what runs."""
    for name in {timed.function for timed in TIMETABLE} | set(TITLES) | set(EACH_MINUTE):
        module, _dot, function = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function)), name
    assert {timed.function for timed in TIMETABLE} <= set(TITLES)
    assert all(timed.lane in lanes.LANES and bool(timed.every_seconds) != bool(timed.at) for timed in TIMETABLE)


def test_what_ends_badly_in_a_minute_keeps_none_of_the_others_from_its_turn(app, monkeypatch):
    """SYS-18: each is tried; a mistake is told with its reason, what waits for Asterisk is not a failure."""
    had = []

    def away(_id):
        had.append("away")
        raise Busy("Asterisk does not answer")

    def wrong(_id):
        had.append("wrong")
        raise ValueError("seven")

    monkeypatch.setattr("jobs.addresses.put", away)
    monkeypatch.setattr("jobs.company.put_least", wrong)
    monkeypatch.setattr("jobs.upkeep.look_at_ports", lambda _id: had.append("last"))
    with pytest.raises(minute.NotAllDone) as told:
        minute.run()
    assert had == ["away", "wrong", "last"] and str(told.value) == "jobs.company.put_least: ValueError: seven"
    monkeypatch.setattr("jobs.company.put_least", lambda _id: None)
    minute.run()
    minute.run()


def test_the_page_shows_a_failed_job_with_its_reason_and_tries_it_again(carla):
    """SYS-18: state and errors on a page, retry; what a job was given is escaped."""
    job = failed_job()
    page = carla.get("/jobs")
    assert "jobs.nothing.here" in page.text and "&lt;b&gt;7&lt;/b&gt;" in page.text and "<b>7" not in page.text
    assert "ValueError: Invalid attribute name: here" in text_of(page) and "Pelo relógio" in page.text
    assert carla.send(f"/jobs/{job.id}/retry").status_code == 302
    wait(lambda: job.get_status(refresh=True) == JobStatus.FAILED and job.id in [one.id for one in lanes.state()[2].failed])
    assert carla.send(f"/jobs/{job.id}/forget").status_code == 302
    assert carla.send(f"/jobs/{job.id}/forget").status_code == 404 and carla.send("/jobs/x/retry").status_code == 404
    assert lanes.state()[2].failed == []


def test_nobody_without_the_right_sees_or_touches_jobs(client):
    """SYS-18: page, part, retry and removal are refused."""
    job = failed_job(row=2)
    david = person(client, "david", access_level="manager", modules=["reports", "recordings"])
    assert [david.get(path).status_code for path in ("/jobs", "/jobs/_lanes")] == [403, 403]
    assert [david.send(f"/jobs/{job.id}/{what}").status_code for what in ("retry", "forget")] == [403, 403]
    assert [one.id for one in lanes.state()[2].failed] == [job.id]


def test_a_job_that_fails_is_tried_again_after_a_pause_and_then_waits_for_a_person(app, monkeypatch):
    """SYS-18: 30 s, 2 min, 10 min; here without the waiting."""
    monkeypatch.setattr(lanes, "AGAIN_SECONDS", [1, 1, 1])
    lanes.put("default", "jobs.recordings.nothing", 1)
    db.session.commit()
    assert lanes.relay() == 1

    def given_up():
        return [job for job in lanes.state()[1].failed if job.func_name == "jobs.recordings.nothing"]

    wait(given_up, 150)
    job, = given_up()
    assert job.retries_left == 0
    lanes.forget(job.id)


@pytest.mark.database
def test_what_is_due_is_put_once_while_it_waits(app):
    """SYS-18: timed jobs do not pile up while nobody works."""
    Cron.app = app
    cron = Cron(connection=lanes.connection())
    from jobs.retention import forget_old

    timed = cron.register(forget_old, "default", interval=1)
    cron.enqueue_jobs()
    timed.next_enqueue_time = timed.latest_enqueue_time = None
    cron.enqueue_jobs()
    name, lane = "jobs.retention.forget_old", lanes.state()[1]  # the home's own clock puts other jobs meanwhile
    waiting = db.session.query(Outgoing).filter_by(function=name).count() + sum(job.func_name == name for job in (*lane.waiting, *lane.running))
    db.session.rollback()
    assert waiting <= 1
    wait(lambda: not lanes.is_waiting() and lanes.lane("default").count == 0)


def test_a_recording_whose_worker_was_killed_is_ready_in_the_end(app):
    """SYS-18: kill -9 of the worker and of what runs under it in the middle of the work; nothing is done twice."""
    recording = make_recording(seconds=600, converted=False)
    recording_id = recording.id
    lanes.put("default", "jobs.recordings.convert", recording_id)
    db.session.commit()
    lanes.relay()
    wait(lambda: lanes.state()[1].running or db.session.get_one(Recording, recording_id).state == READY)
    pid = supervisor.read_state(settings.load())["worker"].pid
    os.killpg(pid, signal.SIGKILL)
    wait(lambda: (found := supervisor.read_state(settings.load())["worker"].pid) != pid and found)
    if db.session.get_one(Recording, recording_id).state == WAITING:
        db.session.rollback()
        assert files.forgotten() == [recording_id]  # what the timetable asks for every three minutes
        db.session.rollback()
        lanes.put("default", "jobs.recordings.convert_forgotten", 0)
        db.session.commit()
        lanes.relay()
    db.session.rollback()
    wait(lambda: db.session.get_one(Recording, recording_id, populate_existing=True).state == READY, 60)
    recording = db.session.get_one(Recording, recording_id)
    assert recording.place == 1 and recording.seconds == 600 and db.session.get_one(Call, recording.call_id).recording_count == 1


def test_a_worker_that_redis_forgot_says_that_it_is_there(app):
    """SYS-18: an emptied Redis must not make a working worker unknown to the page and to `status`."""
    machine = settings.load()
    for name in ("worker", "reports", "cron"):
        process = next(one for one in PROCESSES if one.name == name)
        pid = supervisor.read_state(machine)[name].pid
        wait(lambda process=process, pid=pid: process.answers(machine, pid))
    redis = lanes.connection()
    for key in [*redis.keys("rq:worker*"), *redis.keys("rq:cron*")]:
        redis.delete(key)
    for name in ("worker", "reports", "cron"):
        process = next(one for one in PROCESSES if one.name == name)
        wait(lambda process=process, name=name: process.answers(machine, supervisor.read_state(machine)[name].pid))
    assert redis.keys("rq:worker:*") and redis.keys("rq:cron*")
