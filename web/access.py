"""Who may open which channel of a stream: the same sessions and permissions as for pages."""

import re

from sqlalchemy import select

from appliance import db as ground
from appliance.company.model import Company
from appliance.db import db
from appliance.resource import LARGEST_ID, SINGLE_ID
from appliance.revisions.model import Attempt
from appliance.users.model import User
from web import sessions
from web.login import stamp
from web.panel import CHANNELS
from web.sessions import cookie_name

__all__ = ["Refusal", "by_key", "by_token", "channels_of", "cookie_name"]


class Refusal(Exception):
    """The stream is not opened, or ends; `status` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def channels_of(path: str) -> tuple[str, ...]:
    """The channels of `exchange,calls` or `apply/12`, exactly as they are written. Raises Refusal."""
    found = re.fullmatch(r"apply/([1-9][0-9]{0,9})", path)
    if found and int(found[1]) <= LARGEST_ID:
        return (path,)
    channels = tuple(path.split(","))
    if len(set(channels)) != len(channels) or not set(channels) <= CHANNELS.keys():
        raise Refusal(404, "there is no such channel")
    return channels


def by_token(token: str, channels: tuple[str, ...]) -> tuple[str, int, str]:
    """(session, person, language) of a browser's cookie, when it may open all of them. Raises Refusal or Busy."""
    key = sessions.key_of(token)
    user, session = by_key(key, channels)
    chosen = user.language or session.get("language", "")
    if not chosen:
        company = db.session.get(Company, SINGLE_ID)
        chosen = company.language if company else ""
    return key, user.id, str(chosen)


def by_key(key: str, channels: tuple[str, ...]) -> tuple[User, dict[str, object]]:
    """The person and the session behind a key. Raises Refusal: 401 nobody, 403 not permitted, 404 no such attempt."""
    session = sessions.stored(key)
    db.session.rollback()  # what was read before may have changed
    ground.read_only()
    user = db.session.get(User, session["user_id"]) if session.get("user_id") else None
    if user is None or not user.active or session.get("stamp") != stamp(user):
        raise Refusal(401, "log in first")
    if not user.may_stay():
        raise Refusal(401, "the work shift is over")
    if user.must_change_password:
        raise Refusal(403, "choose a password of your own first")
    for channel in channels:
        if not _may(user, channel):
            raise Refusal(403, "not permitted")
    return user, session


def _may(user: User, channel: str) -> bool:
    if channel in CHANNELS:
        return any(user.may(permission) for permission in CHANNELS[channel])
    author = db.session.scalar(select(Attempt.author).where(Attempt.id == int(channel.partition("/")[2])))
    if author is None:
        raise Refusal(404, "there is no such attempt")
    return user.may("revisions") or author == user.name
