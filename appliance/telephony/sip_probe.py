"""Is somebody there? A question or two by SIP over UDP, before a trunk is saved or applied.

OPTIONS tells whether anything answers. REGISTER without a Contact asks the registrar for what it holds (RFC 3261 §10.2.3):
it must authenticate us and changes nothing, so a right password is told from a wrong one without moving a line that works.
Sent from a port of its own, because Asterisk has the exchange's. Digest: RFC 7616 and 8760, MD5 and SHA-256.
"""

import errno
import hashlib
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SENT_AGAIN_SECONDS = (0.0, 0.5, 1.5)  # UDP loses: the same request again, as RFC 3261's timer E does
ANSWER_SECONDS = 3.0
LOOKUP_SECONDS = 4.0
NAME_UNKNOWN, NO_NETWORK, PORT_CLOSED, SILENT, ANSWERS = "name_unknown", "no_network", "port_closed", "silent", "answers"
ACCEPTED, WRONG_PASSWORD, UNKNOWN_USER, FORBIDDEN, UNCLEAR, NOT_ASKED = (
    "accepted", "wrong_password", "unknown_user", "forbidden", "unclear", "not_asked",
)
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass
class Probe:
    """What was found. `reached` and `registration` are words of this module; codes are SIP's, 0 for none."""

    host: str
    port: int
    address: str = ""
    reached: str = NAME_UNKNOWN
    code: int = 0                 # of the answer to OPTIONS
    registration: str = NOT_ASKED
    register_code: int = 0
    rtt_ms: float = 0.0
    own_address: str = ""         # from which we spoke
    lines: list[str] = field(default_factory=list)  # for support: what was sent and what came, never a password

    @property
    def is_good(self) -> bool:
        """Nothing speaks against this trunk."""
        return self.reached == ANSWERS and self.registration in (ACCEPTED, NOT_ASKED)


def ask(host: str, port: int, username: str = "", password: str = "") -> Probe:
    """Ask a far end whether it is there and, with a user name, whether it would register us. Takes up to some ten seconds."""
    found = Probe(host, port)
    found.address = _looked_up(host)
    if not found.address:
        found.lines.append(f"DNS {host}: no address")
        return found
    found.lines.append(f"DNS {host}: {found.address}")
    try:
        with _Line(found) as line:
            answer = line.options()
            if username and found.reached not in (NO_NETWORK, PORT_CLOSED):
                _register(line, found, username, password)
            elif answer:
                found.code = answer.code
    except OSError as why:
        _failed(found, why)
    return found


def _failed(found: Probe, why: OSError) -> None:
    closed = why.errno == errno.ECONNREFUSED
    found.reached = PORT_CLOSED if closed else NO_NETWORK
    found.lines.append(f"{found.address}:{found.port}: {why.strerror}")


def _looked_up(host: str) -> str:
    """The first IPv4 address, "" for none; on a thread, because a dead name server answers after half a minute."""
    answer: list[str] = []

    def look_up() -> None:
        try:
            answer.append(str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)[0][4][0]))
        except OSError:
            return  # an unknown name: the empty list says it

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(LOOKUP_SECONDS)
    return answer[0] if answer else ""


@dataclass(frozen=True)
class Answer:
    """A final answer: code, words, and the challenge when it asks a password."""

    code: int
    reason: str
    challenge: str = ""


def _register(line: "_Line", found: Probe, username: str, password: str) -> None:
    """Ask the registrar what it holds of the user; what it answers says whether user and password are right."""
    answer = line.request("REGISTER", username)
    if answer and answer.code in (401, 407):
        header = _credentials(answer, "REGISTER", line.uri, username, password)
        if not header:
            found.registration, found.register_code = UNCLEAR, answer.code
            return
        again = line.request("REGISTER", username, header)
        if again is None:
            found.registration, found.register_code = UNCLEAR, 0
            return
        answer, was_asked = again, True
    else:
        was_asked = False
    if answer is None:
        found.registration = UNCLEAR if found.reached == ANSWERS else NOT_ASKED
        return
    found.register_code = answer.code
    found.registration = verdict(answer.code, was_asked)


def verdict(code: int, was_asked: bool) -> str:
    """What an answer to REGISTER means; `was_asked`: the registrar had asked a password and got one."""
    if 200 <= code < 300:
        return ACCEPTED
    if code == 404:
        return UNKNOWN_USER
    if code in (401, 407):
        return WRONG_PASSWORD
    if code == 403:
        return WRONG_PASSWORD if was_asked else FORBIDDEN
    return UNCLEAR


class _Line:
    """One UDP socket to the far end and the numbering of our requests."""

    def __init__(self, found: Probe) -> None:
        self.found = found
        self.uri = f"sip:{found.host}:{found.port}"
        self._call_id, self._tag, self._cseq = f"{secrets.token_hex(8)}@bentevi", secrets.token_hex(6), 0

    def __enter__(self) -> "_Line":
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.connect((self.found.address, self.found.port))
        except OSError:
            self._socket.close()
            raise
        self.found.own_address, self._port = self._socket.getsockname()[:2]
        self.found.reached = SILENT
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def options(self) -> Answer | None:
        """Any answer says that somebody is there."""
        answer = self.request("OPTIONS", "bentevi")
        if answer:
            self.found.code = answer.code
        return answer

    def request(self, method: str, user: str, credentials: str = "") -> Answer | None:
        """Send it up to three times; the final answer, None for silence. Raises OSError when the network says no."""
        self._cseq += 1
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        own = f"{self.found.own_address}:{self._port}"
        aor = f"sip:{user}@{self.found.host}" if method == "REGISTER" else f"sip:{user}@{own}"
        to = aor if method == "REGISTER" else self.uri
        head = [
            f"{method} {self.uri} SIP/2.0", f"Via: SIP/2.0/UDP {own};branch={branch};rport", "Max-Forwards: 70",
            f"From: <{aor}>;tag={self._tag}", f"To: <{to}>", f"Call-ID: {self._call_id}", f"CSeq: {self._cseq} {method}",
            "User-Agent: Bentevi", *([f"Contact: <sip:{user}@{own}>"] if method == "OPTIONS" else []),
            *([credentials] if credentials else []), "Content-Length: 0", "", "",
        ]
        self.found.lines.append(f"→ {method} {self.uri}{' (with password)' if credentials else ''}")
        began = time.monotonic()
        answer = self._exchange("\r\n".join(head).encode(), branch, began)
        if answer is None:
            self.found.lines.append(f"← no answer in {ANSWER_SECONDS:g} s")
            return None
        self.found.reached = ANSWERS
        self.found.rtt_ms = self.found.rtt_ms or round((time.monotonic() - began) * 1000, 1)
        self.found.lines.append(f"← {answer.code} {answer.reason}")
        return answer

    def _exchange(self, text: bytes, branch: str, began: float) -> Answer | None:
        left = [began + pause for pause in SENT_AGAIN_SECONDS]
        ends_at = began + ANSWER_SECONDS
        while (at := time.monotonic()) < ends_at:
            if left and at >= left[0]:
                left.pop(0)
                self._socket.send(text)
            self._socket.settimeout(max(0.01, min([*left, ends_at]) - time.monotonic()))
            try:
                answer = read(self._socket.recv(65536), branch)
            except TimeoutError:
                continue
            if answer and answer.code >= 200:
                return answer
        return None


def read(message: bytes, branch: str) -> Answer | None:
    """The answer to our request with this branch; None for anything else that came."""
    text = message.decode("utf-8", "replace")
    first = re.match(r"SIP/2\.0 ([1-6]\d\d) ?([^\r\n]{0,80})", text)
    if not first or branch not in text:
        return None
    wanted = {"401": "www-authenticate", "407": "proxy-authenticate"}.get(first[1], "")
    challenges = [line.partition(":")[2].strip() for line in text.split("\r\n") if wanted and line.lower().startswith(wanted)]
    known = [one for one in challenges if _algorithm(one) in HASHES]
    return Answer(int(first[1]), first[2], known[0] if known else "")


def _algorithm(challenge: str) -> str:
    return _fields(challenge).get("algorithm", "MD5").upper()


def _fields(challenge: str) -> dict[str, str]:
    return {name.lower(): value.strip('"') for name, value in re.findall(r'([\w-]+)=("[^"]*"|[^,\s]+)', challenge)}


def _credentials(answer: Answer, method: str, uri: str, username: str, password: str) -> str:
    """The header that answers a challenge, "" when it asks for what we cannot do."""
    asked = _fields(answer.challenge)
    if "realm" not in asked or "nonce" not in asked:
        return ""
    make: Callable[[str], str] = lambda text: HASHES[_algorithm(answer.challenge)](text.encode()).hexdigest()
    given = {"username": username, "realm": asked["realm"], "nonce": asked["nonce"], "uri": uri}
    who, what = make(f"{username}:{asked['realm']}:{password}"), make(f"{method}:{uri}")
    plain = {"algorithm": asked["algorithm"]} if "algorithm" in asked else {}
    if "auth" in [word.strip() for word in asked.get("qop", "").split(",")]:
        cnonce = secrets.token_hex(8)
        given["cnonce"] = cnonce
        plain |= {"qop": "auth", "nc": "00000001"}
        given["response"] = make(f"{who}:{asked['nonce']}:00000001:{cnonce}:auth:{what}")
    else:
        given["response"] = make(f"{who}:{asked['nonce']}:{what}")
    if "opaque" in asked:
        given["opaque"] = asked["opaque"]
    words = [f'{name}="{value}"' for name, value in given.items()] + [f"{name}={value}" for name, value in plain.items()]
    name = "Authorization" if answer.code == 401 else "Proxy-Authorization"
    return f"{name}: Digest {', '.join(words)}"
