"""Addresses: what a test put into force is taken out again, with its counts."""

from collections.abc import Iterator

import pytest
from flask import Flask

from appliance import live
from appliance.addresses import force
from appliance.db import db
from tests.rows import first_start_rows


@pytest.fixture
def addresses(app: Flask) -> Iterator[None]:
    """Nobody is kept out and nothing is counted, before and after."""
    _forget()
    force.put()
    yield
    first_start_rows()
    _forget()
    force.put()


def _forget() -> None:
    db.session.rollback()
    store = live.connection()
    for key in store.scan_iter("guesses:*"):
        store.delete(key)
