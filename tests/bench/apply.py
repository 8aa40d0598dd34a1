"""bench apply: how long a change takes to come into force, at 500, 2,500 and 5,000 extensions.

Per size: render and check of everything, and whole applies of one changed extension, cold shadow included; beside them
Asterisk's own bare reload of the same files, measured in the same run.
"""

import sys
import time
from typing import Any

from appliance import applying, settings
from appliance.db import db
from appliance.resource import TABLE
from appliance.telephony import check, learning, runtime, store, warm
from tests.bench.machine import figure, percentile, report
from tests.bench.product import product

SIZES = (500, 2500, 5000)
APPLIES = 7


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Measure and print."""
    figures: list[dict[str, Any]] = []
    with product():
        for size in sizes:
            fill(size)
            figures += measure(size)
    report("apply", figures)


def fill(size: int) -> None:
    """So many extensions."""
    resource = TABLE["extensions"]
    have = sum(1 for _row in resource.rows())
    for number in range(10000 + have, 10000 + size):
        resource.create({"number": str(number), "name": f"Ramal {number}", "password": f"secret-{number}"})
    db.session.commit()


def measure(size: int) -> list[dict[str, Any]]:
    """The figures of one size, with everything in force before the first is taken."""
    assert applying.now("fill").state == "done"
    machine = settings.load()
    row, resource = TABLE["extensions"].find("10000"), TABLE["extensions"]
    began = time.perf_counter()
    candidate = applying.build(0)
    rendered = time.perf_counter()
    assert check.check(candidate.files, learning.known(machine)) == []
    checked = time.perf_counter()
    wholes, reloads, steps = [], [], {}
    for attempt_number in range(APPLIES):
        resource.update(resource.get(row.id), {"name": f"Ana {attempt_number}"})
        db.session.commit()
        wait_warm(machine)  # a person changes a thing every now and then, not while the one before is still being proved
        start = time.perf_counter()
        attempt = applying.now("bench")
        wholes.append(time.perf_counter() - start)
        assert attempt.state == "done", attempt.findings
        for step in attempt.steps:
            steps.setdefault(step["name"], []).append(step["seconds"])
        (machine.asterisk / "etc" / "bentevi" / "extensions.pjsip.conf").touch()  # an unchanged file is not read again
        start = time.perf_counter()
        runtime.command(runtime.control(machine), "module reload res_pjsip.so", timeout=60)
        reloads.append(time.perf_counter() - start)
    return [
        figure(f"render_{size}", rendered - began, "s"),
        figure(f"check_{size}", checked - rendered, "s"),
        figure(f"render_and_check_{size}", checked - began, "s"),
        figure(f"one_changed_{size}_p50", percentile(wholes, 0.5), "s"),
        figure(f"one_changed_{size}_p95", percentile(wholes, 0.95), "s"),
        figure(f"bare_reload_{size}_p50", percentile(reloads, 0.5), "s"),
        figure(f"one_changed_to_bare_reload_{size}_ratio", percentile(wholes, 0.5) / percentile(reloads, 0.5), ""),
        *(figure(f"step_{name}_{size}_p50", percentile(values, 0.5), "s") for name, values in steps.items()),
    ]


def wait_warm(machine: settings.Settings) -> None:
    """Until the second Asterisk stands ready on the revision in force."""
    ends_at = time.monotonic() + 60
    while warm.offered(machine) != store.in_force(machine) and time.monotonic() < ends_at:
        time.sleep(0.05)


if __name__ == "__main__":
    main(tuple(int(text) for text in sys.argv[1:]) or SIZES)
