"""The company: tax number, zone, emergency numbers; the zone moves what is shown, not what is stored."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from appliance.changes import Change
from appliance.db import db
from appliance.errors import Refused
from tests.build import company, make_cost_centre, make_user

pytestmark = pytest.mark.usefixtures("app")


@pytest.mark.parametrize("cnpj", ["11.222.333/0001-81", "11222333000181"])
def test_a_right_cnpj_is_kept_as_the_country_writes_it(cnpj):
    """CFG-01, numbers with letters too."""
    assert company(cnpj=cnpj).cnpj == "11.222.333/0001-81"


@pytest.mark.parametrize("field,value", [
    ("cnpj", "11.222.333/0001-80"), ("cnpj", "00.000.000/0000-00"), ("cnpj", "x"), ("timezone", "America/Florianopolis"), ("timezone", "../../etc"),
    ("area_code", "04"), ("area_code", "048"), ("country_code", "055"), ("emergency_numbers", ["190", "192"]),
    ("emergency_numbers", ["190", "192", "193", "290"]), ("external_line_prefix", "0;1"), ("name", ""), ("language", "fr"),
])  # fmt: skip
def test_a_wrong_value_is_refused_at_its_field(field, value):
    """CFG-01."""
    with pytest.raises(Refused) as why:
        company(**{field: value})
    assert any(name.startswith(field) for name in why.value.messages)
    db.session.rollback()


@pytest.mark.parametrize("cpf,right", [("529.982.247-25", True), ("52998224725", True), ("529.982.247-24", False), ("111.111.111-11", False)])
def test_the_check_digits_of_a_cpf_are_checked(cpf, right):
    if right:
        assert make_user("ana.souza", cpf=cpf).id
    else:
        with pytest.raises(Refused) as why:
            make_user("ana.souza", cpf=cpf)
        assert "cpf" in why.value.messages


def test_another_zone_moves_the_shown_hour_and_no_stored_instant(carla):
    """SYS-22."""
    make_cost_centre("Loja")
    change = db.session.scalar(select(Change).where(Change.word == "cost_centres"))
    change.at = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
    db.session.commit()
    assert "19/11/2026 23:30" in carla.get("/audit").text
    company(timezone="America/Rio_Branco")
    page = carla.get("/audit").text
    assert "19/11/2026 21:30" in page and "19/11/2026 23:30" not in page
    assert "19/11/2026 21:30" in carla.get("/audit.csv").text
    db.session.refresh(change)
    assert change.at == datetime(2026, 11, 20, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize("parts,restart", [
    (["year", "month", "day"], "daily"), (["year", "month", "sequence"], "daily"), (["year", "sequence"], "monthly"), (["day", "sequence"], "yearly"),
    (["sequence", "sequence"], "never"), (["year", "hour", "sequence"], "yearly"), (["sequence"], "daily"),
])  # fmt: skip
def test_a_protocol_number_that_would_come_twice_is_refused(parts, restart):
    """CFG-08: the date in it must tell one count from the next."""
    with pytest.raises(Refused) as why:
        company(protocol_format=parts, protocol_restart=restart)
    assert any(name.startswith("protocol_format") for name in why.value.messages or {why.value.field: ""})
    db.session.rollback()


@pytest.mark.parametrize("parts,restart", [(["year", "month", "day", "sequence"], "daily"), (["short_year", "sequence"], "yearly"), (["sequence"], "never"), ([], "daily")])
def test_a_protocol_number_is_made_of_parts_in_any_order(parts, restart):
    """CFG-08."""
    assert company(protocol_format=parts, protocol_restart=restart).protocol_format == parts
