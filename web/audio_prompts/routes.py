"""Particular to the audio library: the player, files in by the API, the voice again, calls to record or to hear."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel
from spectree import Response as Answers

from appliance.audio_prompts import calls, files, intake
from appliance.audio_prompts.model import REASONS, SOURCES, STATES, WAITING, AudioPrompt
from appliance.db import db
from appliance.errors import Busy, Refused
from web import crud
from web.api import PROBLEMS, SentFile, spec
from web.login import needs

pages = Blueprint("audio_library", __name__)


def _prompt(prompt_id: int) -> AudioPrompt:
    return db.session.get(AudioPrompt, prompt_id) or abort(404)


@pages.get("/audio_prompts/<int:prompt_id>/sound")
@needs("audio_prompts")
def sound(prompt_id: int) -> ResponseReturnValue:
    """The sound as telephones hear it; nginx sends it, so a person can jump within it."""
    prompt = _prompt(prompt_id)
    if not prompt.file or not (files.folder() / prompt.file).is_file():
        abort(404)
    response = Response(mimetype="audio/wav")
    response.headers["X-Accel-Redirect"] = f"/_audio/{prompt.file}"
    response.headers["Content-Disposition"] = f'inline; filename="audio-{prompt.id}.wav"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


@pages.get("/audio_prompts/<int:prompt_id>/_sound")
@needs("audio_prompts")
def part(prompt_id: int) -> ResponseReturnValue:
    """Player, state and calls, asked for again while something is on its way."""
    prompt = _prompt(prompt_id)
    return render_template("audio_prompts/_sound.html", prompt=prompt, **below(prompt))


@pages.post("/audio_prompts/<int:prompt_id>/speak")
@needs("audio_prompts")
def speak(prompt_id: int) -> ResponseReturnValue:
    """Speak the text, in place of a file."""
    prompt = _prompt(prompt_id)
    if prompt.text.strip():
        intake.take(prompt, prompt.wanted, _("the text"))
        db.session.commit()
        crud.relay()
    else:
        session["refused"] = _("Write a text first, and save it.")
    return redirect(f"/audio_prompts/{prompt_id}#sound")


@pages.post("/audio_prompts/<int:prompt_id>/call")
@needs("audio_prompts")
def call(prompt_id: int) -> ResponseReturnValue:
    """Ring an extension, to record the sound or to play it."""
    kind = request.form.get("kind", "")
    if kind not in (calls.RECORD, calls.PLAY):
        abort(400)
    try:
        calls.ask(_prompt(prompt_id), request.form.get("extension", ""), kind)
        db.session.commit()
    except (Refused, Busy) as why:
        db.session.rollback()
        session["refused"] = str(why)
    return redirect(f"/audio_prompts/{prompt_id}#sound")


class SoundOut(BaseModel):
    """What became of the file of a sound: `state` is none, waiting, ready or failed, then with its reason."""

    id: int
    state: str
    reason: str
    seconds: float
    source: str
    file: str


@pages.post("/api/v1/audio_prompts/<int:prompt_id>/file")
@needs("audio_prompts")
@spec.validate(form=SentFile, resp=Answers(HTTP_202=SoundOut, **PROBLEMS), tags=["audio_prompts"], skip_validation=True)
def audio_prompts_send_file(prompt_id: int) -> ResponseReturnValue:
    """Send the file of a sound: multipart, field `file`. It is converted afterwards; `state` of the row tells."""
    prompt = _prompt(prompt_id)
    sent = request.files.get("file")
    try:
        if sent is None or not sent.filename:
            raise Refused(_("Choose a file first."), field="file")
        intake.upload(prompt, sent.stream, sent.filename)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return jsonify(error=str(why), fields=why.messages), 422
    crud.relay()
    return jsonify(_told(prompt)), 202


@pages.get("/api/v1/audio_prompts/<int:prompt_id>/file")
@needs("audio_prompts")
@spec.validate(resp=Answers(HTTP_200=SoundOut, **PROBLEMS), tags=["audio_prompts"], skip_validation=True)
def audio_prompts_file(prompt_id: int) -> ResponseReturnValue:
    """What became of the file: nothing, waiting, ready or failed with its reason."""
    return jsonify(_told(_prompt(prompt_id)))


def _told(prompt: AudioPrompt) -> dict[str, Any]:
    reason = str(REASONS[prompt.reason]) if prompt.reason in REASONS else ""
    return {"id": prompt.id, "state": prompt.state, "reason": reason, "seconds": prompt.seconds, "source": prompt.source, "file": prompt.label}


def below(prompt: AudioPrompt) -> dict[str, Any]:
    """What the form of a sound shows below it."""
    last = calls.last(prompt.id)
    state = calls.state_of(last) if last else ""
    return {
        "states": STATES, "sources": SOURCES, "reason": REASONS.get(prompt.reason, prompt.reason), "last_call": last,
        "call_said": calls.STATES.get(state, ""), "moves": prompt.state == WAITING or state in calls.OPEN,
    }
