"""The partition table, decided once: it cannot be changed in the field. The disk image and the installer both write it from here.

    1 bios     GRUB for BIOS machines
    2 esp      GRUB for UEFI machines behind shim, and the one menu of both
    3 root-a   the product
    4 root-b   the next version of the product; empty until an update, left out on small disks
    5 data     everything else: it stays whatever becomes of 3 and 4

GRUB's menu lies on the ESP, not in a root partition, and starts the one that its environment block calls `slot`.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
MIB = 1 << 20
BIOS_LBA = 2048
ESP_MIB = 256
ROOT_MIB = 6144
TAIL_MIB = 2        # the copy of the table at the end
ESP_LABEL, DATA_LABEL = "BENTEVI-ESP", "bentevi-data"
ROOT_LABELS = {"a": "bentevi-root-a", "b": "bentevi-root-b"}
# Types: BIOS boot, EFI system, root of x86-64, Linux data. One that systemd would mount by itself anywhere is not among them but root's.
TYPES = {1: "ef02", 2: "ef00", 3: "8304", 4: "8304", 5: "8300"}
NAMES = {1: "bios", 2: "esp", 3: "root-a", 4: "root-b", 5: "data"}
# Every folder of the data partition that something is mounted from; owners come at each start by tmpfiles.d.
DATA_FOLDERS = ("bentevi", "redis", "log", "machine")


@dataclass(frozen=True)
class Part:
    """One partition: where it begins and how large it is, in MiB."""

    number: int
    start_mib: int
    size_mib: int


def parts(disk_mib: int, two_roots: bool = True) -> list[Part]:
    """The table for a disk of that size. Raises ValueError when not even 1 GiB would be left for data."""
    found = [Part(1, 1, 2), Part(2, 4, ESP_MIB), Part(3, 4 + ESP_MIB, ROOT_MIB)]
    if two_roots:
        found.append(Part(4, found[-1].start_mib + ROOT_MIB, ROOT_MIB))
    start = found[-1].start_mib + found[-1].size_mib
    left = disk_mib - start - TAIL_MIB
    if left < 1024:
        raise ValueError(f"a disk of {disk_mib} MiB has no room for data")
    return [*found, Part(5, start, left)]


def sgdisk_words(table: list[Part]) -> list[str]:
    """What makes this table, on an empty disk."""
    words = ["--clear", "--set-alignment=2048"]
    for part in table:
        words += [f"--new={part.number}:{part.start_mib}M:+{part.size_mib}M", f"--typecode={part.number}:{TYPES[part.number]}",
                  f"--change-name={part.number}:{NAMES[part.number]}"]
    return words


def write_bios(disk: Path, boot_img: bytes, core_img: bytes) -> None:
    """Makes a BIOS start GRUB from partition 1: what grub-setup does, without needing the disk to be a device.

    Sources: grub's boot.S (kernel_sector at 0x5c, drive check at 0x66) and diskboot.S (block list at the end of the first sector).
    """
    if len(core_img) > 2 * MIB - SECTOR:
        raise ValueError("core.img does not fit")
    boot, core = bytearray(boot_img[:SECTOR]), bytearray(core_img)
    boot[0x5C:0x64] = struct.pack("<Q", BIOS_LBA)
    boot[0x66:0x68] = b"\x90\x90"  # the BIOS tells which drive it started from, and is believed
    core[0x1F4:0x1FC] = struct.pack("<Q", BIOS_LBA + 1)
    with disk.open("r+b") as file:
        first = bytearray(file.read(SECTOR))
        if first[0x1FE:0x200] != b"\x55\xaa":
            raise ValueError(f"{disk} has no partition table")
        first[:0x1B8] = boot[:0x1B8]
        file.seek(0)
        file.write(first)
        file.seek(BIOS_LBA * SECTOR)
        file.write(core)
