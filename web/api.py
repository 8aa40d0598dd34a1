"""The same resources as JSON under /api/v1, described by OpenAPI 3.1 at /api/v1/openapi.json."""

from datetime import datetime
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response, abort, g, jsonify, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict, create_model
from pydantic import Field as Described
from spectree import Response as Answers
from spectree import SecurityScheme, SecuritySchemeData, SpecTree
from spectree.model_adapter.pydantic_adapter import BaseFile
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from appliance import applying, changes, live
from appliance import resource as resources
from appliance.calls import hangup
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import Resource
from appliance.users import letters
from appliance.users.model import User
from web import crud, panel
from web.imports import routes as imports
from web.login import current_user, needs

MOST_ROWS = 500

spec = SpecTree(
    "flask", title="Bentevi", version="v1", path="spectree", annotations=False, openapi_version="3.1.0", page_templates={},
    naming_strategy=lambda model: model.__name__, mode="strict",
    security_schemes=[SecurityScheme(name="token", data=SecuritySchemeData(type="http", scheme="bearer"))], security={"token": []},
)  # its path is only what it leaves out: with api/v1 the description was empty
# It asks for the shape of every answer of every address, some 1,300 times for 156 shapes: a third of the time an application takes to be made.
spec.model_adapter.json_schema = cache(spec.model_adapter.json_schema)  # type: ignore[method-assign]  # what it returns is copied by its caller


class Problem(BaseModel):
    """What is wrong: one sentence, and one per field."""

    model_config = ConfigDict(extra="forbid")
    error: str
    fields: dict[str, str] = {}


PROBLEMS = {"HTTP_401": Problem, "HTTP_403": Problem, "HTTP_404": Problem, "HTTP_422": Problem}


class SentFile(BaseModel):
    """multipart/form-data with the field `file`."""

    file: BaseFile


class Listing(BaseModel):
    """How a list is asked for; each field of a row filters by its name too."""

    q: str = Described(default="", description="Only rows in which this is found.")
    sort: str = Described(default="", description="A column, with - before it the other way round.")
    after: str = Described(default="", description="`next` of the page before.")
    limit: int = Described(default=crud.PAGE_ROWS, description=f"Rows of a page, at most {MOST_ROWS}.")


class Asked(BaseModel):
    """Why an apply is asked for."""

    reason: str = ""


class AttemptOut(BaseModel):
    """An attempt to put the configuration into force: queued, running, done or failed."""

    id: int
    state: str
    revision: int | None
    steps: list[dict[str, Any]]
    findings: list[dict[str, Any]]


def schemas(resource: Resource) -> tuple[type[BaseModel], type[BaseModel], type[BaseModel]]:
    """(what is sent, one row, a page of rows) of a resource, from its declaration."""
    sent: dict[str, Any] = {}
    shown: dict[str, Any] = {"id": (int, ...)}
    for name, one in resource.fields.items():
        text = Described(default=None, title=str(one.label), description=str(one.help) or None)
        sent[name] = (one.kind.schema | None, text)
        if not one.kind.secret and not one.input_only:
            shown[name] = (one.kind.schema | None, text)
    word = "".join(part.capitalize() for part in resource.word.split("_"))
    row = create_model(f"{word}Out", **shown)
    page = create_model(f"{word}Page", rows=(list[row], ...), count=(int, ...), next=(str | None, None))  # type: ignore[valid-type]
    return create_model(f"{word}In", __config__=ConfigDict(extra="forbid"), **sent), row, page


def connect(app: Flask) -> None:
    """Every resource's addresses, and the description of all of them."""
    for resource in resources.TABLE.values():
        app.register_blueprint(_blueprint(resource))
    app.register_blueprint(_applies())
    app.register_blueprint(_now())
    spec.app = app
    app.add_url_rule("/api/v1/openapi.json", "openapi", needs("")(lambda: jsonify(_description())))


def _description() -> dict[str, Any]:
    """All of the API; numbers in an address are ids of rows."""
    for operation in (one for path in spec.spec["paths"].values() for one in path.values()):
        for parameter in operation["parameters"]:
            if parameter["in"] == "path" and parameter["schema"].get("type") == "integer":
                parameter["schema"] = {"type": "integer", "minimum": 0, "maximum": resources.LARGEST_ID}
    return dict(spec.spec)


def described(function: Any, name: str, tag: str, sent: Any, *answers: Any, **more: Any) -> Any:
    """A view with its place in the description: what is sent, and (status, shape) of its answers."""
    function.__name__, function.__doc__ = name, more.get("doc", "")
    documented = Answers(**{code: model for code, model in answers})
    return spec.validate(query=more.get("query"), json=sent, form=more.get("form"), resp=documented, tags=[tag], skip_validation=True)(function)


def _blueprint(resource: Resource) -> Blueprint:
    api = Blueprint(f"api_{resource.word}", __name__, url_prefix=f"/api/v1/{resource.word}")
    sent, row, page = schemas(resource)
    guard, tag = needs(resource.permission or resource.word), resource.word

    def add(rule: str, method: str, view: Any, name: str, doc: str, body: Any, *answers: Any, **more: Any) -> None:
        told = described(view, name, tag, body, *answers, *PROBLEMS.items(), doc=doc, **more)
        api.add_url_rule(rule, f"{method.lower()}_{name}", guard(told), methods=[method])

    if resource.single:
        add("", "GET", lambda: imports.download(resource, by_label=False) if request.args.get("format") == "csv" else
            jsonify(_shown(resource, _single(resource))), f"{tag}_show", "The one row.", None, ("HTTP_200", row))
        add("", "PATCH", lambda: _write(resource, _single(resource)), f"{tag}_change", "Change fields.", sent, ("HTTP_200", row))
        return api
    add("", "GET", lambda: _list(resource), f"{tag}_list",
        "Rows; `q` searches, filters by field name, `sort`, `after` and `limit` page. `format=csv`: all rows of the search as a file.", None, ("HTTP_200", page), query=Listing)
    add("", "POST", lambda: _write(resource, None), f"{tag}_create", "A new row.", sent, ("HTTP_201", row))
    add("/<int:row_id>", "GET", lambda row_id: jsonify(_shown(resource, crud.row_of(resource, row_id))), f"{tag}_show", "One row.",
        None, ("HTTP_200", row))
    add("/<int:row_id>", "PATCH", lambda row_id: _write(resource, crud.row_of(resource, row_id)), f"{tag}_change",
        "Change the fields that are sent.", sent, ("HTTP_200", row))
    add("/<int:row_id>", "DELETE", lambda row_id: _delete(resource, crud.row_of(resource, row_id)), f"{tag}_delete",
        "Remove a row nothing points at.", None, ("HTTP_204", None))
    return api


def _single(resource: Resource) -> Any:
    return crud.row_of(resource, resources.SINGLE_ID)


def _shown(resource: Resource, row: Any) -> dict[str, Any]:
    return {"id": row.id, **resource.show(row)}


def _list(resource: Resource) -> ResponseReturnValue:
    if request.args.get("format") == "csv":
        return imports.download(resource, by_label=False)
    limit = min(request.args.get("limit", crud.PAGE_ROWS, type=int), MOST_ROWS)
    page = crud.listing(resource, MultiDict(request.args), max(1, limit))
    return jsonify(rows=[_shown(resource, row) for row in page.rows], count=page.count, next=page.after or None)


def _write(resource: Resource, row: Any | None) -> ResponseReturnValue:
    if not crud.may_write(resource):
        abort(403)
    try:
        values = request.get_json()
    except (BadRequest, RecursionError):
        return _problem(Refused(_("The body is not JSON.")))
    if not isinstance(values, dict):
        return _problem(Refused(_("Write the fields of the row as a JSON object.")))
    status = 201 if row is None else 200
    try:
        if row is None:
            row = resource.create(values)
            if isinstance(row, User):
                letters.invite(row)
        else:
            resource.update(row, values)
        if getattr(row, "must_apply", resource.applies):
            applying.ask_if_wanted()
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return _problem(why)
    if resource.word == "users":
        crud.end_sessions_of_changed(row, values)
    crud.relay()
    return jsonify({**_shown(resource, row), **getattr(row, "generated", {})}), status


def _delete(resource: Resource, row: Any) -> ResponseReturnValue:
    if not crud.may_write(resource):
        abort(403)
    try:
        resource.delete(row)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return _problem(why)
    return "", 204


def _problem(why: Refused) -> ResponseReturnValue:
    return jsonify(error=str(why), fields=why.messages), 422


def _applies() -> Blueprint:
    api = Blueprint("api_apply", __name__, url_prefix="/api/v1/apply")
    guard = needs("revisions")

    def ask() -> Response | tuple[Response, int]:
        body = request.get_json(silent=True)
        attempt = applying.ask(str((body or {}).get("reason", "")) if isinstance(body, dict) else "")
        db.session.commit()
        crud.relay()
        return jsonify(_attempt(attempt)), 202

    def show(attempt_id: int) -> Response:
        return jsonify(_attempt(db.session.get(applying.Attempt, attempt_id) or abort(404)))

    def waiting() -> Response:
        return jsonify(pending=[{"word": c.word, "row": c.row_title, "action": c.action, "by": c.user_name} for c in changes.pending()])

    views = [("", "POST", ask, "apply_ask", "Apply everything pending.", Asked, ("HTTP_202", AttemptOut)),
             ("/<int:attempt_id>", "GET", show, "apply_show", "How an attempt goes.", None, ("HTTP_200", AttemptOut)),
             ("/pending", "GET", waiting, "apply_pending", "Changes not yet in force.", None, ("HTTP_200", None))]
    for rule, method, view, name, doc, body, answer in views:
        told = described(view, name, "apply", body, answer, *PROBLEMS.items(), doc=doc)
        api.add_url_rule(rule, name, guard(told), methods=[method])
    return api


class NowOut(BaseModel):
    """What happens now, as far as the person may see it. `state` of the exchange: running, stopped or unknown."""

    state: str
    calls: list[dict[str, Any]] | None = None
    queues: list[dict[str, Any]] | None = None
    extensions: list[dict[str, Any]] | None = None
    trunks: list[dict[str, Any]] | None = None
    khomp_boards: list[dict[str, Any]] | None = None


def _now() -> Blueprint:
    api = Blueprint("api_now", __name__, url_prefix="/api/v1/now")

    def show() -> Response:
        seen = [channel for channel, words in panel.CHANNELS.items() if any(current_user().may(word) for word in words)]
        if not seen:
            abort(403)
        picture, known = live.now(), panel.names()
        found = {name: [_plain(item.facts) for item in panel.items(name, picture, known) if item.into] for name in panel.LISTS if name in seen and name in NowOut.model_fields}
        return jsonify(state=panel.exchange(picture, known)[0].facts["state"], **found)

    def end(call_id: str) -> ResponseReturnValue:
        try:
            hangup.hang_up(call_id)
            db.session.commit()
        except Refused as why:
            db.session.rollback()
            return jsonify(error=str(why), fields={}), 404
        return "", 204

    wrong = (("HTTP_401", Problem), ("HTTP_403", Problem))
    seen = described(show, "now_show", "now", None, ("HTTP_200", NowOut), *wrong, doc="Calls in progress, extensions and trunks.")
    ended = described(end, "now_end_call", "now", None, ("HTTP_204", None), *wrong, ("HTTP_404", Problem), ("HTTP_503", Problem),
                       doc="End a call in progress.")
    api.add_url_rule("", "show", needs("")(seen), methods=["GET"])  # each part for who may see it; nobody else gets any
    api.add_url_rule("/calls/<call_id>", "end_call", needs("now")(ended), methods=["DELETE"])
    return api


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts of an item as JSON: instants as the rest of the API writes them; what only the page needs is left out."""
    left_out = ("order", "sip_port", "rtp_start", "rtp_end")
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items() if name not in left_out}


def _attempt(attempt: Any) -> dict[str, Any]:
    return {"id": attempt.id, "state": attempt.state, "revision": attempt.revision, "steps": attempt.steps,
            "findings": [applying.told(found) for found in attempt.findings]}


def is_token_request() -> bool:
    """Requests with a bearer token carry no cookie, so they need no CSRF token."""
    return bool(g.get("by_token"))
