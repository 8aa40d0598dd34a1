"""The page of backups: what there is, one more now, a rehearsal, the password that opens them, and the bundle for support (SYS-20, SYS-19)."""

from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel
from spectree import Response as Answers

from appliance import changes, lanes, settings
from appliance.backup_policy import attempts
from appliance.backup_policy import model as policies
from appliance.backup_policy.attempts import REHEARSALS, STATES, STEPS, Backup
from appliance.backups import destination
from appliance.backups.command import facts
from appliance.db import db
from appliance.errors import Refused
from appliance.support import bundle
from web import crud
from web.api import PROBLEMS, Problem, spec
from web.limits import limiter
from web.login import current_user, needs

pages = Blueprint("backups", __name__)


@pages.get("/backups")
@needs("backups")
def show() -> ResponseReturnValue:
    """Where they go, the last attempts, and what can be done."""
    return render_template("backups/backups.html", **_facts())


@pages.get("/backups/_rows")
@needs("backups")
def rows_part() -> ResponseReturnValue:
    """The list alone, asked for again while something is under way."""
    return render_template("backups/_rows.html", **_facts())


def _facts() -> dict[str, Any]:
    found = attempts.newest()
    policy = policies.current()
    is_busy = any(not one.is_over or one.rehearsal == attempts.RUNNING for one in found)
    return {"backups": found, "policy": policy, "kinds": policies.KINDS, "states": STATES, "steps": STEPS, "rehearsals": REHEARSALS, "is_busy": is_busy,
            "is_on_own_disk": policy.kind == policies.DISK and _is_on_own_disk(policy.address), "is_wanted": policy.kind != policies.NONE}


def _is_on_own_disk(address: str) -> bool:
    """Whether the folder lies on the disk whose loss it is to make good."""
    folder = Path(address)
    while not folder.exists():
        folder = folder.parent
    return folder.stat().st_dev == settings.load().home.stat().st_dev


@pages.post("/backups")
@needs("backups")
def make() -> ResponseReturnValue:
    """Ask for a backup now."""
    try:
        _ask()
        session["saved"] = _("The backup was asked for.")
    except Refused as why:
        session["refused"] = str(why)
    return redirect("/backups")


def _ask() -> Backup:
    destination.of(policies.current())  # refused while there is no place for it
    found = attempts.ask(current_user().name)
    db.session.commit()
    crud.relay()
    return found


@pages.post("/backups/<int:backup_id>/rehearse")
@needs("backups")
def rehearse(backup_id: int) -> ResponseReturnValue:
    """Ask for a rehearsal of one backup."""
    backup = db.session.get(Backup, backup_id) or abort(404)
    if backup.state != attempts.DONE:
        abort(404)
    lanes.put("backups", "jobs.backups.rehearse", backup.id)
    db.session.commit()
    crud.relay()
    session["saved"] = _("The rehearsal was asked for; its result stands in the list.")
    return redirect("/backups")


@pages.post("/backups/password")
@limiter.limit("20 per minute")
@needs("backup_policy")
def password() -> ResponseReturnValue:
    """Show the password of the backups, to be kept elsewhere; who looked is written down."""
    if not current_user().may_write(policies.resource):
        abort(403)
    changes.record("backup_policy", policies.current().id, str(policies.resource.label), "shown", {}, {"encryption_password": "shown"}, pending=False)
    db.session.commit()
    return render_template("backups/_password.html", password=policies.current().encryption_password)


@pages.post("/backups/key")
@needs("backup_policy")
def key() -> ResponseReturnValue:
    """The public half of the key by which this machine logs in elsewhere, made when there is none."""
    return render_template("backups/_key.html", key=destination.public_key())


@pages.post("/backups/bundle")
@limiter.limit("6 per minute")
@needs("backups")
def support_bundle() -> ResponseReturnValue:
    """The bundle for support, without secrets and personal data, as a file."""
    if not current_user().administrator:
        abort(403)
    changes.record("backups", 0, "bundle", "bundle", {}, {}, pending=False)
    db.session.commit()
    response = Response(bundle.make(), mimetype="application/gzip")
    response.headers["Content-Disposition"] = f'attachment; filename="{bundle.name()}"'
    return response


# ----------------------------------------------------------------------------------------------------------------------------- API


class BackupOut(BaseModel):
    """One attempt; `snapshot` is empty until it is complete, `rehearsal` until one was tried."""

    id: int
    state: str
    reason: str
    snapshot: str
    to: str
    at: datetime
    seconds: int
    rows: int
    bytes: int
    new_bytes: int
    asked_by: str
    rehearsal: str
    rehearsal_reason: str


class BackupsOut(BaseModel):
    """The last attempts."""

    rows: list[BackupOut]


@pages.get("/api/v1/backups")
@needs("backups")
@spec.validate(resp=Answers(HTTP_200=BackupsOut, **PROBLEMS), tags=["backups"], skip_validation=True)
def backups_list() -> ResponseReturnValue:
    """The last attempts, newest first."""
    return jsonify(rows=[facts(one) for one in attempts.newest()])


@pages.post("/api/v1/backups")
@limiter.limit("10 per minute")
@needs("backups")
@spec.validate(resp=Answers(HTTP_202=BackupOut, HTTP_429=Problem, **PROBLEMS), tags=["backups"], skip_validation=True)
def backups_make() -> ResponseReturnValue:
    """Ask for a backup now; one that waits or runs already is given instead."""
    try:
        return jsonify(facts(_ask())), 202
    except Refused as why:
        return jsonify(error=str(why), fields={}), 422


@pages.get("/api/v1/backups/<int:backup_id>")
@needs("backups")
@spec.validate(resp=Answers(HTTP_200=BackupOut, **PROBLEMS), tags=["backups"], skip_validation=True)
def backups_one(backup_id: int) -> ResponseReturnValue:
    """How one is, to be asked for again while it is made."""
    return jsonify(facts(db.session.get(Backup, backup_id) or abort(404)))


def on_the_start_page() -> dict[str, Any]:
    """The last complete backup and the last rehearsal, while backups are wanted."""
    return {"is_wanted": policies.current().kind != policies.NONE, "good": attempts.last_good(), "rehearsed": attempts.last_rehearsed()}
