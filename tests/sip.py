"""SIP as text: messages, dialogs, session descriptions and digest. Knows no sockets.

Sources: RFC 3261 (SIP), RFC 4566 (SDP), RFC 7616 and RFC 8760 (digest with MD5 and SHA-256).
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from tests.media import PAYLOAD_TYPES, SPEAKS

LONG_NAMES = {"i": "call-id", "f": "from", "t": "to", "v": "via", "m": "contact", "l": "content-length",
              "c": "content-type", "k": "supported", "r": "refer-to", "b": "referred-by", "s": "subject"}  # fmt: skip
REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK", 202: "Accepted",
    302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 484: "Address Incomplete", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error",
    502: "Bad Gateway", 503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline",
}  # fmt: skip
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}

Headers = Iterable[tuple[str, str]]


class Message:
    """One request or response as it was on the wire; `raw` is the exact text."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
        self.start = lines[0]
        self._headers = [_header(line) for line in lines[1:] if ":" in line]
        first, second, third = [*self.start.split(" ", 2), "", ""][:3]
        self.is_response = first.startswith("SIP/")
        self.status, self.reason = (int(second), third) if self.is_response else (0, "")
        self.method, self.uri = ("", "") if self.is_response else (first, second)

    def __str__(self) -> str:
        return self.raw.decode("utf-8", "replace")

    def header(self, name: str, default: str = "") -> str:
        """The first header of that name, in any case of letters."""
        return next(iter(self.headers(name)), default)

    def headers(self, name: str) -> list[str]:
        return [value for key, value in self._headers if key == name.lower()]

    @property
    def call_id(self) -> str:
        return self.header("call-id")

    @property
    def cseq(self) -> int:
        return int(self.header("cseq").split()[0])

    @property
    def cseq_method(self) -> str:
        """"" for what is no SIP message, such as a packet that was meant for whoever had the port before."""
        return self.header("cseq").partition(" ")[2].strip()

    @property
    def branch(self) -> str:
        found = re.search(r"branch=([^;,\s]+)", self.header("via"))
        return found.group(1) if found else ""

    @property
    def from_tag(self) -> str:
        return tag_of(self.header("from"))

    @property
    def to_tag(self) -> str:
        return tag_of(self.header("to"))

    @property
    def sdp(self) -> "Sdp":
        return Sdp(self.body.decode("utf-8", "replace"))


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    name = name.strip().lower()
    return LONG_NAMES.get(name, name), value.strip()


def compose(start: str, headers: Headers, body: bytes = b"") -> bytes:
    """A message as bytes, with its Content-Length."""
    lines = [start, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def token() -> str:
    return secrets.token_hex(6)


def new_branch() -> str:
    return "z9hG4bK" + token()


def tag_of(address: str) -> str:
    found = re.search(r";\s*tag=([^;>\s]+)", address)
    return found.group(1) if found else ""


def without_tag(address: str) -> str:
    return re.sub(r";\s*tag=[^;>\s]+", "", address)


def uri_of(address: str) -> str:
    """The URI of a From, To or Contact, with its own parameters when it stands in < >."""
    found = re.search(r"<([^>]+)>", address)
    return found.group(1) if found else address.split(";")[0].strip()


def raw_user_of(uri: str) -> str:
    """The user part of a URI exactly as written, "" when there is none."""
    return uri.partition(":")[2].rpartition("@")[0].partition(":")[0]


def user_of(uri: str) -> str:
    """The user part of a URI, percent-decoded."""
    return unquote(raw_user_of(uri))


def name_of(address: str) -> str:
    """The display name of a From or P-Asserted-Identity, without quotes."""
    name = address.partition("<")[0].strip() if "<" in address else ""
    return name[1:-1].replace('\\"', '"') if name.startswith('"') else name


def address(user: str, host: str, name: str = "") -> str:
    """A From or To. An empty user leaves it out: <sip:host>."""
    uri = f"<sip:{user}@{host}>" if user else f"<sip:{host}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" {uri}' if name else uri


@dataclass
class Dialog:
    """What requests of one conversation have in common: addresses, tags, Call-ID and the numbering of requests."""

    local: str
    remote: str
    target: str
    call_id: str = field(default_factory=lambda: f"{token()}@phones")
    local_tag: str = field(default_factory=token)
    remote_tag: str = ""
    cseq: int = 0

    @classmethod
    def of_invite(cls, invite: Message) -> "Dialog":
        """The dialog of a received INVITE, seen from the called side."""
        return cls(local=invite.header("to"), remote=without_tag(invite.header("from")), call_id=invite.call_id,
                   target=uri_of(invite.header("contact")), remote_tag=invite.from_tag)  # fmt: skip

    def next_cseq(self) -> int:
        self.cseq += 1
        return self.cseq

    def headers(self, method: str, cseq: int) -> list[tuple[str, str]]:
        remote = f"{self.remote};tag={self.remote_tag}" if self.remote_tag else self.remote
        return [("From", f"{self.local};tag={self.local_tag}"), ("To", remote), ("Call-ID", self.call_id),
                ("CSeq", f"{cseq} {method}")]  # fmt: skip

    def replaces(self) -> str:
        """The Replaces value by which the far end finds its side of this dialog (RFC 3891)."""
        return f"{self.call_id};to-tag={self.remote_tag};from-tag={self.local_tag}"


# -- session descriptions


class Sdp:
    """The audio line of a received session description; `text` is all of it."""

    def __init__(self, text: str) -> None:
        self.text = text
        audio = re.search(r"^m=audio (\d+) \S+ ([\d ]+)", text, re.MULTILINE)
        self.port = int(audio.group(1)) if audio else 0
        self.payload_types = [int(number) for number in audio.group(2).split()] if audio else []
        self.names = {number: name for name, number in PAYLOAD_TYPES.items() if number < 96}
        named = re.findall(r"^a=rtpmap:(\d+) ([^/\s]+)", text, re.MULTILINE)
        self.names |= {int(number): name for number, name in named}

    def __bool__(self) -> bool:
        return bool(self.payload_types)

    @property
    def remote(self) -> tuple[str, int]:
        found = re.search(r"^c=IN IP4 (\S+)", self.text, re.MULTILINE)
        return (found.group(1) if found else "", self.port)

    @property
    def codecs(self) -> list[str]:
        """Names in the order of preference, key presses left out."""
        names = [self.names.get(number, str(number)) for number in self.payload_types]
        return [name for name in names if name.lower() not in ("telephone-event", "cn")]

    @property
    def event_type(self) -> int:
        """The payload type of key presses, 0 when they are not offered."""
        return next((kind for kind in self.payload_types if self.names.get(kind) == "telephone-event"), 0)

    @property
    def direction(self) -> str:
        found = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", self.text, re.MULTILINE)
        return found.group(1) if found else "sendrecv"

    def first_spoken(self, codecs: Iterable[str]) -> int | None:
        """The payload type to speak: the first one listed that a phone can speak and has in `codecs`."""
        allowed = set(codecs)
        return next((kind for kind in self.payload_types if SPEAKS.get(kind) in allowed), None)


def session(host: str, port: int, codecs: Iterable[str], direction: str, version: int, event_type: int) -> bytes:
    """A session description of one audio stream; `event_type` 0 leaves key presses out."""
    kinds = {PAYLOAD_TYPES[name]: f"{name}/{48000 if name == 'opus' else 8000}" for name in codecs}
    if event_type:
        kinds[event_type] = "telephone-event/8000"
    lines = ["v=0", f"o=- {port} {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0",
             f"m=audio {port} RTP/AVP {' '.join(map(str, kinds))}"]  # fmt: skip
    lines += [f"a=rtpmap:{kind} {name}" for kind, name in kinds.items()]
    lines += [f"a=fmtp:{event_type} 0-16"] if event_type else []
    return "\r\n".join([*lines, "a=ptime:20", f"a={direction}", ""]).encode()


# -- digest


def _fields(header: str) -> dict[str, str]:
    return {name.lower(): value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', header)}


def _digest(algorithm: str, *parts: str) -> str:
    return HASHES[algorithm](":".join(parts).encode()).hexdigest()


def _response(fields: dict[str, str], password: str, method: str) -> str:
    algorithm = fields.get("algorithm", "MD5").upper()
    who = _digest(algorithm, fields["username"], fields["realm"], password)
    what = _digest(algorithm, method, fields["uri"])
    if "qop" not in fields:
        return _digest(algorithm, who, fields["nonce"], what)
    return _digest(algorithm, who, fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], what)


def challenges(response: Message) -> list[dict[str, str]]:
    """What a 401 or 407 asks, hashes we know only, in the server's order."""
    name = "www-authenticate" if response.status == 401 else "proxy-authenticate"
    asked = [_fields(value) for value in response.headers(name)]
    return [fields for fields in asked if fields.get("algorithm", "MD5").upper() in HASHES]


def credentials_for(challenge: Message, method: str, uri: str, user: str, password: str) -> tuple[str, str]:
    """The header that answers a 401 or 407. Raises ValueError when no known hash is asked for."""
    asked = challenges(challenge)
    if not asked:
        raise ValueError(f"no digest we know in\n{challenge}")
    fields = {key: asked[0][key] for key in ("realm", "nonce", "algorithm", "opaque") if key in asked[0]}
    fields |= {"username": user, "uri": uri}
    if "auth" in asked[0].get("qop", "").split(","):
        fields |= {"qop": "auth", "nc": "00000001", "cnonce": token()}
    fields["response"] = _response(fields, password, method)
    bare = ("algorithm", "qop", "nc")
    text = ", ".join(f"{key}={value}" if key in bare else f'{key}="{value}"' for key, value in fields.items())
    return ("Authorization" if challenge.status == 401 else "Proxy-Authorization", f"Digest {text}")


def answers_challenge(header: str, method: str, nonces: set[str], user: str, password: str) -> bool:
    """True when an Authorization header proves the password for one of our nonces."""
    fields = _fields(header)
    if fields.get("username") != user or fields.get("nonce") not in nonces or "realm" not in fields:
        return False
    return secrets.compare_digest(fields.get("response", ""), _response(fields, password, method))
