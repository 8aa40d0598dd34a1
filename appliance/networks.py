"""Internet addresses and networks: how they are written, which lie inside, and which rule counts for one.

The most specific rule counts: an allowed address inside a blocked network may come in, a blocked one inside an allowed network may not.
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ALLOW, BLOCK = "allow", "block"

MACHINE = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))  # by which the machine speaks to itself
LOCAL = [ipaddress.ip_network(text) for text in (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "::1/128", "fe80::/10", "fc00::/7")]  # fmt: skip


def read(text: str) -> Network:
    """`192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`; digits behind the prefix are cut off. Raises ValueError for anything else."""
    if "%" in text:
        raise ValueError(text)  # a zone means something on one machine only
    found = ipaddress.ip_network(text.strip(), strict=False)
    mapped = found.network_address.ipv4_mapped if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96 else None
    return ipaddress.ip_network((mapped, found.prefixlen - 96)) if mapped else found


def told(network: Network) -> str:
    """The one way a network is written: a single address without its prefix."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def address(text: str) -> Address | None:
    """One address as a connection tells it; None for what is none (a socket of the machine)."""
    try:
        return read(text).network_address if "/" not in text else None
    except ValueError:
        return None


def is_inside(one: Address, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of them."""
    return any(one.version == network.version and one in network for network in networks)


def is_local(one: Address) -> bool:
    """Whether an address is one of a local network, which bans spare unless they are told not to."""
    return is_inside(one, LOCAL)


def rule_for(one: Address, rules: Iterable[tuple[Network, str]]) -> str:
    """ALLOW or BLOCK by the most specific rule that holds this address, "" when none does."""
    found = [(network.prefixlen, word) for network, word in rules if is_inside(one, [network])]
    return max(found)[1] if found else ""


def closed_by(rules: Iterable[tuple[Network, str]]) -> list[Network]:
    """Networks that the rules keep out, none within another, allowed parts cut out of them."""
    closed: list[Network] = []
    for network, word in sorted(rules, key=lambda rule: rule[0].prefixlen):
        closed = merged([*closed, network]) if word == BLOCK else _without(closed, network)
    return closed


def merged(networks: Iterable[Network]) -> list[Network]:
    """The same addresses in as few networks as possible, in order."""
    four = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def _without(closed: list[Network], taken: Network) -> list[Network]:
    left: list[Network] = []
    for network in closed:
        if network.version == taken.version and taken.subnet_of(network):  # type: ignore[arg-type]  # of one version, as was just asked
            left += network.address_exclude(taken)  # type: ignore[arg-type]
        else:
            left.append(network)
    return merged(left)
