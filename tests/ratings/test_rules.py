"""Ratings as rows, and the scores as a person and a program read them."""

from datetime import timedelta

import pytest

from appliance import db as ground
from appliance import sitefile
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


def test_a_site_file_may_leave_out_what_becomes_of_the_call_afterwards():
    """SVY-08: as on the form it ends then; written empty it is missing."""
    sitefile.load("bentevi: 1\nratings: [{name: Atendente}]\n")
    assert TABLE["ratings"].show(TABLE["ratings"].find("Atendente"))["on_finish"] == {"hangup": True}
    with pytest.raises(sitefile.Mistakes, match="on_finish"):
        sitefile.load("bentevi: 1\nratings: [{name: Produto, on_finish: ''}]\n")
    db.session.rollback()


def test_a_sheet_of_scores_gives_the_figures_reckoned_by_hand(carla, client):
    """SVY-01, SVY-05, USR-18: zero is a score and “no score” is none; a rating that was deleted or renamed keeps its scores; by queue and by cost centre;
    page, API and CSV say the same."""
    make_cost_centre("Loja")
    shop, other = make_extension("1001", cost_centre="Loja"), make_extension("1002")
    zero_to_nine, gone = make("ratings", name="Zero a nove", min_score=0, max_score=9), make("ratings", name="Antiga")
    sales, support = make("queues", name="Vendas", number="2500"), make("queues", name="Suporte", number="2501")
    for score, queue, who in ((0, sales, shop), (0, sales, shop), (9, sales, other), (None, sales, other), (4, support, other), (None, None, shop)):
        given(zero_to_nine, score, queue=queue, call=make_call(to=who))
    given(gone, 1, queue=support, call=make_call(to=other))
    given(gone, None, queue=support, call=make_call(to=other))
    TABLE["ratings"].delete(gone)
    db.session.commit()
    change(zero_to_nine, name="Nota geral")
    given(zero_to_nine, 7, queue=support, call=make_call(to=other))
    day = {"start": (ground.now() - timedelta(days=2)).date().isoformat(), "end": (ground.now() + timedelta(days=1)).date().isoformat()}

    def averages(visitor, **more):
        found = visitor.get("/api/v1/rating_scores", query_string=day | more | {"limit": "100"}).json
        rows = visitor.get("/rating_scores.csv", query_string=day | more).text.splitlines()[1:]
        assert sorted(str(row["score"]) if row["score"] is not None else "" for row in found["rows"]) == sorted(line.rsplit(";", 1)[1] for line in rows)
        return {one["rating"]: (one["asked"], one["given"], one["mean"]) for one in found["averages"]}

    assert averages(carla) == {"Nota geral": (7, 5, 4.0), "Antiga": (2, 1, 1.0)}  # (0 + 0 + 9 + 4 + 7) / 5
    assert averages(carla, queue=str(sales.id)) == {"Nota geral": (4, 3, 3.0)}   # (0 + 0 + 9) / 3
    assert averages(carla, queue=str(support.id)) == {"Nota geral": (2, 2, 5.5), "Antiga": (2, 1, 1.0)}
    assert averages(carla, answer="none") == {"Nota geral": (2, 0, None), "Antiga": (1, 0, None)}
    page = text_of(carla.get("/rating_scores", query_string=day))
    assert "4 Nota geral · 5 de 7 deram nota" in page and "1 Antiga · 1 de 2 deram nota" in page
    assert "– Nota geral · 0 de 2 deram nota" in text_of(carla.get("/rating_scores", query_string=day | {"answer": "none"}))
    shopkeeper = person(client, "bruno.lima", modules=["rating_scores"], cost_centres=["Loja"])
    assert averages(shopkeeper) == {"Nota geral": (3, 2, 0.0)}
    assert "0 Nota geral · 2 de 3 deram nota" in text_of(shopkeeper.get("/rating_scores", query_string=day))


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
