"""GRUB's environment block: 1024 bytes on the ESP, read by GRUB's `load_env`, written back by its `save_env`, and by us.

    slot=a|b    the root partition that starts
    try=a|b     the one that starts once instead; GRUB clears it before it starts that, so a slot that never comes up is not started again

All variables stand in the first 512 bytes: what changes is one sector, which a disk writes whole or not at all.
Source: GRUB's grub-core/lib/envblk.c.
"""

import os
from pathlib import Path

SIZE, SECTOR = 1024, 512
HEAD = "# GRUB Environment Block\n"


def read(block: bytes) -> dict[str, str]:
    """The variables of a block. Raises ValueError when it is none."""
    if len(block) != SIZE or not block.startswith(HEAD.encode()):
        raise ValueError("not an environment block of GRUB")
    lines = block.decode("ascii").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def written(values: dict[str, str]) -> bytes:
    """A block with these variables. Raises ValueError for what GRUB would read differently, or what does not fit one sector."""
    for name, value in values.items():
        if not name.isidentifier() or not value.isascii() or not value.isprintable() or "\\" in value:
            raise ValueError(f"{name}={value!r}")
    text = HEAD + "".join(f"{name}={value}\n" for name, value in values.items())
    if len(text) > SECTOR:
        raise ValueError(f"{len(text)} bytes do not fit one sector")
    return text.encode().ljust(SIZE, b"#")


def load(file: Path) -> dict[str, str]:
    """The variables of the file on the ESP."""
    return read(file.read_bytes())


def store(file: Path, values: dict[str, str]) -> None:
    """Write in place: GRUB writes to the very sectors it found, and a FAT has no rename that is whole."""
    with file.open("r+b") as out:
        out.write(written(values))
        out.flush()
        os.fsync(out.fileno())


def starts(values: dict[str, str]) -> tuple[str, dict[str, str]]:
    """What the menu (grub.cfg) does with a block: the slot it starts, and the block as it leaves it."""
    slot, trial = "b" if values.get("slot") == "b" else "a", values.get("try", "")
    if trial in ("a", "b"):
        return trial, {name: value for name, value in values.items() if name != "try"} | {"try": ""}
    return slot, values
