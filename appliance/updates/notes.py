"""What a version brings, from the two change logs: release → lines, in either language."""

import re
from pathlib import Path

from appliance.settings import CHECKOUT

FILES = {"en": "CHANGELOG.md", "pt_BR": "CHANGELOG.pt_BR.md"}


def releases(language: str, folder: Path = CHECKOUT) -> dict[str, list[str]]:
    """Version → its lines, newest first; nothing when the file is not there."""
    file = folder / FILES.get(language, FILES["en"])
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        if heading := re.match(r"## (\d[\d.]*)", line):
            lines = found.setdefault(heading[1], [])
        elif line.startswith("- ") and found:
            lines.append(line[2:])
        elif line.startswith("  ") and lines:
            lines[-1] += " " + line.strip()
    return found


def of(version: str, folder: Path = CHECKOUT) -> dict[str, list[str]]:
    """Language → the lines of one version."""
    return {language: releases(language, folder).get(version, []) for language in FILES}
