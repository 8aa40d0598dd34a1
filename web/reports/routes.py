"""Reports as files: asking for one, the list with their progress, cancel, download, delete (REP-37)."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, send_file, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from appliance.db import db, now
from appliance.errors import Refused
from appliance.reports import asked as asking
from appliance.reports import model, out_of_hours, visits_asked
from appliance.reports.calls import Search, piecewise
from appliance.reports.model import CALLS, FORMATS, OUT_OF_HOURS, READY, STATES, WHATS, Report
from web import crud
from web.login import current_user, needs

pages = Blueprint("reports", __name__)


@pages.get("/reports")
@needs("reports")
def show() -> ResponseReturnValue:
    """The person's files; administrators see everybody's."""
    return render_template("reports/reports.html", **_facts())


@pages.get("/reports/_rows")
@needs("reports")
def rows() -> ResponseReturnValue:
    """The list alone; the page asks again while something is being made."""
    return render_template("reports/_rows.html", **_facts())


def _facts() -> dict[str, Any]:
    found = model.of_person(current_user())
    told = [(report, asking_told(report)) for report in found]
    return {"reports": told, "states": STATES, "formats": FORMATS, "whats": WHATS, "moves": any(not report.is_over for report in found), "kept_days": model.KEPT_DAYS}


def asking_told(report: Report) -> str:
    """The filters in one line, as the person could ask them today; what has since been deleted or forbidden is left out."""
    try:
        if report.what == OUT_OF_HOURS:
            search = out_of_hours.read(report.filters, current_user())
            return " · ".join(f"{label}: {value}" for label, value in out_of_hours.told(search, report.filters))
        if report.what != CALLS:
            of_visits = visits_asked.read(report.what, report.filters, current_user())
            told = [("", str(visits_asked.GROUPINGS[report.what][of_visits.by])), *visits_asked.told(of_visits, report.filters)]
            return " · ".join(f"{label}: {value}" if label else value for label, value in told)
        asked = asking.read(report.filters, current_user())
    except Refused:
        return ""
    return " · ".join(f"{label}: {value}" for label, value in asking.told(asked, report.filters))


@pages.post("/reports")
@needs("reports")
def ask() -> ResponseReturnValue:
    """Order a file of the search in the address."""
    kind = request.form.get("format", "")
    back = f"/calls?{request.query_string.decode('ascii', 'replace')}"
    user_id = current_user().id
    try:
        asked = asking.read(request.args, current_user())
        db.session.rollback()  # counting may take long; it must not hold the write lock that stores calls
        count = Search(asked, piecewise()).sums().call_count
        model.ask(asking.stored(asked, request.args), asked.scope, kind, count, user_id)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
        return redirect(back)
    session["saved"] = _("The report was ordered. It stands here when it is ready; you may go on working.")
    crud.relay()
    return redirect("/reports")


@pages.get("/reports/<int:report_id>/file")
@needs("reports")
def download(report_id: int) -> ResponseReturnValue:
    """The file, for the asker and administrators."""
    report = own(report_id)
    if report.state != READY or not report.file or not report.path.is_file():
        abort(404)
    answer = send_file(report.path, as_attachment=True, download_name=report.download_name)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.post("/reports/<int:report_id>/cancel")
@needs("reports")
def cancel(report_id: int) -> ResponseReturnValue:
    """Stop what is not ready yet."""
    model.cancel(own(report_id))
    db.session.commit()
    return redirect("/reports")


@pages.post("/reports/<int:report_id>/delete")
@needs("reports")
def delete(report_id: int) -> ResponseReturnValue:
    """Remove the row and its file; one that is being made stops."""
    model.remove(own(report_id))
    db.session.commit()
    session["saved"] = _("The report was deleted.")
    return redirect("/reports")


@pages.post("/reports/_seen")
@needs("reports")
def seen() -> ResponseReturnValue:
    """The list was shown: the bar of news goes away."""
    model.mark_seen(current_user())
    db.session.commit()
    return "", 204


def own(report_id: int) -> Report:
    """The report, when this person may have it; 404 when there is none (any more), 403 when it is somebody else's."""
    report = db.session.get(Report, report_id)
    if report is None or report.expires_at <= now():
        abort(404)
    if not report.may_be_opened_by(current_user()):
        abort(403)
    return report
