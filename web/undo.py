"""Undo: one change from the audit trail or from a row's last changes, or everything one act did, in one transaction."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from appliance import applying, undo
from appliance import resource as resources
from appliance.changes import Change
from appliance.db import db
from appliance.errors import Refused
from appliance.undo import ChangedSince, Plan
from web import bulk, crud
from web.apply import fields_in_words, told
from web.login import current_user, needs

pages = Blueprint("undo", __name__)
SHOWN_CHANGES = 50


def may_undo(change: Change) -> bool:
    """Whether this person may take the change back: who may change the row."""
    return undo.may_be_undone(change) and current_user().may_write(resources.TABLE[change.word])


@pages.get("/undo/<int:change_id>")
@needs("")
def show(change_id: int) -> ResponseReturnValue:
    """What taking the change back would do, field by field."""
    return _page(_own(change_id))


@pages.post("/undo/<int:change_id>")
@needs("")
def take_back(change_id: int) -> ResponseReturnValue:
    """Take it back; `untouched`: only the fields nobody changed since."""
    change = _own(change_id)
    word, title = change.word, change.row_title
    try:
        row, attempt = perform(change, request.form.get("untouched") == "yes")
    except Refused as why:
        db.session.rollback()
        return _page(_own(change_id), why)
    session["saved"] = _("The change of %(row)s was taken back.", row=title)
    if row is not None and getattr(row, "generated", None):
        session["generated"] = row.generated
    if attempt:
        return redirect(f"/apply/{attempt.id}")
    return redirect(resources.TABLE[word].path(row.id) if row is not None else f"/{word}")


def perform(change: Change, only_untouched: bool) -> tuple[Any, Any]:
    """(row or None, attempt to apply or None), committed. Raises Refused."""
    resource = resources.TABLE[change.word]
    row_id = change.row_id
    row = undo.take_back(change, only_untouched=only_untouched)
    attempt = applying.ask_if_wanted() if resource.may_apply else None
    db.session.commit()
    bulk.announce(resource, [row_id])
    crud.relay()
    return row, attempt


def _own(change_id: int) -> Change:
    change = db.session.get(Change, change_id) or abort(404)
    if not may_undo(change):
        abort(403)
    return change


def _page(change: Change, why: Refused | None = None) -> ResponseReturnValue:
    refusal, plan = why, None
    try:
        plan = undo.plan(change)
    except Refused as found:
        refusal = refusal or found
    facts = {"change": change, "resource": resources.TABLE[change.word], "refusal": None if isinstance(refusal, ChangedSince) else refusal,
             "plan": plan, "siblings": len(undo.of_batch(change.batch)), **(_words(plan) if plan else {})}
    return render_template("undo/change.html", **facts), 422 if why else 200


def _words(plan: Plan) -> dict[str, Any]:
    """Fields in the words of the screens: what would come back, and what was touched since."""
    fields = plan.resource.fields
    now = plan.resource.show(plan.row) if plan.row is not None else {}
    back = [(fields[name].label, told(fields[name], now.get(name)), told(fields[name], value)) for name, value in plan.values.items()
            if now.get(name) != value and (plan.row is not None or value not in (None, "", [], {}))]
    touched = [(fields[name].label, told(fields[name], left), told(fields[name], found)) for name, left, found in plan.touched]
    return {"back": back, "touched": touched, "lost": [fields[name].label for name in plan.lost], "sealed": bool(plan.change.sealed)}


# --------------------------------------------------------------------------------------------------------------- batches


@pages.get("/undo/batch/<name>")
@needs("")
def show_batch(name: str) -> ResponseReturnValue:
    """What one act did, and the button that takes all of it back."""
    return _batch_page(name, [])


@pages.post("/undo/batch/<name>")
@needs("")
def take_back_batch(name: str) -> ResponseReturnValue:
    """Take all of it back, or nothing when one of its rows was changed since."""
    found = _own_batch(name)
    word = found[0].word
    try:
        count, refused = perform_batch(name)
    except Refused as why:
        db.session.rollback()
        return _batch_page(name, [(None, str(why))])
    if refused:
        told_ = [(change.row_title, text) for change, text in refused]
        db.session.rollback()
        return _batch_page(name, told_)
    session["saved"] = ngettext("%(num)s change was taken back.", "%(num)s changes were taken back.", count)
    return redirect(f"/{word}")


def perform_batch(name: str) -> tuple[int, list[tuple[Change, str]]]:
    """(changes taken back, refusals): committed when there is no refusal, else left to be rolled back."""
    touched = {change.word: change.row_id for change in undo.of_batch(name)}
    count, refused = undo.take_back_batch(name)
    if not refused:
        if any(resources.TABLE[word].may_apply for word in touched):
            applying.ask_if_wanted()
        db.session.commit()
        crud.relay()
    return count, refused


def _own_batch(name: str) -> list[Change]:
    found = undo.of_batch(name) or abort(404)
    if not all(may_undo(change) for change in found):
        abort(403)
    return found


def _batch_page(name: str, refused: list[tuple[Any, str]]) -> ResponseReturnValue:
    found = _own_batch(name)
    shown = [(change, resources.TABLE[change.word], fields_in_words(resources.TABLE[change.word], change)) for change in found[:SHOWN_CHANGES]]
    counts: dict[tuple[str, str], int] = {}
    for change in found:
        counts[change.word, change.action] = counts.get((change.word, change.action), 0) + 1
    sums = [(resources.TABLE[word].label, action, count) for (word, action), count in counts.items()]
    page = render_template("undo/batch.html", name=name, count=len(found), first=found[-1], shown=shown, sums=sums, refused=refused)
    return page, 422 if refused else 200
