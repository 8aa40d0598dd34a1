"""Extensions that came by a CSV file are phones like any other."""

import pytest

from appliance.imports.model import STORED
from appliance.resource import TABLE
from tests.imports import files

pytestmark = pytest.mark.pbx


def test_imported_extensions_register_and_call_each_other(pbx, phone):
    """EXT-01, EXT-02, EXT-03, EXT-04: number, name and password of the file are what the phones use; the undo takes one away again."""
    text = "Ramal;Nome;Senha\r\n1000;Ana;secret-1000\r\n1001;\"Bruno; o padeiro\";secret-1001\r\n"
    assert files.stored("extensions", text.encode("cp1252")).state == STORED
    pbx.apply()
    ana, bruno = phone(TABLE["extensions"].find("1000")), phone(TABLE["extensions"].find("1001"))
    call = ana.call("1001")
    there = bruno.answer()
    assert call.talks_with(there)
    assert (there.caller_number, there.caller_name) == ("1000", "Ana")
    call.hang_up()
    there.wait_ended()


def test_after_the_undo_of_an_import_the_phone_is_refused(pbx, phones):
    """What a file brought and an undo took back has no effect any more."""
    from appliance import undo
    from appliance.db import db

    found = files.stored("extensions", b"number;name;password\r\n1000;Ana;secret-1000\r\n")
    pbx.apply()
    assert phones.unregistered("1000", "secret-1000").register() == 200
    assert undo.take_back_batch(found.batch) == (1, [])
    db.session.commit()
    pbx.apply()
    assert phones.unregistered("1000", "secret-1000").register() != 200
