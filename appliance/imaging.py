"""`bentevi image build` and `bentevi image test`: the installable appliance, for those who build the product (docs/os-image.md)."""

import os
import subprocess
import sys
from pathlib import Path

import click

from appliance.settings import CHECKOUT

PRODUCTS = ("root", "disk", "qcow2", "iso", "ova", "box", "update", "all")
PARTS = ("tree", "bios", "uefi", "secureboot", "iso", "iso-uefi", "keep", "menu", "again", "update", "update-broken", "update-cuts", "ova", "box", "packer", "calls", "console", "cuts", "damage")
NATIVE = ("bios", "calls", "console", "cuts", "damage", "update", "update-broken", "update-cuts")


def folder() -> Path:
    """Where products, logs and pictures go, unless told otherwise: several gigabytes, in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bentevi" / "image"


def add_to(group: click.Group) -> None:
    """Hang `image` under the command."""

    @group.group()
    def image() -> None:
        """The installable appliance: ISO, disk image, OVA and boxes."""

    @image.command()
    @click.option("--out", type=click.Path(path_type=Path), help="Where to (default: the cache).")
    @click.argument("products", nargs=-1, type=click.Choice(PRODUCTS))
    def build(out: Path | None, products: tuple[str, ...]) -> None:
        """Build PRODUCTS (default: root disk qcow2), each from the same tree. Needs root; the first time it takes some minutes."""
        sys.exit(subprocess.run([CHECKOUT / "os_image/build", str(out or folder()), *products], stdin=subprocess.DEVNULL, check=False).returncode)

    @image.command()
    @click.option("--out", type=click.Path(path_type=Path), help="Where the products are (default: the cache).")
    @click.option("--native", is_flag=True, help="Not emulated: the disk's own system on this machine's processor. Needs root.")
    @click.argument("parts", nargs=-1, type=click.Choice(PARTS))
    def test(out: Path | None, native: bool, parts: tuple[str, ...]) -> None:
        """Start what was built in an emulated machine and look at it (default: tree bios). Logs and pictures stay in OUT/proofs.

        tree: the files; bios, uefi, secureboot: the disk image, two starts; iso, iso-uefi: an unattended installation, then that
        disk; keep: a second installation that keeps the data; menu: the installer's first screen; again: two builds are equal; update,
        update-broken: the disk image takes a good update, and returns by itself from one that is broken on purpose; update-cuts: the plug is
        pulled in the midst of one; ova, box, packer: what is in them starts (Vagrant and Packer are installed);
        calls: telephones call through it, backup, restore on a second machine; console: the network's minute to confirm, dry runs; cuts: after calls, the plug is pulled (BENTEVI_CUTS times each);
        damage: after calls, a database that cannot be read and a full disk.

        With --native init, units, pages and telephony of the disk start in half a minute; firmware, GRUB, kernel and installer are not tried.
        """
        if native and (others := sorted({*parts} - {*NATIVE})):
            raise click.UsageError(f"--native cannot do {', '.join(others)}; it can {', '.join(NATIVE)}")
        words = [sys.executable, "-m", "os_image.checks", str(out or folder()), *(parts or (("bios",) if native else ("tree", "bios")))]
        more = {"BENTEVI_NATIVE": "1"} if native else {}
        sys.exit(subprocess.run(words, cwd=CHECKOUT, env=os.environ | more, stdin=subprocess.DEVNULL, check=False).returncode)
