"""The legs of a conversation, and when which of them were joined; read from its lines."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.calls.lines import CDR, CEL, Line

Span = tuple[float, float]
HOLDING = "holding_bridge"      # where a parked call waits: one leg and music
ROOM_APPS = ("ConfBridge", "VoiceMail")  # a room or a mailbox is a partner of its own
NOBODY = ("Local/", "CBAnn/", "Recorder/", "Announcer/", "Surrogate/", "Snoop/")  # channels that Asterisk makes for itself
UNKNOWN_STEP_SECONDS = 1.0      # lines of one instant may be written in another order; further back is a step of the clock


@dataclass
class Leg:
    """One channel. `account` names its row as it was when the channel began: later Dial gives it the caller's."""

    uniqueid: str
    began: Line
    is_dialled: bool
    started_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    cause: int = 0
    source: str = ""
    dial_status: str = ""

    @property
    def channel(self) -> str:
        return self.began.channel

    @property
    def is_somebody(self) -> bool:
        """Whether a person or a trunk can be at its other end."""
        return not self.channel.startswith(NOBODY)

    @property
    def account(self) -> tuple[str, int | None]:
        """("extensions", 12) or ("trunks", 3); ("", None) for channels of nobody."""
        word, _dash, row_id = self.began.account.partition("-")
        plural = {"extension": "extensions", "trunk": "trunks"}.get(word)
        return (plural, int(row_id)) if plural and row_id.isdigit() else ("", None)


@dataclass
class Stay:
    """A leg in a bridge. `until` is None while it lasts."""

    leg: Leg
    bridge: str
    since: float
    app: str
    is_parked: bool
    until: float | None = None


@dataclass
class Legs:
    """All legs in the order they began, their stays in bridges, and the last instant any line speaks of."""

    all: list[Leg] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    last_at: float = 0.0

    def of(self, uniqueid: str) -> Leg | None:
        return next((leg for leg in self.all if leg.uniqueid == uniqueid), None)

    def named(self, channel: str) -> Leg | None:
        """The leg with this channel name. Masquerades give names away, so the newest counts."""
        return next((leg for leg in reversed(self.all) if leg.channel == channel), None)

    @property
    def people(self) -> list[Leg]:
        return [leg for leg in self.all if leg.is_somebody]

    @property
    def is_over(self) -> bool:
        return all(leg.ended_at is not None for leg in self.all)

    def end_open(self, at: float) -> None:
        """Asterisk died: what it could not end, ended then, and never before its last line."""
        self.last_at = max(at, self.last_at)
        for leg in self.all:
            leg.ended_at = self.last_at if leg.ended_at is None else leg.ended_at
        for stay in self.stays:
            stay.until = self.last_at if stay.until is None else stay.until


def steady(lines: Iterable[Line]) -> list[tuple[float, Line]]:
    """(instant, line) in the order of writing, on a clock that only goes forward and begins as the wall's.

    Known steps of the clock (`shift`) are taken out. A line that is earlier than the one written before it tells of a step
    back that nobody noticed: from there on the time between those two lines counts as none.
    """
    found: list[tuple[float, Line]] = []
    first_shift: float | None = None
    unknown, latest = 0.0, 0.0
    for line in sorted(lines, key=lambda line: line.place):
        first_shift = line.shift if first_shift is None else first_shift
        at = line.at - (line.shift - first_shift) + unknown
        if at < latest - UNKNOWN_STEP_SECONDS:
            unknown += latest - at
            at = latest
        latest = max(latest, at)
        found.append((at, line))
    return found


def base_shift(lines: Iterable[Line]) -> float:
    """The shift of the clock the conversation is told in: that of its first line."""
    return min(lines, key=lambda line: (line.kind != CEL, line.place)).shift


def read(lines: Iterable[Line]) -> Legs:
    """Every leg the lines speak of. CDRs count for channels that no CEL line speaks of: those were lost."""
    legs = Legs()
    unclosed: dict[tuple[str, str], Stay] = {}
    lines = list(lines)
    for at, line in steady(line for line in lines if line.kind == CEL):
        legs.last_at = max(legs.last_at, at)
        leg = legs.of(line.uniqueid) or _begun(legs, line, at)
        _happened(legs, leg, line, at, unclosed)
    for at, line in steady(line for line in lines if line.kind == CDR):
        if legs.of(line.uniqueid) is None:
            _from_cdr(legs, line)
            legs.last_at = max(legs.last_at, at)
    for stay in legs.stays:
        if stay.until is None and stay.leg.ended_at is not None:
            stay.until = max(stay.since, stay.leg.ended_at)
    return legs


def _begun(legs: Legs, line: Line, at: float) -> Leg:
    is_dialled = line.linkedid != line.uniqueid and not line.channel.startswith(NOBODY)
    leg = Leg(line.uniqueid, line, is_dialled, at)
    legs.all.append(leg)
    return leg


def _happened(legs: Legs, leg: Leg, line: Line, at: float, unclosed: dict[tuple[str, str], Stay]) -> None:
    """What one CEL line says about its leg."""
    bridge = str(line.extra.get("bridge_id", ""))
    if line.event == "ANSWER":
        leg.answered_at = leg.answered_at if leg.answered_at is not None else at
    elif line.event == "BRIDGE_ENTER":
        is_parked = line.extra.get("bridge_technology") == HOLDING
        stay = unclosed[leg.uniqueid, bridge] = Stay(leg, bridge, at, line.app, is_parked)
        legs.stays.append(stay)
    elif line.event == "BRIDGE_EXIT":
        key = leg.uniqueid, bridge
        left = unclosed.pop(key) if key in unclosed else _inherited(legs, leg, bridge, unclosed)
        if left:
            left.until = at
    elif line.event == "HANGUP":
        leg.cause, leg.source = _whole(line.extra.get("hangupcause")), str(line.extra.get("hangupsource", ""))
        leg.dial_status = str(line.extra.get("dialstatus", ""))
    elif line.event == "CHAN_END":
        leg.ended_at = at


def _inherited(legs: Legs, leg: Leg, bridge: str, unclosed: dict[tuple[str, str], Stay]) -> Stay | None:
    """The stay of a leg that leaves a bridge it never entered: Asterisk put it (masquerade) into the place of a channel that ended
    there without leaving. Seen when a transfer comes in the instant of the answer."""
    gone = next((stay for (_name, one), stay in unclosed.items() if one == bridge and stay.leg.ended_at is not None), None)
    if gone is None:
        return None
    legs.stays.append(Stay(leg, bridge, gone.leg.ended_at or gone.since, gone.app, gone.is_parked))
    return legs.stays[-1]


def _from_cdr(legs: Legs, line: Line) -> None:
    """A leg, and the one it was joined with, from the record of a whole leg."""
    start, end = float(line.extra["start"]), float(line.extra["end"])
    answer = float(line.extra["answer"]) if line.extra["answer"] else None
    leg = Leg(line.uniqueid, line, False, start, answer, max(start, end))
    disposition = line.extra["disposition"]
    leg.dial_status = {"ANSWERED": "ANSWER", "NO ANSWER": "NOANSWER", "FAILED": "CONGESTION"}.get(disposition, disposition)
    legs.all.append(leg)
    if answer is not None and line.extra["dstchannel"] and disposition == "ANSWERED":
        other = Line(CDR, line.place, start, "", f"{line.uniqueid}+", line.linkedid, channel=line.extra["dstchannel"])
        partner = Leg(other.uniqueid, other, True, start, answer, leg.ended_at)
        legs.all.append(partner)
        legs.stays += [Stay(one, line.uniqueid, answer, "", False, leg.ended_at) for one in (leg, partner)]


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else 0


def talks(legs: Legs) -> list[Span]:
    """When two parties were joined, as spans that do not touch, in order; a party alone in a room counts.

    Both halves of a Local channel make one bridge of the two they are in, as far as anybody hears.
    """
    edges = sorted({edge for stay in legs.stays for edge in (stay.since, legs.last_at if stay.until is None else stay.until)})
    spans: list[Span] = []
    for since, until in itertools.pairwise(edges):
        inside = [stay for stay in legs.stays if stay.since <= since and (stay.until is None or stay.until >= until)]
        if not _is_joined([stay for stay in inside if not stay.is_parked]):
            continue
        if spans and spans[-1][1] == since:
            spans[-1] = spans[-1][0], until
        else:
            spans.append((since, until))
    now = [stay for stay in legs.stays if (stay.until is None or stay.until >= legs.last_at) and not stay.is_parked]
    if _is_joined(now) and (not spans or spans[-1][1] < legs.last_at):
        spans.append((legs.last_at, legs.last_at))  # they were joined just now
    return spans


def _is_joined(stays: list[Stay]) -> bool:
    if any(stay.app in ROOM_APPS and stay.leg.is_somebody for stay in stays):
        return True
    group = {stay.bridge: stay.bridge for stay in stays}
    halves: dict[str, str] = {}
    for stay in stays:
        if stay.leg.channel.startswith("Local/"):
            other = halves.setdefault(stay.leg.channel.rpartition(";")[0], stay.bridge)
            merged, kept = group[stay.bridge], group[other]
            group = {bridge: kept if home == merged else home for bridge, home in group.items()}
    somebody = [group[stay.bridge] for stay in stays if stay.leg.is_somebody]
    return len(somebody) != len(set(somebody))


def total(spans: Iterable[Span]) -> float:
    """Seconds covered by any of the spans."""
    seconds, covered_until = 0.0, float("-inf")
    for since, until in sorted(spans):
        seconds += max(0.0, until - max(since, covered_until))
        covered_until = max(covered_until, until)
    return seconds


def common(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """Where a span of the one and a span of the other overlap; one of the other may be an instant."""
    other = list(other)
    return [(max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) < min(b, d) or a <= c == d <= b]
