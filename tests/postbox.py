"""A mail server that keeps what it is given and speaks SMTP as the real ones do: EHLO, STARTTLS, AUTH, refusals, and a temper of its own."""

import base64
import email
import email.policy
import socket
import ssl
import threading
from email.message import EmailMessage
from pathlib import Path


class Postbox:
    """Listens on a free port of loopback. `messages` are what it took; `refuses` a code for the next RCPT; `users` who may log in."""

    def __init__(self, users: dict[str, str] | None = None, certificate: Path | None = None) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refuses = 0
        self.users, self.certificate = users or {}, certificate
        self.logins: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True, name="postbox").start()

    def close(self) -> None:
        """Nobody is taken any more, whoever just waited included."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def __enter__(self) -> "Postbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                link, _address = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(link,), daemon=True).start()

    def _talk(self, link: socket.socket) -> None:
        reader = link.makefile("rb")

        def say(text: str) -> None:
            link.sendall(text.encode() + b"\r\n")

        say("220 postbox ESMTP")
        while line := reader.readline():
            word, _space, rest = line.decode("utf-8", "replace").strip().partition(" ")
            word = word.upper()
            if word == "EHLO":
                offers = ["postbox", *(["STARTTLS"] if self.certificate else []), *(["AUTH PLAIN"] if self.users else [])]
                for place, offer in enumerate(offers, 1):
                    say(f"250{'-' if place < len(offers) else ' '}{offer}")
            elif word == "STARTTLS" and self.certificate:
                say("220 go on")
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(self.certificate)
                try:
                    link = context.wrap_socket(link, server_side=True)
                except ssl.SSLError:  # the other side does not trust our certificate
                    break
                reader = link.makefile("rb")
            elif word == "AUTH":
                _none, user, password = base64.b64decode(rest.split(" ")[1]).decode().split("\0")
                self.logins.append(user)
                say("235 welcome" if self.users.get(user) == password else "535 no")
            elif word == "RCPT" and self.refuses:
                say(f"{self.refuses} not now")
            elif word == "RCPT":
                self.recipients.append(rest[4:].strip("<>"))
                say("250 ok")
            elif word == "DATA":
                say("354 go on")
                content = b""
                while (part := reader.readline()) not in (b".\r\n", b""):
                    content += part.removeprefix(b".") if part.startswith(b"..") else part
                self.messages.append(email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default))
                say("250 taken")
            elif word == "QUIT":
                say("221 bye")
                break
            else:
                say("250 ok" if word in ("MAIL", "RSET", "NOOP", "HELO") else "502 unknown")
        link.close()
