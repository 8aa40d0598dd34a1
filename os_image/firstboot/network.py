"""`bentevi-network`: the machine's address. A change that is not confirmed within a minute goes back, also when the line is lost.

    bentevi-network show
    bentevi-network dhcp                                     by DHCP
    bentevi-network fixed ADDRESS/PREFIX ROUTER [DNS…]       a fixed address
    bentevi-network --dry-run dhcp | fixed …                 only shows what the file of the network would be
"""

import select
import signal
import subprocess
import sys
from pathlib import Path

from os_image.firstboot import machine
from os_image.installer import answers as rules
from os_image.installer.answers import Answers

NAME = "10-bentevi.network"
CONFIRM_SECONDS = 60


def wanted(words: list[str]) -> str:
    """The file of networkd the words mean; "" for DHCP, which is the image's own. Raises ValueError."""
    if words == ["dhcp"]:
        return ""
    if words[:1] != ["fixed"] or len(words) < 3:
        raise ValueError((__doc__ or "").strip())
    dns = rules.addresses(" ".join(words[3:])) if words[3:] else rules.address(words[2])
    return machine.network(Answers(ip=rules.interface(words[1]), gw=rules.address(words[2]), dns=dns))


def put(text: str) -> None:
    """Into this root partition, and in force."""
    _lay(machine.ROOT / "etc/systemd/network" / NAME, text)
    subprocess.run(["networkctl", "reload"], check=True)


def keep(text: str) -> None:
    """For the next start and for the other root partition."""
    _lay(machine.KEPT / "network" / NAME, text)


def _lay(file: Path, text: str) -> None:
    """The file with this text; none when it is empty."""
    if text:
        machine.write(file, text)
    else:
        file.unlink(missing_ok=True)


def confirmed() -> bool:
    """Whether somebody who still reaches us wrote `sim` in time."""
    print(f'A rede mudou. Escreva "sim" em {CONFIRM_SECONDS} segundos para ficar assim; senão ela volta: ', end="", flush=True)
    ready, _, _ = select.select([sys.stdin], [], [], CONFIRM_SECONDS)
    return bool(ready) and sys.stdin.readline().strip().lower() == "sim"


def change(text: str) -> bool:
    """Put, ask, keep or go back. A lost line ends us by a signal: then it goes back too."""
    file = machine.ROOT / "etc/systemd/network" / NAME
    before = file.read_text() if file.exists() else ""

    def lost(number: int, frame: object) -> None:
        raise SystemExit(1)

    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lost)
    stays = False
    try:
        put(text)
        stays = confirmed()
    finally:
        if not stays:
            put(before)
    if stays:
        keep(text)
    return stays


def main(words: list[str]) -> int:
    """0 done, 1 went back, 2 refused."""
    if words == ["show"]:
        return subprocess.run(["networkctl", "status", "--no-pager", "--lines=0"], check=False).returncode
    is_tried = words[:1] == ["--dry-run"]
    try:
        text = wanted(words[1:] if is_tried else words)
    except ValueError as why:
        print(why, file=sys.stderr)
        return 2
    if is_tried:
        print(text or "(DHCP)\n", "Nada mudou.", sep="")
        return 0
    stays = change(text)
    print("A rede fica assim." if stays else "A rede voltou a ser como era.")
    return 0 if stays else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
