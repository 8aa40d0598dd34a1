"""Which disks an installation may take: whole, writable, large enough, and never the medium it runs from."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from os_image.installer.answers import Wrong

SMALLEST_BYTES = 12_000_000_000   # one root partition, and some room for data
TWO_ROOTS_BYTES = 20_000_000_000  # below it there is no second root partition: an update then needs the medium
COLUMNS = "NAME,PATH,TYPE,SIZE,RO,RM,MODEL,SERIAL,TRAN,LABEL,PARTLABEL,MOUNTPOINTS"


@dataclass(frozen=True)
class Disk:
    """A disk as a person recognises it. `has_data`: an earlier installation's data partition is on it."""

    path: str
    size_bytes: int
    model: str
    serial: str
    transport: str
    has_data: bool = False
    partitions: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """Model, size and serial number: what is printed on it."""
        words = [self.model or "disco", f"{self.size_bytes / 1e9:.0f} GB", self.transport, f"nº {self.serial}" if self.serial else ""]
        return ", ".join(word for word in words if word) + (" [tem dados do Bentevi]" if self.has_data else "")


def seen() -> list[dict[str, Any]]:
    """What lsblk says, as a tree."""
    run = subprocess.run(["lsblk", "--json", "--bytes", "--output", COLUMNS], capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(run.stdout)["blockdevices"]
    return found


def suitable(devices: Iterable[dict[str, Any]], smallest_bytes: int = SMALLEST_BYTES) -> list[Disk]:
    """The disks one may choose from, in the order the system names them."""
    found = []
    for device in devices:
        if device["type"] != "disk" or device["ro"] or int(device["size"] or 0) < smallest_bytes or device["name"].startswith(("zram", "ram", "fd")):
            continue
        if in_use(device) or is_medium(device):
            continue
        parts = list(tree(device))[1:]
        found.append(Disk(device["path"], int(device["size"]), _words(device["model"]), _words(device["serial"]), device["tran"] or "",
                          any(part["label"] == "bentevi-data" for part in parts), tuple(part["path"] for part in parts)))
    return found


def tree(device: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The device and everything on it."""
    yield device
    for child in device.get("children") or ():
        yield from tree(child)


def in_use(device: dict[str, Any]) -> bool:
    """Something of it is mounted, the medium itself among others (live-boot mounts it at /run/live/medium)."""
    return any(point for part in tree(device) for point in part.get("mountpoints") or ())


def is_medium(device: dict[str, Any]) -> bool:
    """A stick written with our ISO, also one that is not the one we run from, and the stick with the answers."""
    return any(part.get("label") in ("BENTEVI", "BENTEVI-CFG") for part in tree(device))


def chosen(disks: list[Disk], target: str) -> Disk:
    """What the answers name; `auto` only where there is no choice. Raises Wrong."""
    if target in ("", "auto"):
        if len(disks) != 1:
            raise Wrong(f"{len(disks)} disks could be taken: BENTEVI_TARGET must name one")
        return disks[0]
    for disk in disks:
        if disk.path == target:
            return disk
    raise Wrong(f"{target} cannot be taken: not there, too small, read-only, in use or the medium itself")


def partition(path: str, number: int) -> str:
    """/dev/sda, 3 → /dev/sda3; /dev/nvme0n1, 3 → /dev/nvme0n1p3."""
    return f"{path}p{number}" if path[-1].isdigit() else f"{path}{number}"


def _words(text: str | None) -> str:
    return " ".join((text or "").replace("_", " ").split())
