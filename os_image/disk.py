"""The disk image: `python -m os_image.disk ROOT OUT.raw [SIZE_MIB]`. A sparse file; no loop device, no mount, no device is touched."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from os_image import layout

SIZE_MIB = 20_480
# Fixed, so that two builds match.
UUIDS = {"disk": "be27e711-0000-4000-8000-000000000000", 1: "be27e711-0000-4000-8000-000000000001", 2: "be27e711-0000-4000-8000-000000000002",
         3: "be27e711-0000-4000-8000-000000000003", 4: "be27e711-0000-4000-8000-000000000004", 5: "be27e711-0000-4000-8000-000000000005"}  # fmt: skip


def run(*words: str | Path) -> None:
    """One command, quiet unless it fails."""
    done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}:\n{done.stdout}")


def make(root: Path, image: Path, size_mib: int) -> None:
    """Table, ESP, the tree in root-a, an empty root-b, data with its folders, GRUB for both kinds of machine."""
    boot = root / "usr/lib/bentevi/boot"
    table = layout.parts(size_mib)
    draft = image.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with draft.open("wb") as file:
        file.truncate(size_mib * layout.MIB)
    run("sgdisk", *layout.sgdisk_words(table), f"--disk-guid={UUIDS['disk']}",
        *(f"--partition-guid={part.number}:{UUIDS[part.number]}" for part in table), draft)
    run("sgdisk", "--verify", draft)
    with tempfile.TemporaryDirectory(dir=image.parent) as name:
        folder = Path(name)
        esp(boot / "esp", folder / "2", table[1].size_mib)
        ext4(folder / "3", table[2].size_mib, layout.ROOT_LABELS["a"], UUIDS[3], root)
        data = folder / "data"
        for one in layout.DATA_FOLDERS:
            (data / one).mkdir(parents=True, mode=0o755)
        for path in (data, *data.iterdir()):
            os.utime(path, (epoch(), epoch()))
        ext4(folder / "5", table[4].size_mib, layout.DATA_LABEL, UUIDS[5], data)
        for part in (table[1], table[2], table[4]):
            run("dd", f"if={folder / str(part.number)}", f"of={draft}", "bs=1M", f"seek={part.start_mib}", "conv=notrunc,sparse")
    layout.write_bios(draft, (boot / "boot.img").read_bytes(), (boot / "core.img").read_bytes())
    draft.rename(image)


def epoch() -> int:
    """The date every file bears."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def esp(content: Path, file: Path, size_mib: int) -> None:
    """A FAT file system with these files, made by mtools."""
    with file.open("wb") as out:
        out.truncate(size_mib * layout.MIB)
    run("mkfs.vfat", "-F", "32", "-n", layout.ESP_LABEL, "-i", "BE27E711", "--invariant", file)
    run("mcopy", "-s", "-m", "-i", file, *sorted(content.iterdir()), "::/")


def ext4(file: Path, size_mib: int, label: str, uuid: str, content: Path) -> None:
    """An ext4 file system holding a folder."""
    with file.open("wb") as out:
        out.truncate(size_mib * layout.MIB)
    run("mkfs.ext4", "-q", "-F", "-L", label, "-U", uuid, "-E", f"hash_seed={uuid}", "-m", "1", "-O", "metadata_csum,^orphan_file", "-d", content, file)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else SIZE_MIB)
