"""Where new versions are fetched from, and how far that goes by itself (SYS-11)."""

from urllib.parse import urlsplit

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Boolean, Text, field
from appliance.resource import Resource


class UpdatePolicy(Base):
    """One row: the address of the newest update file. Takes effect at the next look, without an apply."""

    __tablename__ = "update_policy"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = field(
        Text(300), _l("Address of the newest update file"), optional=True, also="Solicitar atualização automaticamente",
        example="https://bentevi.example/bentevi.update",
        help=_l("Looked at once a day, by the head of the file alone; a newer version is told on the start page. The file is signed: the address needs no trust. "
                "Empty: nothing is looked for."),
    )
    download: Mapped[bool] = field(
        Boolean(), _l("Fetch a newer version by itself"), default=False,
        help=_l("It then lies ready to be installed. Installing it is always asked of a person, because the machine restarts."),
    )

    def check(self) -> None:
        """An address people can open in a browser, without a password in it. Raises Refused."""
        if not self.address:
            return
        try:
            parts = urlsplit(self.address)
            is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not set(self.address) & set(" \\\"'<>")
        except ValueError:
            is_good = False
        if not is_good:
            raise Refused(_("Write the whole address of the file, for example https://bentevi.example/bentevi.update."), field="address")
        if parts.username or parts.password:
            raise Refused(_("An address with a user or password is shown to others. The file is signed and needs no secret."), field="address")


resource = Resource(
    UpdatePolicy, word="update_policy", label=_l("Update policy"), one=_l("update policy"), group="system", icon="refresh",
    single=True, applies=False, tabs={_l("General"): ["address", "download"]},
    also="Atualizações endereço baixar versão nova",
)
