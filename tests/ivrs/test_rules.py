"""Menus as rows: keys and destinations on every face, what is refused and where."""

import pytest

from appliance import sitefile
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from tests.build import change, make, make_extension
from tests.visitor import text_of

pytestmark = pytest.mark.usefixtures("app")


def refused(word, **values):
    """The messages of a row that is not taken, field → text; nothing of it is left."""
    with pytest.raises(Refused) as why:
        TABLE[word].create(values)
    db.session.rollback()
    return why.value.messages or {why.value.field: str(why.value)}


def test_keys_and_default_read_and_show_as_the_site_file_has_them():
    """IVR-08, IVR-10: the default is a destination or the number of an option, written as a word or a number."""
    make_extension("1001")
    menu = make("ivrs", name="Principal", number="3000", options={"#": {"hangup": True}, "1": {"extension": "1001"}}, default_destination="1")
    shown = TABLE["ivrs"].show(menu)
    assert shown["options"] == {"1": {"extension": "1001"}, "#": {"hangup": True}}
    assert shown["default_destination"] == {"option": "1"}
    assert menu.default_stored == f"extension:{TABLE['extensions'].find('1001').id}"
    change(menu, default_destination={"extension": "1001"})
    assert TABLE["ivrs"].show(menu)["default_destination"] == {"extension": "1001"}
    text = sitefile.dump()
    assert "default_destination:" in text
    assert sitefile.load(text).updated == []


@pytest.mark.parametrize("values,field", [
    ({"options": {"x": {"hangup": True}}}, "options-x"), ({"options": {"10": {"hangup": True}}}, "options-10"),
    ({"options": {"1": {"extension": "9999"}}}, "options-1-extension"), ({"options": {"1": {}}}, "options-1"), ({"options": "1"}, "options"),
    ({"options": [{"key": "1", "destination": {"hangup": True}}, {"key": "1", "destination": {"hangup": True}}]}, "options-1-key"),
    ({"default_destination": "3"}, "default_destination"), ({"default_destination": {"option": "3"}}, "default_destination"),
    ({"default_destination": "x"}, "default_destination"), ({"mode": "advanced"}, "mode"), ({"timeout_seconds": 0}, "timeout_seconds"),
    ({"attempts": 11}, "attempts"), ({"prompt": "Ninguém"}, "prompt"), ({"number": "190"}, "number"), ({"options": {"1": {"option": "2"}}}, "options-1"),
])  # fmt: skip
def test_a_wrong_value_is_told_at_its_field(values, field):
    """IVR-08, IVR-10: an unknown key, a default that names no option, a destination that is not there."""
    assert field in refused("ivrs", **({"name": "Principal", "number": "3000"} | values))


def test_a_mistake_in_a_site_file_names_key_and_line():
    """IVR-10."""
    text = "bentevi: 1\nivrs:\n  - name: Principal\n    number: '3000'\n    options:\n      '1': {hangup: true}\n      '2': {extension: '9999'}\n"
    with pytest.raises(sitefile.Mistakes) as why:
        sitefile.load(text)
    db.session.rollback()
    assert len(why.value.found) == 1 and "7" in why.value.found[0] and "ivrs[0].options.2" in why.value.found[0]
    assert TABLE["ivrs"].find("Principal") is None


def test_what_is_not_built_yet_is_left_out_of_a_menu_key_by_key():
    """IVR-01: an advanced menu waits as a whole, an option that leads to something not built waits alone."""
    text = ("bentevi: 1\nivrs:\n  - name: Principal\n    number: '3000'\n    options: {'1': {hangup: true}, '2': {custom_rule: X}}\n"
            "  - {name: Desenhada, number: '3001', mode: advanced}\n")
    report = sitefile.load(text, skip_unavailable=True)
    assert len(report.skipped) == 2
    assert TABLE["ivrs"].find("Principal").options == {"1": "hangup:"} and TABLE["ivrs"].find("Desenhada") is None


def test_a_menu_that_would_call_itself_without_a_key_is_refused_and_by_a_key_is_not():
    """IVR-06, IVR-29: directly, and through announcements; the refusal tells the way round."""
    sound = make("audio_prompts", name="Aviso", text="Um momento.")
    first = make("ivrs", name="Principal", number="3000")
    change(first, options={"1": {"ivr": "Principal"}})
    make("announcements", name="Espere", prompts=[sound.name], destination={"ivr": "Principal"})
    for target in ({"ivr": "Principal"}, {"announcement": "Espere"}, {"option": "1"}):
        with pytest.raises(Refused) as why:
            change(first, default_destination=target)
        db.session.rollback()
        assert why.value.field == "default_destination" and "Principal" in str(why.value)
    other = make("announcements", name="Outro", prompts=[sound.name], destination={"announcement": "Espere"})
    with pytest.raises(Refused):
        change(TABLE["announcements"].find("Espere"), destination={"announcement": other.name})
    db.session.rollback()
    with pytest.raises(Refused):
        change(other, destination={"announcement": "Outro"})
    db.session.rollback()


def test_the_form_adds_options_as_lines_and_keeps_what_was_typed_when_refused(carla):
    """IVR-10: a key that stands twice is told at its line, with everything still there."""
    make_extension("1001")
    base = {"name": "Principal", "number": "3000", "mode": "basic", "timeout_seconds": "4", "attempts": "3", "default_destination-type": "option",
            "default_destination-option": "2", "options-0-key": "2", "options-0-destination-type": "extension", "options-0-destination-extension": "1001"}
    twice = base | {"options-4-key": "2", "options-4-destination-type": "hangup"}
    answer = carla.send("/ivrs/new", twice)
    assert answer.status_code == 422 and "A tecla 2 aparece duas vezes." in text_of(answer)
    assert answer.text.count('name="options-0-key"') == answer.text.count('name="options-1-key"') == 1
    assert carla.send("/ivrs/new", base).status_code == 302
    row = TABLE["ivrs"].find("Principal")
    assert TABLE["ivrs"].show(row)["default_destination"] == {"option": "2"}
    page = carla.get(f"/ivrs/{row.id}")
    assert 'name="options-0-key"' in page.text
    fresh = carla.get("/ivrs/_line/options-4").text
    assert 'name="options-4-destination-type"' in fresh and '<option value="5" selected>' in fresh
    assert "2 Ramal 1001" in text_of(carla.get("/ivrs")) or "2 ramal 1001" in text_of(carla.get("/ivrs"))


def test_an_extension_a_menu_leads_to_is_not_deleted():
    """IVR-10: the refusal names the menu."""
    ana = make_extension("1001")
    make("ivrs", name="Principal", number="3000", options={"1": {"extension": "1001"}})
    with pytest.raises(Refused, match="Principal"):
        TABLE["extensions"].delete(ana)
    db.session.rollback()


def test_a_menus_extension_is_one_number_among_all():
    """IVR-01."""
    make_extension("3000")
    assert "number" in refused("ivrs", name="Principal", number="3000")
