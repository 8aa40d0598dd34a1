"""Boots each revision cold after it came into force, takes back one that does not boot, and keeps the shadow warm.

A change is tried by a reload of the warm shadow because that is quick (telephony/warm.py). A reload proves less than a
boot: a file without a closing bracket keeps the old objects on reload and loses all of them at the next start. So this
process boots a second Asterisk with the revision in force, compares it with the live one, and offers it as the next warm
shadow. Where memory is short it only proves what was not yet booted. It may die at any moment: the revision then waits
for the next start.
"""

import json
import logging
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from sqlalchemy.exc import OperationalError

from appliance import applying, ports, settings
from appliance import db as ground
from appliance.app import bare_app
from appliance.db import db
from appliance.errors import Busy
from appliance.revisions.model import newest_number, proved_number
from appliance.settings import Settings
from appliance.telephony import learning, readings, runtime, shadow, store, warm
from appliance.telephony.findings import Finding
from appliance.telephony.reload import changed_paths

log = logging.getLogger("bentevi.proving")

LOOK_SECONDS = 0.25  # between two looks at a link and a file
QUIET_SECONDS, QUIET_LOOK_SECONDS = 10.0, 1.0  # nothing was to be done for so long: it is looked less often
KEPT_FREE_MB = 600  # what must stay free for calls, jobs and reports beside a second Asterisk
TRIES = 2
LIVE_SECONDS = 30.0  # until the live Asterisk has read everything
STATE = "proving.json"


class Keeper:
    """The one shadow of this process."""

    def __init__(self, machine: Settings) -> None:
        self.machine = machine
        self.held = ExitStack()
        self.number = 0                  # the revision the shadow runs on
        self.trial: shadow.Shadow | None = None
        self.refused = 0                 # a revision that cannot be helped: nothing older is proved
        self.worked_at = time.monotonic()

    def turn(self) -> None:
        """One look: nothing to do, or one boot."""
        number = store.in_force(self.machine)
        if not number or number == self.refused or (self.trial and warm.offered(self.machine) == number and self._lives()):
            return
        newest, proved = _numbers()
        is_known, needs_proof = number == newest, number > proved
        if not is_known or not (needs_proof or self._can_keep()):  # not known: an apply is just about to write it down
            self.let_go()
            return
        with warm.lock(self.machine, wait_seconds=0) as is_ours:
            if is_ours and store.in_force(self.machine) == number:
                self._boot(number)

    def pause(self) -> float:
        """Seconds until the next look."""
        return LOOK_SECONDS if time.monotonic() - self.worked_at < QUIET_SECONDS else QUIET_LOOK_SECONDS

    def let_go(self) -> None:
        """No shadow any more, unless an apply works with it just now: then at the next look."""
        with warm.lock(self.machine, wait_seconds=0) as is_ours:
            if is_ours:
                self.drop()

    def drop(self) -> None:
        """No shadow any more. Whoever asks for it holds the lock, or ends."""
        warm.withdraw(self.machine)
        self.held.close()
        self.trial, self.number = None, 0

    def _can_keep(self) -> bool:
        """Whether a shadow may stay: without a network of its own it would register what the live one registers (shadow.booted)."""
        return has_room() and shadow.isolation(self.machine) is not None

    def _lives(self) -> bool:
        """Without a question to it, up to four times a second: whoever takes it asks (telephony/warm.py)."""
        return self.trial is not None and self.trial.lives()

    def _boot(self, number: int) -> None:
        """Boot with this revision; keep the shadow when that went well, take the revision back when it never does."""
        self.worked_at = time.monotonic()
        for _try in range(TRIES):
            self.drop()
            found = self._findings(number)
            if not found:
                applying.proved(number)
                log.info("revision %s boots", number)
                if has_room() and self.trial:
                    warm.offer(self.machine, self.trial, number)
                else:
                    self.drop()
                return
            log.warning("revision %s: %s", number, "; ".join(map(str, found[:3])))
        self.drop()
        if not self._boots_without(number) or not applying.take_back(number, found):
            self.refused = number
            log.error("revision %s stays in force although a second Asterisk does not boot with it", number)

    def _findings(self, number: int) -> list[Finding]:
        """What a cold boot says against a revision: complaints, objects missing, values other than the live ones."""
        files = store.files_of(self.machine, number)
        known, began = learning.known(self.machine), time.monotonic()
        etc = store.folder(self.machine, number) / "etc"
        self.trial, isolated = self.held.enter_context(shadow.booted(self.machine, etc, files))
        self.number = number
        wanted, written = self._changed(number, files)
        verdict = shadow.verdict(self.trial, isolated, files, known, wanted, began)
        if not isolated:
            self.trial = None  # without a network of its own it cannot try what registers
        return verdict.findings or self._differing(number, verdict, written)

    def _changed(self, number: int, files: dict[str, str]) -> tuple[list[readings.Object], dict[readings.Object, readings.Written]]:
        """The objects that differ from the last proved revision, and what the files say of them."""
        _newest, proved = _numbers()
        old = store.files_of(self.machine, proved)
        mains = readings.shown_mains(changed_paths(old, files)) if old and proved < number else []
        written = readings.objects(files, mains)
        changed, _gone = readings.changed(readings.objects(old, mains), written)
        return readings.sample(changed), written

    def _differing(self, number: int, verdict: shadow.Verdict, written: dict[readings.Object, readings.Written]) -> list[Finding]:
        """Values of the booted shadow that the live Asterisk does not have; none when it is down or an apply is under way.

        One that starts just now has not read everything yet: it is waited for, and what it said before it was started again counts for nothing.
        """
        control, pid = runtime.control(self.machine), ports.asterisk_pid(self.machine)
        if not runtime.wait_booted(control, LIVE_SECONDS):
            return []
        try:
            have = readings.take(lambda text: runtime.command(control, text), verdict.readings)
        except Busy:
            return []
        if store.in_force(self.machine) != number or ports.asterisk_pid(self.machine) != pid:
            return []
        return readings.differences(verdict.readings, have, written)

    def _boots_without(self, number: int) -> bool:
        """Whether the last proved revision boots now: else the fault is the machine's, and going back helps nobody."""
        _newest, good = _numbers()
        if not 0 < good < number:
            return False
        files = store.files_of(self.machine, good)
        return bool(files) and not shadow.judge(
            self.machine, store.folder(self.machine, good) / "etc", files, learning.known(self.machine)
        ).findings


def _numbers() -> tuple[int, int]:
    """The newest revision and the newest proved one, without keeping anybody from writing."""
    db.session.rollback()
    ground.read_only()
    found = newest_number(), proved_number()
    db.session.rollback()
    return found


def has_room() -> bool:
    """Whether a second Asterisk leaves enough memory to everything else."""
    words = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(words["MemAvailable"].split()[0]) // 1024 > KEPT_FREE_MB


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main() -> None:
    """Look until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    machine = settings.load()
    keeper = Keeper(machine)
    with bare_app().app_context():
        shadow.clear(machine)
        warm.withdraw(machine)
        (machine.run / STATE).write_text(json.dumps({"pid": os.getpid()}))
        said = ""
        try:
            while True:
                try:
                    keeper.turn()
                    said = ""
                except (Busy, OperationalError) as why:  # Asterisk or the database is away or occupied
                    db.session.rollback()
                    if said != str(why):  # once, not four times a second for as long as it lasts
                        log.info("not now: %s", why)
                    said = str(why)
                    keeper.let_go()
                time.sleep(keeper.pause())
        finally:
            keeper.drop()
            (machine.run / STATE).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
