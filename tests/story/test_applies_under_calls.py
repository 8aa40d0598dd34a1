"""SYS-17: applies while calls are up; each changes an extension, a route and a trunk or class that a call is using."""

import pytest

from appliance.db import db
from tests.build import change, make_class, make_extension, make_outbound_route, make_profile, make_trunk

pytestmark = pytest.mark.pbx


@pytest.mark.parametrize(("calls", "applies"), [(6, 3), pytest.param(50, 100, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_no_call_is_dropped_by_applies(pbx, phone, carrier, calls, applies):
    """Half of the calls inside, half through a trunk; after all applies everybody still hears everybody."""
    trunk = make_trunk("A", carrier.port, call_limit=200)
    route = make_outbound_route("Fora", {"mask": "9XXXXXXXX", "trunk": "A"})
    kind = make_class("Outra")
    profile = make_profile("Completo", "Fora").name
    rows = [make_extension(str(2000 + one), dialing_profile=profile, **{"class": "Outra"}) for one in range(calls)]
    called = [make_extension(str(3000 + one)) for one in range(calls // 2)]
    pbx.apply()
    handsets, others = [phone(row) for row in rows], [phone(row) for row in called]
    pairs = []
    for one, handset in enumerate(handsets):
        call = handset.call(called[one // 2].number if one % 2 else f"9{one:08d}")
        there = others[one // 2].answer() if one % 2 else None
        call.wait_answered()
        pairs.append((call, there or carrier.received[-1]))
    for number in range(applies):
        change(rows[number % calls], name=f"Pessoa {number}")
        change(route, rules=[{"mask": "9XXXXXXXX", "trunk": "A"}, {"mask": f"8{number:06d}X", "trunk": "A"}])
        if number % 2:
            change(trunk, caller_id=f"48{number:08d}")
        else:
            change(kind, ring_timeout_seconds=10 + number % 50)
        db.session.rollback()
        pbx.apply()
        assert all(call.state == there.state == "up" for call, there in pairs)
    assert all(call.talks_with(there) for call, there in pairs)
