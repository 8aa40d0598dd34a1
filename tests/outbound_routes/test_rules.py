"""Outbound routes and profiles: rules, overflow, what is offered."""

import re

import pytest

from appliance.db import db
from appliance.errors import Refused
from appliance.outbound_routes.config import extensions_conf
from appliance.resource import TABLE
from tests.build import change, make_extension, make_outbound_route, make_profile, make_trunk
from tests.visitor import form_of
from web.crud import keys_of

pytestmark = pytest.mark.usefixtures("app")


def test_a_route_without_rules_is_saved_rests_and_is_not_offered(carla):
    """RTE-09: until a rule exists."""
    route = make_outbound_route("Vazia")
    make_trunk("Operadora", 5099)
    assert keys_of("outbound_routes") == []
    assert "badge" in carla.get("/outbound_routes/_rows").text
    with pytest.raises(Refused) as why:
        make_profile("Perfil", "Vazia")
    assert "Vazia" in str(why.value)
    db.session.rollback()
    change(route, rules=[{"mask": "9X", "trunk": "Operadora"}])
    assert [key for key, _title in keys_of("outbound_routes")] == ["Vazia"]
    assert make_profile("Perfil", "Vazia").outbound_routes == [route.id]


def test_the_manuals_seven_fields_and_the_wikis_form_give_the_same_dialplan(carla):
    """RTE-16: pattern, digits off, prefix, trunk, caller ID, forced, restricted — typed on the form or written as a line."""
    make_trunk("Operadora", 5099)
    make_extension("2001")
    line = {"mask": "0ZZ9XXXXXXXX", "enabled": True, "external_line": True, "strip": 1, "prepend": "15", "trunk": "Operadora",
            "caller_id": "4830139018", "force_caller_id": True, "restrict_to": ["2001"]}
    fields = TABLE["outbound_routes"].fields
    typed = form_of(fields, {"name": "Manual", "rules": [line]})
    saved = carla.send("/outbound_routes/new", {**typed, "rules-0-mask": " 0zz9xxxxxxxx ", "rules-0-strip": "1"})
    assert saved.status_code == 302
    make_outbound_route("Wiki", line)
    parts = {}
    for row in TABLE["outbound_routes"].rows():
        mine = [part for part in re.split(r"(?=; from outbound_routes)", extensions_conf("0")) if part.startswith(f"; from outbound_routes {row.id}\n")]
        parts[row.name] = re.sub(rf"(outbound_routes |bentevi-outbound-){row.id}\b", r"\1N", "".join(mine)).strip()
    assert parts["Manual"] == parts["Wiki"] and "_00ZZ9XXXXXXXX" in parts["Wiki"] and "4830139018" in parts["Wiki"]


def test_a_mask_stands_once_per_circle_of_extensions():
    make_trunk("A", 5099)
    make_extension("2001")
    rule = {"mask": "9X", "trunk": "A"}
    with pytest.raises(Refused) as why:
        make_outbound_route("R", rule, rule)
    assert "rules-1-mask" in why.value.messages
    db.session.rollback()
    make_outbound_route("R", rule, rule | {"restrict_to": ["2001"]}, rule | {"enabled": False}, rule | {"external_line": True})


def test_a_forced_caller_id_has_a_number():
    make_trunk("A", 5099)
    with pytest.raises(Refused) as why:
        make_outbound_route("R", {"mask": "9X", "trunk": "A", "force_caller_id": True})
    assert "rules-0-caller_id" in why.value.messages
