"""Particular to queues: members in and out, paused and free, at once, from the page and by the API; and the files of a music group."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, jsonify, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel
from spectree import Response as Answers
from sqlalchemy import select

from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.extensions.model import Extension
from appliance.queues import members
from appliance.queues.model import Queue, resource
from web import crud
from web.api import Problem, spec
from web.login import needs

pages = Blueprint("queue_members", __name__)


class Joining(BaseModel):
    """Who comes in."""

    extension: str
    penalty: int = 0
    paused: bool = False


class MemberChange(BaseModel):
    """What changes of a member; what is left out stays."""

    paused: bool | None = None
    penalty: int | None = None


class MemberOut(BaseModel):
    """One member, in the order of the queue."""

    extension: str
    penalty: int
    paused: bool


class MembersOut(BaseModel):
    """All members of a queue."""

    members: list[MemberOut]


def _queue(queue_id: int) -> Queue:
    """The queue, for somebody who may change it."""
    if not crud.may_write(resource):
        abort(403)
    return db.session.get(Queue, queue_id) or abort(404)


def _at_once(queue_id: int, change: Callable[[], bool]) -> None:
    """Store a change of the members and bring it to Asterisk now; when that is away, the worker does it later. Raises Refused."""
    try:
        change()
        db.session.commit()
    except Refused:
        db.session.rollback()
        raise
    try:
        members.sync(queue_id)
    except Busy:
        session["saved"] = _("Saved. Asterisk does not answer; it takes effect when it is there again.")
    crud.relay()


# ---------------------------------------------------------------------------------------------------------------- pages


@pages.post("/queues/<int:queue_id>/members/<extension>")
@needs("queues")
def change(queue_id: int, extension: str) -> ResponseReturnValue:
    """Pause, unpause or take out a member."""
    row = _queue(queue_id)
    acts: dict[str, Callable[[], bool]] = {
        "pause": lambda: members.change(row, extension, paused=True), "unpause": lambda: members.change(row, extension, paused=False),
        "leave": lambda: members.leave(row, extension),
    }
    act = acts.get(request.form.get("act", "")) or abort(400)
    return _back(queue_id, act)


@pages.post("/queues/<int:queue_id>/members")
@needs("queues")
def join(queue_id: int) -> ResponseReturnValue:
    """Put a member in."""
    row, extension = _queue(queue_id), request.form.get("extension", "").strip()
    return _back(queue_id, lambda: members.join(row, extension))


def _back(queue_id: int, act: Callable[[], bool]) -> ResponseReturnValue:
    try:
        _at_once(queue_id, act)
    except Refused as why:
        session["refused"] = next(iter(why.messages.values()), str(why))
    return redirect(f"/queues/{queue_id}#members-now")


def below(row: Queue) -> list[dict[str, Any]]:
    """The members as the form of a queue shows them below it."""
    known = {one.id: one for one in db.session.scalars(select(Extension).where(Extension.id.in_([line["extension"] for line in row.members])))}
    return [{"number": known[line["extension"]].number, "name": known[line["extension"]].name, "extension_id": line["extension"],
             "paused": line["paused"], "penalty": line["penalty"]} for line in row.members if line["extension"] in known]


# ------------------------------------------------------------------------------------------------------------------ API


WRONG = {"HTTP_401": Problem, "HTTP_403": Problem, "HTTP_404": Problem, "HTTP_422": Problem}


@pages.post("/api/v1/queues/<int:queue_id>/members")
@needs("queues")
@spec.validate(json=Joining, resp=Answers(HTTP_200=MembersOut, **WRONG), tags=["queues"], skip_validation=True)
def queues_join(queue_id: int) -> ResponseReturnValue:
    """Put an extension in as the last member, at once (log in). One that is in already stays as it is."""
    body = _body()
    values = {name: body[name] for name in ("penalty", "paused") if name in body}
    return _told(queue_id, lambda row: members.join(row, str(body.get("extension", "")), **values))


@pages.patch("/api/v1/queues/<int:queue_id>/members/<extension>")
@needs("queues")
@spec.validate(json=MemberChange, resp=Answers(HTTP_200=MembersOut, **WRONG), tags=["queues"], skip_validation=True)
def queues_member(queue_id: int, extension: str) -> ResponseReturnValue:
    """Pause or unpause a member, or change the penalty, at once."""
    values = {name: value for name, value in _body().items() if name in ("paused", "penalty") and value is not None}
    return _told(queue_id, lambda row: members.change(row, extension, **values))


@pages.delete("/api/v1/queues/<int:queue_id>/members/<extension>")
@needs("queues")
@spec.validate(resp=Answers(HTTP_200=MembersOut, **WRONG), tags=["queues"], skip_validation=True)
def queues_leave(queue_id: int, extension: str) -> ResponseReturnValue:
    """Take a member out, at once (log out)."""
    return _told(queue_id, lambda row: members.leave(row, extension))


def _body() -> dict[str, Any]:
    found = request.get_json(silent=True)
    return found if isinstance(found, dict) else {}


def _told(queue_id: int, act: Callable[[Queue], bool]) -> ResponseReturnValue:
    row = _queue(queue_id)
    try:
        _at_once(queue_id, lambda: act(row))
    except Refused as why:
        return jsonify(error=str(why), fields=why.messages), 422
    return jsonify(members=resource.show(_queue(queue_id))["members"])
