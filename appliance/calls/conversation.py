"""What the lines of one conversation say, asked one question at a time: who, which numbers, what became of it, how long."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from appliance.calls import legs as leg_book
from appliance.calls.legs import Leg, Legs, Span
from appliance.calls.lines import CEL, QUEUE, Line
from appliance.calls.model import (
    ANSWERED,
    BUSY,
    CALLED,
    CALLER,
    FAILED,
    INBOUND,
    INTERNAL,
    NO_ANSWER,
    OPEN,
    OUTBOUND,
    REFUSED,
    SYSTEM,
)
from appliance.numbers import COUNTRY, international

NAMED_BY_NUMBER = re.compile(r"(?:Local|PJSIP)/([^@]+)[@-]")
NORMAL_CLEARING, USER_BUSY, NO_ANSWER_CAUSES = 16, 17, (0, 16, 18, 19, 127)


@dataclass(frozen=True)
class Here:
    """What the company's page says about numbers and time."""

    country_code: str = COUNTRY
    area_code: str = ""
    timezone: str = "America/Sao_Paulo"


class Conversation:
    """Everything the lines say, asked one question at a time."""

    def __init__(self, lines: Iterable[Line], here: Here, cut_at: float | None) -> None:
        once = {(line.kind, line.text) if line.text else line.place: line for line in lines}
        self.lines, self.here = list(once.values()), here
        self.legs: Legs = leg_book.read(self.lines)
        if not self.legs.all:
            raise ValueError("no line of a channel")
        self.is_cut = cut_at is not None and not self.legs.is_over
        if cut_at is not None and self.is_cut:
            self.legs.end_open(cut_at + leg_book.base_shift(self.lines))
        self.talks: list[Span] = leg_book.talks(self.legs)

    # -- who

    @cached_property
    def caller(self) -> Leg:
        """Who began it: the oldest channel with somebody at its other end."""
        return (self.legs.people or self.legs.all)[0]

    @property
    def linkedid(self) -> str:
        return self.caller.began.linkedid if self.caller.began.linkedid else self.caller.uniqueid

    @property
    def node(self) -> str:
        return self.linkedid.rpartition("-")[0][:20]

    @cached_property
    def answerers(self) -> list[tuple[float, Leg]]:
        """(instant, leg) of everybody who came into the conversation by answering, picking up or taking from the park."""
        came = []
        for leg in self.legs.people:
            spans = [(stay.since, self._until(stay.until)) for stay in self.legs.stays if stay.leg is leg and not stay.is_parked]
            joined = leg_book.common(spans, self.talks)
            if joined and leg is not self.caller and (leg.is_dialled or self._fetched(leg)):
                came.append((joined[0][0], leg))
        return sorted(came, key=lambda found: found[0])

    def _fetched(self, leg: Leg) -> bool:
        """Whether this channel called to take over a call that rang or waited for somebody else."""
        return leg in self.pickers or any(stay.leg is leg and stay.app == "ParkedCall" for stay in self.legs.stays)

    @cached_property
    def pickers(self) -> list[Leg]:
        """Who picked up a call that rang at another, in order."""
        found = [self.legs.of(str(line.extra.get("pickup_channel_uniqueid", ""))) for _at, line in self.told("PICKUP")]
        return [leg for leg in found if leg]

    @cached_property
    def reached(self) -> Leg | None:
        """Who answered last, else who rang last."""
        if self.answerers:
            return self.answerers[-1][1]
        rung = [leg for leg in self.legs.people if leg.is_dialled and leg is not self.caller]
        return rung[-1] if rung and not self.talks else None

    @property
    def told_protocol(self) -> str:
        """The number the dialplan gave this conversation by the company's own format, "" when it has none."""
        told = [str(line.extra.get("extra", "")) for _at, line in self.told("BENTEVI_PROTOCOL", of=self.caller)]
        return next((number for number in told if re.fullmatch(r"[0-9]{1,30}", number)), "")

    # -- numbers

    @cached_property
    def trunk_attempts(self) -> list[tuple[float, Line, Leg | None]]:
        """(instant, BENTEVI_TRUNK line, the channel it made if any), in order."""
        told = self.told("BENTEVI_TRUNK")
        left = [leg for leg in self.legs.all if leg.is_dialled and leg.account[0] == "trunks"]
        found = []
        for at, line in told:
            trunk_id = row_of(line)[1]
            leg = next((one for one in left if one.account[1] == trunk_id and one.began.place >= line.place), None)
            if leg:
                left.remove(leg)
            found.append((at, line, leg))
        return found

    @cached_property
    def dialled(self) -> str:
        """The number as the caller called it, without the digits for an outside line."""
        outside = [row_of(line)[2] for _at, line in self.told("BENTEVI_ROUTE", of=self.caller) if row_of(line)[0] == "outbound_routes"]
        outside += [row_of(line)[2] for _at, line, _leg in self.trunk_attempts if line.uniqueid == self.caller.uniqueid]
        routed = [row_of(line)[2] for _at, line in self.told("BENTEVI_ROUTE", of=self.caller)]
        first = self.caller.began.exten
        if self.caller.account[0] == "trunks":
            return first if first not in ("s", "") else (routed or [""])[0]
        return (outside or [first])[0]

    def outside(self, number: str) -> str:
        return international(number, self.here.country_code, self.here.area_code)

    @property
    def from_number(self) -> str:
        return self.number_of(self.caller)[:40]

    @property
    def from_name(self) -> str:
        return self.caller.began.name[:80]

    @property
    def to_number(self) -> str:
        is_outside = self.direction != INTERNAL
        return (self.outside(self.dialled) if is_outside else self.dialled)[:40]

    @property
    def reached_number(self) -> str:
        if self.reached:
            return self.number_of(self.reached)[:40]
        return self.to_number if self.talks else ""

    def number_of(self, leg: Leg) -> str:
        """Whom one reaches there: an inside number as it is, an outside one with country code."""
        if leg.account[0] != "trunks":
            named = NAMED_BY_NUMBER.match(leg.channel)  # a dialled leg may begin before it is given its number
            return leg.began.number or (named[1] if named else leg.began.exten)
        sent = [row_of(line)[2] for _at, line, one in self.trunk_attempts if one is leg]
        if sent and leg is self.reached and self.caller.account[0] != "trunks" and self.answered_at == self._joined_at(leg):
            return self.outside(self.dialled)  # without the digits a trunk wants in front
        return self.outside(sent[0] if sent else leg.began.number)

    def _joined_at(self, leg: Leg) -> float | None:
        return next((at for at, one in self.answerers if one is leg), None)

    @property
    def trunk_id(self) -> int | None:
        """The trunk it came by, else the last it tried to leave by."""
        if self.caller.account[0] == "trunks":
            return self.caller.account[1]
        return row_of(self.trunk_attempts[-1][1])[1] if self.trunk_attempts else None

    # -- what became of it

    @cached_property
    def direction(self) -> str:
        if self.caller.account[0] == "trunks":
            return INBOUND
        routes = {row_of(line)[0] for _at, line in self.told("BENTEVI_ROUTE")}
        return OUTBOUND if self.trunk_attempts or "outbound_routes" in routes else INTERNAL

    @property
    def state(self) -> str:
        """Answered when two were joined; else by what refused it, what Dial said last, or the cause."""
        if self.talks:
            return ANSWERED if self.legs.is_over else OPEN
        if not self.legs.is_over:
            return OPEN
        reasons = [str(line.extra.get("extra", "")) for _at, line in self.told("BENTEVI_REFUSED")]
        if any(not reason.startswith("trunk ") for reason in reasons):
            return REFUSED
        by_cause = {USER_BUSY: BUSY}.get(self.caller.cause) or (NO_ANSWER if self.caller.cause in NO_ANSWER_CAUSES else FAILED)
        if reasons:  # "trunk …": what the far side said; the status of Dial would be that of an earlier trunk
            return by_cause
        by_dial = {"BUSY": BUSY, "NOANSWER": NO_ANSWER, "CANCEL": NO_ANSWER, "CONGESTION": FAILED, "CHANUNAVAIL": FAILED}
        return by_dial.get(self.caller.dial_status) or by_cause

    @property
    def hang_up_side(self) -> str:
        """Who ended it: the last channel that hung up by itself; nobody's channel means the exchange."""
        if not self.legs.is_over or self.is_cut:
            return SYSTEM if self.is_cut else ""
        sources = [leg.source for leg in sorted(self.legs.all, key=lambda leg: leg.ended_at or 0) if self.legs.named(leg.source)]
        if not sources:
            return SYSTEM
        return CALLER if self.legs.named(sources[-1]) is self.caller else CALLED

    @property
    def cause(self) -> int:
        """Q.850 of the caller's channel. Asterisk's 127 and 0 mean that nothing was wrong."""
        return NORMAL_CLEARING if self.legs.is_over and self.caller.cause in (0, 127) else self.caller.cause

    # -- seconds

    @property
    def started_at(self) -> float:
        return self.caller.started_at

    @property
    def answered_at(self) -> float | None:
        return self.talks[0][0] if self.talks else None

    @property
    def ended_at(self) -> float | None:
        return max(leg.ended_at or 0.0 for leg in self.legs.all) if self.legs.is_over else None

    @property
    def _end(self) -> float:
        return self._until(self.ended_at)

    def _until(self, instant: float | None) -> float:
        return self.legs.last_at if instant is None else instant

    @property
    def wait(self) -> float:
        entered = [at for at, line in self.told("ENTERQUEUE", kind=QUEUE)]
        return (self.answered_at if self.answered_at is not None else self._end) - (entered[0] if entered else self.started_at)

    @property
    def ring(self) -> float:
        before = [(float("-inf"), self.answered_at if self.answered_at is not None else self._end)]
        rung = [(leg.started_at, self._until(leg.answered_at or leg.ended_at)) for leg in self.legs.people if self.rings(leg)]
        return leg_book.total(leg_book.common(rung, before))

    def rings(self, leg: Leg) -> bool:
        return leg.is_dialled and leg is not self.caller

    @property
    def held(self) -> float:
        return leg_book.total(leg_book.common([(since, self._until(until)) for since, until, _leg in self.holds], self.talks))

    @cached_property
    def holds(self) -> list[tuple[float, float | None, Leg]]:
        """(from, until, who pressed it); until is None while it lasts, the leg's end when nothing said more."""
        found: list[tuple[float, float | None, Leg]] = []
        open_since: dict[str, float] = {}
        for at, line in self.told("HOLD", "UNHOLD", kind=QUEUE):
            leg = self.legs.of(line.uniqueid)
            if leg and line.event == "HOLD":
                open_since.setdefault(line.uniqueid, at)
            elif leg and line.uniqueid in open_since:
                found.append((open_since.pop(line.uniqueid), at, leg))
        found += [(at, leg.ended_at, leg) for key, at in open_since.items() if (leg := self.legs.of(key))]
        return sorted(found, key=lambda hold: hold[0])

    # -- the lines

    def told(self, *events: str, kind: str = CEL, of: Leg | None = None) -> list[tuple[float, Line]]:
        """(instant, line) of these events, in order; of one channel when given."""
        return [(at, line) for at, line in self._story if line.kind == kind and line.event in events and of in (None, self.legs.of(line.uniqueid))]

    def steps_of(self, channel: str) -> list[tuple[float, Line]]:
        """(instant, line) of what CEL says about a channel, in order."""
        return self._by_channel.get(channel, [])

    @cached_property
    def _by_channel(self) -> dict[str, list[tuple[float, Line]]]:
        found: dict[str, list[tuple[float, Line]]] = {}
        for at, line in self._story:
            if line.kind == CEL:
                found.setdefault(line.uniqueid, []).append((at, line))
        return found

    @cached_property
    def _story(self) -> list[tuple[float, Line]]:
        steps = leg_book.steady(line for line in self.lines if line.kind == CEL)
        shift = leg_book.base_shift(self.lines)
        queue = [(max(self.started_at, line.at - (line.shift - shift)), line) for line in self.lines if line.kind == QUEUE]
        return steps + sorted(queue, key=lambda found: found[1].place)


def row_of(line: Line) -> tuple[str, int | None, str, str]:
    """(word, row id, number, more) of an event of our dialplan: "inbound_routes 3 4830139018 2"."""
    parts = [*str(line.extra.get("extra", "")).split(" "), "", "", "", ""]
    return parts[0], int(parts[1]) if parts[1].isdigit() else None, parts[2], parts[3]
