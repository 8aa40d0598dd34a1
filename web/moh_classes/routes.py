"""Particular to music groups: hearing and taking out one of the files, files in by the API."""

from flask import Blueprint, Response, abort, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from spectree import Response as Answers
from sqlalchemy import select

from appliance.audio_prompts import intake
from appliance.audio_prompts.model import AudioPrompt
from appliance.db import db
from appliance.errors import Refused
from appliance.moh_classes.model import MohClass, resource, take
from web import crud
from web.api import PROBLEMS, SentFile, spec
from web.login import needs

pages = Blueprint("moh_sounds", __name__)


@pages.get("/moh_classes/<int:class_id>/sounds/<int:sound_id>")
@needs("moh_classes")
def sound(class_id: int, sound_id: int) -> ResponseReturnValue:
    """One of its sounds, as telephones hear it."""
    row = db.session.get(MohClass, class_id) or abort(404)
    prompt = db.session.get(AudioPrompt, sound_id) if sound_id in row.files else None
    if prompt is None or not prompt.file or not (intake.folder() / prompt.file).is_file():
        abort(404)
    response = Response(mimetype="audio/wav")
    response.headers["X-Accel-Redirect"] = f"/_audio/{prompt.file}"
    response.headers["Cache-Control"] = "private, no-store"
    return response


@pages.post("/moh_classes/<int:class_id>/sounds/<int:sound_id>/remove")
@needs("moh_classes")
def remove(class_id: int, sound_id: int) -> ResponseReturnValue:
    """Take a sound out of the group; the library keeps it."""
    if not crud.may_write(resource):
        abort(403)
    row = db.session.get(MohClass, class_id) or abort(404)
    prompt = db.session.get(AudioPrompt, sound_id)
    if prompt is not None:
        left = [name for name in resource.show(row)["files"] if name != prompt.name]
        resource.update(row, {"files": left})
        db.session.commit()
    return redirect(f"/moh_classes/{class_id}#sounds")


@pages.post("/api/v1/moh_classes/<int:class_id>/file")
@needs("moh_classes")
@spec.validate(form=SentFile, resp=Answers(HTTP_202=None, **PROBLEMS), tags=["moh_classes"], skip_validation=True)
def moh_classes_file(class_id: int) -> ResponseReturnValue:
    """Send a file: multipart, field `file`. It becomes a sound of the library and the last one of the group."""
    if not crud.may_write(resource):
        abort(403)
    row, sent = db.session.get(MohClass, class_id) or abort(404), request.files.get("file")
    try:
        if sent is None or not sent.filename:
            raise Refused(_("Choose a file first."), field="file")
        take(row, sent.stream, sent.filename)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return jsonify(error=str(why), fields=why.messages), 422
    crud.relay()
    return jsonify(id=row.id, **resource.show(row)), 202


def sounds(row: MohClass) -> list[AudioPrompt]:
    """Its sounds in order, for the page."""
    found = {one.id: one for one in db.session.scalars(select(AudioPrompt).where(AudioPrompt.id.in_(row.files)))}
    return [found[row_id] for row_id in row.files if row_id in found]
