"""Particular to desk phones: letting one in, telling it to reload, what is known of models; pages and API (EXT-09, SYS-01, SYS-06)."""

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, jsonify, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel
from spectree import Response as Answers

from appliance import db as ground
from appliance.db import db
from appliance.desk_phones import doors, models, reload
from appliance.desk_phones.model import DeskPhone, key_of, resource
from appliance.errors import Busy, Refused
from web import crud
from web.api import Problem, spec
from web.login import needs

pages = Blueprint("desk_phone_visits", __name__)


class Opening(BaseModel):
    """How the phone finds us."""

    without_secret: bool = False


class OpenOut(BaseModel):
    """The one-time address, shown only now, and until when it works."""

    address: str
    until: datetime


class ReloadOut(BaseModel):
    """To how many places the order went."""

    told: int


class VisitsOut(BaseModel):
    """What is known of the phone's visits; null: never."""

    window_until: datetime | None
    fetched_at: datetime | None
    fetched_from: str
    device: str
    phonebook_at: datetime | None


class ModelOut(BaseModel):
    """What is known of a model: compared, guessed or unknown; tested_on is null while nobody tried one."""

    brand: str
    model: str
    state: str
    firmware: str
    compared_on: str | None
    tested_on: str | None


class ModelsOut(BaseModel):
    """Every model of the list."""

    models: list[ModelOut]


def _phone(phone_id: int) -> DeskPhone:
    """The phone, for somebody who may change it."""
    if not crud.may_write(resource):
        abort(403)
    return db.session.get(DeskPhone, phone_id) or abort(404)


def _open(phone: DeskPhone, without_secret: bool) -> str:
    """Open the window; the address that works in it. Raises Refused."""
    secret = doors.open_window(phone, without_secret)
    brand = phone.brand
    db.session.commit()
    return f"{request.url_root}provisioning/{brand}/{secret}/"


# ---------------------------------------------------------------------------------------------------------------- pages


@pages.get("/desk_phones/models")
@needs("desk_phones")
def show_models() -> ResponseReturnValue:
    """The table of models."""
    return render_template("desk_phones/models.html", models=models.MODELS, brands=models.BRANDS, states=models.STATES, resource=resource,
                           compared=models.COMPARED, compared_on=models.COMPARED_ON)


@pages.post("/desk_phones/<int:phone_id>/provision")
@needs("desk_phones")
def provision(phone_id: int) -> ResponseReturnValue:
    """Let the phone in for a quarter of an hour, or close its window."""
    phone = _phone(phone_id)
    try:
        if request.form.get("act") == "close":
            doors.close_window(phone)
            db.session.commit()
            session["saved"] = _("Nobody is let in any more.")
        else:
            session["pairing"] = {"phone": phone_id, "address": _open(phone, request.form.get("without_secret") == "yes")}
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
    return redirect(f"/desk_phones/{phone_id}#visits")


@pages.post("/desk_phones/<int:phone_id>/reload")
@needs("desk_phones")
def tell(phone_id: int) -> ResponseReturnValue:
    """Tell the phone to fetch its files again."""
    phone = _phone(phone_id)
    try:
        reload.tell(phone)
        db.session.commit()
        session["saved"] = _("The phone was told to fetch its files again.")
    except (Refused, Busy) as why:
        db.session.rollback()
        session["refused"] = str(why)
    return redirect(f"/desk_phones/{phone_id}#visits")


@pages.post("/desk_phones/_reload")
@needs("desk_phones")
def tell_all() -> ResponseReturnValue:
    """Tell every phone that is registered."""
    if not crud.may_write(resource):
        abort(403)
    try:
        told, others = reload.tell_all()
        db.session.commit()
        session["saved"] = _("Told: %(told)s. Not registered, they fetch their files at their next start: %(others)s.", told=told, others=others)
    except Busy as why:
        db.session.rollback()
        session["refused"] = str(why)
    return redirect("/desk_phones")


def below(row: DeskPhone) -> dict[str, Any]:
    """What the form of a phone shows below it."""
    known, now = key_of(row.id), ground.now()
    pairing = session.get("pairing") or {}
    shown = session.pop("pairing") if pairing.get("phone") == row.id else {}
    return {
        "key": known, "window_until": known.window_until if known and known.window_until and known.window_until > now else None,
        "address": shown.get("address", ""), "plain": f"{request.url_root}provisioning/{row.brand}/", "model": models.BY_NAME[row.model],
        "states": models.STATES, "extension": row.of_extension(),
    }


# ------------------------------------------------------------------------------------------------------------------ API


WRONG = {"HTTP_401": Problem, "HTTP_403": Problem, "HTTP_404": Problem, "HTTP_422": Problem}


@pages.post("/api/v1/desk_phones/<int:phone_id>/provision")
@needs("desk_phones")
@spec.validate(json=Opening, resp=Answers(HTTP_200=OpenOut, **WRONG), tags=["desk_phones"], skip_validation=True)
def desk_phones_provision(phone_id: int) -> ResponseReturnValue:
    """Let the phone in once, for a quarter of an hour. The address is shown only now; `without_secret` also opens the address without it,
    for phones that find the exchange by DHCP."""
    phone, body = _phone(phone_id), request.get_json(silent=True)
    try:
        address = _open(phone, isinstance(body, dict) and body.get("without_secret") is True)
    except Refused as why:
        db.session.rollback()
        return jsonify(error=str(why), fields=why.messages), 422
    known = key_of(phone_id) or abort(404)
    return jsonify(address=address, until=known.window_until.isoformat() if known.window_until else None)


@pages.post("/api/v1/desk_phones/<int:phone_id>/reload")
@needs("desk_phones")
@spec.validate(resp=Answers(HTTP_200=ReloadOut, HTTP_503=Problem, **WRONG), tags=["desk_phones"], skip_validation=True)
def desk_phones_reload(phone_id: int) -> ResponseReturnValue:
    """Tell the phone to fetch its files again."""
    phone = _phone(phone_id)
    try:
        told = reload.tell(phone)
        db.session.commit()
    except (Refused, Busy) as why:
        db.session.rollback()
        return jsonify(error=str(why), fields=getattr(why, "messages", {})), 422 if isinstance(why, Refused) else 503
    return jsonify(told=told)


@pages.get("/api/v1/desk_phones/<int:phone_id>/visits")
@needs("desk_phones")
@spec.validate(resp=Answers(HTTP_200=VisitsOut, **WRONG), tags=["desk_phones"], skip_validation=True)
def desk_phones_visits(phone_id: int) -> ResponseReturnValue:
    """When and from where the phone fetched its files."""
    if db.session.get(DeskPhone, phone_id) is None:
        abort(404)
    known = key_of(phone_id)
    return jsonify(
        window_until=_told(known and known.window_until), fetched_at=_told(known and known.fetched_at), phonebook_at=_told(known and known.phonebook_at),
        fetched_from=known.fetched_from if known else "", device=known.fetched_agent if known else "",
    )


@pages.get("/api/v1/desk_phones/models")
@needs("desk_phones")
@spec.validate(resp=Answers(HTTP_200=ModelsOut, **WRONG), tags=["desk_phones"], skip_validation=True)
def desk_phones_models() -> ResponseReturnValue:
    """What is known of each model."""
    return jsonify(models=[
        {"brand": one.brand, "model": one.name, "state": one.state, "firmware": one.firmware,
         "compared_on": models.COMPARED_ON.isoformat() if one.state == models.COMPARED else None,
         "tested_on": one.tested_on.isoformat() if one.tested_on else None} for one in models.MODELS
    ])


def _told(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
