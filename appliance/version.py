"""The version of this program (SYS-10): one number, in setup.cfg; and of what it was made, where that is known."""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from appliance.settings import CHECKOUT

OS_RELEASE = Path("/etc/os-release")


@cache
def number() -> str:
    """For example 0.1.0; pages, help, `bentevi --version`, the bundle for support and backups all ask here."""
    for line in (CHECKOUT / "setup.cfg").read_text().splitlines():
        if line.startswith("version"):
            return line.partition("=")[2].strip()
    return ""


def parts(text: str) -> tuple[int, ...]:
    """A version in an order: 0.10.0 comes after 0.9.1. Raises ValueError for what is none."""
    return tuple(int(word) for word in text.split("."))


@dataclass(frozen=True)
class Build:
    """What a build was made of; "" where nobody knows. `is_appliance`: an installed image, not a checkout."""

    commit: str = ""
    date: str = ""  # day, ISO 8601
    is_appliance: bool = False


@cache
def build() -> Build:
    """Of an image what the builder wrote; of a checkout what git says."""
    said = image_facts(OS_RELEASE)
    if said.get("IMAGE_ID") == "bentevi":
        return Build(said.get("BENTEVI_COMMIT", ""), said.get("BENTEVI_DATE", ""), is_appliance=True)
    if not (CHECKOUT / ".git").exists():
        return Build()
    try:
        run = subprocess.run(["git", "-C", str(CHECKOUT), "log", "-1", "--format=%h %cs"], capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):  # no git on this machine
        return Build()
    commit, _space, date = run.stdout.strip().partition(" ")
    return Build(commit, date)


def image_facts(file: Path) -> dict[str, str]:
    """The lines of an os-release file; nothing when there is none."""
    if not file.is_file():
        return {}
    return {name: value.strip('"') for name, equals, value in (line.partition("=") for line in file.read_text().splitlines()) if equals}
