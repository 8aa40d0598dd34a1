"""bench agi: questions of the dialplan answered per second, and how long each takes, asked by many callers at once.

Each conversation is what Asterisk speaks: connect, tell about the call, give the token, take the variables. The question is whether a number
is in a list of 10,000. Callers are threads of this process, so their own work counts against the figures.
"""

import sys
import threading
import time

from appliance import applying
from appliance.blacklists.entries import BlacklistNumber
from appliance.db import db
from appliance.resource import TABLE
from appliance.telephony import agi
from tests.bench.machine import figure, percentile, report
from tests.bench.product import product

NUMBERS, CALLERS, SECONDS = 10_000, 8, 15


def main(callers: int = CALLERS, seconds: int = SECONDS) -> None:
    """Measure at full speed, then at 200 questions a second."""
    with product() as machine:
        listed = TABLE["blacklists"].create({"name": "Lista"})
        db.session.flush()
        numbers = [f"5548{place:08d}" for place in range(NUMBERS)]
        db.session.add_all(BlacklistNumber(blacklist_id=listed.id, number=one, key=one, note="") for one in numbers)
        list_id = listed.id
        db.session.commit()
        token = applying.secrets().agi_token
        full = _asked(machine.agi_port, token, list_id, callers, seconds, 0)
        paced = _asked(machine.agi_port, token, list_id, callers, seconds, 200 / callers)
    report("agi", [
        figure("conversations_per_second", len(full) / seconds, "1/s"), figure("full_p50", percentile(full, 0.5), "ms"),
        figure("full_p99", percentile(full, 0.99), "ms"), figure("at_200_per_second", len(paced) / seconds, "1/s"),
        figure("at_200_p50", percentile(paced, 0.5), "ms"), figure("at_200_p99", percentile(paced, 0.99), "ms"),
    ])  # fmt: skip


def _asked(port: int, token: str, list_id: int, callers: int, seconds: int, rate: float) -> list[float]:
    """Milliseconds of each conversation; `rate` is questions a second of one caller, 0 as fast as they are answered."""
    taken: list[list[float]] = [[] for _ in range(callers)]
    began = time.monotonic()

    def caller(place: int) -> None:
        due = began + place / max(1.0, rate * callers)
        while (now := time.monotonic()) - began < seconds:
            if rate and now < due:
                time.sleep(due - now)
            due += 1 / rate if rate else 0
            since = time.monotonic()
            agi.ask(port, token, "blacklists/refused", str(list_id), "4899990000", timeout=5)
            taken[place].append((time.monotonic() - since) * 1000)

    threads = [threading.Thread(target=caller, args=(place,)) for place in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for part in taken for one in part]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
