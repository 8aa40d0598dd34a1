"""What a bad disk leaves: a database that cannot be read, and a disk that is full to the last byte. The telephones call all the same, the machine says in
words what is wrong, and after a restore or with room again everything is as it was, with the calls that were made meanwhile.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from os_image.checks import calls, machines, smoke
from os_image.checks.calls import Site
from os_image.checks.qemu import Failed, Machine

HOME = "/var/lib/bentevi"
SPOIL = f"dd if=/dev/urandom of={HOME}/bentevi.sqlite bs=4096 count=64 conv=notrunc status=none && rm -f {HOME}/bentevi.sqlite-wal {HOME}/bentevi.sqlite-shm"
# By the exchange's own user: what the file system keeps back for root is root's alone, and no room of ours comes of it.
NEARLY_NOTHING_BYTES = 1 << 17  # what is freed in the same moment, by whoever tidies up
FILLING = f"{HOME}/filling"
FILL = f"runuser -u bentevi -- sh -c 'cat /dev/zero > {FILLING}' 2>/dev/null; sync; df --output=avail -B1 /data | tail -1"


def prove(folder: Path, key: Path, disk: Path) -> dict[str, float]:
    """Both, one after the other, on a disk that `calls` left. Raises Failed."""
    with calls.wire() as tap, machines.machine(folder, "damage", tap=tap, address=calls.THERE, timeout_seconds=7200, restarts=True).disk(disk) as machine:
        site = Site(machine, key)
        smoke.up(machine, key)
        known = {one["protocol"] for one in site.calls()}
        extensions = site.bentevi("site export extensions")
        with stopped(site):
            site.root(SPOIL)
        figures = {"telephones_without_rows_s": works_without_rows(site)}
        site.root("systemctl stop bentevi.target")
        site.product(f"restore --from disk --address {calls.STORE} --yes", BENTEVI_BACKUP_PASSWORD=calls.PASSWORD_OF_BACKUPS)
        site.root("systemctl start bentevi.target")
        smoke.up(machine, key)
        if site.bentevi("site export extensions") != extensions:
            raise Failed(f"damage: other extensions after the restore: {site.bentevi('site export extensions')}")
        calls.wait(lambda: {one["protocol"] for one in site.calls()} > known, "the call that was made without rows")
        with stopped(site):
            left = int(site.root(FILL).split()[-1])
        if left > NEARLY_NOTHING_BYTES:
            raise Failed(f"damage: {left} bytes of the disk are free")
        figures["telephones_on_a_full_disk_s"] = calls_through(machine)
        smoke.up(machine, key)
        site.root(f"rm {FILLING}")
        machine.wait_for(lambda: not errors(site), "with room again the doctor finds nothing", 20)
        machine.picture("console")
    return figures


@contextmanager
def stopped(site: Site) -> Iterator[None]:
    """The exchange rests for what is done to its files; then the machine starts again."""
    site.root("systemctl stop bentevi.target bentevi-*.service appliance-watch.service")
    yield
    site.machine.ssh("systemctl reboot --no-block", site.key, sudo_password=smoke.PASSWORD, check=False)  # the line goes down with the machine
    site.machine.wait_for(lambda: not site.machine.greets_by_ssh(), "going down")


def calls_through(machine: Machine) -> float:
    """Seconds from now until a telephone is registered; then two of them talk."""
    began = machine.seconds
    registered = calls.first_registration(machine)
    with calls.phones() as (ana, bia):
        calls.talk(ana, bia)
    return round(registered - began, 1)


def works_without_rows(site: Site) -> float:
    """The telephones call, pages and commands say what is wrong; seconds until the first registration."""
    seconds = calls_through(site.machine)
    site.machine.wait_for(lambda: site.machine.https("/login")[0] == 503, "pages say that the database is away")
    said = site.machine.https("/login")[1]
    if "banco de dados" not in said.lower():
        raise Failed(f"damage: the page does not say what is wrong: {said[:500]}")
    found = errors(site)
    if not any("database" in one["check"] for one in found):
        raise Failed(f"damage: the doctor does not name the database: {found}")
    told = site.machine.ssh("bentevi calls list 2>&1; bentevi site export 2>&1", site.key, check=False)
    if "Traceback" in told:
        raise Failed(f"damage: a command ends in {told[-1500:]}")
    site.bentevi("bundle")
    return seconds


def errors(site: Site) -> list[dict[str, str]]:
    """What the doctor calls wrong."""
    found: list[dict[str, str]] = json.loads(site.bentevi("doctor --json", check=False))["findings"]
    return [one for one in found if one["level"] == "error"]
