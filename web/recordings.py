"""Listening to recordings: player, file, signed links that expire, and the page that shows room and seals (EXT-20)."""

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import select

from appliance import changes
from appliance import db as ground
from appliance.calls.model import Call
from appliance.db import db
from appliance.recordings import chain, check, files
from appliance.recordings.model import EMPTY, READY, Recording
from appliance.reports.asked import may_see
from appliance.users.model import User
from web import crud
from web.limits import limiter
from web.login import current_user, needs, public

pages = Blueprint("recordings", __name__)

LINK_HOURS = (1, 24, 7 * 24, 30 * 24)  # how long a signed link may work


@pages.get("/recordings")
@needs("recordings")
def show() -> ResponseReturnValue:
    """Room, newest seal, and what the verifications found."""
    rules = files.policy()
    place, seal = chain.newest()
    return render_template("recordings/recordings.html", used=files.used_bytes(), quota=rules.quota_gb * files.GB, policy=rules,
                           link_count=place, seal=seal, checks=check.last())


@pages.get("/recordings/_checks")
@needs("recordings")
def checks() -> ResponseReturnValue:
    """The verifications alone, asked for again while one runs."""
    return render_template("recordings/_checks.html", checks=check.last())


@pages.post("/recordings/verify")
@needs("recordings")
def verify() -> ResponseReturnValue:
    """Ask for the whole chain to be verified."""
    check.ask()
    db.session.commit()
    crud.relay()
    return redirect("/recordings")


@pages.post("/recordings/<int:recording_id>/acknowledge")
@needs("recordings")
def acknowledge(recording_id: int) -> ResponseReturnValue:
    """An administrator knows that the file is gone or differs; the seal stays."""
    if not current_user().administrator:
        abort(403)
    recording = db.session.get(Recording, recording_id) or abort(404)
    chain.acknowledge(recording, current_user().name)
    _note(recording, "acknowledged")
    check.ask()
    db.session.commit()
    crud.relay()
    return redirect("/recordings")


@pages.get("/recordings/<int:recording_id>/_player")
@needs("recordings")
def player(recording_id: int) -> ResponseReturnValue:
    """Player with waveform, for a row of a report or the story of a call."""
    recording = _visible(recording_id, current_user())
    return render_template("recordings/_player.html", recording=recording, peaks=list(recording.waveform or b""), hours=LINK_HOURS)


@pages.get("/recordings/<int:recording_id>/audio")
@needs("recordings")
def audio(recording_id: int) -> ResponseReturnValue:
    """The sound; nginx sends it, so a person can jump within it. Listening from the beginning is written down."""
    recording = _ready(recording_id, current_user())
    if request.headers.get("Range", "bytes=0-").startswith("bytes=0-"):
        _write_down(recording, "listened")
    return _file(recording)


@pages.post("/recordings/<int:recording_id>/link")
@needs("recordings")
def link(recording_id: int) -> ResponseReturnValue:
    """An address that plays this one recording without a login until it expires; who made it is written down."""
    recording = _ready(recording_id, current_user())
    hours = request.form.get("hours", type=int)
    if hours not in LINK_HOURS:
        abort(400)
    expires = int(ground.now().timestamp()) + hours * 3600
    token = _signer().dumps([recording.id, expires, current_user().id])
    _note(recording, "link made")
    db.session.commit()
    return render_template("recordings/_link.html", address=f"{request.host_url}listen/{token}", hours=hours)


@pages.get("/listen/<token>")
@public
@limiter.limit("60/minute")
def listen(token: str) -> ResponseReturnValue:
    """What a signed link leads to. Ends when it expires, or when who made it may no longer listen."""
    try:
        recording_id, expires, user_id = _signer().loads(token)
    except (BadData, ValueError, TypeError):
        abort(404)
    maker = db.session.get(User, user_id)
    if expires < ground.now().timestamp() or maker is None or not maker.active or not maker.may("recordings"):
        return render_template("error.html", status=410, text=_("This link has expired. Ask for a new one.")), 410
    return _file(_ready(recording_id, maker))


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="recording link")


def _visible(recording_id: int, user: User) -> Recording:
    """The recording, when the person may see its call: cost centres given to a person limit what is heard, too (USR-18)."""
    recording = db.session.get(Recording, recording_id) or abort(404)
    if not may_see(db.session.get_one(Call, recording.call_id), user):
        abort(404)
    return recording


def _ready(recording_id: int, user: User) -> Recording:
    recording = _visible(recording_id, user)
    if recording.state != READY or not (files.folder() / recording.name).is_file():
        abort(404)
    return recording


def _file(recording: Recording) -> Response:
    call = db.session.get(Call, recording.call_id)
    response = Response(mimetype="audio/mpeg")
    response.headers["X-Accel-Redirect"] = f"/_recordings/{recording.name}"
    response.headers["Content-Disposition"] = f'inline; filename="{call.protocol if call else recording.id}.mp3"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _note(recording: Recording, action: str) -> None:
    call = db.session.get(Call, recording.call_id)
    changes.record("recordings", recording.id, call.protocol if call else str(recording.id), action, {}, {}, pending=False)


def _write_down(recording: Recording, action: str) -> None:
    """GET requests only read; this one writes who listened, in a transaction of its own."""
    recording_id = recording.id
    db.session.rollback()
    _note(db.session.get_one(Recording, recording_id), action)
    db.session.commit()


def of_call(call: Call) -> list[Recording]:
    """The parts of a call's recording in order, without those in which nothing was said."""
    query = select(Recording).where(Recording.call_id == call.id, Recording.state != EMPTY).order_by(Recording.started_at)
    return list(db.session.scalars(query))
