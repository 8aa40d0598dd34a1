"""Taking over the holidays of a year as events, for chosen queues and IVRs (HRS-07)."""

from typing import Any

from flask import Blueprint, abort, g, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, ngettext

from appliance import applying, changes
from appliance import db as ground
from appliance.calendar_events import proposals
from appliance.db import db
from appliance.errors import Refused
from appliance.reports.asked import zone
from appliance.resource import TABLE
from web import crud
from web.login import needs

pages = Blueprint("holidays", __name__)
NAMES = ("prompt", "destination", "queues", "ivrs")


@pages.get("/calendar_events/holidays")
@needs("calendar_events")
def show() -> ResponseReturnValue:
    """The holidays of a year and state, those already taken over told."""
    return _page({}, set())


@pages.post("/calendar_events/holidays")
@needs("calendar_events")
def take() -> ResponseReturnValue:
    """Make events of the ticked ones."""
    resource = TABLE["calendar_events"]
    if not crud.may_write(resource):
        abort(403)
    year, state = _asked()
    days = set(request.form.getlist("days"))
    values = {name: resource.fields[name].kind.from_form(request.form, name) for name in NAMES}
    try:
        with changes.together(f"holidays-{year}-{ground.now():%s}"):
            made = proposals.take(year, state, days, values, str(get_locale()))
        attempt = applying.ask_if_wanted()
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return _page(values, days, why), 422
    crud.relay()
    session["saved"] = ngettext("%(num)s holiday taken over, to be applied.", "%(num)s holidays taken over, to be applied.", len(made))
    return redirect(f"/apply/{attempt.id}" if attempt else "/calendar_events?sort=start")


def _asked() -> tuple[int, str]:
    """(year, state) of the address; what makes no sense is this year and the company's own."""
    today = ground.now().astimezone(zone()).date()
    year = request.args.get("year", today.year + (today.month >= 11), type=int)
    state = request.args.get("state", proposals.home_state())
    return min(max(year, proposals.FIRST_YEAR), proposals.LAST_YEAR), state if state in proposals.STATES else ""


def _page(values: dict[str, Any], days: set[str], refusal: Refused | None = None) -> str:
    year, state = _asked()
    resource = TABLE["calendar_events"]
    today = ground.now().astimezone(zone()).date()
    return render_template(
        "calendar_events/holidays.html", resource=resource, year=year, state=state, states=proposals.STATES, kinds=proposals.KINDS,
        years=sorted({year, *range(today.year, today.year + 3)}), holidays=proposals.of_year(year, state, str(get_locale())),
        values={name: resource.fields[name].initial() for name in NAMES} | values, days=days, messages=refusal.messages if refusal else {}, refusal=refusal,
        may_write=crud.may_write(resource), is_first=request.method == "GET", optional=proposals.OPTIONAL,
    )


def waiting() -> tuple[int, int]:
    """(year, how many) for the list of events; see proposals.waiting."""
    if g.get("user") is None:
        return 0, 0
    return proposals.waiting(ground.now().astimezone(zone()).date())
