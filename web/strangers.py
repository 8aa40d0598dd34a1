"""Logins nobody has: guessing them is answered like guessing a person's password, so that being locked tells nobody who exists."""

from appliance import lanes
from appliance.db import digest
from appliance.users.model import LOCK_MINUTES, WRONG_PASSWORDS

REMEMBERED_SECONDS = 7 * 24 * 3600  # a person's count waits for a right password; a name of nobody must not stay for ever


def is_locked(login: str) -> bool:
    """Whether this name was guessed too often in the last quarter of an hour. Raises Busy when Redis is dead."""
    with lanes.needs_redis():
        return bool(lanes.connection().exists(_key("locked", login)))


def guessed(login: str) -> None:
    """Count one more guess. Raises Busy when Redis is dead."""
    count, redis = _key("guesses", login), lanes.connection()
    with lanes.needs_redis():
        if int(redis.incr(count)) >= WRONG_PASSWORDS:
            redis.set(_key("locked", login), 1, ex=LOCK_MINUTES * 60)
            redis.delete(count)
        else:
            redis.expire(count, REMEMBERED_SECONDS)


def _key(what: str, login: str) -> str:
    return f"strangers:{what}:{digest(login.strip().lower())}"
