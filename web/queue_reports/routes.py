"""The reports about queues and IVRs: filters, table with its total, chart, files (REP-16, REP-20, REP-21, REP-26, REP-27)."""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from appliance.db import db
from appliance.errors import Refused
from appliance.ivrs.model import Ivr
from appliance.queues.model import Queue
from appliance.reports import asked as asking
from appliance.reports import model, visits, visits_asked, visits_files
from appliance.reports.calls import in_session
from appliance.reports.model import FORMATS, IVRS, PDF, QUEUES, XLSX
from web import crud
from web.calls.routes import periods
from web.login import current_user, needs

pages = Blueprint("queue_reports", __name__)


@pages.get("/queue_reports")
@needs("reports")
def queues() -> ResponseReturnValue:
    """By queue (REP-16), by day (REP-20) and by hour (REP-21)."""
    return _page(QUEUES)


@pages.get("/ivr_reports")
@needs("reports")
def ivrs() -> ResponseReturnValue:
    """The IVR report by IVR, queue, agent, hour or day (REP-26, REP-27)."""
    return _page(IVRS)


@pages.get("/queue_reports.csv")
@needs("reports")
def queues_csv() -> ResponseReturnValue:
    """The table of the page for a spreadsheet."""
    return _csv(QUEUES)


@pages.get("/ivr_reports.csv")
@needs("reports")
def ivrs_csv() -> ResponseReturnValue:
    """The table of the page for a spreadsheet."""
    return _csv(IVRS)


@pages.post("/queue_reports/file")
@needs("reports")
def queues_file() -> ResponseReturnValue:
    """Order a PDF or a spreadsheet of the search in the address."""
    return _order(QUEUES)


@pages.post("/ivr_reports/file")
@needs("reports")
def ivrs_file() -> ResponseReturnValue:
    """Order a PDF or a spreadsheet of the search in the address."""
    return _order(IVRS)


def _page(what: str) -> ResponseReturnValue:
    """The filters; with `report` in the address also what they find."""
    facts: dict[str, Any] = {"asked": None, "messages": {}, "typed": _typed()}
    status = 200
    if request.args.get("report"):
        try:
            facts |= _found(visits_asked.read(what, facts["typed"], current_user()))
            facts["typed"] = visits_asked.in_form(facts["asked"], facts["typed"])
        except Refused as why:
            facts["messages"], status = why.messages, 422
    return render_template("queue_reports/report.html", **_choices(what, facts["typed"]), **facts), status


def _found(asked: visits_asked.VisitsAsked) -> dict[str, Any]:
    lines = visits.Search(asked).lines()
    return {"asked": asked, "lines": lines, "total": visits.total(lines), "columns": visits.columns(asked), "write": visits.written(asked),
            "head": visits.HEADS[asked.by], "svg": visits_files.drawing(asked, lines)}  # fmt: skip


def _csv(what: str) -> ResponseReturnValue:
    typed = visits_asked.values(request.args)
    try:
        asked = visits_asked.read(what, typed, current_user())
    except Refused as why:
        return render_template("queue_reports/report.html", **_choices(what, typed), asked=None, messages=why.messages, typed=typed), 422
    name = f"{model.FILE_NAMES[what]}-{asked.by}-{asked.start.astimezone(asking.zone()):%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f"attachment; filename={name}", "X-Accel-Buffering": "no"}
    return Response(visits_files.csv_pieces(asked, in_session), mimetype="text/csv", headers=headers)


def _order(what: str) -> ResponseReturnValue:
    typed = visits_asked.values(request.args)
    try:
        asked = visits_asked.read(what, typed, current_user())
        model.ask(visits_asked.stored(asked, typed), asked.scope, request.form.get("format", ""), 0, current_user().id, what)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
        return redirect(f"/{what}?{request.query_string.decode('ascii', 'replace')}")
    session["saved"] = _("The report was ordered. It stands here when it is ready; you may go on working.")
    crud.relay()
    return redirect("/reports")


def _typed() -> dict[str, str]:
    """The filters as they stand in the address, and this month in an empty form."""
    typed = visits_asked.values(request.args)
    return typed if "start" in typed or "end" in typed or request.args.get("report") else asking.defaults(asking.zone()) | typed


def _choices(what: str, typed: dict[str, str]) -> dict[str, Any]:
    """What the form offers."""
    groupings = visits_asked.GROUPINGS[what]
    return {
        "what": what, "title": visits_files.TITLES[what], "fields": visits_asked.FIELDS, "matches": asking.MATCHES,
        "direction_words": asking.DIRECTION_WORDS, "domain_words": asking.DOMAIN_WORDS, "periods": periods(), "groupings": groupings,
        "by": typed["by"] if typed.get("by") in groupings else next(iter(groupings)),
        "queue_choices": visits_asked.choices(Queue), "ivr_choices": visits_asked.choices(Ivr),
        "formats": {word: FORMATS[word] for word in (XLSX, PDF)}, "levels": ("sla_percent", "service_level_percent"),
    }
