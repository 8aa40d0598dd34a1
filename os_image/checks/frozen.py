"""What a disk held at some moment, as if the current had failed then: the product is started from it on this machine's own processor.

An emulated machine takes minutes to start; ten power cuts of each kind would take a night. So one machine works on while its disk is set aside
again and again (Machine.freeze), and each of those disks is looked at here, in seconds. Needs root, and loop devices.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from os_image import layout
from os_image.checks.qemu import Failed

SCRIPT = Path(__file__).with_name("frozen.sh")


@dataclass(frozen=True)
class Found:
    """What a start from the disk showed."""

    extensions: set[str]      # rows
    in_force: set[str]        # what Asterisk knows
    calls: set[str]           # protocols
    wrong: list[str]          # of the file system, the database, the processes, the doctor


def look(disk: Path, folder: Path) -> Found:
    """Start the product from a copy of this disk. Raises Failed when it does not come up."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    raw = folder / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-U", "-O", "raw", disk, raw], check=True)
    table = {layout.NAMES[part.number]: part for part in layout.parts(raw.stat().st_size // layout.MIB)}
    words = [str(table["root-a"].start_mib), str(table["root-a"].size_mib), str(table["data"].start_mib)]
    run = subprocess.run(["unshare", "-m", "-n", "-p", "--fork", "--kill-child", "sh", SCRIPT, raw, folder, *words], capture_output=True, text=True, check=False)
    raw.unlink()
    if not (folder / "integrity").exists():
        raise Failed(f"{disk.name}: {run.stdout[-800:]}{run.stderr[-1500:]}")
    found = understood(folder)
    if not found.wrong:
        shutil.rmtree(folder)
    return found


def understood(folder: Path) -> Found:
    """What the script wrote."""
    said: dict[str, Any] = {name: json.loads((folder / f"{name}.json").read_text() or "{}") for name in ("status", "doctor", "calls")}
    wrong = [(folder / "e2fsck").read_text()[-500:]] if (folder / "damaged").exists() else []
    wrong += [f"half done: {name}" for name in (folder / "half").read_text().split()]
    integrity = (folder / "integrity").read_text().strip()
    wrong += [f"database: {integrity}"] if integrity != "ok" else []
    wrong += [f"{one['name']} does not answer" for one in said["status"].get("processes", [{"name": "nothing"}]) if not one.get("answers")]
    wrong += [f"doctor: {one}" for one in said["doctor"]["findings"] if one["level"] == "error"]
    rows = YAML(typ="safe").load((folder / "extensions.yaml").read_text()).get("extensions") or []
    shown = [line.split()[1].partition("/")[0] for line in (folder / "endpoints").read_text().splitlines() if line.strip().startswith("Endpoint:")]
    return Found({one["number"] for one in rows}, {name for name in shown if name.isdigit()}, {one["protocol"] for one in said["calls"]["calls"]}, wrong)
