"""The work of an installation: partitions, the product, the boot loader, the answers. What is kept is kept whole."""

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from os_image import layout
from os_image.installer.answers import Answers, Wrong
from os_image.installer.disks import TWO_ROOTS_BYTES, Disk, partition

MEDIUM = Path("/run/live/medium")
SQUASHFS = MEDIUM / "live/filesystem.squashfs"
BOOT = Path("/usr/lib/bentevi/boot")  # made with the image: esp/ (everything of partition 2), boot.img, core.img
TARGET = Path("/run/target")

Say = Callable[[str], None]


def run(*words: str | Path) -> str:
    """One command; its output. Raises RuntimeError with its last lines."""
    done = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {' / '.join(done.stdout.splitlines()[-5:]) or done.returncode}")
    return done.stdout


def check_medium() -> None:
    """The medium gives back what was written on it: sticks that do not are common. Raises Wrong."""
    for line in (SQUASHFS.parent / "SHA256SUMS").read_text().splitlines():
        wanted, name = line.split()
        if run("sha256sum", SQUASHFS.parent / name).split()[0] != wanted:
            raise Wrong(f"the medium is damaged: {name} is not what was written. Write it again, or use another one")


def install(disk: Disk, answers: Answers, say: Say) -> None:
    """Everything, until the disk may be started from. Raises RuntimeError or Wrong; a disk half written is never started."""
    began = time.monotonic()

    def tell(text: str) -> None:
        say(f"{text} ({time.monotonic() - began:.0f} s)")

    keep = answers.keep_data == "yes"
    if keep and not disk.has_data:
        raise Wrong(f"{disk.path} has no data of an earlier installation to keep")
    forget_boot(disk)
    if not keep:
        new_table(disk)
    tell("partitioned")
    format_partitions(disk, keep)
    tell("formatted")
    copy_product(disk)
    tell("copied")
    write_data(disk, answers, keep)
    write_boot(disk)
    run("sync")
    tell("boot loader written")


def forget_boot(disk: Disk) -> None:
    """First of all: half an installation must not start, neither the old nor the new one."""
    for part in disk.partitions:
        with suppress(RuntimeError):  # not mounted
            run("umount", part)
    with open(disk.path, "r+b") as file:
        file.write(b"\0" * 0x1B8)


def new_table(disk: Disk) -> None:
    """The partitions of layout.py, and nothing left of what was there."""
    for part in disk.partitions:
        run("wipefs", "--all", "--quiet", part)
    run("wipefs", "--all", "--quiet", disk.path)
    table = layout.parts(disk.size_bytes // layout.MIB, disk.size_bytes >= TWO_ROOTS_BYTES)
    run("sgdisk", "--zap-all", disk.path)
    run("sgdisk", *layout.sgdisk_words(table), disk.path)
    run("partprobe", disk.path)
    run("udevadm", "settle", "--timeout=30")


def format_partitions(disk: Disk, keep: bool) -> None:
    """New file systems for ESP and product; for data only when nothing is to be kept."""
    run("mkfs.vfat", "-F", "32", "-n", layout.ESP_LABEL, partition(disk.path, 2))
    format_root(partition(disk.path, 3), "a")
    if keep:
        run("e2fsck", "-p", partition(disk.path, 5))
    else:
        run("mkfs.ext4", "-qF", "-L", layout.DATA_LABEL, "-m", "1", "-E", "lazy_itable_init=1", partition(disk.path, 5))


def copy_product(disk: Disk) -> None:
    """The root tree, as it was tested, into root-a."""
    with mounted(partition(disk.path, 3)):
        unpack(SQUASHFS, TARGET)
        for name in ("vmlinuz", "initrd.img"):  # beside the tree on the medium; the tree has the links to them
            run("cp", SQUASHFS.parent / name, TARGET / os.readlink(TARGET / name))


def format_root(device: str, slot: str) -> None:
    """A fresh file system for the product; an update makes that of the other slot."""
    run("mkfs.ext4", "-qF", "-L", layout.ROOT_LABELS[slot], "-m", "1", "-E", "lazy_itable_init=1", device)


def unpack(squashfs: Path, target: Path, offset_bytes: int = 0) -> None:
    """The root tree of a medium, or of an update file, where it begins so many bytes in."""
    run("unsquashfs", "-f", "-n", "-q", "-o", str(offset_bytes), "-d", target, squashfs)


def write_data(disk: Disk, answers: Answers, keep: bool) -> None:
    """The folders of the data partition, and what the first start is told. A kept machine keeps its name, network and keys."""
    with mounted(partition(disk.path, 5)):
        for name in layout.DATA_FOLDERS:
            (TARGET / name).mkdir(mode=0o755, exist_ok=True)
        if not keep:
            file = TARGET / "machine/answers.conf"
            file.touch(mode=0o600)
            file.write_text(answers.text())


def write_boot(disk: Disk) -> None:
    """ESP and BIOS, last: now the disk may be started from."""
    with mounted(partition(disk.path, 2)):
        run("cp", "-r", "--no-preserve=all", *sorted((BOOT / "esp").iterdir()), TARGET)
    layout.write_bios(Path(disk.path), (BOOT / "boot.img").read_bytes(), (BOOT / "core.img").read_bytes())


class mounted:
    """A partition on /run/target, for as long as it lasts."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __enter__(self) -> None:
        TARGET.mkdir(exist_ok=True)
        run("mount", self.device, TARGET)

    def __exit__(self, *_: object) -> None:
        run("umount", TARGET)
