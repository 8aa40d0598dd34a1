"""Record lines as Asterisk writes them, made from captured calls: other channels, another time, any number of them."""

import re
from collections.abc import Iterator
from pathlib import Path

CAPTURED = Path(__file__).parent / "captured"
PLACES = {"cel": "cel-custom/Master.csv", "cdr": "cdr-custom/Master.csv", "queue": "queue_log"}


class Template:
    """One captured call, to be written again and again."""

    def __init__(self, name: str) -> None:
        rows = [row.split("\t", 1) for row in (CAPTURED / f"{name}.txt").read_text().splitlines() if not row.startswith("#")]
        self.lines = [(kind, text) for kind, text in rows if kind != "queue"]
        ids = dict.fromkeys(found for _kind, text in self.lines for found in re.findall(r"bentevi-(\d+\.\d+)", text))
        self.ids = list(ids)
        self.began = min(float(one) for _kind, text in self.lines for one in re.findall(r"\d{10}\.\d{6}", text))

    def call(self, number: int, start: float) -> Iterator[tuple[str, str]]:
        """(kind, line) of the call as number `number`, begun at `start`."""
        fresh = {one: f"{int(start)}.{number * len(self.ids) + place}" for place, one in enumerate(self.ids)}
        move = start - self.began

        def other(found: re.Match[str]) -> str:
            text = found[0]
            return f"bentevi-{fresh[text[8:]]}" if text.startswith("b") else f"{float(text) + move:.6f}"

        for kind, text in self.lines:
            text = re.sub(r"bentevi-\d+\.\d+|(?<=\")\d{10}\.\d{6}", other, text)
            yield kind, re.sub(r"(PJSIP/\d+-)[0-9a-f]{8}", lambda found: f"{found[1]}{number * 4 & 0xffffffff:08x}", text)


class Writer:
    """Appends to the files of a home, each opened anew for each line as cel_custom and cdr_custom do."""

    def __init__(self, log: Path) -> None:
        self.log = log
        for name in PLACES.values():
            (log / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, kind: str) -> Path:
        return self.log / PLACES[kind]

    def write(self, kind: str, text: str | bytes) -> None:
        with open(self.path(kind), "ab") as file:
            file.write((text if isinstance(text, bytes) else text.encode()) + b"\n")
