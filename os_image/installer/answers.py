"""Answers given in advance: a text of lines `NAME=value`, read by an allow-list and never run.

A stick somebody else prepared is read as root, so anything that is not exactly one of the lines below is refused, with its number.
Three places, the first that has one counts: the hypervisor (SMBIOS credential `bentevi.install`), `bentevi/answers.conf` on the
medium, `answers.conf` on a stick labelled BENTEVI-CFG.
"""

import ipaddress
import re
from dataclasses import dataclass, fields
from pathlib import Path

LARGEST_BYTES = 16_384
ZONES = Path("/usr/share/zoneinfo")


class Wrong(Exception):
    """A line that cannot be taken; the text names it."""


@dataclass
class Answers:
    """What an installation or a first start is told. Empty means: not said."""

    target: str = ""      # /dev/… or `auto`: the only disk there is
    keep_data: str = ""   # yes: the data partition of an earlier installation stays as it is
    hostname: str = ""
    tz: str = ""
    passhash: str = ""    # of the administrator's password, as `openssl passwd -6` or `mkpasswd` print it
    sshkey: str = ""
    ip: str = ""          # address/prefix; empty: DHCP
    gw: str = ""
    dns: str = ""         # addresses, spaces between
    after: str = ""       # reboot or poweroff

    def text(self) -> str:
        """The same as a file, without what only the installation needs."""
        lines = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value and one.name not in ("target", "keep_data", "after"):
                lines.append(f"BENTEVI_{one.name.upper()}={value}\n")
        return "".join(lines)


def read(text: str) -> Answers:
    """Raises Wrong for the first line that is neither empty, nor a comment, nor an answer as it must be."""
    if len(text.encode()) > LARGEST_BYTES:
        raise Wrong(f"more than {LARGEST_BYTES} bytes")
    found = Answers()
    names = {f"BENTEVI_{one.name.upper()}": one.name for one in fields(Answers)}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or name not in names:
            raise Wrong(f"line {number}: not an answer: {name[:40]!r}")
        if getattr(found, names[name]):
            raise Wrong(f"line {number}: {name} a second time")
        try:
            setattr(found, names[name], CHECKS[names[name]](_unquoted(value)))
        except ValueError as why:
            raise Wrong(f"line {number}: {name}: {why}") from why
    if found.gw and not found.ip:
        raise Wrong("BENTEVI_GW without BENTEVI_IP")
    return found


def read_file(path: Path) -> Answers:
    """The same of a file. Raises Wrong also when it is no text."""
    try:
        with path.open("rb") as file:
            return read(file.read(LARGEST_BYTES + 1).decode("utf-8"))
    except UnicodeDecodeError as why:
        raise Wrong(f"{path}: not UTF-8") from why


def _unquoted(value: str) -> str:
    """One pair of quotes around the whole is taken off; nothing inside means anything."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    if re.search(r"[^\x20-\x7e]", value):
        raise ValueError("only plain letters, digits and signs")
    return value


def _matching(pattern: str, told: str):
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(told)
        return value

    return check


def zone(value: str) -> str:
    """A time zone this system has."""
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", value) or not (ZONES / value).is_file():
        raise ValueError("not a time zone, for example America/Sao_Paulo")
    return value


def interface(value: str) -> str:
    """address/prefix of this machine."""
    found = ipaddress.ip_interface(value)
    if "/" not in value or found.ip in (found.network.network_address, found.network.broadcast_address) or found.ip.is_multicast:
        raise ValueError("address/prefix of one machine, for example 192.168.0.10/24")
    return value


def address(value: str) -> str:
    """One address."""
    return str(ipaddress.ip_address(value))


def addresses(value: str) -> str:
    """Up to three, spaces or commas between."""
    words = value.replace(",", " ").split()
    if not 1 <= len(words) <= 3:
        raise ValueError("one to three addresses")
    return " ".join(address(word) for word in words)


hostname = _matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "small letters, digits and hyphens")
sshkey = _matching(r"(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]+={0,2}( [\w.@+-]{1,80})?", "not a public key")
passhash = _matching(r"\$(6|y)\$[./A-Za-z0-9$=,]{20,200}", "not a hash as `openssl passwd -6` prints it")

CHECKS = {
    "target": _matching(r"auto|/dev/[A-Za-z0-9][A-Za-z0-9/_.:+-]*", "auto or a disk in /dev"),
    "keep_data": _matching(r"yes|no", "yes or no"),
    "hostname": hostname,
    "tz": zone,
    "passhash": passhash,
    "sshkey": sshkey,
    "ip": interface,
    "gw": address,
    "dns": addresses,
    "after": _matching(r"reboot|poweroff", "reboot or poweroff"),
}
