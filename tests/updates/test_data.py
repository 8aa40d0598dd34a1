"""SYS-11: what an update does to a home: a backup that is proved, the rows right before the restart, health as it is, and the rows back."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from appliance import front_door, settings
from appliance.backup_policy import attempts
from appliance.db import db
from appliance.resource import SINGLE_ID, TABLE
from appliance.settings import CHECKOUT
from appliance.updates import data
from appliance.updates.words import NotGood
from tests.build import change, make_extension

PROGRAM = """
    import json, os, sys
    from appliance.schema import downgrade, upgrade
    from appliance import settings, tables
    from appliance.app import bare_app
    from appliance.calls.raw import RecordFile
    from appliance.db import db
    from appliance.updates import data, state
    from appliance.cost_centres.model import CostCentre
    from sqlalchemy import select

    machine = settings.load()
    for folder in (machine.home, machine.secrets, machine.run):
        folder.mkdir(parents=True, exist_ok=True)
    (machine.secrets / "key").write_text("before")

    def names():
        found = sorted(db.session.scalars(select(CostCentre.name)))
        read = [one.offset for one in db.session.scalars(select(RecordFile))]
        db.session.remove()
        return found, read

    def change(name, position):
        db.session.add(CostCentre(name=name, description=""))
        row = db.session.scalar(select(RecordFile)) or RecordFile(kind="cel", inode=1)
        row.offset = position
        db.session.add(row)
        db.session.commit()

    with bare_app().app_context():
        upgrade()
        change("Vendas", 100)
        state.spool(machine)
        heads = data.snapshot(machine)
        assert data.has_same_tables(machine) and heads == data.heads()
        change("Depois", 200)
        assert data.rows_back(machine) is False and names() == (["Depois", "Vendas"], [200]), "same tables: nothing is lost"
        db.session.remove()
        downgrade("-1")  # stands for a version with other tables
        (machine.secrets / "key").write_text("after")
        assert not data.has_same_tables(machine)
        db.session.remove()
        assert data.rows_back(machine) is True
    with bare_app().app_context():
        assert data.heads() == heads and names() == (["Vendas"], [100]), "rows and the place in Asterisk's record files are those of before"
        assert (machine.secrets / "key").read_text() == "before"
        db.session.remove()
        assert data.rows_back(machine) is False, "done again it changes nothing"
        upgrade()
        assert (machine.home / "restored.json").exists(), "the next start applies anew"
    print("good")
"""


@pytest.mark.database
def test_rows_come_back_when_the_tables_differ_and_stay_when_they_do_not(empty_database: str, tmp_path: Path):
    """SYS-11: also the place up to which Asterisk's record files were read, so that calls since then are read again; on both databases."""
    (tmp_path / "home").mkdir(mode=0o700)
    environment = {**os.environ, "BENTEVI_HOME": str(tmp_path / "home"), "BENTEVI_DATABASE_URL": empty_database, "PYTHONPATH": str(CHECKOUT)}
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM)], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert run.stdout.strip().endswith("good"), run.stderr[-3000:]


@pytest.mark.database
def test_the_backup_before_an_update_is_proved_with_and_without_a_place_for_backups(app, tmp_path):
    """SYS-11: without a place the rows and secrets lie beside the home's rows; with one it is an ordinary backup, rehearsed; a place that is
    away stops the update."""
    machine = settings.load()
    make_extension("2001", name="Ana")
    assert data.back_up(machine) == ""
    kept = machine.home / data.KEPT
    assert b"Ana" in (kept / "rows.jsonl").read_bytes() and (kept / "secrets").is_dir() and kept.stat().st_mode & 0o077 == 0
    assert not (machine.home / "backup/stage").exists() and not (machine.home / "updates/proof.sqlite").exists()
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="disk", address=str(tmp_path / "store"))
    assert data.back_up(machine)
    found = attempts.last_good()
    assert found.rehearsal == attempts.GOOD and found.asked_by == "bentevi update"
    (tmp_path / "file").touch()
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="disk", address=str(tmp_path / "file" / "below"))
    with pytest.raises(NotGood) as why:
        data.back_up(machine)
    assert why.value.code == "no_backup" and why.value.values["why"]


def test_a_home_that_is_well_is_confirmed_by_its_own_answers_an_apply_and_the_test_call(app):
    """SYS-11: a running home; then one whose Asterisk does not answer, and one whose test call does not come back."""
    machine = settings.load()
    make_extension("2001", name="Ana")
    data.health(machine, seconds=60, steady_seconds=0.5)
    db.session.rollback()
    assert data.calls_up(machine) == 0
    pid = next(entry["pid"] for entry in front_door.status(machine) if entry["name"] == "asterisk")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(NotGood) as why:
            data.health(machine, seconds=1, steady_seconds=0.5)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert why.value.code == "silent" and "asterisk" in why.value.values["names"]
    change(TABLE["company"].get(SINGLE_ID), canary_number="2999", canary_extension="2001")
    with pytest.raises(NotGood) as why:
        data.health(machine, seconds=60, steady_seconds=0.5)
    assert why.value.code == "test_call"
    change(TABLE["company"].get(SINGLE_ID), canary_number="*43")
    data.health(machine, seconds=60, steady_seconds=0.5)


def test_root_is_told_what_is_not_good_as_one_line(app):
    """SYS-11: `bentevi update-data`, asked by root's side as the home's user."""
    def asked(step):
        return subprocess.run([sys.executable, "-m", "appliance.cli", "update-data", step], cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert asked("calls").stdout.strip() == '{"said": 0}' and asked("same-tables").stdout.strip() in ('{"said": true}', '{"said": false}')
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="disk", address="/proc/nowhere")
    run = asked("backup")
    assert run.returncode == 3 and run.stdout.splitlines()[-1].startswith('{"code": "no_backup"')
    plain = subprocess.run([sys.executable, "-m", "appliance.cli", "update", "start"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert plain.returncode == 2 and "checkout" in plain.stderr
