"""The way of an update, as root: verify, back up, write the other slot, wait for the hour, restart into it once, and then stay or go back.

Killed or without power at any point, the machine starts a whole product: the slot in force is never written; the other one starts only by
`try` of GRUB's environment, once, after it was written and looked at; and it is in force only when `slot` says so, in one sector.

    before the restart   Update.begin → take in, back up, write, wait, switch
    at each start        at_start (before anything of the exchange) and proved (when it runs)

State lies in FOLDER, root's alone, and is published for pages below /run.
"""

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from appliance.updates import package, state
from appliance.updates.package import Package
from appliance.updates.state import State
from appliance.updates.words import NotGood
from os_image.firstboot.machine import write
from os_image.updater.home import Home
from os_image.updater.slots import Slots, other

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FOLDER = Path("/data/updates")
POLL_SECONDS = 5.0
QUIET_LOOKS = 3        # without a call, one after the other, before a restart “when nobody talks”
MOST_HISTORY = 200

POINTS = (
    "taken.before", "taken.after", "backed_up.before", "backed_up.after", "written.before", "written.half", "written.after", "waited.after",
    "stopped.after", "snapshot.after", "switch.before", "switch.armed", "restart.before",                                    # until the restart
    "start.marked", "start.rows_back", "start.ended", "proved.before", "proved.well", "confirm.after", "back.marked", "back.switched",  # after it
)
listeners: list[Callable[[str], None]] = []


def reached(point: str) -> None:
    """The program is at this point; tests die there. Raises LookupError for one that is not in the table."""
    if point not in POINTS:
        raise LookupError(point)
    for heard in listeners:
        heard(point)


@dataclass
class Order:
    """What is asked for. `restart`: now, free or HH:MM in the machine's zone."""

    restart: str = state.NOW
    downgrade: bool = False
    asked_by: str = ""


class Update:
    """Everything about updates of one machine. `here`: the version that runs."""

    def __init__(self, slots: Slots, home: Home, here: str, keys: list["Ed25519PublicKey"], folder: Path = FOLDER) -> None:
        self.slots, self.home, self.here, self.keys, self.folder = slots, home, here, keys, folder

    # ------------------------------------------------------------------------------------------------------------------- state

    def state(self) -> State:
        """As it is kept; none yet is a State that is over."""
        file = self.folder / "state.json"
        return state.of_text(file.read_text()) if file.exists() else State()

    def put(self, now: State, **changes: Any) -> State:
        """Keep and publish it; the folder's name of the file is on the disk before this returns."""
        now = replace(now, **changes)
        write(self.folder / "state.json", state.as_text(now), 0o600)
        _sync(self.folder)
        self.publish()
        return now

    def end(self, now: State, step: str, code: str = "", values: dict[str, Any] | None = None) -> State:
        """The update is over: a line of the history, and the file that is no longer needed goes. Done twice, it is one line."""
        now = replace(now, step=step, code=code or now.code, values=now.values if values is None else values, progress=0, ended_at=_now())
        history = self.folder / "history.jsonl"
        lines = history.read_text().splitlines() if history.exists() else []
        kept = [line for line in lines if state.of_text(line).at != now.at]
        write(history, "".join(f"{line}\n" for line in [*kept, state.as_text(now)][-MOST_HISTORY:]), 0o600)
        (self.folder / state.SENT).unlink(missing_ok=True)
        return self.put(now)

    def publish(self) -> None:
        """Copies for everybody to read."""
        public = state.published()
        public.mkdir(exist_ok=True)
        public.chmod(0o755)
        for name in ("state.json", "history.jsonl"):
            if (self.folder / name).exists():
                write(public / name, (self.folder / name).read_text())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One update at a time. Raises NotGood."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with open(self.folder / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as why:
                raise NotGood("busy") from why
            yield

    # ------------------------------------------------------------------------------------------------------- until the restart

    def begin(self, source: IO[bytes], order: Order, is_cancelled: Callable[[], bool] = lambda: False) -> State:
        """From a file to the restart. What goes wrong before it is the state's end, and nothing was changed."""
        with self.alone():
            self.settle()
            if not self.state().is_over:
                raise NotGood("busy")
            now = self.put(State(step=state.CHECKING, here=self.here, slot=self.slots.running(), restart=order.restart, asked_by=order.asked_by, at=_now()))
            try:
                now, found = self.take_in(source, order, now)
                now = self.put(now, step=state.BACKUP, progress=0)
                reached("backed_up.before")
                self.home.ask("backup")
                reached("backed_up.after")
                now = self.put(now, step=state.WRITING)
                reached("written.before")
                self.slots.write(now.target, self.folder / state.SENT, found.offset_bytes, found.version)
                reached("written.after")
                now = self.wait(now, is_cancelled)
                return self.switch(now)
            except (NotGood, RuntimeError, OSError) as why:
                return self.fail(why)

    def fail(self, why: Exception) -> State:
        """The end of an update that never restarted."""
        code, values = (why.code, why.values) if isinstance(why, NotGood) else ("not_written", {"why": str(why)[:300]})
        return self.end(self.state(), state.CANCELLED if code == "cancelled" else state.FAILED, code, values)

    def refuse(self, why: NotGood, order: Order) -> None:
        """What was asked for could not even begin: told where the person looks. What is under way stays as it is."""
        if self.state().is_over:
            now = State(here=self.here, at=_now(), restart=order.restart, asked_by=order.asked_by)
            self.end(now, state.FAILED, why.code, why.values)

    def check(self, source: IO[bytes], downgrade: bool = False) -> Package:
        """The description of a file that may be installed here. Raises NotGood."""
        found = package.read(source, self.keys)
        package.check_version(found, self.here, downgrade)
        if not self.slots.has_two():
            raise NotGood("no_second_root")
        return found

    def take_in(self, source: IO[bytes], order: Order, now: State) -> tuple[State, Package]:
        """A copy that nobody else can write to, verified as it is copied: the file that was sent may change under our eyes."""
        found = self.check(source, order.downgrade)
        slot = self.slots.running()
        if self.slots.environment().get("slot", "a") != slot:
            raise NotGood("not_default")
        now = self.put(now, step=state.COPYING, version=found.version, target=other(slot), slot=slot)
        reached("taken.before")
        size, free = found.offset_bytes + found.size_bytes, _free(self.folder)
        if free < size + 300_000_000:
            raise NotGood("no_room", free=free // 1_000_000, needed=(size + 300_000_000) // 1_000_000)
        draft = self.folder / "taken.new"
        draft.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as out:
                package.copy(source, found, out, self.teller(now))
                out.flush()
                os.fsync(out.fileno())
                if package.read(out, self.keys) != found:
                    raise NotGood("damaged")
            draft.rename(self.folder / state.SENT)
        finally:
            draft.unlink(missing_ok=True)
        reached("taken.after")
        return now, found

    def teller(self, now: State) -> package.Told:
        """Publishes how far the copy is, every few per cent."""
        said = [-5]

        def told(done: int, total: int) -> None:
            percent = 100 * done // max(1, total)
            if percent >= said[0] + 5:
                said[0] = percent
                self.put(now, progress=percent)

        return told

    def wait(self, now: State, is_cancelled: Callable[[], bool]) -> State:
        """Until the hour that was asked for, or until nobody talks. Raises NotGood when it is cancelled."""
        at = next_hour(now.restart)
        now = self.put(now, step=state.WAITING, restart_at=at.isoformat() if at else "")
        quiet = 0
        while True:
            if is_cancelled():
                raise NotGood("cancelled")
            if now.restart == state.FREE:
                quiet = quiet + 1 if self.home.ask("calls") == 0 else 0
            if now.restart == state.NOW or quiet >= QUIET_LOOKS or (at and datetime.now().astimezone() >= at):
                reached("waited.after")
                return now
            time.sleep(POLL_SECONDS)

    def switch(self, now: State) -> State:
        """The exchange stops, its rows are copied, GRUB is told to start the other slot once, the machine restarts."""
        self.home.stop()
        reached("stopped.after")
        try:
            self.home.ask("snapshot")
            reached("snapshot.after")
        except (NotGood, RuntimeError):
            self.home.start()
            raise
        now = self.put(now, step=state.RESTARTING)
        reached("switch.before")
        self.slots.put(**{"try": now.target})
        reached("switch.armed")
        reached("restart.before")
        self.slots.restart()
        return now

    def settle(self) -> bool:
        """After a process of ours was killed without a restart of the machine: what was under way is over, and the exchange runs.
        Whether there was anything to settle."""
        now = self.state()
        if now.is_over or now.step in (state.PROVING, state.RETURNING):
            return False
        if now.step == state.RESTARTING:
            self.slots.put(**{"try": ""})
        self.home.start()
        self.end(now, state.FAILED, "cut_off", {})
        return True

    # ----------------------------------------------------------------------------------------------------------- after a start

    def at_start(self) -> State:
        """Before anything of the exchange runs: which slot is this, and what does it mean for an update? Rows go back here when the version
        before came back. May be done again."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        now = self.state()
        if now.step in (state.RESTARTING, state.PROVING, state.RETURNING):
            if self.slots.running() == now.target and now.step != state.RETURNING:
                now = self.put(now, step=state.PROVING)
                reached("start.marked")
                self.home.ask("fresh")
            elif self.slots.running() == now.slot:
                # The new version may have run: rows of other tables are of no use to this one.
                self.home.ask("rows-back-always" if now.rows_back else "rows-back")
                reached("start.rows_back")
                now = self.end(now, state.RETURNED, now.code or "never_up")
                reached("start.ended")
            elif now.step == state.RETURNING:  # power failed before GRUB was told
                return self.go_back(now, now.code, now.values, now.rows_back)
        elif now.step in state.BEFORE_RESTART:
            now = self.end(now, state.FAILED, "cut_off", {})
        self.publish()
        return now

    def proved(self) -> State:
        """When everything was started: is the new version well? Then it is in force; else the one before comes back."""
        now = self.state()
        if now.step != state.PROVING or self.slots.running() != now.target:
            return now
        reached("proved.before")
        try:
            if self.here != now.version:
                raise NotGood("wrong_version", here=self.here, version=now.version)
            self.home.ask("health")
        except (NotGood, RuntimeError, OSError) as why:
            code, values = (why.code, why.values) if isinstance(why, NotGood) else ("silent", {"names": str(why)[:300]})
            return self.go_back(now, code, values)
        reached("proved.well")
        self.slots.put(slot=now.target, **{"try": ""})
        reached("confirm.after")
        return self.end(now, state.DONE)

    def go_back(self, now: State, code: str, values: dict[str, Any], rows_back: bool = False) -> State:
        """The slot before is in force, and the machine restarts into it; its own start does the rest."""
        now = self.put(now, step=state.RETURNING, code=code, values=values, rows_back=rows_back)
        reached("back.marked")
        self.slots.put(slot=now.slot, **{"try": ""})
        reached("back.switched")
        self.slots.restart()
        return now

    def give_back(self, rows_back: bool = False, asked_by: str = "") -> State:
        """By hand: the version before, as long as its slot was not written again. Raises NotGood."""
        with self.alone():
            now = self.state()
            if not now.is_over:
                raise NotGood("busy")
            if now.step != state.DONE or not now.target or now.target != self.slots.running():
                raise NotGood("nothing_before")
            if not rows_back and not self.home.ask("same-tables"):
                raise NotGood("other_tables")
            self.home.stop()
            return self.go_back(replace(now, at=_now(), asked_by=asked_by), "by_hand", {}, rows_back)


def next_hour(text: str) -> datetime | None:
    """HH:MM as the next such instant in the machine's zone; None for the other words."""
    if text in (state.NOW, state.FREE):
        return None
    now = datetime.now().astimezone()
    hour, minute = map(int, text.split(":"))
    found = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return found if found > now else found + timedelta(days=1)


def read_order(text: str) -> Order:
    """An order as it lies in a file that others may write. Raises ValueError for anything but the three words."""
    said = json.loads(text)
    restart = said.get("restart", state.NOW)
    if restart not in (state.NOW, state.FREE) and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", str(restart)):
        raise ValueError("not an hour")
    return Order(restart, said.get("downgrade") is True, "".join(sign for sign in str(said.get("asked_by", "")) if sign.isprintable())[:80])


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="microseconds")


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
