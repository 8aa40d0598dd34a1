"""Runs on the first console of the medium: unattended when there are answers, else it asks."""

import os
import subprocess
import sys
import traceback
from pathlib import Path

from os_image.installer import answers as rules
from os_image.installer import disks, install, screens
from os_image.installer.answers import Answers, Wrong

STICK = Path("/dev/disk/by-label/BENTEVI-CFG")
MOUNTED = Path("/run/answers")


def say(text: str) -> None:
    """On the screen, and as an error of the kernel's log, which alone passes `quiet` and reaches a serial line."""
    print(text, flush=True)
    with open("/dev/kmsg", "w") as log:
        log.write(f"<3>bentevi-install: {text}\n")


def given() -> Path | None:
    """The first file of answers there is."""
    credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / "bentevi.install"
    if STICK.exists() and not MOUNTED.is_mount():
        MOUNTED.mkdir(exist_ok=True)
        install.run("mount", "-o", "ro,noexec,nosuid,nodev", STICK, MOUNTED)
    for file in (credential, install.MEDIUM / "bentevi/answers.conf", MOUNTED / "answers.conf"):
        if file.is_file():
            return file
    return None


def once() -> Answers:
    """One installation, from the questions to the end. Raises Wrong, RuntimeError or OSError."""
    file = given()
    say("checking the medium")
    install.check_medium()
    found = disks.suitable(disks.seen())
    if file:
        say(f"answers: {file}")
        answers = rules.read_file(file)
        disk = disks.chosen(found, answers.target)
    else:
        if not found:
            raise Wrong(f"nenhum disco com pelo menos {disks.SMALLEST_BYTES / 1e9:.0f} GB foi encontrado")
        say("asking")
        disk, answers = screens.ask(found)
    say(f"target: {disk.path} ({disk.title.encode('ascii', 'replace').decode()})")
    install.install(disk, answers, say)
    return answers


def main() -> int:
    """Until something is installed, or the person gives up."""
    while True:
        try:
            answers = once()
        except screens.Back:
            choice = screens.failed("A instalação foi interrompida. Nada foi alterado.")
        except (Wrong, RuntimeError, OSError, ValueError, KeyError) as why:
            traceback.print_exc()
            say(f"INSTALL ERROR: {why}")
            choice = screens.failed(f"{why}\n\nNada será iniciado deste disco até uma instalação completa.")
        else:
            say("INSTALL-OK")
            if not given():
                screens.message("Pronto", "Instalado. Retire o pendrive ou o disco da instalação e continue.\n\n"
                                "O console mostrará o endereço das páginas e o código da primeira visita.")  # fmt: skip
            choice = answers.after or "reboot"
        if choice == "shell":
            subprocess.run(["/bin/bash"], check=False)
        elif choice in ("reboot", "poweroff"):
            subprocess.run(["sync"], check=True)
            subprocess.run(["systemctl", choice, "--force"], check=True)
            return 0


if __name__ == "__main__":
    sys.exit(main())
