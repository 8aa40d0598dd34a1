"""Two people at the same moment: one gets it, the others are told; nothing is lost and nothing is an error of ours (SYS-23)."""

import threading
from collections import Counter

import pytest

from appliance.db import db
from appliance.numbering import Number
from appliance.resource import TABLE
from tests.build import change, make_extension
from tests.visitor import person

pytestmark = pytest.mark.database
AT_ONCE = 6


def at_once(client, ask):
    """`ask(visitor, number)` of several people side by side; what they were answered."""
    visitors = [person(client, f"pessoa{number}", administrator=True, access_level="admin") for number in range(AT_ONCE)]
    tokens = [visitor.csrf() for visitor in visitors]
    db.session.rollback()
    gate, found = threading.Barrier(AT_ONCE), []

    def go(number):
        gate.wait()
        found.append(ask(visitors[number], {"X-CSRFToken": tokens[number]}, number))

    threads = [threading.Thread(target=go, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_one_number_goes_to_one_of_those_who_want_it(app, client):
    found = at_once(client, lambda visitor, token, number: visitor.post(
        "/api/v1/extensions", json={"number": "2050", "name": f"Pessoa {number}"}, headers=token).status_code)
    assert Counter(found) == {201: 1, 422: AT_ONCE - 1}
    assert len(list(TABLE["extensions"].rows())) == 1 and db.session.query(Number).filter(Number.number == "2050").count() == 1


@pytest.mark.long
def test_one_name_goes_to_one_of_those_who_want_it(app, client):
    """A name is guarded by no number: only by looking before writing."""
    found = at_once(client, lambda visitor, token, number: visitor.post("/api/v1/cost_centres", json={"name": "Loja"}, headers=token).status_code)
    assert Counter(found) == {201: 1, 422: AT_ONCE - 1}


def test_what_is_pointed_at_is_not_removed_under_the_hand_that_points(app, client):
    """A rule's destination is no foreign key: the database itself would not see it."""
    ana = make_extension("2001").id
    db.session.rollback()

    def ask(visitor, token, number):
        if number % 2:
            return "deleted", visitor.delete(f"/api/v1/extensions/{ana}", headers=token).status_code
        body = {"name": f"Rota {number}", "rules": [{"mask": f"77{number}", "destination": {"extension": "2001"}}]}
        return "pointed", visitor.post("/api/v1/internal_routes", json=body, headers=token).status_code

    found = at_once(client, ask)
    pointed, deleted = (found.count((word, status)) for word, status in (("pointed", 201), ("deleted", 204)))
    assert (pointed and not deleted) or (deleted == 1 and not pointed), found
    assert all(status in (201, 204, 404, 409, 422) for _word, status in found), found


def test_changes_of_different_fields_at_once_are_all_kept(app, client):
    """Read, change, write: each builds on what the one before stored; the trail has every step."""
    from appliance.changes import Change

    row = make_extension("2001")
    change(row, name="Início")
    row_id, before = row.id, db.session.query(Change).count()
    db.session.rollback()
    at_once(client, lambda visitor, token, number: visitor.patch(f"/api/v1/extensions/{row_id}", json={"name": f"Nome {number}"}, headers=token))
    steps = db.session.query(Change).filter(Change.word == "extensions", Change.action == "updated").order_by(Change.id).all()[-AT_ONCE:]
    assert len({step.after["name"] for step in steps}) == AT_ONCE and before
    assert [step.before["name"] for step in steps[1:]] == [step.after["name"] for step in steps[:-1]], "each saw the one before"
