"""Trunks and the lines of old manuals: what is accepted, translated or refused."""

import pytest

from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from appliance.sip import lines
from appliance.trunks import config
from tests.build import change, make_extension, make_trunk, sip

pytestmark = pytest.mark.usefixtures("app")

BLOCK = """context=default
allowguest=yes
language=pt-br
transport=udp
callcounter=yes
session-timers=refuse
videosupport=yes match_auth_username=yes
"""
MEANINGS = [  # TRK-21: line of the block, option of the endpoint, value
    (1, "context", "", "default"), (2, "allowguest", "allowguest", "yes"), (3, "language", "language", "pt_BR"), (4, "transport", "", "udp"),
    (5, "callcounter", "", "yes"), (6, "session-timers", "timers", "no"), (7, "videosupport", "video", "yes"),
    (7, "match_auth_username", "match_auth_username", "yes"),
]


def refused(field, make):
    """The words of a refusal at this field."""
    with pytest.raises(Refused) as why:
        make()
    db.session.rollback()
    assert field in why.value.messages, why.value.messages
    return why.value.messages[field]


def test_every_line_of_the_manuals_block_has_its_meaning():
    """TRK-21: two of them stand on one line."""
    found = lines.read_block(BLOCK)
    assert [(number, one.line.partition("=")[0], one.option, one.value) for number, one in found] == [
        (number, key, option, value if option or key in ("context", "transport", "callcounter") else "")
        for number, key, option, value in MEANINGS]
    assert all(one.meaning for _number, one in found)
    assert [one.warning for _number, one in found].count(True) == 1, "only unknown callers are warned of"


def test_an_unknown_line_of_the_block_is_refused_with_its_number():
    """TRK-21: nothing of it reaches a configuration."""
    said = refused("general_lines", lambda: sip(general_lines=BLOCK + "[general]\n; a comment\nexec=/bin/sh\n"))
    assert "10" in said and "exec" in said and "context=default" not in said
    for line in ("rtptimeout", "context=default\nexten => s", "timers=maybe", "#include x", "language=../../x", "videosupport=perhaps"):
        if not line.startswith("#"):
            refused("general_lines", lambda text=line: sip(general_lines=text))


def test_the_block_is_in_the_endpoints_and_unknown_callers_wait_for_a_confirmation():
    """TRK-21: language, timers, video and authentication user; allowguest alone opens nothing."""
    from appliance.extensions.config import pjsip_conf
    from appliance.sip.config import pjsip_conf as sip_conf

    make_extension("2001")
    sip(general_lines=BLOCK)
    text = pjsip_conf()
    for line in ("language = pt_BR", "timers = no", "identify_by = username,auth_username"):
        assert line in text, line
    assert "h264" in text and "[anonymous]" not in sip_conf()
    sip(allow_guests=True)
    assert "[anonymous]" in sip_conf()
    sip(general_lines="")
    assert "[anonymous]" not in sip_conf() and "timers" not in pjsip_conf()


def test_insecure_of_the_manual_is_translated():
    """TRK-13: accepted, shown in words, and no inbound password is asked."""
    found = lines.translate("insecure", "port,invite")
    assert isinstance(found, lines.Translation) and found.option == ""
    trunk = make_trunk("Operadora", 5099, extra={"insecure": "port,invite", "fromuser": "padaria"})
    text = config.pjsip_conf()
    assert "from_user = padaria" in text and "insecure" not in text
    assert "type = identify" in text and "\nauth = " not in text and f"[trunk-{trunk.id}]" in text


def test_an_unknown_extra_line_is_refused_with_its_number():
    """TRK-13: never written."""
    said = refused("extra", lambda: make_trunk("Operadora", 5099, extra={"insecure": "port,invite", "shellcmd": "x"}))
    assert "2" in said and "shellcmd" in said
    for value in ({"from_user": "a\nb"}, {"from_user": "a b"}, {"direct_media": "maybe"}, {"allowguest": "yes"}, {"outbound_proxy": "sip:x;y"}):
        refused("extra", lambda extra=value: make_trunk("Operadora", 5099, extra=extra))


def test_the_registration_string_of_the_manual_fills_user_password_host_and_line():
    """TRK-09: usuario:senha@host/tronco."""
    trunk = make_trunk("Operadora", 5060, host="", registration="padaria:s3nha@x/@127.0.0.1:5070/4830139018")
    assert (trunk.username, trunk.password, trunk.host, trunk.port, trunk.line) == ("padaria", "s3nha@x/", "127.0.0.1", 5070, "4830139018")
    assert trunk.authentication == "sends_registration" and trunk.registration == ""
    assert TABLE["trunks"].show(trunk)["username"] == "padaria" and "registration" not in TABLE["trunks"].show(trunk)
    text = config.pjsip_conf()
    assert "client_uri = sip:padaria@127.0.0.1:5070" in text and "contact_user = 4830139018" in text and "s3nha" not in text


@pytest.mark.parametrize("text", ["padaria", "padaria@host", "padaria:senha", "a:b@h:99999/1", "a:b@h/1 2", "á:b@host", "a:b@hóst", "a:b@h:٥٠",
                                  "a" * 41 + ":b@h", "a:b@h/" + "9" * 41])
def test_another_registration_string_is_refused(text):
    """TRK-09."""
    assert refused("registration", lambda: make_trunk("Operadora", 5060, registration=text))


def test_each_authentication_needs_its_fields():
    refused("host", lambda: make_trunk("A", 5060, host=""))
    refused("username", lambda: make_trunk("A", 5060, authentication="sends_registration", password="x"))
    refused("password", lambda: make_trunk("A", 5060, authentication="sends_registration", username="padaria"))
    refused("codecs", lambda: make_trunk("A", 5060, codecs=[]))
    gateway = make_trunk("A", 5060, authentication="receives_registration", username="gateway", host="")
    assert len(gateway.password) == 16 and gateway.generated == {"password": gateway.password}


@pytest.mark.parametrize("username", ["trunk-1", "anonymous"])
def test_a_user_name_kept_for_the_exchange_is_refused(username):
    assert refused("username", lambda: make_trunk("A", 5060, authentication="receives_registration", username=username))


def test_a_gateways_user_that_is_an_extension_is_refused_naming_it():
    make_extension("2001", name="Ana")
    said = refused("username", lambda: make_trunk("A", 5060, authentication="receives_registration", username="2001"))
    assert "2001 Ana" in said


def test_a_host_without_dns_keeps_the_addresses_it_had():
    trunk = make_trunk("A", 5060, host="localhost")
    assert trunk.addresses == ["127.0.0.1"]
    change(trunk, host="nowhere.invalid")
    assert trunk.addresses == ["127.0.0.1"]
