"""The telephone network behind the stand-in's channels: takes the calls that leave by them, and calls in by one of them.

It speaks the packets of standin.c: one connection per call, D and I begin it, then R, U, H, K and A-law audio. What a line can do with
mouth, ears and keys is that of every leg of the tests (tests/voice.py).
"""

import math
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests import media
from tests.voice import Voice
from tests.wire import StillWaiting, Wire, the_wire

ANSWER_SECONDS = 10.0
ALAW = 8
CALLING, RINGING, UP, ENDED = "calling", "ringing", "up", "ended"


class LineAudio:
    """Audio and keys of one line as tests/voice.py wants them; A-law both ways, a packet each 20 ms once it is up."""

    def __init__(self, wire: Wire, connection: socket.socket) -> None:
        self.wire, self.connection = wire, connection
        self.frequency, self.event_type, self.remote = 0, 1, True
        self.heard: list[tuple[float, bytes]] = []
        self.keys: list[tuple[float, str]] = []
        self.is_pressing = False

    def samples(self, since: float = 0.0, until: float = math.inf) -> list[int]:
        with self.wire.changed:
            packets = [audio for at, audio in self.heard if since <= at < until]
        return [sample for audio in packets for sample in map(media.LINEAR[ALAW].__getitem__, audio)]

    def press(self, keys: str) -> None:
        for key in keys:
            self.send(b"K" + key.encode())

    def beat(self) -> None:
        self.send(b"A" + media.tone_packet(ALAW, self.frequency))

    def send(self, packet: bytes) -> None:
        try:
            self.connection.send(packet)
        except OSError:
            self.wire.stop_beat(self)  # the exchange hung up a moment ago; the end is told by the reader


class LineCall(Voice):
    """One call on one channel. `channel` is b0c2, `number` what was dialled ("" for none), `options` those of the dial string."""

    def __init__(self, wire: Wire, connection: socket.socket, channel: str, number: str, options: str = "", *, is_incoming: bool) -> None:
        self.wire, self.connection = wire, connection
        self.media = LineAudio(wire, connection)
        self.frequency = media.own_frequency()
        self.channel, self.number, self.options = channel, "" if number == "-" else number, "" if options == "-" else options
        self.state, self.cause, self.is_incoming = CALLING, 0, is_incoming
        threading.Thread(target=self._follow, daemon=True, name=f"line-{channel}").start()

    def __str__(self) -> str:
        way = "called by the exchange for" if self.is_incoming else "calling"
        return f"line {self.channel} {way} {self.number or '(no number)'} [{self.state} {self.cause}]"

    def answer(self) -> "LineCall":
        self.media.send(b"U")
        self._up()
        return self

    def ring(self) -> None:
        self.media.send(b"R")

    def hang_up(self, cause: int = 16) -> None:
        if self.state != ENDED:
            self.media.send(b"H%d" % cause)
            self._over(cause)

    def wait_answered(self, within_seconds: float = ANSWER_SECONDS) -> "LineCall":
        self._wait(lambda: self.state in (UP, ENDED), within_seconds, "the answer")
        assert self.state == UP, str(self)
        return self

    def wait_ended(self, within_seconds: float = ANSWER_SECONDS) -> "LineCall":
        self._wait(lambda: self.state == ENDED, within_seconds, "the end")
        return self

    def _wait(self, ready: Callable[[], object], within_seconds: float, what: str) -> None:
        self.wire.wait(ready, within_seconds, lambda: f"{self}: waited {within_seconds:g} s for {what}")

    def _follow(self) -> None:
        while True:
            try:
                packet = self.connection.recv(2048)
            except OSError:
                packet = b""
            with self.wire.changed:
                self._heard(packet)
                self.wire.changed.notify_all()
            if not packet or packet[:1] == b"H":
                return

    def _heard(self, packet: bytes) -> None:
        kind, rest = packet[:1], packet[1:]
        if kind == b"A":
            self.media.heard.append((time.monotonic(), rest))
        elif kind == b"K":
            self.media.keys.append((time.monotonic(), rest.decode()))
        elif kind == b"R":
            self.state = RINGING
        elif kind == b"U":
            self._up()
        elif self.state != ENDED:
            self._over(int(rest or b"0"))

    def _up(self) -> None:
        self.state = UP
        self.wire.every_beat(self.media, self.media.beat)

    def _over(self, cause: int) -> None:
        self.state, self.cause = ENDED, cause
        self.wire.stop_beat(self.media)
        self.connection.close()


class Network:
    """Answers what leaves by Khomp channels: `default` is "answer", "ring" (nobody answers) or a cause (17 busy, 34, 1)."""

    def __init__(self, data: Path) -> None:
        self.wire, self.data = the_wire(), data
        self.default: str | int = "answer"
        self.received: list[LineCall] = []
        self._lines: list[LineCall] = []
        path = data / "khomp_network.sock"
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True, name="khomp-network").start()

    def call(self, channel: str, number: str = "", caller: str = "") -> LineCall:
        """A call comes in by this channel; without `number` as an analog line brings it."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(str(self.data / "khomp_lines.sock"))
        connection.send(f"I{channel} {number or '-'} {caller or '-'}".encode())
        line = LineCall(self.wire, connection, channel, number, is_incoming=False)
        self._lines.append(line)
        return line

    def wait_call(self, number: str, within_seconds: float = ANSWER_SECONDS) -> LineCall:
        """The next call that left for this number."""
        try:
            self.wire.wait(lambda: self._of(number), within_seconds, lambda: f"no call for {number}; these came: {[str(one) for one in self.received]}")
        except StillWaiting as why:
            raise AssertionError(str(why)) from None
        return self._of(number)

    def _of(self, number: str) -> LineCall | None:
        return next((line for line in reversed(self.received) if line.number == number), None)

    def close(self) -> None:
        for line in [*self.received, *self._lines]:
            line.hang_up()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
                channel, number, options = connection.recv(2048).decode()[1:].split(" ", 2)
            except (OSError, ValueError):
                if self._listener.fileno() == -1:
                    return
                continue
            with self.wire.changed:
                line = LineCall(self.wire, connection, channel, number, options, is_incoming=True)
                self.received.append(line)
                if self.default == "answer":
                    line.ring()
                    line.answer()
                elif self.default == "ring":
                    line.ring()
                else:
                    line.hang_up(int(self.default))
                self.wire.changed.notify_all()
