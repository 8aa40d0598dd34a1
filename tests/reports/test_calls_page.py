"""The call report on the screen: filters, sums, pages, story (REP-01 to REP-04)."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from appliance.calls import totals
from appliance.calls.model import ANSWERED, INBOUND, Call
from appliance.db import db
from tests.bench.many import many_calls
from tests.build import change, company, make_call, make_user
from tests.reports.conftest import CLIENT, DAY, MAIN, MONTH, OTHER
from tests.visitor import person, text_of

ALL = list(range(1, 13))
TABLE = [  # filters → calls found
    ({}, ALL),
    ({"start": "2026-11-11"}, [12]),
    ({"end": "2026-11-10"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ({"start": "2026-11-10", "start_time": "10:00", "end": "2026-11-10", "end_time": "12:00"}, [2, 3]),
    ({"start": "10/11/2026 10:00", "end": "10/11/2026 12:00:01"}, [2, 3, 4]),
    ({"direction": "received"}, [1, 2, 3, 4, 12]),
    ({"direction": "made"}, [5, 6, 7, 8, 9, 10, 11]),
    ({"domain": "internal"}, [9, 10, 11]),
    ({"domain": "external"}, [1, 2, 3, 4, 5, 6, 7, 8, 12]),
    ({"direction": "received", "domain": "internal"}, []),
    ({"from_number": CLIENT, "from_match": "exact"}, [1, 2]),
    ({"from_number": "9999912", "from_match": "exact"}, []),
    ({"from_number": "9999912"}, [1, 2]),
    ({"from_number": "200"}, [5, 6, 7, 8, 9, 10, 11]),
    ({"from_number": "2001", "from_match": "exact"}, [5, 7, 9]),
    ({"to_number": MAIN, "to_match": "exact"}, [1, 2, 3, 12]),
    ({"to_number": "3013-901"}, [1, 2, 3, 4, 12]),
    ({"to_number": "2001", "to_match": "exact"}, [1, 3, 10, 11]),
    ({"to_number": CLIENT}, [5, 6]),
    ({"to_number": "+1 212 555-1234", "to_match": "exact"}, [8]),
    ({"from_number": CLIENT, "to_number": MAIN}, [1, 2]),
    ({"from_cost_centre": "shop"}, [5, 7, 9]),
    ({"to_cost_centre": "shop"}, [1, 3, 10, 11]),
    ({"from_cost_centre": "office"}, [6, 10]),
    ({"to_cost_centre": "office"}, [2, 9]),
    ({"from_cost_centre": "shop", "to_cost_centre": "office"}, [9]),
    ({"from_cost_centre": "shop", "to_cost_centre": "shop", "join": "or"}, [1, 3, 5, 7, 9, 10, 11]),
    ({"from_cost_centre": "shop", "from_number": "2001", "to_number": CLIENT}, [5]),
    ({"state": "answered"}, [1, 3, 5, 7, 8, 9, 11, 12]),
    ({"state": "no_answer"}, [2, 6, 10]),
    ({"state": "not_answered"}, [2, 4, 6, 10]),
    ({"trunk": "one"}, [1, 2, 5, 6, 12]),
    ({"trunk": "two", "direction": "made"}, [7, 8]),
    ({"extension": "2001"}, [1, 3, 5, 7, 9, 10, 11]),
    ({"extension": "2003", "domain": "external"}, [4, 8, 12]),
    ({"extension": "9999"}, []),
    ({"protocol": "20261115-77"}, [12]),
]


@pytest.mark.parametrize("filters,expected", TABLE, ids=[" ".join(f"{k}={v}" for k, v in filters.items()) or "none" for filters, _e in TABLE])
@pytest.mark.database
def test_each_filter_finds_and_excludes_what_the_table_says(twelve, found, filters, expected):
    """REP-01, EXT-05, CFG-12: twelve calls; the page lists exactly these and its sums count as many."""
    rows = {"shop": twelve.shop.id, "office": twelve.office.id, "one": twelve.one.id, "two": twelve.two.id}
    assert found(**{name: rows.get(text, text) for name, text in filters.items()}) == expected


WRITTEN = ["(48) 99999-1234", "48999991234", "048 99999-1234", "+55 48 99999-1234", "5548999991234", "99999-1234", "+55 (48) 9.9999-1234"]


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize("match", ["exact", "partial"])
@pytest.mark.database
def test_a_number_is_found_however_the_country_writes_it(found, text, match):
    """REP-01: rows hold digits with country code."""
    assert found(from_number=text, from_match=match) == [1, 2]
    assert found(to_number=text, to_match=match) == [5, 6]


def test_or_with_one_number_gives_both_ways_and_and_gives_none(found):
    """REP-02."""
    same = {"from_number": CLIENT, "from_match": "exact", "to_number": CLIENT, "to_match": "exact"}
    assert found(join="or", **same) == [1, 2, 5, 6]
    assert found(join="and", **same) == found(**same) == []
    assert found(join="or", from_number="99999", to_number="99999") == [1, 2, 5, 6]
    assert found(join="or", from_number=CLIENT, to_number=MAIN, to_match="exact") == [1, 2, 3, 12]
    assert found(join="or", from_number=CLIENT) == [1, 2], "one side alone is itself"


def test_results_come_only_after_the_button(twelve, carla):
    """REP-04."""
    page = carla.get("/calls").text
    assert "Gerar relatório" in page and "/calls/1" not in page and 'class="sum"' not in page
    assert 'class="sum"' in carla.get("/calls", query_string=MONTH).text


@pytest.mark.database
def test_the_sums_are_those_of_the_rows_whatever_is_asked(twelve, carla):
    """REP-04: by roll-ups, by rows, and by both at the edges of hours."""
    edges = MONTH | {"start": "2026-11-10", "start_time": "09:30", "end": "2026-11-10", "end_time": "17:30"}
    for asked in (MONTH, edges, MONTH | {"extension": "2001"}, MONTH | {"state": "not_answered"}, MONTH | {"to_cost_centre": twelve.shop.id}):
        page = carla.get("/calls", query_string=asked).text
        ids = [int(row) for row in re.findall(r'href="/calls/(\d+)"', page)]
        calls = list(db.session.scalars(select(Call).where(Call.id.in_(ids))))
        shown = re.findall(r'class="sum"><b>([^<]+)</b>', page)
        answered = [call for call in calls if call.state == ANSWERED]
        assert shown[:3] == [str(len(calls)), str(len(answered)), str(len(calls) - len(answered))]
        assert shown[5] == duration(sum(call.talk_seconds for call in calls))


def duration(seconds):
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def test_a_call_that_lasts_is_in_no_report_until_it_ends(app, carla):
    make_call(DAY, over=False)
    assert "Nenhuma ligação" in text_of(carla.get("/calls", query_string=MONTH))
    assert carla.get("/api/v1/calls", query_string=MONTH).json["count"] == 0


@pytest.mark.parametrize("filters,name,told", [
    ({"start": "2026-11-20", "end": "2026-11-10"}, "end", "O fim vem antes do início"),
    ({"start": "2026-11-20", "start_time": "10:00", "end": "2026-11-20", "end_time": "10:00"}, "end", "O fim vem antes do início"),
    ({"start": "1986-11-20", "end": "2026-11-10"}, "start", "Escolha um ano de 2000 a 2099"),
    ({"start": "2000-01-01", "end": "2040-01-01"}, "end", "no máximo 10 anos"),
    ({"start": "2026-13-41", "end": "2026-12-01"}, "start", "não existe"),
    ({"start": "31/02/2026", "end": "2026-12-01"}, "start", "não existe"),
    ({"start": "yesterday", "end": "2026-12-01"}, "start", "não é um dia"),
    ({"start": "2026-11-01", "end": ""}, "end", "Escreva um dia"),
    ({"start": "2026-11-01\0", "end": "2026-11-02"}, "start", "não é um dia"),
    ({"start": "9999-12-31", "end": "9999-12-31"}, "start", "Escolha um ano"),
    ({"start": "٢٠٢٦-11-01", "end": "2026-11-02"}, "start", "não é um dia"),
    ({"start": "2026-11-01", "start_time": "25:00", "end": "2026-11-02"}, "start", "não existe"),
    ({"from_number": "%"}, "from_number", "não é um telefone"),
    ({"from_number": "'; DROP TABLE calls; --"}, "from_number", "não é um telefone"),
    ({"to_number": "\0"}, "to_number", "não é um telefone"),
    ({"to_number": "9" * 10_000}, "to_number", "não é um telefone"),
    ({"to_number": "٤٨"}, "to_number", "não é um telefone"),
    ({"extension": "20_1"}, "extension", "não é o número de um ramal"),
    ({"protocol": "'\""}, "protocol", "não é um protocolo"),
    ({"direction": "sideways"}, "direction", "não é nenhuma das opções"),
    ({"state": "open"}, "state", "não é nenhuma das opções"),
    ({"join": "xor"}, "join", "não é nenhuma das opções"),
    ({"trunk": "99999"}, "trunk", "Este tronco não existe"),
    ({"trunk": "1 OR 1=1"}, "trunk", "Este tronco não existe"),
    ({"from_cost_centre": "99999"}, "from_cost_centre", "não existe, ou você não pode"),
    ({"to_cost_centre": "%"}, "to_cost_centre", "não existe, ou você não pode"),
])
def test_what_cannot_be_asked_is_told_at_its_field_and_stays_as_typed(twelve, carla, filters, name, told):
    """REP-01: on the page, in the CSV and in the API."""
    asked = MONTH | filters
    for path in ("/calls", "/calls.csv"):
        answer = carla.get(path, query_string=asked)
        assert answer.status_code == 422 and told in re.search(rf'id="wrong-{name}">([^<]*)<', answer.text)[1]
    answer = carla.get("/api/v1/calls", query_string=asked)
    assert answer.status_code == 422 and told in answer.json["fields"][name]
    assert db.session.scalar(select(func.count()).select_from(Call)) == 12


@pytest.mark.database
def test_days_are_the_companys_and_a_period_is_half_open(app, carla):
    """SYS-22: 00:30 in São Paulo is 03:30 UTC of the same day; in Manaus it is still the day before."""
    make_call(datetime(2026, 11, 10, 3, 30, tzinfo=UTC), from_="5548999990001")
    make_call(datetime(2026, 11, 10, 3, 0, tzinfo=UTC), from_="5548999990002")
    make_call(datetime(2026, 11, 11, 3, 0, tzinfo=UTC), from_="5548999990003")

    def origins():
        rows = carla.get("/api/v1/calls", query_string={"start": "2026-11-10", "end": "2026-11-10"}).json["rows"]
        return sorted(row["from"]["number"][-1] for row in rows)

    assert origins() == ["1", "2"]
    assert "10/11/2026 00:30:00" in carla.get("/calls", query_string=MONTH).text
    company(timezone="America/Manaus")
    assert origins() == ["3"]


@pytest.mark.database
def test_pages_walk_down_and_up_without_losing_or_repeating_a_call_while_new_ones_arrive(app, carla):
    """REP-04: keyset pages; several calls bear the same instant."""
    calls = [make_call(DAY + timedelta(minutes=minute // 4), from_=f"55489{minute:08}") for minute in range(125)]
    seen, address = [], "/calls?report=1&start=2026-11-01&end=2026-11-30"
    pages = [address]
    while address:
        text = carla.get(address).text
        seen += [int(row) for row in re.findall(r'<a href="/calls/(\d+)"', text)]
        make_call(DAY + timedelta(days=1, seconds=len(seen)))  # arrives meanwhile, newer than all
        link = re.search(r'rel="next" href="([^"]+)"', text)
        address = link and link[1].replace("&amp;", "&")
        pages += [address] if address else []
    assert seen == [call.id for call in reversed(calls)]
    back = re.search(r'rel="prev" href="([^"]+)"', carla.get(pages[2]).text)[1].replace("&amp;", "&")
    middle = carla.get(back).text
    assert re.findall(r'<a href="/calls/(\d+)"', middle) == [str(row) for row in seen[50:100]]
    assert 'rel="prev"' in middle and 'rel="next"' in middle


def test_a_broken_mark_is_the_first_page(twelve, carla):
    for mark in ("x", "-1", "1-", "9" * 30 + "-1", "0-0", "\0"):
        for name in ("older", "newer"):
            assert carla.get("/calls", query_string=MONTH | {name: mark}).status_code == 200


def test_a_hundred_thousand_calls_page_by_page_with_the_sums_of_plain_sql(app, carla):
    """REP-04: the first page comes by the index, sums equal a plain sum."""
    many_calls(110_000, datetime(2026, 1, 1, tzinfo=UTC), days=300)
    asked = {"report": "1", "start": "2026-01-05", "start_time": "10:17", "end": "2026-09-20", "end_time": "16:43"}
    page = carla.get("/calls", query_string=asked).text
    start, end = datetime(2026, 1, 5, 13, 17, tzinfo=UTC), datetime(2026, 9, 20, 19, 43, tzinfo=UTC)
    where = (Call.started_at >= start, Call.started_at < end)
    count, talk, wait = db.session.execute(select(func.count(), func.sum(Call.talk_seconds), func.sum(Call.wait_seconds)).where(*where)).one()
    answered = db.session.scalar(select(func.count()).where(*where, Call.state == ANSWERED))
    shown = [text.replace(".", "") for text in re.findall(r'class="sum"><b>([^<]+)</b>', page)]
    assert shown[:3] == [str(count), str(answered), str(count - answered)] and 60_000 < count < 100_000
    assert shown[3] == duration(round(wait / count)) and shown[5] == duration(talk)
    newest = list(db.session.scalars(select(Call.id).where(*where).order_by(Call.started_at.desc(), Call.id.desc()).limit(50)))
    assert [int(row) for row in re.findall(r'<a href="/calls/(\d+)"', page)] == newest
    exact = asked | {"from_number": db.session.get(Call, newest[0]).from_number, "from_match": "exact"}
    number = db.session.scalar(select(func.count()).where(*where, Call.from_number == exact["from_number"]))
    assert carla.get("/api/v1/calls", query_string=exact).json["count"] == number
    part = {"start": "2025-12-31", "end": "2026-12-31", "join": "or", "from_number": "8000012", "to_number": "8000012"}
    holds = Call.from_number.contains("8000012") | Call.to_number.contains("8000012") | Call.reached_number.contains("8000012")
    number = db.session.scalar(select(func.count()).where(holds))
    assert carla.get("/api/v1/calls", query_string=part).json["count"] == number > 10, "of so many calls first among the numbers"


# --------------------------------------------------------------------------------------------------------- cost centres


def test_people_see_only_calls_and_filter_values_of_the_cost_centres_given_to_them(twelve, client, found):
    """USR-18, CFG-12: without a cost centre's permission its filter value is absent; a crafted one is refused."""
    ana = person(client, "ana.souza", modules=["reports"], cost_centres=["Loja"])
    seen = [1, 3, 5, 7, 9, 10, 11]
    assert found(ana) == seen
    assert found(ana, from_cost_centre=twelve.shop.id) == [5, 7, 9]
    assert found(ana, from_number=CLIENT) == [1] and found(ana, extension="2002") == [9, 10]
    page = ana.get("/calls").text
    assert ">Loja</option>" in page and "Escritório" not in page
    for name in ("from_cost_centre", "to_cost_centre"):
        for path in ("/calls", "/calls.csv", "/api/v1/calls"):
            assert ana.get(path, query_string=MONTH | {name: twelve.office.id}).status_code == 422
    for number, call in enumerate(twelve.calls, 1):
        expected = 200 if number in seen else 404
        assert ana.get(f"/calls/{call.id}").status_code == ana.get(f"/api/v1/calls/{call.id}").status_code == expected
    assert ana.get("/calls.csv", query_string=MONTH).text.count("\r\n") == len(seen) + 1
    assert ana.get("/api/v1/calls", query_string=MONTH).json["count"] == len(seen)
    assert "20261115-77" not in ana.get("/search?q=20261115-77").text
    everybody = person(client, "bruno", modules=["reports"])
    assert found(everybody) == ALL and "Escritório" in everybody.get("/calls").text
    assert found(person(client, "diana", administrator=True, cost_centres=["Loja"])) == ALL, "administrators see all"


def test_taking_a_cost_centre_away_works_at_the_next_page(twelve, client, found):
    """USR-18."""
    user = make_user("ana.souza", modules=["reports"], cost_centres=["Loja", "Escritório"])
    ana = client.application.test_client().is_person(user)
    assert 2 in found(ana)
    change(user, cost_centres=["Loja"])
    assert 2 not in found(ana) and ana.get(f"/calls/{twelve.calls[1].id}").status_code == 404


# ------------------------------------------------------------------------------------------------------------- the story


def test_a_call_opens_as_a_story(app, carla):
    """Steps with times, names of the time, who hung up and why."""
    call = make_call(DAY, steps=True, from_="5548999991234", from_name="João <b>", to=MAIN, reached="2001", reached_name="Ana", wait=12, talk=95,
                     cause=16, trunk="Operadora", hold_seconds=5)
    page = text_of(carla.get(f"/calls/{call.id}"))
    for said in ("João <b> (48) 99999-1234", "(48) 3013-9018", "2001 Ana", "09:00:00", "09:00:12", "+0:12", "1:35", "chamado, fim normal (causa 16)",
                 call.protocol, "Operadora", "em espera: 0:05", "2001 Ana toca por"):
        assert said in page, said
    assert "João <b>" not in carla.get(f"/calls/{call.id}").text


def test_a_call_of_which_little_is_known_opens_too(app, carla):
    bare = make_call(DAY, from_="", to="", cause=0, hang_up_side="")
    page = text_of(carla.get(f"/calls/{bare.id}"))
    assert "número oculto" in page and "Nenhum passo" in page
    assert carla.get(f"/calls/{bare.id + 1}").status_code == 404
    assert carla.get("/calls/99999999999").status_code == 404


def test_the_api_tells_the_same_call(app, carla):
    call = make_call(DAY, steps=True)
    told = carla.get(f"/api/v1/calls/{call.id}").json
    assert told["started_at"] == "2026-11-10T12:00:00Z" and told["answered"] and told["direction"] == INBOUND
    assert [step["kind"] for step in told["steps"]] == ["arrived", "ring", "answer", "end"]
    listed = carla.get("/api/v1/calls", query_string={"start": "2026-11-10", "end": "2026-11-10"}).json
    assert listed["rows"] == [{name: value for name, value in told.items() if name != "steps"}] and listed["next"] is None
    described = carla.get("/api/v1/openapi.json").json
    assert {"start", "from_number", "join"} <= {one["name"] for one in described["paths"]["/api/v1/calls"]["get"]["parameters"]}
    assert "/api/v1/calls/{call_id}" in described["paths"]


def test_the_api_goes_on_with_next(app, carla):
    ids = [make_call(DAY + timedelta(seconds=second)).id for second in range(7)]
    seen, after = [], ""
    while after is not None:
        answer = carla.get("/api/v1/calls", query_string={"start": "2026-11-10", "end": "2026-11-10", "limit": 3, "after": after}).json
        seen, after = seen + [row["id"] for row in answer["rows"]], answer["next"]
        assert answer["count"] == 7
    assert seen == ids[::-1]


def test_the_search_in_the_head_finds_calls_by_protocol_and_number(twelve, carla, client):
    """CFG-13."""
    assert f"/calls/{twelve.calls[11].id}" in carla.get("/search?q=20261115-77").text
    assert f"/calls/{twelve.calls[5].id}" in carla.get("/search", query_string={"q": "(48) 99999-1234"}).text
    nobody = person(client, "davi.souza", modules=["extensions"])
    assert "/calls" not in nobody.get("/search?q=20261115-77").text and "/calls" not in nobody.get("/search?q=ligações").text


# ----------------------------------------------------------------------------------------------------------- permissions


def test_who_may_not_open_reports_gets_none_of_it(twelve, client):
    """USR-18: the menu is gone and every address answers 403; nobody at all without logging in."""
    davi = person(client, "davi.souza", modules=["extensions", "cost_centres", "recordings"])
    nobody = client.application.test_client()
    call = twelve.calls[0].id
    paths = ["/calls", "/calls?report=1", "/calls.csv", f"/calls/{call}", "/api/v1/calls", f"/api/v1/calls/{call}", "/reports", "/reports/_rows",
             "/reports/1/file", "/calls?report=1&from_number=48", "/calls/99999999"]
    for path in paths:
        assert davi.get(path).status_code == 403, path
        assert nobody.get(path).status_code == (401 if path.startswith("/api/") else 302), path
    for path in ("/reports", "/reports/1/cancel", "/reports/1/delete", "/reports/_seen"):
        assert davi.send(path, {"format": "xlsx"}).status_code == 403, path
        assert nobody.post(path).status_code == 302, path
    assert "/calls" not in davi.get("/extensions").text
    assert davi.get("/calls", headers={"HX-Request": "true"}).status_code == 403
    assert davi.get("/calls.csv", headers={"Authorization": "Bearer x"}).status_code == 403
    assert davi.open("/calls", method="HEAD").status_code == 403


# ------------------------------------------------------------------------------------------------------------- roll-ups


@pytest.mark.database
def test_the_roll_ups_are_the_rows_after_calls_come_change_and_go(app):
    """Rebuilt conversations: the difference of before and after is what is added."""
    import random

    dice = random.Random(7)
    for number in range(60):
        make_call(DAY + timedelta(minutes=dice.randrange(600)), state=dice.choice(["answered", "no_answer", "busy"]), talk=dice.randrange(500),
                  wait=dice.randrange(90), direction=dice.choice(["inbound", "outbound", "internal"]), over=bool(number % 9),
                  from_cost_centre_id=dice.choice([None, 1, 2]), to_cost_centre_id=dice.choice([None, 1, 2]))
    for call in dice.sample(list(db.session.scalars(select(Call))), 25):
        before = totals.contribution(call)
        if dice.random() < 0.3:
            db.session.delete(call)
            after = {}
        else:
            call.talk_seconds, call.state = dice.randrange(500), dice.choice(["answered", "failed"])
            call.ended_at = call.started_at + timedelta(seconds=700)
            call.started_at += timedelta(minutes=dice.randrange(-90, 90))
            after = totals.contribution(call)
        totals.add(totals.difference([before], [after]))
    db.session.commit()
    expected = counted()
    assert kept(totals.CallTotal, 5) == expected
    hours = {}
    for key_and_values in expected:
        hours[key_and_values[:3]] = [a + b for a, b in zip(hours.get(key_and_values[:3], [0] * 5), key_and_values[5:], strict=True)]
    assert kept(totals.CallHour, 3) == sorted((*key, *values) for key, values in hours.items())


def kept(table, keys):
    rows = db.session.execute(select(*table.__table__.columns)).all()
    return sorted(tuple(row) for row in rows if any(row[keys:]))


def counted():
    """The same from the rows, one by one."""
    sums = {}
    for call in db.session.scalars(select(Call)):
        for key, values in totals.contribution(call).items():
            sums[key] = [one + more for one, more in zip(sums.get(key, [0] * 5), values, strict=True)]
    return sorted((*key, *values) for key, values in sums.items())


@pytest.mark.database
def test_an_answer_from_another_side_is_counted_once(twelve, carla):
    """A call that fits both sides of an “or” is one call in list and sums."""
    both = make_call(DAY, from_=OTHER, to=OTHER)
    answer = carla.get("/api/v1/calls", query_string=MONTH | {"join": "or", "from_number": OTHER, "to_number": OTHER, "from_match": "exact",
                                                             "to_match": "exact"}).json
    assert answer["count"] == len(answer["rows"]) == 4 and both.id in {row["id"] for row in answer["rows"]}
