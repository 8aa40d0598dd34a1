"""A stranger on the network who speaks SIP by hand: one message, whatever it is, and every answer to it."""

import re
import socket
import time

from tests.sip import Headers, Message, compose, new_branch, token

SESSION = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"


class Stranger:
    """One socket. `host`: another address of this machine, so that what is refused by address is not the phones."""

    def __init__(self, exchange: tuple[str, int], host: str = "127.0.0.1") -> None:
        self.exchange = exchange
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.here = f"{host}:{self.socket.getsockname()[1]}"

    def __enter__(self) -> "Stranger":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def message(self, method: str, user: str, *, uri: str = "", sender: str = "", headers: Headers = (), body: bytes = b"") -> bytes:
        """A request to a user; its From is the same user unless another sender is said."""
        host, port = self.exchange
        uri = uri or (f"sip:{host}:{port}" if method == "REGISTER" else f"sip:{user}@{host}:{port}")
        sender = sender or f"<sip:{user}@{host}>"
        return compose(f"{method} {uri} SIP/2.0", [
            ("Via", f"SIP/2.0/UDP {self.here};branch={new_branch()}"), ("Max-Forwards", "70"), ("From", f"{sender};tag={token()}"),
            ("To", f"<sip:{user}@{host}>"), ("Call-ID", token()), ("CSeq", f"1 {method}"), ("Contact", f"<sip:{user}@{self.here}>"), *headers,
        ], body)  # fmt: skip

    def send(self, raw: bytes) -> None:
        self.socket.sendto(raw, self.exchange)

    def hear(self, seconds: float) -> list[Message]:
        """All answers that come in so many seconds; a final one ends the waiting."""
        found: list[Message] = []
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65535)
            except TimeoutError:
                break
            found.append(Message(data))
            if found[-1].status >= 200:
                break
        return found

    def ask(self, method: str, user: str, *, seconds: float = 5.0, **more) -> list[Message]:
        """One request and its answers."""
        self.send(self.message(method, user, **more))
        return self.hear(seconds)


def told(answers: list[Message], user: str) -> list[str]:
    """What answers say, without what differs in each of them: nonces, tags, branches, addresses, and the user asked for."""
    texts = []
    for one in answers:
        text = re.sub(r'(nonce|opaque|branch|tag|received|rport)="?[^",;\r\n]*"?', r"\1=*", str(one))
        text = re.sub(r"(?m)^(Call-ID|Date|Via): [^\r\n]*", r"\1: *", text)
        texts.append(text.replace(user, "USER"))
    return texts
