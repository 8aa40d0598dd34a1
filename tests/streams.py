"""A page's stream without a browser: opened over HTTP, read on a thread, its messages kept."""

import http.client
import re
import threading
from dataclasses import dataclass
from typing import Any

from appliance import settings
from tests.player import until


@dataclass(frozen=True)
class Message:
    """One event of a stream."""

    kind: str
    number: int  # of its channel
    channel: str
    data: str


class Streamed:
    """`with Streamed("/live/calls", cookie) as stream:` — `status` is HTTP's, `messages` what came, `is_over` its end."""

    def __init__(self, path: str, cookie: str = "", method: str = "GET", headers: dict[str, str] | None = None) -> None:
        port = settings.load().http_port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.connection._http_vsn, self.connection._http_vsn_str = 10, "HTTP/1.0"  # without chunks, which http.client reads late
        sent = {"Cookie": f"bentevi_{port}={cookie}"} if cookie else {}
        self.connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (sent | (headers or {})).items():
            self.connection.putheader(name, value)
        self.connection.endheaders()
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        self.messages: list[Message] = []
        self.raw: list[str] = []
        self.is_over = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def __enter__(self) -> "Streamed":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def _read(self) -> None:
        event: dict[str, list[str]] = {}
        rest = ""
        try:
            while more := self.answer.read1(1 << 16):
                *lines, rest = (rest + more.decode()).split("\n")
                for line in lines:
                    self.raw.append(line)
                    if line:
                        name, _, value = line.partition(":")
                        event.setdefault(name, []).append(value.removeprefix(" "))
                    else:
                        self._take(event)
                        event = {}
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as why:  # closed under our hands by __exit__
            self.raw.append(f"closed: {why}")
        self.is_over = True

    def _take(self, event: dict[str, list[str]]) -> None:
        found = re.fullmatch(r"\w+\.(.+)\.(\d+)", event.get("id", [""])[0])
        kind = event.get("event", [""])[0]
        if kind:
            self.messages.append(Message(kind, int(found[2]) if found else 0, found[1] if found else "", "\n".join(event.get("data", []))))

    def parts(self, channel: str) -> list[Message]:
        """The messages of a channel, in order."""
        return [message for message in self.messages if message.kind == "part" and message.channel == channel]

    def wait(self, text: str, channel: str = "", seconds: float = 15) -> Message:
        """The first part that holds the text."""
        def found() -> Any:
            return next((one for one in list(self.messages) if one.kind == "part" and text in one.data and channel in ("", one.channel)), None)

        message = until(found, seconds)
        assert message, f"{text!r} did not come:\n" + "\n".join(self.raw[-40:])
        return message

    def wait_over(self, seconds: float = 15) -> list[Message]:
        """The server ended it; what came."""
        assert until(lambda: self.is_over, seconds), "still open"
        return self.messages
