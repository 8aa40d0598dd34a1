"""USB sticks: the newest good update file on any of them. A stick is mounted read-only, and nothing on it is believed but a right signature."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from appliance import version
from appliance.updates import package
from appliance.updates.words import NotGood
from os_image.installer import disks, install

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PLACE = Path("/run/bentevi-stick")
MOST_FILES = 50


def partitions() -> list[str]:
    """Partitions of sticks (and sticks without a table) that nobody has mounted."""
    found = []
    for device in disks.seen():
        if device["type"] == "disk" and (device["tran"] == "usb" or device["rm"] in (True, "1")):
            found += [str(one["path"]) for one in disks.tree(device) if not any(one.get("mountpoints") or ()) and not one.get("children")]
    return found


def best(folder: Path, keys: list["Ed25519PublicKey"]) -> tuple[tuple[int, ...], Path] | None:
    """The newest file at the top of a stick whose description is signed; its payload is looked at later, as it is copied."""
    found = []
    for file in sorted(folder.glob("*.update"))[:MOST_FILES]:
        if file.is_file() and not file.is_symlink():
            try:
                with file.open("rb") as stream:
                    found.append((version.parts(package.read(stream, keys).version), file))
            except (NotGood, OSError):
                continue  # another file of the stick may be good; that none is, is said below
    return max(found, default=None)


@contextmanager
def newest(keys: list["Ed25519PublicKey"]) -> Iterator[IO[bytes]]:
    """The newest good file of all sticks, open for as long as it lasts. Raises NotGood when there is none."""
    PLACE.mkdir(exist_ok=True)
    for path in partitions():
        try:
            install.run("mount", "-o", "ro,nosuid,nodev,noexec", path, PLACE)
        except RuntimeError:
            continue  # not a file system that can be read: the next one
        try:
            found = best(PLACE, keys)
            if found:
                with found[1].open("rb") as stream:
                    yield stream
                return
        finally:
            install.run("umount", PLACE)
    raise NotGood("no_file")
