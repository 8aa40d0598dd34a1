"""PostgreSQL dies in the middle of the work and comes back: every line counts once, people are told, telephony goes on (SYS-23)."""

import random
import signal
import time

from tests.test_journal import CALLS, WAIT_SECONDS, Home
from tests.written import Template


def until(home, words, count):
    """Until the process has said it so often."""
    ends_at = time.monotonic() + WAIT_SECONDS
    while home.log().count(words) < count:
        assert time.monotonic() < ends_at, home.log()
        time.sleep(0.02)


def test_each_line_counts_once_through_kills_of_postgresql(elsewhere, tmp_path):
    """kill -9 of the server while transactions of the records process run; the process lives through all of it."""
    home = Home(tmp_path / "home", elsewhere.fresh())
    dice, plain, joined = random.Random(5), Template("internal_answered"), Template("attended_refer")
    start, number, said = time.time() - 9000, 0, 0
    home.start()
    try:
        for _turn in range(5):
            for _call in range(dice.randint(80, 200)):
                number += 1
                for kind, text in dice.choice([plain, joined]).call(number, start + number):
                    home.writer.write(kind, text)
            time.sleep(dice.uniform(0.0, 0.5))
            elsewhere.stop(signal.SIGKILL)
            number += 1
            for kind, text in plain.call(number, start + number):  # so that it has something to do
                home.writer.write(kind, text)
            said += 1
            until(home, "records wait", said)
            elsewhere.start()
            until(home, "takes records again", said)
        home.wait(CALLS, number)
        written = sum(text.count(b"\n") for path in (home.folder / "asterisk" / "log").rglob("Master.csv*") for text in [path.read_bytes()])
        home.wait("SELECT count(*) FROM record_lines", written)
        assert home.ask("SELECT sum(line_count), sum(bad_count) FROM record_files") == [(written, 0)]
        assert home.ask("SELECT count(*), count(DISTINCT protocol) FROM calls") == [(number, number)]
        assert home.ask("SELECT count(*), sum(talk_seconds) FROM calls") == home.ask("SELECT sum(call_count), sum(talk_seconds) FROM call_totals")
        assert home.process.poll() is None and home.log().count("takes records again") == said, "the process lives through it"
    finally:
        home.kill()
        home.engine.dispose()
