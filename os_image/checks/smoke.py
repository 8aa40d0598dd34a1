"""What a running appliance must be, asked from outside and inside: services, ports, limits, facts of the first start."""

import json
import re
from pathlib import Path

from appliance.processes import PROCESSES
from os_image.checks.qemu import Failed, Machine

UNITS = sorted({process.unit or process.name for process in PROCESSES})
FORKED = [process for process in PROCESSES if process.unit]
# (protocol, port) of everything that may listen on more than loopback; the voice ports open only during calls.
OPEN = {("tcp", 22), ("tcp", 80), ("tcp", 443), ("udp", 5060), ("tcp", 5060), ("udp", 68), ("udp", 546)}
PASSWORD = "prova-do-arranque-1"
# `openssl passwd -6` of it; the machine it is given to is thrown away.
HASH = "$6$bentevi.prova$xlLutr9hy.0vfkerrlMxzeX3BzkVBOzHX4jb257kZ1Z8FT0sRY7oj1I6hjobO129Hao5fUrCYKUXe4NBrGIm./"
STATUS = "bentevi status --json"


def up(machine: Machine, key: Path) -> dict[str, float]:
    """Wait until SSH greets, the pages answer and every process does; seconds since power on."""
    figures = {"ssh_s": machine.wait_for(machine.greets_by_ssh, "ssh"),
               "https_s": machine.wait_for(lambda: machine.https("/healthz")[0] == 200, "pages")}

    def all_answer() -> bool:
        text = machine.ssh(STATUS, key, check=False)
        return bool(text) and all(one["answers"] for one in json.loads(text)["processes"])

    figures["all_answer_s"] = machine.wait_for(all_answer, "everything answers", 3)
    return figures


def look(machine: Machine, key: Path, name: str) -> dict[str, str]:
    """Everything below; what must be the same at the next start. Raises Failed with all that is wrong."""
    def root(command: str) -> str:
        return machine.ssh(command, key, sudo_password=PASSWORD)

    wrong = []
    state = machine.ssh("systemctl is-system-running --wait", key, check=False).strip()
    if state != "running":
        wrong.append(f"the system is {state}: {machine.ssh('systemctl --failed --no-legend --plain', key, check=False)}")
    wrong += units(machine, key)
    wrong += listening(root("ss -Hltunp"))
    wrong += [f"first start: {text}" for text in first_facts(machine, root, name)]
    wrong += pages(machine)
    version = root("asterisk -C /var/lib/bentevi/asterisk/etc/asterisk.conf -rx 'core show version'")
    if not version.startswith("Asterisk 22"):
        wrong.append(f"Asterisk says {version!r}")
    rules = root("nft list chain inet bentevi input")
    if "policy drop" not in rules:
        wrong.append("the firewall lets in what no rule names")
    if wrong:
        raise Failed(f"{machine.name}:\n" + "\n".join(wrong))
    return {"host key": root("cat /etc/bentevi/ssh/ssh_host_ed25519_key.pub"), "certificate": root("sha256sum /var/lib/bentevi/secrets/https/https.pem"),
            "machine": root("cat /etc/machine-id"), "secrets": root("cd /var/lib/bentevi/secrets && sha256sum * | sort")}  # fmt: skip


def units(machine: Machine, key: Path) -> list[str]:
    """Every service runs under its user, with a limit of memory, without privileges; so does what a service forks, and nothing was started again."""
    found = []
    for process in UNITS:
        text = machine.ssh(f"systemctl show bentevi-{process} -p ActiveState -p User -p MemoryMax -p NoNewPrivileges -p CapabilityBoundingSet -p NRestarts", key)
        said = dict(line.split("=", 1) for line in text.splitlines())
        wanted = {"ActiveState": "active", "User": "bentevi-redis" if process == "redis" else "bentevi", "NoNewPrivileges": "yes", "CapabilityBoundingSet": ""}
        found += [f"{process}: {one} is {said.get(one)}" for one, value in wanted.items() if said.get(one) != value]
        if not said["MemoryMax"].isdigit():
            found.append(f"{process}: no limit of memory")
        if said["NRestarts"] != "0":
            found.append(f"{process}: started {said['NRestarts']} times again: {machine.ssh(f'journalctl -u bentevi-{process} -n 15 --no-pager', key)}")
    for one in json.loads(machine.ssh(STATUS, key, check=False))["processes"]:  # it ends with 1 while one is slow to answer
        found += [f"{one['name']}: started again: {machine.ssh('bentevi logs ' + one['name'], key)}"] if one["restarts"] else []
    for process in FORKED if machine.limits_memory else ():
        group = f"/sys/fs/cgroup/system.slice/bentevi-{process.unit}.service/{process.name}"
        text = machine.ssh(f"cat {group}/memory.max; wc -l < {group}/cgroup.procs", key, check=False)
        if text.split()[:1] != [str(process.memory_mb << 20)] or text.split()[1:] == ["0"]:
            found.append(f"{process.name}: its limit of memory: {text}")
    return found


def listening(text: str) -> list[str]:
    """What `ss -Hltunp` shows beyond what is documented."""
    found = []
    for line in text.splitlines():
        words = line.split()
        address, _colon, port = words[4].rpartition(":")
        if address.startswith(("127.", "[::1]")) or "%lo" in address:
            continue
        # Asterisk's two sockets for asking name servers: no rule lets anything in to them.
        if words[0] == "udp" and int(port) >= 32768 and '"asterisk"' in line:
            continue
        if (words[0], int(port)) not in OPEN:
            found.append(f"listens: {line}")
    return found


def first_facts(machine: Machine, root, name: str) -> list[str]:
    """Name, zone, keys, nothing left of the answers."""
    found = []
    if root("hostname").strip() != name:
        found.append("another name than it was given")
    if "America/Sao_Paulo" not in root("readlink /etc/localtime"):
        found.append("another zone")
    if root("ls /data/machine/answers.conf 2>/dev/null || true"):
        found.append("the answers still lie there")
    mounts = root("findmnt -rno TARGET,SOURCE /var/lib/bentevi; findmnt -rno SOURCE /")
    if mounts.splitlines()[0].split()[1].split("[")[0] == mounts.splitlines()[1]:
        found.append("product and data share a partition")
    code = root("cat /var/lib/bentevi/secrets/first_password").strip()
    if code not in root("cat /run/issue.d/60-bentevi.issue").replace("\\\\", "\\"):  # agetty itself shows it to a terminal only
        found.append("the console does not show the code of the first visit")
    return found


def pages(machine: Machine) -> list[str]:
    """Health, the login page in Portuguese, plain HTTP that leads to TLS."""
    found = []
    status, text, _headers = machine.https("/login")
    if status != 200 or not re.search(r"Senha", text):
        found.append(f"the login page answers {status}")
    return found
