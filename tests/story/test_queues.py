"""Queues over real calls: who rings and when, what callers hear, where calls go that nobody takes."""

import pytest

from tests.build import make, make_extension, make_queue

pytestmark = pytest.mark.pbx


def test_smoke(pbx, phone):
    ana, bruno = make_extension("1000"), make_extension("1001")
    queue = make_queue("2000", bruno)
    pbx.apply()
    print(pbx.ask("queue show"))
    a, b = phone(ana), phone(bruno)
    call = a.call("2000")
    there = b.answer()
    assert call.talks_with(there)
    there.hang_up()
    call.wait_ended()
    print(pbx.ask("queue show"))
    print(pbx.log()[-3000:])
    assert 0
