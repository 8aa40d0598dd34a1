"""Updates on an emulated machine: the disk image takes a good one over SSH and stays; one that is broken on purpose goes back by itself.

Both files are made here from the tree that the disk image was made from, with another version in them and the key of that build: the product
itself is not built a second time. The tree is copied with hard links; what is changed in the copy is written anew, never in place.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from os_image.checks import machines, smoke
from os_image.checks.qemu import Failed, Machine

NEW = "99.0.0"
UPDATE_SECONDS = 5400  # an emulated machine writes a file system, restarts, and may go back: each takes its minutes


@contextmanager
def tree(root: Path, folder: Path, version: str, broken: bool) -> Iterator[Path]:
    """The finished tree as another version; broken: without Asterisk."""
    copy = folder / "update-root"
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["cp", "-al", root, copy], check=True)
    try:
        for name, old, new in (("opt/bentevi/setup.cfg", "version = ", f"version = {version}"), ("etc/os-release", "IMAGE_VERSION=", f"IMAGE_VERSION={version}"),
                               ("opt/bentevi/CHANGELOG.md", "## 0.1.0", f"## {version}"), ("opt/bentevi/CHANGELOG.pt_BR.md", "## 0.1.0", f"## {version}")):
            file = copy / name
            lines = [new if line.startswith(old) else line for line in file.read_text().splitlines()]
            mode = file.stat().st_mode
            file.unlink()  # a hard link: the tree itself stays as it is
            file.write_text("\n".join(lines) + "\n")
            file.chmod(mode)
        if broken:
            (copy / "usr/sbin/asterisk").unlink()
        yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def make(root: Path, folder: Path, version: str, broken: bool) -> Path:
    """The update file of such a tree. Quick rather than small."""
    out = folder / f"bentevi-{version}.update"
    out.unlink(missing_ok=True)
    with tree(root, folder, version, broken) as copy:
        checkout = Path(__file__).parents[2]
        subprocess.run([sys.executable, "-m", "os_image.update", "make", str(copy), str(out)], cwd=checkout, check=True,
                       env=os.environ | {"PYTHONPATH": str(checkout), "SQUASHFS_LEVEL": "1"})
    return out


def status(machine: Machine, key: Path) -> dict[str, Any]:
    """What `bentevi update status --json` says; nothing while the machine is away."""
    try:
        text = machine.ssh("bentevi update status --json", key, check=False)
    except subprocess.TimeoutExpired:
        return {}
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return {}
    return found


def slot(machine: Machine, key: Path) -> str:
    """The slot the running system was started from."""
    return machine.ssh("grep -o 'bentevi.slot=[ab]' /proc/cmdline", key).strip()[-1]


def prove(folder: Path, key: Path, disk: Path, root: Path, name: str, answers: str, broken: bool) -> dict[str, float]:
    """Start the disk, send the file, start the update, and wait for its end. Raises Failed for another end than is meant."""
    file = make(root, folder, NEW, broken)
    with machines.machine(folder, name, answers=answers, timeout_seconds=UPDATE_SECONDS, restarts=True).disk(disk) as machine:
        smoke.up(machine, key)
        before = smoke.look(machine, key, "pabx-prova")
        here = status(machine, key)["version"]
        if slot(machine, key) != "a":
            raise Failed(f"{name}: the disk image does not start slot a")
        sent = machine.put(file, file.name, key)
        said = machine.ssh(f"bentevi update check {sent}", key)
        if f"good: Bentevi {NEW}" not in said:
            raise Failed(f"{name}: check said {said}")
        damaged = machine.ssh(f"cp {sent} bad.update && printf x | dd of=bad.update bs=1 seek=300 conv=notrunc status=none && bentevi update check bad.update; "
                              "echo $?; rm bad.update", key, check=False)
        if not damaged.strip().endswith("2"):
            raise Failed(f"{name}: a forged file was not refused: {damaged}")
        began = machine.seconds
        machine.ssh(f"bentevi update start {sent} --no-wait", key)
        wanted = "returned" if broken else "done"

        def is_over() -> bool:
            found = status(machine, key)
            past = found.get("history") or [{}]
            if past[0].get("step") in ("failed", "cancelled") or past[0].get("step") not in (None, wanted):
                raise Failed(f"{name}: ended as {past[0]}; {journal(machine, key)}")
            return bool(past[0].get("step") == wanted and (found.get("update") or {}).get("step") == wanted)

        machine.wait_for(is_over, f"update is {wanted}", 5)
        figures = {"update_s": round(machine.seconds - began, 1)}
        figures |= {f"after_{word}": value for word, value in smoke.up(machine, key).items()}
        now = status(machine, key)
        found = (slot(machine, key), now["version"], now["history"][0]["version"])
        if found != (("a", here, NEW) if broken else ("b", NEW, NEW)):
            raise Failed(f"{name}: runs {found}; {journal(machine, key)}")
        after = smoke.look(machine, key, "pabx-prova")
        changed = [word for word in before if word != "machine" and before[word] != after[word]]
        if changed:
            raise Failed(f"{name}: not kept: {changed}")
        machine.picture("console")
        machine.ssh("sudo -n systemctl poweroff", key, check=False)
        machine.wait_off()
    with machines.machine(folder, f"{name}-again").disk(disk) as machine:
        smoke.up(machine, key)
        if slot(machine, key) != ("a" if broken else "b"):
            raise Failed(f"{name}: another slot after the next start")
    return figures


PAUSE_SECONDS = 40.0  # between two disks that are set aside: an emulated update takes some twenty minutes


def cuts(folder: Path, key: Path, disk: Path, root: Path, answers: str, times: int) -> dict[str, float]:
    """Set the disk aside again and again while an update runs, and start `times` of these disks, one of each step at least: until the new version is
    proved, a power cut leaves the one before, whole, with the update over. Raises Failed."""
    before, kept = moments(folder, key, disk, make(root, folder, NEW, broken=False), answers)
    for number, (step, frozen) in enumerate(chosen(kept, times)):
        copy = machines.layer(frozen, disk.with_name("update-cuts-start"))
        with machines.machine(folder, f"update-cuts-{number}", timeout_seconds=UPDATE_SECONDS, restarts=True).disk(copy) as machine:
            smoke.up(machine, key)
            machine.wait_for(partial(is_over, machine, key), f"the update that was cut while {step} is over", 5)
            held, found = smoke.look(machine, key, "pabx-prova"), status(machine, key)
            changed = [word for word in before if word != "machine" and before[word] != held[word]]
            is_new = found["version"] == NEW
            if changed or slot(machine, key) != ("b" if is_new else "a") or (is_new and step != "done"):  # it may have been done just after the cut
                raise Failed(f"update-cuts after {step}: changed {changed}, slot {slot(machine, key)}, {found}; {journal(machine, key)}")
            print(f"update-cuts-{number}: cut while {step}: {found['history'][0]['step'] if found['history'] else 'nothing of it'}", flush=True)
    for _step, frozen in kept[1:]:
        frozen.unlink()
    return {"moments": float(len(kept)), "started": float(len(chosen(kept, times)))}


def moments(folder: Path, key: Path, disk: Path, file: Path, answers: str) -> tuple[dict[str, str], list[tuple[str, Path]]]:
    """What the machine is before a good update, and (step, disk as it was) from its beginning until it is done. The step is asked after the disk was
    set aside, so that it had not come any further; "away": the machine was just starting."""
    kept: list[tuple[str, Path]] = []
    with machines.machine(folder, "update-cuts", answers=answers, timeout_seconds=UPDATE_SECONDS, restarts=True).disk(disk) as machine:
        smoke.up(machine, key)
        before = smoke.look(machine, key, "pabx-prova")
        machine.ssh(f"bentevi update start {machine.put(file, file.name, key)} --no-wait", key)
        while not kept or kept[-1][0] != "done":
            machine.look()
            frozen = machine.freeze(folder / f"update-cuts-{len(kept)}.qcow2")
            step = str((status(machine, key).get("update") or {}).get("step", "away"))
            kept.append((step, frozen))
            if step in ("failed", "returned", "cancelled"):
                raise Failed(f"update-cuts: a good update {step}: {journal(machine, key)}")
            print(f"update-cuts: {machine.seconds} s: set aside while {step}", flush=True)
            time.sleep(PAUSE_SECONDS * machines.PACE)
        machine.pull_the_plug()
    return before, kept


def chosen(kept: list[tuple[str, Path]], times: int) -> list[tuple[str, Path]]:
    """The first of each step, then the others evenly, in their order."""
    first = {step: number for number, (step, _disk) in reversed(list(enumerate(kept)))}
    others = [number for number in range(len(kept)) if number not in first.values()]
    more = max(0, times - len(first))
    picked = {others[len(others) * number // more] for number in range(more)} if others and more else set()
    return [kept[number] for number in sorted({*first.values(), *picked})]


def is_over(machine: Machine, key: Path) -> bool:
    """Whether the newest update has ended, in whatever way; one that was cut before it wrote anything was never there."""
    found = status(machine, key)
    if "history" in found and not found["history"]:
        return found["update"] is None
    return (found.get("history") or [{}])[0].get("step") in ("failed", "returned", "cancelled", "done")


def journal(machine: Machine, key: Path) -> str:
    """What the units of updates said last."""
    return machine.ssh("journalctl --no-pager -n 40 -u 'appliance-update*'", key, check=False)[-2500:]
