"""Ratings as rows, and the scores as a person and a program read them."""

from datetime import timedelta

import pytest

from appliance import db as ground
from appliance.db import db
from appliance.errors import Refused
from appliance.ratings.model import RatingScore
from appliance.resource import TABLE
from tests.build import change, make, make_call, make_cost_centre, make_extension
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("app")


def given(rating, score, *, queue=None, at=None, call=None, **values):
    """A stored score of one call."""
    call = call or make_call(at)
    row = RatingScore(**{"call_id": call.id, "at": call.started_at, "protocol": call.protocol, "customer": call.from_number, "rating_id": rating.id,
                         "rating": rating.name, "queue_id": queue.id if queue else None, "queue": queue.name if queue else "", "extension_id": None,
                         "extension": "1001", "extension_name": "Ana", "score": score} | values)
    db.session.add(row)
    db.session.commit()
    return row


@pytest.mark.parametrize("values,field", [
    ({"min_score": 5, "max_score": 5}, "max_score"), ({"min_score": 6, "max_score": 5}, "max_score"), ({"max_score": 100}, "max_score"),
    ({"attempts": 0}, "attempts"), ({"timeout_seconds": 61}, "timeout_seconds"), ({"on_finish": {"extension": "1001"}}, "on_finish"),
    ({"on_finish": {"rating": "Ninguém"}}, "on_finish-rating"),
])  # fmt: skip
def test_a_wrong_value_is_told_at_its_field(values, field):
    """SVY-04, SVY-05, SVY-08."""
    make_extension("1001")
    with pytest.raises(Refused) as why:
        make("ratings", name="Atendente", **values)
    db.session.rollback()
    assert field in (why.value.messages or {why.value.field: ""})


def test_a_cycle_of_ratings_is_refused_when_it_is_saved():
    """SVY-08: the refusal tells the way round; a chain is fine."""
    third = make("ratings", name="Empresa")
    make("ratings", name="Produto", on_finish={"rating": "Empresa"})
    make("ratings", name="Atendente", on_finish={"rating": "Produto"})
    for target in ("Atendente", "Empresa"):
        with pytest.raises(Refused) as why:
            change(third, on_finish={"rating": target})
        db.session.rollback()
        assert why.value.field == "on_finish" and "Empresa" in str(why.value)


def test_a_queue_keeps_its_ratings_in_order_and_keeps_them_from_being_deleted():
    """SVY-01."""
    rows = [make("ratings", name=name) for name in ("Atendente", "Produto")]
    queue = make("queues", name="Vendas", number="2500", ratings=["Produto", "Atendente"])
    assert TABLE["queues"].show(queue)["ratings"] == ["Produto", "Atendente"]
    with pytest.raises(Refused, match="Vendas"):
        TABLE["ratings"].delete(rows[0])
    db.session.rollback()


def test_scores_are_listed_with_their_averages_filtered_and_taken_as_csv(carla):
    """SVY-01: page, API and file agree; “no score” counts in no average."""
    agent, product = make("ratings", name="Atendente"), make("ratings", name="Produto")
    queue = make("queues", name="Vendas", number="2500")
    for score in (5, 4, None):
        given(agent, score, queue=queue)
    given(product, 2)
    given(agent, 1, at=ground.now() - timedelta(days=400))
    day = {"start": (ground.now() - timedelta(days=2)).date().isoformat(), "end": (ground.now() + timedelta(days=1)).date().isoformat()}
    page = text_of(carla.get("/rating_scores", query_string=day))
    assert "4,5 Atendente · 2 de 3 deram nota" in page and "2 Produto · 1 de 1 deram nota" in page and "sem nota" in page
    found = carla.get("/api/v1/rating_scores", query_string=day).json
    assert [row["score"] for row in found["rows"]].count(None) == 1 and len(found["rows"]) == 4
    assert found["averages"][0] == {"rating": "Atendente", "asked": 3, "given": 2, "mean": 4.5}
    narrowed = day | {"queue": str(queue.id), "answer": "given", "extension": "1001", "rating": str(agent.id)}
    assert sorted(row["score"] for row in carla.get("/api/v1/rating_scores", query_string=narrowed).json["rows"]) == [4, 5]
    assert carla.get("/api/v1/rating_scores", query_string=day | {"extension": "1002"}).json["rows"] == []
    lines = carla.get("/rating_scores.csv", query_string=day).text.splitlines()
    assert len(lines) == 5 and lines[0].endswith("Avaliação;Nota")
    first = carla.get("/api/v1/rating_scores", query_string=day | {"limit": "3"}).json
    rest = carla.get("/api/v1/rating_scores", query_string=day | {"limit": "3", "after": first["next"]}).json
    assert len(first["rows"]) == 3 and len(rest["rows"]) == 1 and rest["next"] is None


@pytest.mark.parametrize("asked,field", [({"start": "x"}, "start"), ({"rating": "999"}, "rating"), ({"queue": "x"}, "queue"), ({"answer": "maybe"}, "answer"),
                                         ({"extension": "12a"}, "extension")])  # fmt: skip
def test_a_wrong_filter_is_told_and_nothing_is_lost(carla, asked, field):
    """SVY-01."""
    answer = carla.get("/api/v1/rating_scores", query_string=asked)
    assert answer.status_code == 422 and field in answer.json["fields"]
    assert carla.get("/rating_scores", query_string=asked).status_code == 422
    assert carla.get("/rating_scores.csv", query_string=asked).status_code == 422


def test_scores_need_their_permission_and_follow_the_cost_centres_of_a_person(client):
    """SVY-01, USR-18."""
    shop, office = make_cost_centre("Loja"), make_cost_centre("Escritório")
    agent = make("ratings", name="Atendente")
    ana, bruno = make_extension("1001", cost_centre="Loja"), make_extension("1002", cost_centre="Escritório")
    given(agent, 5, call=make_call(to=ana))
    given(agent, 1, call=make_call(to=bruno))
    assert shop.id != office.id
    assert person(client, "davi.reis", modules=["now"]).get("/rating_scores").status_code == 403
    seen = person(client, "bruno.lima", modules=["rating_scores"], cost_centres=["Loja"]).get("/api/v1/rating_scores")
    assert [row["score"] for row in seen.json["rows"]] == [5]
