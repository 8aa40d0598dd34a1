"""Rules of the codes: whose is which, and what none may hide."""

import pytest

from appliance.db import db
from appliance.errors import Refused
from appliance.feature_codes.model import defaults
from appliance.resource import SINGLE_ID, TABLE
from tests.build import change, company, make_extension
from tests.visitor import text_of

pytestmark = pytest.mark.usefixtures("app")


def codes():
    return TABLE["feature_codes"].get(SINGLE_ID)


@pytest.mark.parametrize("values,field", [
    ({"attended_transfer": "##"}, "attended_transfer"),                 # two features, one code
    ({"group_pickup": "#72"}, "group_pickup"),                          # also between what is typed and what is dialled
    ({"park": "#"}, "park"), ({"park": "72"}, "park"), ({"lock": "*54321*7"}, "lock"),
    ({"park": "##2"}, "blind_transfer"),                                # ## would be taken before the 2 is typed
    ({"follow_me": "*9"}, "follow_me"),                                 # *97 could not be dialled any more
    ({"directed_pickup": "*4"}, "directed_pickup"),                     # the echo test *43
    ({"lock": "*43"}, "lock"),
    ({"parking_first": "990"}, "parking_first"),                        # 990 and 20 places would end in 1009
    ({"parking_first": "185"}, "parking_first"),                        # 190 is an emergency number
    ({"parking_first": "995", "parking_places": 10}, "parking_first"),
])  # fmt: skip
def test_codes_that_would_hide_something_are_refused(values, field):
    """FEA-01: with the field they are wrong in; nothing is stored."""
    with pytest.raises(Refused) as why:
        change(codes(), **values)
    db.session.rollback()
    assert field in why.value.messages, why.value.messages
    assert TABLE["feature_codes"].show(codes()) == defaults() | {"transfer_profile": None}


def test_numbers_of_others_and_parking_places_exclude_each_other():
    """FEA-01, FEA-11: whoever comes second is told who has the number."""
    make_extension("730")
    with pytest.raises(Refused, match="730"):
        change(codes(), parking_first="721")
    db.session.rollback()


def test_a_place_of_the_park_is_no_number_for_an_extension():
    change(codes(), parking_seconds=60)
    with pytest.raises(Refused, match="705"):
        make_extension("705")


def test_the_digits_for_an_outside_line_begin_no_code():
    """FEA-01, FEA-02: neither a code nor the digits may be changed so that one hides the other."""
    with pytest.raises(Refused) as why:
        company(external_line_prefix="*9")
    assert "external_line_prefix" in why.value.messages
    db.session.rollback()
    company(external_line_prefix="*6")
    with pytest.raises(Refused):
        change(codes(), voicemail="*61")


def test_the_page_warns_and_restores_the_defaults(carla):
    """FEA-01: a warning stands on the page; the button brings every code and time back, the profile stays."""
    page = text_of(carla.get("/feature_codes"))
    assert "sabem os códigos de cor" in page and "Restaurar padrões" in page
    change(codes(), blind_transfer="#1", parking_seconds=90, voicemail="*55")
    assert carla.send("/feature_codes/defaults").location == "/feature_codes"
    db.session.expire_all()
    assert (codes().blind_transfer, codes().parking_seconds, codes().voicemail) == ("##", 45, "*97")
