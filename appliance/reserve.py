"""Room on the disk that is kept aside, so that a home whose disk is full can start: pid files, logs and the rows of the first calls need some."""

import os
import shutil

from appliance.settings import Settings

NAME = "reserve"
MOST_BYTES, SHARE = 64 * 2**20, 20  # at most so much, and a twentieth of the disk
FULL_BYTES = 2 * 2**20              # with less than this free nothing can start


def keep(machine: Settings) -> None:
    """Set it aside, once there is plenty of room again. Where the disk's kind cannot promise room, nothing is kept."""
    file, usage = machine.home / NAME, shutil.disk_usage(machine.home)
    size = min(MOST_BYTES, usage.total // SHARE)
    if file.exists() or usage.free < 2 * size:
        return
    try:
        with open(file, "xb") as out:
            os.posix_fallocate(out.fileno(), 0, size)
    except OSError:
        file.unlink(missing_ok=True)


def give_up(machine: Settings) -> bool:
    """Hand it back when the disk is full; whether there was any."""
    file = machine.home / NAME
    if shutil.disk_usage(machine.home).free >= FULL_BYTES or not file.exists():
        return False
    file.unlink()
    return True
