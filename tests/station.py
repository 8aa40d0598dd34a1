"""One SIP address on UDP: asks, answers, repeats what was lost, and keeps every message for the failure text.

Phones and the simulated carrier are stations. Times of repetition are those of RFC 3261 (T1 = 0.5 s, T2 = 4 s); a
station gives up after 8 s instead of 32, because a test would not wait longer.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from tests.sip import (
    REASONS,
    Dialog,
    Headers,
    Message,
    challenges,
    compose,
    credentials_for,
    new_branch,
    token,
    uri_of,
)  # fmt: skip
from tests.wire import the_wire

T1_SECONDS, T2_SECONDS, GIVE_UP_SECONDS = 0.5, 4.0, 8.0
ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY, REFER, UPDATE, MESSAGE"

Credentials = tuple[str, str]


@dataclass(frozen=True)
class Seen:
    """One message of a station's log; `lost` when a test made the station lose it."""

    at: datetime
    who: str
    sent: bool
    message: Message
    lost: bool = False

    def __str__(self) -> str:
        message, arrow = self.message, "──▶" if self.sent else "◀──"
        kind = "" if not message.is_response else f"  ({message.cseq_method})"
        sdp = f"  [{' '.join(message.sdp.codecs)} {message.sdp.direction}]" if message.sdp else ""
        lost = "  LOST" if self.lost else ""
        start = message.start.removeprefix("SIP/2.0 ").removesuffix(" SIP/2.0")
        return f"{self.at:%H:%M:%S.%f}"[:-3] + f"  {self.who:>12} {arrow} {start}{kind}{sdp}{lost}"


def full_text(entries: Iterable[Seen]) -> str:
    """Messages in full, each under its line of the ladder: for reading after a failure."""
    return "\n".join(f"{entry}\n{entry.message}" for entry in entries)


def ladder(*what: "HasSeen | Iterable[Seen]", last: int | None = None) -> str:
    """The messages of phones, carriers or legs as one text in order of time; `last` keeps only the newest.

    OPTIONS are only counted: a carrier watched each second would fill the page.
    """
    entries = [entry for one in what for entry in getattr(one, "seen", one)]
    shown = sorted((entry for entry in entries if entry.message.cseq_method != "OPTIONS"), key=lambda entry: entry.at)
    left_out_count = len(entries) - len(shown)
    lines = list(map(str, shown[-last:] if last else shown)) or ["(no SIP message)"]
    return "\n".join([*lines, f"(and {left_out_count} of OPTIONS)"] if left_out_count else lines)


class HasSeen(Protocol):
    """A station or a leg: it keeps the messages it saw."""

    seen: list[Seen]


class Ask:
    """A request that is repeated until answered. Answers a password challenge once; acknowledges answers to INVITE.

    `on_answer` is called with each response that is not a challenge we can answer. `final` is the last word; when
    nobody answers it is a 408 of our own.
    """

    def __init__(self, station: "Station", dialog: Dialog, method: str, *, uri: str = "", headers: Headers = (),
                 body: bytes = b"", credentials: Credentials | None = None, cseq: int = 0, branch: str = "",
                 on_answer: Callable[[Message], None] | None = None) -> None:  # fmt: skip
        self.station, self.dialog, self.method, self.uri = station, dialog, method, uri or dialog.target
        self.headers, self.body, self.credentials = list(headers), body, credentials
        self.cseq, self.branch, self.on_answer = cseq, branch, on_answer
        self.final: Message | None = None
        self.challenge_count = 0
        self.request: Message | None = None
        self._authorization: list[tuple[str, str]] = []
        self._acknowledgement = b""
        self._is_heard = False

    def send(self) -> "Ask":
        self.cseq = self.cseq or self.dialog.next_cseq()
        self.branch = self.branch or new_branch()
        self._is_heard = False
        headers = [*self.station.via(self.branch), *self.dialog.headers(self.method, self.cseq)]
        if self.method != "CANCEL":
            headers += [("Contact", self.station.contact), ("Allow", ALLOW), ("Supported", "replaces")]
        raw = compose(f"{self.method} {self.uri} SIP/2.0", [*headers, *self._authorization, *self.headers], self.body)
        self.request = Message(raw)
        self.station.asks[(self.branch, self.method)] = self
        self.station.send(raw)
        self._repeat_later(raw, T1_SECONDS, time.monotonic() + GIVE_UP_SECONDS)
        return self

    def answered(self, response: Message) -> None:
        self._is_heard = True
        if self.final is not None:
            self._acknowledge_again()
        elif response.status < 200:
            self._tell(response)
        elif self._can_prove(response):
            self._prove(response)
        else:
            self._finish(response)

    def _finish(self, response: Message) -> None:
        self.final = response
        if self.method == "INVITE":
            self._acknowledge(response)
        self._tell(response)

    def _tell(self, response: Message) -> None:
        if self.on_answer:
            self.on_answer(response)

    def _can_prove(self, response: Message) -> bool:
        if not self.credentials or response.status not in (401, 407):
            return False
        is_stale = any(fields.get("stale", "").lower() == "true" for fields in challenges(response))
        return self.challenge_count == 0 or (is_stale and self.challenge_count < 3)

    def _prove(self, response: Message) -> None:
        if self.method == "INVITE":
            self._acknowledge(response)
        self.challenge_count += 1
        self._authorization = [credentials_for(response, self.method, self.uri, *self.credentials)]
        self.cseq, self.branch = 0, ""
        self.send()

    def _acknowledge(self, response: Message) -> None:
        """A refusal is acknowledged hop by hop with the same branch; a 2xx with a new one, to the far end's Contact."""
        if response.status < 300:
            self.dialog.remote_tag = response.to_tag
            self.dialog.target = uri_of(response.header("contact")) or self.dialog.target
            uri, branch, headers = self.dialog.target, new_branch(), self.dialog.headers("ACK", self.cseq)
        else:
            uri, branch = self.uri, self.branch
            headers = [(name, response.header(name)) for name in ("From", "To", "Call-ID")]
            headers.append(("CSeq", f"{self.cseq} ACK"))
        self._acknowledgement = compose(f"ACK {uri} SIP/2.0", [*self.station.via(branch), *headers])
        self.station.send(self._acknowledgement)

    def _acknowledge_again(self) -> None:
        if self._acknowledgement:
            self.station.send(self._acknowledgement)

    def _repeat_later(self, raw: bytes, gap_seconds: float, deadline: float) -> None:
        seconds = min(gap_seconds, max(0.0, deadline - time.monotonic()))
        self.station.wire.after(seconds, lambda: self._repeat(raw, gap_seconds, deadline))

    def _repeat(self, raw: bytes, gap_seconds: float, deadline: float) -> None:
        is_over = self._is_heard or self.final is not None or raw != self.request.raw
        if is_over or self.station.is_closed:
            return
        if time.monotonic() >= deadline:
            return self._finish_unanswered()
        self.station.send(raw)
        self._repeat_later(raw, min(gap_seconds * 2, T2_SECONDS), deadline)

    def _finish_unanswered(self) -> None:
        headers = [("Via", ""), *self.dialog.headers(self.method, self.cseq)]
        self.final = Message(compose("SIP/2.0 408 Nobody answered", headers))
        self._tell(self.final)


class Station:
    """Listens on an address of this machine and speaks to one exchange.

    `dead` stations hear and say nothing (what they heard is still in `seen`). `loses` is asked about every message,
    with whether it is sent: a true answer makes it vanish, to prove that repetition works.
    """

    def __init__(self, name: str, exchange: tuple[str, int], user: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self.wire = the_wire()
        self.name, self.exchange, self.user, self.host = name, exchange, user, host
        self.seen: list[Seen] = []
        self.asks: dict[tuple[str, str], Ask] = {}
        self.dead = False
        self.loses: Callable[[Message, bool], bool] | None = None
        self.is_closed = False
        self._answers: dict[tuple[str, str], bytes] = {}
        self._came_from: dict[str, tuple[str, int]] = {}
        self._unacknowledged: set[tuple[str, int]] = set()
        self.socket = self.wire.open(host, port, self._received)
        self.port: int = self.socket.getsockname()[1]

    @property
    def contact(self) -> str:
        return f"<sip:{self.user}@{self.host}:{self.port}>" if self.user else f"<sip:{self.host}:{self.port}>"

    @property
    def options_count(self) -> int:
        """OPTIONS that reached us, the ones we were dead for included."""
        return sum(entry.message.method == "OPTIONS" and not entry.sent for entry in self.seen)

    def close(self) -> None:
        self.is_closed = True
        self.wire.close(self.socket)

    def via(self, branch: str) -> list[tuple[str, str]]:
        via = f"SIP/2.0/UDP {self.host}:{self.port};rport;branch={branch}"
        return [("Via", via), ("Max-Forwards", "70"), ("User-Agent", "Bentevi test phone")]

    def ask(self, dialog: Dialog, method: str, within_seconds: float = GIVE_UP_SECONDS + 2, **details) -> Message:
        """Sends a request and waits for its final answer. `details` are those of Ask."""
        with self.wire.changed:
            ask = Ask(self, dialog, method, **details).send()
        self.wait(lambda: ask.final, within_seconds, f"an answer to {method}")
        return ask.final

    def wait(self, ready: Callable[[], object], within_seconds: float, what: str) -> None:
        def explain() -> str:
            return f"{self.name} waited {within_seconds:g} s for {what}. Last SIP messages:\n{ladder(self, last=25)}"

        self.wire.wait(ready, within_seconds, explain)

    # -- sending

    def send(self, raw: bytes, address: tuple[str, int] | None = None) -> None:
        message = Message(raw)
        lost = self.is_closed or bool(self.loses and self.loses(message, True))
        self.seen.append(Seen(datetime.now(UTC), self.name, True, message, lost))
        if not lost:
            self.socket.sendto(raw, address or self.exchange)

    def respond(self, request: Message, code: int, reason: str = "", *, tag: str = "", headers: Headers = (),
                body: bytes = b"") -> None:  # fmt: skip
        """Answers a request, again when it comes again; a final answer to INVITE is repeated until acknowledged."""
        to = request.header("to")
        if code > 100 and not request.to_tag:
            to += f";tag={tag or token()}"
        lines = [("Via", via) for via in request.headers("via")]
        lines += [("From", request.header("from")), ("To", to), ("Call-ID", request.call_id),
                  ("CSeq", request.header("cseq")), ("Contact", self.contact), ("Allow", ALLOW), *headers]  # fmt: skip
        if body:
            lines.append(("Content-Type", "application/sdp"))
        raw = compose(f"SIP/2.0 {code} {reason or REASONS.get(code, 'Refused')}", lines, body)
        self._answers[(request.branch, request.method)] = raw
        self._send_back(request, raw)
        if request.method == "INVITE" and code >= 200:
            self._unacknowledged.add((request.call_id, request.cseq))
            self._repeat_answer(request, raw, T1_SECONDS, time.monotonic() + GIVE_UP_SECONDS)

    def _repeat_answer(self, request: Message, raw: bytes, gap_seconds: float, deadline: float) -> None:
        def repeat() -> None:
            is_over = not self.awaits_ack(request) or time.monotonic() > deadline
            if not is_over and not self.is_closed:
                self._send_back(request, raw)
                self._repeat_answer(request, raw, min(gap_seconds * 2, T2_SECONDS), deadline)

        self.wire.after(gap_seconds, repeat)

    def _send_back(self, request: Message, raw: bytes) -> None:
        self.send(raw, self._came_from.get(request.branch))

    def awaits_ack(self, invite: Message) -> bool:
        return (invite.call_id, invite.cseq) in self._unacknowledged

    # -- receiving

    def _received(self, data: bytes, address: tuple[str, int]) -> None:
        if not data.strip():
            return
        message = Message(data)
        lost = self.dead or bool(self.loses and self.loses(message, False))
        self.seen.append(Seen(datetime.now(UTC), self.name, False, message, lost))
        if lost:
            return
        if message.is_response:
            self._response_came(message)
        elif message.method == "ACK":
            self._unacknowledged.discard((message.call_id, message.cseq))
            self.acknowledged(message)
        else:
            self._came_from[message.branch] = address
            self._request_came(message)

    def _response_came(self, response: Message) -> None:
        ask = self.asks.get((response.branch, response.cseq_method))
        if ask:
            ask.answered(response)

    def _request_came(self, request: Message) -> None:
        key = (request.branch, request.method)
        if key not in self._answers:
            self._answers[key] = b""
            self.asked(request)
        elif self._answers[key]:
            self._send_back(request, self._answers[key])

    # -- what phones and carriers say to it

    def asked(self, request: Message) -> None:
        """A new request came (never a repetition)."""
        raise NotImplementedError

    def acknowledged(self, ack: Message) -> None:
        """An ACK came, perhaps with the session description of an INVITE that had none."""
