"""One leg of a call: what the person at the phone does, and how the phone answers the exchange meanwhile."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.sip import Dialog, Headers, Message, Sdp, name_of, session, uri_of, user_of
from tests.station import Ask, Seen, ladder
from tests.voice import Voice

if TYPE_CHECKING:
    from tests.phones import Phone

CALLING, RINGING, UP, ENDED = "calling", "ringing", "up", "ended"
ANSWER_SECONDS = 10.0
RETRY_SECONDS = 0.4
# Nobody transfers within milliseconds of the answer, when Asterisk may not have bridged the leg yet and the transfer is
# lost. It sends audio to an answered phone from the bridge on: a phone waits to hear something, at most this long.
HUMAN_SECONDS = 1.0


@dataclass
class LoggedCall:
    """One line of a phone's own record, for whoever compares it with the exchange's. Instants are UTC.

    `code` is the final SIP code (200 answered, 0 none); `ended_by` is "here" or "there".
    """

    who: str
    number: str
    is_outgoing: bool
    started_at: datetime
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    code: int = 0
    ended_by: str = ""
    caller: str = ""  # of an incoming call, as it was shown
    held: list[list[datetime]] = field(default_factory=list)  # [from, until]; until is missing while it lasts
    transferred_to: str = ""
    transferred_at: datetime | None = None  # its far end went away blindly
    joined: "LoggedCall | None" = None  # our other leg, whose far end got this one's


class Call(Voice):
    """A leg seen from its phone.

    `state` is calling, ringing, up or ended; `code` and `reason` are the final answer's; `invite` the first INVITE
    (sent or received), `updates` the later INVITEs and UPDATEs of the exchange, `notifies` its NOTIFYs. As a context
    manager it hangs up at the end.
    """

    def __init__(self, phone: "Phone", dialog: Dialog, number: str, is_outgoing: bool, codecs: list[str]) -> None:
        super().__init__(phone.wire, phone.host)
        self.phone, self.dialog, self.number, self.is_outgoing, self.codecs = phone, dialog, number, is_outgoing, codecs
        self.media.echoes = phone.echoes
        self.state, self.code, self.reason = CALLING, 0, ""
        self.invite: Message | None = None
        self.answer_message: Message | None = None
        self.end_message: Message | None = None
        self.updates: list[Message] = []
        self.notifies: list[Message] = []
        self.transfer_code = 0
        self.is_silent = self.is_on_hold = False
        self.logged = LoggedCall(phone.name, number, is_outgoing, datetime.now(UTC))
        self._ask: Ask | None = None
        self._reask: Ask | None = None
        self._is_provisional = self._is_given_up = False
        self._first_sdp: Sdp | None = None
        self._they_listen = self._they_speak = True
        self._event_type = self.media.event_type
        self._sdp_version = 0
        phone.took_up(self)

    def __enter__(self) -> "Call":
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def __str__(self) -> str:
        arrow = "calling" if self.is_outgoing else "called as"
        state = f"{self.state} {self.code}" if self.code else self.state
        return f"{self.phone.name} {arrow} {self.number or '(no number)'} [{state}]"

    # -- what can be read

    @property
    def seen(self) -> list[Seen]:
        """The SIP messages of this leg."""
        return [entry for entry in self.phone.seen if entry.message.call_id == self.dialog.call_id]

    def header(self, name: str) -> str:
        """A header of the first INVITE, "" when it has none."""
        return self.invite.header(name)

    @property
    def caller_number(self) -> str:
        """User part of the INVITE's From, percent-decoded."""
        return user_of(uri_of(self.header("From")))

    @property
    def caller_name(self) -> str:
        return name_of(self.header("From"))

    def sdp_codecs(self) -> list[str]:
        """Codecs the exchange offered (incoming leg) or agreed to (outgoing leg), in its order, without key presses."""
        sdp = self._first_sdp if self.is_outgoing else self.invite.sdp
        return sdp.codecs if sdp else []

    @property
    def speaks_codec(self) -> str:
        """Codec this leg sends now: PCMA or PCMU."""
        return {0: "PCMU", 8: "PCMA"}[self.media.payload_type]

    @property
    def heard_codecs(self) -> set[str]:
        """Codecs of the packets that came."""
        return {{0: "PCMU", 8: "PCMA"}[kind] for _, kind, _ in self.media.heard}

    # -- waiting

    def _wait(self, ready: Callable[[], object], within_seconds: float, what: str) -> None:
        def explain() -> str:
            return f"{self}: waited {within_seconds:g} s for {what}. SIP messages:\n{ladder(self.seen, last=25)}"

        self.wire.wait(ready, within_seconds, explain)

    def wait_ringing(self, within_seconds: float = ANSWER_SECONDS) -> "Call":
        self._wait(lambda: self.logged.rang_at, within_seconds, "ringing")
        return self

    def wait_answered(self, within_seconds: float = ANSWER_SECONDS) -> "Call":
        self._wait(lambda: self.state in (UP, ENDED), within_seconds, "the answer")
        if self.logged.answered_at is None:
            raise AssertionError(f"{self}: was to be answered, got {self.code} {self.reason}\n{ladder(self.seen)}")
        return self

    def wait_ended(self, within_seconds: float = ANSWER_SECONDS) -> "Call":
        self._wait(lambda: self.state == ENDED, within_seconds, "the end of the call")
        return self

    def wait_refused(self, within_seconds: float = ANSWER_SECONDS) -> int:
        """The final code of a call that was not answered (`reason` has its words)."""
        self._wait(lambda: self.state == UP or self.state == ENDED, within_seconds, "a refusal")
        if self.logged.answered_at is not None:
            raise AssertionError(f"{self}: was to be refused, but was answered\n{ladder(self.seen)}")
        return self.code

    def wait_updated(self, count: int = 1, within_seconds: float = ANSWER_SECONDS) -> Message:
        """The latest INVITE or UPDATE inside the call, once `count` of them came."""
        self._wait(lambda: len(self.updates) >= count, within_seconds, f"{count} update(s) of the call")
        return self.updates[-1]

    def lose(self) -> None:
        """The exchange is dead: the leg ends here without a message."""
        with self.wire.changed:
            self._over(self.code, self.reason, "lost")

    def wait_transferred(self, within_seconds: float = ANSWER_SECONDS) -> int:
        """Final code of our transfer as the exchange notified it; on 2xx this leg has hung up by itself."""
        self._wait(lambda: self.transfer_code >= 200, within_seconds, "the end of the transfer")
        return self.transfer_code

    # -- the called side

    def ring(self, code: int = 180, early_media: bool = False) -> None:
        """180 without audio, or 183 with audio of our own when `early_media`."""
        with self.wire.changed:
            if early_media:
                self._take_sdp(self.invite.sdp)
            body = self._sdp() if early_media else b""
            self.phone.respond(self.invite, 183 if early_media else code, tag=self.dialog.local_tag, body=body)
            self._rang()

    def answer(self) -> "Call":
        """Answers and waits until the exchange acknowledged."""
        self.pick_up()
        self._wait(lambda: not self.phone.awaits_ack(self.invite), ANSWER_SECONDS, "the ACK of our answer")
        return self

    def pick_up(self) -> None:
        """Answers without waiting; 488 when no codec of the offer is known."""
        with self.wire.changed:
            if self.state == ENDED:
                raise AssertionError(f"{self}: ended before it was answered\n{ladder(self.seen)}")
            offer = self.invite.sdp
            if offer and offer.first_spoken(self.codecs) is None:
                return self.reject(488)
            self._take_sdp(offer)
            self.phone.respond(self.invite, 200, tag=self.dialog.local_tag, body=self._sdp())
            self._answered(200, "OK")

    def reject(self, code: int = 486, reason: str = "", headers: Headers = ()) -> None:
        with self.wire.changed:
            self.phone.respond(self.invite, code, reason, tag=self.dialog.local_tag, headers=headers)
            self._over(code, reason, "here")

    # -- both sides

    def hang_up(self, cause: int = 0, within_seconds: float = ANSWER_SECONDS) -> None:
        """BYE, CANCEL or 603, whatever fits; `cause` is Q.850 and goes as Reason. Does nothing on an ended call."""
        with self.wire.changed:
            self.leave(cause)
        self._wait(lambda: self.state == ENDED and (not self._reask or self._reask.final), within_seconds, "hanging up")

    def leave(self, cause: int = 0) -> None:
        """As hang_up, without waiting."""
        headers = [("Reason", f"Q.850;cause={cause}")] if cause else []
        if self.state == UP:
            self._over(self.code, self.reason, "here")
            self._reask = self._make_ask("BYE", headers=headers).send()
        elif self.state != ENDED and self.is_outgoing:
            self._is_given_up = True
            self._cancel(headers)
        elif self.state != ENDED and not self.is_silent:
            self.reject(603)

    def hold(self) -> None:
        """Re-INVITE with sendonly; the microphone is off until `resume`."""
        self._offer_again(is_on_hold=True)
        self.logged.held.append([datetime.now(UTC)])

    def resume(self) -> None:
        self._offer_again(is_on_hold=False)
        self.logged.held[-1].append(datetime.now(UTC))

    def transfer(self, number: str, headers: Headers = ()) -> int:
        """Blind transfer by REFER: the code of its answer (202 accepted). See `wait_transferred` for the outcome."""
        host, port = self.phone.exchange
        code = self._refer(f"sip:{number}@{host}:{port}", headers)
        if code == 202:
            self.logged.transferred_to, self.logged.transferred_at = number, datetime.now(UTC)
        return code

    def transfer_to(self, other: "Call") -> int:
        """Attended transfer by REFER with Replaces: our far end is joined with the other call's."""
        other.wire.comes_true(lambda: other.media.heard, HUMAN_SECONDS)  # nobody joins two calls within milliseconds of the answer
        self.logged.joined = other.logged
        replaces = quote(other.dialog.replaces(), safe="")
        return self._refer(f"{uri_of(other.dialog.remote)}?Replaces={replaces}", ())

    def _refer(self, to: str, headers: Headers) -> int:
        self.wait_answered()
        self.wire.comes_true(lambda: self.media.heard, HUMAN_SECONDS)
        lines = [("Refer-To", f"<{to}>"), ("Referred-By", f"<{uri_of(self.dialog.local)}>"), *headers]
        self.transfer_code = 0
        return self._inside("REFER", headers=lines).status

    def _offer_again(self, is_on_hold: bool) -> None:
        """Tries again when both sides offered at once (491), as RFC 3261 wants, until the answer's deadline."""
        self.wait_answered()
        deadline = time.monotonic() + ANSWER_SECONDS
        with self.wire.changed:
            self.is_on_hold = is_on_hold
            self._reconsider_sending()
        while (answer := self._inside("INVITE", body=self._sdp())).status == 491 and time.monotonic() < deadline:
            time.sleep(RETRY_SECONDS)
        if answer.status != 200:
            raise AssertionError(f"{self}: re-INVITE refused with {answer.start}\n{ladder(self.seen)}")
        with self.wire.changed:
            self._take_sdp(answer.sdp)

    def _inside(self, method: str, headers: Headers = (), body: bytes = b"") -> Message:
        with self.wire.changed:
            ask = self._reask = self._make_ask(method, headers, body).send()
        self._wait(lambda: ask.final, ANSWER_SECONDS, f"an answer to {method}")
        return ask.final

    def _make_ask(self, method: str, headers: Headers = (), body: bytes = b"", **details) -> Ask:
        lines = [*headers, ("Content-Type", "application/sdp")] if body else list(headers)
        details |= {"headers": lines, "body": body, "credentials": self.phone.credentials}
        return Ask(self.phone, self.dialog, method, **details)

    # -- the calling side

    def begin(self, uri: str, headers: Headers) -> None:
        """Sends the INVITE. Called once by the phone."""
        self._ask = self._make_ask("INVITE", headers, self._sdp(), uri=uri, on_answer=self._invite_answered).send()
        self.invite = self._ask.request

    def _invite_answered(self, response: Message) -> None:
        self.invite = self._ask.request
        if response.status == 200:
            self.answer_message = response
            self._take_sdp(response.sdp)
            self._answered(200, response.reason)
            if self._is_given_up:
                self.leave()
        elif response.status >= 300:
            self.answer_message = response
            self._over(response.status, response.reason, "here" if self._is_given_up else "there")
        else:
            self._progress(response)

    def _progress(self, response: Message) -> None:
        self._is_provisional = True
        self._take_sdp(response.sdp)
        if response.status in (180, 183):
            self._rang()
        if self._is_given_up:
            self._cancel([])

    def _cancel(self, headers: Headers) -> None:
        """A CANCEL may only follow a provisional answer; before it, we wait for one."""
        if self._is_provisional and (self._reask is None or self._reask.method != "CANCEL"):
            same = {"uri": self._ask.uri, "cseq": self._ask.cseq, "branch": self._ask.branch}
            self._reask = Ask(self.phone, self.dialog, "CANCEL", headers=headers, **same).send()

    # -- what the exchange asks inside the call

    def asked(self, request: Message) -> None:
        reactions = {"INVITE": self._asked_update, "UPDATE": self._asked_update, "BYE": self._asked_bye,
                     "CANCEL": self._asked_cancel, "NOTIFY": self._asked_notify, "INFO": self._asked_info}  # fmt: skip
        react = reactions.get(request.method)
        if self.is_silent:
            return
        if react:
            react(request)
        else:
            self.phone.respond(request, 200 if request.method in ("OPTIONS", "MESSAGE") else 405)

    def _asked_update(self, request: Message) -> None:
        if request.method == "INVITE" and self._reask and self._reask.method == "INVITE" and not self._reask.final:
            return self.phone.respond(request, 491)
        self.updates.append(request)
        self._take_sdp(request.sdp)
        body = self._sdp() if request.sdp or request.method == "INVITE" else b""
        self.phone.respond(request, 200, body=body)

    def _asked_bye(self, request: Message) -> None:
        self.phone.respond(request, 200)
        self.end_message = request
        self._over(self.code, self.reason, "there")

    def _asked_cancel(self, request: Message) -> None:
        self.phone.respond(request, 200)
        if self.state in (CALLING, RINGING):
            self.end_message = request
            self.phone.respond(self.invite, 487, tag=self.dialog.local_tag)
            self._over(487, "Request Terminated", "there")

    def _asked_notify(self, request: Message) -> None:
        self.phone.respond(request, 200)
        self.notifies.append(request)
        found = re.match(rb"SIP/2\.0 (\d+)", request.body)
        if found and request.header("event").startswith("refer"):
            self.transfer_code = int(found.group(1))
            if self.state == UP and 200 <= self.transfer_code < 300:
                self.leave()

    def _asked_info(self, request: Message) -> None:
        self.phone.respond(request, 200)
        found = re.search(rb"Signal\s*=\s*([0-9A-D*#])", request.body)
        if found:
            self.media.keys.append((time.monotonic(), found.group(1).decode()))

    def acknowledged(self, ack: Message) -> None:
        self._take_sdp(ack.sdp)

    # -- inside

    def _sdp(self) -> bytes:
        """Our session description now: an offer before we know theirs, an answer of one codec after."""
        self._sdp_version += 1
        listens = not self.is_on_hold and self._they_speak
        direction = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
            (self._they_listen, listens), "inactive"
        )
        codecs = [self.speaks_codec] if self._first_sdp else self.codecs
        return session(self.phone.host, self.media.port, codecs, direction, self._sdp_version, self._event_type)

    def _take_sdp(self, sdp: Sdp) -> None:
        if not sdp:
            return
        self._first_sdp = self._first_sdp or sdp
        kind = sdp.first_spoken(self.codecs)
        self.media.payload_type = self.media.payload_type if kind is None else kind
        self.media.event_type = self._event_type = sdp.event_type
        self._they_listen = sdp.direction in ("sendrecv", "recvonly")
        self._they_speak = sdp.direction in ("sendrecv", "sendonly") or self.is_on_hold
        self._reconsider_sending()
        if sdp.port and self.state != ENDED:
            self.media.talk_to(sdp.remote)

    def _reconsider_sending(self) -> None:
        self.media.sending = self._they_listen and not self.is_on_hold

    def _rang(self) -> None:
        self.logged.rang_at = self.logged.rang_at or datetime.now(UTC)
        if self.state == CALLING:
            self.state = RINGING

    def _answered(self, code: int, reason: str) -> None:
        self.state, self.code, self.reason = UP, code, reason
        self.logged.code, self.logged.answered_at = code, datetime.now(UTC)

    def _over(self, code: int, reason: str, by: str) -> None:
        if self.state == ENDED:
            return
        self.state, self.code, self.reason = ENDED, code, reason
        self.logged.code, self.logged.ended_at, self.logged.ended_by = code, datetime.now(UTC), by
        self.media.close()
