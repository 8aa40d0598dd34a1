"""Feature codes → features.conf, the parking places, and the contexts of what is dialled and of transfers."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance import masks
from appliance.db import db
from appliance.dialing_profiles import config as profiles
from appliance.feature_codes.model import FeatureCodes, current
from appliance.internal_routes.model import InternalRoute
from appliance.outbound_routes.config import routes, rules_for
from appliance.telephony.render import render

INSIDE = "bentevi-transfer-inside"


def transfer_context(codes: FeatureCodes, routes_context: str, inside_only: bool) -> str:
    """Where the transfers of an extension look for a number: by the profile for transfers, else by the extension's own routes."""
    if inside_only:
        return INSIDE
    chosen = profiles.context(codes.transfer_profile_id) or routes_context
    return chosen.replace("bentevi-", "bentevi-transfer-", 1) if chosen else INSIDE


def features_conf() -> str:
    """What is typed during a call."""
    return render("feature_codes.features.conf.j2", codes=current())


def parking_conf() -> str:
    """The parking places."""
    codes = current()
    return render("feature_codes.res_parking.conf.j2", codes=codes, last=codes.places()[-1])


def extensions_conf(prefix: str) -> str:
    """What is dialled, and for each way out the numbers a transfer may lead to."""
    codes = current()
    return render("feature_codes.extensions.conf.j2", codes=codes, places=codes.places(), inside=_inside_patterns(), ways=_ways(codes, prefix),
                  prefix=prefix)


def _inside_patterns() -> list[str]:
    """The masks of internal routes: a transfer finds out by them whether a number is complete."""
    found = [line["mask"] for route in db.session.scalars(select(InternalRoute).order_by(InternalRoute.id)) for line in route.rules]
    return [masks.pattern(mask) for mask in dict.fromkeys(found)]


def _ways(codes: FeatureCodes, prefix: str) -> list[SimpleNamespace]:
    """Each context of routes that transfers may leave by, with the patterns of its rules."""
    by_id, kept, found = {route.id: route for route in routes()}, profiles.kept_extensions(), []
    for profile in profiles.profiles():
        if codes.transfer_profile_id not in (None, profile.id):
            continue
        owners = () if codes.transfer_profile_id else sorted(kept[profile.id])
        for extension_id in (0, *owners):
            way = profiles.context(profile.id, extension_id, kept)
            rules = [rule for route_id in profile.outbound_routes if route_id in by_id for _position, rule in rules_for(by_id[route_id], extension_id)]
            patterns = dict.fromkeys(masks.pattern(rule["mask"], prefix if rule["external_line"] else "") for rule in rules)
            found.append(SimpleNamespace(
                word="dialing_profiles", id=profile.id, routes=way, context=transfer_context(codes, way, False), patterns=list(patterns),
                premium="yes" if profile.premium_calls else "no",
            ))
    return found
