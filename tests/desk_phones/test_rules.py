"""The rows of desk phones, and what stands in their files."""

from xml.etree import ElementTree

import pytest

from appliance import sitefile
from appliance.db import db
from appliance.desk_phones import files, models
from appliance.desk_phones.model import key_of
from appliance.errors import Refused
from appliance.resource import TABLE
from tests.build import change, company, make, make_class, make_extension

pytestmark = pytest.mark.usefixtures("app")


def make_phone(extension, mac="00:0b:82:12:34:56", model="GXP1625", **values):
    return make("desk_phones", mac=mac, extension=extension.number, brand=models.BY_NAME[model].brand, model=model, **values)


def refusal(**values):
    with pytest.raises(Refused) as why:
        TABLE["desk_phones"].create({"mac": "00:0b:82:12:34:56", "extension": "2001", "brand": "grandstream", "model": "GXP1625"} | values)
    db.session.rollback()
    return why.value


@pytest.mark.parametrize("text", ["00:0B:82:12:34:56", "000b82123456", "00-0b-82-12-34-56", "000b.8212.3456", " 00 0B 82 12 34 56 "])
def test_a_mac_is_the_same_however_it_is_written(text):
    """EXT-09: a twin is found in every spelling, by the API, the site file and a list."""
    make_extension("2001", devices=2)
    phone = make("desk_phones", mac=text, extension="2001", brand="grandstream", model="gxp-1625")
    assert (phone.mac, phone.model) == ("00:0b:82:12:34:56", "GXP1625")
    assert TABLE["desk_phones"].find(text.strip()).id == phone.id
    assert "00:0b:82:12:34:56" in refusal(mac="00-0B-82-12-34-56").messages["mac"]
    report = sitefile.load(f'bentevi: 1\ndesk_phones: [{{mac: "{text}", model: GXP1630}}]\n')
    assert report.created == [] and len(report.updated) == 1 and phone.model == "GXP1630"


@pytest.mark.parametrize("text", ["00:0b:82:12:34", "00:0b:82:12:34:5g", "000b821234567", "GXP1625", "00:0b:82:12:34:56:78", "1,1E+11",
                                  "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"])  # fmt: skip
def test_a_mac_that_is_none_or_no_single_device_is_refused_in_words(text):
    """EXT-09."""
    make_extension("2001")
    assert len(refusal(mac=text).messages["mac"]) > 20


def test_models_without_a_known_format_and_of_another_brand_are_refused(carla):
    """SYS-06: a model whose file nobody knows is not pretended to work."""
    make_extension("2001")
    unknown = refusal(brand="intelbras", model="TIP 125i")
    assert "TIP 125i" in unknown.messages["model"] and unknown.link == "/desk_phones/models"
    assert "Khomp" in refusal(model="IPS 200").messages["model"]
    assert "GXP9999" in refusal(model="GXP9999").messages["model"]
    form = carla.get("/desk_phones/new").text
    assert "GXP1625" in form and "S3002" in form and "TIP 125i" not in form


def test_an_extension_has_no_more_phones_than_may_register():
    """EXT-09: the second one would throw the first one out."""
    ana = make_extension("2001")
    make_phone(ana)
    why = refusal(mac="00:0b:82:00:00:02")
    assert "2001" in why.messages["extension"] and why.link == f"/extensions/{ana.id}"
    change(ana, devices=2)
    make_phone(ana, mac="00:0b:82:00:00:02")


def test_a_phone_goes_with_its_extension_and_follows_its_number():
    ana = make_extension("2001")
    phone = make_phone(ana)
    change(ana, number="2055")
    db.session.refresh(phone)
    assert phone.extension == "2055"
    TABLE["extensions"].delete(ana)
    db.session.commit()
    assert list(TABLE["desk_phones"].rows()) == []


def test_turning_provisioning_or_the_phone_book_on_waits_for_no_apply():
    """EXT-09, EXT-12: nothing of it stands in a file of Asterisk."""
    from appliance import applying, changes

    ana = make_extension("2001")
    applying.now("test")
    change(ana, provisioning=True, hide_in_phonebook=True)
    make_phone(ana)
    assert changes.pending() == []


ODD = "A<b>&\"c'd; e=#%\u00c1\u65e5"


@pytest.mark.parametrize("model", ["IPS 200", "GXP1625", "S3002", "TIP 200", "HT801"])
def test_what_a_person_typed_ends_no_value(model):
    """SYS-01: names and passwords with every sign come out of the file as they went in."""
    from tests.desk_phones.devices import KINDS

    ana = make_extension("2001", name=ODD, password="<p>&\"'x;y=#]]>--")
    phone = make_phone(ana, model=model)
    text, kind = files.configuration(phone, ana, "k" * 27, files.Place("pabx.example:8443", True))
    reader = next((cls for cls, name in KINDS.values() if name == model), KINDS["grandstream"][0])
    account = reader(phone.brand, phone.mac).read(text) if model != "HT801" else None
    if account is None:  # an adapter has no phone book to be told
        codes = {one.tag: one.text for one in ElementTree.fromstring(text.encode()).find("config")}
        assert codes["P34"] == ana.password and "P331" not in codes
        return
    assert (account.name, account.password, account.user) == (ODD, ana.password, "2001")
    assert account.address == f"https://pabx.example:8443/provisioning/{phone.brand}/{'k' * 27}/"
    assert account.page_password == phone.admin_password and kind == ("text/plain" if model == "TIP 200" else "application/xml")


def test_a_line_break_in_a_value_begins_no_line_of_its_own():
    assert "evil" in files._in_line("a\nevil = 1\r\u2028b") and "\n" not in files._in_line("a\nevil = 1\r\u2028b")
    assert files._in_xml("a\x00\x0b\ufffeb<") == "ab&lt;"


def test_what_is_left_of_a_changed_device_opens_nothing():
    """SYS-01: another MAC, brand or model is another device; another extension is the same one."""
    from appliance.desk_phones import doors

    ana, bia = make_extension("2001", provisioning=True), make_extension("2002", provisioning=True)
    phone = make_phone(ana)
    doors.open_window(phone)
    db.session.commit()
    change(phone, extension="2002")
    assert key_of(phone.id) is not None and bia.number == phone.extension
    change(phone, mac="00:0b:82:99:99:99")
    assert key_of(phone.id) is None


def test_language_zone_voicemail_and_codes_are_the_company_s():
    """SYS-02, SYS-03."""
    mailing = make_class("Com correio", voicemail=True)
    ana = make_extension("2001", **{"class": mailing.name})
    khomp, grandstream = make_phone(ana, model="IPS 212"), None
    place = files.Place("127.0.0.1:8080", False)
    text = files.configuration(khomp, ana, "k" * 27, place)[0]
    assert 'TimeZoneType="9"' in text and 'Language="6"' in text and 'CallLeaveMessageNum="*97"' in text and "190" in text
    TABLE["desk_phones"].delete(khomp)
    company(timezone="America/Manaus", language="en")
    change(TABLE["feature_codes"].find(""), directed_pickup="*79")
    grandstream = make_phone(ana)
    text = files.configuration(grandstream, ana, "k" * 27, place)[0]
    assert "<P246>BRT+4</P246>" in text and "<P1362>en</P1362>" in text and "<P1347>*79</P1347>" in text and "<P33>*97</P33>" in text


def test_every_model_says_how_sure_it_is():
    """SYS-06: none claims a test with a device, and none without a file claims one."""
    assert {model.brand for model in models.MODELS} == set(models.BRANDS) and len(models.BY_NAME) == len(models.MODELS)
    for model in models.MODELS:
        assert model.tested_on is None and (model.state == models.NOT_KNOWN) == (model.format == ""), model.name
    for brand in models.BRANDS:
        assert len([model for model in models.MODELS if model.brand == brand and model.format]) >= 2
