"""The application with its screens; SCREENS is the table of pages that are no resource."""

import logging
import secrets
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, abort, current_app, g, has_request_context, jsonify, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import inspect
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter

from appliance import app as ground
from appliance import applying, changes, closed, db, lanes, settings, version
from appliance import resource as resources
from appliance.company.model import Company
from appliance.errors import Busy, Refused
from appliance.modules import model as modules
from appliance.recordings.model import STATES as RECORDING_STATES
from appliance.reports import model as report_files
from appliance.updates import state as update_state
from web import (
    about,
    api,
    apply,
    assets,
    audit,
    bulk,
    crud,
    email,
    feature_codes,
    formats,
    help,
    htmx,
    jobs,
    khomp_boards,
    login,
    menu,
    now,
    own,
    recordings,
    recovery,
    search,
    unavailable,
    undo,
)
from web import map as maps
from web.addresses import routes as addresses
from web.assistant import routes as assistant
from web.audio_prompts import routes as audio_prompts
from web.backups import routes as backups
from web.blacklists import routes as blacklists
from web.business_hours import routes as business_hours
from web.calendar_events import routes as calendar_events
from web.calls import api as calls_api
from web.calls import routes as calls
from web.certificates import routes as certificates
from web.desk_phones import files as phone_files
from web.desk_phones import routes as desk_phones
from web.imports import api as imports_api
from web.imports import routes as imports
from web.limits import limiter, too_many
from web.missed_calls import routes as missed_calls
from web.moh_classes import routes as moh_classes
from web.out_of_hours import api as out_of_hours_api
from web.out_of_hours import routes as out_of_hours
from web.queue_reports import api as queue_reports_api
from web.queue_reports import routes as queue_reports
from web.queues import routes as queues
from web.ratings import routes as ratings
from web.reports import routes as reports
from web.sessions import QUIET, Sessions
from web.updates import routes as updates

log = logging.getLogger("bentevi.web")

SCREENS = [
    login.pages, recovery.pages, now.pages, search.pages, calls.pages, calls_api.pages, reports.pages, recordings.pages, imports.pages,
    imports_api.pages, blacklists.pages, audio_prompts.pages, apply.pages, audit.pages, undo.pages, jobs.pages,
    khomp_boards.pages, assistant.pages, maps.pages, help.pages, queue_reports.pages, queue_reports_api.pages, ratings.pages,
    ratings.api, business_hours.pages, calendar_events.pages, out_of_hours.pages, out_of_hours_api.pages, missed_calls.pages, queues.pages,
    moh_classes.pages, own.pages, email.pages, certificates.pages, feature_codes.pages, desk_phones.pages, phone_files.pages, backups.pages,
    about.pages, updates.pages, addresses.pages,
]

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)

csrf = CSRFProtect()


def N_(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


class RowId(IntegerConverter):
    """A whole number of an address: what no row can have is not found."""

    def __init__(self, url_map: Any) -> None:
        super().__init__(url_map, max=resources.LARGEST_ID)


def create_app() -> Flask:
    """Everything a browser and the API see."""
    app = ground.bare_app(_language)
    app.secret_key = db.secret_file(settings.load().secrets / "web_key", lambda: secrets.token_urlsafe(48))
    app.config.update(
        SESSION_COOKIE_SECURE=False, WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None, MAX_CONTENT_LENGTH=64 * 2**20,
        MAX_FORM_MEMORY_SIZE=8 * 2**20, MAX_FORM_PARTS=50_000, RATELIMIT_STORAGE_URI=settings.load().redis_url.replace("unix://", "redis+unix://"),
    )
    app.url_map.converters["int"] = RowId
    app.session_interface = Sessions()
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]  # nginx is the one hop
    app.before_request(_keep_out)
    app.before_request(_only_read)
    app.before_request(login.identify)
    csrf.init_app(app)
    app.before_request(_check_csrf)
    app.before_request(_only_what_is_switched_on)
    limiter.init_app(app)
    htmx.connect(app)
    app.after_request(_headers)
    for resource in resources.TABLE.values():
        app.register_blueprint(crud.blueprint(resource))
        app.register_blueprint(imports.blueprint(resource))
        app.register_blueprint(imports_api.blueprint(resource))
        app.register_blueprint(bulk.blueprint(resource))
    for pages in SCREENS:
        app.register_blueprint(pages)
    app.add_url_rule("/healthz", "healthz", login.public(_healthz))
    api.connect(app)
    _errors(app)
    formats.prepare(app.jinja_env)
    app.context_processor(_everywhere)
    return app


def _keep_out() -> ResponseReturnValue | None:
    """Closed addresses get nothing, before a session or a row is looked at."""
    if closed.keeps_out(request.remote_addr or "", closed.SIP if request.path == addresses.MAY_CALL else closed.PAGES):
        return "403: this address is blocked. Ask an administrator of the exchange.\n", 403, {"Content-Type": "text/plain"}
    return None


def _only_read() -> None:
    """Reading requests do not wait for writers."""
    view = current_app.view_functions.get(request.endpoint or "")
    if (request.method in ("GET", "HEAD") and request.endpoint not in QUIET) or getattr(view, "reads_first", False):
        db.read_only()


def _check_csrf() -> None:
    if request.method not in ("GET", "HEAD", "OPTIONS") and not api.is_token_request():
        csrf.protect()


def _only_what_is_switched_on() -> None:
    """Addresses of a module that is switched off do not exist (SYS-14). Those of its parts that others call (files of phones) have other names."""
    words = request.path.strip("/").removeprefix("api/v1/").split("/")
    word = words[0].partition(".")[0]
    if word in modules.WORDS and word in modules.hidden():
        abort(404)


def _language() -> str:
    """The person's language, this browser's choice, or the company's."""
    if not has_request_context():
        return "pt_BR"
    if g.get("without_rows"):
        user = g.get("user")
        return str((inspect(user).dict.get("language") if user else "") or session.get("language", "") or "pt_BR")
    user = g.get("user")
    chosen = (user.language if user else "") or session.get("language", "")
    if chosen:
        return str(chosen)
    company = db.db.session.get(Company, resources.SINGLE_ID)
    return company.language if company else "pt_BR"


def _headers(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"  # for what does not know frame-ancestors
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _everywhere() -> dict[str, Any]:
    """What every template may use."""
    user = None if g.get("without_rows") else g.get("user")
    found: dict[str, Any] = {
        "user": user, "language": str(get_locale()), "asset": assets.url, "theme": request.cookies.get("theme", ""),
        "table": resources.TABLE, "table_int": int, "table_bool": bool, "query": _query, "word_of": _word_of,
        "recordings_of": recordings.of_call, "recording_states": RECORDING_STATES,
        "blacklist_numbers": blacklists.below, "doors_of": business_hours.below, "holidays_waiting": calendar_events.waiting,
        "audio_of": audio_prompts.below, "keys_of": crud.keys_of, "is_short": crud.is_short, "inactive": now.inactive,
        "queue_members": queues.below, "desk_phone_visits": desk_phones.below, "certificate_shown": certificates.shown, "moh_sounds": moh_classes.sounds, "messages_of": own.below,
        "live_parts": now.live_parts, "khomp_driver": khomp_boards.driver_state, "khomp_not_declared": khomp_boards.not_declared, "may_undo": undo.may_undo,
        "help_picture": help.picture, "product_version": version.number(),
    }
    if user and not htmx.wants_part():
        company = db.db.session.get(Company, resources.SINGLE_ID)
        found |= {"menu": menu.menu_of(user), "pending": changes.pending_by_author(), "exchange_state": now.exchange_state(),
                  "company": company, "help_here": help.here(request.path), "restart_waits": bool(applying.waiting_restart()), "update_waits": update_state.waiting_restart(),
                  "news": report_files.news_of(user) if user.may("reports") else [],
                  "saved": session.pop("saved", ""), "refused": session.pop("refused", ""), "undo_path": session.pop("undo", "")}
    return found


def _query(asked: Any, **changes_: Any) -> str:
    """The query string of this list with some values changed or (None) left out."""
    values = {name: value for name, value in asked.items() if value and name not in ("after", "before")} | changes_
    return urlencode({name: value for name, value in values.items() if value is not None})


def _word_of(destination: str) -> str:
    """The resource a type of destination points at."""
    return next(found.word for found in resources.TABLE.values() if found.destination == destination)


def _healthz() -> ResponseReturnValue:
    """For the supervisor: the web, the database and Redis answer."""
    db.read_only()
    db.db.session.get(Company, resources.SINGLE_ID)
    with lanes.needs_redis():
        lanes.connection().ping()
    return "ok", 200, {"Content-Type": "text/plain"}


def _errors(app: Flask) -> None:
    def told(why: HTTPException) -> ResponseReturnValue:
        if isinstance(why.response, Response):
            return why.response  # it brings its own answer, for a device that reads no pages
        if why.code == 429:
            return _error(429, too_many())
        return _error(why.code or 500, _WORDS.get(why.code or 500, why.description or ""))

    def busy(why: Busy) -> ResponseReturnValue:
        return unavailable.answer(str(why))

    def refused(why: Refused) -> ResponseReturnValue:
        return _error(422, str(why))

    def ours(why: Exception) -> ResponseReturnValue:
        code = secrets.token_hex(3).upper()
        log.error("error %s at %s", code, unavailable.told_path(), exc_info=why)
        db.db.session.rollback()
        return _error(500, _("Something went wrong on our side. Nothing was stored. Tell support this code: %(code)s", code=code))

    app.register_error_handler(HTTPException, told)
    app.register_error_handler(Busy, busy)
    app.register_error_handler(Refused, refused)
    app.register_error_handler(Exception, ours)
    unavailable.connect(app, ours)


_WORDS = {
    400: N_("The page was open for too long or the request is not complete. Go back and send it again."),
    401: N_("Log in first."),
    403: N_("You may not open this. Ask an administrator for the menu."),
    404: N_("There is nothing here. It may have been deleted."),
    413: N_("The file is too large."),
}


def _error(status: int, text: str) -> ResponseReturnValue:
    try:
        if request.path.startswith("/api/"):
            return jsonify(error=_(text), fields={}), status
        return render_template("error.html", status=status, text=_(text)), status
    except db.AWAY as why:  # the error was met while rows could still be read
        return unavailable.answer(db.WORDS[db.trouble(why) or db.GONE])
