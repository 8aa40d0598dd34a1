"""bench reports: the call report over many calls: the page with its sums, single calls, CSV against the database's own dump.

    bentevi bench reports                          1 million calls on SQLite and on PostgreSQL
    bentevi bench reports 10000000 sqlite          so many, on one of them

Each figure of a page is a whole request as a browser makes it: login looked up, filters read, sums, fifty rows, chart, HTML.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from appliance import settings
from appliance.calls import totals, visit_totals
from appliance.calls.model import Call, CallStep
from appliance.db import db
from tests.bench.machine import figure, percentile, report
from tests.bench.many import CENTRES, EXTENSIONS, many_calls
from tests.bench.many_visits import IVRS, QUEUES, many_visits
from tests.bench.product import product
from tests.postgresql import server

START, DAYS, TIMES = datetime(2023, 11, 1, tzinfo=UTC), 1095, 15
CHILD = """
import sys, time
def memory(name):
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith(name))
from appliance.app import bare_app
app = bare_app()
with app.app_context():
    from appliance.reports import asked, files
    from appliance.users.model import by_login
    found = asked.read({"start": sys.argv[1], "end": sys.argv[2]}, by_login("admin"))
    before = memory("VmRSS")
    began = time.perf_counter()
    pieces = files.csv_pieces(found)
with open(sys.argv[3], "wb") as out:
    out.write(next(pieces))
    first = time.perf_counter() - began
    most = 0
    for piece in pieces:
        out.write(piece)
        most = max(most, memory("VmRSS"))
print(first, time.perf_counter() - began, before, most)
"""


def main(sizes: list[int], kinds: list[str]) -> None:
    """Measure and print."""
    figures: list[dict[str, Any]] = []
    for kind in kinds:
        for size in sizes:
            with _database(kind) as url, product(BENTEVI_DATABASE_URL=url) as machine:
                figures += measure(machine, kind, size)
    report("reports", figures)


@contextlib.contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "postgresql":
        with server() as url:
            yield url
    else:
        yield ""


def measure(machine: settings.Settings, kind: str, size: int) -> list[dict[str, Any]]:
    """The figures of one database with so many calls."""
    from web.app import create_app

    name = f"{kind}_{size // 1_000_000}m" if size >= 1_000_000 else f"{kind}_{size}"
    began = time.perf_counter()
    _rows()
    many_calls(size, START, DAYS)
    found = [figure(f"{name}_fill", time.perf_counter() - began, "s")]
    began = time.perf_counter()
    many_visits()
    found.append(figure(f"{name}_fill_visits", time.perf_counter() - began, "s"))
    if kind == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    rolled = db.session.scalar(select(func.count()).select_from(totals.CallTotal))
    found.append(figure(f"{name}_roll_up_rows_per_call_ratio", (rolled or 0) / size, ""))
    for table, what in ((visit_totals.VisitTotal, "visit_totals"), (visit_totals.VisitHour, "visit_hours")):
        found.append(figure(f"{name}_{what}_rows_per_call_ratio", (db.session.scalar(select(func.count()).select_from(table)) or 0) / size, ""))
    call = _with_steps()
    db.session.remove()
    client = _browser(create_app())
    for what, addresses in _asked(call).items():
        taken = [_taken(lambda address=address: client.get(address)) for address in addresses * (TIMES // len(addresses) + 1)][:TIMES + 1]
        found += [figure(f"{name}_{what}_p50", percentile(taken, 0.5) * 1000, "ms"), figure(f"{name}_{what}_p95", percentile(taken, 0.95) * 1000, "ms")]
        print(json.dumps(found[-2:]), file=sys.stderr)
    return found + _csv(machine, name, kind)


def _rows() -> None:
    """What the calls point at."""
    from appliance.resource import TABLE

    for number in range(1, CENTRES + 1):
        TABLE["cost_centres"].create({"name": f"Centro {number}"})
    for number in (1, 2, 3):
        TABLE["trunks"].create({"name": f"Operadora {number}", "host": "127.0.0.1", "port": 5070 + number, "qualify": False})
    for number in range(1, QUEUES + 1):
        TABLE["queues"].create({"name": f"Fila {number}", "number": str(8000 + number)})
    for number in range(1, IVRS + 1):
        TABLE["ivrs"].create({"name": f"URA {number}", "number": str(8100 + number)})
    db.session.commit()


def _with_steps() -> Call:
    """A call from the middle, with a story."""
    middle = select(Call).where(Call.started_at >= START + timedelta(days=DAYS // 2), Call.talk_seconds > 0).order_by(Call.started_at).limit(1)
    call = db.session.scalars(middle).one()
    for position, kind in enumerate(("arrived", "route", "ring", "answer", "hold", "transfer", "ring", "answer", "end"), 1):
        db.session.add(CallStep(call_id=call.id, position=position, kind=kind, at=call.started_at + timedelta(seconds=position), ended_at=None, word="",
                                row_id=None, name="Ana", number="2001", result="", detail={}))
    db.session.commit()
    db.session.refresh(call)
    db.session.expunge(call)
    return call


def _browser(app: Any) -> FlaskClient:
    """The administrator's browser."""
    from tests.visitor import Visitor

    app.test_client_class = Visitor
    client: Any = app.test_client()
    with app.app_context():
        from appliance.users.model import by_login

        user = by_login("admin")
        assert user is not None
        user.must_change_password = False
        db.session.commit()
        client.is_person(user)
        db.session.remove()
    return client


def _asked(call: Call) -> dict[str, list[str]]:
    """What is measured → addresses that ask it."""
    months = [f"start={2024 + n // 12}-{n % 12 + 1:02}-01&end={2024 + n // 12}-{n % 12 + 1:02}-28" for n in range(20)]
    year, all_of_it = "start=2025-01-01&end=2025-12-31", "start=2023-11-01&end=2026-11-01"
    number, extension = call.from_number if len(call.from_number) > 6 else call.to_number, 2000 + EXTENSIONS // 2
    either = f"from_number={number}&from_match=exact&to_number={number}&to_match=exact&join=or"
    pages = {
        "standard_month": months, "standard_year": [year], "standard_three_years": [all_of_it],
        "received_of_a_month": [f"{month}&direction=received" for month in months],
        "cost_centre_of_a_month": [f"{month}&from_cost_centre={1 + place % CENTRES}" for place, month in enumerate(months)],
        "cost_centre_of_a_year": [f"{year}&to_cost_centre=3"],
        "number_exact_three_years": [f"{all_of_it}&from_number={number}&from_match=exact"], "either_number_three_years": [f"{all_of_it}&{either}"],
        "main_number_of_a_month": [f"{month}&to_number=554830139018&to_match=exact" for month in months],
        "extension_of_a_month": [f"{month}&extension={extension}" for month in months],
        "number_partial_month": [f"{month}&from_number={number[-8:]}" for month in months[:5]],
        "number_partial_three_years": [f"{all_of_it}&from_number={number[-8:]}"],
        "trunk_of_a_month": [f"{month}&trunk=2" for month in months],
        "deep_page": [f"{all_of_it}&older={int((START + timedelta(days=n * 300)).timestamp() * 1e6)}-1" for n in (1, 2, 3)],
    }
    found = {what: [f"/calls?report=1&{query}" for query in queries] for what, queries in pages.items()}
    visits = {
        "queues_month": [f"/queue_reports?{month}" for month in months], "queues_by_day_of_a_year": [f"/queue_reports?{year}&by=day"],
        "queues_by_hour_of_three_years": [f"/queue_reports?{all_of_it}&by=hour"], "queues_three_years": [f"/queue_reports?{all_of_it}"],
        "ivrs_three_years": [f"/ivr_reports?{all_of_it}"], "ivrs_by_agent_of_a_month": [f"/ivr_reports?{month}&by=agent" for month in months],
        "ivrs_by_agent_of_three_years": [f"/ivr_reports?{all_of_it}&by=agent"],
        "queues_of_a_number_three_years": [f"/queue_reports?{all_of_it}&number={number}&match=exact"],
        "queues_of_a_number_partial_month": [f"/queue_reports?{month}&number={number[-8:]}" for month in months[:5]],
    }
    found |= {what: [f"{address}&report=1" for address in addresses] for what, addresses in visits.items()}
    return found | {"story": [f"/calls/{call.id}"], "by_protocol": [f"/search?q={call.protocol}"], "by_number_in_the_head": [f"/search?q={number}"]}


def _taken(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    answer = ask()
    assert answer.status_code == 200, answer.text[:500]
    return time.perf_counter() - began


def _csv(machine: settings.Settings, name: str, kind: str) -> list[dict[str, Any]]:
    """A million calls (or all there are) as CSV, beside the database's own dump of the same columns of the same calls."""
    end = _day_of_call(1_000_000)
    whole = machine.home / "calls.csv"
    run = subprocess.run([sys.executable, "-c", CHILD, "2023-11-01", end, str(whole)], env=os.environ, capture_output=True, text=True, check=True)
    first, seconds, before, peak = (float(part) for part in run.stdout.split())
    with whole.open("rb") as file:
        rows = sum(1 for _line in file) - 1
    dump = machine.home / "dump.csv"
    taken = _taken_dump(kind, dump, end)
    print(rows, whole.stat().st_size, dump.stat().st_size, file=sys.stderr)
    return [
        figure(f"{name}_csv_rows", rows, ""), figure(f"{name}_csv", seconds, "s"), figure(f"{name}_csv_first_byte", first * 1000, "ms"),
        figure(f"{name}_dump", taken, "s"), figure(f"{name}_csv_speed_of_dump_ratio", taken / seconds, ""),
        figure(f"{name}_csv_peak_memory", peak, "MB"), figure(f"{name}_csv_memory_growth", peak - before, "MB"),
    ]


def _day_of_call(count: int) -> str:
    """The day before the one this call began on: up to its end there are about so many calls."""
    at = db.session.scalar(select(Call.started_at).order_by(Call.started_at).offset(count).limit(1))
    db.session.remove()
    return f"{(at or START + timedelta(days=DAYS)) - timedelta(days=1):%Y-%m-%d}"


def _taken_dump(kind: str, to: Path, end: str) -> float:
    """Seconds of `sqlite3 -csv`, or of COPY, for the columns of the file."""
    from appliance.reports.columns import COLUMNS

    names = ", ".join(column.key for _label, column, _kind in COLUMNS)
    until = f"{datetime.fromisoformat(end) + timedelta(days=1):%Y-%m-%d} 03:00:00"
    where = f"started_at >= '2023-11-01 03:00:00' AND started_at < '{until}' AND ended_at IS NOT NULL ORDER BY started_at, id"
    began = time.perf_counter()
    with to.open("wb") as out:
        if kind == "sqlite":
            file = settings.load().home / "bentevi.sqlite"
            subprocess.run(["sqlite3", "-csv", "-separator", ";", str(file), f"SELECT {names} FROM calls WHERE {where}"], stdout=out, check=True)
        else:
            import psycopg

            url = settings.load().database_url.replace("+psycopg", "")
            with psycopg.connect(url) as connection, connection.cursor() as cursor:
                cursor.execute("SET timezone TO 'UTC'")
                with cursor.copy(f"COPY (SELECT {names} FROM calls WHERE {where}) TO STDOUT (FORMAT csv, DELIMITER ';')") as copy:
                    for piece in copy:
                        out.write(piece)
    return time.perf_counter() - began


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:] if word.isdigit()] or [1_000_000],
         [word for word in sys.argv[1:] if word in ("sqlite", "postgresql")] or ["sqlite", "postgresql"])
