"""Which kind of machine the proofs start: an emulated one, or with BENTEVI_NATIVE=1 the disk's own system on this machine's processor (native.py)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from os_image.checks import native, wrapped
from os_image.checks.qemu import Machine

IS_NATIVE = os.environ.get("BENTEVI_NATIVE") == "1"
PACE = 0.05 if IS_NATIVE else 1.0  # of what is waited for in the midst of work, against an emulated machine


def machine(folder: Path, name: str, **told: Any) -> Machine:
    """One machine, not started yet; `told` as Machine's."""
    return (native.Native if IS_NATIVE else Machine)(folder, name, **told)


@contextmanager
def ground(folder: Path) -> Iterator[Path]:
    """The folder that the disks of machines lie in while it lasts."""
    if IS_NATIVE:
        with native.ground(folder) as found:
            yield found
    else:
        yield folder


def disk(product: Path, target: Path) -> Path:
    """A disk that begins as the disk image; `target` without its ending."""
    if IS_NATIVE:
        return native.disk(product, target.with_suffix(".raw"))
    return wrapped.layer(product, "raw", target.with_suffix(".qcow2"))


def layer(frozen: Path, target: Path) -> Path:
    """A disk that begins as one that was set aside, which stays as it is; `target` without its ending."""
    if IS_NATIVE:
        return native.same(frozen, target.with_suffix(".raw"))
    return wrapped.layer(frozen, "qcow2", target.with_suffix(".qcow2"))
