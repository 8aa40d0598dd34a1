"""The sockets and the clock of the test phones: one background thread, one lock, datagrams and timers.

Everything a phone knows changes while `Wire.changed` is held, either by this thread (a datagram, a timer) or by the
test's own thread (a key pressed). So tests are plain functions and nothing is seen half done.
"""

import functools
import heapq
import itertools
import selectors
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

BEAT_SECONDS = 0.02
POLL_SECONDS = 0.06
LATEST_BEAT_SECONDS = 0.5


class StillWaiting(AssertionError):
    """A deadline passed: the text says who waited for what, and what that leg saw last."""


@dataclass(order=True)
class Timer:
    """Something to do at `due` (monotonic seconds), unless cancelled before."""

    due: float
    order: int
    do: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class Wire:
    """Runs for the whole test process. `mistakes` holds the traces of our own errors in the background thread."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.mistakes: list[str] = []
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._beats: dict[object, Callable[[], None]] = {}
        self._is_beating = False
        self._selector = selectors.DefaultSelector()
        self._wake_up, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._swallow_wake_up)
        threading.Thread(target=self._run, daemon=True, name="test-phones").start()

    # -- what phones use

    def open(self, host: str, port: int, received: Callable[[bytes, tuple[str, int]], None]) -> socket.socket:
        """A bound UDP socket whose datagrams go to `received`. Port 0: any free one. OSError when taken."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listening.setblocking(False)
        listening.bind((host, port))
        with self.changed:
            self._selector.register(listening, selectors.EVENT_READ, lambda: self._read(listening, received))
            self._wake()
        return listening

    def close(self, listening: socket.socket) -> None:
        """Closing twice is fine."""
        with self.changed:
            if listening.fileno() != -1:
                self._selector.unregister(listening)
                listening.close()

    def after(self, seconds: float, do: Callable[[], None]) -> Timer:
        with self.changed:
            timer = Timer(time.monotonic() + seconds, next(self._order), do)
            heapq.heappush(self._timers, timer)
            self._wake()
        return timer

    def every_beat(self, owner: object, do: Callable[[], None]) -> None:
        """Calls `do` each 20 ms until `stop_beat(owner)`; all beats of a process fall together."""
        with self.changed:
            self._beats[owner] = do
            if not self._is_beating:
                self._is_beating = True
                self._beat(time.monotonic())

    def stop_beat(self, owner: object) -> None:
        with self.changed:
            self._beats.pop(owner, None)

    # -- what tests wait with

    def wait(self, ready: Callable[[], object], within_seconds: float, explain: Callable[[], str]) -> None:
        """Returns as soon as `ready()` is true; raises StillWaiting with `explain()` after the deadline."""
        with self.changed:
            self.changed.wait_for(lambda: ready() or self.mistakes, within_seconds)
            self.raise_mistakes()
            if not ready():
                raise StillWaiting(explain())

    def comes_true(self, ready: Callable[[], object], within_seconds: float) -> bool:
        """Asks again and again until `ready()` is true or the time is over. For questions too dear for every packet."""
        deadline = time.monotonic() + within_seconds
        while not ready():
            self.raise_mistakes()
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def raise_mistakes(self) -> None:
        if self.mistakes:
            raise RuntimeError("the test phones made a mistake of their own:\n" + self.mistakes.pop(0))

    # -- the thread

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select(self._seconds_to_next_timer()):
                self._guarded(key.data)
            while timer := self._due_timer():
                self._guarded(timer.do)

    def _guarded(self, do: Callable[[], None]) -> None:
        """Our own edge: an error here is kept for the test that waits, and the other phones go on."""
        with self.changed:
            try:
                do()
            except Exception:
                self.mistakes.append(traceback.format_exc())
            self.changed.notify_all()

    def _read(self, listening: socket.socket, received: Callable[[bytes, tuple[str, int]], None]) -> None:
        while listening.fileno() != -1:
            try:
                data, address = listening.recvfrom(65535)
            except BlockingIOError:
                return
            received(data, address)

    def _beat(self, due: float) -> None:
        """Keeps its pace after a short delay, and starts anew after a long one instead of sending a flood."""
        for do in list(self._beats.values()):
            do()
        self._is_beating = bool(self._beats)
        if self._is_beating:
            now = time.monotonic()
            due = due + BEAT_SECONDS if now - due < LATEST_BEAT_SECONDS else now + BEAT_SECONDS
            self.after(due - now, lambda: self._beat(due))

    def _seconds_to_next_timer(self) -> float | None:
        with self.changed:
            return max(0.0, self._timers[0].due - time.monotonic()) if self._timers else None

    def _due_timer(self) -> Timer | None:
        with self.changed:
            while self._timers and (self._timers[0].cancelled or self._timers[0].due <= time.monotonic()):
                timer = heapq.heappop(self._timers)
                if not timer.cancelled:
                    return timer
        return None

    def _wake(self) -> None:
        if threading.current_thread().name != "test-phones":
            self._wake_up.send(b".")

    def _swallow_wake_up(self) -> None:
        self._woken.recv(4096)


@functools.cache
def the_wire() -> Wire:
    """The one Wire of this process, started at first use."""
    return Wire()
