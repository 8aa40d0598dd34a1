"""Where updates are, read by pages and commands: what root publishes, and the spool by which an unprivileged process asks.

Root keeps its own state on the data partition (os_image/updater/) and publishes copies below /run. The spool is a folder of the home: a
file that was sent, under one fixed name, and a request of one word. Root believes neither: it copies the file, and verifies again.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.errors import Busy
from appliance.settings import Settings
from appliance.updates.words import N_

CHECKING, COPYING, BACKUP, WRITING, WAITING = "checking", "copying", "backup", "writing", "waiting"
RESTARTING, PROVING, RETURNING = "restarting", "proving", "returning"
DONE, RETURNED, FAILED, CANCELLED = "done", "returned", "failed", "cancelled"
STEPS = {
    CHECKING: N_("the file is verified"), COPYING: N_("the file is copied and compared"), BACKUP: N_("a backup is made and rehearsed"),
    WRITING: N_("the new version is written beside the running one"), WAITING: N_("waits for the restart"), RESTARTING: N_("restarts"),
    PROVING: N_("the new version is tried"), RETURNING: N_("goes back"), DONE: N_("in force"), RETURNED: N_("went back"), FAILED: N_("not made"),
    CANCELLED: N_("cancelled"),
}
OVER = (DONE, RETURNED, FAILED, CANCELLED)
BEFORE_RESTART = (CHECKING, COPYING, BACKUP, WRITING, WAITING)
SENT, PART, REQUEST = "sent.update", "sent.part", "request"   # in the spool
START, STICK, CANCEL, RETURN = "start", "stick", "cancel", "return"  # of root's side
LOOK, FETCH = "look", "fetch"                                        # of jobs
NOW, FREE = "now", "free"


@dataclass
class State:
    """One update, from the wish to its end. Slots are letters; `restart`: now, free (no call is up) or HH:MM."""

    step: str = DONE
    version: str = ""
    here: str = ""          # the version it came from
    target: str = ""        # slot of the new version
    slot: str = ""          # slot of the version before
    restart: str = NOW
    restart_at: str = ""    # ISO 8601, when an hour was asked for
    progress: int = 0       # per cent of the step
    code: str = ""          # why it ended as it did
    values: dict[str, Any] = field(default_factory=dict)
    rows_back: bool = False  # asked for by hand: also where the tables are the same
    at: str = ""
    ended_at: str = ""
    asked_by: str = ""

    @property
    def is_over(self) -> bool:
        return self.step in OVER

    @property
    def began_at(self) -> datetime | None:
        """As an instant, for pages."""
        return datetime.fromisoformat(self.at) if self.at else None


def as_text(state: State) -> str:
    """As it is kept."""
    return json.dumps(asdict(state), ensure_ascii=False)


def of_text(text: str) -> State:
    """What was kept; fields of a newer version are passed over, so that the version before can read it."""
    return of_dict(json.loads(text))


def of_dict(said: dict[str, Any]) -> State:
    """The same of a line of the history."""
    return State(**{name: value for name, value in said.items() if name in State.__dataclass_fields__})


def published() -> Path:
    """Where root tells how it is; there is none on a checkout."""
    return Path(os.environ.get("BENTEVI_UPDATE_STATE") or "/run/bentevi-update")


def is_possible() -> bool:
    """Whether this installation updates itself: an appliance."""
    return published().is_dir()


def current() -> State | None:
    """The update that is under way, or the last one; None when there was none yet."""
    try:
        return of_text((published() / "state.json").read_text())
    except (FileNotFoundError, ValueError):
        return None


def waiting_restart() -> State | None:
    """The update whose restart is announced."""
    found = current() if is_possible() else None
    return found if found and found.step in (WAITING, RESTARTING) else None


def history() -> list[State]:
    """Every update that came to an end, newest first."""
    try:
        lines = (published() / "history.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [of_text(line) for line in reversed(lines)]


# ------------------------------------------------------------------------------------------------------------------------- the spool


def spool(machine: Settings) -> Path:
    """The folder of the home by which pages ask root."""
    folder = machine.home / "updates"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def ask(machine: Settings, word: str, restart: str = NOW, asked_by: str = "") -> None:
    """Put a request; a path unit of systemd starts root's side. Raises Busy while one lies there."""
    file = spool(machine) / REQUEST
    fresh = file.with_name("request.new")
    fresh.write_text(json.dumps({"do": word, "restart": restart, "asked_by": asked_by[:80]}))
    try:
        os.link(fresh, file)
    except FileExistsError as why:
        raise Busy("a request waits already") from why
    finally:
        fresh.unlink()
