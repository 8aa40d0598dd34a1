"""SIP over a websocket through the exchange's own nginx: just what a browser's softphone needs to register and call."""

import base64
import os
import socket
import ssl
import struct

from tests import sip


def opening(host: str) -> bytes:
    """The request that turns a connection into a websocket of SIP."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n").encode()


def frame(content: bytes) -> bytes:
    """One text frame, masked as a client must."""
    mask, length = os.urandom(4), len(content)
    size = struct.pack("!BB", 0x81, 0x80 | length) if length < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, length)
    return size + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))


class Softphone:
    """One connection to wss://NAME:PORT/ws; speaks text frames. Raises ConnectionError when the far end closes."""

    def __init__(self, port: int, number: str, password: str, context: ssl.SSLContext, name: str = "localhost", source: str = "127.0.0.1") -> None:
        self.number, self.password, self.rest = number, password, b""
        self.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)), server_hostname=name)
        self.sock.sendall(opening(name))
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _end, self.rest = self.rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head.decode()
        self.uri, self.tag, self.call_id, self.cseq = f"sip:{number}@bentevi", sip.token(), sip.token(), 0

    def certificate(self) -> bytes:
        """What it was shown, DER."""
        return self.sock.getpeercert(binary_form=True)

    def close(self) -> None:
        self.sock.close()

    def send(self, text: str) -> None:
        self.sock.sendall(frame(text.encode()))

    def receive(self) -> sip.Message:
        """The next SIP message."""
        while True:
            while len(self.rest) < 2:
                self._more()
            size, start = self.rest[1] & 127, 2
            if size == 126:
                while len(self.rest) < 4:
                    self._more()
                size, start = struct.unpack("!H", self.rest[2:4])[0], 4
            while len(self.rest) < start + size:
                self._more()
            kind, content, self.rest = self.rest[0] & 15, self.rest[start:start + size], self.rest[start + size:]
            if kind == 8:
                raise ConnectionError("closed by the far end")
            if kind == 1 and content.strip():
                return sip.Message(content)

    def _more(self) -> None:
        part = self.sock.recv(65536)
        if not part:
            raise ConnectionError("closed by the far end")
        self.rest += part

    def ask(self, method: str, target: str, body: str = "", **more: str) -> sip.Message:
        """A request and its last answer; a challenge is answered once."""
        answer = self._asked(method, target, body, more, {})
        if answer.status in (401, 407):
            if method == "INVITE":
                self._acknowledge(target, answer)
            answer = self._asked(method, target, body, more, dict([sip.credentials_for(answer, method, target, self.number, self.password)]))
        return answer

    def _asked(self, method: str, target: str, body: str, more: dict[str, str], credentials: dict[str, str]) -> sip.Message:
        self.cseq += 1
        to = more.get("to", f"<{self.uri}>")
        lines = [f"{method} {target} SIP/2.0", f"Via: SIP/2.0/WSS {self.tag}.invalid;branch={sip.new_branch()}", "Max-Forwards: 70",
                 f"From: <{self.uri}>;tag={self.tag}", f"To: {to}", f"Call-ID: {self.call_id}", f"CSeq: {self.cseq} {method}",
                 f"Contact: <sip:{self.number}@{self.tag}.invalid;transport=ws>",
                 *[f"{name}: {value}" for name, value in more.items() if name != "to"], *[f"{name}: {value}" for name, value in credentials.items()],
                 *(["Content-Type: application/sdp"] if body else []), f"Content-Length: {len(body)}"]
        self.send("\r\n".join(lines) + "\r\n\r\n" + body)
        while True:
            answer = self.receive()
            if answer.is_response and answer.cseq == self.cseq and answer.status >= 200:
                return answer
            if not answer.is_response and answer.method == "OPTIONS":
                self.answer(answer)

    def answer(self, request: sip.Message) -> None:
        """200 to a request of the far end."""
        lines = ["SIP/2.0 200 OK", *[f"Via: {via}" for via in request.headers("via")], f"From: {request.header('from')}", f"To: {request.header('to')};tag={self.tag}",
                 f"Call-ID: {request.call_id}", f"CSeq: {request.header('cseq')}", "Content-Length: 0"]
        self.send("\r\n".join(lines) + "\r\n\r\n")

    def _acknowledge(self, target: str, answer: sip.Message) -> None:
        lines = [f"ACK {target} SIP/2.0", f"Via: {answer.header('via')}", "Max-Forwards: 70", f"From: {answer.header('from')}", f"To: {answer.header('to')}",
                 f"Call-ID: {self.call_id}", f"CSeq: {answer.cseq} ACK", "Content-Length: 0"]
        self.send("\r\n".join(lines) + "\r\n\r\n")

    def register(self) -> int:
        """The status of the last answer."""
        return self.ask("REGISTER", "sip:bentevi", Expires="300").status

    def call(self, number: str, sdp: str) -> sip.Message:
        """The final answer to an INVITE, acknowledged."""
        target = f"sip:{number}@bentevi"
        answer = self.ask("INVITE", target, sdp, to=f"<{target}>")
        self._acknowledge(target, answer)
        self.last_to = answer.header("to")
        return answer
