"""`bentevi capture`: the SIP of one call as a ladder. Asterisk itself writes what it sends and receives (res_pjsip_logger, as PCAP); nobody needs
root for that, and encrypted signalling is seen in clear. The file is gone afterwards.
"""

import re
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance import ports
from appliance.errors import Busy, Refused
from appliance.settings import Settings
from appliance.telephony import runtime

LOOK_SECONDS = 1.0
GOODBYE_SECONDS = 2.0   # after the last word of a call: answers and repetitions still come
COLUMN = 30
SECRET = re.compile(r"(?im)^((?:Proxy-)?Authorization|(?:WWW|Proxy)-Authenticate):.*$")
ETHERNET, UDP_BYTES = 14, 8
NOWHERE = ":0"           # Asterisk writes 0.0.0.0:0 for its own end of UDP
IPV4, IPV6 = 0x0800, 0x86DD


@dataclass(frozen=True)
class Message:
    """One SIP message: when (seconds since 1970), between whom, whether we sent it, and its text."""

    at: float
    source: str
    target: str
    is_ours: bool
    text: str

    @property
    def first_line(self) -> str:
        return self.text.split("\r\n", 1)[0]

    @property
    def method(self) -> str:
        """The method of a request, or of the request that is answered."""
        found = re.search(r"(?im)^CSeq:\s*\d+\s+(\w+)", self.text)
        return found[1] if found else ""

    @property
    def status(self) -> int:
        """0 for a request."""
        found = re.match(r"SIP/2.0 (\d{3})", self.text)
        return int(found[1]) if found else 0

    @property
    def call_id(self) -> str:
        found = re.search(r"(?im)^(?:Call-ID|i):\s*(\S+)", self.text)
        return found[1] if found else ""

    @property
    def far(self) -> str:
        """Who is not the exchange."""
        return self.target if self.is_ours else self.source

    @property
    def label(self) -> str:
        """What stands on the arrow."""
        word = self.first_line.removeprefix("SIP/2.0 ") if self.status else self.method
        body = " (SDP)" if re.search(r"(?im)^Content-Type:\s*application/sdp", self.text) else ""
        return f"{word}{body}"

    def names(self, number: str) -> bool:
        """Whether From, To or the address asked for is this number."""
        heads = re.findall(r"(?im)^(?:From|To|f|t):.*?sips?:([^@;>\s]+)@", self.text) + re.findall(r"^INVITE sips?:([^@;>\s]+)@", self.text)
        return number in heads


@dataclass
class Leg:
    """All messages with one Call-ID."""

    messages: list[Message] = field(default_factory=list)

    @property
    def began_at(self) -> float:
        return self.messages[0].at

    @property
    def ended_at(self) -> float | None:
        """When it was over: an answered BYE, or a final refusal that was acknowledged; None while it lasts."""
        for message in self.messages:
            if (message.method == "BYE" and message.status >= 200) or (message.method == "INVITE" and message.status >= 300 and message.status not in (401, 407)):
                return message.at
        return None


@dataclass
class Captured:
    """One call: the leg that came in, and those the exchange opened while it lasted."""

    legs: list[Leg]

    @property
    def is_over(self) -> bool:
        """Every leg of it."""
        return all(leg.ended_at is not None for leg in self.legs)

    @property
    def messages(self) -> list[Message]:
        return sorted((message for leg in self.legs for message in leg.messages), key=lambda one: one.at)


def listen(machine: Settings, number: str, seconds: int, count: int, say: Callable[[str], None]) -> list[Captured]:
    """Listen until so many calls are over, or so many seconds. Raises Busy when Asterisk is not there, Refused when somebody else listens."""
    folder, control = machine.asterisk / "capture", runtime.control(machine)  # where Asterisk may write on the appliance too
    if folder.exists() and time.time() - folder.stat().st_mtime < 60:
        raise Refused("somebody else is listening just now; try again in a minute")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    ear, ends_at = _Ear(control, folder, ports.listening(machine).sip), time.monotonic() + seconds
    try:
        ear.open()
        say(f"listening for {seconds} s at most; Ctrl-C ends it")
        while time.monotonic() < ends_at and sum(call.is_over for call in calls(ear.heard, number)) < count:
            time.sleep(LOOK_SECONDS)
            ear.turn()
        time.sleep(GOODBYE_SECONDS if time.monotonic() < ends_at else 0)
    except KeyboardInterrupt:
        say("ended")
    finally:
        ear.close()
        shutil.rmtree(folder, ignore_errors=True)
    return calls(ear.heard, number)[:count]


class _Ear:
    """What Asterisk writes, file by file: it keeps the last four thousand bytes of one to itself until it is told of the next."""

    def __init__(self, control: Path, folder: Path, port: int) -> None:
        self.control, self.folder, self.port = control, folder, port
        self.heard: list[Message] = []
        self.number = 0

    @property
    def file(self) -> Path:
        return self.folder / f"{self.number}.pcap"

    def open(self) -> None:
        """Begin. Raises Busy when Asterisk does not."""
        for command in (f"pjsip set logger pcap {self.file}", "pjsip set logger verbose off", "pjsip set logger on"):
            runtime.command(self.control, command, timeout=5)
        if not self.file.exists():
            raise Busy("Asterisk does not write what it hears; is the module res_pjsip_logger loaded?")

    def turn(self) -> None:
        """The next file; what stands in the one before is heard."""
        full = self.file
        self.number += 1
        runtime.command(self.control, f"pjsip set logger pcap {self.file}", timeout=5)
        self._read(full)

    def close(self) -> None:
        """End; what is left is heard."""
        runtime.command(self.control, "pjsip set logger off", timeout=5)
        self._read(self.file)

    def _read(self, file: Path) -> None:
        if file.exists():
            self.heard += messages(file, self.port)
            file.unlink()


def calls(heard: list[Message], number: str) -> list[Captured]:
    """The calls among what was heard, oldest first; a leg the exchange opened belongs to the newest call that was going on."""
    legs: dict[str, Leg] = {}
    for message in heard:
        if message.call_id in legs or (message.method == "INVITE" and not message.status):
            legs.setdefault(message.call_id, Leg()).messages.append(message)
    found: list[Captured] = []
    for leg in sorted(legs.values(), key=lambda one: one.began_at):
        going_on = [call for call in found if call.legs[0].ended_at is None or call.legs[0].ended_at > leg.began_at]
        if leg.messages[0].is_ours and going_on:
            going_on[-1].legs.append(leg)
        else:
            found.append(Captured([leg]))
    return [call for call in found if not number or any(message.names(number) for leg in call.legs for message in leg.messages)]


def messages(file: Path, port: int) -> Iterator[Message]:
    """The SIP messages in a PCAP of Asterisk's; a last one that is not written whole yet is left out. `port`: the exchange's own."""
    data = file.read_bytes()
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    place = 24
    while place + 16 <= len(data):
        seconds, micros, kept, _whole = struct.unpack(f"{order}IIII", data[place : place + 16])
        frame = data[place + 16 : place + 16 + kept]
        place += 16 + kept
        if len(frame) < kept:
            return
        found = _udp(frame)
        if found is not None:
            source, target, text = found
            yield Message(seconds + micros / 1e6, source, target, source.endswith((f":{port}", NOWHERE)), text)


def _udp(frame: bytes) -> tuple[str, str, str] | None:
    kind = int.from_bytes(frame[12:14])
    packet = frame[ETHERNET:]
    if kind == IPV4:
        head, addresses = (packet[0] & 15) * 4, [".".join(map(str, packet[start : start + 4])) for start in (12, 16)]
    elif kind == IPV6:
        head, addresses = 40, [f"[{packet[start : start + 16].hex(':', 2)}]" for start in (8, 24)]
    else:
        return None
    source, target = struct.unpack(">HH", packet[head : head + 4])
    return f"{addresses[0]}:{source}", f"{addresses[1]}:{target}", packet[head + UDP_BYTES :].decode("utf-8", "replace")


def ladder(call: Captured) -> list[str]:
    """The drawing: the exchange in the middle of who speaks with it, one line per message, milliseconds since the first."""
    heard = call.messages
    far = list(dict.fromkeys(message.far for message in heard))
    columns = [far[0], "Bentevi", *far[1:]]
    lines = [f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(heard[0].at))}Z", " " * 9 + "".join(name.center(COLUMN) for name in columns)]
    for message in heard:
        one, other = sorted((columns.index(message.far), 1))
        goes_right = (columns.index(message.far) > 1) == message.is_ours
        lines.append(f"{round((message.at - heard[0].at) * 1000):>6} ms" + _arrow(len(columns), one, other, message.label, goes_right))
    return lines


def _arrow(count: int, one: int, other: int, label: str, goes_right: bool) -> str:
    row = list(" " * (COLUMN * count))
    for column in range(count):
        row[column * COLUMN + COLUMN // 2] = "│"
    start, end = one * COLUMN + COLUMN // 2 + 1, other * COLUMN + COLUMN // 2
    text = f" {label[: end - start - 6]} ".center(end - start, "─")
    row[start:end] = list(text[:-1] + "►" if goes_right else "◄" + text[1:])
    return "".join(row).rstrip()


def texts(call: Captured) -> list[str]:
    """The messages whole, without what a password could be guessed from."""
    return [_whole(message) for message in call.messages]


def _whole(message: Message) -> str:
    text = SECRET.sub(lambda found: f"{found[1]}: …", message.text).strip()
    return f"\n--- {message.source} → {message.target}\n{text}"
