"""Inbound routes → one context per trunk that picks the line, one per route that goes on."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance import masks
from appliance.blacklists.model import Blacklist
from appliance.db import db
from appliance.destinations import facts
from appliance.inbound_routes.model import InboundRoute
from appliance.telephony.render import render
from appliance.trunks.model import Trunk


def extensions_conf(prefix: str) -> str:
    """Every trunk with its lines, most specific mask first, and every route."""
    routes = list(db.session.scalars(select(InboundRoute).order_by(InboundRoute.id)))
    withheld = set(db.session.scalars(select(Blacklist.id).where(Blacklist.block_withheld)))
    trunks = db.session.scalars(select(Trunk.id).order_by(Trunk.id))
    return render(
        "inbound_routes.extensions.conf.j2", prefix=prefix,
        trunks=[_of_trunk(trunk_id, [route for route in routes if trunk_id in route.trunks]) for trunk_id in trunks],
        routes=[
            SimpleNamespace(word="inbound_routes", id=route.id, blacklists="-".join(map(str, route.blacklists or ())),
                            withheld=next((one for one in route.blacklists or () if one in withheld), ""), lines=[
                {"position": position, "strip": line["strip"], "prepend": line["prepend"], "destination": facts(line["destination"])}
                for position, line in enumerate(route.rules, 1)
            ])
            for route in routes
        ],
    )


def _of_trunk(trunk_id: int, routes: list[InboundRoute]) -> SimpleNamespace:
    lines = [
        {"route_id": route.id, "position": position, "mask": line["mask"]}
        for route in routes for position, line in enumerate(route.rules, 1)
    ]
    masked = sorted((line for line in lines if line["mask"]), key=lambda line: masks.specificity(line["mask"]))
    return SimpleNamespace(
        word="trunks", id=trunk_id, lines=[line | {"pattern": masks.pattern(line["mask"])} for line in masked],
        rest=next((line for line in lines if not line["mask"]), None),
    )
