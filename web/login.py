"""Logging in, who the person is, what they may open."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, abort, current_app, g, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from appliance import changes, first_start
from appliance.addresses import logins
from appliance.assistant import model as assistant
from appliance.changes import Actor
from appliance.db import db, digest
from appliance.hours import told
from appliance.modules import model as modules
from appliance.users import password as passwords
from appliance.users.model import User, by_login
from web import htmx, sessions, strangers
from web.limits import limiter

pages = Blueprint("login", __name__)


def public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Open to everybody; every other view needs a person and a permission."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def reads_first(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view that writes, but looks before: it begins without waiting for another writer, and rolls back before it writes."""
    view.reads_first = True  # type: ignore[attr-defined]
    return view


def needs(permission: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view opens for people who may open this menu; "" for everybody who is logged in."""

    def mark(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if permission and not current_user().may(permission):
                abort(403)
            return view(*args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return mark


def current_user() -> User:
    """The person of this request. 401 when there is none."""
    user: User | None = g.get("user")
    if user is None:
        abort(401)
    return user


def identify() -> ResponseReturnValue | None:
    """Before every request: who asks, and whether a password must be changed first."""
    g.user = None
    endpoint = request.endpoint or ""
    if endpoint in sessions.QUIET:
        return None
    g.user = _from_session() or _from_token()
    if g.user and not g.user.may_stay():
        return _shift_is_over(endpoint)
    if g.user:
        changes.actor.set(Actor(name=g.user.name, user_id=g.user.id, address=request.remote_addr or ""))
    view = current_app.view_functions.get(endpoint)
    if view is None or getattr(view, "is_public", False):
        return None
    if g.user is None:
        return _ask_to_log_in()
    if g.user.must_change_password and endpoint not in ("login.change_password", "login.log_out"):
        if request.path.startswith("/api/"):
            return jsonify(error=_("Choose a password of your own first: log in with a browser."), fields={}), 403
        return redirect(url_for("login.change_password"))
    return None


def _shift_is_over(endpoint: str) -> ResponseReturnValue | None:
    """The person's shift and its tolerance ended: the session ends with it, and the login page says why (HRS-18)."""
    text, g.user = shift_words(g.user), None
    if request.path.startswith("/api/"):
        return jsonify(error=text, fields={}), 403
    session.clear()
    session["ended"] = text
    session.renew()  # type: ignore[attr-defined]
    view = current_app.view_functions.get(endpoint)
    return None if view is None or getattr(view, "is_public", False) else _ask_to_log_in()


def shift_words(user: User) -> str:
    """Why the person may not be in now."""
    shift = user.work_shift
    return _("Your work shift “%(shift)s” is %(hours)s. Outside it you cannot use the system.", shift=shift.name,
             hours=", ".join(told(line) for line in shift.periods)) if shift else ""


def _from_session() -> User | None:
    user = db.session.get(User, session["user_id"]) if session.get("user_id") else None
    return user if user and user.active and session.get("stamp") == stamp(user) else None


def stamp(user: User) -> str:
    """What a session remembers of a password: whoever changes it, by whatever way, ends the sessions of that person."""
    return digest(user.password)[:16]


def know(user: User) -> None:
    """This session is of this person from now on, under a new name."""
    session["user_id"], session["stamp"] = user.id, stamp(user)
    session.renew()  # type: ignore[attr-defined]


def _from_token() -> User | None:
    from appliance.users.token import of_bearer

    header = request.headers.get("Authorization", "")
    if not header.startswith("Bearer ") or not request.path.startswith("/api/"):
        return None
    g.by_token = True
    user = of_bearer(header.removeprefix("Bearer ").strip())
    return user if user and user.active else None


def _ask_to_log_in() -> ResponseReturnValue:
    if request.path.startswith("/api/"):
        abort(401)
    if htmx.wants_part():
        return htmx.reply("", 401, redirect=url_for("login.log_in"))
    return redirect(url_for("login.log_in", next=request.full_path.rstrip("?") if request.method == "GET" else "/"))


@pages.get("/login")
@public
def log_in() -> ResponseReturnValue:
    """The login form."""
    return redirect("/") if g.user else render_template("login.html", login="", message=session.pop("ended", ""), said=session.pop("said", ""))


@pages.post("/login")
@public
@limiter.limit("30/minute")
def check_login() -> ResponseReturnValue:
    """Login or e-mail, and password. The answer does not tell which of the two was wrong, nor does being locked."""
    login, text = request.form.get("login", ""), request.form.get("password", "")
    user = by_login(login)
    if user.is_locked() if user else strangers.is_locked(login):
        logins.refused(request.remote_addr or "", login)
        return _refused(login, _("Too many wrong passwords. Try again in 15 minutes."))
    right = passwords.fits(text, user.password if user else passwords.nobody()) and user is not None and user.active
    if user:
        user.password_was(right)
        db.session.commit()
    else:
        strangers.guessed(login)
    if not right or user is None:
        logins.refused(request.remote_addr or "", login)
        return _refused(login, _("Login or password is wrong."))
    if not user.may_enter():
        return _refused(login, shift_words(user))
    session.clear()
    know(user)
    return redirect(_start_of(user, request.args.get("next", "")))


def _refused(login: str, message: str) -> ResponseReturnValue:
    return render_template("login.html", login=login, message=message), 422


def _start_of(user: User, wanted: str) -> str:
    """Where the person came from, the chosen start page, or the first that is permitted."""
    if re.fullmatch(r"/[!-.0-\[\]-~][!-\[\]-~]*", wanted):  # a place of ours: browsers read //, /\ and a tab as another host
        return wanted
    if user.may("assistant") and assistant.is_wanted():
        return "/assistant"
    if user.start_page and user.may(user.start_page) and user.start_page not in modules.hidden():
        return f"/{user.start_page}"
    return "/"


@pages.post("/logout")
@needs("")
def log_out() -> ResponseReturnValue:
    """End this session."""
    session.clear()
    return redirect(url_for("login.log_in"))


@pages.route("/password", methods=["GET", "POST"])
@needs("")
def change_password() -> ResponseReturnValue:
    """The person's own password; the old one is asked and may not be the new one (USR-06)."""
    message = ""
    if request.method == "POST":
        old, new, again = (request.form.get(name, "") for name in ("old", "new", "again"))
        user = current_user()
        message = _wrong_change(user, old, new, again)
        if not message:
            user.password, user.must_change_password = passwords.hashed(new), False
            changes.record("users", user.id, user.login, changes.UPDATED, {}, {"password": "changed"}, pending=False)
            db.session.commit()
            if user.login == "admin":
                first_start.forget_first_password()
            sessions.forget_user(user.id)
            know(user)
            return redirect(_start_of(user, ""))
    return render_template("password.html", message=message), 422 if message else 200


def _wrong_change(user: User, old: str, new: str, again: str) -> str:
    if not passwords.fits(old, user.password):
        return _("The present password is wrong.")
    if new != again:
        return _("The two new passwords differ.")
    if passwords.fits(new, user.password):
        return _("Choose a password you have not now.")
    return passwords.wrong(new)


@pages.post("/language/<language>")
@public
def choose_language(language: str) -> ResponseReturnValue:
    """The language of this person's screens, or of this browser before the login."""
    from appliance.app import LANGUAGES

    if language in LANGUAGES:
        session["language"] = language
        if g.user:
            g.user.language = language
            db.session.commit()
    return redirect(_back())


def _back() -> str:
    referrer = request.referrer or "/"
    return referrer if referrer.startswith(request.host_url) else "/"

