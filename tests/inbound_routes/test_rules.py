"""Inbound routes: one line per number, and no way out by accident."""

import pytest

from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from tests.build import make, make_extension, make_inbound_route, make_outbound_route, make_trunk

pytestmark = pytest.mark.usefixtures("app")
HANGUP = {"hangup": True}


@pytest.fixture(autouse=True)
def trunks(app):
    make_trunk("A", 5099)
    make_trunk("B", 5098)


def refused(make):
    with pytest.raises(Refused) as why:
        make()
    db.session.rollback()
    return why.value


@pytest.mark.parametrize("line", [{"mask": "4830139018"}, {"default": True}])
def test_a_mask_stands_once_in_a_route(line):
    line |= {"destination": HANGUP}
    assert "rules-1-mask" in refused(lambda: make_inbound_route("R", "A", line, line)).messages


def test_a_mask_another_route_treats_on_the_same_trunk_is_refused_naming_it():
    make_inbound_route("Primeira", "A", {"mask": "4830139018", "destination": HANGUP})
    why = refused(lambda: make_inbound_route("Segunda", "A", {"mask": "4830139018", "destination": HANGUP}))
    assert "Primeira" in str(why) and why.link == f"/inbound_routes/{TABLE['inbound_routes'].find('Primeira').id}"
    make_inbound_route("Segunda", "B", {"mask": "4830139018", "destination": HANGUP})


def test_a_line_is_a_mask_or_everything_else():
    for line in ({}, {"mask": "1X", "default": True}):
        assert "rules-0-mask" in refused(lambda one=line: make_inbound_route("R", "A", one | {"destination": HANGUP})).messages


def test_an_outbound_route_behind_an_inbound_one_needs_a_confirmation():
    make_outbound_route("Saída", {"mask": "9X", "trunk": "A"})
    line = {"default": True, "destination": {"outbound_route": "Saída"}}
    assert "rules-0-destination" in refused(lambda: make_inbound_route("R", "A", line)).messages
    assert make_inbound_route("R", "A", line, allow_outbound=True).id


def test_number_and_destination_of_the_manual_become_a_line():
    """RTE-03."""
    make_extension("2001")
    route = make("inbound_routes", name="R", trunks=["A"], did="4830139018", did_destination={"extension": "2001"})
    (line,) = TABLE["inbound_routes"].show(route)["rules"]
    assert (line["mask"], line["destination"]) == ("4830139018", {"extension": "2001"}) and route.did == ""
    assert refused(lambda: make("inbound_routes", name="S", trunks=["B"], did="4830139018")).messages
