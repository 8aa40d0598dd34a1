"""Addresses that are blocked now: why, until when, and letting them in again (USR-36, SYS-08)."""

from flask import Blueprint, abort, jsonify, redirect, render_template, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel
from spectree import Response as Answers

from appliance import lanes, ports, settings
from appliance.address_policy import bans
from appliance.address_policy import model as policies
from appliance.address_policy.bans import Ban
from appliance.address_rules import model as rules
from appliance.addresses.command import facts
from appliance.closed import SIP
from appliance.db import db
from appliance.errors import Refused
from appliance.networks import ALLOW
from web import crud
from web.api import Problem, spec
from web.login import current_user, needs, public

pages = Blueprint("addresses", __name__)
MAY_CALL = "/_may_call"
WRONG = {"HTTP_401": Problem, "HTTP_403": Problem}


class BanOut(BaseModel):
    """An address that is blocked: for SIP or for the pages, the first users tried, how many, from when and until when (UTC)."""

    id: int
    address: str
    kind: str
    users: list[str]
    users_count: int
    tries: int
    since: str
    until: str


class BansOut(BaseModel):
    """Every ban in force."""

    rows: list[BanOut]


@pages.get(MAY_CALL)
@public
def may_call() -> ResponseReturnValue:
    """nginx asks here before a softphone's connection; an address closed to SIP got its refusal before it came this far (web/app.py)."""
    return "", 204


@pages.get("/addresses")
@needs("addresses")
def show() -> ResponseReturnValue:
    """Every ban in force, newest first."""
    return render_template("addresses/addresses.html", found=bans.standing(), policy=policies.current(), sip=SIP, may_allow=_may_allow(),
                           rule_count=len(rules.rules()), openings=openings())  # fmt: skip


def openings() -> list[tuple[str, str]]:
    """What this exchange listens for from outside: ports, and what for (TRK-07). The appliance's firewall lets in exactly these, and SSH."""
    machine, used = settings.load(), ports.listening(settings.load())
    return [(f"{machine.http_port}, {machine.https_port} TCP", _("pages")), (f"{used.sip} UDP, TCP", _("SIP: telephones and suppliers")),
            (f"{used.rtp_start}-{used.rtp_end} UDP", _("voice of calls"))]


def _may_allow() -> bool:
    return current_user().may_write(rules.resource)


@pages.post("/addresses/<int:ban_id>/unblock")
@needs("addresses")
def unblock(ban_id: int) -> ResponseReturnValue:
    """Let an address in again now."""
    ban = _standing(ban_id)
    _lift(ban)
    session["saved"] = _("%(address)s may come in again.", address=ban.address)
    return redirect("/addresses")


@pages.post("/addresses/<int:ban_id>/allow")
@needs("addresses")
def allow(ban_id: int) -> ResponseReturnValue:
    """Let an address in, and never block it by itself again."""
    if not _may_allow():
        abort(403)
    ban = _standing(ban_id)
    try:
        rules.put_rule(ban.address, ALLOW, _("was blocked for wrong passwords"))
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
        return redirect("/addresses")
    _lift(ban)
    session["saved"] = _("%(address)s is never blocked by itself again.", address=ban.address)
    return redirect("/addresses")


def _standing(ban_id: int) -> Ban:
    """A ban that is still in force, else 404."""
    ban = db.session.get(Ban, ban_id) or abort(404)
    if not any(one.id == ban.id for one in bans.standing()):
        abort(404)
    return ban


def _lift(ban: Ban) -> None:
    """In the rows, and in force at once. Where Asterisk cannot be told now, the job of each minute does it."""
    for one in bans.of_address(ban.address):
        bans.lift(one)
    lanes.put("telephony", "jobs.addresses.put", 0)
    db.session.commit()
    crud.relay()


# ----------------------------------------------------------------------------------------------------------------------------- API


@pages.get("/api/v1/addresses")
@needs("addresses")
@spec.validate(resp=Answers(HTTP_200=BansOut, **WRONG), tags=["addresses"], skip_validation=True)
def addresses_list() -> ResponseReturnValue:
    """Every ban in force, newest first."""
    return jsonify(rows=[_shown(ban) for ban in bans.standing()])


def _shown(ban: Ban) -> dict[str, object]:
    return facts(ban) | {"since": ban.since.isoformat(), "until": ban.until.isoformat()}


@pages.delete("/api/v1/addresses/<int:ban_id>")
@needs("addresses")
@spec.validate(resp=Answers("HTTP_204", HTTP_404=Problem, **WRONG), tags=["addresses"], skip_validation=True)
def addresses_unblock(ban_id: int) -> ResponseReturnValue:
    """Let an address in again now."""
    _lift(_standing(ban_id))
    return "", 204
