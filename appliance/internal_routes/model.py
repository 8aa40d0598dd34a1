"""Internal routes (rotas internas): numbers dialled inside that go to a destination (RTE-08)."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance import masks
from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Mask, Name, Text, field
from appliance.links import ANYWHERE, Destination, Rows, part
from appliance.resource import Resource

_RULE = {
    "mask": part(
        Mask(), _l("Number or mask"), example="77", also="Máscaras",
        help=_l("The number people dial, or a mask for several."),
    ),
    "destination": part(Destination(*ANYWHERE, "outbound_route"), _l("Destination"),
                        also="Tipo de Destino Destino",
        help=_l("Who gets the call."),
    ),
}


class InternalRoute(Base):
    """Numbers and masks; dialled inside, each goes to its destination."""

    __tablename__ = "internal_routes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True,
        help=_l("How the route is called here."),
    )
    description: Mapped[str] = field(
        Text(200), _l("Description"), optional=True,
        help=_l("For yourselves: what the numbers are for."),
    )
    rules: Mapped[list[dict[str, Any]]] = field(
        Rows(_RULE, _l("rule")), _l("Rules"), optional=True,
        help=_l("Numbers or masks people dial inside, each with where it goes."),
    )

    def check(self) -> None:
        """No mask twice; the emergency numbers stay free."""
        for index, rule in enumerate(self.rules):
            if rule["mask"] in [earlier["mask"] for earlier in self.rules[:index]]:
                raise Refused(_("The mask %(mask)s stands twice in this route.", mask=rule["mask"]), field=f"rules-{index}-mask")
            if masks.is_number(rule["mask"]) and rule["mask"].startswith("19") and len(rule["mask"]) == 3:
                raise Refused(_("190 to 199 are kept for emergency calls. Choose another number."), field=f"rules-{index}-mask")

    def numbers(self) -> list[str]:
        """Its plain numbers occupy the numbering; masks do not."""
        return [rule["mask"] for rule in self.rules if masks.is_number(rule["mask"])]


resource = Resource(
    InternalRoute, word="internal_routes", label=_l("Internal routes"), one=_l("internal route"), new=_l("New internal route"),
    key="name",
    group="telephony", icon="route", columns=["name", "description", "rules"], search=["name", "description"],
    tabs={_l("Rules"): ["name", "description", "rules"]}, destination="internal_route",
    empty=_l("An internal route gives a destination a short number to dial, for example 9 for the reception."),
    also="Rotas Internas Plano de Discagem",
)
