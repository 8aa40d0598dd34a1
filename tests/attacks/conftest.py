"""Something to attack: a home of its own, started by `./bentevi up` with the bakery in force, and the tools."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.settings import CHECKOUT
from tests.homes import environment, free_ports

RIGHTS = ["extensions", "queues", "now"]  # of the person with few rights
PASSWORD = "Senha#4tes"


@dataclass
class Target:
    """A home that runs. `carrier_port`: where its trunk sends calls."""

    folder: Path
    variables: dict[str, str]
    carrier_port: int = 0

    def bentevi(self, *words: str, text: str = "") -> str:
        """What a command prints; the test fails when it fails."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")}
        done = subprocess.run([CHECKOUT / "bentevi", *words], env=inherited | self.variables, input=text, text=True, capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def port(self, name: str) -> int:
        return int(self.variables[f"BENTEVI_{name}_PORT"])

    @property
    def sip(self) -> tuple[str, int]:
        return "127.0.0.1", self.port("SIP")

    def token(self, login: str) -> str:
        """A new token of the API with the rights of a person."""
        return self.bentevi("token", "create", login, "attack").rsplit(" ", 1)[1].strip()

    def description(self, token: str) -> dict[str, Any]:
        """What the API says of itself."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port('HTTP')}/api/v1/openapi.json", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))

    def pid(self, name: str) -> int:
        return next(one["pid"] for one in json.loads(self.bentevi("status", "--json"))["processes"] if one["name"] == name)

    def own_mistakes(self) -> list[str]:
        """Lines of the web's log that tell of an answer 500."""
        return re.findall(r"^.*error [0-9A-F]{6} at .*$", (self.folder / "log" / "web.log").read_text(errors="replace"), re.M)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """A fresh home for each file of attacks."""
    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    carrier = free_ports(1)[0]
    site = (CHECKOUT / "docs" / "padaria.yaml").read_text(encoding="utf-8").replace("port: 5080", f"port: {carrier}")
    site = site.replace("modules: [user_panel, operator_panel]", f"modules: [{', '.join(RIGHTS)}]")
    (folder / "padaria.yaml").write_text(site, encoding="utf-8")
    home = Target(folder / "home", environment(folder / "home"), carrier)
    try:
        home.bentevi("up", "--site", str(folder / "padaria.yaml"), "--skip-unavailable")
        yield home
    finally:
        home.bentevi("down")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of the tools' programs; installed from requirements-attacks.lock the first time."""
    made = subprocess.run([CHECKOUT / "setup" / "python.sh", "requirements-attacks.lock"], text=True, capture_output=True, timeout=900, check=False)
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip()) / "bin"
