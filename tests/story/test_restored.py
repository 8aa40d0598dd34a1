"""What was said and recorded on one exchange is on another one after a backup and a restore, and the other one takes calls (SYS-20)."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from appliance import front_door, settings
from appliance.db import db
from appliance.recordings.model import READY, Recording
from appliance.resource import SINGLE_ID, TABLE
from appliance.settings import CHECKOUT
from tests.build import change, make_class, make_extension
from tests.homes import environment
from tests.phones import Phones
from tests.player import until
from tests.postgresql import running

pytestmark = [pytest.mark.pbx, pytest.mark.long, pytest.mark.timeout(900)]
PASSWORD = "senha-dos-backups-1"


@pytest.fixture
def place():
    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def bentevi(home, *words):
    """A command on a home, as support types it; its JSON when it prints some."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")}
    done = subprocess.run([sys.executable, "-m", "appliance.cli", *words], env=kept | home | {"PYTHONPATH": str(CHECKOUT), "BENTEVI_BACKUP_PASSWORD": PASSWORD},
                          cwd=CHECKOUT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return json.loads(done.stdout) if "--json" in words else done.stdout


def recorded():
    db.session.rollback()
    return [row for row in db.session.scalars(select(Recording)) if row.state == READY]


def talk(phones):
    """Two people of the exchange talk for a moment."""
    ana, bruno = phones.phone("1001", "secret-1001"), phones.phone("1002", "secret-1002")
    call = ana.call("1002")
    assert call.talks_with(bruno.answer())
    time.sleep(1.5)  # shorter ones leave nothing to hear
    call.hang_up()


def test_calls_and_recordings_come_back_on_another_database_and_phones_call_there(pbx, phones, place):
    """SYS-20: the same rows, revision and recordings; the restored home starts, takes the configuration anew and connects calls with the old
    passwords. Asked for while that home runs, a restore stops it, brings it to the backup, and starts it again."""
    make_class("Grava tudo", recording="all")
    for number in ("1001", "1002"):
        make_extension(number, **{"class": "Grava tudo"})
    pbx.apply()
    talk(phones)
    assert until(lambda: len(recorded()) == 1, 60), [(row.state, row.reason) for row in db.session.scalars(select(Recording))]
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="disk", address=str(place / "store"), encryption_password=PASSWORD)
    here = {name: value for name, value in os.environ.items() if name.startswith("BENTEVI_")}
    before = bentevi(here, "calls", "list", "--json")["calls"]
    file = Path(settings.load().home / "recordings" / recorded()[0].name)
    db.session.rollback()
    assert len(before) == 1 and bentevi(here, "backup", "now", "--json")["backup"]["state"] == "done"

    with running() as server:
        (place / "address").write_text(server.empty().replace("+psycopg", ""))
        there = environment(place / "b") | {"BENTEVI_RTP_PORTS": "30200-30299"}
        asked = ("--from", "disk", "--address", str(place / "store"), "--yes", "--json")
        bentevi(there, "restore", *asked, "--database", f"file:{place / 'address'}")
        machine = settings.load(there)
        try:
            bentevi(there, "up")
            assert bentevi(there, "calls", "list", "--json")["calls"] == before
            assert (machine.home / file.relative_to(settings.load().home)).read_bytes() == file.read_bytes()
            with Phones(exchange=("127.0.0.1", machine.sip_port)) as others:
                talk(others)
            assert until(lambda: len(bentevi(there, "calls", "list", "--json")["calls"]) == 2, 20), "the call on the restored home was not noted"
            exported = bentevi(there, "site", "export")
            (place / "changed.yaml").write_text("bentevi: 1\nextensions:\n  - {number: '1001', name: Trocada depois}\n")
            bentevi(there, "site", "import", str(place / "changed.yaml"))
            assert "Trocada depois" in bentevi(there, "site", "export")
            processes = {one["name"]: one["pid"] for one in front_door.status(machine)}
            bentevi(there, "restore", *asked)
            status = front_door.status(machine)
            assert all(one["answers"] for one in status) and all(one["pid"] != processes[one["name"]] for one in status)
            assert bentevi(there, "site", "export") == exported
            # Asterisk's own lines about the call since the backup are still there: it is stored anew, because no record is lost.
            assert until(lambda: len(bentevi(there, "calls", "list", "--json")["calls"]) == 2, 20)
            assert bentevi(there, "calls", "list", "--json")["calls"][-1] == before[0]
            with Phones(exchange=("127.0.0.1", machine.sip_port)) as others:
                talk(others)
        finally:
            bentevi(there, "down")
