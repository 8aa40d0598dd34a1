"""Backups of real homes into real stores, and back onto another home and the other database; whatever goes wrong meanwhile."""

import json
import os
import subprocess
import sys

import pytest
from sqlalchemy import create_engine, text

from appliance.settings import CHECKOUT
from tests.backups.conftest import PASSWORD, PASSWORD_THERE, Bare, Kept, killed_at

NEXT_ROW = "INSERT INTO cost_centres (id, name, description) VALUES (950, 'Novo', 'depois')"


def address_of(server, place):
    file = place / "address"
    file.write_text(server.empty().replace("+psycopg", ""))
    return f"file:{file}"


def newest(home):
    """The last attempt, as `backup list --json` tells it."""
    engine = create_engine(home.url)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM backups ORDER BY id DESC LIMIT 1")).mappings().one()
    engine.dispose()
    return dict(row)


def test_over_sftp_everything_comes_back_on_another_home_and_the_other_database(place, sshd, elsewhere):
    """SYS-20: every row of every table by count and digest, ids given out, recordings byte by byte; the second backup adds little; there is no
    secret in any command line or log."""
    host, keys = sshd
    home = Kept(place / "a", kind="sftp", address=f"{host}//{place}/far", username=os.environ.get("USER", "root"))
    refused = home.bentevi("backup", check=False)
    assert refused.returncode == 1 and newest(home)["state"] == "failed", "the other machine does not know the key yet"
    keys.write_text(home.bentevi("backup", "key").stdout)
    before, files = home.rows(), home.files()
    home.bentevi("backup")
    first = newest(home)
    home.bentevi("backup", "now")
    second = newest(home)
    assert first["state"] == second["state"] == "done" and second["added_bytes"] < first["added_bytes"] / 3 and second["size_bytes"] > 800_000
    new = Bare(place / "b")
    words = ("--from", "sftp", "--address", f"{host}//{place}/far", "--username", os.environ.get("USER", "root"), "--yes", "--json")
    keys.write_text(keys.read_text() + new.bentevi("backup", "key").stdout)
    report = json.loads(new.bentevi("restore", *words, "--database", address_of(elsewhere, place)).stdout)
    assert new.kind == "postgresql" and report["rows"] == second["row_count"]
    assert {table["name"]: table["backup"] for table in report["difference"]["tables"]}["calls"] == 3
    assert new.rows() == before and new.files() == files
    listed = json.loads(new.bentevi("backup", "list", "--json").stdout)["backups"][0]
    assert (listed["state"], listed["snapshot"]) == ("done", report["snapshot"]), "here it is no longer being made"


def test_a_dry_run_opens_the_place_and_writes_nothing(place):
    """SYS-19, SYS-20: how many backups are there, what would go into one, and what is wrong with the place."""
    home = Kept(place / "a")
    planned = json.loads(home.bentevi("backup", "now", "--dry-run", "--json").stdout)["backup"]
    assert planned["is_new"] and planned["file_bytes"] > 800_000 and not (place / "store").exists()
    assert "would back up the rows" in home.bentevi("backup", "now", "--dry-run").stdout
    home.bentevi("backup")
    held, made = files_below(place / "store"), newest(home)
    planned = json.loads(home.bentevi("backup", "now", "--dry-run", "--json").stdout)["backup"]
    assert (planned["is_new"], planned["backups_there"]) == (False, 1)
    assert files_below(place / "store") == held and newest(home) == made
    home.policy(encryption_password="another-password")
    refused = home.bentevi("backup", "now", "--dry-run", check=False)
    assert refused.returncode and "password" in refused.stderr.lower() and "another-password" not in refused.stderr
    home.policy(kind="none", address="")
    assert "Ainda não há um lugar" in home.bentevi("backup", "now", "--dry-run", check=False).stderr


def files_below(folder):
    return sorted(str(file) for file in folder.rglob("*") if file.is_file())


@pytest.mark.long
def test_over_sftp_with_a_password_and_a_wrong_one_is_told(place, asking_sshd):
    """SYS-20: the password is in no command line and no output; with a wrong one nothing is stored and the next try with the right one is good."""
    host, told = asking_sshd
    home = Kept(place / "a", kind="sftp", address=f"{host}//{place}/far", username="ana", password="errada-9")
    refused = home.bentevi("backup", check=False)
    assert refused.returncode == 1 and newest(home)["state"] == "failed" and not (place / "far").exists()
    assert set(told) == {"errada-9"} and "errada-9" not in refused.stdout + refused.stderr + str(newest(home))
    home.policy(password=PASSWORD_THERE)
    before, files = home.rows(), home.files()
    said = home.bentevi("backup")
    assert newest(home)["state"] == "done" and told[-1] == PASSWORD_THERE and PASSWORD_THERE not in said.stdout + said.stderr
    new = Bare(place / "b")
    new.environment |= {"BENTEVI_BACKUP_FAR_PASSWORD": PASSWORD_THERE}
    new.bentevi("restore", "--from", "sftp", "--address", f"{host}//{place}/far", "--username", "ana", "--yes")
    assert new.rows() == before and new.files() == files


@pytest.mark.long
def test_through_s3_an_existing_home_becomes_what_the_backup_holds_and_what_it_was_is_kept(place, s3):
    """SYS-20: with an S3-compatible store; the report names every table that differs; rows and files of before lie beside, whole."""
    home = Kept(place / "a", kind="s3", address=f"{s3}/padaria/central", username="chave", password="segredo-do-s3")
    home.bentevi("backup")
    before, files = home.rows(), home.files()
    home.python("-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.execute('DELETE FROM tokens'); c.commit()",
                str(home.folder / "bentevi.sqlite"), NEXT_ROW)  # fmt: skip
    (home.folder / "recordings/2026/11/20/000000001.mp3").unlink()
    (home.folder / "recordings/2026/11/22").mkdir()
    (home.folder / "recordings/2026/11/22/000000003.mp3").write_bytes(b"later")
    after = home.rows()
    found = json.loads(home.bentevi("restore", "--dry-run", "--json").stdout)["difference"]
    counts = {table["name"]: (table["here"], table["backup"]) for table in found["tables"] if not table["same"]}
    assert counts["cost_centres"] == (4, 3) and counts["tokens"] == (0, 3) and "calls" not in counts
    assert (found["recordings_here"], found["recordings_backup"], found["recordings_missing"]) == (2, 2, 1) and home.rows() == after
    said = home.bentevi("restore", said="n\n", check=False)
    assert said.returncode != 0 and home.rows() == after, "nothing happens without a yes"
    report = json.loads(home.bentevi("restore", "--yes", "--json").stdout)
    assert home.rows() == before and home.files() == files
    kept = home.folder / report["kept"]
    assert (kept / "bentevi.sqlite").exists() and (kept / "recordings/2026/11/22/000000003.mp3").read_bytes() == b"later"


@pytest.mark.long
def test_a_postgresql_home_is_restored_within_its_own_database(place, elsewhere):
    """SYS-20: the tables of before stay in a schema of their own; the switch is one transaction."""
    home = Kept(place / "a")
    home.bentevi("database", "move", address_of(elsewhere, place))
    before = home.rows()
    home.bentevi("backup")
    name = home.url.split("/")[3].split("?")[0]
    elsewhere.ask("DELETE FROM tokens", name)
    assert home.rows() != before
    home.bentevi("restore", "--yes")
    assert home.kind == "postgresql" and home.rows() == before
    schemas = [schema for (schema,) in elsewhere.ask("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'tokens' ORDER BY 1", name)]
    assert len(schemas) == 2 and schemas[0].startswith("before_restore_") and schemas[1] == "public"
    assert elsewhere.ask(f"SELECT count(*) FROM {schemas[0]}.tokens", name) == [(0,)]


@pytest.mark.parametrize("points", [["calls:"], pytest.param(["restoring rows", "alarms:", "voicemail_messages:", "restoring files"], marks=pytest.mark.long)])
def test_killed_at_any_point_the_home_is_the_old_or_the_new_one_and_the_next_run_goes_on(place, points):
    """SYS-20: kill -9 in the backup and in the restore; nothing that looks whole is half."""
    home = Kept(place / "a")
    assert killed_at(home, "files", "backup"), "killed while files were carried"
    assert newest(home)["state"] == "running" and not list((home.folder / "backup").glob("rehearsal*"))
    home.bentevi("backup")
    assert newest(home)["state"] == "done" and not (home.folder / "backup" / "stage").exists()
    before, files = home.rows(), home.files()
    new = Bare(place / "b")
    words = ("restore", "--from", "disk", "--address", str(place / "store"), "--yes")
    for point in points:
        assert killed_at(new, point, *words), point
        assert not (new.folder / "bentevi.sqlite").exists() and not (new.folder / "recordings").exists(), f"killed at {point} it looked like a home"
    assert killed_at(new, "taking over", *words)
    assert new.bentevi("database", "show").stdout, "any command brings it to its end first"
    assert new.rows() == before and new.files() == files


IN_A_SMALL_DISK = 'mount -t tmpfs -o size={size} tmpfs "$0"; exec "$@"'


def on_a_disk_of(size, folder, home, *words):
    """A command that sees a small disk at `folder`, in a namespace of its own."""
    folder.mkdir(exist_ok=True)
    return subprocess.run(["unshare", "-rm", "sh", "-c", IN_A_SMALL_DISK.format(size=size), str(folder), sys.executable, "-m", "appliance.cli", *words],
                          env=home.environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)  # fmt: skip


@pytest.mark.long
def test_faults_are_told_in_words_and_the_home_stays_as_it_was(place):
    """SYS-20: a disk without room, a disk that is not plugged in, a wrong password, a folder without backups, damage; no message shows a password."""
    disk = place / "usb"
    home = Kept(place / "a", kind="usb", address=f"{disk}/bentevi")
    before = home.rows()
    gone = home.bentevi("backup", check=False)
    assert gone.returncode == 1 and "Nenhum disco USB" in newest(home)["reason"] and not (disk / "bentevi").exists()
    full = on_a_disk_of("300k", disk, home, "backup")
    assert full.returncode == 1 and "Não há mais espaço" in newest(home)["reason"], newest(home)
    store = place / "store"
    kept = Kept(place / "c")
    kept.bentevi("backup")
    new = Bare(place / "b")
    words = ("restore", "--from", "disk", "--address", str(store), "--yes")
    wrong = new.bentevi(*words, check=False, BENTEVI_BACKUP_PASSWORD="outra-senha-9")
    assert wrong.returncode == 2 and "outra senha" in wrong.stderr and "outra-senha-9" not in wrong.stderr
    nothing = new.bentevi("restore", "--from", "disk", "--address", str(place / "empty"), "--yes", check=False)
    assert nothing.returncode == 2 and "Não há backups" in nothing.stderr
    small = on_a_disk_of("900k", place / "small", Bare(place / "small" / "home"), *words)
    assert small.returncode == 1 and "livres" in small.stderr
    for pack in (store / "data").glob("*/*"):
        pack.chmod(0o600)
        data = bytearray(pack.read_bytes())
        data[len(data) // 3] ^= 0xFF
        pack.write_bytes(data)
    damaged = new.bentevi(*words, check=False)
    assert damaged.returncode in (1, 2) and not (new.folder / "bentevi.sqlite").exists(), damaged.stderr
    assert kept.bentevi("backup", "rehearse", check=False).returncode == 1
    assert PASSWORD not in damaged.stderr + full.stderr + str(newest(home))
    assert home.rows() == before


def test_a_backup_of_an_older_version_is_brought_forward_and_one_of_a_newer_version_refused(place):
    """SYS-20: rows go by the names of columns into tables of their version, which are then migrated."""
    home = Kept(place / "a")
    home.python("-c", OLDER)
    old = json.loads((home.folder / "older.json").read_text())
    assert old == {"backups": False, "voice": True}


OLDER = """
import io, json, pathlib
from appliance.schema import downgrade, upgrade
from sqlalchemy import inspect, text
from appliance import settings
from appliance.app import bare_app
from appliance.backups import rows, scratch
from appliance.database import copy
from appliance.db import db
from appliance.errors import Refused
home = settings.load().home
with bare_app().app_context():
    out = io.BytesIO()
    tables = copy.tables
    downgrade('0019')
    then = inspect(db.engine)
    known = [table for table in tables() if then.has_table(table.name)]
    for table in known:
        there = {column['name'] for column in then.get_columns(table.name)}
        for column in [column for column in table.columns if column.name not in there]:
            table._columns.remove(column)
    rows.copy.tables = lambda: known
    with db.engine.execution_options(read_only=True).connect() as connection:
        rows.dump(connection, out, lambda *_: None)
    had = inspect(db.engine).has_table('backups')
    rows.copy.tables = tables
out.seek(0)
app = scratch.on_file(home / 'scratch.sqlite')
scratch.fill(app, out, ['0019'], lambda *_: None)
with app.app_context():
    voices = list(db.session.scalars(text('SELECT voice FROM audio_prompts')))
    db.session.rollback()
    assert inspect(db.engine).has_table('backups')
try:
    scratch.known_heads(['9999'])
except Refused:
    (home / 'older.json').write_text(json.dumps({'backups': had, 'voice': voices == ['male'] * 3}))
"""
