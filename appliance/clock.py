"""Whether the machine's clock is kept right by a time server (SYS-22); hours and records depend on it."""

import ctypes
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

_UNSYNCHRONISED = 0x0040  # STA_UNSYNC of <sys/timex.h>


class _Timex(ctypes.Structure):
    """The part of struct timex that is read; the rest is room the kernel may write to."""

    _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
                ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_char * 512)]


def is_synchronised() -> bool:
    """True while the kernel says that a time server steers the clock. Raises OSError when it cannot be asked."""
    buffer = _Timex(modes=0)
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return not buffer.status & _UNSYNCHRONISED


_SMALLEST_STEP_SECONDS = 0.5  # less is the time server's slow pull, and our own waiting for the processor
_JUST_NOW_SECONDS, _ONE_INSTANT_SECONDS = 0.3, 0.05


Clock = Callable[[], float]


def _steady() -> float:
    """Seconds since the machine started, its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Steps:
    """Notices when somebody sets the clock, by comparing it with the time since the machine started, which nobody sets.

    `shift` is by how many seconds it was set forward in all. Another start of the machine begins a new comparison: how long it
    was off nobody knows.
    """

    def __init__(self, facts: dict[str, Any] | None = None, wall: Clock = time.time, steady: Clock = _steady) -> None:
        """Go on from what `facts()` gave, or begin."""
        self._wall, self._steady = wall, steady
        known = facts or {}
        self.shift = self._before = float(known.get("shift", 0.0))
        self._step, self._after_from, self._before_until = 0.0, 0.0, 0.0
        is_same_start = known.get("boot") == machine_boot()
        self._last, self._offset = (float(known["at"]), float(known["offset"])) if is_same_start else self._read()

    def look(self) -> float:
        """Compare; the step found since the last look, in seconds, or 0."""
        now, offset = self._read()
        step = offset - self._offset
        if abs(step) >= _SMALLEST_STEP_SECONDS:
            self._before, self.shift, self._step = self.shift, self.shift + step, step
            self._after_from, self._before_until = self._last + step, now - step
        else:
            step = 0.0
        self._offset, self._last = offset, now
        return step

    def _read(self) -> tuple[float, float]:
        """(wall clock, by how much it is ahead of the steady one), both of one instant: not with a pause of ours in between."""
        while True:
            before, now, after = self._steady(), self._wall(), self._steady()
            if after - before < _ONE_INSTANT_SECONDS:
                return now, now - before

    def shift_at(self, at: float) -> float:
        """The shift that held when something was written that bears the time `at` and was read just now.

        After a step forward, what is older than the step's other side was written before it; after a step back, what lies ahead of now.
        """
        is_before = at < max(self._after_from, self._before_until) if self._step > 0 else at > self._last + _JUST_NOW_SECONDS
        return self._before if self._step and is_before else self.shift

    def facts(self) -> dict[str, Any]:
        """What a later process goes on from."""
        return {"shift": self.shift, "boot": machine_boot(), "offset": self._offset, "at": self._last}


@cache
def machine_boot() -> str:
    """Which start of the machine this is: the kernel's name for it, the same for as long as we live."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
