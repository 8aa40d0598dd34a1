"""Inbound routes (rotas de entrada): where the numbers that carriers deliver go (RTE-03, RTE-04, RTE-06, RTE-07)."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import Boolean, Digits, Mask, Name, Text, Whole, field
from appliance.links import ANYWHERE, Destination, References, Rows, part, split
from appliance.resource import Resource

_TYPES = (*ANYWHERE, "outbound_route")

_RULE = {
    "mask": part(Mask(), _l("Mask"), optional=True, default="", example="4830139018", also="Máscara DID",
                 help=_l("The number as this carrier delivers it, after the trunk's number format.")),
    "default": part(Boolean(), _l("Everything else"), default=False,
                    help=_l("Takes what no mask took, also one digit, +… and calls without a number.")),
    "strip": part(
        Whole(0, 20), _l("Remove"), default=0, also="Remover",
        help=_l("How many digits are taken off on the left before the call goes on."),
    ),
    "prepend": part(
        Digits(20), _l("Add"), optional=True, default="", also="Adicionar",
        help=_l("Digits put on the left before the call goes on."),
    ),
    "destination": part(
        Destination(*_TYPES), _l("Destination"), also="Tipo de Destino Destino",
        help=_l("Who gets the call."),
    ),
}


class InboundRoute(Base):
    """A route: trunks, and lines of which the most specific mask takes the call."""

    __tablename__ = "inbound_routes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True,
        help=_l("How the route is called here and in the reports."),
    )
    description: Mapped[str] = field(
        Text(200), _l("Description"), optional=True,
        help=_l("For yourselves: which calls come by this route."),
    )
    trunks: Mapped[list[int]] = field(References("trunks"), _l("Trunks"), also="Troncos",
                                      help=_l("Calls that arrive by these trunks."))
    blacklists: Mapped[list[int]] = field(
        References("blacklists"), _l("Blacklists"), optional=True, also="Blacklists",
        help=_l("Calls from a number in one of these lists are refused."),
    )
    did: Mapped[str] = field(
        Mask(), _l("Line number (DID)"), optional=True, default="", also="DID", input_only=True,
        help=_l("Short form: a number and its destination. Saved as a line below."),
    )
    did_destination: Mapped[str] = field(Destination(*_TYPES), _l("Destination of the line number"), optional=True,
                                        input_only=True,
        help=_l("Where calls to this number go."),
    )
    rules: Mapped[list[dict[str, Any]]] = field(
        Rows(_RULE, _l("rule")), _l("Rules"), optional=True,
        help=_l("The most specific mask takes the call; the line “everything else” what is left."),
    )
    allow_outbound: Mapped[bool] = field(
        Boolean(), _l("Outside callers may leave by an outbound route"), default=False,
        help=_l("Needed when a destination is an outbound route: strangers then make calls at your cost."),
    )

    def check(self) -> None:
        """Masks are clear for every trunk of the route, and nobody opens a way out by accident."""
        self._take_short_form()
        defaults = 0
        for index, rule in enumerate(self.rules):
            if bool(rule["mask"]) == bool(rule["default"]):
                raise Refused(_("Write a mask, or mark the line as “everything else”."), field=f"rules-{index}-mask")
            defaults += bool(rule["default"])
            if defaults > 1 or (rule["mask"] and rule["mask"] in [other["mask"] for other in self.rules[:index]]):
                raise Refused(_("The mask %(mask)s stands twice in this route.", mask=rule["mask"] or _("everything else")),
                              field=f"rules-{index}-mask")
            if split(rule["destination"] or "")[0] == "outbound_route" and not self.allow_outbound:
                raise Refused(_("A call from outside would leave by an outbound route at your cost. Confirm it in "
                                "“Outside callers may leave by an outbound route”."), field=f"rules-{index}-destination")
        self._check_other_routes()

    def _take_short_form(self) -> None:
        """The manual's form (number, destination) becomes a line (RTE-03)."""
        if bool(self.did) != bool(self.did_destination):
            raise Refused(_("Fill in this field."), field="did_destination" if self.did else "did")
        if self.did:
            line = {"mask": self.did, "default": False, "strip": 0, "prepend": "", "destination": self.did_destination}
            self.rules = [*self.rules, line]
            self.did = self.did_destination = ""

    def _check_other_routes(self) -> None:
        mine = {rule["mask"] or "" for rule in self.rules}
        for other in db.session.scalars(select(InboundRoute).where(InboundRoute.id != (self.id or 0))):
            both = mine & {rule["mask"] or "" for rule in other.rules}
            if both and set(self.trunks) & set(other.trunks):
                raise Refused(_("The route %(name)s already treats %(mask)s on one of these trunks.", name=other.name,
                                mask=next(iter(sorted(both))) or _("everything else")),
                              field="rules", link=f"/inbound_routes/{other.id}")


resource = Resource(
    InboundRoute, word="inbound_routes", label=_l("Inbound routes"), one=_l("inbound route"), new=_l("New inbound route"),
    key="name",
    group="telephony", icon="phone-incoming", columns=["name", "trunks", "rules", "description"],
    search=["name", "description"],
    tabs={_l("Rules"): ["name", "description", "trunks", "blacklists", "did", "did_destination", "rules", "allow_outbound"]},
    empty=_l("An inbound route says where a call from outside goes. Create a trunk first, then a route for its numbers."),
    also="Rotas de Entrada DID Plano de Discagem",
)
