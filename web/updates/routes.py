"""The page of updates: what is installed and what it brought, a file that is sent in parts, the restart that is announced, and those before (SYS-11)."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict, Field
from spectree import Response as Answers

from appliance import changes, lanes, settings, version
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.updates import fetch, notes, package, state
from appliance.updates.words import NotGood, told
from web.api import Problem, spec
from web.limits import limiter
from web.login import current_user, needs

pages = Blueprint("updates", __name__)

MOST_BYTES = 4 << 30
ROOM_BYTES = 200_000_000  # left free beside a file that is sent


@pages.get("/updates")
@needs("updates")
def show() -> ResponseReturnValue:
    """The page."""
    sent, trouble = _sent()
    return render_template("updates/updates.html", **_facts(), sent=sent, trouble=trouble, has_before=_has_before(), build=version.build(),
                           lines=notes.releases(str(get_locale())).get(version.number(), []), part_bytes=_size(state.PART),
                           notes=_notes(sent.notes) if sent else [], **_found())


@pages.get("/updates/_rows")
@needs("updates")
def rows_part() -> ResponseReturnValue:
    """How it is, asked for again while something is under way."""
    return render_template("updates/_rows.html", **_facts())


@pages.get("/updates/_found")
@needs("updates")
def found_part() -> ResponseReturnValue:
    """What is at the address, asked for again while it is fetched; when that is over, the page as it is then."""
    if not fetch.is_fetching(settings.load()):
        return "", 200, {"HX-Redirect": "/updates"}
    return render_template("updates/_found.html", **_found())


def _found() -> dict[str, Any]:
    machine = settings.load()
    found = fetch.found(machine)
    return {"found": found, "found_notes": _notes(found.notes), "found_trouble": told(found.code, found.values) if found.code else "",
            "address": fetch.policy().address, "fetching": fetch.is_fetching(machine), "has_bytes": fetch.has_bytes(machine)}


def _notes(said: dict[str, list[str]]) -> list[str]:
    return said.get(str(get_locale())) or said.get("en") or []


def _facts() -> dict[str, Any]:
    return {"possible": state.is_possible(), "update": state.current(), "steps": state.STEPS, "history": state.history(), "told": told,
            "asked": (state.spool(settings.load()) / state.REQUEST).exists()}


def _has_before() -> bool:
    now = state.current()
    return bool(now and now.step == state.DONE and now.version == version.number())


def _file(name: str) -> Path:
    return state.spool(settings.load()) / name


def _size(name: str) -> int:
    return _file(name).stat().st_size if _file(name).exists() else 0


def _sent() -> tuple[package.Package | None, str]:
    """The file that was sent, when it may be installed; else why not. The whole is compared by root, as it copies it."""
    file = _file(state.SENT)
    if not file.exists():
        return None, ""
    try:
        with file.open("rb") as stream:
            found = package.read(stream, package.trusted())
        package.check_version(found, version.number())
    except NotGood as why:
        return None, "" if why.code == "same" else str(why)  # the one that was just installed
    return found, ""


def _possible() -> None:
    if not state.is_possible():
        raise NotGood("not_appliance")


# ------------------------------------------------------------------------------------------------------------- a file, part by part


@pages.post("/updates/file")
@limiter.limit("6000 per hour")
@needs("updates")
def take_part() -> ResponseReturnValue:
    """The next part of a file: body at `offset` of `size` bytes. Answers how much is there; 409 when the part belongs elsewhere, so that a
    browser goes on after a break. The last part makes the file what was sent, after a look at its signature."""
    try:
        _possible()
        offset, size = (_number(request.args.get(name, "")) for name in ("offset", "size"))
        has = _size(state.PART)
        if offset == 0 and has:
            _file(state.PART).unlink()
            has = 0
        if offset != has:
            return jsonify(has=has), 409
        return _kept(request.get_data(cache=False), offset, size)
    except (Refused, Busy) as why:
        return jsonify(error=str(why), fields={}), 422


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,11}", text) or int(text) > MOST_BYTES:
        raise NotGood("not_update")
    return int(text)


def _kept(part: bytes, offset: int, size: int) -> ResponseReturnValue:
    if offset == 0 and not part.startswith(package.ANY_MAGIC):
        raise NotGood("not_update")
    if offset + len(part) > size:
        raise NotGood("too_long")
    free = shutil.disk_usage(settings.load().home).free
    if free < size - offset + ROOM_BYTES:
        raise NotGood("no_room", free=free // 1_000_000, needed=(size - offset + ROOM_BYTES) // 1_000_000)
    with open(_file(state.PART), "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        out.write(part)
    if offset + len(part) < size:
        return jsonify(has=offset + len(part))
    with open(_file(state.PART), "rb") as stream:
        try:
            found = package.read(stream, package.trusted())
        except NotGood:
            _file(state.PART).unlink()
            raise
    _file(state.PART).rename(_file(state.SENT))
    _note("sent", {"version": found.version})
    return jsonify(has=size, version=found.version)


@pages.post("/updates/forget")
@needs("updates")
def forget() -> ResponseReturnValue:
    """Throw away what was sent or fetched."""
    fetch.forget(settings.load())
    for name in (state.SENT, state.PART):
        _file(name).unlink(missing_ok=True)
    return redirect("/updates")


# ---------------------------------------------------------------------------------------------------------------------- what is asked for


@pages.post("/updates")
@limiter.limit("20 per minute")
@needs("updates")
def ask() -> ResponseReturnValue:
    """Ask root's side: install what was sent (start) or what is on a stick, cancel, or return to the version before. Or ask a job: look at the
    address, or fetch what is there."""
    word = request.form.get("do", "")
    try:
        _ask(word, request.form.get("restart", state.NOW), request.form.get("hour", ""))
        session["saved"] = {
            state.CANCEL: _("The wish to cancel was passed on."), state.RETURN: _("The version before was asked for; the machine restarts."),
            state.LOOK: _("The address is looked at; what is there stands here in a moment."), state.FETCH: _("It is fetched; nothing is installed by that."),
        }.get(word, _("The update was asked for; how far it is stands below."))
    except (Refused, Busy) as why:
        session["refused"] = str(why)
    return redirect("/updates")


def _ask(word: str, restart: str, hour: str) -> None:
    _possible()
    if word in (state.LOOK, state.FETCH):
        _ask_job(word)
        return
    if word not in (state.START, state.STICK, state.CANCEL, state.RETURN):
        raise Refused(_("Choose what to do."))
    if restart == "hour":
        if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", hour):
            raise Refused(_("Say the hour of the restart, for example 22:30."))
        restart = hour
    elif restart not in (state.NOW, state.FREE):
        raise Refused(_("Choose when to restart."))
    if word == state.START:
        sent, trouble = _sent()
        if sent is None:
            raise Refused(trouble or told("no_file", {}))
    now = state.current()
    if word in (state.START, state.STICK, state.RETURN) and now and not now.is_over:
        raise NotGood("busy")
    try:
        state.ask(settings.load(), word, restart, current_user().name)
    except Busy as why:
        raise NotGood("busy") from why
    _note(word, {"restart": restart})


def _ask_job(word: str) -> None:
    """The look or the file, by a job; once while it waits. Raises Refused."""
    machine = settings.load()
    if not fetch.policy().address:
        raise NotGood("no_address")
    if not fetch.is_fetching(machine):
        fetch.note(machine, replace(fetch.found(machine), step=fetch.ASKED, code="", values={}))
        if word == state.LOOK:
            lanes.put("backups", "jobs.updates.look_now", 0)
        else:
            lanes.put("backups", "jobs.updates.fetch", 0)
    _note(word, {})


def _note(word: str, after: dict[str, Any]) -> None:
    changes.record("updates", 0, "update", word, {}, after, pending=False)
    db.session.commit()


# ----------------------------------------------------------------------------------------------------------------------------- API


class UpdateOut(BaseModel):
    """An update: where it stands, from and to which version, when, and why it ended as it did."""

    model_config = ConfigDict(populate_by_name=True)
    step: str
    version: str
    here: str = Field(alias="from")
    at: str
    ended_at: str
    restart_at: str
    progress: int
    reason: str
    asked_by: str


class FoundOut(BaseModel):
    """What is at the address: a newer version or "", how much of its file is here, and what was wrong."""

    at: str
    version: str
    size_bytes: int
    has_bytes: int
    fetching: bool
    reason: str


class UpdatesOut(BaseModel):
    """This version, what is at the address, the update under way or the last one, and those before."""

    version: str
    possible: bool
    found: FoundOut
    update: UpdateOut | None
    history: list[UpdateOut]


class Wanted(BaseModel):
    """What to do: start, stick, cancel, return, look or fetch; restart now, when it is free, or at HH:MM."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    do_: str = Field("", alias="do")
    restart: str = "now"


class AskedFor(BaseModel):
    """It was asked for."""

    asked: bool


@pages.get("/api/v1/updates")
@needs("updates")
@spec.validate(resp=Answers(HTTP_200=UpdatesOut, HTTP_401=Problem, HTTP_403=Problem), tags=["updates"], skip_validation=True)
def updates_show() -> ResponseReturnValue:
    """The version, the update under way or the last one, and those before."""
    now, said = state.current(), _found()
    found = {"at": said["found"].at, "version": said["found"].version, "size_bytes": said["found"].size_bytes, "has_bytes": said["has_bytes"],
             "fetching": said["fetching"], "reason": said["found_trouble"]}
    return jsonify(version=version.number(), possible=state.is_possible(), found=found, update=_shown(now) if now else None, history=[_shown(one) for one in state.history()])


def _shown(one: state.State) -> dict[str, Any]:
    return {"step": one.step, "version": one.version, "from": one.here, "at": one.at, "ended_at": one.ended_at, "restart_at": one.restart_at,
            "progress": one.progress, "reason": told(one.code, one.values) if one.code else "", "asked_by": one.asked_by}


@pages.post("/api/v1/updates")
@limiter.limit("20 per minute")
@needs("updates")
@spec.validate(json=Wanted, resp=Answers(HTTP_202=AskedFor, HTTP_401=Problem, HTTP_403=Problem, HTTP_422=Problem, HTTP_429=Problem), tags=["updates"], skip_validation=True)
def updates_ask() -> ResponseReturnValue:
    """The same as the page: {"do": start, stick, cancel, return, look or fetch, "restart": now, free or HH:MM}."""
    body = request.get_json(silent=True)
    body = body if isinstance(body, dict) else {}
    restart = str(body.get("restart", state.NOW))
    try:
        _ask(str(body.get("do", "")), restart if restart in (state.NOW, state.FREE) else "hour", restart)
    except (Refused, Busy) as why:
        return jsonify(error=str(why), fields={}), 422
    return jsonify(asked=True), 202
