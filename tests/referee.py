"""The referee: which conversations there must be, from the phones' own logs alone. It knows nothing of Asterisk's records.

A conversation begins with a leg that a phone or a carrier called out, which the exchange took. A consult call belongs to the
conversation whose far end it was given to (LoggedCall.joined).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.calls import LoggedCall
from tests.phones import Phone

Span = tuple[datetime, datetime]
NEAR = timedelta(seconds=2)


@dataclass
class Expected:
    """One conversation as the phones lived it."""

    caller: LoggedCall
    legs: list[LoggedCall] = field(default_factory=list)
    state: str = ""
    talk_seconds: float = 0.0
    wait_seconds: float = 0.0
    hold_seconds: float = 0.0

    def __str__(self) -> str:
        return (f"{self.caller.who} → {self.caller.number} at {self.caller.started_at:%H:%M:%S.%f}: {self.state}, wait {self.wait_seconds:.2f}, "
                f"talk {self.talk_seconds:.2f}, hold {self.hold_seconds:.2f}, {len(self.legs)} legs")


def conversations(groups: Iterable[list[Phone]]) -> list[Expected]:
    """Every conversation of phones (and carriers) that only call within their group, in the order they began."""
    found = [expected for phones in groups for expected in _of_group([leg for phone in phones for leg in phone.log])]
    return sorted(found, key=lambda expected: expected.caller.started_at)


def _of_group(legs: list[LoggedCall]) -> list[Expected]:
    outgoing = sorted((leg for leg in legs if leg.is_outgoing), key=lambda leg: leg.started_at)
    incoming = sorted((leg for leg in legs if not leg.is_outgoing), key=lambda leg: leg.started_at)
    consults = {id(leg.joined) for leg in legs if leg.joined}
    found: dict[int, Expected] = {}
    for leg in outgoing:
        if id(leg) not in consults:
            found[id(leg)] = Expected(leg, [leg])
    for leg in incoming:  # it rang because of the newest call out that was not over
        cause = max((one for one in outgoing if one.started_at <= leg.started_at and _is_open(one, leg.started_at)),
                    key=lambda one: one.started_at)  # fmt: skip
        home = _home(found, cause, legs)
        home.legs.append(leg)
    for leg in legs:
        if leg.joined:
            home = _home(found, leg.joined, legs)
            home.legs.append(leg.joined)
    for expected in found.values():
        _judge(expected)
    return list(found.values())


def _is_open(leg: LoggedCall, at: datetime) -> bool:
    """Whether the leg lasts at that time; one that transferred its far end blindly has just hung up, and its call goes on."""
    return leg.ended_at is None or leg.ended_at >= at or (bool(leg.transferred_to) and at - leg.ended_at < NEAR)


def _home(found: dict[int, Expected], leg: LoggedCall, legs: list[LoggedCall]) -> Expected:
    """The conversation of a call out: its own, or the one its phone gave it to."""
    giver = next((one for one in legs if one.joined is leg), None)
    if giver is None:
        return found[id(leg)]
    if giver.is_outgoing:
        return _home(found, giver, legs)
    return next(expected for expected in found.values() if giver in expected.legs)


def _judge(expected: Expected) -> None:
    """State and seconds, from the legs' own instants."""
    caller, legs = expected.caller, expected.legs
    talks = _talks(expected)
    end = max(leg.ended_at for leg in legs if leg.ended_at)
    expected.state = _state(caller, [leg for leg in legs if leg is not caller])
    expected.talk_seconds = _total(talks)
    answered = min(since for since, _until in talks) if talks else end
    expected.wait_seconds = (answered - caller.started_at).total_seconds()
    holds = [(hold[0], hold[1] if len(hold) > 1 else leg.ended_at) for leg in legs for hold in leg.held]
    expected.hold_seconds = _total(holds)


def _talks(expected: Expected) -> list[Span]:
    """While two phones were joined: a caller, or whoever was given its place, with each phone that answered."""
    answered = [leg for leg in expected.legs if leg.answered_at]
    called = [leg for leg in answered if not leg.is_outgoing]
    talks = []
    for leg in called:
        for other in answered:
            if other is not leg:
                since, until = max(leg.answered_at, other.answered_at), min(_left(leg), _left(other))
                if since < until:
                    talks.append((since, until))
    return talks


def _left(leg: LoggedCall) -> datetime:
    return leg.transferred_at or leg.ended_at


def _state(caller: LoggedCall, others: list[LoggedCall]) -> str:
    """What the caller's phone was told, and whether any other phone was asked."""
    if caller.answered_at:
        return "answered"
    if any(leg.code in (486, 600) and leg.ended_by == "here" for leg in others):
        return "busy"
    if caller.code == 487 or caller.ended_by in ("here", "lost"):
        return "no_answer"
    if any(leg.code == 487 for leg in others):
        return "no_answer"  # it rang, and the exchange gave up
    return "failed" if others or caller.code in (480, 500, 502, 503) else "refused"


def _total(spans: Iterable[Span]) -> float:
    seconds, covered = 0.0, None
    for since, until in sorted(spans):
        since = max(since, covered) if covered else since
        seconds += max(0.0, (until - since).total_seconds())
        covered = max(covered, until) if covered else until
    return seconds
