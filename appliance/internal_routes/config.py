"""Internal routes → contexts of the dialplan."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance import masks
from appliance.db import db
from appliance.destinations import facts
from appliance.internal_routes.model import InternalRoute
from appliance.telephony.render import render


def extensions_conf(prefix: str) -> str:
    """Every route in order of id, most specific mask first."""
    shown = []
    for route in db.session.scalars(select(InternalRoute).order_by(InternalRoute.id)):
        ordered = sorted(enumerate(route.rules, 1), key=lambda found: masks.specificity(found[1]["mask"]))
        shown.append(SimpleNamespace(word="internal_routes", id=route.id, lines=[
            {"pattern": masks.pattern(line["mask"]), "position": position, "destination": facts(line["destination"])}
            for position, line in ordered
        ]))
    return render("internal_routes.extensions.conf.j2", routes=shown, prefix=prefix)
