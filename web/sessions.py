"""Sessions kept on the server: the browser holds a random name, Redis holds what belongs to it.

Only a digest of the name is a key in Redis, so a copy of Redis opens no session.
"""

import json
import secrets
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.datastructures import CallbackDict

from appliance import lanes, live, settings
from appliance.db import digest

IDLE_SECONDS = 12 * 3600
QUIET = ("static", "healthz", "provisioning.file")  # endpoints that need no session


class Session(CallbackDict[str, Any], SessionMixin):
    """What one browser is known by."""

    def __init__(self, values: dict[str, Any] | None = None, token: str = "") -> None:
        def changed(_self: "Session") -> None:
            self.modified = True

        super().__init__(values or {}, changed)
        self.token, self.old_token, self.modified = token, "", False
        self.new = not token

    def renew(self) -> None:
        """A new name for the same session: at login, and when rights change."""
        self.old_token, self.token, self.modified = self.token, secrets.token_urlsafe(32), True


class Sessions(SessionInterface):
    """Opens and stores sessions. Raises Busy (a clear page) when Redis is dead."""

    def open_session(self, app: Flask, request: Request) -> Session:
        token = request.cookies.get(self.get_cookie_name(app), "")
        if not token or request.endpoint in QUIET:
            return Session()
        with lanes.needs_redis():
            stored = lanes.connection().get(_key(token))
        return Session(json.loads(stored), token) if stored else Session()

    def save_session(self, app: Flask, session: Session, response: Response) -> None:  # type: ignore[override]
        response.vary.add("Cookie")
        if session.old_token:
            with lanes.needs_redis():
                lanes.connection().delete(_key(session.old_token))
            live.announce(session=_key(session.old_token))
        if not session:
            if session.modified and session.token:
                lanes.connection().delete(_key(session.token))
                live.announce(session=_key(session.token))
                response.delete_cookie(self.get_cookie_name(app))
            return
        if not session.token:
            session.token, session.modified = secrets.token_urlsafe(32), True
        with lanes.needs_redis():
            lanes.connection().set(_key(session.token), json.dumps(dict(session)), ex=IDLE_SECONDS)
        if session.modified:
            response.set_cookie(self.get_cookie_name(app), session.token, httponly=True, samesite="Lax",
                                secure=app.config["SESSION_COOKIE_SECURE"] or _over_tls(), path="/")

    def get_cookie_name(self, app: Flask) -> str:
        return cookie_name()


def forget_user(user_id: int) -> None:
    """End every session of a person, for example when the password changes."""
    redis = lanes.connection()
    with lanes.needs_redis():
        for key in redis.scan_iter("session:*", count=500):
            stored = redis.get(key)
            if stored and json.loads(stored).get("user_id") == user_id:
                redis.delete(key)
    live.announce(user=user_id)


def key_of(token: str) -> str:
    """The name of a session in Redis, from what the browser holds."""
    return _key(token)


def stored(key: str) -> dict[str, Any]:
    """What belongs to a session, {} when there is none. Raises Busy when Redis is dead."""
    with lanes.needs_redis():
        found = lanes.connection().get(key)
    return dict(json.loads(found)) if found else {}


def cookie_name() -> str:
    """Cookies do not know ports: two homes on one machine must not log each other out."""
    return f"bentevi_{settings.load().http_port}"


def _key(token: str) -> str:
    return f"session:{digest(token)}"


def _over_tls() -> bool:
    from flask import request

    return request.is_secure
