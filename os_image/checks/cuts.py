"""Power cuts while the machine works: whatever it said is stored is there after the next start, and nothing is half done.

One machine applies, backs up and has calls; in the midst of each its disk is set aside as it is at that moment, which is what a power cut would have
left. From every one of those disks the product is started on this machine's own processor (frozen.py); the last of each kind is started whole.
"""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from os_image.checks import calls, frozen, machines, smoke
from os_image.checks.calls import Site
from os_image.checks.qemu import Failed

OF_ONE = 4              # moments of one apply, backup or call
LONGEST_SECONDS = 6.0   # between two of them: an apply takes some 30 s on an emulated machine, a backup longer
WORKING_SECONDS = 7200
HALF = r"find /var/lib/bentevi/revisions -maxdepth 1 \( -name '*.new' -o -name applying \)"


@dataclass
class Held:
    """What the machine has acknowledged until now."""

    extensions: set[str] = field(default_factory=lambda: {"1000", "1001"})
    calls: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Moment:
    """A disk as it was: `pending` is the extension that was just being applied, "" for none."""

    name: str
    disk: Path
    extensions: frozenset[str]
    calls: frozenset[str]
    pending: str


class Load:
    """The machine at work. Every kind begins something, lets `freeze` happen in the midst of it, and waits until it is over and acknowledged."""

    def __init__(self, site: Site) -> None:
        self.site, self.held = site, Held(calls={one["protocol"] for one in site.calls()})

    def settle(self) -> None:
        """Until the revision in force is proved and the second Asterisk waits for the next: two boots at once take an emulated machine minutes."""
        calls.wait(lambda: "there" in self.site.root("test -e /var/lib/bentevi/run/warm.json && echo there || true"), "the proof of the revision", 600)

    def command(self, words: str, freeze: Callable[[], None]) -> str:
        """A command of the product; its returncode."""
        machine, key = self.site.machine, self.site.key
        machine.ssh(f"rm -f last.rc; (bentevi {words} > last.log 2>&1; echo $? > last.rc) > /dev/null 2>&1 &", key)
        freeze()
        return machine.ssh("while [ ! -s last.rc ]; do sleep 1; done; cat last.rc", key).strip()

    def apply(self, number: str, freeze: Callable[[], None]) -> None:
        """A new extension."""
        rows = f"bentevi: 1\nextensions:\n  - {{number: \"{number}\", name: Corte {number}, password: Troque-{number}-isto}}\n"
        self.site.machine.ssh(f"cat > next.yaml << 'END'\n{rows}END", self.site.key)
        if self.command("site import --apply - < next.yaml", freeze) != "0":
            raise Failed(f"cuts: apply: {self.site.machine.ssh('cat last.log', self.site.key)}")
        self.held.extensions.add(number)

    def backup(self, _number: str, freeze: Callable[[], None]) -> None:
        """A backup; one by the policy may be under way, and is as good."""
        self.command("backup now", freeze)

    def call(self, _number: str, freeze: Callable[[], None]) -> None:
        """A call that is recorded."""
        with calls.phones() as (ana, bia):
            call = ana.call("1001")
            there = bia.answer(60)
            freeze()
            call.hang_up()
            there.wait_ended(60)
        calls.wait(lambda: {one["protocol"] for one in self.site.calls()} > self.held.calls, "the record of the call")
        self.held.calls |= {one["protocol"] for one in self.site.calls()}


KINDS = {"apply": Load.apply, "backup": Load.backup, "call": Load.call}


def moments(folder: Path, key: Path, disk: Path, times: int) -> list[Moment]:
    """The disk that `calls` left works; as it was at `times` moments of each kind of work."""
    found: list[Moment] = []
    with calls.wire() as tap, machines.machine(folder, "cuts", tap=tap, address=calls.THERE, timeout_seconds=WORKING_SECONDS).disk(disk) as machine:
        smoke.up(machine, key)
        load = Load(Site(machine, key))
        load.site.load(calls.POLICY)
        for number, kind in ((number, kind) for number in range(0, times, OF_ONE) for kind in KINDS):
            load.settle()
            extension, began = f"2{number:03d}", machine.seconds

            def freeze() -> None:
                """Now and then, at the same moments in every run."""
                for turn in range(number, min(number + OF_ONE, times)):  # noqa: B023 - called before the next kind
                    name = f"{kind}-{turn}"  # noqa: B023
                    time.sleep(random.Random(name).uniform(0.2, LONGEST_SECONDS) * machines.PACE)
                    kept = machine.freeze(folder / f"cuts-{len(found)}.qcow2")
                    found.append(Moment(name, kept, frozenset(load.held.extensions), frozenset(load.held.calls), extension if kind == "apply" else ""))  # noqa: B023
                    print(f"cuts: {name}: set aside, {machine.seconds - began:.0f} s of it", flush=True)  # noqa: B023

            KINDS[kind](load, extension, freeze)
        machine.pull_the_plug()
    return found


def lost(moment: Moment, found: frozen.Found) -> list[str]:
    """What is wrong with a start from that moment's disk; nothing is as it should be."""
    return [*found.wrong,
            *(f"extension {one} is lost" for one in sorted(moment.extensions - found.extensions)),
            *(f"extension {one} is not in force" for one in sorted(moment.extensions - found.in_force)),
            *(f"call {one} is lost" for one in sorted(moment.calls - found.calls)),
            *(f"half applied: {one} is in force and is no row" for one in sorted(found.in_force - found.extensions)),
            *(f"a row of nobody: {one}" for one in sorted(found.extensions - moment.extensions - {moment.pending}))]  # fmt: skip


def prove(folder: Path, key: Path, disk: Path, times: int) -> dict[str, float]:
    """Look at every moment, and start the last of each kind whole. Raises Failed with all that is wrong."""
    every, wrong = moments(folder, key, disk, times), []
    for moment in every:
        bad = lost(moment, frozen.look(moment.disk, folder / "frozen"))
        print(f"cuts: {moment.name}: {'; '.join(bad) or 'whole'}", flush=True)
        wrong += [f"{moment.name}: {one}" for one in bad]
    for moment in last_of_each(every):
        copy = machines.layer(moment.disk, disk.with_name("cuts-start"))
        with calls.wire() as tap, machines.machine(folder, f"cuts-start-{moment.name}", tap=tap, address=calls.THERE).disk(copy) as machine:
            smoke.up(machine, key)
            wrong += [f"{moment.name}, started: {one}" for one in started(Site(machine, key), moment)]
            machine.picture("console")
    if wrong:
        raise Failed("cuts:\n" + "\n".join(wrong))
    for moment in every[1:]:
        moment.disk.unlink()
    return {"times_each": float(times), "moments": float(len(every))}


def last_of_each(every: list[Moment]) -> list[Moment]:
    """The last moment of each kind of work."""
    return list({moment.name.partition("-")[0]: moment for moment in every}.values())


def started(site: Site, moment: Moment) -> list[str]:
    """What a whole start of that disk misses."""
    state = site.machine.ssh("systemctl is-system-running --wait", site.key, check=False).strip()
    in_force = site.root("asterisk -C /var/lib/bentevi/asterisk/etc/asterisk.conf -rx 'pjsip show endpoints'")
    known = {one["protocol"] for one in site.calls()}
    half = site.root(HALF).split()
    errors = [one for one in json.loads(site.bentevi("doctor --json", check=False))["findings"] if one["level"] == "error"]
    return [*([f"the system is {state}"] if state != "running" else []), *(f"half done: {name}" for name in half), *(f"doctor: {one}" for one in errors),
            *(f"extension {one} is not in force" for one in sorted(moment.extensions) if one not in in_force),
            *(f"call {one} is lost" for one in sorted(moment.calls - known))]  # fmt: skip
