"""Twelve calls of a day, and what the report pages say about them."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from appliance.calls import store
from appliance.calls.model import BUSY, NO_ANSWER, OUTBOUND
from appliance.db import db
from tests.build import company, make, make_call, make_cost_centre, make_extension, make_internal_call, make_trunk

DAY = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)  # 09:00 in São Paulo
TEN = datetime(2026, 11, 10, 13, 0, tzinfo=UTC)
MONTH = {"report": "1", "start": "2026-11-01", "end": "2026-11-30"}
CLIENT, OTHER, MAIN = "5548999991234", "551133334444", "554830139018"


def call_at(hours, maker, *words, **more):
    """A call so many hours after the first."""
    return maker(started_at=DAY + timedelta(hours=hours), *words, **more)  # noqa: B026


@pytest.fixture
def twelve(app):
    """Calls 1 to 12: in, out and inside, of two cost centres, by two trunks, with every kind of end."""
    company(area_code="48")
    shop, office = make_cost_centre("Loja"), make_cost_centre("Escritório")
    ana = make_extension("2001", name="Ana", cost_centre="Loja")
    bruno = make_extension("2002", name="Bruno", cost_centre="Escritório")
    davi = make_extension("2003", name="Davi")
    one, two = make_trunk("Operadora", 5070), make_trunk("Reserva", 5071)
    first, second = {"trunk_id": one.id, "trunk": one.name}, {"trunk_id": two.id, "trunk": two.name}
    out = {"direction": OUTBOUND}
    calls = [
        call_at(0, make_call, from_=CLIENT, to=MAIN, reached=ana, **first),                                      # 1
        call_at(1, make_call, from_=CLIENT, to=MAIN, reached=bruno, state=NO_ANSWER, **first),                   # 2
        call_at(2, make_call, from_=OTHER, to=MAIN, reached=ana, **second),                                      # 3
        call_at(3, make_call, from_=OTHER, to="554830139019", reached=davi, state=BUSY, **second),               # 4
        call_at(4, make_call, from_=ana, to=CLIENT, **first, **out),                                             # 5
        call_at(5, make_call, from_=bruno, to=CLIENT, state=NO_ANSWER, **first, **out),                          # 6
        call_at(6, make_call, from_=ana, to=OTHER, **second, **out),                                             # 7
        call_at(7, make_call, from_=davi, to="12125551234", **second, **out),                                    # 8
        call_at(8, make_internal_call, from_=ana, to=bruno),                                                     # 9
        call_at(9, make_internal_call, from_=bruno, to=ana, state=NO_ANSWER),                                    # 10
        call_at(10, make_internal_call, from_=davi, to=ana),                                                     # 11
        call_at(24 * 5, make_call, from_="", to=MAIN, reached=davi, protocol="20261115-77", **first),            # 12, withheld
    ]
    return SimpleNamespace(calls=calls, numbers={call.id: number for number, call in enumerate(calls, 1)}, shop=shop, office=office, ana=ana,
                           bruno=bruno, davi=davi, one=one, two=two)


@pytest.fixture
def found(twelve, carla):
    """`found(**filters)`: which of the twelve the page lists, by their numbers; checks that the sums count as many."""

    def listed(browser=carla, **filters):
        answer = browser.get("/calls", query_string=MONTH | filters)
        assert answer.status_code == 200, answer.text
        numbers = sorted(twelve.numbers[int(row)] for row in re.findall(r'href="/calls/(\d+)"', answer.text))
        assert int(re.search(r'class="sum"><b>(\d+)</b>', answer.text)[1]) == len(numbers)
        return numbers

    return listed


@pytest.fixture
def place(app):
    """Two queues, two IVRs, three members."""
    company(area_code="48")
    make_trunk("Operadora", 5070)
    make_cost_centre("Loja")
    people = {name: make_extension(number, name=name, cost_centre="Loja" if name == "Ana" else "") for name, number in
              (("Ana", "2001"), ("Bruno", "2002"), ("Davi", "2003"))}  # fmt: skip
    rows = {"sales": make("queues", name="Vendas", number="800"), "support": make("queues", name="Suporte", number="801"),
            "main": make("ivrs", name="Principal", number="3700"), "second": make("ivrs", name="Segunda", number="3701")}  # fmt: skip
    return SimpleNamespace(**people, **rows)


def stored(*calls, order=None):
    """Store the lines of these calls, all at once or in pieces as `order` says."""
    lines = [line for call in calls for line in call.lines]
    for piece in order(lines) if order else [lines]:
        store.store(piece)
        db.session.commit()
