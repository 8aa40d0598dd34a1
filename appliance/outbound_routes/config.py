"""Outbound routes → contexts of the dialplan."""

from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from appliance import masks
from appliance.db import db
from appliance.outbound_routes.model import OutboundRoute
from appliance.telephony.render import render


def routes() -> list[OutboundRoute]:
    """All routes in order of id."""
    return list(db.session.scalars(select(OutboundRoute).order_by(OutboundRoute.id)))


def kept_for(route: OutboundRoute) -> set[int]:
    """Ids of the extensions that some rule of the route is kept for (RTE-18)."""
    return {extension for _position, rule in route.enabled_rules() for extension in rule["restrict_to"] or ()}


def context(route: OutboundRoute, extension_id: int = 0) -> str:
    """The context an extension leaves by; 0 is an extension no rule is kept for."""
    own = extension_id and extension_id in kept_for(route)
    return f"bentevi-outbound-{route.id}" + (f"-extension-{extension_id}" if own else "")


def rules_for(route: OutboundRoute, extension_id: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """(position, rule) an extension may use, most specific mask first; a rule kept for it wins over an equal mask."""
    chosen: dict[tuple[str, bool], tuple[int, dict[str, Any]]] = {}
    for position, rule in route.enabled_rules():
        kept = rule["restrict_to"] or []
        place = rule["mask"], rule["external_line"]
        if extension_id in kept or (not kept and place not in chosen):
            chosen[place] = position, rule
    return sorted(chosen.values(), key=lambda found: masks.specificity(found[1]["mask"]))


def extensions_conf(prefix: str) -> str:
    """Every route, and its copies for extensions that rules are kept for."""
    shown = []
    for route in routes():
        for extension_id in (0, *sorted(kept_for(route))):
            rules = [_rule(position, rule, prefix) for position, rule in rules_for(route, extension_id)]
            shown.append(SimpleNamespace(word="outbound_routes", id=route.id, context=context(route, extension_id), rules=rules,
                                         blacklists="-".join(map(str, route.blacklists or ()))))
    return render("outbound_routes.extensions.conf.j2", routes=shown)


def _rule(position: int, rule: dict[str, Any], prefix: str) -> dict[str, Any]:
    before = prefix if rule["external_line"] else ""
    attempts = [{"conditions": [], **_digits(rule)}]
    attempts += [{"conditions": overflow["conditions"], **_digits(overflow)} for overflow in rule["overflow"] or ()]
    return {
        "position": position, "pattern": masks.pattern(rule["mask"], before), "prefix_length": len(before),
        "forced": rule["caller_id"] if rule["force_caller_id"] else "", "caller_id": rule["caller_id"], "attempts": attempts,
    }


def _digits(step: dict[str, Any]) -> dict[str, Any]:
    return {"trunk_id": step["trunk"], "strip": step["strip"], "prepend": step["prepend"]}
