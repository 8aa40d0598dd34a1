"""Homes for tests and benches: folders and free ports of their own, so that any number run side by side."""

import os
import socket
from pathlib import Path

RTP_SPAN = 400


def free_ports(count: int) -> list[int]:
    """Ports nobody has now, for TCP and UDP."""
    held = []
    while len(held) < count:
        tcp, udp = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        except OSError:
            tcp.close()
            continue
        held.append((tcp, udp))
    ports = [tcp.getsockname()[1] for tcp, _udp in held]
    for pair in held:
        for one in pair:
            one.close()
    return ports


def environment(home: Path) -> dict[str, str]:
    """A home of its own, on free ports."""
    http, https, sip, ami, agi, ws = free_ports(6)
    start = 20000 + os.getpid() % 50 * RTP_SPAN
    return {
        "BENTEVI_HOME": str(home), "BENTEVI_BIND": "127.0.0.1", "BENTEVI_HTTP_PORT": str(http), "BENTEVI_HTTPS_PORT": str(https),
        "BENTEVI_SIP_PORT": str(sip), "BENTEVI_AMI_PORT": str(ami), "BENTEVI_AGI_PORT": str(agi), "BENTEVI_WS_PORT": str(ws),
        "BENTEVI_RTP_PORTS": f"{start}-{start + RTP_SPAN}",
    }
