"""A running home with calls up while it gets another database, and while PostgreSQL is dead or its file is damaged (SYS-23)."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from sqlalchemy import create_engine, text

from appliance.settings import CHECKOUT, load
from tests.databases.conftest import Filled
from tests.homes import environment
from tests.phones import Phones

pytestmark = pytest.mark.pbx

SITE = """bentevi: 1
company: {name: Padaria Estrela, area_code: "48"}
extensions:
  - {number: "1000", name: Ana, password: Troque-1000-isto}
  - {number: "1001", name: Bia, password: Troque-1001-isto}
"""
CALLS = "SELECT count(*) FROM calls"
WAIT_SECONDS = 150
PASSWORD = "senha-dos-backups-1"


class Running(Filled):
    """A home with everything running, and two phones."""

    def __init__(self, folder, phones_of):
        super().__init__(folder, "pass")
        self.environment |= environment(folder)
        site = folder.with_name("site.yaml")
        site.write_text(SITE)
        self.bentevi("up", "--site", str(site))
        self.phones = phones_of(("127.0.0.1", load(self.environment).sip_port))
        self.ana, self.bia = (self.phones.phone(user, f"Troque-{user}-isto") for user in ("1000", "1001"))

    def call(self):
        """A call that is up: both ends."""
        call = self.ana.call("1001")
        there = self.bia.answer()
        call.wait_answered()
        return call, there

    def ask(self, query):
        engine = create_engine(load(self.environment).database_url).execution_options(read_only=True)
        with engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(text(query))]
        engine.dispose()
        return found

    def page(self, path="/login"):
        """(status, text) as a browser gets it."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{load(self.environment).http_port}{path}", timeout=15) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as why:
            return why.code, why.read().decode()

    def wait(self, ready, what):
        ends_at = time.monotonic() + WAIT_SECONDS
        while not ready():
            assert time.monotonic() < ends_at, f"{what}\n{(self.folder / 'log' / 'records.log').read_text()[-2000:]}"
            time.sleep(0.1)

    def recorded(self, count):
        """Exactly so many conversations, each answered and over, none twice."""
        self.wait(lambda: self.ask(f"{CALLS} WHERE ended_at IS NOT NULL") == [(count,)], f"{count} calls were to be recorded")
        found = self.ask("SELECT count(*), count(DISTINCT linkedid), sum(CASE WHEN state = 'answered' THEN 1 ELSE 0 END) FROM calls")
        assert found == [(count, count, count)] and self.ask("SELECT sum(call_count) FROM call_totals") == [(count,)]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Phones(exchange=("127.0.0.1", 1)) as phones:
        def phones_of(exchange):
            phones.exchange = exchange
            return phones

        home = Running(tmp_path_factory.mktemp("running") / "home", phones_of)
        yield home
        home.bentevi("down")


def moved_while_talking(home, address):
    """Move while one call is up and another begins and ends; both ends still hear each other."""
    call, there = home.call()
    process = subprocess.Popen([sys.executable, "-u", "-m", "appliance.cli", "database", "move", address], env=home.environment, cwd=CHECKOUT,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("comparing"):
            assert home.page()[0] == 200, "pages can be read meanwhile"
        if line.startswith("switched"):
            call.talks_with(there)
            call.hang_up()
            there.wait_ended()
            call, there = home.call()
    assert process.wait() == 0, said
    assert call.talks_with(there)
    call.hang_up()
    there.wait_ended()
    assert home.page()[0] == 200 and home.bentevi("status", check=False).returncode == 0


def talked(home):
    """One conversation from beginning to end."""
    call, there = home.call()
    assert call.talks_with(there)
    call.hang_up()
    there.wait_ended()


@pytest.mark.timeout(600)
def test_a_damaged_database_keeps_nobody_from_calling_and_a_restore_brings_rows_and_calls_back(running, tmp_path):
    """SYS-19, SYS-20, SYS-23: also when the machine starts with it. Every door says what is wrong and what to do; what Asterisk noted
    meanwhile is recorded once the rows are back."""
    home = running
    (tmp_path / "site.yaml").write_text(f"bentevi: 1\nbackup_policy: {{kind: disk, address: {tmp_path}/store, encryption_password: {PASSWORD}}}\n")
    home.bentevi("site", "import", str(tmp_path / "site.yaml"))
    before = home.ask(CALLS)[0][0]
    talked(home)
    home.recorded(before + 1)
    exported = home.bentevi("site", "export").stdout
    home.bentevi("backup", "now")
    home.bentevi("down")
    for ending in ("-wal", "-shm"):
        (home.folder / f"bentevi.sqlite{ending}").unlink(missing_ok=True)
    with open(home.folder / "bentevi.sqlite", "r+b") as file:
        file.write(b"\xa5" * 20_000)

    said = home.bentevi("up").stdout
    assert "telephony starts on revision" in said and "The database is damaged" in said
    assert home.bentevi("status").returncode == 0, "nothing is started again and again for want of rows"
    talked(home)
    status, page = home.page()
    assert status == 503 and "O banco de dados está danificado" in page
    status, page = home.page("/api/v1/extensions")
    assert status == 503 and "danificado" in json.loads(page)["error"]
    asked = home.bentevi("doctor", "--json", check=False)
    first = json.loads(asked.stdout)["findings"][0]
    assert asked.returncode == 1 and first["check"] == "database" and "bentevi restore --from" in first["todo"]
    listed = home.bentevi("bundle", "--dry-run").stdout
    assert "doctor.json" in listed and "logs/" not in listed and "configuration/" not in listed, "names cannot be taken out without the rows"
    refused = home.bentevi("calls", "list", check=False)
    assert refused.returncode == 1 and "damaged" in refused.stderr and "Traceback" not in refused.stderr
    refused = home.bentevi("restore", "--yes", check=False)
    assert refused.returncode == 2 and "--from" in refused.stderr

    home.bentevi("restore", "--from", "disk", "--address", f"{tmp_path}/store", "--yes", BENTEVI_BACKUP_PASSWORD=PASSWORD)
    home.recorded(before + 2)
    assert home.bentevi("site", "export").stdout == exported and home.page()[0] == 200
    talked(home)
    home.recorded(before + 3)


@pytest.mark.timeout(600)
def test_whatever_a_bad_disk_took_the_home_starts_and_never_wipes_itself_out(running):
    """SYS-17, SYS-23: files of the revision in force are written anew from the rows; Redis' and Asterisk's own are set aside; without the file of
    the rows the configuration in force stays, and is not replaced by that of an empty home."""
    home = running
    exported, etc = home.bentevi("site", "export").stdout, home.folder / "asterisk" / "etc"
    home.bentevi("down")
    spoilt = [etc / "extensions.conf", home.folder / "asterisk" / "var" / "astdb.sqlite3", *(home.folder / "redis" / "appendonlydir").glob("*.base.rdb")]
    assert len(spoilt) == 3
    for file in spoilt:
        file.write_bytes(b"\xa5" * 9000)
    asked = json.loads(home.bentevi("doctor", "--json", check=False).stdout)["findings"]
    assert "revision" in {one["check"] for one in asked}
    home.bentevi("up")
    for phone in (home.ana, home.bia):
        phone.register()  # where they are stood in Asterisk's own database; a telephone tells it again by itself
    talked(home)
    assert "were damaged" in home.bentevi("revisions").stdout.splitlines()[0] and home.bentevi("site", "export").stdout == exported
    assert "revision" not in {one["check"] for one in json.loads(home.bentevi("doctor", "--json", check=False).stdout)["findings"]}

    in_force = etc.readlink()
    home.bentevi("down")
    rows = home.folder / "bentevi.sqlite"
    kept = rows.rename(home.folder / "kept.sqlite")
    try:
        assert "telephony starts on revision" in home.bentevi("up").stdout
        talked(home)
        assert etc.readlink() == in_force and home.page()[0] == 503
        home.bentevi("down")
    finally:
        for ending in ("", "-wal", "-shm"):
            (home.folder / f"bentevi.sqlite{ending}").unlink(missing_ok=True)
        kept.rename(rows)
    home.bentevi("up")
    assert home.page()[0] == 200 and home.bentevi("site", "export").stdout == exported
    home.recorded(home.ask("SELECT count(*) FROM calls")[0][0])


@pytest.mark.long
@pytest.mark.timeout(600)
def test_postgresql_that_is_away_at_the_start_keeps_nobody_from_calling(running, new_address, elsewhere):
    """SYS-23: telephony starts on the revision in force; the rows are brought in order within a minute after the server is back."""
    home = running
    if home.kind == "sqlite":
        home.bentevi("database", "move", new_address())
    before = home.ask(CALLS)[0][0]
    home.bentevi("down")
    elsewhere.stop()
    try:
        assert "telephony starts on revision" in home.bentevi("up").stdout
        talked(home)
        assert home.page()[0] == 503 and (home.folder / "run" / "unprepared").exists()
    finally:
        elsewhere.start()
    home.wait(lambda: home.page()[0] == 200, "pages again")
    home.recorded(before + 1)
    home.wait(lambda: not (home.folder / "run" / "unprepared").exists(), "rows in order")


@pytest.mark.long
def test_a_home_moves_to_postgresql_and_back_while_people_talk(running, new_address):
    """The calls that were up are recorded once, in the database the home has in the end."""
    home = running
    moved_while_talking(home, new_address())
    assert home.kind == "postgresql"
    home.recorded(2)
    moved_while_talking(home, "sqlite")
    assert home.kind == "sqlite"
    home.recorded(4)


@pytest.mark.long
def test_postgresql_is_killed_while_people_talk(running, new_address, elsewhere):
    """Pages say so, calls go on, what Asterisk noted meanwhile is recorded once when the server is back; nobody starts anything again."""
    home = running
    if home.kind == "sqlite":
        home.bentevi("database", "move", new_address())
    before = home.ask(CALLS)[0][0]
    call, there = home.call()
    elsewhere.stop(signal.SIGKILL)
    status, page = home.page()
    assert status == 503 and "O banco de dados não responde" in page and "Traceback" not in page
    status, page = home.page("/api/v1/extensions")
    assert status in (401, 503)
    assert call.talks_with(there)
    call.hang_up()
    there.wait_ended()
    call, there = home.call()
    call.hang_up()
    there.wait_ended()
    pids = [line.split()[3] for line in home.bentevi("status", check=False).stdout.splitlines() if line.split()[0] in ("records", "worker", "cron")]
    elsewhere.start()
    home.wait(lambda: home.page()[0] == 200, "pages again")
    home.recorded(before + 2)
    home.wait(lambda: home.bentevi("status", check=False).returncode == 0, "everything answers")
    after = [line.split()[3] for line in home.bentevi("status", check=False).stdout.splitlines() if line.split()[0] in ("records", "worker", "cron")]
    assert pids == after, "they lived through it"
