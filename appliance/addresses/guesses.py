"""Wrong passwords by address, counted over the window of the policy, and when they are too many (USR-36).

Kept in Redis as a set of marks: the same event told twice is one mark. What is counted is gone with Redis; a ban is a row.
Three kinds of mark, because Asterisk tells three things (tried on 22.10.1):

    PROVED     a wrong answer to our challenge for a user there is: who sent it hears what we send, so the address is true
    UNKNOWN    the same for a user there is not; its name stands in a NAMED event
    NAMED      a request by a name nobody has, challenged or not: two of them for each try that answers. The sender's address of such a
               packet may be forged
"""

import time
from dataclasses import dataclass, field

from appliance import live
from appliance.address_policy.model import AddressPolicy
from appliance.closed import PAGES, SIP

PROVED, UNKNOWN, NAMED = "p", "u", "n"
MOST_MARKS = 2000
LONGEST_NAME = 40


@dataclass
class Counted:
    """What was tried from one address; users in the order in which they were tried first."""

    proved: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    proved_count: int = 0
    unknown_count: int = 0
    named_count: int = 0

    @property
    def users(self) -> list[str]:
        """Every user, the ones that exist and the ones that do not."""
        return list(dict.fromkeys([*self.proved, *self.named]))

    @property
    def tries_count(self) -> int:
        """Tries of a password. A user that exists and one that does not count alike, so that the ban tells neither."""
        return self.proved_count + max(self.unknown_count, (self.named_count + 1) // 2)


def note(kind: str, address: str, sign: str, user: str, mark: str, window_minutes: int) -> Counted:
    """Count one try and say what stands against the address now. `mark` names the event: told again it counts once.

    Raises redis.RedisError.
    """
    now, key = time.time(), _key(kind, address)
    name = "".join(letter for letter in user if letter.isprintable())[:LONGEST_NAME]
    with live.connection().pipeline(transaction=True) as send:
        send.zadd(key, {f"{sign}{name}\x1f{mark}": now}, nx=True)
        send.zremrangebyscore(key, 0, now - window_minutes * 60)
        send.zremrangebyrank(key, 0, -MOST_MARKS - 1)
        send.expire(key, window_minutes * 60)
        send.zrange(key, 0, -1)
        marks = send.execute()[-1]
    return count([text.decode() if isinstance(text, bytes) else text for text in marks])


def count(marks: list[str]) -> Counted:
    """The marks of one address, oldest first, added up."""
    found = Counted()
    for text in marks:
        sign, name = text[:1], text[1:].partition("\x1f")[0]
        if sign == PROVED:
            found.proved_count += 1
            found.proved.append(name)
        elif sign == NAMED:
            found.named_count += 1
            found.named.append(name)
        else:
            found.unknown_count += 1
    found.proved, found.named = list(dict.fromkeys(found.proved)), list(dict.fromkeys(found.named))
    return found


def forget(kind: str, address: str) -> None:
    """A banned or unblocked address begins anew. Raises redis.RedisError."""
    live.connection().delete(_key(kind, address))


def are_too_many(policy: AddressPolicy, kind: str, counted: Counted, has_phones: bool) -> bool:
    """Whether the address is to be banned.

    From where telephones are registered (an office behind one address) only different users that exist count: one telephone with
    an old password tries a single user for ever, and packets with a forged address prove nothing. On the pages one user alone is the
    business of the lock of that user (USR-35).
    """
    if kind == SIP and has_phones:
        return len(counted.proved) >= policy.users_count
    if len(counted.users) >= policy.users_count:
        return True
    return counted.tries_count >= policy.tries_count and (kind != PAGES or len(counted.users) > 1)


def _key(kind: str, address: str) -> str:
    return f"guesses:{kind}:{address}"
