"""What may not come in now, as a file that web, streams and the appliance's firewall read: `firewall/addresses` in the home.

    whole 192.0.2.0/24      neither SIP nor pages (a person's rule)
    sip 198.51.100.7        no SIP (banned for wrong SIP passwords)
    pages 198.51.100.9      no pages (banned for wrong passwords of the pages)

Networks of a word do not overlap. The rows decide; who writes it is appliance/addresses/force.py.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from functools import cache
from ipaddress import ip_network
from pathlib import Path

from appliance import networks, settings
from appliance.networks import Network

log = logging.getLogger("bentevi.addresses")
WHOLE, SIP, PAGES = "whole", "sip", "pages"
KINDS = (WHOLE, SIP, PAGES)


def file() -> Path:
    """Where it stands."""
    return settings.load().home / "firewall" / "addresses"


def text_of(closed: Mapping[str, Iterable[Network]]) -> str:
    """The file's text for {word: networks}."""
    return "".join(f"{kind} {networks.told(network)}\n" for kind in KINDS for network in closed.get(kind, ()))


class Closed:
    """The file as it was read, asked once per request: a look into a few sets, however many addresses there are."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        # (pages or sip, version, length of the prefix) → numbers of networks they are closed to
        self.sets: dict[tuple[str, int, int], set[int]] = {}
        for line in lines:
            kind, _space, text = line.strip().partition(" ")
            for what in (PAGES, SIP) if kind == WHOLE else (kind,) if kind in KINDS else ():
                network = ip_network(text)
                self.sets.setdefault((what, network.version, network.prefixlen), set()).add(int(network.network_address) >> (network.max_prefixlen - network.prefixlen))

    def keeps_out(self, text: str, what: str = PAGES) -> bool:
        """Whether pages (with API, streams and files of telephones) or SIP are closed to this address. The machine itself always comes in."""
        one = networks.address(text)
        if one is None or one in networks.MACHINE:
            return False
        number = int(one)
        return any((kind, version) == (what, one.version) and number >> (one.max_prefixlen - length) in found
                   for (kind, version, length), found in self.sets.items())


def keeps_out(text: str, what: str = PAGES) -> bool:
    """The same, by the file as it is now; costs one stat."""
    path = file()
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return False
    return _read(path, facts.st_ino, facts.st_mtime_ns).keeps_out(text, what)


@cache
def _newest() -> dict[Path, tuple[int, int, Closed]]:
    return {}


def _read(path: Path, inode: int, changed: int) -> Closed:
    known = _newest().get(path)
    if known is None or known[:2] != (inode, changed):
        try:
            known = _newest()[path] = (inode, changed, Closed(path.read_text(encoding="utf-8").splitlines()))
        except (OSError, ValueError) as why:
            log.error("%s cannot be read, nobody is kept out by it: %s", path, why)
            known = _newest()[path] = (inode, changed, Closed())
    return known[2]
