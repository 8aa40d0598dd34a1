"""The bar of pending changes, the difference, applying with its steps, revisions and going back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from appliance import applying, changes, settings, snapshots
from appliance import db as ground
from appliance import resource as resources
from appliance.db import db
from appliance.errors import Refused
from appliance.fields import Choice, Field, Words
from appliance.links import Destination, Options, Parts, Rows
from appliance.revisions.model import Attempt, Revision, newest_number
from appliance.telephony import store
from appliance.telephony.difference import FileDifference, difference
from appliance.telephony.render import Unfit
from web import applies, crud
from web.login import current_user, needs

pages = Blueprint("apply", __name__)

@pages.post("/apply")
@needs("revisions")
def ask() -> ResponseReturnValue:
    """Apply everything pending, of all authors."""
    attempt = applying.ask(request.form.get("reason", ""))
    db.session.commit()
    crud.relay()
    return redirect(f"/apply/{attempt.id}")


@pages.get("/apply/<int:attempt_id>")
@needs("")
def show(attempt_id: int) -> ResponseReturnValue:
    """An attempt, with its steps as they happen."""
    return render_template("apply/attempt.html", **facts(attempt_id))


@pages.get("/apply/<int:attempt_id>/_steps")
@needs("")
def steps(attempt_id: int) -> ResponseReturnValue:
    """The steps alone; the page asks for them at the end, and every 2 s while its stream is down."""
    return render_template("apply/_steps.html", part=True, pending=changes.pending_by_author(), **facts(attempt_id))


def facts(attempt_id: int) -> dict[str, Any]:
    """What the page of an attempt shows; other pages show its steps too."""
    attempt = db.session.get(Attempt, attempt_id) or abort(404)
    shown = [(applies.STEPS[name], step) for name, step in applies.steps(attempt)]
    waits = attempt.state == "queued" and ground.now() - attempt.at > timedelta(seconds=5)
    seen = [applying.told(found) for found in attempt.findings if _may_see(found["word"])]
    return {"attempt": attempt, "steps": shown, "waits": waits, "findings": seen, "is_over": attempt.is_over, "hides_findings": len(seen) < len(attempt.findings)}


def _may_see(word: str) -> bool:
    """Whether the person may open rows of this word; what belongs to no resource is for everybody who may open the page."""
    resource = resources.TABLE.get(word)
    return resource is None or current_user().may(resource.permission or resource.word)


@pages.get("/pending")
@needs("")
def pending() -> ResponseReturnValue:
    """What applying now would change: in words, and in lines of the files."""
    try:
        found, findings = applying.preview(), []
    except Unfit as why:
        one = why.finding
        stored = {"code": one.code, "parameters": dict(one.parameters), "word": one.word, "row_id": one.row_id, "text": one.text}
        found, findings = [], [applying.told(stored)]
    return render_template("apply/pending.html", changes=_in_words(changes.pending()), files=_permitted(found), findings=findings)


def _permitted(found: list[FileDifference]) -> list[FileDifference]:
    """Only lines of rows the person may see; lines of no row are for those who may see revisions."""
    def may(word: str) -> bool:
        resource = resources.TABLE.get(word)
        return current_user().may((resource.permission or resource.word) if resource else "revisions")

    kept = (replace(file, hunks=tuple(hunk for hunk in file.hunks if may(hunk.origin[0]))) for file in found)
    return [file for file in kept if file.hunks]


def _in_words(found: list[changes.Change]) -> list[dict[str, Any]]:
    """Each change with the labels of its fields, only of rows the person may see."""
    shown = []
    for change in found:
        if not _may_see(change.word):
            continue
        resource = resources.TABLE.get(change.word)
        shown.append({"change": change, "resource": resource, "fields": fields_in_words(resource, change)})
    return shown


def fields_in_words(resource: resources.Resource | None, change: changes.Change) -> list[tuple[str, str, str]]:
    """(label, before, after) of a change's fields."""
    names = list(dict.fromkeys([*change.before, *change.after]))
    fields = resource.fields if resource else {}
    return [(str(fields[name].label) if name in fields else name, told(fields.get(name), change.before.get(name)),
             told(fields.get(name), change.after.get(name))) for name in names
            if change.before.get(name) not in (None, "", [], {}) or change.after.get(name) not in (None, "", [], {})]


def told(spec: Field | None, value: Any) -> str:
    """A value as its screen shows it: choices, destinations and lines by their labels."""
    kind = spec.kind if spec else None
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(kind, Options) and isinstance(value, dict):
        return " · ".join(f"{key}: {told(kind.fields['destination'], target)}" for key, target in value.items())
    if isinstance(kind, Rows) and isinstance(value, list):
        return " · ".join(_line(kind, one) for one in value)
    if isinstance(kind, Parts) and isinstance(value, dict):
        return _line(kind, value)
    if isinstance(kind, Destination) and isinstance(value, dict):
        (word, target), = value.items()
        label = str(kind.labels().get(word, word))
        return label if target is True else f"{label} {target}"
    labels = getattr(kind, "labels", {}) if isinstance(kind, Choice | Words) else {}
    if isinstance(value, list):
        return ", ".join(str(labels.get(one, one)) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={one}" for key, one in value.items())
    return "" if value is None else str(labels.get(value, value))


def _line(kind: Rows | Parts, one: dict[str, Any]) -> str:
    """A line inside a row: "Mask 9XXXXXXXX, Trunk Operadora"; what is empty or off is left out."""
    said = [(kind.fields[name], value) for name, value in one.items() if name in kind.fields and value not in (None, "", [], False, 0)]
    return ", ".join(str(spec.label) if value is True else f"{spec.label} {told(spec, value)}" for spec, value in said)


@pages.post("/restart")
@needs("revisions")
def restart() -> ResponseReturnValue:
    """Restart Asterisk now, calls or not: the person confirmed."""
    if applying.restart(confirmed=True):
        session["saved"] = _("Asterisk is restarting; phones come back by themselves.")
    return redirect("/revisions")


@pages.get("/revisions")
@needs("revisions")
def revisions() -> ResponseReturnValue:
    """Every configuration that was in force, newest first."""
    before = request.args.get("before", type=resources.row_id)
    query = select(Revision).order_by(Revision.number.desc()).limit(crud.PAGE_ROWS)
    found = list(db.session.scalars(query.where(Revision.number < before) if before else query))
    failed = list(db.session.scalars(select(Attempt).where(Attempt.state == "failed").order_by(Attempt.id.desc()).limit(5)))
    return render_template("apply/revisions.html", revisions=found, newest=newest_number(), failed=failed)


@pages.get("/revisions/<int:number>")
@needs("revisions")
def revision(number: int) -> ResponseReturnValue:
    """What a revision changed against the one before (or another), in words and lines."""
    row = db.session.get(Revision, number) or abort(404)
    against = request.args.get("against", number - 1, type=resources.row_id)
    machine = settings.load()
    found = difference(store.files_of(machine, against), store.files_of(machine, number), applying.hidden_files())
    query = select(changes.Change).where(changes.Change.revision == number).order_by(changes.Change.id).limit(500)
    kept = store.folder(machine, number).exists()
    return render_template("apply/revision.html", revision=row, against=against, files=found, newest=newest_number(), kept=kept,
                           restorable=number if kept and number != newest_number() else 0,
                           changes=_in_words(list(db.session.scalars(query))))


@pages.post("/revisions/<int:number>/rollback")
@needs("revisions")
def rollback(number: int) -> ResponseReturnValue:
    """All rows as that revision had them, with today's secrets, in force as a new revision."""
    if not all(current_user().may(r.permission or r.word) for r in resources.TABLE.values() if r.applies):
        abort(403)
    try:
        snapshots.restore(number)
        attempt = applying.ask(_("back to revision %(number)s", number=number))
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
        return redirect("/revisions")
    crud.relay()
    return redirect(f"/apply/{attempt.id}")


@pages.post("/revisions/<int:number>/restore/<word>/<int:row_id>")
@needs("")
def restore_row(number: int, word: str, row_id: int) -> ResponseReturnValue:
    """One row as that revision had it, for people who may edit it; waits to be applied."""
    resource = resources.TABLE.get(word) or abort(404)
    if not current_user().may(resource.permission or resource.word):
        abort(403)
    try:
        snapshots.restore_row(word, row_id, number)
        db.session.commit()
        session["saved"] = _("Saved, to be applied.")
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
    return redirect(resource.path(row_id))
