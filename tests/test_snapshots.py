"""Rows of older revisions: put back whole or one by one, with today's secrets."""

import pytest

from appliance import applying, snapshots
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from appliance.revisions.model import newest_number
from tests.build import change, make_extension, make_internal_route, make_outbound_route, make_trunk

pytestmark = pytest.mark.usefixtures("app")


def applied():
    attempt = applying.now("test")
    assert attempt.state == "done", [applying.told(found) for found in attempt.findings]
    return newest_number()


def number_and_name():
    return {row.number: row.name for row in TABLE["extensions"].rows()}


@pytest.mark.database
def test_two_extensions_that_changed_places_go_back():
    ana, bia = make_extension("2001", name="Ana"), make_extension("2002", name="Bia")
    number = applied()
    for row, new in ((ana, "2009"), (bia, "2001"), (ana, "2002")):
        change(row, number=new)
    snapshots.restore(number)
    db.session.commit()
    assert number_and_name() == {"2001": "Ana", "2002": "Bia"}
    applied()


@pytest.mark.database
def test_a_number_that_went_to_a_newer_row_comes_back_and_the_newer_row_goes():
    ana = make_extension("2001", name="Ana", password="segredo-da-Ana")
    number = applied()
    change(ana, number="2002", password="segredo-de-hoje")
    make_extension("2001", name="Nova")
    snapshots.restore(number)
    db.session.commit()
    assert number_and_name() == {"2001": "Ana"}
    assert TABLE["extensions"].find("2001").password == "segredo-de-hoje"


@pytest.mark.database
def test_a_deleted_row_comes_back_with_its_password():
    ana = make_extension("2001", password="segredo-da-Ana")
    number = applied()
    TABLE["extensions"].delete(ana)
    db.session.commit()
    snapshots.restore_row("extensions", ana.id, number)
    db.session.commit()
    assert TABLE["extensions"].find("2001").password == "segredo-da-Ana"


@pytest.mark.database
def test_one_row_is_not_put_back_over_a_number_another_has_now(carla):
    ana = make_extension("2001", name="Ana")
    number = applied()
    change(ana, number="2002")
    make_internal_route("Caixa", {"mask": "2001", "destination": {"hangup": True}})
    with pytest.raises(Refused):
        snapshots.restore_row("extensions", ana.id, number)
    db.session.rollback()
    TABLE["internal_routes"].delete(TABLE["internal_routes"].find("Caixa"))
    make_extension("2001", name="Nova")
    answer = carla.send(f"/revisions/{number}/restore/extensions/{ana.id}")
    assert answer.status_code == 302 and "2001" in carla.get("/extensions").text
    assert number_and_name() == {"2001": "Nova", "2002": "Ana"}


def test_one_row_is_not_put_back_onto_a_trunk_that_is_gone():
    trunk = make_trunk("Operadora", 5099)
    route = make_outbound_route("Saída", {"mask": "9X", "trunk": "Operadora"})
    number = applied()
    change(route, rules=[])
    TABLE["trunks"].delete(trunk)
    db.session.commit()
    with pytest.raises(Refused):
        snapshots.restore_row("outbound_routes", route.id, number)
    db.session.rollback()


def test_going_back_on_the_screen_needs_every_menu_it_touches(client):
    from tests.visitor import person

    number = applied()
    davi = person(client, "davi.souza", modules=["revisions", "extensions"])
    assert davi.send(f"/revisions/{number}/rollback").status_code == 403
    assert davi.send(f"/revisions/{number}/restore/trunks/1").status_code == 403
    assert davi.send(f"/revisions/{number}/restore/nothing/1").status_code == 404
