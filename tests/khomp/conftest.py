"""The stand-in for Khomp's driver in the exchange of the session: compiled once per version, put in and taken out again."""

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from appliance import applying, khomp_channels, settings
from appliance.settings import CHECKOUT
from appliance.telephony import khomp, runtime
from tests.khomp.network import Network
from tests.rows import first_start_rows
from tests.story.conftest import Exchange, carrier, pbx, phone, phones, second_carrier  # noqa: F401  the fixtures of a story

SOURCE = Path(__file__).with_name("standin.c")
HARDWARE = "0;EBS-FXO;2352;4;0\n1;EBS-E1-SPX;374;60;2\n"


def compiled() -> Path:
    """The module for the Asterisk of this machine. The name says from what it was made."""
    headers = subprocess.run([CHECKOUT / "setup" / "asterisk.sh", "headers"], capture_output=True, text=True, check=True).stdout.strip()
    digest = hashlib.sha256(SOURCE.read_bytes() + runtime.version().encode()).hexdigest()[:16]
    module = runtime.private_root().parent / f"khomp-standin-{digest}.so"
    if not module.exists():
        draft = module.with_suffix(".new")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-g", "-Wall", "-Werror", "-D_GNU_SOURCE", f"-I{headers}", "-o", draft, SOURCE], check=True)
        draft.rename(module)
    return module


@dataclass
class Driver:
    """The stand-in as a test handles it."""

    exchange: Exchange
    data: Path

    def log(self) -> list[str]:
        """`out b0c2 33334444 orig=…` per call that took a channel, oldest first."""
        file = self.data.parent / "log" / "khomp_channels.log"
        return file.read_text().splitlines() if file.exists() else []

    def took(self) -> list[str]:
        """The channels calls left by, in order."""
        return [line.split()[1] for line in self.log() if line.startswith("out ")]

    def alarm(self, channel: str, is_on: bool = True) -> None:
        """Puts a channel out of service, or back."""
        board, number = khomp_channels.channel_of(channel)
        self.exchange.ask(f"khomp standin alarm {board} {number} {'yes' if is_on else 'no'}")


def take_away() -> None:
    """The driver goes from the machine, and Asterisk starts without it when it had loaded it."""
    machine = settings.load()
    assert runtime.wait_booted(runtime.control(machine), 60)
    (machine.home / "drivers" / khomp.MODULE).unlink(missing_ok=True)
    if "1 modules loaded" in runtime.command(runtime.control(machine), "module show like chan_khomp"):
        applying.now("driver taken away")
        applying.restart(confirmed=True)
        assert runtime.wait_booted(runtime.control(machine), 60)


@pytest.fixture(scope="module", autouse=True)
def no_driver_stays(whole_app: Flask) -> Iterator[None]:
    """Whoever comes after these tests finds the machine without the driver."""
    yield
    with whole_app.app_context():
        first_start_rows()
        take_away()


@pytest.fixture
def driver(app: Flask, pbx: Exchange) -> Driver:  # noqa: F811
    """The driver lies on the machine, with an analog EBS of four lines (board 0) and an E1 one of two links (board 1). The next apply
    has Asterisk load it, once for all tests."""
    machine = settings.load()
    data, place = machine.asterisk / "data", machine.home / "drivers" / khomp.MODULE
    assert runtime.wait_booted(runtime.control(machine), 60)
    place.parent.mkdir(exist_ok=True)
    if not place.exists():
        place.symlink_to(compiled())
    (data / "khomp_hardware").write_text(HARDWARE)
    (data / "khomp_forgetful").unlink(missing_ok=True)
    (data.parent / "log" / "khomp_channels.log").unlink(missing_ok=True)
    pbx.ask("khomp standin forget")
    return Driver(pbx, data)


@pytest.fixture
def no_driver(app: Flask) -> None:
    """A machine without it."""
    take_away()


@pytest.fixture
def network(app: Flask) -> Iterator[Network]:
    """The telephone network at the other end of every channel."""
    found = Network(settings.load().asterisk / "data")
    yield found
    found.close()
