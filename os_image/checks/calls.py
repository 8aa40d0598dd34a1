"""Telephones on an emulated machine: two register and call through it, the call is recorded, backed up, and comes back on a second, empty machine.

The machine stands on a network of its own with this one (a tap device), so that telephones speak to it as in an office.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from os_image.checks import machines, smoke
from os_image.checks.native import HERE, THERE, WIRE
from os_image.checks.qemu import Failed, Machine
from tests.phones import Phones

PASSWORD_OF_BACKUPS = "senha-dos-backups-1"
STORE = "/mnt/prova/backups"  # where a disk of its own would be mounted
SITE = """bentevi: 1
company: {name: Padaria Estrela, area_code: "48"}
extension_classes:
  - {name: Padrão, recording: all}
extensions:
  - {number: "1000", name: Ana, password: Troque-1000-isto}
  - {number: "1001", name: Bia, password: Troque-1001-isto}
"""
POLICY = f"bentevi: 1\nbackup_policy: {{kind: disk, address: {STORE}, encryption_password: {PASSWORD_OF_BACKUPS}}}\n"
ANSWERS = {"IP": f"{THERE}/24", "GW": HERE}


@contextmanager
def wire() -> Iterator[str]:
    """The network of this machine and the emulated one. Needs root."""
    subprocess.run(["ip", "link", "del", WIRE], check=False, capture_output=True)
    for words in (["tuntap", "add", "dev", WIRE, "mode", "tap"], ["address", "add", f"{HERE}/24", "dev", WIRE], ["link", "set", WIRE, "up"]):
        subprocess.run(["ip", *words], check=True)
    try:
        yield WIRE
    finally:
        subprocess.run(["ip", "link", "del", WIRE], check=False, capture_output=True)


class Site:
    """One machine with the bakery on it, as the proofs use it."""

    def __init__(self, machine: Machine, key: Path) -> None:
        self.machine, self.key = machine, key

    def bentevi(self, words: str, *, check: bool = True) -> str:
        return self.machine.ssh(f"bentevi {words}", self.key, check=check)

    def root(self, command: str) -> str:
        return self.machine.ssh(command, self.key, sudo_password=smoke.PASSWORD)

    def product(self, words: str, **variables: str) -> str:
        """The command as the product's user, with more in its environment, which sudo would not let through."""
        told = " ".join(f"{name}={value}" for name, value in variables.items())
        return self.root(f"runuser -u bentevi -- env {told} /usr/lib/bentevi/cli {words}")

    def load(self, text: str) -> None:
        """Rows of a site file, in force when this returns."""
        self.machine.ssh(f"cat > site.yaml << 'END'\n{text}END", self.key)
        self.bentevi("site import --apply - < site.yaml")

    def backed_up(self) -> bool:
        """A backup was made now; False while another is under way."""
        said = self.machine.ssh("bentevi backup now 2>&1 && echo made", self.key, check=False)
        if "made" not in said and "Espere terminar" not in said:
            raise Failed(f"backup now: {said}")
        return "made" in said

    def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.bentevi("calls list --json"))["calls"]
        return found

    def state(self) -> dict[str, Any]:
        """What must be the same on another machine: rows, calls, recordings byte by byte."""
        return {"site": self.bentevi("site export"), "calls": [{name: one[name] for name in ("id", "protocol", "state") if name in one} for one in self.calls()],
                "recordings": self.root("cd /var/lib/bentevi/recordings && find . -type f -exec sha256sum {} + | sort")}  # fmt: skip


@contextmanager
def phones() -> Iterator[Any]:
    """Ana's and Bia's."""
    with Phones(exchange=(THERE, 5060)) as found:
        yield tuple(found.phone(number, f"Troque-{number}-isto", host=HERE) for number in ("1000", "1001"))


def talk(ana: Any, bia: Any) -> None:
    """A call in which each hears the other."""
    call = ana.call("1001")
    there = bia.answer(60)
    if not call.talks_with(there):
        raise Failed("the telephones do not hear each other")
    time.sleep(3)
    call.hang_up()
    there.wait_ended(60)


def wait(ready: Any, what: str, seconds: float = 300.0) -> None:
    ends_at = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > ends_at:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(8)  # the firewall lets ten new connections a minute in


def first_registration(machine: Machine) -> float:
    """Seconds from power on until a telephone that tries all the time is registered."""
    while True:
        machine.look()
        try:
            with Phones(exchange=(THERE, 5060)) as found:
                found.phone("1000", "Troque-1000-isto", host=HERE)
                print(f"{machine.name}: first registration {machine.seconds} s", flush=True)
                return machine.seconds
        except AssertionError:
            time.sleep(1)


def prove(folder: Path, key: Path, first: Path, second: Path, answers: str) -> dict[str, float]:
    """Call through `first`, back it up, start it again with a telephone waiting, restore on `second`. Raises Failed."""
    figures: dict[str, float] = {}
    with wire() as tap:
        with machines.machine(folder, "calls-first", answers=answers, tap=tap, address=THERE).disk(first) as machine:
            site = Site(machine, key)
            smoke.up(machine, key)
            site.load(SITE)
            with phones() as (ana, bia):
                talk(ana, bia)
            wait(lambda: len(site.calls()) == 1, "the record of the call")
            wait(lambda: ".mp3" in site.root("find /var/lib/bentevi/recordings -type f"), "the recording of the call")
            figures["memory_used_mb"] = float(machine.ssh("LC_ALL=C free -m | awk '/^Mem/ { print $3 }'", key))
            site.root("install -d -o bentevi -g bentevi -m 700 /mnt/prova")
            site.load(POLICY)
            wait(site.backed_up, "a backup", 1200)  # at night the first one by the policy may be under way
            before = site.state()
            packed = folder / "calls-backups.tar"
            site.root(f"tar -C {STORE} -cf /home/admin/backups.tar . && chown admin /home/admin/backups.tar")
            machine.fetch("backups.tar", packed, key)
            machine.ssh("sudo -n systemctl poweroff", key, check=False)
            machine.wait_off()
        with machines.machine(folder, "calls-again", tap=tap, address=THERE).disk(first) as machine:
            figures["first_registration_s"] = first_registration(machine)
            smoke.up(machine, key)
            with phones() as (ana, bia):
                talk(ana, bia)
            machine.ssh("sudo -n systemctl poweroff", key, check=False)
            machine.wait_off()
        with machines.machine(folder, "calls-second", answers=answers, tap=tap, address=THERE).disk(second) as machine:
            site = Site(machine, key)
            smoke.up(machine, key)
            site.root("systemctl stop bentevi.target")
            machine.put(packed, "backups.tar", key)
            site.root(f"install -d -o bentevi -g bentevi -m 700 /mnt/prova {STORE} && tar -C {STORE} -xf /home/admin/backups.tar && chown -R bentevi:bentevi {STORE}")
            began = machine.seconds
            site.product(f"restore --from disk --address {STORE} --yes", BENTEVI_BACKUP_PASSWORD=PASSWORD_OF_BACKUPS)
            figures["restore_s"] = round(machine.seconds - began, 1)
            site.root("systemctl start bentevi.target")
            smoke.up(machine, key)
            after = site.state()
            different = [name for name in before if before[name] != after[name]]
            if different:
                raise Failed(f"restored, but other {', '.join(different)}: {[(before[name], after[name]) for name in different]}"[:3000])
            with phones() as (ana, bia):
                talk(ana, bia)
            machine.picture("console")
    return figures
