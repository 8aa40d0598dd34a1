"""Dialing profiles → which contexts an extension leaves by, and the order of trunks for its emergency calls."""

from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from appliance import masks
from appliance.db import db
from appliance.dialing_profiles.model import DialingProfile
from appliance.outbound_routes import model as outbound
from appliance.outbound_routes.config import context as route_context
from appliance.outbound_routes.config import kept_for, routes, rules_for
from appliance.telephony.render import render


def profiles() -> list[DialingProfile]:
    """All profiles in order of id."""
    return list(db.session.scalars(select(DialingProfile).order_by(DialingProfile.id)))


def kept_extensions() -> dict[int, set[int]]:
    """Profile id → extensions that some rule of its routes is kept for."""
    by_route = {route.id: kept_for(route) for route in routes()}
    return {
        profile.id: set().union(*(by_route.get(route_id, set()) for route_id in profile.outbound_routes))
        for profile in profiles()
    }


def context(profile_id: int | None, extension_id: int = 0, kept: dict[int, set[int]] | None = None) -> str:
    """The context of a profile ("" without one); extensions that rules are kept for have their own."""
    if profile_id is None:
        return ""
    own = extension_id in (kept if kept is not None else kept_extensions()).get(profile_id, set())
    return f"bentevi-profile-{profile_id}" + (f"-extension-{extension_id}" if own else "")


def extensions_conf(prefix: str, emergency_numbers: list[str]) -> str:
    """Every profile, and its copies for extensions that rules are kept for."""
    by_id = {route.id: route for route in routes()}
    kept, shown = kept_extensions(), []
    for profile in profiles():
        chosen = [by_id[route_id] for route_id in profile.outbound_routes if route_id in by_id]
        for extension_id in (0, *sorted(kept[profile.id])):
            shown.append(SimpleNamespace(
                word="dialing_profiles", id=profile.id, context=context(profile.id, extension_id, kept),
                routes=[route_context(route, extension_id) for route in chosen],
                emergency=[
                    {"number": number, "attempts": _attempts(chosen, extension_id, number, prefix)} for number in emergency_numbers
                ],
            ))
    return render("dialing_profiles.extensions.conf.j2", profiles=shown)


def _attempts(chosen: list[outbound.OutboundRoute], extension_id: int, number: str, prefix: str) -> list[dict[str, Any]]:
    """Trunks and digits the profile would use for an emergency number, overflow included."""
    for route in chosen:
        for _position, rule in rules_for(route, extension_id):
            dialled = prefix + number if rule["external_line"] and prefix and rule["mask"].startswith(prefix) else number
            if masks.matches(rule["mask"], dialled):
                steps = [rule, *(rule["overflow"] or ())]
                return [{"trunk_id": step["trunk"], "digits": step["prepend"] + number[step["strip"]:]} for step in steps]
    return []
