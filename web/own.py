"""What belongs to a person: the feature password, follow-me and lock of the own extension, and messages of a mailbox (FEA-20, FEA-28, PAN-18)."""

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, jsonify, redirect, render_template, request, send_file, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel, RootModel
from spectree import Response as Answers

from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.follow_me import model as follow_me
from appliance.resource import TABLE
from appliance.voicemail_boxes import messages
from appliance.voicemail_boxes import model as voicemail_boxes
from appliance.voicemail_boxes.model import VoicemailBox, of_extension
from web import crud
from web.api import PROBLEMS, Problem, spec
from web.login import current_user, needs

pages = Blueprint("own", __name__)
FIELDS = ("is_locked", *(f"{situation}_{end}" for situation in follow_me.SITUATIONS for end in ("from", "to")))


@pages.get("/own")
@needs("")
def show() -> ResponseReturnValue:
    """The page of the person who is logged in."""
    return _page({}, {})


def _page(wrong: dict[str, str], typed: dict[str, Any]) -> ResponseReturnValue:
    person = current_user()
    extension = person.extension
    row = follow_me.of_extension(extension.id) if extension else None
    box = of_extension(extension.id) if extension and extension.extension_class.voicemail else None
    blank = {name: follow_me.resource.fields[name].initial() for name in FIELDS}
    values = blank | (follow_me.resource.show(row) if row else {}) | typed
    return render_template("own/own.html", extension=extension, fields=follow_me.resource.fields, values=values, wrong=wrong, row=row, box=box,
                           found=messages.of_box(box) if box else [], resource=follow_me.resource), 422 if wrong else 200


@pages.post("/own/pin")
@needs("")
def pin() -> ResponseReturnValue:
    """A new feature password; typed twice."""
    new, again = request.form.get("pin", ""), request.form.get("again", "")
    if new != again:
        return _page({"pin": _("The two new passwords differ.")}, {})
    try:
        TABLE["users"].update(current_user(), {"feature_pin": new})
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return _page({"pin": why.messages.get("feature_pin", str(why))}, {})
    session["saved"] = _("The telephone asks for the new feature password from now on.")
    return redirect("/own")


@pages.post("/own/follow_me")
@needs("")
def save() -> ResponseReturnValue:
    """Follow-me and lock of the own extension."""
    extension = current_user().extension or abort(404)
    posted = crud.posted(follow_me.resource, request.form)
    values = {name: posted[name] for name in FIELDS if name in posted}
    row = follow_me.of_extension(extension.id)
    try:
        if row is None:
            follow_me.resource.create({"number": extension.number} | values)
        else:
            follow_me.resource.update(row, values)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return _page(why.messages or {"is_locked": str(why)}, values)
    crud.relay()
    session["saved"] = _("Saved.")
    return redirect("/own")


# ----------------------------------------------------------------------------------------------------------------- messages


def _box(box_id: int) -> VoicemailBox:
    """The mailbox, for its own person and administrators."""
    box = db.session.get(VoicemailBox, box_id) or abort(404)
    if not may_listen(box):
        abort(403)
    return box


def may_listen(box: VoicemailBox) -> bool:
    """Whether the person of this request may hear and delete messages of a mailbox."""
    return voicemail_boxes.may_listen(current_user(), box.extension_id)


def below(box: VoicemailBox) -> dict[str, Any]:
    """What the form of a mailbox shows below it."""
    return {"may_listen": may_listen(box), "found": messages.of_box(box) if may_listen(box) else []}


def _back(box: VoicemailBox) -> str:
    return f"/voicemail_boxes/{box.id}#messages" if request.form.get("back") == "box" else "/own#messages"


@pages.get("/voicemail_boxes/<int:box_id>/messages/<message_id>/sound")
@needs("")
def sound(box_id: int, message_id: str) -> ResponseReturnValue:
    """The message as it was spoken."""
    found = messages.find(_box(box_id), message_id) or abort(404)
    answer = send_file(found.sound, mimetype="audio/wav", conditional=True, download_name=f"{found.at:%Y%m%d-%H%M%S}.wav")
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


@pages.post("/voicemail_boxes/<int:box_id>/messages/<message_id>/<act>")
@needs("")
def act(box_id: int, message_id: str, act: str) -> ResponseReturnValue:
    """“heard” puts the lamp out, “delete” takes the message from page and telephone."""
    box = _box(box_id)
    found = messages.find(box, message_id) or abort(404)
    if act not in ("heard", "delete"):
        abort(404)
    try:
        (messages.heard if act == "heard" else messages.remove)(box, found)
    except (Refused, Busy) as why:
        session["refused"] = str(why)
    return redirect(_back(box))


class MessageOut(BaseModel):
    """One message of a mailbox."""

    id: str
    at: datetime
    caller: str
    seconds: int
    is_new: bool
    folder: str


class MessagesOut(RootModel[list[MessageOut]]):
    """The messages, newest first."""


@pages.get("/api/v1/voicemail_boxes/<int:box_id>/messages")
@needs("")
@spec.validate(resp=Answers(HTTP_200=MessagesOut, **PROBLEMS), tags=["voicemail_boxes"], skip_validation=True)
def voicemail_boxes_messages(box_id: int) -> ResponseReturnValue:
    """Messages of a mailbox, newest first."""
    return jsonify([{"id": one.id, "at": one.at.isoformat(), "caller": one.caller, "seconds": one.seconds, "is_new": one.is_new, "folder": one.folder}
                    for one in messages.of_box(_box(box_id))])


@pages.delete("/api/v1/voicemail_boxes/<int:box_id>/messages/<message_id>")
@needs("")
@spec.validate(resp=Answers(HTTP_204=None, HTTP_503=Problem, **PROBLEMS), tags=["voicemail_boxes"], skip_validation=True)
def voicemail_boxes_delete_message(box_id: int, message_id: str) -> ResponseReturnValue:
    """Delete one message."""
    box = _box(box_id)
    messages.remove(box, messages.find(box, message_id) or abort(404))
    return "", 204
