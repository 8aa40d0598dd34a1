"""The two root partitions and what decides which starts. The class is the machine's own disk; tests give folders in its place."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.updates.words import NotGood
from os_image import layout
from os_image.installer import install
from os_image.installer.disks import partition
from os_image.updater import grubenv

ESP = Path("/run/bentevi-esp")
SYS = Path("/sys/class/block")
NUMBERS = {"a": 3, "b": 4}


def other(slot: str) -> str:
    """The letter of the slot that does not run."""
    return {"a": "b", "b": "a"}[slot]


class Slots:
    """Root partitions 3 and 4 of the disk the data partition lies on, and GRUB's environment on its partition 2."""

    def running(self) -> str:
        """The letter of the slot that was started, as the menu told the kernel."""
        found = re.search(r"(?:^| )bentevi\.slot=([ab])(?: |$)", Path("/proc/cmdline").read_text().strip())
        if found is None:
            raise NotGood("not_appliance")
        return found[1]

    def disk(self) -> str:
        """The whole disk, for example /dev/sda. Partitions are named by it: another disk may bear the same labels."""
        data = Path(f"/dev/disk/by-label/{layout.DATA_LABEL}").resolve().name
        return f"/dev/{(SYS / data).resolve().parent.name}"

    def has_two(self) -> bool:
        """Whether there is a second root partition."""
        name = Path(partition(self.disk(), NUMBERS["b"])).name
        file = SYS / name / "uevent"
        return file.exists() and f"PARTNAME={layout.NAMES[NUMBERS['b']]}" in file.read_text().split()

    def write(self, slot: str, package: Path, offset_bytes: int, version: str) -> None:
        """A fresh file system in that slot with the tree of the package, looked at before it counts. The running one is never written.
        Raises NotGood."""
        if slot == self.running():
            raise NotGood("not_default")
        device = partition(self.disk(), NUMBERS[slot])
        try:
            install.format_root(device, slot)
            with install.mounted(device):
                install.unpack(package, install.TARGET, offset_bytes)
                check_tree(install.TARGET, version)
            install.run("e2fsck", "-fp", device)
            install.run("sync")
        except (RuntimeError, OSError) as why:
            raise NotGood("not_written", why=str(why)[:300]) from why

    @contextmanager
    def esp(self) -> Iterator[Path]:
        """The environment's file, for as long as it lasts."""
        ESP.mkdir(exist_ok=True)
        install.run("mount", "-o", "sync,noexec,nosuid,nodev", partition(self.disk(), 2), ESP)
        try:
            yield ESP / "grub/grubenv"
        finally:
            install.run("umount", ESP)

    def environment(self) -> dict[str, str]:
        """GRUB's variables."""
        with self.esp() as file:
            return grubenv.load(file)

    def put(self, **values: str) -> None:
        """Change GRUB's variables, all at once."""
        with self.esp() as file:
            grubenv.store(file, grubenv.load(file) | values)

    def restart(self) -> None:
        """The machine restarts; this comes back before it does."""
        install.run("sync")
        install.run("systemctl", "reboot")


def check_tree(tree: Path, version: str) -> None:
    """What was unpacked can be started and is what was meant. Raises NotGood."""
    lacking = [name for name in ("vmlinuz", "initrd.img", "usr/lib/bentevi/os_image", "opt/bentevi/setup.cfg") if not (tree / name).exists()]
    if lacking:
        raise NotGood("not_written", why=f"missing: {', '.join(lacking)}")
    if f"version = {version}\n" not in (tree / "opt/bentevi/setup.cfg").read_text():
        raise NotGood("not_written", why=f"the tree is not version {version}")
