"""Many rows of a list changed at once: choose rows, choose fields and values, see what would happen, store in one transaction."""

import re
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as attribute
from secrets import token_hex
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import inspect, select
from werkzeug.datastructures import MultiDict

from appliance import applying, changes
from appliance.db import db
from appliance.errors import Refused
from appliance.fields import MISSING, Field
from appliance.many import Many
from appliance.resource import LARGEST_ID, Resource
from web import crud
from web.apply import told
from web.login import needs

MOST_ROWS = 20_000
SHOWN_ROWS = 50


@dataclass
class Outcome:
    """What a bulk edit did, or would do: how many rows change, the first ones in words, and why some cannot."""

    rows: int = 0
    changed: int = 0
    shown: list[tuple[Any, list[tuple[str, str, str]]]] = attribute(default_factory=list)
    refused: list[tuple[Any, str]] = attribute(default_factory=list)
    changed_ids: list[int] = attribute(default_factory=list)


def blueprint(resource: Resource) -> Blueprint:
    """The addresses of one resource, behind the same permission as its other pages."""
    faces = Blueprint(f"{resource.word}_bulk", __name__)
    guard = needs(resource.permission or resource.word)
    if not resource.single:
        faces.add_url_rule(f"/{resource.word}/_edit", "edit", guard(lambda: edit(resource)), methods=["POST"])
        faces.add_url_rule(f"/{resource.word}/_delete", "delete", guard(lambda: delete(resource)), methods=["POST"])
    return faces


def fields(resource: Resource) -> dict[str, Field]:
    """What may be given to many rows: neither names and numbers that only one row can have, nor passwords."""
    columns = inspect(resource.model).columns
    return {name: spec for name, spec in resource.fields.items()
            if not columns[spec.attr].unique and name != resource.key and not spec.kind.secret and not spec.input_only}


def chosen_ids(resource: Resource) -> list[int]:
    """Ids of the rows that are ticked, or of all rows of the search. Raises Refused when they are none, too many, or not the ones counted."""
    if request.form.get("all") == "yes":
        asked: MultiDict[str, str] = MultiDict(_pairs(request.form.get("search", "")))
        ids = list(db.session.scalars(crud.asked_rows(resource, asked).with_only_columns(resource.model.id).limit(MOST_ROWS + 1)))
        if str(len(ids)) != request.form.get("count", str(len(ids))):
            raise Refused(_("The search finds other rows than before: %(count)s now. Look again.", count=len(ids)))
    else:
        ticked = [int(text) for text in request.form.getlist("row") if re.fullmatch("[0-9]{1,10}", text)]
        ids = list(db.session.scalars(select(resource.model.id).where(resource.model.id.in_([one for one in ticked if one <= LARGEST_ID]))))
    if not ids:
        raise Refused(_("Choose at least one row."))
    if len(ids) > MOST_ROWS:
        raise Refused(_("At most %(most)s rows at once.", most=MOST_ROWS))
    return ids


def _pairs(query: str) -> list[tuple[str, str]]:
    from urllib.parse import parse_qsl

    return parse_qsl(query)


def edit(resource: Resource) -> ResponseReturnValue:
    """`step` choose: the fields; preview: what would happen; store: do it, all or, when the person says so, without those that cannot."""
    if not crud.may_write(resource):
        abort(403)
    try:
        ids = chosen_ids(resource)
    except Refused as why:
        session["refused"] = str(why)
        return redirect(f"/{resource.word}")
    step = request.form.get("step", "choose")
    values, outcome, refusal = {}, None, ""
    if step != "choose":
        values = {name: value for name, spec in fields(resource).items() if name in request.form.getlist("set")
                  and (value := spec.kind.from_form(request.form, name)) is not MISSING}
        if not values:
            step, refusal = "choose", _("Tick at least one field.")
    batch = f"edit-{token_hex(8)}"
    if values:
        with changes.together(batch):
            outcome = run(resource, ids, values)
    if step == "store" and outcome and (not outcome.refused or request.form.get("leave_out") == "yes"):
        return _stored(resource, outcome, batch)
    db.session.rollback()
    page = render_template("bulk.html", resource=resource, fields=fields(resource), ids=ids, values=_typed(resource, values), chosen=set(values),
                           outcome=outcome, refusal=refusal, shown_rows=SHOWN_ROWS, posted=request.form.items(multi=True),
                           all=request.form.get("all") == "yes", search=request.form.get("search", ""))
    return page, 422 if refusal or (outcome and outcome.refused) else 200


def _stored(resource: Resource, outcome: Outcome, batch: str) -> ResponseReturnValue:
    attempt = applying.ask_if_wanted() if resource.may_apply else None
    db.session.commit()
    announce(resource, outcome.changed_ids)
    crud.relay()
    session["saved"] = ngettext("%(num)s row was changed.", "%(num)s rows were changed.", outcome.changed)
    if outcome.changed:
        session["undo"] = f"/undo/batch/{batch}"
    return redirect(f"/apply/{attempt.id}" if attempt else f"/{resource.word}")


def announce(resource: Resource, ids: list[int]) -> None:
    """People whose access may have changed: see crud.end_sessions_of_changed."""
    if resource.word == "users":
        for row in db.session.scalars(select(resource.model).where(resource.model.id.in_(ids))):
            crud.end_sessions_of_changed(row, {"active": row.active})


def run(resource: Resource, ids: list[int], values: dict[str, Any]) -> Outcome:
    """Give the values to the rows, in the open transaction; a row that refuses them stays as it is and is told."""
    outcome, door = Outcome(len(ids)), Many(resource)
    with door.open():
        for row in door.load(ids).values():
            before = resource.show(row) if outcome.changed < SHOWN_ROWS else {}
            title = resource.title(row)
            try:
                if not door.update(row, dict(values)):
                    continue
            except Refused as why:
                outcome.refused.append((title, " ".join(dict.fromkeys(why.messages.values())) or str(why)))
                continue
            outcome.changed += 1
            outcome.changed_ids.append(row.id)
            if before:
                after = resource.show(row)
                outcome.shown.append((title, [(str(resource.fields[name].label), told(resource.fields[name], before[name]),
                                               told(resource.fields[name], after[name])) for name in after if before[name] != after[name]]))
    return outcome


def _typed(resource: Resource, values: dict[str, Any]) -> dict[str, Any]:
    return {name: spec.initial() for name, spec in fields(resource).items()} | values


def delete(resource: Resource) -> ResponseReturnValue:
    """Remove the chosen rows; all of them or none."""
    if not crud.may_write(resource):
        abort(403)
    batch = f"delete-{token_hex(8)}"
    try:
        ids = chosen_ids(resource)
        door = Many(resource)
        with changes.together(batch), door.open():
            for row in door.load(ids, [name for name, spec in resource.fields.items() if spec.kind.secret]).values():
                door.delete(row)
        if resource.may_apply:
            applying.ask_if_wanted()
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
        return redirect(f"/{resource.word}")
    with suppress(Refused):
        announce(resource, ids)
    crud.relay()
    session["saved"], session["undo"] = _("%(count)s deleted.", count=len(ids)), f"/undo/batch/{batch}"
    return redirect(f"/{resource.word}")
