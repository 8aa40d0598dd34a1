"""Dialing profiles (perfis de ligações): which outbound routes an extension may use, in which order (EXT-27, RTE-21)."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import Boolean, Name, Text, field
from appliance.links import References
from appliance.outbound_routes.model import OutboundRoute
from appliance.resource import Resource

MOST_ROUTES = 60  # Asterisk looks through at most 128 included contexts for one number (pbx.c, AST_PBX_MAX_STACK)


class DialingProfile(Base):
    """Whom its extensions may call, and by which carrier: the first route with a matching mask takes the call."""

    __tablename__ = "dialing_profiles"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True,
        help=_l("How the profile is called in the extensions: Only the city, Complete."),
    )
    description: Mapped[str] = field(
        Text(200), _l("Description"), optional=True, help=_l("Which routes it uses, or a warning."),
    )
    outbound_routes: Mapped[list[int]] = field(
        References("outbound_routes"), _l("Outbound routes"), optional=True, also="Rotas de saída",
        help=_l("Tried in this order; the first with a matching mask takes the call."),
    )
    premium_calls: Mapped[bool] = field(
        Boolean(), _l("Collect, 0300 and 0900 calls"), default=False,
        help=_l("Allow calls that cost extra: 90…, 0300 and 0900. Closed by default."),
    )

    def check(self) -> None:
        """Routes without an enabled rule are not offered (RTE-09)."""
        if len(self.outbound_routes) > MOST_ROUTES:
            raise Refused(_("At most %(most)s.", most=MOST_ROUTES), field="outbound_routes")
        for route_id in self.outbound_routes:
            route = db.session.get(OutboundRoute, route_id)
            if route and not route.rules:
                raise Refused(_("The outbound route %(name)s has no rule yet, so a profile cannot use it.", name=route.name),
                              field="outbound_routes", link=f"/outbound_routes/{route.id}")


resource = Resource(
    DialingProfile, word="dialing_profiles", label=_l("Dialing profiles"), one=_l("dialing profile"), new=_l("New dialing profile"),
    key="name",
    group="telephony", icon="shield", columns=["name", "description", "outbound_routes", "premium_calls"],
    search=["name", "description"], tabs={_l("General"): ["name", "description", "outbound_routes", "premium_calls"]},
    empty=_l("A dialing profile says whom its extensions may call outside. Create the outbound routes first, then a profile."),
    also="Perfis de ligações Perfil",
)
