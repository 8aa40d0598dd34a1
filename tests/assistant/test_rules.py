"""Masks of area codes, and what the steps save: rules without calls (SYS-15)."""

from datetime import date

import pytest

from appliance import changes, masks, numbering
from appliance.assistant import brazil, steps
from appliance.assistant.model import is_wanted, leave, shown
from appliance.db import db
from appliance.errors import Refused
from appliance.numbers import AREA_CODES
from appliance.resource import TABLE
from tests.build import company, make_extension, make_internal_route, make_trunk


def sent(area_code, number_format, dialled, kinds=None):
    """(route, digits sent) of what the profile's routes do with a dialled number, in the profile's order; None when none takes it."""
    for route, rules in brazil.rules(area_code, list(brazil.KINDS) if kinds is None else kinds, number_format).items():
        fitting = [rule for rule in rules if masks.matches(rule["mask"], dialled)]
        if fitting:
            best = min(fitting, key=lambda rule: masks.specificity(rule["mask"]))
            return route, best["prepend"] + dialled[best["strip"]:]
    return None


DIALLED = [  # (area code, dialled, route, as area code and number)
    ("48", "33334444", "local", "4833334444"), ("48", "999991234", "local", "48999991234"),
    ("48", "04833334444", "local", "4833334444"), ("48", "01548999991234", "local", "48999991234"), ("48", "4833334444", "local", "4833334444"),
    ("48", "021999991234", "distance", "21999991234"), ("48", "02133334444", "distance", "2133334444"),
    ("48", "01521999991234", "distance", "21999991234"), ("48", "0152133334444", "distance", "2133334444"),
    ("48", "11999991234", "distance", "11999991234"),
    ("11", "30130000", "local", "1130130000"), ("11", "01130130000", "local", "1130130000"), ("11", "048999991234", "distance", "48999991234"),
    ("71", "33334444", "local", "7133334444"), ("71", "07533334444", "distance", "7533334444"),
    ("55", "5533334444", "local", "5533334444"), ("55", "33334444", "local", "5533334444"), ("55", "05599991234", "distance", None),
    ("92", "0927777", None, None), ("92", "999991234", "local", "92999991234"),
    ("48", "08001234567", "services", "08001234567"), ("48", "0800123456", "services", "0800123456"), ("48", "40041234", "local", None),
    ("48", "156", "services", "156"), ("48", "10315", "services", "10315"), ("48", "03001234567", "paid", "03001234567"),
    ("48", "0012125550100", "abroad", "0012125550100"),
]


@pytest.mark.parametrize("area_code,dialled,route,national", DIALLED, ids=[f"{code}-{number}" for code, number, *_ in DIALLED])
def test_numbers_dialled_in_an_area_code_leave_by_their_route_as_area_code_and_number(area_code, dialled, route, national):
    """SYS-15, RTE-13: local is the whole area code, also for fixed lines; a carrier's digits are taken off."""
    found = sent(area_code, brazil.NATIONAL, dialled)
    if route is None:
        assert found is None
    elif national is not None:
        assert found == (route, national)


@pytest.mark.parametrize("number_format,local,distance,abroad", [
    (brazil.NATIONAL, "48999991234", "21999991234", "0012125550100"), (brazil.ZERO, "048999991234", "021999991234", "0012125550100"),
    (brazil.E164, "5548999991234", "5521999991234", "0012125550100"), (brazil.PLUS, "+5548999991234", "+5521999991234", "+12125550100"),
    (brazil.AS_DIALLED, "999991234", "021999991234", "0012125550100"),
])
def test_a_carrier_gets_the_digits_it_wants(number_format, local, distance, abroad):
    for dialled in ("999991234", "048999991234", "01548999991234", "48999991234"):
        assert sent("48", number_format, dialled) == ("local", local), dialled
    assert sent("48", number_format, "021999991234") == ("distance", distance)
    assert sent("48", number_format, "21999991234") == ("distance", distance)
    assert sent("48", number_format, "0012125550100") == ("abroad", abroad)


def test_national_numbers_go_out_as_they_are_although_they_look_local():
    """4004-1234 has eight digits like a fixed line; its own mask must win."""
    assert sent("48", brazil.NATIONAL, "40041234") == ("services", "40041234")
    assert sent("11", brazil.E164, "30031234") == ("services", "30031234")
    assert sent("11", brazil.E164, "30051234") == ("local", "551130051234")


def test_abroad_and_paid_numbers_are_closed_by_default():
    usual = list(brazil.USUAL)
    for dialled in ("0012125550100", "03001234567", "09001234567", "05001234567"):
        assert sent("48", brazil.NATIONAL, dialled, usual) is None


def test_the_whole_area_code_is_local_since_its_states_step():
    """Anatel's steps of 2026: Bahia first, São Paulo last."""
    assert len(AREA_CODES) == 67
    assert brazil.local_since("71") == date(2026, 1, 11)
    assert brazil.local_since("98") == date(2026, 2, 1)
    assert brazil.local_since("81") == date(2026, 2, 22)
    assert brazil.local_since("48") == date(2026, 3, 29)
    assert brazil.local_since("21") == date(2026, 5, 10)
    assert brazil.local_since("11") == date(2026, 6, 21)
    assert all(brazil.local_since(code) <= date(2026, 6, 21) for code in AREA_CODES)


@pytest.mark.parametrize("area_code,zone", [("48", "America/Sao_Paulo"), ("68", "America/Rio_Branco"), ("92", "America/Manaus"), ("65", "America/Cuiaba")])
def test_the_zone_is_the_area_codes_unless_another_is_chosen(app, area_code, zone):
    steps.save_company({"name": "Padaria", "area_code": area_code, "timezone": "", "cnpj": "", "external_line_prefix": "0"})
    assert steps.company().timezone == zone
    steps.save_company({"name": "Padaria", "area_code": area_code, "timezone": "America/Noronha", "cnpj": "", "external_line_prefix": "0"})
    assert steps.company().timezone == "America/Noronha"


def test_an_area_code_nobody_has_is_refused(app):
    """CFG-01."""
    with pytest.raises(Refused) as why:
        steps.save_company({"name": "Padaria", "area_code": "25", "timezone": ""})
    assert why.value.field == "area_code"


# ----------------------------------------------------------------------------------------------------------- extensions


def test_numbers_are_proposed_after_the_highest_and_none_that_is_taken(app):
    assert steps.proposed(2) == ["1001", "1002"]
    make_extension("188", name="Ana")
    make_internal_route("Atalho", {"mask": "189", "destination": {"hangup": True}})
    assert steps.proposed(2) == ["200", "201"]
    assert steps.proposed(2, ["300"]) == ["301", "302"]


def test_a_spreadsheet_is_read_in_either_order_of_columns(app):
    text = "1005\tAna\nBruno;1006\nBalcão da loja\n\n"
    assert steps.pasted(text, []) == [("1005", "Ana"), ("1006", "Bruno"), ("1007", "Balcão da loja")]


def test_wrong_lines_are_told_at_their_cells_and_nothing_is_stored(app):
    make_internal_route("Atalho", {"mask": "1002", "destination": {"hangup": True}})
    db.session.commit()
    with pytest.raises(Refused) as why:
        steps.save_extensions([("1001", "Ana"), ("1002", "Bruno"), ("1001", "Carla"), ("7", "Davi"), ("1010", ""), ("1011", "${X}")])
    assert set(why.value.messages) == {"number-1", "number-2", "number-3", "name-5"}
    db.session.rollback()
    assert not list(TABLE["extensions"].rows())
    assert shown().state("extensions") == ""


def test_saving_the_same_lines_twice_makes_them_once_with_one_line_of_audit(app):
    lines = [("1001", "Ana"), ("1002", "Bruno"), ("1003", "")]
    assert steps.save_extensions(lines) == 2
    db.session.commit()
    count = len(changes.pending())
    assert steps.save_extensions(lines) == 0
    db.session.commit()
    assert [row.number for row in TABLE["extensions"].rows()] == ["1001", "1002"]
    assert len(changes.pending()) == count == 2
    assert numbering.holder("1001").owner == "ramal 1001 Ana"
    assert all(len(row.password) == 16 for row in TABLE["extensions"].rows())


def test_without_any_name_the_step_asks_for_one(app):
    with pytest.raises(Refused):
        steps.save_extensions([("1001", ""), ("1002", " ")])


# -------------------------------------------------------------------------------------------------------- trunk, numbers

BY_IP = {"name": "Operadora", "authentication": "by_ip", "host": "127.0.0.1", "port": "5070", "username": "", "caller_id": "4830139018"}


def choice(**values):
    return steps.Numbers(**{"kinds": list(brazil.USUAL), "number_format": brazil.NATIONAL, "lines": [], "default": "1001"} | values)


@pytest.fixture
def ready(app):
    """A company in Florianópolis with two extensions and a trunk."""
    company(area_code="48")
    steps.save_extensions([("1001", "Ana"), ("1002", "Bruno")])
    steps.save_trunk(dict(BY_IP))
    db.session.commit()


def rows(word):
    return [TABLE[word].show(row) for row in TABLE[word].rows()]


def test_the_trunk_is_made_once_and_changed_afterwards(ready):
    steps.save_trunk(BY_IP | {"name": "Outra", "host": "127.0.0.2"})
    db.session.commit()
    trunk, = rows("trunks")
    assert (trunk["name"], trunk["host"], trunk["number_format"]) == ("Outra", "127.0.0.2", "national")


def test_numbers_make_routes_a_profile_for_every_extension_and_the_way_in(ready):
    steps.save_numbers(choice(lines=[("(48) 3013-9018", "1002")]))
    db.session.commit()
    assert [row["name"] for row in rows("outbound_routes")] == ["0800 e serviços", "Locais", "Interurbanas"]
    assert all(rule["external_line"] and rule["trunk"] == "Operadora" for row in rows("outbound_routes") for rule in row["rules"])
    profile, = rows("dialing_profiles")
    assert (profile["outbound_routes"], profile["premium_calls"]) == (["0800 e serviços", "Locais", "Interurbanas"], False)
    assert {row["dialing_profile"] for row in rows("extensions")} == {profile["name"]}
    inbound, = rows("inbound_routes")
    assert [(rule["mask"], rule["default"], rule["destination"]) for rule in inbound["rules"]] == [
        ("4830139018", False, {"extension": "1002"}), ("", True, {"extension": "1001"})]


def test_saving_numbers_again_changes_the_same_rows_and_takes_away_what_is_unwanted(ready):
    steps.save_numbers(choice(kinds=[*brazil.USUAL, "abroad", "paid"]))
    db.session.commit()
    assert len(rows("outbound_routes")) == 5
    assert rows("dialing_profiles")[0]["premium_calls"]
    for _time in range(2):
        steps.save_numbers(choice(kinds=["local_fixed", "local_mobile"], number_format=brazil.PLUS))
        db.session.commit()
    assert [row["name"] for row in rows("outbound_routes")] == ["Locais"]
    profile, = rows("dialing_profiles")
    assert (profile["outbound_routes"], profile["premium_calls"]) == (["Locais"], False)
    assert steps.numbers() == choice(kinds=["local_fixed", "local_mobile"], number_format=brazil.PLUS)


@pytest.mark.parametrize("number_format", list(brazil.FORMATS))
def test_the_choice_is_read_back_from_the_rows(ready, number_format):
    asked = choice(number_format=number_format, lines=[("4830139018", "1002")])
    steps.save_numbers(asked)
    db.session.commit()
    assert steps.numbers() == asked


def test_without_outside_digits_the_masks_stand_alone(ready):
    company(external_line_prefix="")
    steps.save_numbers(choice())
    assert not any(rule["external_line"] for row in rows("outbound_routes") for rule in row["rules"])
    assert steps.dialled("(48) 99999-1234") == "999991234"


def test_a_number_that_rings_nobody_is_told_at_its_cell(ready):
    with pytest.raises(Refused) as why:
        steps.save_numbers(choice(lines=[("4830139018", "")]))
    assert why.value.field == "rings-0"


def test_numbers_need_a_trunk(app):
    with pytest.raises(Refused):
        steps.save_numbers(choice())


def test_extensions_made_later_get_the_profile_too(ready):
    steps.save_numbers(choice())
    steps.save_extensions([("1003", "Carla")])
    assert {row["dialing_profile"] for row in rows("extensions")} == {"Completo"}


# ------------------------------------------------------------------------------------------------------------- test call


@pytest.mark.parametrize("typed,dialled", [
    ("(48) 99999-1234", "0999991234"), ("999991234", "0999991234"), ("0999991234", "0999991234"), ("+55 48 99999 1234", "0999991234"),
    ("21 99999-1234", "0021999991234"), ("021 99999-1234", "0021999991234"), ("(11) 3013-0000", "001130130000"), ("33334444", "033334444"),
])
def test_an_outside_number_is_dialled_as_people_here_dial_it(ready, typed, dialled):
    assert steps.dialled(typed) == dialled


@pytest.mark.parametrize("typed", ["190", "0192", "", "abc", "12"])
def test_no_test_goes_to_an_emergency_number_or_to_nothing(ready, typed):
    with pytest.raises(Refused) as why:
        steps.dialled(typed)
    assert why.value.field == "number"


def test_a_number_without_a_way_out_is_told_before_it_is_dialled(ready):
    ana = TABLE["extensions"].find("1001")
    with pytest.raises(Refused) as why:
        steps.way_out(ana, "0999991234")
    assert why.value.field == "extension"  # no profile yet
    steps.save_numbers(choice(kinds=["local_mobile"]))
    assert steps.way_out(ana, "0999991234").name == "Operadora"
    with pytest.raises(Refused) as why:
        steps.way_out(ana, "0021999991234")
    assert why.value.field == "number"


# ----------------------------------------------------------------------------------------------------------- being shown


def test_it_is_shown_while_nothing_is_configured_and_until_it_is_left(app):
    assert is_wanted()
    steps.save_extensions([("1001", "Ana")])
    assert is_wanted()  # begun and not finished
    leave()
    assert not is_wanted()


def test_a_home_that_is_configured_otherwise_is_left_alone(app):
    make_trunk("Operadora", 5070)
    assert not is_wanted()


def test_the_number_of_the_echo_test_is_kept_from_internal_routes(app):
    with pytest.raises(Refused) as why:
        make_internal_route("Eco", {"mask": "*43", "destination": {"hangup": True}})
    assert "*43" in str(why.value)
