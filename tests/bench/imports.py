"""How long a CSV file of extensions takes: checked, stored, brought again, changed, taken back, exported; and how much memory.

`./bentevi bench imports [ROWS …]`: default 5,000. The jobs run here as the worker runs them, on a home with everything up.
"""

import resource as usage
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import OperationalError

from appliance import csv_files, undo
from appliance.db import db
from appliance.imports import columns, export, model
from appliance.imports.model import Import
from appliance.resource import TABLE
from appliance.users.model import User, by_login
from jobs import imports as jobs
from tests.bench.machine import figure, report
from tests.bench.product import product
from tests.build import make_user


def main(sizes: list[int]) -> None:
    figures: list[dict[str, Any]] = []
    for size in sizes:
        with product():
            figures += _figures(size)
    report("imports", figures)


def _figures(size: int) -> list[dict[str, Any]]:
    user = make_user("medidora", administrator=True)
    for number in range(10):
        TABLE["extension_classes"].create({"name": f"Categoria {number}"})
        TABLE["cost_centres"].create({"name": f"Centro {number}"})
        TABLE["pickup_groups"].create({"name": f"Grupo {number}"})
    db.session.commit()
    before = usage.getrusage(usage.RUSAGE_SELF).ru_maxrss / 1024
    first, found = _import(user, _file(size, "Pessoa")), []
    again, later = _import(user, _file(size, "Pessoa")), _import(user, _file(size, "Gente"))
    for name, times in (("", first), ("again_", again), ("change_", later)):
        found += [figure(f"{size}_{name}{what}", value, "s") for what, value in times.items()]
    found.append(figure(f"{size}_memory_growth", usage.getrusage(usage.RUSAGE_SELF).ru_maxrss / 1024 - before, "MB"))
    batch = f"import-{db.session.query(Import.id).order_by(Import.id.desc()).first()[0]}"
    db.session.rollback()
    found.append(figure(f"{size}_undo", _taken(lambda: _undo(batch)), "s"))
    query = db.select(TABLE["extensions"].model)
    found.append(figure(f"{size}_export", _taken(lambda: sum(map(len, export.pieces(TABLE["extensions"], query)))), "s"))
    return found


def _file(size: int, name: str) -> bytes:
    lines = (f"{10000 + n};{name} {n};segredo-{n:06};Categoria {n % 10};Centro {n % 10};Grupo {n % 10};1\r\n" for n in range(size))
    return ("\ufeffRamal;Nome;Senha;Categoria;Centro de custo;Grupo de captura;Aparelhos\r\n" + "".join(lines)).encode()


def _import(user: User, data: bytes) -> dict[str, float]:
    """Seconds of upload, check and store, and the longest somebody else waited to write meanwhile."""
    user_id, word = user.id, TABLE["extensions"]
    began = time.perf_counter()
    sheet = csv_files.read(data)
    row = model.bring(word, user_id, "", "ramais.csv", data, sheet.head, len(sheet.rows))
    model.ask_check(row, columns.check(word, sheet.head, columns.guess(word, sheet.head)))
    db.session.commit()
    import_id, taken = row.id, {"upload": time.perf_counter() - began}
    db.session.rollback()
    taken["check"] = _taken(lambda: jobs.check(import_id))
    row = db.session.get_one(Import, import_id)
    assert not row.bad_count, row.faults[:3]
    if row.good_count:
        model.ask_store(row, False)
        db.session.commit()
        cpu = self_cpu()
        with _Waits() as waits:
            taken["store"] = _taken(lambda: jobs.store_rows(import_id))
        taken["longest_wait_of_others"] = waits.longest
        taken["store_cpu"] = self_cpu() - cpu
    db.session.rollback()
    return taken


def self_cpu() -> float:
    """Seconds this process has computed: what a store costs on a machine that is busy with other things."""
    return time.process_time()


def _undo(batch: str) -> None:
    _count, refused = undo.take_back_batch(batch)
    assert not refused, refused[:3]
    db.session.commit()


def _taken(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    db.session.rollback()
    return time.perf_counter() - began


class _Waits:
    """Somebody else who writes one row again and again: how long the longest write waited."""

    def __enter__(self) -> "_Waits":
        from flask import current_app

        self.app = current_app._get_current_object()  # type: ignore[attr-defined]
        self.longest, self.over = 0.0, threading.Event()
        self.thread = threading.Thread(target=self._write)
        self.thread.start()
        return self

    def _write(self) -> None:
        while not self.over.wait(0.02):
            with self.app.app_context():
                began = time.perf_counter()
                try:
                    user = by_login("medidora")
                    assert user
                    user.wrong_passwords = 0
                    db.session.commit()
                except OperationalError:  # gave up waiting: told as the time it waited
                    db.session.rollback()
                self.longest = max(self.longest, time.perf_counter() - began)

    def __exit__(self, *_why: Any) -> None:
        self.over.set()
        self.thread.join()


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [5000])
