"""The exchange, its phones and the outside world of a story."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from appliance import applying, settings
from appliance.telephony import runtime
from tests.carrier import BY_IP, Carrier
from tests.homes import free_ports
from tests.phones import Phone, Phones


@dataclass
class Exchange:
    """The running exchange as a story sees it."""

    address: tuple[str, int]

    def apply(self) -> Any:
        """Put all rows into force; the story fails with the findings when they are refused."""
        attempt = applying.now("story")
        assert attempt.state == "done", [applying.told(found) for found in attempt.findings]
        assert runtime.wait_booted(runtime.control(settings.load()), 60)  # it may restart for what cannot be loaded
        return attempt

    def apply_refused(self) -> list[dict[str, Any]]:
        """Try to put the rows into force and be refused; the findings as a person reads them."""
        attempt = applying.now("story")
        assert attempt.state == "failed", "the rows were applied"
        return [applying.told(found) for found in attempt.findings]

    def ask(self, text: str) -> str:
        """What Asterisk's console answers."""
        return runtime.command(runtime.control(settings.load()), text)

    def is_booted(self) -> bool:
        """Whether Asterisk is there and takes calls."""
        return runtime.wait_booted(runtime.control(settings.load()), 0.1)

    def pid(self) -> int:
        """Asterisk's process; another after each restart, 0 between two."""
        file = settings.load().asterisk / "run" / "asterisk.pid"
        return int(file.read_text() or 0) if file.exists() else 0

    def log(self) -> str:
        """Asterisk's messages so far."""
        return (settings.load().asterisk / "log" / "messages.log").read_text(errors="replace")


@pytest.fixture
def pbx(app: Flask) -> Exchange:
    """The exchange, without rows of other tests; nothing is in force until `apply`."""
    return Exchange(("127.0.0.1", settings.load().sip_port))


@pytest.fixture
def phones(pbx: Exchange) -> Iterator[Phones]:
    """Phones that are closed at the end; what they saw is printed for the report of a failure."""
    with Phones(exchange=pbx.address) as found:
        yield found
        print(found.ladder())


@pytest.fixture
def phone(phones: Phones) -> Callable[..., Phone]:
    """A registered phone of an extension row: `phone(ana)`."""
    return lambda row, **more: phones.phone(row.number, f"secret-{row.number}", **more)


@pytest.fixture
def carrier(phones: Phones, pbx: Exchange) -> Carrier:
    """A carrier known by address and port, on this machine beside the phones."""
    return phones.keep(Carrier(pbx.address, free_ports(1)[0], BY_IP))


@pytest.fixture
def second_carrier(phones: Phones, pbx: Exchange) -> Carrier:
    """Another one."""
    return phones.keep(Carrier(pbx.address, free_ports(1)[0], BY_IP, name="second carrier"))


@dataclass
class Clock:
    """The time the dialplan takes for now, until the next apply (which forgets global variables)."""

    exchange: Exchange

    def at(self, text: str, zone: str = "America/Sao_Paulo") -> None:
        """`2026-12-25 10:00` or with seconds, as clocks in the zone show it."""
        self._put(str(int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())))

    def now(self) -> None:
        """The machine's own time again."""
        self._put("")

    def _put(self, text: str) -> None:
        self.exchange.ask(f'dialplan set global TESTTIME "{text}"')


@pytest.fixture
def clock(pbx: Exchange) -> Iterator[Clock]:
    """A clock to set after `apply`; at the end the exchange goes by the machine's."""
    found = Clock(pbx)
    yield found
    found.now()
