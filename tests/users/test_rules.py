"""Rules about one person."""

import pytest
from click.testing import CliRunner

from appliance.cli import bentevi
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from tests.build import make_extension, make_user


def test_a_person_has_an_extension_that_cannot_be_deleted_meanwhile(app):
    """USR-14: the extension is bound by its number, follows a new number, and is not deleted under the person."""
    ana = make_extension("1000")
    person = make_user("ana.souza", extension="1000")
    assert TABLE["users"].show(person)["extension"] == "1000"
    TABLE["extensions"].update(ana, {"number": "1010"})
    assert TABLE["users"].show(person)["extension"] == "1010"
    with pytest.raises(Refused, match=r"ana\.souza"):
        TABLE["extensions"].delete(ana)


def test_an_extension_that_does_not_exist_is_refused_for_a_person(app):
    """USR-14."""
    with pytest.raises(Refused) as why:
        make_user("ana.souza", extension="7777")
    assert "7777" in why.value.messages["extension"]


def test_a_new_password_from_the_console_unlocks_and_a_dry_run_changes_nothing(app):
    """SYS-19, USR-04."""
    person = make_user("ana.souza", name="Ana Souza")
    person.wrong_passwords = 3
    db.session.commit()
    before = person.password
    db.session.rollback()  # the command has a transaction of its own
    said = CliRunner().invoke(bentevi, ["user", "password", "ana.souza", "--dry-run"], catch_exceptions=False).stdout
    db.session.expire_all()
    assert "Ana Souza" in said and "nothing changed" in said and (person.password, person.wrong_passwords) == (before, 3)
    db.session.rollback()
    said = CliRunner().invoke(bentevi, ["user", "password", "ana.souza"], catch_exceptions=False).stdout
    db.session.expire_all()
    assert "shown only now" in said and person.password != before and person.wrong_passwords == 0 and person.must_change_password
    db.session.rollback()
    assert CliRunner().invoke(bentevi, ["user", "password", "nobody", "--dry-run"]).exit_code != 0
