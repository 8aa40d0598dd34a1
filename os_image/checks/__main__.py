"""`python -m os_image.checks OUT PART…`: the proofs, one after the other (never two machines at once). Ends with 1 when one fails.

Each leaves its serial log and pictures in OUT/proofs, and its figures in OUT/proofs/figures.json.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from os_image.checks import calls, console, cuts, damage, machines, smoke, tree, update, wrapped
from os_image.checks.qemu import Failed, Machine

NAME = "pabx-prova"


class Proofs:
    """The folder of products, and what is done with them."""

    def __init__(self, out: Path, ground: Path) -> None:
        self.out, self.folder, self.ground = out, out / "proofs", ground  # products, logs and pictures, disks
        self.figures_file = self.folder / "figures.json"
        self.key = self.folder / "key"
        if not self.key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "prova", "-f", str(self.key)], check=True)

    def answers(self, **more: str) -> str:
        """What the machine is told: the SSH key and password of this proof."""
        public = self.key.with_suffix(".pub").read_text().strip()
        told = {"HOSTNAME": NAME, "SSHKEY": public, "PASSHASH": smoke.HASH} | more
        return "".join(f"BENTEVI_{name}={value}\n" for name, value in told.items())

    def product(self, ending: str) -> Path:
        """The built file. Raises Failed when it was not built."""
        found = sorted(self.out.glob(f"bentevi-*.{ending}"))
        if not found:
            raise Failed(f"there is no .{ending} in {self.out}: ./bentevi image build comes first")
        return found[-1]

    def note(self, part: str, figures: dict[str, float]) -> None:
        """Keep figures, and print them."""
        known = json.loads(self.figures_file.read_text()) if self.figures_file.exists() else {}
        known[f"native {part}" if machines.IS_NATIVE else part] = figures
        self.figures_file.write_text(json.dumps(known, indent=1) + "\n")
        print(f"{part}: {figures}", flush=True)

    def tree(self) -> None:
        """The files of the tree."""
        found = tree.problems(self.out / "root")
        if found:
            raise Failed("\n".join(found))

    def twice(self, disk: Path, part: str, firmware: str = "bios", bus: str = "virtio", answers: str = "") -> None:
        """Start a disk, look, switch off, start again: the second start keeps keys and is as well."""
        figures = {}
        kept = []
        for start in ("first", "second"):
            with machines.machine(self.folder, f"{part}-{start}", firmware=firmware, answers=answers if start == "first" else "").disk(disk, bus=bus) as machine:
                found = smoke.up(machine, self.key)
                figures |= {f"{start}_{name}": value for name, value in found.items()}
                machine.picture("console")
                kept.append(smoke.look(machine, self.key, NAME))
                figures[f"{start}_memory_used_mb"] = float(machine.ssh("LC_ALL=C free -m | awk '/^Mem/ { print $3 }'", self.key))
                machine.ssh("sudo -n systemctl poweroff", self.key, check=False)
                machine.wait_off()
        self.note(part, figures)
        if kept[0] != kept[1]:
            raise Failed(f"{part}: changed between two starts: {[name for name in kept[0] if kept[0][name] != kept[1][name]]}")

    def updated(self, part: str, broken: bool) -> None:
        """A fresh disk image takes an update file made from the same tree."""
        copy = self.copy(part)
        self.note(part, update.prove(self.folder, self.key, copy, self.out / "root", part, self.answers(), broken))
        copy.unlink()

    def copy(self, name: str) -> Path:
        """A disk that begins as the disk image and keeps what is written to it."""
        return machines.disk(self.product("raw"), self.ground / name)

    def calls(self) -> None:
        """Telephones call through it, before and after a restart and after a restore on a second machine."""
        first, second = self.copy("calls"), self.copy("calls-second")
        self.note("calls", calls.prove(self.folder, self.key, first, second, self.answers(**calls.ANSWERS)))
        second.unlink()

    def console(self) -> None:
        """Maintenance: the network's address with its minute to confirm, dry runs, back to the first visit and back from there."""
        disk = self.copy("console")
        self.note("console", console.prove(self.folder, self.key, disk, self.answers(**calls.ANSWERS)))
        disk.unlink()

    def called(self) -> Path:
        """The disk that `calls` left. Raises Failed when there is none."""
        disk = self.ground / f"calls.{'raw' if machines.IS_NATIVE else 'qcow2'}"
        if not disk.exists():
            raise Failed("this part needs the disk that calls leaves")
        return disk

    def cuts(self) -> None:
        """After `calls`: the current fails during an apply, a backup and a call, BENTEVI_CUTS times each; every start is whole."""
        self.note("cuts", cuts.prove(self.folder, self.key, self.called(), int(os.environ.get("BENTEVI_CUTS", "1"))))

    def damage(self) -> None:
        """After `calls`: a database that cannot be read, then a disk that is full; telephones call, and all is as it was afterwards."""
        disk = machines.layer(self.called(), self.ground / "damage")
        self.note("damage", damage.prove(self.folder, self.key, disk))
        disk.unlink()

    def update(self) -> None:
        """A good update over SSH: the other slot runs, data and keys stay, and it is the one that starts next time."""
        self.updated("update", broken=False)

    def update_cuts(self) -> None:
        """The current fails in the midst of an update, BENTEVI_CUTS times and at each step once at least; the version before starts."""
        disk = self.copy("update-cuts")
        self.note("update-cuts", update.cuts(self.folder, self.key, disk, self.out / "root", self.answers(), int(os.environ.get("BENTEVI_CUTS", "1"))))
        disk.unlink()

    def update_broken(self) -> None:
        """One without Asterisk goes back by itself; data and keys are those of before."""
        self.updated("update-broken", broken=True)

    def image(self, firmware: str) -> None:
        """The disk image, on a copy that grows only by what is written."""
        copy = self.copy(firmware)
        self.twice(copy, firmware, firmware, answers=self.answers())
        copy.unlink()

    def ova(self) -> None:
        """The disk in the OVA, on SATA as its description says."""
        inside = self.folder / "ova"
        self.note("ova", wrapped.starts(self.folder, self.key, wrapped.ova(self.product("ova"), inside), "ova", self.answers(), NAME))
        shutil.rmtree(inside)

    def box(self) -> None:
        """The disk in the libvirt box, as Vagrant unpacks it."""
        inside = self.folder / "box"
        inside.mkdir(exist_ok=True)
        found = sorted(self.out.glob("bentevi-*-libvirt.box"))
        if not found:
            raise Failed("there is no box: ./bentevi image build box comes first")
        self.note("box", wrapped.starts(self.folder, self.key, wrapped.box(found[-1], inside, self.key), "box", self.answers(), NAME))
        shutil.rmtree(inside)

    def packer(self) -> None:
        """Packer's last step, and a first start of what it leaves: another machine, which knows nothing of the first."""
        disk = wrapped.packer(self.product("qcow2"), self.folder, self.key, self.answers(HOSTNAME="molde"))
        self.note("packer", wrapped.starts(self.folder, self.key, disk, "packer", self.answers(), NAME))
        shutil.rmtree(disk.parent)

    def bios(self) -> None:
        """The disk image on an old PC."""
        self.image("bios")

    def uefi(self) -> None:
        """The disk image on a new one."""
        self.image("uefi")

    def secureboot(self) -> None:
        """The same with Secure Boot enforced."""
        self.image("secureboot")

    def installed(self, part: str, firmware: str, bus: str, stick: bool) -> Path:
        """An unattended installation to an empty disk, without network. Returns the disk."""
        disk = self.folder / f"{part}.qcow2"
        disk.unlink(missing_ok=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "24G"], check=True)
        answers = self.answers(AFTER="poweroff", TARGET="auto")
        with Machine(self.folder, f"{part}-install", firmware=firmware, answers=answers, network=False).disk(disk, bus=bus).medium(self.product("iso"), stick=stick) as machine:
            ready = machine.wait_for(lambda: "INSTALL-OK" in machine.said(), "INSTALL-OK")
            self.note(f"{part}-install", {"install_ok_s": ready, "off_s": machine.wait_off()})
        return disk

    def iso(self) -> None:
        """From a disc to a virtual disk, on BIOS; then that disk."""
        self.twice(self.installed("iso", "bios", "virtio", stick=False), "iso")

    def iso_uefi(self) -> None:
        """From a stick to NVMe, on UEFI with Secure Boot; then that disk."""
        self.twice(self.installed("iso-uefi", "secureboot", "nvme", stick=True), "iso-uefi", "secureboot", "nvme")

    def keep(self) -> None:
        """After `iso`: installs once more and keeps the data; keys and secrets are those of before."""
        disk = self.folder / "iso.qcow2"
        if not disk.exists():
            raise Failed("keep needs the disk that iso leaves")
        with Machine(self.folder, "keep-before").disk(disk) as machine:
            smoke.up(machine, self.key)
            before = smoke.look(machine, self.key, NAME)
            machine.ssh("sudo -n systemctl poweroff", self.key, check=False)
            machine.wait_off()
        answers = "BENTEVI_TARGET=auto\nBENTEVI_KEEP_DATA=yes\nBENTEVI_AFTER=poweroff\n"
        with Machine(self.folder, "keep-install", answers=answers, network=False).disk(disk).medium(self.product("iso")) as machine:
            machine.wait_for(lambda: "INSTALL-OK" in machine.said(), "INSTALL-OK")
            machine.wait_off()
        with Machine(self.folder, "keep-after").disk(disk) as machine:
            smoke.up(machine, self.key)
            after = smoke.look(machine, self.key, NAME)
        changed = [name for name in before if name != "machine" and before[name] != after[name]]
        if changed:
            raise Failed(f"keep: not kept: {changed}")

    def menu(self) -> None:
        """The installer without answers: its first screen offers the disk, and not the medium."""
        disk = self.folder / "menu.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "24G"], check=True)
        with Machine(self.folder, "menu", network=False).disk(disk).medium(self.product("iso"), stick=True) as machine:
            machine.wait_for(lambda: "bentevi-install: asking" in machine.said(), "asking")
            time.sleep(5)
            machine.picture("disk")
            machine.keys("ret")
            time.sleep(2)
            machine.picture("name")
        disk.unlink()

    def again(self) -> None:
        """Two trees of one commit hold the same bytes."""
        first = (self.out / "tree.sha256").read_text()
        subprocess.run([Path(__file__).parents[1] / "root.sh", str(self.folder / "again")], check=True)
        second = (self.folder / "again/tree.sha256").read_text()
        if first != second:
            different = sorted(set(first.splitlines()) ^ set(second.splitlines()))
            raise Failed("two builds differ:\n" + "\n".join(different[:20]))


def main(words: list[str]) -> int:
    """Every part, also after one that failed."""
    out, failed = Path(words[0]).resolve(), []
    folder = out / "proofs"
    folder.mkdir(parents=True, exist_ok=True)
    with machines.ground(folder) as ground:
        proofs = Proofs(out, ground)
        for part in words[1:]:
            began = time.monotonic()
            try:
                getattr(proofs, part.replace("-", "_"))()
                print(f"{part}: good, {time.monotonic() - began:.0f} s", flush=True)
            except (Failed, subprocess.SubprocessError) as why:
                failed.append(part)
                print(f"{part}: FAILED\n{why}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
