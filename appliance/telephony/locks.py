"""One at a time on this machine: a locked file, freed by the system when its holder dies."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK_SECONDS = 0.02


@contextmanager
def held(file: Path, wait_seconds: float) -> Iterator[bool]:
    """Whether the lock is ours, after waiting for it at most so long."""
    ends_at = time.monotonic() + wait_seconds
    with file.open("a") as opened:
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= ends_at:
                    yield False
                    return
                time.sleep(LOOK_SECONDS)
        yield True
