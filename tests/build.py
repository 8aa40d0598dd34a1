"""Rows with sensible defaults, called with only what a test is about. They go through the same door as every face."""

from itertools import count
from typing import Any

from appliance.db import db
from appliance.resource import SINGLE_ID, TABLE

_numbers = count(2001)
PASSWORD = "Senha#4tes"


def make(word: str, **values: Any) -> Any:
    """A committed row of any resource."""
    row = TABLE[word].create(values)
    db.session.commit()
    return row


def change(row: Any, **values: Any) -> Any:
    """A committed change of a row."""
    TABLE[row.__tablename__].update(row, values)
    db.session.commit()
    return row


def make_extension(number: str = "", **values: Any) -> Any:
    """An extension whose SIP password is `secret-<number>`."""
    number = number or str(next(_numbers))
    return make("extensions", **{"number": number, "name": f"Ramal {number}", "password": f"secret-{number}"} | values)


def make_class(name: str, **values: Any) -> Any:
    return make("extension_classes", name=name, **values)


def make_cost_centre(name: str, **values: Any) -> Any:
    return make("cost_centres", name=name, **values)


def make_trunk(name: str, port: int, **values: Any) -> Any:
    """A by-IP trunk to a carrier on this machine."""
    return make("trunks", **{"name": name, "host": "127.0.0.1", "port": port} | values)


def make_outbound_route(name: str, *rules: dict[str, Any], **values: Any) -> Any:
    return make("outbound_routes", name=name, rules=list(rules), **values)


def make_profile(name: str, *routes: str, **values: Any) -> Any:
    return make("dialing_profiles", name=name, outbound_routes=list(routes), **values)


def make_inbound_route(name: str, trunk: str, *rules: dict[str, Any], **values: Any) -> Any:
    return make("inbound_routes", **{"name": name, "trunks": [trunk], "rules": list(rules)} | values)


def make_internal_route(name: str, *rules: dict[str, Any]) -> Any:
    return make("internal_routes", name=name, rules=list(rules))


def make_user(login: str, **values: Any) -> Any:
    """A person whose password is PASSWORD."""
    return make("users", **{"name": login.title(), "login": login, "password": PASSWORD} | values)


def company(**values: Any) -> Any:
    """Change the company's row."""
    return change(TABLE["company"].get(SINGLE_ID), **values)


def sip(**values: Any) -> Any:
    """Change the SIP page."""
    return change(TABLE["sip"].get(SINGLE_ID), **values)
