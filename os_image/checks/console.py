"""Maintenance on an emulated machine: a network address that nobody confirms goes back, a confirmed one stays, dry runs change nothing, and the
way back to the first visit is one of two directions."""

import json
import socket
import subprocess
import time
from functools import partial
from pathlib import Path

from os_image.checks import machines, smoke
from os_image.checks.calls import HERE, THERE, Site, wait, wire
from os_image.checks.qemu import Failed

ELSEWHERE = "10.77.0.9"
DRY = ("bentevi user password admin --dry-run", "bentevi bundle --dry-run", "bentevi-network --dry-run fixed 10.77.0.7/24 10.77.0.1")
NETWORK = "cat /etc/systemd/network/10-bentevi.network; cat /data/machine/network/10-bentevi.network; networkctl status --no-pager --lines=0"
MEMORY = "LC_ALL=C free -m; grep -E 'AnonHuge|Slab|SUnreclaim|PageTables|KernelStack|Shmem:|Percpu' /proc/meminfo; " \
         "for f in /proc/[0-9]*/smaps_rollup; do p=${f%/smaps_rollup}; echo $(awk '/^Pss:/ { print int($2 / 1024) }' $f) $(tr '\\0' ' ' < $p/cmdline | cut -c1-90); done 2>/dev/null | sort -rn | head -40"


def prove(folder: Path, key: Path, disk: Path, answers: str) -> dict[str, float]:
    """All of it on one machine. Raises Failed. Its memory, program by program, is left in console.memory."""
    with wire() as tap, machines.machine(folder, "console", answers=answers, tap=tap, address=THERE, timeout_seconds=5400, restarts=True).disk(disk) as machine:
        site = Site(machine, key)
        figures = smoke.up(machine, key)
        (folder / "console.memory").write_text(site.root(MEMORY))
        before = state(site)
        for words in DRY:
            machine.ssh(words, key)
        site.root("bentevi-reset --dry-run")
        if state(site) != before:
            raise Failed("console: a dry run changed something")
        go_away_and_come_back(site)
        if state(site)[0] != before[0]:
            raise Failed(f"console: the address nobody confirmed left something: {state(site)[0]}")
        said = subprocess.run(machine.ssh_words(f"sudo -S -p '' bentevi-network fixed {THERE}/24 {HERE} 203.0.113.53", key), text=True, capture_output=True,
                              input=f"{smoke.PASSWORD}\nsim\n", timeout=300, check=False).stdout
        if "A rede fica assim." not in said or state(site)[0].count("DNS=203.0.113.53") != 2:
            raise Failed(f"console: the confirmed address is not there: {said} {state(site)[0]}")
        wrong = [one for one in json.loads(machine.ssh("bentevi doctor --json", key, check=False))["findings"] if one["level"] == "error"]
        if wrong:
            raise Failed(f"console: {wrong}")
        empty_and_back(site, folder)
    return figures


def state(site: Site) -> tuple[str, str]:
    """What a dry run may not change: the network's files and state, and the rows' digest."""
    network = "\n".join(line for line in site.root(NETWORK).splitlines() if line.startswith(("Address", "DNS", "Gateway", "[")) or "Address:" in line)
    return network, site.root("cd /var/lib/bentevi/secrets && find . -type f -exec sha256sum {} + | sort && ls /data")


def empty_and_back(site: Site, folder: Path) -> None:
    """An extension is there, is gone after bentevi-reset, and is there again after bentevi-reset back."""
    machine = site.machine
    site.bentevi("site import --apply - << 'END'\nbentevi: 1\nextensions: [{number: \"1000\", name: Ana, password: Troque-1000-isto}]\nEND")
    there, keys = site.bentevi("site export extensions"), site.root("cat /etc/bentevi/ssh/ssh_host_ed25519_key.pub")
    for words, is_there in (("", False), (" back", True)):
        started = site.root("cat /proc/sys/kernel/random/boot_id")
        answered = f"{smoke.PASSWORD}\n{site.root('hostname').strip()}\n"
        subprocess.run(machine.ssh_words(f"sudo -S -p '' bentevi-reset{words}", site.key), text=True, capture_output=True, input=answered, timeout=900, check=False)
        machine.wait_for(partial(began_again, site, started), f"reset{words}", 10)
        smoke.up(machine, site.key)
        found = site.bentevi("site export extensions")
        if (found == there) is not is_there or ("Ana" in found) is not is_there or site.root("cat /etc/bentevi/ssh/ssh_host_ed25519_key.pub") != keys:
            raise Failed(f"console: after reset{words}: {found}")
        machine.picture(f"reset{words}".replace(" ", "-"))


def began_again(site: Site, before: str) -> bool:
    """Whether the machine started since."""
    try:
        return site.machine.ssh("cat /proc/sys/kernel/random/boot_id", site.key, check=False) not in ("", before)
    except subprocess.TimeoutExpired:
        return False


def greets(address: str) -> bool:
    """Whether SSH answers there."""
    try:
        with socket.create_connection((address, 22), 3) as line:
            return line.recv(3) == b"SSH"
    except OSError:
        return False


def go_away_and_come_back(site: Site) -> None:
    """Change the address under the session that asked for it; nobody can confirm, and a minute later the old one answers again."""
    words = site.machine.ssh_words(f"sudo -S -p '' bentevi-network fixed {ELSEWHERE}/24 {HERE}", site.key)
    with subprocess.Popen(words, stdin=subprocess.PIPE, text=True) as asking:
        assert asking.stdin
        asking.stdin.write(f"{smoke.PASSWORD}\n")
        asking.stdin.flush()
        try:
            wait(lambda: greets(ELSEWHERE), "the new address")
            print(f"{site.machine.name}: answers at {ELSEWHERE} {site.machine.seconds} s", flush=True)
            wait(lambda: greets(THERE) and not greets(ELSEWHERE), "the old address again")
            print(f"{site.machine.name}: answers at {THERE} again {site.machine.seconds} s", flush=True)
        finally:
            asking.kill()
    time.sleep(2)
