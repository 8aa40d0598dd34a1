"""Rows that no form would take, put into the database behind the product's back: named before they do harm, or harmless.

Every kind, and the guard that stops it:

    form      refused when it is typed: tests/test_resources.py (wrong types and limits of every field), tests/test_sitefile.py
    render    a value that would write a line, an expression or an argument of its own: below, tests/telephony/test_rules.py
    check     unknown applications, Goto nowhere, missing sounds, unclosed sections, unknown options, two owners of one name:
              below where a row can cause it, tests/telephony/test_rules.py (BROKEN) where only a template could
    shadow    a value only Asterisk can judge: below, tests/telephony/test_apply.py
    look      a value wrong only after the switch: tests/telephony/test_apply.py (tampered files, lost brackets, passwords)
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError

from appliance import applying, config_files, settings
from appliance.db import db
from appliance.resource import TABLE
from appliance.revisions.model import Attempt, newest_number
from appliance.telephony import runtime, store
from tests.build import make_extension, make_inbound_route, make_internal_route, make_outbound_route, make_profile, make_trunk

pytestmark = pytest.mark.usefixtures("app")


@dataclass
class Broken:
    """A value in a column (or, with `key`, in the first line kept in it), and who stops it."""

    word: str
    column: str
    value: Any
    guard: str
    code: str
    key: str = ""


BROKEN = {
    "a line break in a name": Broken("extensions", "name", "Ana\n[9999]\ntype = endpoint", "render", "line_break"),
    "a carriage return in a name": Broken("extensions", "name", "Ana\r[9999]", "render", "line_break"),
    "a nought in a name": Broken("extensions", "name", "Ana\0", "render", "line_break"),
    "a variable in a name": Broken("extensions", "name", "${SHELL(id)}", "render", "dialplan_expression"),
    "an expression in a name": Broken("extensions", "name", "$[1+1]", "render", "dialplan_expression"),
    "a bracket in a number": Broken("extensions", "number", "1]", "render", "bad_name"),
    "a template mark in a number": Broken("extensions", "number", "1(!)", "render", "bad_name"),
    "a line of the dialplan in a number": Broken("extensions", "number", "9,1,Answer()", "render", "bad_name"),
    "a line break in a password": Broken("extensions", "password", "x\ntype = endpoint", "render", "line_break"),
    "a line of the dialplan in a mask": Broken("internal_routes", "rules", "9,1,Answer()", "render", "bad_pattern", "mask"),
    "a letter in a mask": Broken("outbound_routes", "rules", "9A", "render", "bad_pattern", "mask"),
    "a line break in a prefix": Broken("outbound_routes", "rules", "4\nexten => x", "render", "line_break", "prepend"),
    "a second argument in a prefix": Broken("outbound_routes", "rules", "48,x", "render", "bad_argument", "prepend"),
    "an end of arguments in a caller ID": Broken("outbound_routes", "rules", "48)x", "render", "bad_argument", "caller_id"),
    "a second channel in an outside number": Broken("internal_routes", "rules", "telephone:48&PJSIP/2001", "render", "bad_argument", "destination"),
    "a jump into nothing": Broken("internal_routes", "rules", "extension:987654", "check", "missing_extension", "destination"),
    "a trunk that is gone": Broken("outbound_routes", "rules", 987654, "check", "missing_context", "trunk"),
    "an unknown codec": Broken("trunks", "codecs", ["alaw", "g729x"], "check", "unknown_codec"),
    "an option in a list of codecs": Broken("trunks", "codecs", ["alaw\nauth = 2001"], "render", "line_break"),
    "a trunk's user that is an extension": Broken("trunks", "username", "2001", "check", "duplicate_section"),
    "a bracket in a trunk's user": Broken("trunks", "username", "a]b", "render", "bad_name"),
    "a line break in a host": Broken("trunks", "host", "a\nmatch = 0.0.0.0/0", "render", "line_break"),
    "a line of the dialplan in an emergency number": Broken("company", "emergency_numbers", ["190", "1,1,Answer()"], "render", "bad_pattern"),
    "a line of the dialplan in the outside line": Broken("company", "external_line_prefix", "0,1,Answer()", "render", "bad_pattern"),
    "a line break in an address of the SIP page": Broken("sip", "external_ip", "1.2.3.4\n[x]", "render", "line_break"),
    "a number of devices that is no number": Broken("extensions", "devices", "many", "shadow", "asterisk_complains"),
}
# Longer than the column, no text, no number: SQLite stores them, PostgreSQL itself is the guard.
NOT_ON_POSTGRESQL = {"a nought in a name", "a line of the dialplan in a number", "a line of the dialplan in the outside line",
                     "a number of devices that is no number"}  # fmt: skip


@pytest.fixture
def rows(app):
    """A small company in force."""
    ana = make_extension("2001", name="Ana")
    make_trunk("Operadora", 5099)
    make_trunk("Gateway", 5060, authentication="receives_registration", username="gateway", password="segredo-gw")
    make_outbound_route("Local", {"mask": "9XXX", "external_line": True, "prepend": "48", "trunk": "Operadora"})
    make_profile("Completo", "Local")
    make_internal_route("Caixa", {"mask": "77", "destination": {"extension": "2001"}})
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "2001"}})
    attempt = applying.now("good")
    assert attempt.state == "done", [applying.told(found) for found in attempt.findings]
    return ana


def put(broken):
    """Write the value with SQL; the row's id."""
    resource = TABLE[broken.word]
    table = resource.model.__table__
    wanted = table.c.authentication == "receives_registration" if broken.column == "username" else table.c.id > 0
    if broken.word == "trunks" and broken.column != "username":
        wanted = table.c.authentication == "by_ip"
    row_id, stored = db.session.execute(select(table.c.id, table.c[broken.column]).where(wanted).order_by(table.c.id)).first()
    value = broken.value
    if broken.key:
        value = [stored[0] | {broken.key: value, **({"force_caller_id": True} if broken.key == "caller_id" else {})}]
    if broken.word == "sip":
        db.session.execute(text("UPDATE sip SET nat = :yes"), {"yes": True})
    if broken.column == "password":
        from appliance.db import seal
        value = seal(value)
    raw = json.dumps(value) if isinstance(value, list) else value
    db.session.execute(text(f"UPDATE {table.name} SET {broken.column} = :value WHERE id = :id"), {"value": raw, "id": row_id})
    db.session.commit()
    db.session.expire_all()
    return row_id


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_is_refused_with_its_screen_and_the_old_revision_stays(rows, name):
    """Caught by the guard named in the table, before the running exchange reads a line of it."""
    broken, before = BROKEN[name], newest_number()
    if db.engine.dialect.name == "postgresql" and name in NOT_ON_POSTGRESQL:
        with pytest.raises((StatementError, ValueError)):
            put(broken)
        db.session.rollback()
        return
    row_id = put(broken)
    attempt = applying.now(name)
    findings = [applying.told(found) for found in attempt.findings]
    assert attempt.state == "failed", "it came into force"
    assert [step["name"] for step in attempt.steps if step["state"] == "failed"] == [broken.guard], (attempt.steps, findings)
    mine = [found for found in findings if found["code"] == broken.code]
    assert mine, findings
    path = TABLE[broken.word].path(row_id)
    assert path in [found["path"] for found in mine], findings
    assert newest_number() == before == store.in_force(settings.load())
    assert all(found["text"] and "\n" not in found["text"] for found in findings)


HARMLESS = {
    "a semicolon in a name": ("Ana; Bia", "Ana; Bia"),
    "a comment in a name": ("Ana ;-- x", "Ana ;-- x"),
    "quotes and angles in a name": ('Ana "x" <190> \\', "Ana x 190"),
    "a comma and brackets in a name": ("Ana, (loja) [1]", "Ana, (loja) [1]"),
    "an arrow in a name": ("exten => 1", "exten = 1"),
}


def test_signs_that_mean_something_to_asterisk_stay_text(rows):
    """One apply for all: each name comes back from the live Asterisk as text."""
    numbers = {}
    for index, (name, shown) in enumerate(HARMLESS.values()):
        numbers[f"21{index:02}"] = shown
        make_extension(f"21{index:02}", name=name)
    attempt = applying.now("signs")
    assert attempt.state == "done", [applying.told(found) for found in attempt.findings]
    for number, shown in numbers.items():
        said = runtime.command(runtime.control(settings.load()), f"pjsip show endpoint {number}")
        assert f'"{shown}" <{number}>' in said, said
        assert "context                            : bentevi-from-extension" in said


def test_an_unknown_option_of_a_supplier_is_never_written(rows):
    """TRK-13: put behind the form, it is passed over."""
    db.session.execute(text("UPDATE trunks SET extra = :extra"), {"extra": json.dumps({"aors": "2001", "max_contact": "1", "context": "x"})})
    db.session.commit()
    assert applying.now("extra").state == "done"
    written = store.files_of(settings.load(), newest_number())["bentevi/trunks.pjsip.conf"]
    assert "max_contact =" not in written and "aors = 2001" not in written and "context = x" not in written


def test_a_mistake_of_ours_leaves_the_revision_and_the_next_apply_works(rows, monkeypatch):
    """A template without its end: not caught, told as ours; the attempt does not run for ever."""
    from jinja2 import TemplateSyntaxError

    from appliance.telephony.render import _environment

    before = newest_number()
    make_extension("2002")
    with monkeypatch.context() as broken:
        broken.setitem(config_files.FILES, "sip.pjsip.conf", lambda: _environment().from_string("{% for x in y %}"))
        with pytest.raises(TemplateSyntaxError):
            applying.now("ours")
    db.session.rollback()
    assert store.in_force(settings.load()) == newest_number() == before
    attempt = applying.now("again")
    assert attempt.state == "done" and newest_number() == before + 1
    assert not db.session.scalars(select(Attempt).where(Attempt.state == "running")).all()
