"""Where calls may go, read from the rows: loops are refused by an apply and named, the map draws every way once."""

import re

import pytest

from appliance import applying
from appliance.db import db
from appliance.paths import Paths, Place
from tests.build import change, make, make_extension, make_inbound_route, make_internal_route, make_trunk
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def site():
    """A number that rings an extension, everything else to a short number inside."""
    ana = make_extension("2001", name="Ana")
    make_trunk("Operadora", 5099)
    short = make_internal_route("Atalho", {"mask": "77", "destination": {"extension": "2001"}})
    route = make_inbound_route("Entrada", "Operadora", {"mask": "4830139018", "destination": {"extension": "2001"}},
                               {"default": True, "destination": {"internal_route": "Atalho"}})
    return ana, short, route


def round_and_round():
    """Two internal routes that lead to each other: nothing is asked when they are saved, because a site file may change both at once."""
    first = make_internal_route("Um", {"mask": "71", "destination": {"hangup": True}})
    second = make_internal_route("Dois", {"mask": "72", "destination": {"internal_route": "Um"}})
    change(first, rules=[{"mask": "71", "destination": {"internal_route": "Dois"}}])
    return first, second


def test_every_way_on_is_found_with_what_leads_there(site):
    ana, short, route = site
    ways = Paths().ways(Place("inbound_routes", route.id))
    assert [(way.label, way.to) for way in ways] == [
        ("4830139018", Place("extensions", ana.id)), ("Todo o resto", Place("internal_routes", short.id))]
    assert Paths().ways(Place("extensions", ana.id)) == []


def test_a_loop_nobody_is_asked_in_is_refused_naming_its_rows(site):
    """RTE-07: an apply does not take a way round without a person's input; the rows say which."""
    assert Paths().loops() == []
    first, second = round_and_round()
    assert Paths().loops() == [[Place("internal_routes", first.id), Place("internal_routes", second.id)]]
    attempt = applying.now("loop")
    assert attempt.state == "failed"
    found, = [applying.told(one) for one in attempt.findings]
    assert found["code"] == "loop" and found["path"] == f"/internal_routes/{first.id}"
    assert "rota interna Um → rota interna Dois → rota interna Um" in found["text"]
    db.session.rollback()
    change(second, rules=[{"mask": "72", "destination": {"extension": "2001"}}])
    assert applying.now("no loop").state == "done"


def test_the_map_draws_all_ways_of_a_number(carla, site):
    """RTE-07: from the same rows as the dialplan; each place leads to its screen."""
    ana, short, route = site
    page = carla.get(f"/map?from=inbound_routes:{route.id}:1").text
    assert re.findall(r'<option value="([^"]+)"', page)[:2] == [f"inbound_routes:{route.id}:0", f"inbound_routes:{route.id}:1"]
    drawn = page[page.index("map-root"):]
    assert drawn.index("Todo o resto") < drawn.index(f"/internal_routes/{short.id}") < drawn.index("77") < drawn.index(f"/extensions/{ana.id}")
    assert "Todo o resto" not in carla.get("/map").text.partition("map-root")[2], "the first number is drawn when none is chosen"
    db.session.rollback()
    round_and_round()
    page = carla.get("/map")
    assert "rota interna Um → rota interna Dois" in text_of(page)
    looped = carla.get(f"/map?from=internal_routes:{short.id + 1}:0").text
    assert looped.count("(veja acima)") == 1


def test_hours_events_menus_queues_and_overflows_are_on_the_map(carla, site):
    """RTE-07, EXT-30: what takes the call before the row itself, what the caller chooses, what follows by itself, who helps; numbers inside too."""
    make("business_hours", name="Comercial", closed_destination={"extension": "2001"})
    make("queues", name="Loja", number="2500")
    queue = make("queues", name="Vendas", number="2501", business_hours="Comercial", overflow={"on_timeout": {"hangup": True}}, overflow_queues=["Loja"])
    ivr = make("ivrs", name="Principal", number="3500", options={"1": {"queue": "Vendas"}}, default_destination={"option": "1"})
    make("calendar_events", name="Natal", start="2026-12-25 00:00", end="2026-12-26 00:00", destination={"telephone": "4833334444"}, queues=["Vendas"])
    ways = Paths().ways(Place("ivrs", ivr.id))
    assert [(way.label, way.is_asked, way.to) for way in ways] == [
        ("1", True, Place("queues", queue.id)), ("Destino padrão", False, Place("queues", queue.id))]
    drawn = text_of(carla.get(f"/map?from=ivrs:{ivr.id}"))
    for said in ("3500 Principal", "evento Natal", "(48) 3333-4444", "horário de atendimento Comercial", "ramal 2001 Ana", "fila Loja", "Desligar"):
        assert said in drawn, said
    assert Paths().loops() == []


def test_an_empty_map_says_what_to_do_first(carla):
    assert "/inbound_routes/new" in carla.get("/map").text


def test_a_place_the_person_may_not_open_is_named_without_a_link(client, site):
    ana, _short, route = site
    page = person(client, "bruno", modules=["map"]).get(f"/map?from=inbound_routes:{route.id}:0").text
    assert "2001 Ana" in page and f"/extensions/{ana.id}" not in page
