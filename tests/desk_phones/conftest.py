"""Phones of these tests ask from one address; what one test asked in vain is forgotten before the next."""

import pytest


@pytest.fixture(autouse=True)
def fresh_limits(app):
    """The address of the tests may ask again."""
    from web.limits import limiter

    limiter.reset()
