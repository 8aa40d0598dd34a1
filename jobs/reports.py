"""Jobs that make report files: PDF and XLSX. The only importer of WeasyPrint, so that nothing else waits for it."""

import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app
from flask_babel import force_locale
from flask_babel import gettext as _

from appliance import db as ground
from appliance.db import db
from appliance.errors import Refused
from appliance.reports import asked as asking
from appliance.reports import calls, files, model, out_of_hours, out_of_hours_files, printed, visits_asked, visits_files
from appliance.reports.asked import Asked
from appliance.reports.model import CALLS, FAILED, OUT_OF_HOURS, READY, XLSX, Report
from appliance.settings import CHECKOUT
from appliance.users.model import User

log = logging.getLogger("bentevi.reports")
BEAT_SECONDS = 10
STATIC = CHECKOUT / "web" / "static"
SERVED = {".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2"}


class Stopped(Exception):
    """The report was cancelled, deleted, or is in other hands now: what was made is thrown away."""


def run(report_id: int) -> None:
    """Make the file of a report. May be delivered twice and may be killed: one run at a time holds the row, the newest one writes.

    Every end is on the row: ready with its file, failed with its reason.
    """
    number = model.take(report_id)
    db.session.commit()
    if not number:
        return
    report = db.session.get_one(Report, report_id)
    db.session.expunge(report)  # as it was taken: somebody may delete the row meanwhile
    db.session.commit()
    path = None
    try:
        path = model.folder() / f"{report.id}-{secrets.token_hex(8)}.{model.ENDINGS[report.format]}"
        with force_locale(report.language), _alive(report_id, number):
            count = _make(report, path, number)
        _end(report_id, number, state=READY, progress=100, row_count=count, file=path.name, size_bytes=path.stat().st_size)
        path = None
    except Stopped:
        log.info("reports %s: stopped", report_id)
    except Refused as why:
        _failed(report_id, number, str(why))
    except Exception:  # the edge of a job: the whole trace to the log, a sentence with a code on the row
        code = secrets.token_hex(3).upper()
        log.exception("reports %s: failed, code %s", report_id, code)
        db.session.rollback()
        with force_locale(report.language):
            said = _("Something went wrong on our side. Ask for it again, or tell support this code: %(code)s", code=code)
        _failed(report_id, number, said)
    finally:
        db.session.rollback()
        if path:
            path.unlink(missing_ok=True)


def _make(report: Report, path: Path, number: int) -> int:
    """Write the file; how many calls it holds. Raises Refused, or Stopped when nobody wants it any more."""
    user = db.session.get(User, report.user_id)
    if user is None or not user.active or not user.may("reports"):
        raise Refused(_("You may not open reports any more."))
    expected = max(1, report.row_count)

    def advance(rows: int) -> None:
        _beat(report.id, number, progress=min(99, 100 * rows // expected))

    if report.what == OUT_OF_HOURS:
        return _make_out_of_hours(report, user, path, advance)
    if report.what != CALLS:
        return _make_visits(report, user, path)
    asked = asking.read(report.filters, user)
    db.session.commit()
    return files.write_xlsx(asked, path, advance) if report.format == XLSX else _write_pdf(report, asked, path, advance)


def _write_pdf(report: Report, asked: Asked, path: Path, advance: Callable[[int], None]) -> int:
    """Totals and list as of one moment, then paper."""
    with _one_moment() as ask:
        page, count = printed.html(asked, report.filters, ask, kind=report.format, by=report.user_name, at=ground.now())
    db.session.commit()
    advance(count // 10)
    _print(page, path)
    advance(count)
    return count


def _make_visits(report: Report, user: User, path: Path) -> int:
    """The report about queues or IVRs; how many rows it has. It is short: nobody sees its progress."""
    asked = visits_asked.read(report.what, report.filters, user)
    with _one_moment() as ask:
        if report.format == XLSX:
            count = visits_files.write_xlsx(asked, path, ask)
        else:
            page, count = visits_files.html(asked, report.filters, ask, by=report.user_name, at=ground.now())
    db.session.commit()
    if report.format != XLSX:
        _print(page, path)
    return count


def _make_out_of_hours(report: Report, user: User, path: Path, advance: Callable[[int], None]) -> int:
    """The report of calls out of hours; how many lines it has."""
    search = out_of_hours.read(report.filters, user)
    db.session.commit()
    if report.format == XLSX:
        return out_of_hours_files.write_xlsx(search, path, advance)
    with _one_moment() as ask:
        page, count = out_of_hours_files.html(search, report.filters, ask, kind=report.format, by=report.user_name, at=ground.now())
    db.session.commit()
    advance(count // 10)
    _print(page, path)
    return count


def _print(page: str, path: Path) -> None:
    from weasyprint import HTML

    HTML(string=page, url_fetcher=own_files).write_pdf(str(path))


@contextmanager
def _one_moment() -> Iterator[calls.Run]:
    """Questions that all see the same calls, whatever is stored meanwhile."""
    with db.engine.execution_options(read_only=True).connect() as connection:
        yield calls.on(connection)


def own_files(url: str, *_more: Any, **_rest: Any) -> Any:
    """For WeasyPrint: files of web/static and nothing else, so that no text of a report can fetch an address. Raises ValueError."""
    from weasyprint.urls import URLFetcherResponse

    parts = urlsplit(url)
    path = (STATIC / parts.path.removeprefix("/")).resolve()
    if parts.scheme != "static" or not path.is_relative_to(STATIC) or path.suffix not in SERVED or not path.is_file():
        raise ValueError(f"a report may not open {url[:100]}")
    return URLFetcherResponse(url, path.read_bytes(), {"Content-Type": SERVED[path.suffix]})


# ------------------------------------------------------------------------------------------------------------ signs of life


@contextmanager
def _alive(report_id: int, number: int) -> Iterator[None]:
    """Give signs of life from beside, because drawing pages takes long and tells nothing meanwhile."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    over = threading.Event()

    def beats() -> None:
        while not over.wait(BEAT_SECONDS):
            with app.app_context():
                try:
                    model.beat(report_id, number)
                    db.session.commit()
                except ground.AWAY as why:  # the next one will do, else another worker takes the report
                    log.warning("reports %s: no sign of life: %s", report_id, why)

    thread = threading.Thread(target=beats, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(report_id: int, number: int, **values: Any) -> None:
    alive = model.beat(report_id, number, **values)
    db.session.commit()
    if not alive:
        raise Stopped


def _end(report_id: int, number: int, **values: Any) -> None:
    _beat(report_id, number, ended_at=ground.now(), **values)


def _failed(report_id: int, number: int, reason: str) -> None:
    db.session.rollback()
    model.beat(report_id, number, state=FAILED, reason=reason[:300], ended_at=ground.now())
    db.session.commit()


# ----------------------------------------------------------------------------------------------------------- for the worker


def tidy() -> None:
    """Give reports that were left lying back to their lane, remove those past their days. The worker does it every minute."""
    ground.read_only()
    lying = model.left_lying()
    db.session.rollback()
    for report_id in lying:
        log.warning("reports %s: left lying, given back to its lane", report_id)
        model.put_again(report_id)
    model.forget_expired()
    db.session.commit()
