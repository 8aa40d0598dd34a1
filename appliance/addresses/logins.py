"""Who guesses passwords of the pages: refused logins → bans of the pages, by the same policy (USR-36).

The lock of a person after five wrong passwords (USR-35) and the limit of logins a minute stay what they are; this is for addresses
that go from person to person.
"""

import logging
from secrets import token_hex

import redis

from appliance import db as ground
from appliance import networks
from appliance.addresses import guesses, watch
from appliance.closed import PAGES
from appliance.db import db
from appliance.errors import Busy

log = logging.getLogger("bentevi.addresses")


def refused(address: str, login: str) -> None:
    """Count one refused login, after the commit of whatever it changed. What cannot be counted now is logged; the answer stays the same."""
    one = networks.address(address)
    if one is None:
        return
    try:
        db.session.rollback()
        policy = watch.policy()
        if not watch.may_ban(one, policy, watch.spared(), watch.allowed_and_blocked()):
            return
        counted = guesses.note(PAGES, str(one), guesses.PROVED, login.strip().lower(), token_hex(8), policy.window_minutes)
        if guesses.are_too_many(policy, PAGES, counted, has_phones=False):
            watch.ban(str(one), PAGES, counted)
    except (Busy, redis.RedisError, *ground.AWAY) as why:
        log.warning("a refused login was not counted, or its ban waits: %s", why)
    finally:
        db.session.rollback()
