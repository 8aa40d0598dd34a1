"""The page of backups, its settings and API; the clock; the rehearsal and what it says on the start page; alarms."""

import contextlib
import shutil
import subprocess
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from appliance import alarms, settings
from appliance import db as ground
from appliance.backup_policy import attempts
from appliance.backup_policy.attempts import BAD, DONE, FAILED, GOOD, Backup
from appliance.backups import rehearsal, take
from appliance.backups.destination import ASKPASS, Destination
from appliance.db import db
from appliance.errors import Busy
from appliance.recordings import files
from appliance.recordings.model import Recording
from appliance.resource import SINGLE_ID, TABLE
from jobs import backups as jobs
from jobs import upkeep
from tests.build import change, make_extension
from tests.recordings.test_recordings import make_recording
from tests.visitor import person, text_of


@pytest.fixture
def store(app, tmp_path):
    """A folder of this machine as the place of backups."""
    shutil.rmtree(files.folder(), ignore_errors=True)
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="disk", address=str(tmp_path / "store"))
    return tmp_path / "store"


def made(**values):
    """A row of an attempt."""
    now = ground.now()
    backup = Backup(**{"state": DONE, "at": now, "beat_at": now, "ended_at": now, "snapshot": "ab" * 32} | values)
    db.session.add(backup)
    db.session.commit()
    return backup


def codes():
    return {alarm.code for alarm in alarms.active()}


def test_the_page_leads_from_nothing_to_a_backup_made_by_the_worker(carla, store):
    """SYS-20: no place, a place, “back up now”, its line with size and time; the password is shown only when asked for, and who looked is noted."""
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="none")
    assert "Escolher um lugar" in text_of(carla.get("/backups"))
    carla.send("/backups", {})
    assert "Ainda não há um lugar" in text_of(carla.get("/backups"))
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="disk", address=str(store))
    secret = TABLE["backup_policy"].get(SINGLE_ID).encryption_password
    make_extension("2001", name="Ana")
    page = carla.get("/backups")
    assert "próprio disco da central" in text_of(page) and secret not in page.text and len(secret) >= 12
    carla.send("/backups", {})
    carla.send("/backups", {})
    ends_at = time.monotonic() + 60
    while (rows := carla.api("GET", "/api/v1/backups").json["rows"])[0]["state"] in ("waiting", "running"):
        assert time.monotonic() < ends_at, rows
        time.sleep(0.2)
    assert len(rows) == 1 and rows[0]["state"] == "done" and rows[0]["asked_by"] == "Carla" and rows[0]["rows"] > 5, rows
    assert (store / "config").exists() and not (settings.load().home / "backup" / "stage").exists()
    page = text_of(carla.get("/backups"))
    assert "completo" in page and "não ensaiado" in page
    assert secret in carla.send("/backups/password", {}).text
    assert "viu a senha de" in text_of(carla.get("/audit")) and secret not in carla.get("/audit").text
    assert secret not in carla.api("GET", "/api/v1/backup_policy").text and secret not in carla.get("/backup_policy").text


def test_only_who_may_sees_backups_and_their_password(client, store):
    """SYS-20: page, part, API, password, key and bundle ask for the permission on the server."""
    davi = person(client, "davi.lima", modules=["extensions"])
    for path in ("/backups", "/backups/_rows", "/api/v1/backups", "/backup_policy"):
        assert davi.get(path).status_code == 403, path
    bruno = person(client, "bruno.lima", modules=["backups"])
    assert bruno.get("/backups").status_code == 200
    for path in ("/backups/password", "/backups/key", "/backups/bundle"):
        assert bruno.send(path, {}).status_code == 403, path


@pytest.mark.parametrize("kind,address", [
    ("disk", "srv/backup"), ("disk", "/srv/../etc"), ("sftp", "host"), ("sftp", "host:x/y"), ("sftp", "-oProxyCommand=x/y"), ("sftp", "ho st/x"), ("s3", "ftp://x/y"),
    ("s3", "https://user:pass@x/y"), ("usb", "/media/a b"), ("disk", "/srv/a;b"), ("disk", "HOME/backups"), ("disk", "/"),
])
def test_an_address_that_does_not_fit_is_refused_at_its_field(carla, store, kind, address):
    """SYS-20: nothing a shell, ssh or restic could read as anything else; not within the home."""
    address = address.replace("HOME", str(settings.load().home))
    said = carla.api("PATCH", "/api/v1/backup_policy", {"kind": kind, "address": address, "username": "x"})
    assert said.status_code == 422 and "address" in said.json["fields"], said.text


def test_the_clock_asks_once_a_day_makes_up_for_what_was_missed_and_tries_again(store):
    """SYS-20: at the hour of the settings in the company's zone; a failed one again after half an hour, four times at most."""
    policy, now = TABLE["backup_policy"].get(SINGLE_ID), ground.now()
    hour = jobs.last_hour(policy.time, now)
    assert hour <= now < hour + timedelta(days=1) and f"{hour:%H:%M}" == policy.time
    assert jobs._is_due(hour, now), "none was made since"
    first = made(at=hour + timedelta(seconds=1))
    assert not jobs._is_due(hour, now)
    first.state, first.ended_at = FAILED, now - timedelta(minutes=10)
    db.session.commit()
    assert not jobs._is_due(hour, now), "a moment ago"
    first.ended_at = now - timedelta(minutes=31)
    db.session.commit()
    assert jobs._is_due(hour, now)
    for _number in range(3):
        made(at=hour + timedelta(seconds=1), state=FAILED, ended_at=now - timedelta(minutes=31))
    assert not jobs._is_due(hour, now), "four times a night are enough"


def test_an_old_backup_and_a_failed_one_are_alarms_until_a_good_one_comes(store, carla):
    """SYS-20: two days; and the alarm goes by itself."""
    made(at=ground.now() - timedelta(days=3))
    made(at=ground.now() - timedelta(hours=1), state=FAILED)
    made(at=ground.now() - timedelta(minutes=1), state=FAILED)
    jobs.look()
    assert codes() == {"backup_old"} and "tem 3 dias" in carla.get("/").text
    store.write_text("a file where a folder should be")
    backup = attempts.new("Carla")
    db.session.commit()
    assert take.run(backup.id) is False
    assert codes() == {"backup_old", "backup_failed"} and "não pode ser usada" in db.session.get(Backup, backup.id).reason
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="none")
    jobs.look()
    assert codes() == set(), "nobody wants backups any more"


def test_a_disk_nine_tenths_full_is_an_alarm(carla):
    """SYS-20: a notice on the start page, until there is room again."""
    upkeep.look_at_disk(0, 91)
    assert codes() == {"disk_full"} and "91 % cheio" in text_of(carla.get("/"))
    upkeep.look_at_disk(0, 89)
    assert codes() == set()


def test_a_killed_one_says_so_and_two_at_a_time_are_refused(store):
    """SYS-20: its row does not say for ever that it is being made."""
    made(state="running", beat_at=ground.now() - timedelta(hours=1), ended_at=None, snapshot="")
    attempts.give_up_silent()
    db.session.commit()
    assert attempts.newest()[0].state == FAILED
    with take.alone(), pytest.raises(Busy):
        take.run(attempts.newest()[0].id)


@pytest.mark.database
def test_the_rehearsal_restores_compares_and_tells_on_the_start_page(store, carla, new_database):
    """SYS-20: rows into a scratch database, sealed passwords opened with the key of the backup, recordings against their seals; a bad one is an
    alarm, a good one takes it back."""
    make_extension("2001", name="Ana")
    good = make_recording(1)
    make_recording(2)
    backup = attempts.new("")
    db.session.commit()
    jobs.run(backup.id)
    assert db.session.get(Backup, backup.id).state == DONE, db.session.get(Backup, backup.id).reason
    jobs.rehearse(backup.id)
    assert (db.session.get(Backup, backup.id).rehearsal, db.session.get(Backup, backup.id).rehearsal_reason) == (GOOD, "")
    page = text_of(carla.get("/"))
    assert "restaurado e comparado em" in page and "o último completo é de" in page
    assert not list((settings.load().home / "backup").glob("rehearsal-*")), "nothing in clear is left"
    file = files.folder() / db.session.get(Recording, good.id).name
    kept = file.read_bytes()
    file.unlink()
    second = attempts.new("")
    db.session.commit()
    jobs.run(second.id)
    file.write_bytes(kept)
    jobs.rehearse(second.id)
    assert db.session.get(Backup, second.id).rehearsal == BAD and "Faltam 1 gravações" in db.session.get(Backup, second.id).rehearsal_reason
    assert codes() == {"backup_rehearsal"} and "falhou" in text_of(carla.get("/"))
    jobs.rehearse(backup.id)
    assert codes() == set()
    newest = attempts.newest()[0]
    assert newest.added_bytes < db.session.get(Backup, backup.id).added_bytes


@contextlib.contextmanager
def impatient():
    """Who wants to write gives up waiting for the lock after a fifth of a second."""
    say = "PRAGMA busy_timeout=200" if db.engine.dialect.name == "sqlite" else "SET lock_timeout='200ms'"

    def checked_out(connection, _record, _proxy):
        connection.execute(say)

    db.session.rollback()
    event.listen(db.engine, "checkout", checked_out)
    try:
        yield
    finally:
        event.remove(db.engine, "checkout", checked_out)
        db.session.rollback()
        db.engine.dispose()


@contextlib.contextmanager
def writer(seconds=3600.0):
    """Somebody else who writes so long, or until the end of this block."""
    locked, over = threading.Event(), threading.Event()

    def write(engine):
        with engine.connect() as connection:
            connection.begin()
            locked.set()
            over.wait(seconds)
            connection.rollback()

    thread = threading.Thread(target=write, args=[db.engine])
    thread.start()
    try:
        assert locked.wait(20)
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.database
def test_a_database_that_is_locked_for_a_while_spoils_neither_a_backup_nor_its_rehearsal(store, monkeypatch):
    """SYS-20: hours of carrying are not given up because another writes for a moment; a rehearsal that cannot be noted says nothing of the backup."""
    number = attempts.new("").id
    db.session.commit()
    with contextlib.ExitStack() as writers, impatient():
        assert take.run(number, lambda step, _percent: step == attempts.TIDYING and writers.enter_context(writer(1.5)))
        writers.close()
        with writer(1.5):
            assert rehearsal.run(number)
        assert db.session.get(Backup, number).rehearsal == GOOD
        monkeypatch.setattr(ground, "PATIENCE_SECONDS", 1)
        db.session.rollback()
        with writer(), pytest.raises(OperationalError):
            rehearsal.run(number)
    assert db.session.get(Backup, number).rehearsal == GOOD and codes() == set()


@pytest.mark.database
def test_a_sign_of_life_is_left_out_while_the_database_is_locked(store):
    number = attempts.new("").id
    db.session.commit()
    with impatient():
        with writer():
            take.beat(number, progress=50)
        assert db.session.get(Backup, number).progress == 0
        db.session.rollback()
        take.beat(number, progress=50)
    assert db.session.get(Backup, number).progress == 50


def test_the_askpass_program_says_the_password_of_its_environment():
    """SYS-20: ssh asks it, so the password stands in no command line."""
    where = Destination("sftp", "host:2222//srv/x", "e" * 12, "ana", "segredo-sftp")
    said = subprocess.run([str(ASKPASS)], env=where.environment(), capture_output=True, text=True, check=True).stdout
    assert said == "segredo-sftp\n" and "segredo" not in " ".join(where.options()) + where.repository + repr(where)
    assert where.repository == "sftp:ana@host:/srv/x" and Path(ASKPASS).stat().st_mode & 0o111
