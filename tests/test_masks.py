"""Dial masks: what each sign takes, which models match Brazilian numbers, and that Asterisk says the same (RTE-01, RTE-13)."""

import pytest

from appliance import applying, masks, settings
from appliance.errors import Refused
from appliance.outbound_routes.model import MASK_MODELS
from appliance.telephony import runtime
from tests.build import make_extension, make_internal_route

TABLE = {  # mask → numbers it takes, numbers it does not; at least one pair for every sign
    "6X": (["60", "65", "69"], ["6", "600", "70", "6*"]),
    "6Z1": (["611", "691"], ["601", "61"]),
    "6N2": (["622", "692"], ["602", "612"]),
    "7[15-9]": (["71", "75", "77", "79"], ["74", "70", "72"]),
    "8[2-5]0": (["820", "850"], ["810", "860"]),
    "51.": (["510", "51999", "51*", "51#1"], ["51", "52"]),
    "*9X": (["*90"], ["90", "*9"]),
    "#8Z": (["#81"], ["#80", "81"]),
    "3000": (["3000"], ["300", "30000", "3001"]),
    "+5.": (["+55"], ["+5", "55"]),
}
PAIRS = [(mask, number, takes) for mask, (yes, no) in TABLE.items() for takes, numbers in ((True, yes), (False, no)) for number in numbers]

NUMBERS = {  # RTE-13: number as dialled after the outside line → the model that must take it
    "33334444": "[2-5]XXXXXXX", "999991234": "9XXXXXXXX", "04833334444": "0ZZ[2-5]XXXXXXX", "048999991234": "0ZZ9XXXXXXXX",
    "0154833334444": "0ZXZZ[2-5]XXXXXXX", "01548999991234": "0ZXZZ9XXXXXXXX", "08001234567": "0800XXXXXXX", "0013055551234": "00X.",
    "190": "1XX", "192": "1XX", "193": "1XX", "10315": "10XXX", "40041234": "[34]00XXXXX", "30031234": "[34]00XXXXX",
}


def test_the_table_has_thirty_numbers():
    assert len(PAIRS) >= 30


@pytest.mark.parametrize("mask,number,takes", PAIRS)
def test_a_mask_takes_what_its_signs_say(mask, number, takes):
    """RTE-01: [15-9] is 1 and 5 to 9, so 7 but not 4."""
    assert masks.matches(masks.read(mask), number) is takes


@pytest.mark.parametrize("text", ["", "A", "9!", "9X!", "[", "[]", "[a]", "[5-2]", "[1-]", ".", "9.X", "9+1", "_9X", "9,1", "9(1)", "${X}", "9\n", "9;"])
def test_what_is_no_mask_is_refused(text):
    if text == "9\n":
        assert masks.read(text) == "9"
        return
    with pytest.raises(Refused):
        masks.read(text)


def test_small_letters_and_spaces_are_taken_as_meant():
    assert masks.read(" [2-5]xxx xxxx ") == "[2-5]XXXXXXX"


@pytest.mark.parametrize("number", NUMBERS)
def test_the_ready_models_take_the_numbers_of_the_numbering_plan(number):
    """RTE-13: and the most specific of them wins."""
    taking = [mask for mask, _label in MASK_MODELS if masks.matches(masks.read(mask), number)]
    assert NUMBERS[number] in taking
    assert min(taking, key=masks.specificity) == NUMBERS[number] or number in ("40041234", "30031234")


def test_the_more_specific_mask_wins():
    order = sorted(["X.", "9XXX", "9[1-3]XX", "91XX", "9123", "NXXX"], key=masks.specificity)
    assert order[0] == "9123" and order[-1] == "X." and order.index("91XX") < order.index("9[1-3]XX") < order.index("9XXX")


@pytest.mark.pbx
def test_asterisk_takes_the_same_numbers(app):
    """One route with every mask of the table, asked for every number of it in the running dialplan."""
    make_extension("2001")
    route = make_internal_route("Tabela", *({"mask": mask, "destination": {"extension": "2001"}} for mask in TABLE))
    attempt = applying.now("masks")
    assert attempt.state == "done", [applying.told(found) for found in attempt.findings]
    control = runtime.control(settings.load())
    for number in sorted({number for _mask, number, _takes in PAIRS}):
        said = runtime.command(control, f"dialplan show {number}@bentevi-internal-{route.id}")
        ours = [mask for mask in TABLE if masks.matches(masks.read(mask), number)]
        assert ("There is no existence of" not in said and "0 extensions" not in said) is bool(ours), (number, said)
        if ours:
            first = said.index(f"'{masks.pattern(min(ours, key=masks.specificity))}'")
            assert all(said.index(f"'{masks.pattern(mask)}'") >= first for mask in ours), (number, said)
