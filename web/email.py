"""The test button of the mail server's page (SYS-21)."""

from secrets import token_hex

from flask import Blueprint, jsonify, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from pydantic import BaseModel
from spectree import Response as Answers

from appliance.email import post
from appliance.errors import Busy, Refused
from web.api import PROBLEMS, Problem, spec
from web.limits import limiter
from web.login import needs

pages = Blueprint("email_test", __name__)


def _send(to: str) -> None:
    if "@" not in to or any(sign in to for sign in " \r\n\t,;<>"):
        raise Refused(_("This is not an e-mail address."), field="to")
    post.send(post.message(to, _("Test of the telephone exchange"), _("This message was sent by the test button. The mail server works.") + "\n",
                           f"test-{token_hex(8)}"))


@pages.post("/email/test")
@limiter.limit("10 per minute")
@needs("email")
def test() -> ResponseReturnValue:
    """Send one message now, with what is saved, and say how it went."""
    to = request.form.get("to", "").strip()
    try:
        _send(to)
    except (Refused, Busy) as why:
        session["refused"] = str(why)
    else:
        session["saved"] = _("The mail server took the message to %(to)s.", to=to)
    return redirect("/email")


class TestTo(BaseModel):
    """Where the test message goes."""

    to: str


class TestOut(BaseModel):
    """The mail server took the message."""

    sent: bool


@pages.post("/api/v1/email/test")
@limiter.limit("10 per minute")
@needs("email")
@spec.validate(json=TestTo, resp=Answers(HTTP_200=TestOut, HTTP_429=Problem, HTTP_503=Problem, **PROBLEMS), tags=["email"], skip_validation=True)
def email_test() -> ResponseReturnValue:
    """The same for programs: {"to": address}."""
    body = request.get_json(silent=True)
    try:
        _send(str(body.get("to", "")) if isinstance(body, dict) else "")
    except (Refused, Busy) as why:
        return jsonify(error=str(why), fields={}), 422 if isinstance(why, Refused) else 503
    return jsonify(sent=True)
