"""Extensions and classes: numbers, and what stands in the way of deleting."""

import pytest

from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from tests.build import change, make, make_class, make_extension, make_internal_route, make_trunk

pytestmark = pytest.mark.usefixtures("app")


def refused(make):
    with pytest.raises(Refused) as why:
        make()
    db.session.rollback()
    return why.value


def test_a_number_used_by_an_internal_route_is_refused_naming_it():
    make_internal_route("Caixa", {"mask": "77", "destination": {"hangup": True}})
    why = refused(lambda: make_extension("77"))
    assert "Caixa" in str(why) and why.link == f"/internal_routes/{TABLE['internal_routes'].find('Caixa').id}"


def test_a_number_used_by_an_extension_is_refused_naming_it():
    ana = make_extension("2001", name="Ana")
    why = refused(lambda: make_extension("2001"))
    assert "2001" in str(why) and why.link == f"/extensions/{ana.id}"
    why = refused(lambda: make_internal_route("Caixa", {"mask": "2001", "destination": {"hangup": True}}))
    assert "2001 Ana" in str(why)


def test_a_number_used_by_a_gateway_is_refused_naming_the_trunk():
    make_trunk("Gateway", 5060, authentication="receives_registration", username="3000")
    assert "Gateway" in str(refused(lambda: make_extension("3000")))


def test_a_number_is_free_again_when_its_row_goes_or_takes_another():
    ana = make_extension("2001")
    change(ana, number="2002")
    bia = make_extension("2001")
    TABLE["extensions"].delete(bia)
    db.session.commit()
    assert make_extension("2001").number == "2001"


@pytest.mark.parametrize("number", ["190", "191", "192", "193", "194", "195", "199"])
def test_emergency_numbers_are_kept_free(number):
    assert "number" in refused(lambda: make_extension(number)).messages
    assert "rules-0-mask" in refused(lambda: make_internal_route("X", {"mask": number, "destination": {"hangup": True}})).messages


@pytest.mark.parametrize("number", ["1", "1234567", "12a4", "12 4", "*12", "١٢٣٤", "-12", ""])
def test_a_number_people_dial_has_two_to_six_digits(number):
    assert "number" in refused(lambda: make("extensions", number=number, name="Ana")).messages


def test_number_and_name_are_enough_and_the_password_is_shown_once():
    """EXT-13."""
    ana = make("extensions", number="2001", name="Ana")
    assert ana.generated == {"password": ana.password} and len(ana.password) == 16
    assert ana.extension_class.name == "Padrão"


def test_a_class_in_use_is_not_deleted_and_the_list_is_told():
    """EXT-14."""
    loja = make_class("Loja")
    for number in ("2001", "2002"):
        make_extension(number, **{"class": "Loja"})
    said = str(refused(lambda: TABLE["extension_classes"].delete(loja)))
    assert "2001" in said and "2002" in said
    assert TABLE["extension_classes"].find("Loja")


def test_two_extensions_of_a_class_change_together():
    """EXT-14: one edit of the class."""
    from appliance.extensions.config import extensions_conf

    loja = make_class("Loja")
    for number in ("2001", "2002"):
        make_extension(number, **{"class": "Loja"})
    change(loja, ring_timeout_seconds=77)
    assert [line.count(",77,") for line in extensions_conf().splitlines() if "exten => 200" in line] == [1, 1]


@pytest.mark.parametrize("used,by", [("trunks", "outbound_routes"), ("outbound_routes", "dialing_profiles"), ("dialing_profiles", "extensions"),
                                     ("extensions", "internal_routes"), ("pickup_groups", "extensions"), ("cost_centres", "extensions")])
def test_what_others_point_at_is_not_deleted(used, by):
    make_trunk("Tronco", 5099)
    make("outbound_routes", name="Saída", rules=[{"mask": "9X", "trunk": "Tronco"}])
    make("dialing_profiles", name="Perfil", outbound_routes=["Saída"])
    make("pickup_groups", name="Grupo")
    make("cost_centres", name="Centro")
    make_extension("2001", dialing_profile="Perfil", pickup_group="Grupo", cost_centre="Centro")
    make_internal_route("Rota", {"mask": "77", "destination": {"extension": "2001"}})
    row = next(iter(TABLE[used].rows()))
    pointing = next(iter(TABLE[by].rows()))
    assert TABLE[by].title(pointing) in str(refused(lambda: TABLE[used].delete(row)))
