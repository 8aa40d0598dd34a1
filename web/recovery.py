"""First access and forgotten passwords: a code is asked for, comes by e-mail, and sets a password (USR-04, USR-05)."""

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from appliance import first_start
from appliance.db import db
from appliance.errors import Refused
from appliance.users import letters
from web import sessions
from web.crud import relay
from web.limits import limiter
from web.login import public

pages = Blueprint("recovery", __name__)


@pages.get("/recovery")
@public
def form() -> ResponseReturnValue:
    """Who are you?"""
    return render_template("recovery.html", possible=letters.are_possible())


@pages.post("/recovery")
@limiter.limit("5/minute;30/hour")
@public
def ask() -> ResponseReturnValue:
    """The answer is the same whether somebody is known by this login or not."""
    if letters.are_possible() and request.form.get("login", "").strip():
        letters.ask(request.form["login"])
        db.session.commit()
        relay()
        session["code_asked"] = True
    return redirect(url_for("recovery.code"))


@pages.route("/recovery/code", methods=["GET", "POST"])
@limiter.limit("10/minute", methods=["POST"])
@public
def code() -> ResponseReturnValue:
    """The code of the letter, and the new password."""
    messages: dict[str, str] = {}
    if request.method == "POST":
        try:
            user = letters.redeem(*(request.form.get(name, "") for name in ("code", "new", "again")), address=request.remote_addr or "")
            user_id, login = user.id, user.login
            db.session.commit()
        except Refused as why:
            db.session.rollback()
            messages = {name: str(text) for name, text in why.messages.items()}
        else:
            if login == "admin":
                first_start.forget_first_password()
            sessions.forget_user(user_id)
            session["said"] = _("Your password is set. Log in with it.")
            return redirect(url_for("login.log_in"))
    return render_template("recovery_code.html", asked=session.pop("code_asked", False), messages=messages,
                           code=request.form.get("code", "")), 422 if messages else 200  # fmt: skip
