"""Where a store of backups lies, and what restic must be told to reach it: passwords go by the environment only."""

import os
import re
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from flask_babel import gettext as _

from appliance import settings
from appliance.backup_policy.model import ADDRESSES, DISK, NONE, S3, SFTP, USB, BackupPolicy
from appliance.errors import Busy, Refused

ASKPASS = Path(__file__).with_name("askpass")  # prints the password of the other machine, for ssh
KEY = "backup_ssh_key"
KNOWN_HOSTS = "backup_known_hosts"
CONNECT_SECONDS = 15


@dataclass(frozen=True)
class Destination:
    """A store: its kind, address and the passwords to it."""

    kind: str
    address: str
    encryption_password: str = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def repository(self) -> str:
        """restic's own name of it; holds no password."""
        if self.kind == SFTP:
            return f"sftp:{self.username}@{self._sftp()['host']}:{self._sftp()['folder']}"
        return f"s3:{self.address}" if self.kind == S3 else self.address

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self.username}@{self.address}" if self.kind == SFTP else self.address

    def options(self) -> list[str]:
        """More words for restic's command line; none of them secret."""
        if self.kind != SFTP:
            return []
        far = self._sftp()
        folder = settings.load().secrets
        words = ["ssh", "-p", far["port"] or "22", "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={folder / KNOWN_HOSTS}",
                 "-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", "ServerAliveInterval=20", "-o", "ServerAliveCountMax=3", "-o", "NumberOfPasswordPrompts=1",
                 "-o", f"BatchMode={'no' if self.password else 'yes'}"]  # fmt: skip
        if (folder / KEY).exists():
            words += ["-i", str(folder / KEY)]
        words += [f"{self.username}@{far['host'].strip('[]')}", "-s", "sftp"]
        return ["-o", f"sftp.command={' '.join(words)}"]

    def environment(self) -> dict[str, str]:
        """What restic and ssh find out of it: readable by this user and root only (proc(5))."""
        found = {"RESTIC_PASSWORD": self.encryption_password, "RESTIC_REPOSITORY": self.repository}
        if self.kind == S3:
            found |= {"AWS_ACCESS_KEY_ID": self.username, "AWS_SECRET_ACCESS_KEY": self.password}
        if self.kind == SFTP and self.password:
            found |= {"SSH_ASKPASS": str(ASKPASS), "SSH_ASKPASS_REQUIRE": "force", "BENTEVI_FAR_PASSWORD": self.password}
        return found

    def look(self, makes: bool = True) -> None:
        """Raises Refused or Busy when a folder of this machine is not what it should be: a disk that was pulled out leaves an empty folder
        behind, which would fill the system's own disk. A folder that is not there is made, unless nothing may be written."""
        if self.kind not in (DISK, USB):
            return
        folder = Path(self.address)
        if self.kind == USB and not _is_on_another_disk(folder):
            raise Busy(_("No USB disk is mounted at %(folder)s. Plug it in and mount it there, then try again.", folder=self.address))
        if not makes and not folder.exists():
            return
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as why:
            raise Busy(_("The folder %(folder)s cannot be used: %(why)s", folder=self.address, why=why.strerror)) from why
        if not os.access(folder, os.W_OK | os.X_OK):
            raise Busy(_("The folder %(folder)s cannot be used: %(why)s", folder=self.address, why=os.strerror(13)))

    def _sftp(self) -> "re.Match[str]":
        found = re.fullmatch(ADDRESSES[SFTP], self.address)
        if found is None:
            raise Refused(_("This is not the address of a folder on another machine: host:port/folder"))
        return found


def of(policy: BackupPolicy) -> Destination:
    """What the settings say. Refused when no backups are wanted."""
    if policy.kind == NONE:
        raise Refused(_("There is no place for backups yet. Choose one in the backup settings."), link="/backup_policy")
    return Destination(policy.kind, policy.address, policy.encryption_password, policy.username, policy.password or "")


def _is_on_another_disk(folder: Path) -> bool:
    """Whether the folder, or the nearest one above it that is there, lies on a disk that is not the system's."""
    while not folder.exists():
        folder = folder.parent
    device = folder.stat().st_dev
    return device not in (Path("/").stat().st_dev, settings.load().home.stat().st_dev)


def public_key() -> str:
    """The key by which this machine logs in elsewhere, made when there is none yet."""
    file = settings.load().secrets / KEY
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"bentevi@{socket.gethostname()}", "-f", str(file)], check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
    return file.with_suffix(".pub").read_text().strip()
