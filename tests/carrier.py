"""The simulated carrier: one honest fake telephone company on a fixed UDP port, which remembers what it was asked.

It can be connected in the three ways carriers are:
- by_ip: no passwords; the exchange and the carrier know each other's address;
- registrar: the exchange registers here with user and password, and calls come to the Contact it left;
- registers: the carrier (a gateway) registers at the exchange, like a phone.

    carrier = Carrier(("127.0.0.1", 5060), 5080, BY_IP)
    carrier.treats("4811112222", "busy")
    with carrier.call("551130300000", caller="48999990000") as caller:
        assert caller.talks_with(ana.answer())
    assert carrier.wait_call("4833334444").caller_number == "1130300000"
"""

import re
from dataclasses import dataclass

from tests.calls import ANSWER_SECONDS, Call
from tests.phones import Phone, Treatment
from tests.sip import Message, address, answers_challenge, token, uri_of, user_of

BY_IP, REGISTRAR, REGISTERS = "by_ip", "registrar", "registers"
REALM = "carrier.example"
TREATMENTS = {"answer": "answer", "busy": 486, "unavailable": 503, "ring": "ring", "silent": "silent"}


@dataclass
class Registration:
    """Where the exchange wants its calls. `contact` is the whole URI with its user and line parts."""

    contact: str
    expires_seconds: int

    @property
    def user(self) -> str:
        return user_of(self.contact)

    def __str__(self) -> str:
        return f"<{self.contact}>;expires={self.expires_seconds}"


class Carrier(Phone):
    """Answers every call at once unless told otherwise; `calls` are all legs, `received` those from the exchange.

    `default` is the treatment of numbers without their own: answer, busy, unavailable (503), ring, silent (no answer
    of any kind, as a broken link), early_media, try, or any code. `dead` silences it for OPTIONS and REGISTER too.
    `challenges_calls` makes a registrar ask a password (407) for each call of the exchange. `number_in` says where the
    dialled number stands when it calls a registered Contact: "to" (the request URI is the Contact itself) or "uri"
    (the number replaces the Contact's user). `caller_domain` is the host of From, its own address when empty.
    """

    def __init__(self, exchange: tuple[str, int], port: int, mode: str = BY_IP, user: str = "", password: str = "", *,
                 name: str = "carrier", host: str = "127.0.0.1", challenges_calls: bool = False, number_in: str = "to",
                 codecs: tuple[str, ...] = ("PCMA", "PCMU")) -> None:  # fmt: skip
        self.mode, self.challenges_calls, self.number_in = mode, challenges_calls, number_in
        self.password = password
        self.default: Treatment = "answer"
        self.treatments: dict[str, Treatment] = {}
        self.registration: Registration | None = None
        self.register_count = self.refused_register_count = 0
        self.caller_domain = ""
        self._nonces: set[str] = set()
        super().__init__(user, password, exchange, host=host, port=port, name=name, codecs=codecs)
        self.credentials = (user, password) if mode == REGISTERS else None

    # -- what a test decides

    def answers(self, number: str) -> None:
        self.treats(number, "answer")

    def treats(self, number: str, how: Treatment) -> None:
        """`how` as for `default`. The number is compared as it is dialled, percent-decoded."""
        self.treatments[number] = how

    def call(self, number: str, caller: str = "", **details) -> Call:
        """Calls the exchange for one of its numbers, from `caller` ("" sends no number). Details as Phone.call."""
        uri = details.pop("uri", "") or self._uri_for(number)
        return super().call(number, caller=caller, uri=uri, **details)

    def forget(self) -> None:
        """Forgets calls, treatments and messages, so that one carrier serves many tests; a registration stays."""
        with self.wire.changed:
            for call in self.calls:
                call.leave()
            for known in (self.calls, self.treatments, self.seen, self.messages):
                known.clear()
            self.echoes = False
            self.default, self.dead, self.number_in, self.challenges_calls = "answer", False, "to", False

    # -- what a test reads

    @property
    def received(self) -> list[Call]:
        """Calls the exchange sent us, in order."""
        return self.incoming

    def wait_registered(self, within_seconds: float = ANSWER_SECONDS) -> Registration:
        self.wait(lambda: self.registration, within_seconds, "a registration")
        return self.registration

    # -- inside

    def _uri_for(self, number: str) -> str:
        host, port = self.exchange
        if self.mode != REGISTRAR:
            return f"sip:{number}@{host}:{port}" if number else f"sip:{host}:{port}"
        contact = self.wait_registered().contact
        if self.number_in == "to":
            return contact
        return re.sub(r"^(sips?:)(?:[^@;]*@)?", lambda scheme: f"{scheme.group(1)}{number}@", contact)

    def to_uri(self, number: str, target: str) -> str:
        if self.mode != REGISTRAR or not number:
            return target
        return f"sip:{number}@{self.host}:{self.port}"

    def from_address(self, caller: str, name: str) -> str:
        own = f"{self.host}:{self.port}" if self.mode != REGISTERS else self.exchange[0]
        return address(caller, self.caller_domain or own, name)

    def treatment(self, call: Call) -> Treatment:
        how = self.treatments.get(user_of(call.invite.uri), self.default)
        return TREATMENTS.get(how, how)

    def invited(self, invite: Message) -> None:
        if self.mode == REGISTRAR and self.challenges_calls and not self._proves(invite, "Proxy-Authorization"):
            self._challenge(invite, 407, "Proxy-Authenticate")
        else:
            super().invited(invite)

    def asked_outside_calls(self, request: Message) -> None:
        if request.method == "REGISTER":
            self._asked_register(request)
        else:
            super().asked_outside_calls(request)

    def _asked_register(self, request: Message) -> None:
        self.register_count += 1
        if self.mode != REGISTRAR:
            return self.respond(request, 405)
        if not self._proves(request, "Authorization"):
            self.refused_register_count += bool(request.header("authorization"))
            return self._challenge(request, 401, "WWW-Authenticate")
        self.registration = self._registration_in(request)
        self.respond(request, 200, headers=[("Contact", str(self.registration))] if self.registration else [])

    def _registration_in(self, request: Message) -> Registration | None:
        """None when the exchange takes its Contact back (expires 0)."""
        contact = request.header("contact")
        own = re.search(r">\s*;.*?expires=(\d+)", contact)
        expires_seconds = int(own.group(1) if own else request.header("expires", "3600"))
        return Registration(uri_of(contact), expires_seconds) if expires_seconds else None

    def _proves(self, request: Message, header: str) -> bool:
        return answers_challenge(request.header(header), request.method, self._nonces, self.user, self.password)

    def _challenge(self, request: Message, code: int, header: str) -> None:
        nonce = token()
        self._nonces.add(nonce)
        asked = f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5, qop="auth"'
        self.respond(request, code, headers=[(header, asked)])
