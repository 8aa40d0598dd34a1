"""bench ingest: how fast the records process stores what Asterisk wrote: an hour's backlog at 20 calls a second, then the delay while as many go on coming.

The lines are those of a captured call with other channels and times; the files, the database and the process are real.
ARGUMENTS: calls of the backlog, seconds of live calls; `sqlite` (the default) or `postgresql`, or both.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.machine import figure, percentile, report
from tests.postgresql import running
from tests.test_journal import CALLS, Home
from tests.written import Template

CALLS_A_SECOND, BACKLOG, LIVE_SECONDS = 20, 72_000, 20


def main(backlog: int = BACKLOG, live_seconds: int = LIVE_SECONDS, *, kinds: Sequence[str] = ("sqlite",)) -> None:
    """Measure and print."""
    figures: list[dict[str, Any]] = []
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="bt-") as folder, _url(kind) as url:
            home = Home(Path(folder) / "home", url)
            try:
                found = [*_backlog(home, backlog), *_live(home, backlog, live_seconds)]
            finally:
                home.kill()
                home.engine.dispose()
        figures += [one | {"name": f"{kind}_{one['name']}"} for one in found] if len(kinds) > 1 else found
    report("ingest", figures)


@contextmanager
def _url(kind: str) -> Iterator[str]:
    """A PostgreSQL server as its package sets it up, apart from its folder; "" for SQLite in the home."""
    if kind == "sqlite":
        yield ""
        return
    with running(fsync="on") as server:
        yield server.fresh()


def _backlog(home: Home, count: int) -> list[dict[str, Any]]:
    template, start = Template("internal_answered"), time.time() - count / CALLS_A_SECOND
    files = {kind: open(home.writer.path(kind), "a") for kind in ("cel", "cdr")}  # noqa: SIM115  thousands of lines at once
    lines = 0
    for number in range(count):
        for kind, text in template.call(number, start + number / CALLS_A_SECOND):
            files[kind].write(text + "\n")
            lines += 1
    for file in files.values():
        file.close()
    began = time.perf_counter()
    home.start()
    while home.ask(CALLS)[0][0] < count:
        time.sleep(0.2)
    seconds = time.perf_counter() - began
    size = sum(path.stat().st_size for path in home.folder.glob("bentevi.sqlite*")) or home.ask("SELECT pg_database_size(current_database())")[0][0]
    return [
        figure("backlog_calls", count, ""), figure("backlog_lines", lines, ""), figure("time_until_fresh", seconds, "s"),
        figure("lines_per_second", lines / seconds, "1/s"), figure("memory_peak", _memory(home), "MB"),
        figure("database_per_call", size / count / 1024, "kB"),
    ]


def _live(home: Home, before: int, seconds: int) -> list[dict[str, Any]]:
    template, delays, written = Template("internal_answered"), [], {}
    cpu = _cpu(home)
    watcher = threading.Thread(target=_watch, args=(home, before, seconds * CALLS_A_SECOND, written, delays))
    began = time.perf_counter()
    watcher.start()
    for number in range(seconds * CALLS_A_SECOND):
        time.sleep(max(0.0, began + number / CALLS_A_SECOND - time.perf_counter()))
        for kind, text in template.call(before + number, time.time()):
            home.writer.write(kind, text)
        written[number] = time.perf_counter()
    watcher.join()
    return [
        figure("delay_p50", percentile(delays, 0.5), "s"), figure("delay_p95", percentile(delays, 0.95), "s"),
        figure("cpu_at_20_calls_per_second", 100 * (_cpu(home) - cpu) / (time.perf_counter() - began), "% of a core"),
    ]


def _watch(home: Home, before: int, count: int, written: dict[int, float], delays: list[float]) -> None:
    """When each further conversation is there, ended, for whoever asks the database."""
    seen = 0
    while seen < count:
        found = home.ask(CALLS)[0][0] - before
        now = time.perf_counter()
        delays += [now - written.get(number, now) for number in range(seen, found)]
        seen = max(seen, found)
        time.sleep(0.02)


def _memory(home: Home) -> float:
    status = Path(f"/proc/{home.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def _cpu(home: Home) -> float:
    fields = Path(f"/proc/{home.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(*numbers, kinds=[word for word in sys.argv[1:] if not word.isdigit()] or ["sqlite"])
