"""When wrong passwords close the door to an address, and for how long (USR-36)."""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, db
from appliance.fields import Boolean, Whole, field
from appliance.resource import SINGLE_ID, Resource


class AddressPolicy(Base):
    """One row. Counts from the next wrong password on, without an apply."""

    __tablename__ = "address_policy"
    id: Mapped[int] = mapped_column(primary_key=True)
    active: Mapped[bool] = field(
        Boolean(), _l("Block who guesses passwords"), default=True, also="Bloqueio automático de intrusão fail2ban força bruta",
        help=_l("Addresses that try one password after another are kept out for a while. Off: nobody is blocked by itself."),
    )
    users_count: Mapped[int] = field(
        Whole(3, 100), _l("Different users"), default=10, also="Usuários diferentes tentados",
        help=_l("So many different users tried in vain from one address block it. A telephone with an old password tries only one, so its office goes on working."),
    )
    tries_count: Mapped[int] = field(
        Whole(5, 1000), _l("Wrong tries"), default=20, also="Tentativas erradas",
        help=_l("So many wrong tries block an address from which no telephone is registered, even when all were for one user."),
    )
    window_minutes: Mapped[int] = field(
        Whole(1, 1440, unit="min"), _l("Counted over"), default=10, also="Janela de contagem", help=_l("Wrong tries older than this are forgotten."),
    )
    ban_minutes: Mapped[int] = field(
        Whole(1, 43200, unit="min"), _l("Blocked for"), default=60, also="Duração do bloqueio",
        help=_l("Afterwards the address may try again by itself. 1440 is a day, 43200 a month."),
    )
    include_local: Mapped[bool] = field(
        Boolean(), _l("Local networks too"), default=False, also="Incluir redes locais LAN",
        help=_l("Without it addresses of local networks (10…, 172.16…, 192.168…, fe80…, fd…) are never blocked by themselves, so that nobody in the house is locked out."),
    )


def current() -> AddressPolicy:
    """The one row."""
    return db.session.get_one(AddressPolicy, SINGLE_ID)


resource = Resource(
    AddressPolicy, word="address_policy", label=_l("Blocking of intruders"), one=_l("blocking of intruders"), group="system", icon="shield", single=True, applies=False,
    tabs={_l("General"): ["active", "users_count", "tries_count", "window_minutes", "ban_minutes", "include_local"]},
    also="Bloqueio de intrusos ataques força bruta brute force fail2ban segurança tentativas",
)
