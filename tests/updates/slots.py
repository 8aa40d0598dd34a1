"""A machine of folders: two slots, an environment block of GRUB, a home that is asked; for tests of updates. Also a program, to be killed:

    python -m tests.updates.slots FOLDER POINT [FILE]     begins an update (with FILE) or goes on after a start, and dies at POINT
"""

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.updates import package
from appliance.updates.package import Package
from appliance.updates.words import NotGood
from os_image.updater import grubenv, work
from os_image.updater.home import Home
from os_image.updater.slots import Slots
from os_image.updater.work import Order, Update

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FILES = ("vmlinuz", "initrd.img", "version")


class Folders(Slots):
    """Slots as folders a and b with three files; `kernel` says which was started. Restarts are noted, not made."""

    def __init__(self, folder: Path, two: bool = True) -> None:
        self.folder, self.two = folder, two

    def running(self) -> str:
        return (self.folder / "kernel").read_text()

    def has_two(self) -> bool:
        return self.two

    def write(self, slot: str, package: Path, offset_bytes: int, version: str) -> None:
        if slot == self.running():
            raise NotGood("not_default")
        shutil.rmtree(self.folder / slot, ignore_errors=True)
        (self.folder / slot).mkdir()
        payload = package.read_bytes()[offset_bytes:].decode()
        for name in FILES:
            (self.folder / slot / name).write_text(payload)
            work.reached("written.half")

    @contextlib.contextmanager
    def esp(self) -> Iterator[Path]:
        yield self.folder / "grubenv"

    def restart(self) -> None:
        (self.folder / "restart").touch()


class Answers(Home):
    """A home that says what the test wrote into FOLDER/answers.json, and notes what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(self, step: str) -> Any:
        self.note(step)
        answers = json.loads((self.folder / "answers.json").read_text())
        said = answers.get(step, True)
        if isinstance(said, dict):
            raise NotGood(said["code"], **said.get("values", {}))
        return said

    def stop(self) -> None:
        self.note("stop")

    def start(self) -> None:
        self.note("start")

    def note(self, text: str) -> None:
        with (self.folder / "asked").open("a") as out:
            out.write(f"{text}\n")


class Machine:
    """The whole, with what GRUB and systemd do around it."""

    def __init__(self, folder: Path, two: bool = True) -> None:
        self.folder, self.two = folder, two
        if not (folder / "grubenv").exists():
            (folder / "grubenv").write_bytes(grubenv.written({"slot": "a"}))
            (folder / "kernel").write_text("a")
            (folder / "answers.json").write_text(json.dumps({"calls": 0, "health": True, "same-tables": True}))
            (folder / "a").mkdir()
            for name in FILES:
                (folder / "a" / name).write_text("0.1.0")
        self.slots, self.home = Folders(folder, two), Answers(folder)

    @property
    def here(self) -> str:
        """The version of the slot that was started: all of its files say the same, or it is no product."""
        found = {(self.folder / self.slots.running() / name).read_text() for name in FILES}
        assert len(found) == 1, found
        return found.pop()

    def update(self) -> Update:
        return Update(self.slots, self.home, self.here, [KEY.public_key()], self.folder / "data")

    def answer(self, **answers: Any) -> None:
        known = json.loads((self.folder / "answers.json").read_text())
        (self.folder / "answers.json").write_text(json.dumps(known | answers))

    def asked(self) -> list[str]:
        file = self.folder / "asked"
        return file.read_text().split() if file.exists() else []

    def power_on(self) -> str:
        """What BIOS and GRUB do: the slot that starts; the block as GRUB leaves it."""
        (self.folder / "restart").unlink(missing_ok=True)
        file = self.folder / "grubenv"
        slot, left = grubenv.starts(grubenv.load(file))
        grubenv.store(file, left)
        (self.folder / "kernel").write_text(slot)
        assert self.here
        return slot

    def start(self) -> str:
        """Power on, and the two units; again while one of them restarts the machine. The slot that runs in the end."""
        for _time in range(4):
            slot = self.power_on()
            self.update().at_start()
            if not (self.folder / "restart").exists():
                self.update().proved()
            if not (self.folder / "restart").exists():
                return slot
        raise AssertionError("it restarts for ever")


def public_key(folder: Path) -> Path:
    """A folder of keys with ours."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.pem").write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return folder


def make(out: Path, version: str = "0.2.0", payload: str = "", key: Ed25519PrivateKey = KEY, **values: Any) -> Path:
    """An update file whose payload is its version, or any text."""
    source = out.with_suffix(".payload")
    source.write_text(payload or version)
    notes = {"en": ["Something new."], "pt_BR": ["Uma novidade."]}
    package.write(out, source, Package(**{"version": version, "after": "0.1.0", "commit": "abc", "date": "2026-11-27", "size_bytes": 0, "sha256": "",
                                          "notes": notes} | values), key)  # fmt: skip
    return out


def main(words: list[str]) -> None:
    machine, point = Machine(Path(words[0])), words[1]
    seen = [0]

    def heard(name: str) -> None:
        if name == point.partition(":")[0]:
            seen[0] += 1
            if seen[0] == int(point.partition(":")[2] or 1):
                os.kill(os.getpid(), signal.SIGKILL)

    work.listeners.append(heard)
    if len(words) > 2:
        with open(words[2], "rb") as file:
            machine.update().begin(file, Order())
    else:
        machine.update().at_start()
        machine.update().proved()


if __name__ == "__main__":
    main(sys.argv[1:])
