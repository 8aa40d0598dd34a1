"""What phones hear and say: G.711, tones of their own, RTP, and key presses (RFC 4733).

Tones are multiples of 50 Hz: one 20 ms packet then holds whole periods, so repeating it is a continuous tone, and two
tones never leak into each other's 40 ms block. Frequencies of keys, fax (1100, 2100) and milliwatt (1000) are left out.
"""

import functools
import itertools
import math
import operator
import random
import struct
import time
from collections.abc import Iterable, Sequence

from tests.wire import Wire

RATE = 8000
PACKET_SAMPLES = 160
BLOCK_SAMPLES = 320
BLOCK_SECONDS = BLOCK_SAMPLES / RATE
QUIET_DBFS = -50.0
TONE_LEVEL = 8000
FREQUENCIES = [550, 1250, 1850, 650, 1550, 2250, 900, 1750, 2450, 1050, 1400, 2650, 600, 1150, 1950, 2350, 1300, 2550]
PAYLOAD_TYPES = {"PCMU": 0, "GSM": 3, "PCMA": 8, "G722": 9, "G729": 18, "opus": 107, "iLBC": 108}
SPEAKS = {0: "PCMU", 8: "PCMA"}
EVENT_TYPE = 101
KEYS = "0123456789*#ABCD"
KEY_PACKETS, KEY_END_PACKETS, KEY_PAUSE_PACKETS = 5, 3, 4

_next_frequency = itertools.cycle(FREQUENCIES)


def own_frequency() -> int:
    """A frequency for one more leg; they come again after 18 legs."""
    return next(_next_frequency)


# -- G.711, from ITU-T G.711


def _alaw_to_linear(byte: int) -> int:
    byte ^= 0x55
    exponent, mantissa = (byte >> 4) & 7, byte & 15
    size = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return size if byte & 0x80 else -size


def _ulaw_to_linear(byte: int) -> int:
    byte = ~byte & 0xFF
    size = (((byte & 15) << 3) + 0x84 << ((byte >> 4) & 7)) - 0x84
    return -size if byte & 0x80 else size


LINEAR = {0: [_ulaw_to_linear(byte) for byte in range(256)], 8: [_alaw_to_linear(byte) for byte in range(256)]}


@functools.cache
def _nearest_byte(payload_type: int, sample: int) -> int:
    table = LINEAR[payload_type]
    return min(range(256), key=lambda byte: abs(table[byte] - sample))


@functools.cache
def tone_packet(payload_type: int, frequency: int) -> bytes:
    """20 ms of a tone, 0 for silence. Raises ValueError when repeating it would not be a continuous tone."""
    if frequency % 50:
        raise ValueError(f"{frequency} Hz: phones play multiples of 50 Hz")
    step = 2 * math.pi * frequency / RATE
    samples = (round(TONE_LEVEL * math.sin(step * n)) for n in range(PACKET_SAMPLES))
    return bytes(_nearest_byte(payload_type, sample) for sample in samples)


# -- listening


@functools.cache
def _waves(frequency: float) -> tuple[list[float], list[float]]:
    step = 2 * math.pi * frequency / RATE
    return [math.cos(step * n) for n in range(BLOCK_SAMPLES)], [math.sin(step * n) for n in range(BLOCK_SAMPLES)]


def level_dbfs(samples: Sequence[int]) -> float:
    """Loudness of the samples against full scale, -100 for nothing at all."""
    mean = sum(map(operator.mul, samples, samples)) / len(samples) if samples else 0.0
    return 10 * math.log10(mean / 32768**2) if mean > 0 else -100.0


def tone_share(block: Sequence[int], frequency: float) -> float:
    """Share (0 to 1) of one 40 ms block's energy that lies at `frequency`; 0 when the block is quiet."""
    if level_dbfs(block) < QUIET_DBFS:
        return 0.0
    cosine, sine = _waves(frequency)
    energy = sum(map(operator.mul, block, block))
    real, imaginary = sum(map(operator.mul, block, cosine)), sum(map(operator.mul, block, sine))
    return 2 * (real * real + imaginary * imaginary) / (len(block) * energy)


def blocks(samples: Sequence[int]) -> list[Sequence[int]]:
    """Whole 40 ms blocks; a rest shorter than that is left out."""
    return [samples[n : n + BLOCK_SAMPLES] for n in range(0, len(samples) - BLOCK_SAMPLES + 1, BLOCK_SAMPLES)]


def holds_tone(samples: Sequence[int], frequency: float, share: float = 0.4, seconds: float = 0.24) -> bool:
    """True when within some 0.4 s the tone leads in at least `seconds` of blocks.

    0.4 lets two voices at once be heard (a spy, a conference) and keeps music out; 0.24 s is more than any buffer
    holds, so the end of an earlier tone is not taken for a new one.
    """
    hits = [tone_share(block, frequency) >= share for block in blocks(samples)]
    needed, window = math.ceil(seconds / BLOCK_SECONDS - 1e-9), 10
    return any(sum(hits[n : n + window]) >= needed for n in range(max(1, len(hits) - window + 1)))


class Rtp:
    """One audio stream both ways. Sends a packet each 20 ms once `remote` is known and `sending` is true."""

    def __init__(self, wire: Wire, host: str) -> None:
        self.wire = wire
        self.socket = wire.open(host, 0, self._received)
        self.port: int = self.socket.getsockname()[1]
        self.remote: tuple[str, int] | None = None
        self.payload_type, self.event_type = PAYLOAD_TYPES["PCMA"], EVENT_TYPE
        self.sending, self.frequency, self.echoes = True, 0, False
        self.heard: list[tuple[float, int, bytes]] = []
        self.keys: list[tuple[float, str]] = []
        self.keys_waiting: list[int] = []
        self.sent_count = 0
        self._key: tuple[int, int] | None = None
        self._key_packet = 0
        self._last_key: tuple[bytes, bytes] | None = None
        self._sequence, self._clock = random.getrandbits(15), random.getrandbits(30)
        self._source = random.getrandbits(32)

    def talk_to(self, remote: tuple[str, int]) -> None:
        self.remote = remote
        self.wire.every_beat(self, self._beat)

    def close(self) -> None:
        """Ends sending; keys not yet sent stay unsent, so that nobody waits for them."""
        self.wire.stop_beat(self)
        self.keys_waiting, self._key = [], None
        self.wire.close(self.socket)

    def samples(self, since: float = 0.0, until: float = math.inf) -> list[int]:
        """What was heard between two instants (monotonic seconds), as 16-bit samples."""
        with self.wire.changed:
            packets = [(kind, payload) for at, kind, payload in self.heard if since <= at < until]
        return [sample for kind, payload in packets for sample in map(LINEAR[kind].__getitem__, payload)]

    def press(self, keys: Iterable[str]) -> None:
        """Queues key presses; each takes 0.24 s. Raises ValueError for what is no key."""
        self.keys_waiting += [KEYS.index(key) for key in keys]

    @property
    def is_pressing(self) -> bool:
        return bool(self.keys_waiting) or self._key is not None

    def _received(self, data: bytes, _address: tuple[str, int]) -> None:
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        kind, payload = data[1] & 127, data[12 + 4 * (data[0] & 15) :]
        if kind in LINEAR:
            self.heard.append((time.monotonic(), kind, payload))
            if self.echoes and self.remote:
                self._send(kind, payload, self._clock)
        elif kind == self.event_type and len(payload) >= 4:
            self._key_heard(data[4:8], data[8:12], payload)

    def _key_heard(self, clock: bytes, source: bytes, payload: bytes) -> None:
        """The end of a key comes three times with the same clock: it counts once."""
        if payload[1] & 0x80 and self._last_key != (source, clock) and payload[0] < len(KEYS):
            self._last_key = (source, clock)
            self.keys.append((time.monotonic(), KEYS[payload[0]]))

    def _beat(self) -> None:
        self._clock = (self._clock + PACKET_SAMPLES) & 0xFFFFFFFF
        if not self.sending or (self.echoes and not self.is_pressing):
            return
        if self._key is None and self.keys_waiting:
            self._key, self._key_packet = (self.keys_waiting.pop(0), self._clock), 0
        if self._key:
            self._key_beat(*self._key)
        else:
            self._send(self.payload_type, tone_packet(self.payload_type, self.frequency), self._clock)

    def _key_beat(self, key: int, clock: int) -> None:
        count, is_end = self._key_packet, self._key_packet >= KEY_PACKETS
        if count < KEY_PACKETS + KEY_END_PACKETS:
            length = PACKET_SAMPLES * min(count + 1, KEY_PACKETS)
            self._send(self.event_type, struct.pack(">BBH", key, 0x8A if is_end else 0x0A, length), clock, count == 0)
        self._key_packet += 1
        if self._key_packet == KEY_PACKETS + KEY_END_PACKETS + KEY_PAUSE_PACKETS:
            self._key = None

    def _send(self, kind: int, payload: bytes, clock: int, is_first: bool = False) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        head = struct.pack(">BBHII", 0x80, kind | (0x80 if is_first else 0), self._sequence, clock, self._source)
        self.socket.sendto(head + payload, self.remote)
        self.sent_count += 1
