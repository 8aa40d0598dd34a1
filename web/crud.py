"""Pages of a resource: list, form, delete, bulk, options. Plain functions; one set of addresses per resource."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import Integer, and_, cast, false, func, or_, select

from appliance import applying, changes, lanes, live, masks
from appliance import resource as resources
from appliance.db import AWAY, Instant, db
from appliance.errors import Busy, Refused
from appliance.fields import MISSING, Field, Reader
from appliance.links import Reference, References, Rows
from appliance.resource import Resource
from appliance.users import letters
from appliance.users.model import User
from web import htmx
from web.login import current_user, know, needs

PAGE_ROWS = 50
OPTIONS = 200  # up to so many rows a reference is a plain select; above it is typed and searched


def blueprint(resource: Resource) -> Blueprint:
    """The addresses of one resource."""
    pages = Blueprint(resource.word, __name__)
    guard = needs(resource.permission or resource.word)

    def add(rule: str, name: str, view: Any, *methods: str) -> None:
        pages.add_url_rule(rule, name, guard(view), methods=list(methods) or ["GET"])

    if resource.single:
        add(f"/{resource.word}", "edit", lambda: show_form(resource, resource.get(resources.SINGLE_ID)))
        add(f"/{resource.word}", "save", lambda: save(resource, resource.get(resources.SINGLE_ID)), "POST")
    else:
        add(f"/{resource.word}", "list", lambda: show_list(resource))
        add(f"/{resource.word}/_rows", "rows", lambda: show_list(resource, part=True))
        add(f"/{resource.word}/_options", "options", lambda: options(resource))
        add(f"/{resource.word}/new", "new", lambda: show_form(resource, None))
        add(f"/{resource.word}/new", "create", lambda: save(resource, None), "POST")
        add(f"/{resource.word}/<int:row_id>", "edit", lambda row_id: show_form(resource, row_of(resource, row_id)))
        add(f"/{resource.word}/<int:row_id>", "save", lambda row_id: save(resource, row_of(resource, row_id)), "POST")
        add(f"/{resource.word}/<int:row_id>/delete", "delete", lambda row_id: delete(resource, row_of(resource, row_id)), "POST")
        add(f"/{resource.word}/<int:row_id>/_secret/<name>", "secret",
            lambda row_id, name: secret(resource, row_of(resource, row_id), name), "POST")
    add(f"/{resource.word}/_line/<path:place>", "line", lambda place: line(resource, place))
    add(f"/{resource.word}/_try", "try", lambda: try_masks(resource), "POST")
    return pages


def row_of(resource: Resource, row_id: int) -> Any:
    """The row, or 404."""
    return resource.get(row_id) or abort(404)


def may_write(resource: Resource) -> bool:
    """Whether the person of this request may make and change its rows."""
    return current_user().may_write(resource)


# ---------------------------------------------------------------------------------------------------------------- lists


@dataclass
class Listing:
    """One page of a list: rows, how many there are, and the cursors of the pages around it."""

    rows: list[Any]
    count: int
    all_count: int
    sort: str
    after: str = ""
    before: str = ""


def sortable(resource: Resource) -> list[str]:
    """Columns a list can be sorted by: plain ones."""
    return [name for name in resource.columns
            if not resource.fields[name].kind.defers and not getattr(resource.fields[name].kind, "words", ())
            and resource.fields[name].kind.schema is not list[str]]


def listing(resource: Resource, arguments: Any, limit: int = PAGE_ROWS) -> Listing:
    """The rows the address asks for: q, filters, sort (`-name` for descending), after/before (keyset cursors)."""
    condition = _conditions(resource, arguments)
    column, descending, sort = _order(resource, arguments)
    query = select(resource.model).where(condition)
    backwards = bool(arguments.get("before"))
    cursor = _read_cursor(arguments.get("before") or arguments.get("after") or "")
    up = descending == backwards
    order = (column.asc(), resource.model.id.asc()) if up else (column.desc(), resource.model.id.desc())
    if cursor:
        value, row_id = cursor
        if isinstance(column.type, Instant):
            value = _instant(value)
        beyond = column > value if up else column < value
        same = and_(column == value, resource.model.id > row_id if up else resource.model.id < row_id)
        query = query.where(or_(beyond, same))
    found = list(db.session.execute(query.add_columns(column.label("at")).order_by(*order).limit(limit + 1)))
    more, found = len(found) > limit, found[:limit]
    if backwards:
        found.reverse()
    page = Listing([row for row, _value in found], _count(resource, condition), _count(resource, ~false()), sort)
    if found and (more or backwards):
        page.after = _cursor(*found[-1])
    if found and (cursor and (more or not backwards)):
        page.before = _cursor(*found[0])
    return page


def _order(resource: Resource, arguments: Any) -> tuple[Any, bool, str]:
    """(column, descending, sort as it stands in the address) of a list."""
    sort = arguments.get("sort", "")
    name, descending = sort.lstrip("-"), sort.startswith("-")
    if name not in sortable(resource):
        name, descending, sort = sortable(resource)[0] if sortable(resource) else "", False, ""
    return _comparable(getattr(resource.model, resource.fields[name].attr) if name else resource.model.id), descending, sort


def asked_rows(resource: Resource, arguments: Any) -> Any:
    """Every row of a search, in its order: what an export or a bulk edit takes."""
    column, descending, _sort = _order(resource, arguments)
    query = select(resource.model).where(_conditions(resource, arguments))
    return query.order_by(column.desc() if descending else column.asc(), resource.model.id)


def _comparable(column: Any) -> Any:
    """The column as a page can go on after one of its values: an empty one comes first, no and yes are 0 and 1."""
    if column.type.python_type is bool:
        return cast(column, Integer)
    return func.coalesce(column, -1 if column.type.python_type is int else "") if column.expression.nullable else column


def _conditions(resource: Resource, arguments: Any) -> Any:
    conditions = [~false()]
    if arguments.get("q") and resource.search:
        conditions.append(resource.matching(arguments["q"]))
    for name in (*resource.filters, resource.key):
        text = arguments.get(name)
        if text in (None, "") or name not in resource.fields:
            continue
        spec, reader = resource.fields[name], Reader()
        value = text == "true" if spec.kind.schema is bool else None if text == "-" else spec.read(text, reader)
        conditions.append(false() if reader.problems else getattr(resource.model, spec.attr) == value)
    return and_(*conditions)


def _count(resource: Resource, condition: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(resource.model).where(condition)) or 0


def _cursor(row: Any, value: Any) -> str:
    value = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([value, row.id]).encode()).decode().rstrip("=")


def _instant(text: Any) -> datetime:
    """An instant out of an address; a moment before all rows for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        found = datetime(1970, 1, 1, tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _read_cursor(text: str) -> tuple[Any, int] | None:
    try:
        value, row_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, TypeError):
        return None
    return (value, row_id) if isinstance(row_id, int) and isinstance(value, str | int | bool) else None


def show_list(resource: Resource, part: bool = False) -> ResponseReturnValue:
    """The list, or only its rows for a search in place."""
    page = listing(resource, request.args)
    template = "parts/rows.html" if part or (htmx.wants_part() and request.headers.get("HX-Target") == "rows") else "list.html"
    return render_template(template, resource=resource, page=page, sortable=sortable(resource), filters=_filters(resource),
                           may_write=may_write(resource), asked=request.args)


def _filters(resource: Resource) -> list[tuple[Field, list[tuple[str, str]]]]:
    """(field, choices) of each filter."""
    found = []
    for name in resource.filters:
        spec = resource.fields[name]
        if spec.kind.schema is bool:
            choices = [("true", _("yes")), ("false", _("no"))]
        elif hasattr(spec.kind, "options"):
            choices = spec.kind.options()
        else:
            choices = keys_of(spec.kind.word) + ([("-", _("(none)"))] if spec.optional else [])
        found.append((spec, choices))
    return found


def keys_of(word: str, text: str = "", limit: int = OPTIONS) -> list[tuple[str, str]]:
    """(natural key, title) of rows, for selects and suggestions."""
    resource = resources.TABLE[word]
    query = select(resource.model).order_by(getattr(resource.model, resource.fields[resource.key].attr)).limit(limit)
    if text:
        query = query.where(resource.matching(text))
    offered = (row for row in db.session.scalars(query) if getattr(row, "is_offered", lambda: True)())
    return [(str(getattr(row, resource.fields[resource.key].attr)), resource.title(row)) for row in offered]


def is_short(word: str) -> bool:
    """Whether a plain select can hold all rows."""
    return _count(resources.TABLE[word], ~false()) <= OPTIONS


def options(resource: Resource) -> ResponseReturnValue:
    """Suggestions while somebody types a reference."""
    text = next(iter(request.args.values()), "")
    return render_template("parts/options.html", choices=keys_of(resource.word, text, 30))


# ---------------------------------------------------------------------------------------------------------------- forms


def show_form(resource: Resource, row: Any | None) -> ResponseReturnValue:
    """The form of a row, or an empty one."""
    if row is None:
        given = {name: value for name, value in request.args.items() if name in resource.fields and resource.fields[name].kind.schema is str}
        values = {name: spec.initial() for name, spec in resource.fields.items()} | given
    else:
        values = {name: spec.kind.show(spec.kind.empty) for name, spec in resource.fields.items() if spec.input_only} | resource.show(row)
    return _form(resource, row, values, {}), 200


def _form(resource: Resource, row: Any | None, values: dict[str, Any], messages: dict[str, str], refusal: Refused | None = None) -> str:
    row_id = row.id if row is not None else 0
    used = list(resources.used_by(resource.word, row_id)) if row is not None and not resource.single else []
    query = select(changes.Change).where(changes.Change.word == resource.word, changes.Change.row_id == row_id)
    last = list(db.session.scalars(query.order_by(changes.Change.id.desc()).limit(6))) if row is not None else []
    return render_template("edit.html", resource=resource, row=row, values=values, messages=messages, refusal=refusal, used=used,
                           last=last, may_write=may_write(resource), missing=missing(resource), generated=session.pop("generated", None))


def missing(resource: Resource) -> list[Resource]:
    """What must exist before this form can be filled in: a required choice whose table is empty (RTE-02)."""
    fields = list(resource.fields.values())
    fields += [part for spec in fields if isinstance(spec.kind, Rows) for part in spec.kind.fields.values()]
    kinds = [spec.kind for spec in fields if not spec.optional]
    words = [kind.word for kind in kinds if isinstance(kind, Reference | References)]
    return [resources.TABLE[word] for word in dict.fromkeys(words) if not _count(resources.TABLE[word], ~false())]


def posted(resource: Resource, form: Any) -> dict[str, Any]:
    """The outside values a browser posted; not those of fields that have no meaning beside the others, which it did not show."""
    values = {name: spec.kind.from_form(form, name) for name, spec in resource.fields.items()}
    beside = {name: spec.initial() if values[name] is MISSING else values[name] for name, spec in resource.fields.items()}
    return {name: value for name, value in values.items() if value is not MISSING and resource.is_shown(name, beside)}


def save(resource: Resource, row: Any | None) -> ResponseReturnValue:
    """Create or change a row; a refusal answers 422 with the form as it was typed."""
    if not may_write(resource):
        abort(403)
    values = posted(resource, request.form)
    row_id = row.id if row is not None else 0
    try:
        if row is None:
            row = resource.create(values)
        else:
            resource.update(row, values)
        is_invited = not row_id and isinstance(row, User) and letters.invite(row)
        for sent in request.files.getlist("file")[:None if resource.upload and resource.upload.several else 1] if resource.upload else []:
            if sent.filename:
                resource.upload.take(row, sent.stream, sent.filename)
        must_apply = getattr(row, "must_apply", resource.applies)
        attempt = applying.ask_if_wanted() if must_apply else None
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        kept = resource.get(row_id) if row_id else None
        blank = {name: spec.kind.show(spec.kind.empty) for name, spec in resource.fields.items()}
        return _form(resource, kept, blank | values, why.messages, why), 422
    if getattr(row, "generated", None):
        session["generated"] = row.generated
    if resource.word == "users":
        end_sessions_of_changed(row, values)
    relay()
    session["saved"] = _("Saved, to be applied.") if must_apply and not attempt else _("Saved.")
    if is_invited:
        session["saved"] = _("Saved. A code to choose a password goes to %(email)s.", email=row.email)
    if attempt:
        return redirect(f"/apply/{attempt.id}")
    return redirect(resource.path(row.id))


def end_sessions_of_changed(user: Any, values: dict[str, Any]) -> None:
    """A person whose password or access was taken away is logged out at once; who changed the own password stays here only.

    Open streams of the person are looked at again, because what the person may open may have changed.
    """
    from web import sessions

    live.announce(user=user.id)
    if values.get("password") or values.get("active") is False:
        sessions.forget_user(user.id)
        if session.get("user_id") == user.id:
            know(user)


def relay() -> None:
    """Hand what was committed to the workers; when Redis is dead it waits, and the bar of pending changes says so."""
    try:
        lanes.relay()
    except AWAY:  # what was to be stored is; the worker hands it over later
        db.session.rollback()
    except Busy:
        db.session.rollback()
        session["saved"] = _("Saved. The job store does not answer; what waits for it goes on by itself.")


def delete(resource: Resource, row: Any) -> ResponseReturnValue:
    """Remove one row, unless others point at it."""
    if not may_write(resource):
        abort(403)
    title = resource.title(row)
    try:
        resource.delete(row)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return _form(resource, row, resource.show(row), {}, why), 422
    session["saved"] = _("%(row)s was deleted.", row=title)
    return redirect(f"/{resource.word}")


def secret(resource: Resource, row: Any, name: str) -> ResponseReturnValue:
    """Show a secret that can be shown (not a person's password), and write down who looked."""
    spec = resource.fields.get(name)
    if spec is None or not spec.kind.secret or resource.word == "users":
        abort(404)
    changes.record(resource.word, row.id, resource.title(row), "shown", {}, {name: "shown"}, pending=False)
    db.session.commit()
    return render_template("parts/secret.html", name=name, value=getattr(row, spec.attr) or "")


# ------------------------------------------------------------------------------------------------------ lines inside a row


def line(resource: Resource, place: str) -> ResponseReturnValue:
    """An empty line for a form: `rules-7` is the eighth rule, `rules-7-overflow-0` its first overflow."""
    steps = place.split("-")
    fields, spec = resource.fields, None
    for name in steps[::2]:
        spec = fields.get(name)
        if spec is None or not isinstance(spec.kind, Rows):
            abort(404)
        fields = spec.kind.fields
    if spec is None or len(steps) % 2 or not steps[-1].isdecimal():
        abort(404)
    return render_template("parts/line.html", resource=resource, rows=spec.kind, prefix=place,
                           line=spec.kind.fresh(int(steps[-1][-9:])), messages={})


def try_masks(resource: Resource) -> ResponseReturnValue:
    """Which line of the form would take a number, before anything is saved (RTE-01)."""
    number = "".join(sign for sign in request.form.get("try_number", "") if sign in masks.DIALABLE)
    lines = posted(resource, request.form).get("rules", [])
    prefix = _external_prefix()
    found = []
    for position, one in enumerate(lines, 1):
        try:
            mask = masks.read(one.get("mask", "")) if one.get("mask") else ""
        except Refused:
            continue
        before = prefix if one.get("external_line") else ""
        fits = bool(mask) and number.startswith(before) and masks.matches(mask, number[len(before):])
        if (fits or one.get("default")) and one.get("enabled", True):
            rest = number[len(before):]
            sent = (one.get("prepend") or "") + rest[int(one.get("strip") or 0):]
            rank = masks.specificity(mask) if mask else ((999, ""),)
            found.append((not mask, rank, position, mask, sent))
    found.sort()
    return render_template("parts/tried.html", number=number, found=found)


def _external_prefix() -> str:
    from appliance.company.config import current

    return current().external_line_prefix

