"""Addresses and networks that a person lets in for good or keeps out (SYS-08)."""

import logging
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import changes, lanes, networks
from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import Choice, Reader, Text, field
from appliance.networks import ALLOW, BLOCK, Network
from appliance.resource import Resource

log = logging.getLogger("bentevi.addresses")
ACTIONS = {BLOCK: _l("block"), ALLOW: _l("allow")}


class NetworkText(Text):
    """An address or a network, kept in the one way it is written."""

    def __init__(self) -> None:
        super().__init__(60)

    def column(self) -> Any:
        return String(45)

    def as_key(self, text: str) -> str:
        try:
            return networks.told(networks.read(text))
        except ValueError:
            return text

    def refine(self, text: str, reader: Reader) -> str | None:
        try:
            return networks.told(networks.read(text))
        except ValueError:
            return reader.refuse(_("“%(value)s” is no address. Write 192.0.2.7, a network like 192.0.2.0/24, or the same of IPv6.", value=text))


class AddressRule(Base):
    """One address or network. Takes effect when it is stored, without an apply."""

    __tablename__ = "address_rules"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = field(
        NetworkText(), _l("Address or network"), unique=True, example="192.0.2.0/24", also="IP endereço rede faixa bloco CIDR",
        help=_l("One address (192.0.2.7) or a network (192.0.2.0/24), of IPv4 or IPv6. Of several rules the most specific one counts."),
    )
    action: Mapped[str] = field(
        Choice(ACTIONS), _l("What happens"), default=BLOCK, also="Liberar bloquear ação",
        help=_l("Block: it can neither register nor call nor open pages. Allow: it is never blocked for wrong passwords, nor by a wider rule."),
    )
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, default="", help=_l("Who or what this is; for whoever reads the list later."))

    def check(self) -> None:
        """Neither the machine itself nor the person who saves may be locked out."""
        if self.action == BLOCK and any(networks.is_inside(one, [networks.read(self.address)]) for one in networks.MACHINE):
            raise Refused(_("This holds the address by which the exchange speaks to itself (127.0.0.1 or ::1). Choose a smaller network."), field="address")
        _keep_actor_in([*rules(but=self.id or 0), (networks.read(self.address), self.action)])

    def check_delete(self) -> None:
        """Without an allowed address a wider block may lock out who deletes it. What is in force follows after the commit."""
        _keep_actor_in(rules(but=self.id))
        self.stored()

    def stored(self) -> None:
        """What is in force follows after the commit."""
        lanes.put("telephony", "jobs.addresses.put", 0)


def rules(but: int = 0) -> list[tuple[Network, str]]:
    """(network, ALLOW or BLOCK) of every row, one left out. A row nobody can read (written past us) must not take the others out of force."""
    query = select(AddressRule.address, AddressRule.action).where(AddressRule.id != but)
    found = []
    for text, action in db.session.execute(query):
        try:
            found.append((networks.read(text), action))
        except ValueError:
            log.error("address_rules %s: no address, left out", text)
    return found


def _keep_actor_in(wanted: list[tuple[Network, str]]) -> None:
    own = networks.address(changes.actor.get().address)
    if own is not None and own not in networks.MACHINE and networks.rule_for(own, wanted) == BLOCK:
        raise Refused(_("You come from %(own)s yourself: this would lock you out. Allow your own address first, or choose a smaller network.", own=own), field="address")


def put_rule(text: str, action: str, description: str = "") -> AddressRule:
    """The rule of this address or network, made or changed. Raises Refused; the caller commits."""
    row: AddressRule | None = resource.find(text)
    if row is None:
        made: AddressRule = resource.create({"address": text, "action": action, "description": description})
        return made
    resource.update(row, {"action": action})
    return row


resource = Resource(
    AddressRule, word="address_rules", label=_l("Allowed and blocked addresses"), one=_l("address rule"), new=_l("New rule"), key="address", group="system",
    icon="shield", columns=["address", "action", "description"], search=["address", "description"], filters=["action"], applies=False,
    tabs={_l("General"): ["address", "action", "description"]},
    empty=_l("Everybody who reaches this machine may try to register or log in. Block networks you expect nobody from, and allow those of your own offices."),
    also="Liberar bloquear IP firewall endereços bloqueio allowlist denylist Rede e segurança",
)
