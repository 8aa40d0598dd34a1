"""Calls through IVRs and queues as Asterisk would write them down: a script per call gives the lines of its record files.

    call = Scripted(at, number="48999998888")
    call.ivr(1).press(1, "2", 4).queue(3, 5).answer(3, ana, 17).hang_up(77)

Numbers behind the names are seconds since the call began. What a line of each kind looks like is in captured/ and in the stories.
"""

import itertools
import json
from datetime import datetime

from appliance.calls.lines import Line, parse

_channels = itertools.count(1)
_places = itertools.count(1)


class Scripted:
    """One call from outside, from its first line on; each method writes what happens next and gives the call back."""

    def __init__(self, at: datetime, number: str = "48999998888", trunk: int = 1, called: str = "4830139018") -> None:
        self.began, self.number, self.called = at.timestamp(), number, called
        self.lines: list[Line] = []
        self.account = f"trunk-{trunk}"
        self.channel = f"bentevi-{int(self.began)}.{next(_channels)}"
        self.members: dict[str, tuple[str, str]] = {}  # uniqueid → channel, account
        self.open: list[str] = [self.channel]
        self.cel("CHAN_START", 0)

    # -- lines

    def cel(self, event: str, at: float, extra: object = None, of: str = "") -> None:
        """A line of CEL about the caller's channel, or another."""
        uniqueid = of or self.channel
        name, account = self.members.get(uniqueid, ("PJSIP/trunk-00000001", self.account))
        number, exten = (name[6:10], "s") if of else (self.number, self.called)
        told = {"extra": extra} if isinstance(extra, str) else extra
        values = [event, f"{self.began + at:.6f}", uniqueid, self.channel, name, number, "", exten, "bentevi", "", "", "", account, "", "",
                  json.dumps(told) if told else ""]  # fmt: skip
        self._line("cel", ",".join('"' + value.replace('"', '""') + '"' for value in values), 1)

    def log(self, queue_id: int, at: float, member: str, event: str, *data: object, of: str = "") -> None:
        """A line of queue_log."""
        words = [str(int(self.began + at)), of or self.channel, f"queue-{queue_id}", member, event, *map(str, data)]
        self._line("queue", "|".join(words), 3)

    def _line(self, kind: str, text: str, file: int) -> None:
        self.lines.append(parse(kind, text, (file, next(_places))))

    # -- what happens

    def goes_to(self, word: str, row_id: int, at: float) -> "Scripted":
        self.cel("BENTEVI_DESTINATION", at, f"{word} {row_id}")
        return self

    def ivr(self, row_id: int, at: float = 0.2) -> "Scripted":
        return self.goes_to("ivrs", row_id, at)

    def press(self, ivr_id: int, key: str, at: float) -> "Scripted":
        self.cel("BENTEVI_IVR", at, f"{ivr_id} {key}")
        return self

    def closed(self, door: str, row_id: int, at: float, rule: int = 1) -> "Scripted":
        self.cel("BENTEVI_CLOSED", at, f"business_hours {rule} {door} {row_id}")
        return self

    def queue(self, row_id: int, at: float = 0.3) -> "Scripted":
        """Comes to a queue and enters it."""
        self.goes_to("queues", row_id, at)
        self.log(row_id, at, "NONE", "ENTERQUEUE", "", self.number, 1)
        return self

    def answer(self, queue_id: int, member: object, at: float) -> "Scripted":
        """A member (an extension's row) answers, having rung for a second."""
        uniqueid = f"bentevi-{int(self.began + at)}.{next(_channels)}"
        self.members[uniqueid] = (f"PJSIP/{member.number}-0000000a", f"extension-{member.id}")
        self.open.append(uniqueid)
        self.cel("CHAN_START", at - 1 if at > 1 else at, of=uniqueid)
        self.cel("ANSWER", at, of=uniqueid)
        self.log(queue_id, at, f"PJSIP/{member.number}", "CONNECT", int(at), uniqueid, 1)
        for channel in (uniqueid, self.channel):
            self.cel("BRIDGE_ENTER", at, {"bridge_id": uniqueid, "bridge_technology": "simple_bridge"}, of=channel if channel != self.channel else "")
        return self

    def _leaves(self, at: float) -> str:
        """The member's leg ends; which one it was."""
        member = self.open.pop()
        for channel in (self.channel, member):
            self.cel("BRIDGE_EXIT", at, {"bridge_id": member}, of=channel if channel != self.channel else "")
        return member

    def _ends(self, channel: str, at: float, source: str, cause: int = 16) -> None:
        of = channel if channel != self.channel else ""
        self.cel("HANGUP", at, {"hangupcause": cause, "hangupsource": source, "dialstatus": ""}, of=of)
        self.cel("CHAN_END", at, of=of)

    def transfer(self, queue_id: int, at: float, to: str = "800") -> "Scripted":
        """The member who talks passes the caller on."""
        member = self._leaves(at)
        self.cel("BLINDTRANSFER", at, {"extension": to, "context": "bentevi"}, of=member)
        self._ends(member, at, "")
        self.log(queue_id, at, f"PJSIP/{self.members[member][0][6:10]}", "BLINDTRANSFER", to, "bentevi", 1, 1, 1)
        return self

    def leave(self, queue_id: int, event: str, at: float) -> "Scripted":
        """Out of the queue without an answer: EXITWITHTIMEOUT, EXITEMPTY, EXITWITHKEY."""
        self.log(queue_id, at, "NONE", event, 1, 1, int(at))
        return self

    def hang_up(self, at: float, queue_id: int = 0, by: str = "caller") -> "Scripted":
        """The end; with a queue, out of its waiting or its talk."""
        source = "PJSIP/trunk-00000001" if by == "caller" else "dialplan/builtin"
        if len(self.open) > 1:
            member = self._leaves(at)
            self._ends(member, at, source)
            self.log(queue_id, at, f"PJSIP/{self.members[member][0][6:10]}", "COMPLETECALLER" if by == "caller" else "COMPLETEAGENT", 1, 1, 1)
        elif queue_id:
            self.log(queue_id, at, "NONE", "ABANDON", 1, 1, int(at))
        self._ends(self.channel, at, source)
        self.cel("LINKEDID_END", at)
        return self
