"""Where backups go, when, and how many are kept (SYS-20)."""

import re
from pathlib import Path

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance import settings
from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import Boolean, Choice, Pattern, Secret, Text, Whole, field
from appliance.resource import SINGLE_ID, Resource

NONE, DISK, USB, SFTP, S3 = "none", "disk", "usb", "sftp", "s3"
KINDS = {
    NONE: _l("nowhere (no backup is made)"), DISK: _l("a folder of this machine or of the network"), USB: _l("a USB disk"),
    SFTP: _l("another machine (SFTP)"), S3: _l("an S3-compatible store"),
}
ADDRESSES = {  # kind → what its address looks like; nothing a shell or restic's own syntax could read as anything else
    DISK: r"/[\w./-]+", USB: r"/[\w./-]+",
    SFTP: r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::(?P<port>[0-9]{1,5}))?/(?P<folder>[\w./-]+)",
    S3: r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[\w./-]+",
}
EXAMPLES = {
    DISK: "/srv/backup", USB: "/media/backup/bentevi", SFTP: "backup.padaria.example:22/bentevi", S3: "https://s3.padaria.example/bentevi",
}


class FarPassword(Secret):
    """A password or key somebody else gave; there may be none."""

    empty = None
    offers_generate = False

    def __init__(self) -> None:
        super().__init__(1, generated=False)


class BackupPolicy(Base):
    """One row. Takes effect with the next backup, without an apply."""

    __tablename__ = "backup_policy"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = field(
        Choice(KINDS), _l("Backups go to"), default=NONE, also="Destino do backup USB SFTP S3",
        help=_l("A place that does not burn, flood or get stolen together with this machine."),
    )
    address: Mapped[str] = field(
        Text(200), _l("Address"), optional=True, default="", show_if=("kind", "disk,usb,sftp,s3"), example="backup.padaria.example:22/bentevi",
        help=_l("A folder (/srv/backup), for a USB disk a folder on it; SFTP: host:port/folder, with two bars for a folder from the root "
                "(host//srv/backup); S3: https://host/bucket/folder."),
    )
    username: Mapped[str] = field(
        Pattern(120, r"[A-Za-z0-9._@+=/-]*", _l("Letters, digits and . _ - @ only.")), _l("User name"), optional=True, default="",
        show_if=("kind", "sftp,s3"), also="Usuário access key", help=_l("SFTP: the person to log in as. S3: the access key ID."),
    )
    password: Mapped[str | None] = field(
        FarPassword(), _l("Password"), optional=True, show_if=("kind", "sftp,s3"), also="Senha secret key",
        help=_l("SFTP: its password; none when the other machine knows the key shown under Backups. S3: the secret access key. Empty: it stays as it was."),
    )
    encryption_password: Mapped[str] = field(
        Secret(12), _l("Password of the backups"), also="Senha do backup criptografia",
        help=_l("Everything is encrypted with it before it leaves this machine. Write it down and keep it elsewhere: without it no backup can be opened, by nobody."),
    )
    time: Mapped[str] = field(
        Pattern(5, r"([01][0-9]|2[0-3]):[0-5][0-9]", _l("An hour like 02:30.")), _l("Every day at"), default="02:30", also="Horário do backup",
        help=_l("In the company's time zone. When the machine is off then, it is made up for after the start."),
    )
    keep_count: Mapped[int] = field(
        Whole(2, 3650), _l("Keep"), default=30, also="Quantos backups manter",
        help=_l("So many of the newest backups; older ones are removed. Each takes only the room of what was new that day."),
    )
    rehearse: Mapped[bool] = field(
        Boolean(), _l("Rehearse the restore"), default=True, also="Ensaio de restauração teste",
        help=_l("After each nightly backup it is read back and restored into a scratch database; the result stands on the page “Now”."),
    )

    def check(self) -> None:
        """An address that fits the kind, and does not lie inside what is to be saved."""
        if self.kind == NONE:
            return
        if not re.fullmatch(ADDRESSES[self.kind], self.address) or "/../" in f"{self.address}/":
            raise Refused(_("Write it like this: %(example)s", example=EXAMPLES[self.kind]), field="address")
        if self.kind in (DISK, USB):
            folder, home = Path(self.address).resolve(), settings.load().home
            if folder == home or home in folder.parents or folder in home.parents:
                raise Refused(_("The folder may not lie within the data of the exchange, nor around it."), field="address")
        elif not self.username:
            raise Refused(_("Fill in this field."), field="username")


def current() -> BackupPolicy:
    """The one row."""
    return db.session.get_one(BackupPolicy, SINGLE_ID)


resource = Resource(
    BackupPolicy, word="backup_policy", label=_l("Backup settings"), one=_l("backup settings"), group="system", icon="device-floppy", single=True,
    applies=False, permission="backup_policy",
    tabs={_l("Destination"): ["kind", "address", "username", "password", "encryption_password"], _l("When"): ["time", "keep_count", "rehearse"]},
    also="Backup cópia de segurança configuração destino restauração",
)
