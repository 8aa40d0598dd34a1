"""What the finished tree must be, before anything is started: no secret, nothing of one machine, nobody's password, nothing too open."""

import re
import stat
import subprocess
from pathlib import Path

NO_COMPILER = ("usr/bin/gcc", "usr/bin/cc", "usr/bin/make", "usr/bin/c++", "usr/bin/pip", "usr/bin/pip3", "opt/bentevi/venv/bin/pip")
SETUID = {"chage", "chfn", "chsh", "crontab", "expiry", "gpasswd", "mount", "newgrp", "passwd", "ping", "ssh-keysign", "su", "sudo", "umount", "unix_chkpwd",
          "dbus-daemon-launch-helper", "ssh-agent", "pam_timestamp_check", "polkit-agent-helper-1", "pkexec"}  # fmt: skip


def problems(root: Path) -> list[str]:
    """Everything that is wrong, one line each."""
    return [*identity(root), *passwords(root), *owners(root), *contents(root), *tools(root)]


def identity(root: Path) -> list[str]:
    """What only one machine may have."""
    found = [f"a host key: {path.relative_to(root)}" for path in root.glob("etc/ssh/ssh_host_*")]
    found += [f"a private key: {path.relative_to(root)}" for folder in ("etc", "opt/bentevi", "var", "usr/lib/bentevi", "root", "home")
              for path in (root / folder).rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_size < 20_000
              and re.search(rb"-----BEGIN (\w+ )?PRIVATE KEY", path.read_bytes())]
    if (root / "etc/machine-id").read_text().strip() != "uninitialized":
        found.append("machine-id is not `uninitialized`")
    found += [f"exists: {name}" for name in ("var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "home/admin/.ssh", "root/.ssh", "etc/pip.conf", "root/.config")
              if (root / name).exists() and not (root / name).is_symlink()]
    if (root / "etc/fstab").read_text():
        found.append("etc/fstab is not empty")
    return found


def passwords(root: Path) -> list[str]:
    """Nobody can log in with a password that is the same everywhere."""
    lines = [line.split(":") for line in (root / "etc/shadow").read_text().splitlines()]
    return [f"{words[0]} has a password" for words in lines if words[1] == "" or words[1].lstrip("!").startswith("$")]


def owners(root: Path) -> list[str]:
    """Nothing that everybody may write, no set-uid program that is not known."""
    found = []
    for path in root.rglob("*"):
        if path.is_symlink() or path.is_relative_to(root / "proc") or path.is_relative_to(root / "dev"):
            continue
        mode = path.stat().st_mode
        if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            found.append(f"everybody may write {path.relative_to(root)}")
        if stat.S_ISREG(mode) and mode & stat.S_ISUID and path.name not in SETUID:
            found.append(f"set-uid: {path.relative_to(root)}")
    return found


def contents(root: Path) -> list[str]:
    """What must be there, and what must not."""
    found = [f"exists: {name}" for name in NO_COMPILER if (root / name).exists()]
    needed = ("usr/sbin/asterisk", "usr/bin/redis-server", "usr/sbin/nginx", "opt/bentevi/web/static/vendor/manifest.json", "boot",
              "opt/bentevi/web/translations/pt_BR/LC_MESSAGES/messages.mo", "usr/lib/bentevi/boot/core.img", "usr/lib/bentevi/boot/esp/grub/grub.cfg")
    return found + [f"missing: {name}" for name in needed if not (root / name).exists()]


def tools(root: Path) -> list[str]:
    """What the machine's own programs say of its own files."""
    found = []
    key = root / "tmp/check-key"
    commands = {
        "visudo": ["visudo", "-c", "-q"],
        "nft": ["nft", "-c", "-f", "/etc/nftables.conf"],
        "sshd": ["sh", "-c", "ssh-keygen -q -t ed25519 -N '' -f /tmp/check-key; mkdir -p /run/sshd; sed 's#/etc/bentevi/ssh/ssh_host_ed25519_key#/tmp/check-key#' "
                             "/etc/ssh/sshd_config.d/10-bentevi.conf > /tmp/check.conf; sshd -t -f /tmp/check.conf"],
        "systemd-analyze": ["sh", "-c", "systemd-analyze verify --man=no --recursive-errors=no /etc/systemd/system/bentevi*.service "
                                        "/etc/systemd/system/appliance*.service /usr/lib/bentevi/mounts/*.mount /etc/systemd/system/bentevi.target"],
        "nginx": ["sh", "-c", "cd /opt/bentevi && T=$(mktemp -d) && mkdir $T/nginx $T/secrets $T/run $T/log && BENTEVI_HOME=$T PYTHONPATH=/opt/bentevi "
                              "venv/bin/python -c 'from appliance import processes,settings; from appliance import own_certificate; s=settings.load(); own_certificate.ensure(s.secrets,s.bind); "
                              "processes.nginx_command(s)' && nginx -t -q -e stderr -p $T/ -c nginx/nginx.conf; c=$?; rm -rf $T; exit $c"],
        "python": ["/opt/bentevi/venv/bin/python", "-c", "import sys; sys.path.insert(0, '/opt/bentevi'); import web.app, web.live, jobs.worker, weasyprint, psycopg"],
    }
    for name, words in commands.items():
        isolated = ["unshare", "-n", "--"] if name == "nft" else []
        run = subprocess.run([*isolated, "chroot", str(root), *words], capture_output=True, text=True, check=False)
        said = (run.stdout + run.stderr).strip()
        if run.returncode or (name == "systemd-analyze" and said):
            found.append(f"{name}: {said[-1500:] or run.returncode}")
    for file in (key, root / "tmp/check-key.pub", root / "tmp/check.conf"):
        file.unlink(missing_ok=True)
    return found
