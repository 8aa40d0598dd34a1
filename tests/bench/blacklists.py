"""bench blacklists: how long a call from an unlisted number takes until it rings, by a route without a list, with a list of three numbers and with
one of 100,000, in turns; a listed caller until refused; and what 100,000 numbers cost when they are brought, shown, exported and applied.
"""

import io
import random
import resource as system
import sys
import time
from statistics import median
from typing import Any

from sqlalchemy import delete

from appliance import applying, lanes, sitefile
from appliance.blacklists import entries, imports
from appliance.db import db
from appliance.resource import TABLE
from tests.bench.machine import figure, percentile, report
from tests.bench.product import product
from tests.carrier import BY_IP, Carrier
from tests.homes import free_ports
from tests.phones import Phones

NUMBERS, CALLS = 100_000, 60
LISTS = {"none": None, "small": "Pequena", "large": "Grande"}


def main() -> None:
    """Measure and print."""
    figures: list[dict[str, Any]] = []
    with product() as machine:
        port = free_ports(1)[0]
        dice = random.Random(5)
        listed = [f"{dice.choice((11, 48, 51))}9{place:08d}" for place in dice.sample(range(10**8), NUMBERS)]
        _rows(port)
        figures += _numbers(listed)
        began = time.monotonic()
        assert applying.now("bench").state == "done"
        figures.append(figure("apply", time.monotonic() - began, "s"))
        with Phones(("127.0.0.1", machine.sip_port)) as phones:
            carrier = phones.keep(Carrier(("127.0.0.1", machine.sip_port), port, BY_IP))
            phones.phone("1001", "secret-1001")
            for name, seconds in _calls(carrier, listed).items():
                figures += [figure(f"{name}_p50", median(seconds) * 1000, "ms"), figure(f"{name}_p95", percentile(seconds, 0.95) * 1000, "ms")]
    report("blacklists", figures)


def _rows(port: int) -> None:
    TABLE["company"].update(TABLE["company"].get(1), {"area_code": "48"})
    TABLE["trunks"].create({"name": "A", "host": "127.0.0.1", "port": port, "qualify": False})
    TABLE["extensions"].create({"number": "1001", "name": "Ana", "password": "secret-1001"})
    TABLE["blacklists"].create({"name": "Pequena", "numbers": [{"number": f"483333000{place}"} for place in range(3)]})
    TABLE["blacklists"].create({"name": "Grande"})
    for place, name in enumerate(LISTS.values()):
        TABLE["inbound_routes"].create({"name": f"R{place}", "trunks": ["A"], "blacklists": [name] if name else [],
                                        "rules": [{"mask": f"483013900{place}", "destination": {"extension": "1001"}}]})  # fmt: skip
    db.session.commit()


def _numbers(listed: list[str]) -> list[dict[str, Any]]:
    """The 100,000 brought as a file, and the pages and files that hold them. Memory is this process' growth while reading."""
    large = TABLE["blacklists"].find("Grande")
    large_id = large.id
    content = ("number;note\r\n" + "".join(f"{one};n {place}\r\n" for place, one in enumerate(listed))).encode()
    before = system.getrusage(system.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    found, _repeated = imports.read(content, "")
    read = time.monotonic() - began
    grown = (system.getrusage(system.RUSAGE_SELF).ru_maxrss - before) / 1024
    row = imports.bring(large_id, io.BytesIO(content), "b.csv", imports.ADD, "")
    db.session.execute(delete(lanes.Outgoing))  # it is done here, not by the worker
    began = time.monotonic()
    for start in range(0, len(found), entries.BATCH):
        imports.stage(row.id, found[start:start + entries.BATCH])
        db.session.commit()
    stored = time.monotonic() - began
    began = time.monotonic()
    imports.put_in_force(row, "Grande", 0)
    db.session.commit()
    moved = time.monotonic() - began
    figures = [figure("read_file", read, "s"), figure("read_file_memory", grown, "MB"), figure("stage", stored, "s"), figure("put_in_force", moved, "s")]
    for name, act in {
        "page_of_numbers": lambda: entries.page(large_id), "search_in_numbers": lambda: entries.page(large_id, "9999"),
        "site_export": lambda: sitefile.dump(), "csv_export": lambda: "".join(imports.export_lines(large_id)),
        "look_up": lambda: entries.list_with([large_id], [listed[777]]),
    }.items():  # fmt: skip
        times = []
        for _turn in range(5):
            began = time.monotonic()
            act()
            times.append(time.monotonic() - began)
            db.session.rollback()
        figures.append(figure(f"{name}_p50", median(times) * 1000, "ms"))
    return figures


def _calls(carrier: Carrier, listed: list[str]) -> dict[str, list[float]]:
    """Seconds until it rings, by each route in turn; and until a listed caller is refused."""
    found: dict[str, list[float]] = {f"ring_{name}": [] for name in LISTS} | {"refusal": []}
    for turn in range(CALLS):
        for place, name in enumerate(LISTS):
            began = time.monotonic()
            call = carrier.call(f"483013900{place}", caller=f"4832{turn:06d}")
            call.wait_ringing()
            found[f"ring_{name}"].append(time.monotonic() - began)
            call.hang_up()
        began = time.monotonic()
        carrier.call("4830139002", caller=listed[turn]).wait_refused()
        found["refusal"].append(time.monotonic() - began)
    return found


if __name__ == "__main__":
    sys.exit(main())
