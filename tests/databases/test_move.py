"""`bentevi database move`: every row, in either direction, whenever it is killed; never a secret on a command line (SYS-23)."""

import os
import subprocess
import sys
import time

import pytest

from appliance.database import target
from appliance.errors import Busy, Refused
from appliance.settings import CHECKOUT, load
from tests.databases.conftest import Filled

POINTS = ["preparing", "waiting until", "users:", "asterisk_boots:", "calls:", "record_lines:", "company:", "tokens:", "comparing", "switched"]


def test_every_row_of_every_table_goes_and_comes_back(filled, new_address, elsewhere):
    """Texts with accents and quotes, instants, JSON with NUL, bytes, sealed texts, and the last id given out to a row that is gone."""
    before, address = filled.held(), new_address()
    assert all(digest != "0" * 32 for digest, _last in before.values()) and before["calls"][1] == 900
    told = filled.bentevi("database", "move", address).stdout
    assert "rows moved" in told and "kept as" in told and filled.kind == "postgresql"
    assert filled.held() == before
    assert (filled.folder / "secrets" / "database_url").stat().st_mode & 0o777 == 0o600
    assert not (filled.folder / "bentevi.sqlite").exists() and list(filled.folder.glob("bentevi-until-*.sqlite"))
    assert elsewhere.ask("SELECT count(*) FROM pg_tables WHERE tablename = 'bentevi_move'", filled.url.split("/")[3].split("?")[0]) == [(0,)]
    done = filled.bentevi("database", "move", "sqlite", "--json")
    assert '"rows"' in done.stdout and "comparing" in done.stderr
    assert filled.kind == "sqlite" and filled.held() == before
    assert not (filled.folder / "secrets" / "database_url").exists() and not (filled.folder / "secrets" / "database_move").exists()


LOSING = """
import sys
from sqlalchemy import delete, select
from appliance.database import copy
whole = copy.copied
def copied(source, filled, table, told):
    content = whole(source, filled, table, told)
    if table.name == "record_lines":
        filled.execute(delete(table).where(table.c.id == filled.scalar(select(table.c.id).limit(1))))
    return content
copy.copied = copied
from appliance.cli import bentevi
sys.argv = ["bentevi", "database", "move", sys.argv[1]]
bentevi()
"""


def test_a_copy_that_is_not_the_same_is_not_taken(filled, new_address):
    """A row that the new database does not hold after all: told, and the home stays where it was."""
    before = filled.held()
    done = filled.python("-c", LOSING, new_address(), check=False)
    assert done.returncode == 1 and "record_lines differs" in done.stderr and "stays where it was" in done.stderr
    assert filled.kind == "sqlite" and filled.held() == before


def killed_all_the_way(home, words, points):
    """Kill the move at one point after the other; the last one is behind the switch. Nothing may ever be lost."""
    before, kind = home.held(), home.kind
    for point in points:
        assert home.kind == kind, "it was switched too early"
        assert home.killed_at(point, words), f"it never came to {point}"
        assert home.held() == before, f"killed at {point}, the home lost something"
    assert home.kind != kind


def test_killed_at_any_point_the_home_is_whole_and_the_next_run_begins_anew(filled, new_address):
    """To the same database each time: what a killed run left there is removed. And the same on the way back."""
    killed_all_the_way(filled, new_address(), ["waiting until", "switched"])
    killed_all_the_way(filled, "sqlite", ["users:", "switched"])
    filled.bentevi("database", "move", new_address())
    assert filled.kind == "postgresql" and not (filled.folder / "secrets" / "database_move").exists()


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_killed_at_more_points(filled, new_address):
    killed_all_the_way(filled, new_address(), POINTS)
    killed_all_the_way(filled, "sqlite", POINTS)
    assert filled.kind == "sqlite", "there and back"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_killed_at_a_hundred_moments_the_home_is_whole(filled, new_address):
    """Moments spread over the whole run, the switch included; each run begins where the last one left the home."""
    before, kinds, whole_seconds = filled.held(), set(), 0.0
    for number in range(101):
        words = "sqlite" if filled.kind == "postgresql" else new_address()
        began = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "appliance.cli", "database", "move", words], env=filled.environment, cwd=CHECKOUT,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        if not whole_seconds:  # the first is left alone: how long one lasts here
            process.wait()
            whole_seconds = time.monotonic() - began
        time.sleep(whole_seconds * number / 100)
        process.kill()
        process.wait()
        kinds.add(filled.kind)
        assert filled.held() == before, number
    assert kinds == {"sqlite", "postgresql"}


MANY = """
from datetime import UTC, datetime
from appliance.schema import upgrade
from appliance import app
from appliance.db import db
from tests.bench.many import many_calls
with app.bare_app().app_context():
    upgrade()
    many_calls(100_000, datetime(2023, 11, 1, tzinfo=UTC), 1095)
    db.session.commit()
"""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_calls_go_and_come_back_in_little_memory(new_address, tmp_path):
    """Counts and digests of every table on both sides; the memory does not grow with the rows."""
    home = Filled(tmp_path / "home", MANY)
    before = home.held()
    for words, kind in ((new_address(), "postgresql"), ("sqlite", "sqlite")):
        began = time.monotonic()
        with subprocess.Popen([sys.executable, "-m", "appliance.cli", "database", "move", words], env=home.environment, cwd=CHECKOUT,
                              stdout=subprocess.PIPE, text=True) as process:  # fmt: skip
            print(process.stdout.read()[-300:])
            _pid, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        print(f"to {kind}: {time.monotonic() - began:.1f} s, {used.ru_maxrss // 1024} MB")
        assert process.returncode == 0 and home.kind == kind and home.held() == before
        assert used.ru_maxrss < 250 * 1024


def test_what_is_not_empty_is_refused_and_not_touched(filled, new_address, elsewhere, tmp_path):
    address = new_address()
    name = (tmp_path / "address").read_text().split("/")[3].split("?")[0]
    elsewhere.ask("CREATE TABLE customers (id int)", name)
    refused = filled.bentevi("database", "move", address, check=False)
    assert refused.returncode == 2 and "not empty" in refused.stderr and elsewhere.ask("SELECT count(*) FROM customers", name) == [(0,)]
    file = tmp_path / "old.sqlite"
    subprocess.run([sys.executable, "-c", f"import sqlite3; sqlite3.connect({str(file)!r}).execute('CREATE TABLE mine (id int)')"], check=True)
    before = file.read_bytes()
    refused = filled.bentevi("database", "move", str(file), check=False)
    assert refused.returncode == 2 and "not empty" in refused.stderr and file.read_bytes() == before
    file.write_text("a letter, no database" * 100)
    refused = filled.bentevi("database", "move", str(file), check=False)
    assert refused.returncode == 2 and "no SQLite database" in refused.stderr
    assert filled.kind == "sqlite"


def test_what_cannot_be_is_refused_with_the_way_out_and_no_password(filled, elsewhere):
    """A password on the command line, the variable that decides, a database that would mangle texts, a server that is not there."""
    elsewhere.ask("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    elsewhere.ask("CREATE DATABASE plain TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
    url = elsewhere.url("postgres").replace("+psycopg", "")
    secret = url.replace("bentevi@", "bentevi:Segredo-9@")
    wrong = {
        secret: "file:FILE", elsewhere.url("latin"): "UTF8", elsewhere.url("plain"): "accents", "postgresql://nobody@127.0.0.1:1/x": "does not answer",
        "mysql://x/y": "begins with", "env:NOTHING_HERE": "NOTHING_HERE", "file:/nowhere": "/nowhere", "/nowhere/x.sqlite": "no folder",
        "postgresql://x:Segredo-9@[::1/x": "not understood",
    }
    for words, told in wrong.items():
        with pytest.raises((Refused, Busy), match=told) as why:
            target.application(target.read(words, load({"BENTEVI_HOME": str(filled.folder)})))
        assert "Segredo-9" not in str(why.value)
    done = filled.bentevi("database", "move", "sqlite", check=False)
    assert done.returncode == 2 and "already uses" in done.stderr
    done = filled.bentevi("database", "move", "sqlite", check=False, BENTEVI_DATABASE_URL=secret)
    assert done.returncode == 2 and "BENTEVI_DATABASE_URL" in done.stderr and "Segredo-9" not in done.stderr + done.stdout
    with pytest.raises(ValueError, match="begins with") as wrong_variable:
        load({"BENTEVI_HOME": str(filled.folder), "BENTEVI_DATABASE_URL": "psql:Segredo-9@x"})
    assert "Segredo-9" not in str(wrong_variable.value) and filled.kind == "sqlite"


def test_a_secret_in_the_address_stays_out_of_process_lists_outputs_and_logs(filled, elsewhere, tmp_path):
    """From standard input and from the environment; where the home keeps it only its user reads it."""
    secret = elsewhere.empty().replace("+psycopg", "").replace("bentevi@", "bentevi:Segredo-9@")
    done = filled.bentevi("database", "move", "-", said=secret)
    assert "Segredo-9" not in done.stdout + done.stderr and filled.kind == "postgresql"
    shown = filled.bentevi("database", "show").stdout
    assert "Segredo-9" not in shown and "***" in shown
    program = "from appliance import app, settings\nprint(settings.load())\nwith app.bare_app().app_context():\n from appliance.db import db\n print(db.engine, db.engine.url)"
    assert "Segredo-9" not in filled.python("-c", program).stdout
    wrong = secret.replace("host=", "host=/nowhere")
    done = filled.bentevi("database", "move", "env:ADDRESS", check=False, ADDRESS=wrong)
    assert done.returncode == 1 and "Segredo-9" not in done.stdout + done.stderr
    readers = [path for path in filled.folder.rglob("*") if path.is_file() and b"Segredo-9" in path.read_bytes()]
    assert readers == [filled.folder / "secrets" / "database_url"] and readers[0].stat().st_mode & 0o777 == 0o600


LATE = """
import sys
from sqlalchemy import text
from appliance import app, db as ground
from appliance.db import db, Moved
with app.bare_app().app_context():
    db.session.execute(text("SELECT 1")); db.session.rollback()
    print("began", flush=True)
    sys.stdin.readline()
    for prepare in (lambda: None, ground.read_only):
        try:
            prepare(); db.session.execute(text("DELETE FROM numbers")); db.session.commit()
            print("written")
        except Moved:
            db.session.rollback()
            print("moved")
    ground.serve()
    db.session.execute(text("SELECT 1"))
"""


def test_a_process_that_began_before_writes_nothing_more_into_the_old_database_and_ends(filled, new_address):
    """Nobody has to stop it: it looks at each begin. One that is supervised ends by itself, and is started again on the new one."""
    with subprocess.Popen([sys.executable, "-c", LATE], env=filled.environment, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as process:  # fmt: skip
        assert process.stdout.readline() == "began\n"
        before = filled.held()
        filled.bentevi("database", "move", new_address())
        process.stdin.write("\n")
        process.stdin.close()
        assert process.stdout.read().split() == ["moved", "moved"]
        assert process.wait() == -15
    assert filled.held() == before and os.path.exists(filled.folder / "secrets" / "database_url")
