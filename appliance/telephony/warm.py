"""A shadow kept running on the revision in force, so that a change is tried by a reload instead of a boot.

A reload proves less than a boot: what was tried here is booted cold right after it came into force (appliance/proving.py,
which keeps the shadow), and taken back if that fails. Whoever works with the shadow holds its lock; taking it uses it
up, because a refused candidate leaves old objects behind.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from appliance.errors import Busy
from appliance.settings import Settings
from appliance.telephony import complaints, locks, points, readings, runtime
from appliance.telephony.findings import Finding
from appliance.telephony.known import Known
from appliance.telephony.readings import Object, Written
from appliance.telephony.reload import changed_paths, reload
from appliance.telephony.shadow import Shadow, Verdict, relink

WAIT_SECONDS = 5.0  # a boot of the keeper's is about to end: waiting for it is quicker than another
SETTLE_SECONDS = 2.0


@contextmanager
def lock(settings: Settings, wait_seconds: float) -> Iterator[bool]:
    """Whether the shadow is ours for now; freed when we die. Waits at most so long."""
    settings.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locks.held(settings.run / "warm.lock", wait_seconds) as is_ours:
        yield is_ours


def offer(settings: Settings, trial: Shadow, number: int) -> None:
    """Says that this shadow runs on revision `number` and may be used. It stands still until somebody takes it."""
    trial.rest()
    draft = _note(settings).with_suffix(".new")
    draft.write_text(json.dumps({"folder": str(trial.folder), "number": number}))
    os.replace(draft, _note(settings))


def offered(settings: Settings) -> int:
    """The revision of the shadow that may be used; 0 when there is none."""
    try:
        return int(json.loads(_note(settings).read_text())["number"])
    except (FileNotFoundError, ValueError, KeyError):
        return 0


def withdraw(settings: Settings) -> None:
    """Nobody may use it any more."""
    _note(settings).unlink(missing_ok=True)


@contextmanager
def taken(settings: Settings, number: int) -> Iterator[Shadow | None]:
    """The warm shadow if there is one on revision `number`, for as long as this lasts; it is used up by this."""
    if not number or not (settings.run / "warm.lock").exists():
        yield None
        return
    with lock(settings, WAIT_SECONDS) as is_ours:
        if not is_ours or offered(settings) != number:
            yield None
            return
        folder = Path(json.loads(_note(settings).read_text())["folder"])
        withdraw(settings)
        trial = Shadow(folder, True)
        trial.wake()
        yield trial if runtime.is_running(folder / "run" / "asterisk.ctl") else None


def load(trial: Shadow, etc: Path, old: Mapping[str, str], files: Mapping[str, str]) -> list[Finding]:
    """The shadow reads a candidate over the revision it runs on. Findings: what it refuses to read, and its complaints. Raises Busy when it
    is gone."""
    trial.begin_messages()
    try:
        relink(trial.folder, etc)
    except FileNotFoundError as why:
        raise Busy("its folder was removed") from why
    points.reached("warm.before_reload")
    found = reload(trial.ask, changed_paths(old, files))
    points.reached("warm.after_reload")
    return found


def judge(
    trial: Shadow, refused: Sequence[Finding], files: Mapping[str, str], known: Known, wanted: Sequence[Object],
    written: Mapping[Object, Written],
) -> Verdict:
    """What the loaded shadow says of the candidate: `wanted` by value, everything `written` by name. Raises Busy."""
    began = time.monotonic()
    values = readings.take(trial.ask, wanted)
    ends_at = time.monotonic() + SETTLE_SECONDS
    missing = readings.not_loaded(trial.ask, written)
    while missing and time.monotonic() < ends_at:  # some modules finish a reload a moment after they answered
        time.sleep(0.05)
        values, missing = readings.take(trial.ask, wanted), readings.not_loaded(trial.ask, written)
    messages = [text for text in trial.messages() if complaints.normal(text) not in known.noise]
    found = [*refused, *complaints.findings(messages, files), *missing]
    return Verdict(found, time.monotonic() - began, True, values)


def _note(settings: Settings) -> Path:
    return settings.run / "warm.json"
