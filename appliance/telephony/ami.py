"""The manager interface: connect, ask, listen. The only importer of pyst2's `asterisk.manager`.

pyst2 0.5.1 keeps its Manager (login, errors); its transport is replaced, because against Asterisk 22 it reads byte by
byte (10,000 events cost 5.7 s, here 0.3 s), gives answers to the wrong thread, loses `Output:` lines and list events,
stops for good at a caller named "x status will follow", and sends line breaks in values as they are.
"""

import itertools
import logging
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.errors import Busy
from appliance.settings import Settings
from asterisk import manager as pyst2

log = logging.getLogger(__name__)

Headers = dict[str, str]
Value = str | int | Iterable[str]

# Events waiting for a slow handler. The reader never blocks: Asterisk cuts off a client that does not read.
BACKLOG = 200_000


@dataclass
class Answer:
    """What Asterisk said to one action: its headers, the lines of a command, and the events of a list."""

    headers: Headers
    output: str = ""
    events: list[Headers] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """False for `Response: Error`; `headers["Message"]` then says why."""
        return self.headers.get("Response") != "Error"


@dataclass(frozen=True)
class Question:
    """An action somebody wants sent who may not wait; `fold` gets the answer later, on another thread."""

    action: Headers
    fold: "Callable[[Answer], None] | None" = None


# Asked one after the other by the process that listens (appliance/events.py), in this order.
questions: "queue.SimpleQueue[Question]" = queue.SimpleQueue()


class _Message(pyst2.ManagerMsg):
    """What pyst2's login expects of an answer: it only asks for headers."""

    def __init__(self, answer: Answer) -> None:
        self.headers, self.data, self.response = answer.headers, answer.output, None

    def get_header(self, name: str, default: str | None = None) -> str | None:
        return self.headers.get(name, default)


class Connection(pyst2.Manager):
    """One session. Not reusable after a loss: make a new one.

    `on_event` receives every event that is no answer, in order, on one thread of its own; what it raises is logged
    and the next event follows.
    """

    def __init__(
        self, on_event: Callable[[Headers], None] | None = None, on_lost: Callable[[], None] | None = None
    ) -> None:
        # pyst2's own __init__ makes two threads by methods newer Pythons remove; of its fields login() needs these.
        self._connected, self._running = threading.Event(), threading.Event()
        self._on_event, self._on_lost = on_event, on_lost
        self._numbers = itertools.count(1)
        self._tag = secrets.token_hex(6)  # so that a remote text can never guess an ActionID
        self._waiting: dict[str, queue.SimpleQueue[Headers | None]] = {}
        self._sending = threading.Lock()
        self._events: queue.Queue[Headers | None] = queue.Queue(BACKLOG)
        self._socket: socket.socket | None = None
        self.dropped_count = 0

    def __del__(self) -> None:
        """pyst2 logs off here, on whichever thread the collector runs; close() is called by name instead."""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, port: int, user: str, secret: str, host: str = "127.0.0.1", timeout: float = 5) -> "Connection":
        """Connects and logs in. Raises Busy when nothing answers or the login is refused."""
        try:
            self._socket = socket.create_connection((host, port), timeout)
            reader = self._socket.makefile("rb", buffering=1 << 16)
            self.title, _, self.version = reader.readline().decode().strip().partition("/")
            self._socket.settimeout(None)
        except OSError as why:
            raise Busy(f"Asterisk's manager does not answer on {host}:{port}: {why}") from why
        self._connected.set()
        self._running.set()
        self._thread(self._read, reader)
        if self._on_event:
            self._thread(self._dispatch)
        try:
            self.login(user, secret)
        except pyst2.ManagerException as why:
            self.close()
            raise Busy(f"Asterisk's manager refuses the user {user}") from why
        return self

    def ask(self, action: Mapping[str, Value], timeout: float = 10) -> Answer:
        """Sends one action and waits for its answer and, for lists, all its events.

        A header may have several values. Raises ValueError for a line break in a header (it would be an action of its
        own), Busy when the connection is gone or the answer is not complete after `timeout` seconds.
        """
        number = f"{self._tag}-{next(self._numbers)}"
        text = _text({**action, "ActionID": number})
        inbox = self._waiting[number] = queue.SimpleQueue()
        ends_at = time.monotonic() + timeout
        try:
            self._send(text)
            answer = _answer(self._next(inbox, ends_at))
            if answer.headers.get("EventList") == "start":
                while (event := self._next(inbox, ends_at)).get("EventList", "").lower() != "complete":
                    answer.events.append(event)
            return answer
        finally:
            del self._waiting[number]

    def send_action(self, cdict: Mapping[str, Value] | None = None, **headers: Value) -> _Message:
        """pyst2's own name for it, which its login uses."""
        return _Message(self.ask({**(cdict or {}), **headers}))

    def close(self) -> None:
        """Ends the session; may be called twice and on a dead one."""
        self._running.clear()
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError as why:
                log.debug("ami: already closed: %s", why)
            self._socket.close()

    def _send(self, text: str) -> None:
        if self._socket is None or not self._connected.is_set():
            raise Busy("Not connected to Asterisk's manager")
        try:
            with self._sending:
                self._socket.sendall(text.encode())
        except OSError as why:
            raise Busy(f"Asterisk's manager is gone: {why}") from why

    def _next(self, inbox: "queue.SimpleQueue[Headers | None]", ends_at: float) -> Headers:
        try:
            message = inbox.get(timeout=max(0.001, ends_at - time.monotonic()))
        except queue.Empty:
            raise Busy("Asterisk's manager did not answer in time") from None
        if message is None:
            raise Busy("Asterisk's manager closed the connection")
        return message

    def _read(self, reader: Iterable[bytes]) -> None:
        """Cuts the stream into messages until it ends, then tells everyone who waits."""
        headers: Headers = {}
        try:
            for raw in reader:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                if line:
                    _add(headers, line)
                elif headers:
                    self._route(headers)
                    headers = {}
        except (OSError, ValueError) as why:  # ValueError: the file was closed under our hands by close()
            log.info("ami: connection lost: %s", why)
        self._connected.clear()
        for inbox in list(self._waiting.values()):
            inbox.put(None)
        if self._on_event:
            self._events.put(None)
        if self._on_lost:
            self._on_lost()

    def _route(self, headers: Headers) -> None:
        inbox = self._waiting.get(headers.get("ActionID", ""))
        if "Response" in headers and "Event" not in headers:  # OriginateResponse has both
            if inbox:
                inbox.put(headers)
            return
        # An OriginateResponse carries the ActionID of its Originate, whose answer came long before.
        if inbox and headers.get("Event") not in ("UserEvent", "OriginateResponse"):
            inbox.put(headers)
        elif self._on_event and "Event" in headers:
            try:
                self._events.put_nowait(headers)
            except queue.Full:
                self.dropped_count += 1

    def _dispatch(self) -> None:
        assert self._on_event is not None
        while (event := self._events.get()) is not None:
            try:
                self._on_event(event)
            except Exception:
                log.exception("ami: %s was not understood", event.get("Event"))

    def _thread(self, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, daemon=True, name=f"ami-{work.__name__}").start()


def actions(settings: Settings) -> Connection:
    """A session for orders, without events. Raises Busy."""
    secret = (settings.secrets / "ami_actions").read_text().strip()
    return Connection().open(settings.ami_port, "bentevi-actions", secret)


def _add(headers: Headers, line: str) -> None:
    """One `Key: value`. Lines of a command's output come as repeated `Output:` and are joined; others keep the last."""
    key, _, value = line.partition(":")
    value = value.removeprefix(" ")
    if key in ("Output", "ChanVariable") and key in headers:
        headers[key] += "\n" + value
    else:
        headers[key] = value


def _answer(headers: Headers) -> Answer:
    output = headers.pop("Output", "")
    return Answer(headers, output)


def _text(action: Mapping[str, Value]) -> str:
    lines: list[str] = []
    for key, value in action.items():
        values = [str(value)] if isinstance(value, (str, int)) else [str(one) for one in value]
        lines += [f"{key}: {one}" for one in values]
    if any(sign in line for line in lines for sign in "\r\n\0"):
        raise ValueError("a line break in a header of an action")
    return "\r\n".join(lines) + "\r\n\r\n"
