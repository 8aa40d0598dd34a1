"""Who guesses SIP passwords: events of Asterisk's class `security` → bans. A thread of the listening process (appliance/events.py).

Folding an event only puts it aside; counting, rows and files are the thread's, so that neither Asterisk nor the panel waits for them.
"""

import logging
import queue
import threading
import time

import redis
from sqlalchemy import select

from appliance import changes, live, networks
from appliance import db as ground
from appliance.address_policy import bans
from appliance.address_policy import model as policies
from appliance.address_policy.model import AddressPolicy
from appliance.address_rules import model as rules
from appliance.addresses import force, guesses
from appliance.addresses.guesses import NAMED, PROVED, UNKNOWN
from appliance.app import bare_app
from appliance.closed import SIP
from appliance.db import db, digest
from appliance.errors import Busy
from appliance.networks import ALLOW, Address
from appliance.telephony.ami import Headers
from appliance.trunks.model import Trunk

log = logging.getLogger("bentevi.addresses")
WAITING = 20_000            # events put aside at most; of a flood the rest counts for nothing
POLICY_SECONDS = 5.0        # so long a policy that was read is believed, and where telephones are registered
RETRY_SECONDS = 2.0
STRANGERS = ("<unknown>", "artificial", "")

_events: "queue.Queue[Headers]" = queue.Queue(WAITING)


def guessed(event: Headers) -> None:
    """A wrong password, or a user nobody has."""
    if event.get("Service") != "PJSIP":
        return
    try:
        _events.put_nowait(event)
    except queue.Full:
        log.warning("more wrong passwords than can be counted")


def follow() -> None:
    """Begin the thread."""
    threading.Thread(target=_for_ever, daemon=True, name="bans").start()


def _for_ever() -> None:
    with bare_app().app_context():
        changes.actor.set(changes.Actor(name="bentevi"))
        watch = Watch()
        while True:
            try:
                watch.look(_events.get())
            except (Busy, redis.RedisError, *ground.AWAY) as why:
                db.session.rollback()
                log.warning("a wrong password was not counted, or its ban waits: %s", why)
                time.sleep(RETRY_SECONDS)
            except Exception:
                db.session.rollback()
                log.exception("a wrong password was not understood")


class Watch:
    """Looks at one event after the other; remembers the policy and who may not be banned for some seconds."""

    def __init__(self) -> None:
        self._read_at = -POLICY_SECONDS
        self._policy = AddressPolicy()
        self._spared: set[str] = set()
        self._rules: list[tuple[networks.Network, str]] = []
        self._with_phones: dict[Address, bool] = {}

    def look(self, event: Headers) -> None:
        """Count it, and ban its address when it was too much."""
        one = remote(event)
        if one is None or not self._counts(one):
            return
        sign, user = sign_of(event)
        mark = digest("|".join(f"{name}={event[name]}" for name in sorted(event)))[:16]
        counted = guesses.note(SIP, str(one), sign, user, mark, self._policy.window_minutes)
        if guesses.are_too_many(self._policy, SIP, counted, False) and guesses.are_too_many(self._policy, SIP, counted, self._has_phones(one)):
            ban(str(one), SIP, counted)

    def _has_phones(self, one: Address) -> bool:
        """Asked of the live picture once in some seconds: a flood from an office must not have it read for each packet."""
        if one not in self._with_phones:
            self._with_phones[one] = has_phones(one)
        return self._with_phones[one]

    def _counts(self, one: Address) -> bool:
        """Whether this address may be banned at all."""
        if time.monotonic() - self._read_at > POLICY_SECONDS:
            self._policy, self._spared, self._rules = policy(), spared(), allowed_and_blocked()
            self._with_phones.clear()
            self._read_at = time.monotonic()
        return may_ban(one, self._policy, self._spared, self._rules)


def allowed_and_blocked() -> list[tuple[networks.Network, str]]:
    """The rules people made, apart from any session."""
    ground.read_only()
    found = rules.rules()
    db.session.rollback()
    return found


def policy() -> AddressPolicy:
    """The row, apart from its session."""
    ground.read_only()
    found = policies.current()
    db.session.expunge(found)
    db.session.rollback()
    return found


def spared() -> set[str]:
    """Addresses of carriers, which are never banned by themselves."""
    ground.read_only()
    found = {address for several in db.session.scalars(select(Trunk.addresses)) for address in several or []}
    db.session.rollback()
    return found


def may_ban(one: Address, policy: AddressPolicy, spared: set[str], rules: list[tuple[networks.Network, str]]) -> bool:
    """Not the machine itself, a carrier, what a person allowed, nor (unless the policy says so) a local network."""
    if not policy.active or one in networks.MACHINE or str(one) in spared:
        return False
    if networks.is_local(one) and not policy.include_local:
        return False
    return networks.rule_for(one, rules) != ALLOW


def has_phones(one: Address) -> bool:
    """Whether a telephone is registered from this address now."""
    rows = live.now().rows("extensions").values()
    return any(_host(contact["address"]) == one for row in rows for contact in row.get("contacts", {}).values())


def _host(text: str) -> Address | None:
    """`192.0.2.7:5062` or `[2001:db8::1]:5060` without the port."""
    return networks.address(text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0])


def remote(event: Headers) -> Address | None:
    """The sender of `IPV4/UDP/192.0.2.7/5060`."""
    words = event.get("RemoteAddress", "").split("/")
    return networks.address(words[2]) if len(words) == 4 else None


def sign_of(event: Headers) -> tuple[str, str]:
    """(kind of mark, user) of an event."""
    user = event.get("AccountID", "")
    if event["Event"] == "InvalidAccountID":
        return NAMED, user
    return (UNKNOWN, "") if user in STRANGERS else (PROVED, user)


def ban(address: str, kind: str, counted: guesses.Counted) -> None:
    """A row, then its effect. Raises Busy, or what the database raises; then the next wrong password tries again."""
    db.session.rollback()
    made = bans.put(address, kind, counted.users, counted.tries_count)
    db.session.commit()
    if made:
        log.info("%s is blocked for %s: %s tries, users %s", address, kind, counted.tries_count, counted.users[:5])
    guesses.forget(kind, address)
    force.put()
