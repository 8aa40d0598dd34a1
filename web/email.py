"""The test button of the mail server's page (SYS-21)."""

from secrets import token_hex

from flask import Blueprint, jsonify, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from appliance.email import post
from appliance.errors import Busy, Refused
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


@pages.post("/api/v1/email/test")
@limiter.limit("10 per minute")
@needs("email")
def api_test() -> ResponseReturnValue:
    """The same for programs: {"to": address}."""
    try:
        _send(str((request.get_json(silent=True) or {}).get("to", "")))
    except (Refused, Busy) as why:
        return jsonify(error=str(why), fields={}), 422 if isinstance(why, Refused) else 503
    return jsonify(sent=True)
