"""The appliance's firewall follows the product: who may not come in, and which ports it uses.

    python3 -m os_image.firstboot.firewall

Runs as root (appliance-firewall.service) at every start, and whenever the product writes one of its two files. They are written by the product's
own user, so nothing in them is believed: each line is one of the few below, its addresses and numbers are read as such and written anew, anything else is
left out and told. No shell and no text of theirs reaches nft.

    firewall/addresses    whole|sip|pages NETWORK
    firewall/ports        sip PORT, voice FIRST-LAST
"""

import ipaddress
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path("/var/lib/bentevi/firewall")
LARGEST_BYTES = 1 << 20
MOST_LINES = 20_000
LINE = re.compile(r"(whole|sip|pages) ([0-9A-Fa-f.:]{2,45})(/[0-9]{1,3})?")
PORTS = re.compile(r"(sip|voice) ([0-9]{1,5})(?:-([0-9]{1,5}))?")
DEFAULTS = {"sip": [(5060, 5060)], "voice": [(10000, 20000)]}
SETS = {"whole": "blocked", "sip": "banned"}  # what is closed for pages only is the pages' business

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def text_of(file: Path) -> str:
    """An ordinary file of a sensible size, "" when it is missing or anything else: a link, a pipe, a folder, too large."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as why:
        if not isinstance(why, FileNotFoundError):
            print(f"{file.name}: {why.strerror}; left out", flush=True)
        return ""
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST_BYTES:
        os.close(handle)
        print(f"{file.name}: no ordinary file of at most {LARGEST_BYTES} bytes; left out", flush=True)
        return ""
    with os.fdopen(handle, "rb") as opened:
        return opened.read(LARGEST_BYTES).decode("ascii", "replace")


def addresses(text: str) -> tuple[dict[str, list[Network]], int]:
    """{word: networks} without overlaps, and how many lines made no sense. What holds the machine itself is left out."""
    found: dict[str, list[Network]] = {"whole": [], "sip": [], "pages": []}
    wrong = 0
    for line in text.split("\n")[:MOST_LINES]:
        match = LINE.fullmatch(line)
        network = _network(match[2] + (match[3] or "")) if match else None
        if match and network is not None:
            found[match[1]].append(network)
        elif line:
            wrong += 1
    return {word: _merged(several) for word, several in found.items()}, wrong


def _network(text: str) -> Network | None:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    own: Network = ipaddress.IPv4Network("127.0.0.0/8") if isinstance(network, ipaddress.IPv4Network) else ipaddress.IPv6Network("::1/128")
    return None if network.overlaps(own) else network


def _merged(networks: Iterable[Network]) -> list[Network]:
    several = list(networks)
    return [one for version in (4, 6) for one in ipaddress.collapse_addresses([network for network in several if network.version == version])]


def ports(text: str) -> dict[str, list[tuple[int, int]]]:
    """{word: [(first, last), …]} without overlaps; several while a change is on its way. The image's own for what is missing or makes no sense."""
    found: dict[str, list[tuple[int, int]]] = {word: [] for word in DEFAULTS}
    for line in text.split("\n")[:10]:
        match = PORTS.fullmatch(line)
        if match is None:
            continue
        first, last = int(match[2]), int(match[3] or match[2])
        if 1024 <= first <= last <= 65535 and (first == last if match[1] == "sip" else last - first >= 1):
            found[match[1]].append((first, last))
    return {word: _joined(spans) or DEFAULTS[word] for word, spans in found.items()}


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """nft refuses a set whose spans overlap."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def script(held: dict[str, list[Network]], used: dict[str, list[tuple[int, int]]]) -> str:
    """What nft is told, in one transaction: every set anew. Made of numbers and addresses only."""
    lines = []
    for word, name in SETS.items():
        for version, ending in ((4, ""), (6, "6")):
            members = [str(network) for network in held[word] if network.version == version]
            lines.append(f"flush set inet bentevi {name}{ending}")
            lines += [f"add element inet bentevi {name}{ending} {{ {', '.join(members[begin:begin + 500])} }}" for begin in range(0, len(members), 500)]
    for word, name in (("sip", "sip_ports"), ("voice", "voice_ports")):
        spans = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in used[word])
        lines += [f"flush set inet bentevi {name}", f"add element inet bentevi {name} {{ {spans} }}"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Read, judge, set. 1 when nft refuses; the sets are as before then."""
    held, wrong = addresses(text_of(FOLDER / "addresses"))
    if wrong:
        print(f"addresses: {wrong} lines make no sense; left out", flush=True)
    run = subprocess.run(["/usr/sbin/nft", "-f", "-"], input=script(held, ports(text_of(FOLDER / "ports"))), text=True, capture_output=True, check=False)
    print(run.stderr.strip() or f"{sum(map(len, held.values()))} networks", flush=True)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
