"""A disk's own system on this machine's kernel and processor, instead of an emulated one: `python -m os_image.checks.native RAW WIRE HERE FOLDER [-no-reboot]`.

Init, units, users, firewall, SSH, pages and telephony are the product's, as they lie on the disk, and start in half a minute; firmware, GRUB, kernel and
the drivers of a disk are not tried, nor are limits of memory where this machine's control groups have none. It is for seeing quickly
what a change does to the appliance; what is proved is proved on emulated machines. Needs root.
"""

import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from os_image import layout
from os_image.checks import wrapped
from os_image.checks.qemu import Failed, Machine
from os_image.updater import grubenv
from os_image.updater.slots import NUMBERS

SCRIPT = Path(__file__).with_name("native.sh")
ESP_NUMBER = 2
GROUND_BYTES = 200 << 30  # at most; it holds what is written
HERE, THERE, WIRE = "10.77.0.1", "10.77.0.2", "bentevi-prova"
KERNEL_LINE = "root=LABEL=bentevi-root-{slot} bentevi.slot={slot} systemd.log_target=console"


class Native(Machine):
    """As an emulated machine to those who ask it something; always found at THERE, and without a screen and keys."""

    limits_memory = False

    def __init__(self, folder: Path, name: str, **told: Any) -> None:
        super().__init__(folder, name, **told | {"tap": WIRE, "address": THERE})
        self.serial = folder / f"{name}.qemu"  # its console is what the command says

    def words(self) -> list[str]:
        """The command line; what the machine is told lies in a folder that is its credentials."""
        told = self.folder / f"{self.name}.told"
        shutil.rmtree(told, ignore_errors=True)
        told.mkdir()
        if self.answers:
            address = "" if "BENTEVI_IP=" in self.answers else f"BENTEVI_IP={THERE}/24\nBENTEVI_GW={HERE}\n"
            (told / "bentevi.install").write_text(self.answers + address)
        return [sys.executable, "-m", "os_image.checks.native", str(self.first_disk), WIRE, HERE, str(told), *([] if self.restarts else ["-no-reboot"])]

    def __exit__(self, *told: object) -> None:
        super().__exit__(*told)
        gone()

    def pull_the_plug(self) -> None:
        """As when the current fails, for whoever looks at a disk that was set aside before."""
        super().pull_the_plug()
        gone()

    def picture(self, word: str) -> None:
        """There is no screen; what the console says is kept anyway."""

    def keys(self, *names: str) -> None:
        raise Failed(f"{self.name}: started without a keyboard")

    def freeze(self, further: Path) -> Path:
        """A second disk with what was written until now, while the first is written on."""
        return same(self.first_disk, self.first_disk.with_name(f"{further.stem}.raw"))


@contextmanager
def ground(folder: Path) -> Iterator[Path]:
    """A file system in a file, on which a disk is copied in one moment, however large it is and whoever writes to it; it keeps what lies there."""
    file, at = folder / "native.btrfs", folder / "native"
    if not file.exists():
        wrapped.install("btrfs-progs")
        with file.open("wb") as out:
            out.truncate(GROUND_BYTES)
        subprocess.run(["mkfs.btrfs", "-q", file], check=True, capture_output=True)
    at.mkdir(exist_ok=True)
    if at.is_mount():  # of a run that was killed
        subprocess.run(["umount", "--lazy", at], check=True)
    subprocess.run(["mount", "-o", "loop", file, at], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


def gone() -> None:
    """Until nothing of a system that was killed answers any more: its cable goes with its last process."""
    cable = Path("/sys/class/net", WIRE)
    while cable.exists() and not (cable / "tun_flags").exists():  # one to an emulated machine stays until it is taken away
        time.sleep(0.2)


def same(disk: Path, target: Path) -> Path:
    """The disk as it is at this moment."""
    target.unlink(missing_ok=True)
    subprocess.run(["cp", "--reflink=always", disk, target], check=True)
    return target


def disk(product: Path, raw: Path) -> Path:
    """A disk that begins as the disk image, for a machine of this kind."""
    raw.unlink(missing_ok=True)
    subprocess.run(["cp", "--sparse=always", product, raw], check=True)
    prepare(raw)
    return raw


def prepare(raw: Path) -> None:
    """The ESP becomes an ext2 with the same files: nobody boots from it here, and a kernel without FAT can mount it where the product does."""
    part = esp(raw)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mcopy", "-s", "-n", "-i", f"{raw}@@{part.start_mib * layout.MIB}", "::/*", folder], check=True)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-d", folder, "-E", f"offset={part.start_mib * layout.MIB}", str(raw), f"{part.size_mib}M"], check=True)


def esp(raw: Path) -> layout.Part:
    """Where the ESP lies on this disk."""
    return next(one for one in layout.parts(raw.stat().st_size // layout.MIB) if one.number == ESP_NUMBER)


def menu(raw: Path) -> str:
    """The slot that GRUB's menu would start; its environment is left as the menu leaves it."""
    part = esp(raw)
    with tempfile.TemporaryDirectory() as folder:
        words = f"loop,offset={part.start_mib * layout.MIB},sizelimit={part.size_mib * layout.MIB}"
        subprocess.run(["mount", "-o", words, str(raw), folder], check=True)
        try:
            file = Path(folder) / "grub/grubenv"
            slot, values = grubenv.starts(grubenv.load(file))
            grubenv.store(file, values)
        finally:
            subprocess.run(["umount", folder], check=True)
    return slot


def let_go(raw: Path) -> None:
    """Until no loop device holds the disk: one of a start that did not come about is detached, one of a system that was killed takes a moment."""
    while found := subprocess.run(["losetup", "-n", "-O", "NAME", "-j", str(raw)], capture_output=True, text=True, check=True).stdout.split():
        for loop in found:
            subprocess.run(["losetup", "-d", loop], capture_output=True, check=False)
        time.sleep(0.5)


def copied(source: int) -> None:
    """What the system says on its console goes to ours."""
    while True:
        try:
            text = os.read(source, 65536)
        except OSError:  # nobody holds its other end now: a login on it hangs up what held it before
            time.sleep(0.2)
            continue
        os.write(1, text)


def run(raw: Path, wire: str, here: str, credentials: Path) -> int:
    """Start the system once and wait for its end; the signal that ended it."""
    let_go(raw)
    slot = menu(raw)
    ours, theirs = pty.openpty()
    threading.Thread(target=copied, args=(ours,), daemon=True).start()
    words = ["setsid", "setpriv", "--pdeathsig", "KILL", "sh", str(SCRIPT), str(raw), str(NUMBERS[slot]), wire, here, str(credentials),
             KERNEL_LINE.format(slot=slot)]  # fmt: skip
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    ended = process.wait()
    print(f"native: ended by {ended}", flush=True)
    return -ended if ended < 0 else ended - 128


def main(words: list[str]) -> int:
    """Until it switches itself off; with -no-reboot also until it restarts."""
    raw, wire, here, folder = words[:4]
    ended: int = signal.SIGHUP
    while ended == signal.SIGHUP:
        ended = run(Path(raw), wire, here, Path(folder))
        if "-no-reboot" in words:
            break
    return 0 if ended in (signal.SIGHUP, signal.SIGINT) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
