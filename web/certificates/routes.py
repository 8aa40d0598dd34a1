"""Beside the form of domain and certificate: what is in force, giving one, the own authority for the computers (SYS-09)."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict
from spectree import Response as Answers

from appliance import lanes, own_certificate, settings
from appliance.certificate.model import current, resource
from appliance.certificates import given, keep
from appliance.db import db
from appliance.errors import Refused
from web import crud
from web.api import Problem, spec
from web.limits import limiter
from web.login import needs

pages = Blueprint("certificates", __name__)


class InForce(BaseModel):
    """What browsers are shown: its names, who issued it, until when (UTC), and why the last try to fetch one failed ("" when it did not)."""

    source: str
    domain: str
    names: list[str]
    issuer: str
    ends_at: str | None
    fingerprint: str
    is_own: bool
    reason: str
    tried_at: str | None


class Given(BaseModel):
    """Certificate, chain and key in one text, and the password of the key."""

    model_config = ConfigDict(extra="forbid")
    pem: str
    password: str = ""


class AskedFor(BaseModel):
    """A job was asked for."""

    asked: bool


def shown() -> dict[str, Any]:
    """What the part below the form tells."""
    machine, told = settings.load(), keep.facts()
    port = "" if machine.https_port == 443 else f":{machine.https_port}"
    return told | {"place": f"{told['domain'] or request.host.rpartition(':')[0] or request.host}{port}", "problem": keep.problem(), "has_authority": bool(own_certificate.authority_certificate(machine.secrets))}


@pages.post("/certificate/files")
@limiter.limit("20 per minute")
@needs("certificate")
def take() -> ResponseReturnValue:
    """Files from the form."""
    _may_write()
    contents = [file.read(given.MOST_BYTES + 1) for file in request.files.getlist("file") if file.filename]
    try:
        told = keep.take(contents, request.form.get("password", ""))
        session["saved"] = _("In force from the next visit on: %(names)s", names=", ".join(told["names"]))
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
    return redirect("/certificate#in-force")


@pages.post("/certificate/renew")
@limiter.limit("10 per minute")
@needs("certificate")
def renew() -> ResponseReturnValue:
    """Make or fetch it now."""
    _may_write()
    _ask()
    session["saved"] = _("Asked for; how it went stands here in a moment.")
    return redirect("/certificate#in-force")


@pages.get("/certificate/authority.crt")
@needs("certificate")
def authority() -> ResponseReturnValue:
    """The public half of the own authority, as browsers and Windows take it."""
    return Response(own_certificate.authority_certificate(settings.load().secrets) or abort(404), mimetype="application/x-x509-ca-cert",
                    headers={"Content-Disposition": 'attachment; filename="bentevi-authority.crt"'})


WRONG = {"HTTP_401": Problem, "HTTP_403": Problem}


@pages.get("/api/v1/certificate/in_force")
@needs("certificate")
@spec.validate(resp=Answers(HTTP_200=InForce, **WRONG), tags=["certificate"], skip_validation=True)
def certificate_in_force() -> ResponseReturnValue:
    """What browsers are shown now."""
    return jsonify(_told())


@pages.put("/api/v1/certificate/files")
@limiter.limit("20 per minute")
@needs("certificate")
@spec.validate(json=Given, resp=Answers(HTTP_200=InForce, HTTP_422=Problem, HTTP_429=Problem, **WRONG), tags=["certificate"], skip_validation=True)
def certificate_files() -> ResponseReturnValue:
    """{"pem": certificate, chain and key, "password": of the key}: in force at once."""
    _may_write()
    body = request.get_json(silent=True)
    body = body if isinstance(body, dict) else {}
    try:
        keep.take([str(body.get("pem", "")).encode()], str(body.get("password") or ""))
    except Refused as why:
        db.session.rollback()
        return jsonify(error=str(why), fields={"pem" if why.field == "file" else why.field or "pem": str(why)}), 422
    return jsonify(_told())


@pages.post("/api/v1/certificate/renew")
@limiter.limit("10 per minute")
@needs("certificate")
@spec.validate(resp=Answers(HTTP_202=AskedFor, HTTP_429=Problem, **WRONG), tags=["certificate"], skip_validation=True)
def certificate_renew() -> ResponseReturnValue:
    """Make or fetch it now; the answer of “in_force” tells how it went."""
    _may_write()
    _ask()
    return jsonify(asked=True), 202


def _told() -> dict[str, Any]:
    found = keep.facts()
    return found | {"ends_at": found["ends_at"] and found["ends_at"].isoformat(), "tried_at": found["tried_at"] and found["tried_at"].isoformat()}


def _may_write() -> None:
    if not crud.may_write(resource):
        abort(403)


def _ask() -> None:
    current().tried_at = None
    lanes.put("default", "jobs.certificates.keep", 0)
    db.session.commit()
    crud.relay()
