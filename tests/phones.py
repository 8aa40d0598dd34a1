"""SIP phones for tests: they register, call, answer, press keys, hold, transfer and listen, in plain functions.

    with Phones(exchange=("127.0.0.1", 5060)) as phones:
        ana, bruno = phones.phone("1000", "secret"), phones.phone("1001", "secret")
        call = ana.call("1001")
        there = bruno.answer()
        assert call.talks_with(there)

A phone calls and waits in the test's own thread; `ladder(ana, bruno)` is what went over the wire, a line each.
"""

from collections.abc import Callable, Iterable

from tests.calls import ANSWER_SECONDS, CALLING, ENDED, RINGING, UP, Call, LoggedCall
from tests.sip import Dialog, Headers, Message, address, raw_user_of
from tests.station import Ask, Credentials, Station, full_text, ladder

__all__ = ["CALLING", "ENDED", "RINGING", "UP", "Call", "LoggedCall", "Phone", "Phones", "full_text", "ladder"]

CODECS = ["PCMA", "PCMU"]
LEAVING_SECONDS = 1.0
Treatment = str | int


class Phone(Station):
    """One device. Two devices of one extension are two Phones with the same user.

    `when_called` says what happens to a new call: "ring" (the default; the test answers), "answer" at once,
    "early_media" (183 with audio), "try" (100 and nothing more), "silent" (no answer of any kind), or the code of a
    refusal. `echoes`: new calls return what they hear instead of speaking. `calls` are all legs, `log` one line for each.
    """

    def __init__(self, user: str, password: str, exchange: tuple[str, int], *, host: str = "127.0.0.1", port: int = 0,
                 name: str = "", codecs: Iterable[str] = CODECS) -> None:  # fmt: skip
        self.calls: list[Call] = []
        self.messages: list[Message] = []
        self._returned: list[Call] = []
        self.credentials: Credentials | None = (user, password)
        self.codecs = list(codecs)
        self.when_called: Treatment = "ring"
        self.echoes = False
        self.registered_code = 0
        super().__init__(name or user, exchange, user, host, port)
        self._registration = self._new_dialog(user, f"{exchange[0]}:{exchange[1]}")

    # -- registering

    def register(self, expires_seconds: int = 600, headers: Headers = ()) -> int:
        """The final code: 200 registered, 401 or 403 not. A wrong password is no exception here."""
        host, port = self.exchange
        lines = [("Expires", str(expires_seconds)), *headers]
        answer = self.ask(self._registration, "REGISTER", uri=f"sip:{host}:{port}", headers=lines,
                          credentials=self.credentials)  # fmt: skip
        self.registered_code = answer.status if expires_seconds else 0
        return answer.status

    def unregister(self) -> int:
        return self.register(expires_seconds=0)

    def subscribe(self, number: str, event: str = "dialog", accept: str = "application/dialog-info+xml") -> int:
        """Watches a number (a lamp) or a mailbox: the final code. What is notified comes to `messages`."""
        dialog = self._new_dialog(self.user, self.exchange[0])
        dialog.target = f"sip:{number}@{self.exchange[0]}:{self.exchange[1]}"
        dialog.remote = f"<{dialog.target}>"
        lines = [("Event", event), ("Accept", accept), ("Expires", "300")]
        return self.ask(dialog, "SUBSCRIBE", headers=lines, credentials=self.credentials).status

    # -- calling

    def call(self, number: str, *, caller: str | None = None, caller_name: str = "", headers: Headers = (),
             codecs: Iterable[str] | None = None, uri: str = "") -> Call:  # fmt: skip
        """Starts a call and returns at once.

        `number` goes into the request URI exactly as it is ("" for none, percent-encode it yourself); `caller` is the
        user of From, our own when None; `codecs` the order of our offer, names that we cannot speak included;
        `uri` replaces the whole request URI.
        """
        host, port = self.exchange
        target = uri or (f"sip:{number}@{host}:{port}" if number else f"sip:{host}:{port}")
        dialog = Dialog(local=self.from_address(self.user if caller is None else caller, caller_name),
                        remote=f"<{self.to_uri(number, target)}>", target=target)  # fmt: skip
        with self.wire.changed:
            call = Call(self, dialog, number, True, list(codecs or self.codecs))
            call.begin(target, headers)
        return call

    def to_uri(self, number: str, target: str) -> str:
        """What To says; where it differs from the request URI, a subclass knows."""
        return target

    def from_address(self, caller: str, name: str) -> str:
        return address(caller, self.exchange[0], name)

    # -- being called

    def wait_ringing(self, within_seconds: float = ANSWER_SECONDS) -> Call:
        """The oldest call to us that rings now."""
        return self._wait_for(lambda call: call.state == RINGING, within_seconds, "a ringing call")

    def wait_call(self, number: str = "", within_seconds: float = ANSWER_SECONDS) -> Call:
        """The oldest call to us (to `number` when given) that `wait_call` has not returned yet, whatever its state."""

        def is_next(call: Call) -> bool:
            return call not in self._returned and number in ("", call.number)

        call = self._wait_for(is_next, within_seconds, f"a call to {number or 'any number'}")
        self._returned.append(call)
        return call

    def answer(self, within_seconds: float = ANSWER_SECONDS) -> Call:
        """Waits for a call to ring and answers it."""
        return self.wait_ringing(within_seconds).answer()

    def reject(self, code: int = 486, reason: str = "", within_seconds: float = ANSWER_SECONDS) -> Call:
        """Waits for a call to ring and refuses it."""
        call = self.wait_ringing(within_seconds)
        call.reject(code, reason)
        return call

    def rings(self, within_seconds: float = 2.0) -> bool:
        """Whether a call rings here within the time; to be negated when none should."""
        return self.wire.comes_true(lambda: any(call.state == RINGING for call in self.incoming), within_seconds)

    @property
    def incoming(self) -> list[Call]:
        return [call for call in self.calls if not call.is_outgoing]

    @property
    def log(self) -> list[LoggedCall]:
        """The phone's own record of its calls, in the order they began."""
        return [call.logged for call in self.calls]

    def wait_message(self, method: str, within_seconds: float = ANSWER_SECONDS) -> Message:
        """The latest request of that method outside any call: NOTIFY of voicemail, MESSAGE, OPTIONS."""

        def came() -> list[Message]:
            return [message for message in self.messages if message.method == method]

        self.wait(came, within_seconds, f"a {method}")
        return came()[-1]

    def close(self) -> None:
        """Ends what is left as well as the exchange lets us within a second; then the phone is gone."""
        if self.is_closed:
            return
        self.loses, farewells = None, self._farewells()
        self.wire.comes_true(lambda: self.dead or all(ask.final for ask in farewells), LEAVING_SECONDS)
        with self.wire.changed:
            for call in self.calls:
                call.media.close()
        super().close()

    # -- inside

    def _farewells(self) -> list[Ask]:
        with self.wire.changed:
            for call in self.calls:
                call.leave()
            if self.registered_code == 200:
                uri = f"sip:{self.exchange[0]}:{self.exchange[1]}"
                Ask(self, self._registration, "REGISTER", uri=uri, headers=[("Expires", "0")],
                    credentials=self.credentials).send()  # fmt: skip
            return [ask for ask in self.asks.values() if ask.method in ("BYE", "CANCEL", "REGISTER")]

    def took_up(self, call: Call) -> None:
        self.calls.append(call)

    def _new_dialog(self, user: str, host: str) -> Dialog:
        return Dialog(local=address(user, host), remote=address(user, host), target=f"sip:{host}")

    def _wait_for(self, wanted: Callable[[Call], bool], within_seconds: float, what: str) -> Call:
        found: list[Call] = []

        def is_there() -> bool:
            found[:] = [call for call in self.incoming if wanted(call)]
            return bool(found)

        self.wait(is_there, within_seconds, what)
        return found[0]

    def call_of(self, message: Message) -> Call | None:
        return next((call for call in self.calls if call.dialog.call_id == message.call_id), None)

    def asked(self, request: Message) -> None:
        call = self.call_of(request)
        if call:
            call.asked(request)
        elif request.method == "INVITE":
            self.invited(request)
        else:
            self.asked_outside_calls(request)

    def acknowledged(self, ack: Message) -> None:
        call = self.call_of(ack)
        if call:
            call.acknowledged(ack)

    def asked_outside_calls(self, request: Message) -> None:
        self.messages.append(request)
        self.respond(request, 200 if request.method in ("OPTIONS", "NOTIFY", "MESSAGE") else 481)

    def invited(self, invite: Message) -> None:
        """A new call came. What is done with it is `treatment`'s choice."""
        call = Call(self, Dialog.of_invite(invite), raw_user_of(invite.uri), False, self.codecs)
        call.invite = invite
        call.logged.caller = call.caller_number
        treatment = self.treatment(call)
        call.is_silent = treatment == "silent"
        if call.is_silent:
            return
        self.respond(invite, 100)
        if isinstance(treatment, int):
            call.reject(treatment)
        elif treatment != "try":
            call.ring(early_media=treatment == "early_media")
        if treatment == "answer":
            call.pick_up()

    def treatment(self, call: Call) -> Treatment:
        return self.when_called


class Phones:
    """The phones of one test on one exchange; leaving the block closes them all and raises our own mistakes."""

    def __init__(self, exchange: tuple[str, int]) -> None:
        self.exchange = exchange
        self.all: list[Station] = []

    def phone(self, user: str, password: str, **details) -> Phone:
        """A registered phone. Raises AssertionError when the exchange refuses it; use `unregistered` to see that."""
        phone = self.unregistered(user, password, **details)
        code = phone.register()
        if code != 200:
            raise AssertionError(f"{user}: not registered, {code}\n{ladder(phone)}")
        return phone

    def unregistered(self, user: str, password: str = "", **details) -> Phone:
        """A phone that has not registered (yet)."""
        return self.keep(Phone(user, password, self.exchange, **details))

    def keep(self, station):
        """Closes this phone or carrier too at the end, and shows it in `ladder`."""
        self.all.append(station)
        return station

    def ladder(self) -> str:
        """All messages of all phones in order of time, one line each."""
        return ladder(*self.all)

    def __enter__(self) -> "Phones":
        return self

    def __exit__(self, *_: object) -> None:
        for station in self.all:
            station.close()
        for station in self.all[:1]:
            station.wire.raise_mistakes()
