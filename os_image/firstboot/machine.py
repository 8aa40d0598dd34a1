"""What makes this machine this one: name, zone, network, SSH keys, administrator. Kept on the data partition, put in place at every start.

    python3 -m os_image.firstboot.machine apply     before the network comes up
    python3 -m os_image.firstboot.machine keep      at shutdown: the administrator's password as it is now

The root partition may be another one after an update; then everything below /data/machine makes it the same machine. At the first start
the answers of the installer (or of the hypervisor) are taken in; the file that held them is removed. Power may fail anywhere: every
step may run again, and the answers go last.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from os_image.installer import answers as rules
from os_image.installer.answers import Answers, Wrong

KEPT = Path("/data/machine")
ROOT = Path("/")
USER = "admin"


def told() -> Answers:
    """What the first start is told: the installer's file, else the hypervisor's credential, else nothing. Wrong answers are said, and not taken."""
    credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / "bentevi.install"
    for file in (KEPT / "answers.conf", credential):
        if file.is_file():
            try:
                return rules.read_file(file)
            except Wrong as why:
                print(f"<3>the answers in {file} are not taken: {why}", flush=True)
    return Answers()


def take_in(answers: Answers) -> None:
    """The answers become files of the data partition."""
    write(KEPT / "hostname", f"{answers.hostname or 'bentevi'}\n")
    write(KEPT / "timezone", f"{answers.tz or 'America/Sao_Paulo'}\n")
    if answers.passhash:
        write(KEPT / "admin.hash", f"{answers.passhash}\n", 0o600)
    if answers.sshkey:
        write(KEPT / "ssh/authorized_keys", f"{answers.sshkey}\n")
    if answers.ip:
        write(KEPT / "network/10-bentevi.network", network(answers))
    write(KEPT / "first-start.done", "")
    (KEPT / "answers.conf").unlink(missing_ok=True)


def network(answers: Answers) -> str:
    """A fixed address, on whichever wired port comes first."""
    lines = ["[Match]", "Type=ether", "Kind=!*", "", "[Network]", f"Address={answers.ip}"]
    if answers.gw:
        lines.append(f"Gateway={answers.gw}")
    lines += [f"DNS={one}" for one in answers.dns.split()]
    return "\n".join([*lines, "LinkLocalAddressing=ipv6", "LLMNR=no", "MulticastDNS=no", ""])


def apply() -> None:
    """Name, zone, network, keys and administrator of this machine, in the root partition that was started."""
    for name in ("", "ssh", "network", "nftables.d"):
        (KEPT / name).mkdir(mode=0o755, exist_ok=True)
        (KEPT / name).chmod(0o755)
    if not (KEPT / "first-start.done").exists():
        take_in(told())
    name = (KEPT / "hostname").read_text().strip()
    write(ROOT / "etc/hostname", f"{name}\n")
    write(ROOT / "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost ip6-localhost ip6-loopback\n")
    socket.sethostname(name)
    zone(KEPT, ROOT)
    for file in (KEPT / "network").glob("*.network"):
        write(ROOT / "etc/systemd/network" / file.name, file.read_text())
    host_key(KEPT / "ssh/ssh_host_ed25519_key")
    administrator()


def zone(kept: Path, root: Path) -> None:
    """The zone that is kept; one this system does not know leaves what is there."""
    target = Path("/usr/share/zoneinfo") / (kept / "timezone").read_text().strip()
    link = root / "etc/localtime"
    if target.is_file() and not (link.is_symlink() and Path(os.readlink(link)) == target):
        fresh = link.with_name("localtime.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.rename(link)


def host_key(file: Path) -> None:
    """Made once. A half-written one (power failed) is made again."""
    if file.exists() and file.with_name(f"{file.name}.pub").exists():
        return
    draft = file.with_name("draft")
    for old in (draft, draft.with_name("draft.pub")):
        old.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bentevi", "-f", str(draft)], check=True)
    draft.rename(file)
    draft.with_name("draft.pub").rename(file.with_name(f"{file.name}.pub"))


def administrator() -> None:
    """A fresh root partition has a locked administrator: then the kept password holds. Else the one in force is kept."""
    kept = KEPT / "admin.hash"
    if real(in_force()):
        keep()
    elif kept.exists():
        subprocess.run(["chpasswd", "--encrypted"], input=f"{USER}:{kept.read_text().strip()}\n", text=True, check=True)


def keep() -> None:
    """The administrator's password as it is now, for the other root partition."""
    if real(in_force()):
        write(KEPT / "admin.hash", f"{in_force()}\n", 0o600)


def in_force() -> str:
    """What /etc/shadow has for the administrator."""
    lines = [line.split(":") for line in (ROOT / "etc/shadow").read_text().splitlines()]
    return next((words[1] for words in lines if words[0] == USER), "")


def real(text: str) -> bool:
    """Whether somebody can log in with it."""
    return bool(re.match(r"\$(6|y)\$", text))


def write(file: Path, text: str, mode: int = 0o644) -> None:
    """The whole file or the old one; untouched when nothing changes."""
    if file.exists() and file.read_text() == text:
        return
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)
        out.flush()
        os.fchmod(out.fileno(), mode)
        os.fsync(out.fileno())
    fresh.rename(file)


if __name__ == "__main__":
    {"apply": apply, "keep": keep}[sys.argv[1]]()
