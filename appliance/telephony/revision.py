"""Applying configuration as a transaction: write, check, shadow, switch, reload, look; keep it or go back.

A revision is a folder home/revisions/NNNNNN that is complete or does not exist. The one in force is what the link
home/asterisk/etc points at, and the link changes in one rename, so that a process killed at any point leaves the old
revision or the new one, never a mixture.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from appliance.errors import Busy
from appliance.settings import Settings
from appliance.telephony import conf, learning, locks, points, readings, runtime, shadow, store, warm
from appliance.telephony.check import check
from appliance.telephony.findings import Finding
from appliance.telephony.readings import Object, Reading
from appliance.telephony.reload import changed_paths, needs_restart, reload

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0

# Stands from just before the switch until the outcome is known and holds the number that is tried: Asterisk may have
# read files the link no longer points at.
_APPLYING = "applying"

Ask = Callable[[str], str]
_mine = threading.local()


@dataclass(frozen=True)
class Candidate:
    """A complete set of files. `files` is path under etc/ → text; `beside` lies next to etc/ (the snapshot of the
    rows).

    `secret_files` are paths under etc/ that no difference ever shows. `canary` is a test call through the live
    dialplan, after everything else was found right; what it finds sends the whole back. `found` is what the rows
    themselves showed to be wrong: the step “check” tells it with what the files show.
    """

    number: int
    files: Mapping[str, str] = field(repr=False)
    secret_files: frozenset[str] = frozenset()
    beside: Mapping[str, str] = field(default_factory=dict, repr=False)
    canary: "Callable[[], list[Finding]] | None" = field(default=None, repr=False)
    found: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Step:
    """One step as it happens: write, check, shadow, switch, reload, look, canary or return; started, done or failed."""

    name: str
    state: str
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True)
class Applied:
    """What an apply did. `running` is False when Asterisk was down: the files take effect when it starts. `booted` says
    that the candidate was tried by a boot, which a reload of the warm shadow does not replace."""

    number: int
    running: bool
    isolated: bool
    booted: bool
    changed_files: tuple[str, ...]
    looked_at: int
    restart_needed: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def warning(self) -> str:
        """What the person should know although nothing is wrong."""
        return "" if self.isolated else shadow.NOT_ISOLATED


class NotApplied(Exception):
    """The candidate was not taken; what was in force before is in force. `step` failed, `findings` say why.

    `returned` is False in the one bad case: the previous files are linked but Asterisk did not take them again.
    """

    def __init__(self, step: str, findings: list[Finding], returned: bool = True) -> None:
        super().__init__(f"{step}: " + "; ".join(str(one) for one in findings[:5]))
        self.step, self.findings, self.returned = step, findings, returned


def apply(
    settings: Settings, candidate: Candidate, on_step: Callable[[Step], None] = lambda step: None, wait_seconds: float
    = 0
) -> Applied:
    """Puts a candidate into force. Raises NotApplied with everything that is wrong, Busy when another apply is running.

    `on_step` hears of every step; what it raises stops the apply there. May be run again with the same number after a
    failure.
    """
    with lock(settings, wait_seconds), conf.without_collector(), ThreadPoolExecutor(1) as beside:
        transaction = _Transaction(settings, candidate, on_step)
        with warm.taken(settings, transaction.warm_number) as trial:
            return transaction.run(trial, beside)


def recover(settings: Settings, last_good: int) -> bool:
    """After a crash: returns to the last revision known as good and removes drafts. True when something was returned.

    `last_good` is 0 before the first. Safe at every start, also twice.
    """
    with lock(settings, wait_seconds=60):
        shadow.clear(settings)
        for draft in settings.revisions.glob("*.new"):
            shutil.rmtree(draft) if draft.is_dir() else draft.unlink()
        marker = settings.revisions / _APPLYING
        tried = int(marker.read_text()) if marker.exists() else store.in_force(settings)
        if tried == store.in_force(settings) == last_good:
            return False
        store.link(settings, last_good, "return")
        control = runtime.control(settings)
        if last_good and runtime.is_running(control):
            paths = changed_paths(store.files_of(settings, tried), store.files_of(settings, last_good))
            points.reached("return.before_reload")
            reload(lambda text: runtime.command(control, text), paths)
            points.reached("return.after_reload")
        marker.unlink(missing_ok=True)
        return True


def prune(settings: Settings, keep: int = 50) -> list[int]:
    """Removes all but the newest `keep` revisions, never the one in force. Returns the numbers removed."""
    with lock(settings, wait_seconds=60):
        numbers = sorted(int(path.name) for path in settings.revisions.iterdir() if path.name.isdigit())
        removed = [number for number in numbers[: max(0, len(numbers) - keep)] if number != store.in_force(settings)]
        for number in removed:
            shutil.rmtree(store.folder(settings, number))
        return removed


@contextmanager
def lock(settings: Settings, wait_seconds: float = 0) -> Iterator[None]:
    """One apply at a time per home. Raises Busy when another holds it longer than `wait_seconds`; freed when we die.

    The thread that holds it may take it again: whoever numbers revisions holds it around `recover` and `apply`, so that the
    number, the files and what is written down about them belong together.
    """
    if getattr(_mine, "held", False):
        yield
        return
    runtime.folders(settings)
    with locks.held(settings.run / "apply.lock", wait_seconds) as is_ours:
        if not is_ours:
            raise Busy("Another change is being applied")
        _mine.held = True
        try:
            yield
        finally:
            _mine.held = False


class _Transaction:
    """One apply from the first to the last step."""

    def __init__(self, settings: Settings, candidate: Candidate, on_step: Callable[[Step], None]) -> None:
        self.settings, self.candidate, self.on_step = settings, candidate, on_step
        self.previous = store.in_force(settings)
        self.old = store.files_of(settings, self.previous)
        self.paths = changed_paths(self.old, candidate.files)
        self.etc = store.folder(settings, candidate.number) / "etc"
        self.seconds: dict[str, float] = {}
        self.wanted: dict[Object, Reading] = {}
        self.before: dict[Object, Reading] = {}
        self.isolated = self.booted = True
        self.running = False
        self.waiting = tuple(needs_restart(self.old, candidate.files)) if self.previous else ()
        if candidate.number == self.previous:
            raise ValueError(f"revision {candidate.number} is in force; a candidate needs a number of its own")

    @property
    def warm_number(self) -> int:
        """The revision a warm shadow must run on to try this candidate; 0 when only a boot can."""
        return 0 if self.waiting else self.previous

    def run(self, trial: shadow.Shadow | None, beside: ThreadPoolExecutor) -> Applied:
        self._step("write", self._write)
        loading = beside.submit(warm.load, trial, self.etc, self.old, self.candidate.files) if trial else None
        try:
            self._step("check", self._check)  # meanwhile the warm shadow reads the files
            self._step("shadow", lambda: self._shadow(trial, loading))
        finally:
            if loading:
                loading.exception()  # nobody may move the shadow under its feet
        self.running = runtime.is_running(runtime.control(self.settings))
        if self.running:
            self.before = readings.take(self._ask, [*self.changed, *self.gone])
        try:
            self._step("switch", self._switch)
            if self.running:
                self._step("reload", self._reload)
                self._step("look", self._look)
                if self.candidate.canary:
                    self._step("canary", self._canary)
        except BaseException as why:
            self._return(why)
            raise
        self._mark(False)
        return Applied(
            number=self.candidate.number,
            running=self.running,
            isolated=self.isolated,
            booted=self.booted,
            changed_files=tuple(self.paths),
            looked_at=len(self.wanted) if self.running else 0,
            restart_needed=tuple(needs_restart(self.old, self.candidate.files, self._ask)) if self.running and self.previous else (),
            seconds=self.seconds,
        )

    def _step(self, name: str, work: Callable[[], list[Finding]]) -> None:
        self.on_step(Step(name, "started"))
        began = time.monotonic()
        found = work()
        self.seconds[name] = time.monotonic() - began
        if found:
            self.on_step(Step(name, "failed", self.seconds[name], str(found[0])))
            raise NotApplied(name, found)
        self.on_step(Step(name, "done", self.seconds[name]))

    def _write(self) -> list[Finding]:
        store.write(self.settings, self.candidate.number, self.candidate.files, self.candidate.beside)
        return []

    def _check(self) -> list[Finding]:
        found = [*self.candidate.found, *check(self.candidate.files, learning.known(self.settings))]
        mains = readings.shown_mains(self.paths)
        self.written_before = readings.objects(self.old, mains)
        self.written = readings.objects(self.candidate.files, mains)
        changed, gone = readings.changed(self.written_before, self.written)
        self.changed, self.gone = readings.sample(changed), readings.sample(gone)
        return found

    def _shadow(self, trial: shadow.Shadow | None, loading: "Future[list[Finding]] | None") -> list[Finding]:
        """By a reload of the warm shadow when there is one, else by a boot."""
        known, files = learning.known(self.settings), self.candidate.files
        verdict = None
        if trial and loading:
            try:
                verdict = warm.judge(trial, loading.result(), files, known, self.changed, self.written)
            except Busy as why:
                log.warning("apply: the warm shadow is gone, a new one boots: %s", why)
        self.booted = verdict is None
        if verdict is None:
            verdict = shadow.judge(self.settings, self.etc, files, known, self.changed)
        self.isolated = verdict.isolated
        # Without a network of its own the shadow's registrations are off: their values are not the candidate's.
        comparable = [one for one in self.changed if verdict.isolated or one.kind not in ("registration", "aor")]
        self.wanted = {one: verdict.readings.get(one, {}) for one in comparable} | {one: {} for one in self.gone}
        return verdict.findings

    def _switch(self) -> list[Finding]:
        self._mark(True)
        store.link(self.settings, self.candidate.number, "switch")
        return []

    def _reload(self) -> list[Finding]:
        points.reached("reload.before")
        found = reload(self._ask, self.paths)
        points.reached("reload.after")
        return found

    def _canary(self) -> list[Finding]:
        points.reached("canary.before")
        found = self.candidate.canary() if self.candidate.canary else []
        points.reached("canary.after")
        return found

    def _look(self) -> list[Finding]:
        """What changed by value, everything in the changed files by name."""
        found = self._differing(self.wanted, {**self.written_before, **self.written})
        return found or readings.not_loaded(self._ask, self.written)

    def _differing(self, wanted: Mapping[Object, Reading], written: Mapping[Object, readings.Written]) -> list[Finding]:
        """Looks until everything is as it should be; some modules finish a reload a moment after they answered."""
        ends_at = time.monotonic() + LOOK_SECONDS
        while True:
            found = readings.differences(wanted, readings.take(self._ask, wanted), written)
            if not found or time.monotonic() > ends_at:
                return found
            wanted = {one: wanted[one] for one in wanted if any(_is_about(what, one) for what in found)}
            time.sleep(0.1)

    def _return(self, why: BaseException) -> None:
        """Links the previous files again and makes Asterisk read them; says so in the NotApplied on its way out."""
        began = time.monotonic()
        store.link(self.settings, self.previous, "return")
        self.on_step(Step("return", "started"))
        found: list[Finding] = []
        if self.running and self.previous:
            try:
                points.reached("return.before_reload")
                found = reload(self._ask, self.paths) + self._differing(self.before, self.written_before)
            except Busy as gone:
                log.warning("apply: Asterisk left while returning; it will start with the previous files: %s", gone)
            points.reached("return.after_reload")
        self._mark(False)
        if isinstance(why, NotApplied):
            why.returned = not found
        state = "failed" if found else "done"
        self.on_step(Step("return", state, time.monotonic() - began, str(found[0]) if found else ""))

    def _mark(self, trying: bool) -> None:
        marker = self.settings.revisions / _APPLYING
        if trying:
            draft = marker.with_suffix(".new")
            draft.write_text(str(self.candidate.number))
            points.reached("mark.before_rename")
            draft.rename(marker)
            points.reached("mark.after_rename")
        else:
            points.reached("unmark.before")
            marker.unlink(missing_ok=True)
            points.reached("unmark.after")

    def _ask(self, text: str) -> str:
        return runtime.command(runtime.control(self.settings), text)


def _is_about(what: Finding, one: Object) -> bool:
    return (what.parameters.get("type"), what.parameters.get("section")) == (one.kind, one.name)
