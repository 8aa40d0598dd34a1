"""Reports as files: who asked for what, how far it is, where the file lies and until when (REP-37)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, ColumnElement, ForeignKey, Index, String, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from appliance import db as ground
from appliance import lanes, settings
from appliance.db import Base, Instant, Large, db
from appliance.errors import Refused
from appliance.users.model import User

PDF, PDF_SUMMARY, XLSX = "pdf", "pdf_summary", "xlsx"
FORMATS = {PDF: _l("PDF"), PDF_SUMMARY: _l("PDF summary"), XLSX: _l("XLSX")}
CALLS, QUEUES, IVRS, OUT_OF_HOURS = "calls", "queue_reports", "ivr_reports", "out_of_hours"
WHATS = {CALLS: _l("Calls"), QUEUES: _l("Queues"), IVRS: _l("IVRs"), OUT_OF_HOURS: _l("Out of hours")}
FILE_NAMES = {CALLS: "ligacoes", QUEUES: "filas", IVRS: "uras", OUT_OF_HOURS: "fora-do-horario"}
ENDINGS = {PDF: "pdf", PDF_SUMMARY: "pdf", XLSX: "xlsx"}
WAITING, RUNNING, READY, FAILED, CANCELLED = "waiting", "running", "ready", "failed", "cancelled"
STATES = {WAITING: _l("waiting"), RUNNING: _l("being made"), READY: _l("is ready"), FAILED: _l("failed"), CANCELLED: _l("cancelled")}
OVER = (READY, FAILED, CANCELLED)

MOST_PDF_ROWS = 2000
MOST_SHEET_ROWS = 1_048_575  # a sheet holds one more, the head
KEPT_DAYS = 7
MOST_WAITING = 5            # per person
MOST_RUNS = 3               # a report that was killed so often is not tried again
LEASE_SECONDS = 60          # a running one that has given no sign of life for so long was killed
WAITS_SECONDS = 300         # after so long a waiting one is handed to its lane again: Redis may have lost it


class Report(Base):
    """One file somebody asked for. `filters`: the typed texts with the period made firm, see asked.stored."""

    __tablename__ = "reports"
    __table_args__ = (
        Index("ix_reports_user_id_state", "user_id", "state"), Index("ix_reports_state_beat_at", "state", "beat_at"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(40), default="calls")
    filters: Mapped[dict[str, str]] = mapped_column(JSON)
    scope: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))   # cost centres the asker could see then; None: all
    format: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(12), default=WAITING)
    reason: Mapped[str] = mapped_column(String(300), default="")
    progress: Mapped[int] = mapped_column(default=0)             # per cent
    row_count: Mapped[int] = mapped_column(default=0)
    run_count: Mapped[int] = mapped_column(default=0)            # how often a worker took it: the newest one writes, older ones stop
    file: Mapped[str] = mapped_column(String(80), default="")    # relative to the folder of reports
    size_bytes: Mapped[int] = mapped_column(Large, default=0)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    user_name: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(Instant())
    beat_at: Mapped[datetime] = mapped_column(Instant())         # the last sign of life
    ended_at: Mapped[datetime | None] = mapped_column(Instant())
    expires_at: Mapped[datetime] = mapped_column(Instant(), index=True)
    seen: Mapped[bool] = mapped_column(default=False)            # its end was shown to the asker

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def path(self) -> Path:
        """The file. Its name is ours: nothing a request says becomes part of a path."""
        return folder() / self.file

    @property
    def download_name(self) -> str:
        """What the browser calls the file."""
        return f"{FILE_NAMES[self.what]}-{self.filters['start'][:10]}-{self.id}.{ENDINGS[self.format]}"

    def may_be_opened_by(self, user: User) -> bool:
        """The asker and administrators; an asker who may see less today does not get what was made of more."""
        if user.administrator:
            return True
        narrowed = bool(user.cost_centres) and not (self.scope is not None and set(self.scope) <= set(user.cost_centres))
        return user.id == self.user_id and not narrowed


def folder() -> Path:
    """Where files of reports lie, for this home's own user only."""
    found = settings.load().home / "reports"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def ask(filters: Mapping[str, str], scope: frozenset[int] | None, kind: str, count: int, user_id: int, what: str = CALLS) -> Report:
    """Order a file of `count` calls, or of so many rows of another report. Raises Refused, with advice, when it would be too long or the person has too many waiting."""
    if kind not in FORMATS:
        raise Refused(_("“%(value)s” is none of the choices.", value=kind[:20]))
    refuse_long(kind, count)
    user = db.session.get_one(User, user_id, with_for_update=True)  # two requests of one person are counted one after another
    waiting = db.session.scalar(select(func.count()).where(Report.user_id == user_id, Report.state.in_((WAITING, RUNNING)))) or 0
    if waiting >= MOST_WAITING:
        raise Refused(_("%(count)s of your reports are still being made. Wait for one, or cancel one in “Ready reports”.", count=waiting),
                      link="/reports")
    now = ground.now()
    report = Report(what=what, filters=dict(filters), scope=None if scope is None else sorted(scope), format=kind, language=str(get_locale() or "pt_BR"),
                    state=WAITING, row_count=count, user_id=user.id, user_name=user.name, at=now, beat_at=now,
                    expires_at=now + timedelta(days=KEPT_DAYS))
    db.session.add(report)
    db.session.flush()
    lanes.put("reports", "jobs.reports.run", report.id)
    return report


def refuse_long(kind: str, count: int) -> None:
    """Raises Refused for what would be too long to make or to use."""
    if kind == PDF and count > MOST_PDF_ROWS:
        raise Refused(_("This search has %(count)s calls; a PDF lists at most %(most)s. Ask for the PDF summary (totals and chart), for XLSX or "
                        "CSV, or choose a shorter period.", count=_thousands(count), most=_thousands(MOST_PDF_ROWS)))
    if kind == XLSX and count > MOST_SHEET_ROWS:
        raise Refused(_("This search has %(count)s calls; a spreadsheet holds at most %(most)s. Ask for CSV, or choose a shorter period.",
                        count=_thousands(count), most=_thousands(MOST_SHEET_ROWS)))


def of_person(user: User) -> list[Report]:
    """The person's own, newest first, those past their days left out; administrators see everybody's."""
    query = select(Report).where(Report.expires_at > ground.now()).order_by(Report.id.desc()).limit(200)
    return list(db.session.scalars(query if user.administrator else query.where(Report.user_id == user.id)))


def news_of(user: User) -> list[Report]:
    """The person's own reports that ended and whose end was not shown yet, for the bar."""
    query = select(Report).where(Report.user_id == user.id, Report.state.in_((READY, FAILED)), Report.seen.is_(False))
    return list(db.session.scalars(query.where(Report.expires_at > ground.now()).order_by(Report.id).limit(20)))


def mark_seen(user: User) -> None:
    """The person has seen the list."""
    over = update(Report).where(Report.user_id == user.id, Report.state.in_(OVER), Report.seen.is_(False))
    db.session.execute(over.values(seen=True))


def cancel(report: Report) -> None:
    """A waiting one is never begun; the worker of a running one stops at its next sign of life."""
    open_one = update(Report).where(Report.id == report.id, Report.state.in_((WAITING, RUNNING)))
    db.session.execute(open_one.values(state=CANCELLED, ended_at=ground.now(), seen=True))


def remove(report: Report) -> None:
    """The row and its file."""
    name = report.file
    db.session.delete(report)
    db.session.flush()
    if name:
        (folder() / name).unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------------- for the worker


def take(report_id: int) -> int:
    """Take a report to be made; the number of this run, 0 when it is over, gone or in other hands.

    One that is running is taken over only when it has given no sign of life for LEASE_SECONDS: whoever made it was killed.
    """
    now = ground.now()
    dead = (Report.state == RUNNING) & (Report.beat_at < now - timedelta(seconds=LEASE_SECONDS))
    mine = update(Report).where(Report.id == report_id, or_(Report.state == WAITING, dead))
    taken = mine.values(state=RUNNING, beat_at=now, run_count=Report.run_count + 1, progress=0, reason="").returning(Report.run_count)
    return db.session.scalar(taken) or 0


def beat(report_id: int, run: int, **values: Any) -> bool:
    """A sign of life, with what changed; False when the report is cancelled, gone or taken over: then stop."""
    alive = update(Report).where(Report.id == report_id, Report.state == RUNNING, Report.run_count == run)
    return bool(db.session.execute(alive.values(beat_at=ground.now(), **values)).rowcount)  # type: ignore[attr-defined]


def left_lying() -> list[int]:
    """Reports nobody is working on though somebody should: killed while running, or lost on the way to their lane."""
    return list(db.session.scalars(select(Report.id).where(_lies()).order_by(Report.id)))


def _lies() -> ColumnElement[bool]:
    now = ground.now()
    dead = (Report.state == RUNNING) & (Report.beat_at < now - timedelta(seconds=LEASE_SECONDS))
    lost = (Report.state == WAITING) & (Report.beat_at < now - timedelta(seconds=WAITS_SECONDS))
    return or_(dead, lost)


def put_again(report_id: int) -> None:
    """Hand one that was left lying to its lane once more; one that was killed too often has failed."""
    report = db.session.scalar(select(Report).where(Report.id == report_id, _lies()).with_for_update())
    if report is None:
        return  # somebody was quicker
    if report.run_count >= MOST_RUNS:
        with force_locale(report.language):
            reason = _("The making was interrupted several times. Ask for a shorter period, or tell support.")
        report.state, report.ended_at, report.reason = FAILED, ground.now(), reason
        return
    report.state, report.beat_at = WAITING, ground.now()  # whoever still believes to be making it stops at its next sign of life
    lanes.put("reports", "jobs.reports.run", report.id)


def forget_expired() -> int:
    """Remove rows and files past their days, and files no row speaks of; how many rows. May run at any time, twice too."""
    now = ground.now()
    names = list(db.session.scalars(select(Report.file).where(Report.expires_at <= now)))
    db.session.execute(delete(Report).where(Report.expires_at <= now))
    kept = set(db.session.scalars(select(Report.file)))
    oldest = (now - timedelta(hours=1)).timestamp()  # a file in the making has no row yet
    for path in folder().iterdir():
        if path.name in names or (path.name not in kept and path.stat().st_mtime < oldest):
            path.unlink(missing_ok=True)
    return len(names)


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", ".")
