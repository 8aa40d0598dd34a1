"""Outbound routes (rotas de saída): masks, digits taken off and put on, trunk, overflow (RTE-09, RTE-11 to RTE-19)."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Boolean, Digits, Mask, Name, Text, Whole, Words, field
from appliance.links import Reference, References, Rows, part
from appliance.resource import Resource

CONDITIONS = {"busy": _l("busy"), "failure": _l("failure"), "trunk_limit": _l("trunk limit")}

MASK_MODELS = [  # RTE-13: ready masks of the Brazilian numbering plan, dialled after the external prefix
    ("[2-5]XXXXXXX", _l("Local, fixed")),
    ("9XXXXXXXX", _l("Local, mobile")),
    ("0ZZ[2-5]XXXXXXX", _l("Long distance, fixed (0 + area code)")),
    ("0ZZ9XXXXXXXX", _l("Long distance, mobile (0 + area code)")),
    ("0ZXZZ[2-5]XXXXXXX", _l("Long distance, fixed, with carrier code")),
    ("0ZXZZ9XXXXXXXX", _l("Long distance, mobile, with carrier code")),
    ("0800XXXXXXX", _l("0800, free of charge")),
    ("00X.", _l("International")),
    ("1XX", _l("Emergency and public services")),
    ("10XXX", _l("Carrier services")),
    ("[34]00XXXXX", _l("National numbers 4004, 3003")),
]

_OVERFLOW = {
    "conditions": part(
        Words(CONDITIONS), _l("When"), default=lambda: list(CONDITIONS), also="Condições",
        help=_l("What must have happened to the attempt before."),
    ),
    "strip": part(
        Whole(0, 20), _l("Remove"), default=0,
        help=_l("How many digits of the number as dialled are taken off for this line."),
    ),
    "prepend": part(
        Digits(20), _l("Add"), optional=True, default="",
        help=_l("Digits put before the number for this line."),
    ),
    "trunk": part(
        Reference("trunks"), _l("Overflow trunk"), also="Tronco de Transbordo",
        help=_l("The other line, tried when the one before fails."),
    ),
}

_RULE = {
    "mask": part(Mask(MASK_MODELS), _l("Mask"), also="Tipo de ligação Padrão de Discagem", example="9XXXXXXXX",
                 help=_l("X any digit, Z 1-9, N 2-9, [2-5], a dot for the rest.")),
    "enabled": part(
        Boolean(), _l("Rule enabled"), default=True, also="Habilitar",
        help=_l("Off: the rule rests and stays for later."),
    ),
    "external_line": part(Boolean(), _l("After the external prefix"), default=False, also="Cód. Ligação externa",
                          help=_l("Dialled after the digits for an outside line; they are taken off first.")),
    "strip": part(Whole(0, 20), _l("Remove"), default=0, also="Remover Esquerda",
                  help=_l("How many digits are taken off on the left.")),
    "prepend": part(Digits(20), _l("Add"), optional=True, default="", also="Adicionar Prefixo Add",
                    help=_l("Digits put on the left.")),
    "trunk": part(
        Reference("trunks"), _l("Trunk"), also="Tronco",
        help=_l("The line by which the call leaves."),
    ),
    "caller_id": part(Digits(20), _l("Caller ID"), optional=True, default="", also="Identificação BINA",
                      help=_l("Number shown by this rule when the class has none.")),
    "force_caller_id": part(Boolean(), _l("Force caller ID"), default=False, also="Forçar CID",
                            help=_l("The rule's caller ID wins over the class's.")),
    "restrict_to": part(References("extensions"), _l("Only these extensions"), optional=True, also="Restringir CID",
                        help=_l("Empty: every extension whose profile has this route.")),
    "overflow": part(Rows(_OVERFLOW, _l("overflow")), _l("Overflow"), optional=True, also="Transbordo",
                     help=_l("Other trunks for the same call, tried in order. Digits are taken from the number as dialled.")),
}


class OutboundRoute(Base):
    """A route: its rules, of which the most specific mask takes the call."""

    __tablename__ = "outbound_routes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True,
        help=_l("How the route is called in the profiles and in the reports."),
    )
    description: Mapped[str] = field(
        Text(200), _l("Description"), optional=True,
        help=_l("For yourselves: which calls leave by this route."),
    )
    blacklists: Mapped[list[int]] = field(
        References("blacklists"), _l("Blacklists"), optional=True, also="Blacklists",
        help=_l("Numbers in one of these lists cannot be called by this route. Emergency numbers always can."),
    )
    rules: Mapped[list[dict[str, Any]]] = field(
        Rows(_RULE, _l("rule")), _l("Rules"), optional=True, also="Regras",
        help=_l("The most specific mask takes the call."),
    )

    def check(self) -> None:
        """One rule per mask and circle of extensions; a forced caller id has a number; digits remain to be sent."""
        seen: set[tuple[Any, ...]] = set()
        for index, rule in enumerate(self.rules):
            circle = (rule["mask"], rule["external_line"], tuple(rule["restrict_to"] or ()))
            if rule["enabled"] and circle in seen:
                raise Refused(_("The mask %(mask)s stands twice in this route.", mask=rule["mask"]), field=f"rules-{index}-mask")
            seen.update({circle} if rule["enabled"] else ())
            if rule["force_caller_id"] and not rule["caller_id"]:
                raise Refused(_("Write the caller ID that is to be forced."), field=f"rules-{index}-caller_id")

    def is_offered(self) -> bool:
        """A route without any rule is inactive and not offered to profiles (RTE-09)."""
        return bool(self.rules)

    def enabled_rules(self) -> list[tuple[int, dict[str, Any]]]:
        """(position from 1, rule) of the rules in use."""
        return [(index, rule) for index, rule in enumerate(self.rules, 1) if rule["enabled"]]


resource = Resource(
    OutboundRoute, word="outbound_routes", label=_l("Outbound routes"), one=_l("outbound route"), new=_l("New outbound route"),
    key="name",
    group="telephony", icon="phone-outgoing", columns=["name", "description", "rules"], search=["name", "description"],
    tabs={_l("Rules"): ["name", "description", "blacklists", "rules"]}, destination="outbound_route",
    empty=_l("An outbound route says by which trunk a number leaves. Create a trunk first, then a route with its masks."),
    also="Rotas de Saída Plano de Discagem Máscaras",
)
