"""The stand-in for Khomp's driver in the exchange of the session: compiled once per version, put in and taken out again."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from appliance import applying, settings
from appliance.settings import CHECKOUT
from appliance.telephony import khomp, runtime
from tests.khomp.network import Network
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
        board, number = khomp.channel_of(channel)
        self.exchange.ask(f"khomp standin alarm {board} {number} {'yes' if is_on else 'no'}")


@pytest.fixture
def install(app: Flask, pbx: Exchange) -> Iterator[Callable[..., Driver]]:  # noqa: F811
    """Puts the driver with its boards on the machine: `install(HARDWARE)`. Afterwards it is gone again."""
    machine = settings.load()
    data, place = machine.asterisk / "data", machine.home / "drivers" / khomp.MODULE

    def installed(hardware: str = HARDWARE, forgets_reloads: bool = False) -> Driver:
        place.parent.mkdir(exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(compiled())
        (data / "khomp_hardware").write_text(hardware)
        (data / "khomp_forgetful").unlink(missing_ok=True)
        if forgets_reloads:
            (data / "khomp_forgetful").touch()
        (data.parent / "log" / "khomp_channels.log").unlink(missing_ok=True)
        return Driver(pbx, data)

    yield installed
    place.unlink(missing_ok=True)
    if khomp.MODULE in pbx.ask("module show like chan_khomp"):
        from tests.rows import first_start_rows

        first_start_rows()
        applying.now("driver taken away")
        applying.restart(confirmed=True)
        assert runtime.wait_booted(runtime.control(machine), 30)


@pytest.fixture
def driver(install: Callable[..., Driver]) -> Driver:
    """A machine with an analog EBS of four lines (board 0) and an E1 one of two links (board 1)."""
    return install()


@pytest.fixture
def network(app: Flask) -> Iterator[Network]:
    """The telephone network at the other end of every channel."""
    found = Network(settings.load().asterisk / "data")
    yield found
    found.close()
