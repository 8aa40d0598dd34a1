"""Whether the machine's clock is kept right by a time server (SYS-22); hours and records depend on it."""

import ctypes
import os

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
