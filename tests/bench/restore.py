"""bench restore: how long a backup of many recordings takes, a second one with nothing new, and the restore into an empty home.

`./bentevi bench restore [GIGABYTES]`: default 10. Recordings of 500 kB, as of calls of two minutes, with contents that cannot be packed; the backups
lie in a folder of the same disk, encrypted as always. Needs three times as much room on the disk.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.backups.conftest import PASSWORD, Bare, Kept
from tests.bench.machine import figure, report

RECORDING_BYTES = 500_000
RECORDINGS_A_DAY = 1000


def main(gigabytes: float) -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    try:
        home, empty = Kept(folder / "home"), Bare(folder / "empty")
        count = round(gigabytes * 1_000_000_000 / RECORDING_BYTES)
        _recordings(home.folder, count)
        first = _taken(lambda: home.bentevi("backup", "now"))
        second = _taken(lambda: home.bentevi("backup", "now"))
        restored = _taken(lambda: empty.bentevi("restore", "--from", "disk", "--address", str(folder / "store"), "--yes", BENTEVI_BACKUP_PASSWORD=PASSWORD))
        found = sum(file.stat().st_size for file in (empty.folder / "recordings").rglob("*.mp3"))
        assert found == sum(file.stat().st_size for file in (home.folder / "recordings").rglob("*.mp3")), found
        report("restore", [figure("recordings", found / 1e9, "GB"), figure("files", count, ""), figure("first_backup", first, "s"), figure("next_backup", second, "s"),
                           figure("restore", restored, "s"), figure("restored_each_second", found / 1e6 / restored, "MB/s")])  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _recordings(home: Path, count: int) -> None:
    for number in range(count):
        day = home / f"recordings/2025/{1 + number // RECORDINGS_A_DAY // 28:02d}/{1 + number // RECORDINGS_A_DAY % 28:02d}"
        day.mkdir(parents=True, exist_ok=True)
        (day / f"{number:09d}.mp3").write_bytes(os.urandom(RECORDING_BYTES))


def _taken(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
