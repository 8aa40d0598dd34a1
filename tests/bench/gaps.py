"""bench gaps: 100 applies under 50 live calls: calls dropped, and the longest silence in what Asterisk sends to the phones.

Each apply changes an extension, a route and a trunk or class in use. The time of each packet is the kernel's (SO_TIMESTAMPNS on
a packet socket of the loopback device, so this runs as root), not that of a program that reads it late. What the phones send is
measured in the same way: a gap of theirs is a gap of the two cores they share with everything else, and is told beside. So that there are few, the
phones have a process of their own that comes before others; the applies are made by another one.
"""

import multiprocessing
import os
import socket
import struct
import sys
import time
from bisect import bisect_right
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

from appliance import applying
from appliance.app import bare_app
from appliance.db import db
from appliance.resource import TABLE
from tests.bench.machine import figure, percentile, report
from tests.bench.product import product
from tests.carrier import BY_IP, Carrier
from tests.homes import free_ports
from tests.phones import Phones

CALLS, APPLIES = 50, 100
SO_TIMESTAMPNS, ETH_P_IP, PACKET_HOST = 35, 0x0800, 0
LONG_MS = 60.0
WAY_SECONDS = 0.02  # that a packet may take through Asterisk when nothing holds it up
PHONES_NICE = -15  # telephones have processors of their own


def main(calls: int = CALLS, applies: int = APPLIES) -> None:
    """Measure and print."""
    with product() as machine:
        trunk_port = free_ports(1)[0]
        _rows(calls, trunk_port)
        assert applying.now("bench").state == "done"
        db.session.rollback()  # nothing of ours keeps the other process from writing
        applier, applied = _beside(_apply_all, calls, applies)
        os.setpriority(os.PRIO_PROCESS, 0, PHONES_NICE)
        with Phones(exchange=("127.0.0.1", machine.sip_port)) as phones:
            carrier = phones.keep(Carrier(("127.0.0.1", machine.sip_port), trunk_port, BY_IP))
            pairs = _calls(phones, carrier, calls)
            peers = {one.media.port: other.media.port for pair in pairs for one, other in (pair, pair[::-1])}
            listener, listening = _beside(_listen, peers)
            applied.send("begin")
            seconds = applied.recv()
            listening.send("enough")
            sent, heard, added = listening.recv()
            listener.join()
            applier.join()
            up = sum(one.state == other.state == "up" for one, other in pairs)
    report("gaps", [
        figure("calls", calls, ""), figure("applies", applies, ""), figure("calls_dropped", calls - up, ""),
        figure("apply_p50", percentile(seconds, 0.5), "s"), figure("apply_p95", percentile(seconds, 0.95), "s"),
        figure("audio_gap_max", max(heard), "ms"), figure("audio_gap_p9999", percentile(heard, 0.9999), "ms"),
        figure("audio_gaps_over_60", sum(gap > LONG_MS for gap in heard), ""), figure("audio_packets", len(heard), ""),
        figure("added_max", max(added), "ms"), figure("added_p9999", percentile(added, 0.9999), "ms"),
        figure("added_over_60", sum(gap > LONG_MS for gap in added), ""),
        figure("phones_own_gap_max", max(sent), "ms"), figure("phones_own_gaps_over_60", sum(gap > LONG_MS for gap in sent), ""),
    ])  # fmt: skip


def _beside(target: Any, *arguments: Any) -> tuple[Any, Connection]:
    """A process that works on its own, once it said that it is ready, and the line to it."""
    fresh = multiprocessing.get_context("spawn")
    ours, theirs = fresh.Pipe()
    process = fresh.Process(target=target, args=(theirs, *arguments))
    process.start()
    ours.recv()
    return process, ours


def _apply_all(told: Connection, calls: int, applies: int) -> None:
    """Every apply, once we are told to begin; sends how long each took."""
    with bare_app().app_context():
        told.send("ready")
        told.recv()
        told.send([_apply(number, calls) for number in range(applies)])


def _rows(calls: int, trunk_port: int) -> None:
    TABLE["trunks"].create({"name": "A", "host": "127.0.0.1", "port": trunk_port, "qualify": False, "call_limit": 1000})
    TABLE["outbound_routes"].create({"name": "Fora", "rules": [{"mask": "9XXXXXXXX", "trunk": "A"}]})
    TABLE["dialing_profiles"].create({"name": "Completo", "outbound_routes": ["Fora"]})
    TABLE["extension_classes"].create({"name": "Outra"})
    for number in range(2000, 2000 + calls):
        TABLE["extensions"].create({"number": str(number), "name": f"Ramal {number}", "password": f"secret-{number}", "class": "Outra",
                                    "dialing_profile": "Completo"})  # fmt: skip
    db.session.commit()


def _calls(phones: Phones, carrier: Carrier, calls: int) -> list[tuple[Any, Any]]:
    """Every phone calls out through the trunk and speaks; so does the far end."""
    pairs = []
    for number in range(2000, 2000 + calls):
        call = phones.phone(str(number), f"secret-{number}").call(f"9{number:08d}").wait_answered()
        there = carrier.received[-1]
        call.speak()
        there.speak()
        pairs.append((call, there))
    return pairs


def _apply(number: int, calls: int) -> float:
    TABLE["extensions"].update(TABLE["extensions"].find(str(2000 + number % calls)), {"name": f"Pessoa {number}"})
    rules = [{"mask": "9XXXXXXXX", "trunk": "A"}, {"mask": f"8{number:06d}X", "trunk": "A"}]
    TABLE["outbound_routes"].update(TABLE["outbound_routes"].find("Fora"), {"rules": rules})
    if number % 2:
        TABLE["trunks"].update(TABLE["trunks"].find("A"), {"caller_id": f"48{number:08d}"})
    else:
        TABLE["extension_classes"].update(TABLE["extension_classes"].find("Outra"), {"ring_timeout_seconds": 10 + number % 50})
    db.session.commit()
    began = time.monotonic()
    attempt = applying.now("bench")
    assert attempt.state == "done", attempt.findings
    return time.monotonic() - began


def _listen(told: Connection, peers: dict[int, int]) -> None:
    """Gaps in ms between packets: of those sent from the phones' ports, of those that arrive at them, and how much longer each of these is than
    the one with which the other end sent. `peers`: port of an end → port of the other one."""
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    sniffer.bind(("lo", 0))
    sniffer.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 2**20)
    sniffer.settimeout(0.2)
    sent: dict[int, list[float]] = {port: [] for port in peers}
    heard: dict[int, list[float]] = {port: [] for port in peers}
    told.send("listening")
    while not told.poll():
        try:
            data, extra, _flags, (_device, _protocol, kind, *_more) = sniffer.recvmsg(2048, 64)
        except TimeoutError:
            continue
        at = 14 + 4 * (data[14] & 15)
        if kind != PACKET_HOST or data[23] != socket.IPPROTO_UDP or len(data) < at + 20 or data[at + 8] >> 6 != 2 or data[at + 9] & 127 > 95:
            continue  # not RTP audio
        source, target = struct.unpack(">HH", data[at : at + 4])
        seconds, nanoseconds = struct.unpack("ll", extra[0][2])
        if target in peers:
            heard[target].append(seconds + nanoseconds / 1e9)
        elif source in peers:
            sent[source].append(seconds + nanoseconds / 1e9)
    told.recv()
    told.send(([gap for times in sent.values() for gap in _gaps(times)], [gap for times in heard.values() for gap in _gaps(times)],
               [longer for port, times in heard.items() for longer in _added(times, sent[peers[port]])]))


def _gaps(times: list[float]) -> list[float]:
    return [(after - before) * 1000 for before, after in pairwise(times)]


def _added(heard: list[float], sent: list[float]) -> list[float]:
    """Milliseconds by which each gap at one end is longer than the longest with which the other end sent just then."""
    found = []
    for before, after in pairwise(heard):
        first, last = bisect_right(sent, before - WAY_SECONDS) - 1, bisect_right(sent, after)
        own = max(_gaps(sent[max(0, first) : last + 1]), default=0.0)
        found.append((after - before) * 1000 - own)
    return found


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
