"""The records process on files of its own: exactly once through kills and renames, past bad lines, and through a database that
cannot be written."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy import text as sql

from appliance import db as _rules_of_every_engine  # noqa: F401  one writes at a time, readers do not wait
from appliance.settings import CHECKOUT, load
from tests.conftest import IS_POSTGRESQL
from tests.written import Template, Writer

PREPARE = """
from appliance.schema import upgrade
from appliance import app
from appliance.db import db
from appliance.resource import TABLE
with app.bare_app().app_context():
    upgrade()
    TABLE["company"].create({})
    db.session.commit()
"""
WAIT_SECONDS = 60.0


class Home:
    """A home with tables and record files, and the real process on it. There is no Asterisk."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        folder.mkdir(mode=0o700)
        self.environment = {**os.environ, "BENTEVI_HOME": str(folder), "PYTHONPATH": str(CHECKOUT), "BENTEVI_DATABASE_URL": url}
        self.engine = create_engine(load(self.environment).database_url, pool_pre_ping=True).execution_options(read_only=True)
        subprocess.run([sys.executable, "-c", PREPARE], env=self.environment, check=True, cwd=CHECKOUT)
        self.writer = Writer(folder / "asterisk" / "log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self.folder / "records.log", "ab") as out:
            self.process = subprocess.Popen([sys.executable, "-m", "appliance.records"], env=self.environment, cwd=CHECKOUT, stderr=out)

    def kill(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def ask(self, query: str) -> list[tuple]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sql(query))]

    def log(self) -> str:
        return (self.folder / "records.log").read_text()

    def wait(self, query: str, wanted: object) -> None:
        """Until the query's only value is this."""
        ends_at = time.monotonic() + WAIT_SECONDS
        while (found := self.ask(query)[0][0]) != wanted:
            assert time.monotonic() < ends_at, f"{query}: {found} instead of {wanted}\n{self.log()[-3000:]}"
            time.sleep(0.05)


@pytest.fixture
def home(tmp_path: Path, new_database: Callable[[], str]) -> Iterator[Home]:
    found = Home(tmp_path / "home", new_database())
    yield found
    found.kill()
    found.engine.dispose()


READ = 'SELECT count(*), sum("offset") FROM record_files'
CALLS = "SELECT count(*) FROM calls WHERE ended_at IS NOT NULL"


def test_each_line_counts_once_through_kills_and_renames(home):
    """Design §8: the process dies at random moments while lines come and files are renamed; another file of the same lines changes nothing."""
    dice, plain, joined = random.Random(3), Template("internal_answered"), Template("attended_refer")
    start, number = time.time() - 9000, 0
    for turn in range(7):
        for _call in range(dice.randint(100, 250)):
            number += 1
            for kind, text in dice.choice([plain, joined]).call(number, start + number):
                home.writer.write(kind, text)
        if turn % 3 == 1:
            for kind in ("cel", "cdr"):
                path = home.writer.path(kind)
                path.rename(path.with_name(f"{path.name}.{turn:02}"))
        read = home.ask(READ)
        home.start()
        while home.ask(READ) == read:  # it is at work: killed now, it is in the middle of a transaction
            time.sleep(0.01)
        time.sleep(dice.uniform(0.0, 0.4))
        home.kill()
    home.start()
    home.wait(CALLS, number)
    written = sum(text.count(b"\n") for path in (home.folder / "asterisk" / "log").rglob("Master.csv*") for text in [path.read_bytes()])
    home.wait("SELECT count(*) FROM record_lines", written)
    assert home.ask("SELECT sum(line_count), sum(bad_count) FROM record_files") == [(written, 0)]
    assert home.ask("SELECT count(*), sum(talk_seconds) FROM calls") == home.ask("SELECT sum(call_count), sum(talk_seconds) FROM call_totals")
    assert home.ask("SELECT count(DISTINCT protocol) FROM calls") == [(number,)]
    oldest = home.writer.path("cel").with_name("Master.csv.01")
    oldest.with_name("copy").write_bytes(oldest.read_bytes())
    oldest.with_name("copy").rename(oldest)  # restored from a backup: another inode, the same lines
    home.kill()
    home.start()
    for kind, text in plain.call(number + 1, start + number + 1):
        home.writer.write(kind, text)
    home.wait(CALLS, number + 1)
    assert home.ask("SELECT count(*) FROM calls") == [(number + 1,)]


@pytest.mark.database
def test_bad_lines_are_kept_aside_and_block_nothing(home):
    """Torn lines, blocks of NUL, other encodings, nonsense; a torn line with a whole one behind it loses only the torn piece."""
    plain, start = Template("internal_answered"), time.time() - 60
    first, second, third = (list(plain.call(number, start + number)) for number in (1, 2, 3))
    for kind, text in first:
        home.writer.write(kind, text)
    home.writer.write("cel", b"\x00" * 4096)
    home.writer.write("cel", "nonsense, and a \" quote")
    home.writer.write("queue", "no line of a queue")
    home.writer.write("cdr", '"a","b"')
    for number, (kind, text) in enumerate(second):
        torn = text[:40].encode() + b"\x00" * 64 if number == 0 else b""
        home.writer.write(kind, torn + text.replace("Ramal 1000", "Jos\xe9").encode("latin-1"))
    for kind, text in third:
        home.writer.write(kind, text)
    home.start()
    home.wait(CALLS, 3)
    assert home.ask("SELECT count(*) FROM calls WHERE state = 'answered'") == [(3,)]
    reasons = [reason for (reason,) in home.ask("SELECT reason FROM bad_lines")]
    assert len(reasons) >= 4 and any("UTF-8" in reason for reason in reasons)
    assert home.ask("SELECT sum(bad_count) FROM record_files") == [(len(reasons),)]
    assert "kept aside" in home.log()


def test_a_half_line_waits_for_its_rest(home):
    plain = list(Template("internal_answered").call(1, time.time() - 60))
    home.start()
    for kind, text in plain[:-1]:
        home.writer.write(kind, text)
    kind, text = plain[-1]
    with open(home.writer.path(kind), "ab") as file:
        file.write(text[:50].encode())
    home.wait(CALLS, 1)
    with open(home.writer.path(kind), "ab") as file:
        file.write(text[50:].encode() + b"\n")
    home.wait("SELECT count(*) FROM record_lines", len(plain))
    assert home.ask("SELECT sum(bad_count) FROM record_files") == [(0,)]


@pytest.mark.skipif(IS_POSTGRESQL, reason="its disk is that of another process")
def test_a_full_disk_is_said_once_and_waited_for(home):
    """No file of the process may grow any more, as on a full disk; it says so once, and goes on when there is room."""
    plain, start = Template("internal_answered"), time.time() - 600
    home.start()
    for kind, text in plain.call(0, start):
        home.writer.write(kind, text)
    home.wait(CALLS, 1)
    resource.prlimit(home.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    for number in range(1, 40):
        for kind, text in plain.call(number, start + number):
            home.writer.write(kind, text)
    ends_at = time.monotonic() + WAIT_SECONDS
    while "records wait" not in home.log():
        assert time.monotonic() < ends_at, home.log()
        time.sleep(0.05)
    time.sleep(2.5)  # it tries again meanwhile
    assert home.ask(CALLS) == [(1,)] and home.process.poll() is None
    resource.prlimit(home.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    home.wait(CALLS, 40)
    ends_at = time.monotonic() + WAIT_SECONDS
    while "takes records again" not in home.log():  # said a moment after the rows are there
        assert time.monotonic() < ends_at, home.log()
        time.sleep(0.05)
    assert home.log().count("records wait") == 1


@pytest.mark.database
def test_a_locked_database_is_waited_for(home):
    plain, start = Template("internal_answered"), time.time() - 600
    home.start()
    for kind, text in plain.call(0, start):
        home.writer.write(kind, text)
    home.wait(CALLS, 1)
    blocker = home.engine.execution_options(read_only=False).connect()
    blocker.begin()
    for kind, text in plain.call(1, start + 1):
        home.writer.write(kind, text)
    ends_at = time.monotonic() + WAIT_SECONDS
    while "records wait" not in home.log():
        assert time.monotonic() < ends_at, home.log()
        time.sleep(0.1)
    blocker.close()
    home.wait(CALLS, 2)


@pytest.mark.database
def test_lines_of_old_conversations_are_forgotten_and_the_conversation_stays(home):
    """What came of them stays as it is, also when a late line comes."""
    plain = list(Template("internal_answered").call(1, time.time() - 30 * 86400))
    for kind, text in plain[:-1]:
        home.writer.write(kind, text)
    home.start()
    home.wait(CALLS, 1)
    before = home.ask("SELECT * FROM calls")
    home.kill()
    program = ("from datetime import timedelta; from appliance import app, db, records\n"
               "with app.bare_app().app_context():\n records.prune(db.now() - timedelta(days=4)); db.db.session.commit()")  # fmt: skip
    subprocess.run([sys.executable, "-c", program], env=home.environment, check=True, cwd=CHECKOUT)
    assert home.ask("SELECT count(*) FROM record_lines") == [(0,)] == home.ask("SELECT count(*) FROM record_channels")
    home.writer.write("cel", plain[-3][1])
    home.start()
    home.wait("SELECT count(*) FROM record_lines", 1)
    assert home.ask("SELECT * FROM calls") == before
