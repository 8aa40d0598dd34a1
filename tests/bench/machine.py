"""What a figure was measured on, and the one shape in which benches print."""

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from appliance.telephony import runtime


def figure(name: str, value: float, unit: str) -> dict[str, Any]:
    """One figure; its name ends in what it is (`_p95`, `_ratio`)."""
    return {"name": name, "value": round(value, 3), "unit": unit}


def report(bench: str, figures: list[dict[str, Any]]) -> None:
    """Print {"bench", "machine", "versions", "figures"} as JSON."""
    print(json.dumps({"bench": bench, "machine": _machine(), "versions": _versions(), "figures": figures}, indent=1))


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _machine() -> dict[str, Any]:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())  # fmt: skip
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    return {"cpu": model, "cores": os.cpu_count(), "memory_mb": memory, "load_at_end": os.getloadavg()[0]}


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("sqlalchemy", "flask", "jinja2")}
    return {"python": sys.version.split()[0], "asterisk": runtime.version()} | packages
