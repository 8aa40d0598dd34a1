"""The ledger of missed calls: which conversations get a line, what answers one, the page and the API."""

from datetime import timedelta

import pytest

from appliance import db as ground
from appliance.calls.model import CLOSED, DESTINATION, NO_ANSWER, OUTBOUND, QUEUE, REFUSAL, REFUSED, CallStep
from appliance.db import db
from appliance.missed_calls import record
from appliance.missed_calls.model import MissedCall
from tests.build import make_call, make_cost_centre, make_extension, make_internal_call, make_queue
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("app")
CALLER = "5548999991234"


def missed(call, *more):
    """Put a conversation into the ledger as the records process does, with steps of queues and hours besides its own."""
    steps = [*call.steps, *more]
    record.stored([(call, steps)])
    db.session.commit()
    return db.session.scalar(db.select(MissedCall).where(MissedCall.call_id == call.id))


def step(kind, result="", word="queues", row_id=7, at=None):
    return CallStep(kind=kind, at=at or ground.now(), ended_at=None, word=word, row_id=row_id, name="Suporte", number="", result=result, detail={})


def unanswered(minutes=60, **values):
    return make_call(ground.now() - timedelta(minutes=minutes), state=NO_ANSWER, **{"from_": CALLER, "steps": True} | values)


@pytest.mark.parametrize("steps,reason", [
    ([], "unanswered"), ([step(QUEUE, "abandoned")], "abandoned"), ([step(QUEUE, "timeout")], "timeout"), ([step(QUEUE, "empty")], "no_agents"),
    ([step(QUEUE, "full")], "full"), ([step(CLOSED, word="business_hours")], "out_of_hours"), ([step(CLOSED, word="calendar_events")], "holiday"),
])
def test_every_way_of_not_being_answered_has_its_reason(app, steps, reason):
    """QUE-36: holiday, out of hours, nobody, giving up, and the others, with number and time."""
    call = unanswered()
    row = missed(call, *steps)
    assert (row.reason, row.number, row.at, row.state) == (reason, CALLER, call.started_at, "open")
    assert row.queue == ("Suporte" if steps and steps[0].kind == QUEUE else "")
    assert missed(call, *steps).id == row.id, "told again it is the same line"


def test_who_was_answered_refused_or_called_out_has_no_line(app):
    """QUE-36: and a line goes when the conversation, built again, was answered."""
    assert missed(make_call(from_=CALLER, steps=True)) is None
    assert missed(unanswered(direction=OUTBOUND)) is None
    assert missed(make_call(from_=CALLER), step(QUEUE, "answered")) is None, "however short it was"
    assert missed(make_call(from_=CALLER, state=REFUSED, steps=True)) is None
    ana, bruno = make_extension("1001"), make_extension("1002")
    assert missed(make_internal_call(ana, bruno, state=NO_ANSWER, steps=True)) is None
    call = unanswered()
    assert missed(call)
    call.state = "answered"
    assert missed(call, step("answer", word="extensions")) is None


@pytest.mark.parametrize("reason,steps", [
    ("no_agents", [step(QUEUE, "empty"), step(REFUSAL, "no profile for overflows", word="")]),
    ("timeout", [step(QUEUE, "timeout"), step(REFUSAL, "overflow abroad is closed", word="")]),
    ("out_of_hours", [step(CLOSED, word="business_hours"), step(REFUSAL, "daily limit of overflow calls", word="")]),
    ("unanswered", [step(DESTINATION, word="ivrs"), step(REFUSAL, "more than 20 destinations", word="")]),
    ("", [step(DESTINATION, word="ivrs"), step(REFUSAL, "blacklist", word="blacklists")]),
    ("", [step(REFUSAL, "no inbound route", word="")]),
])
def test_who_was_sent_on_and_refused_there_was_missed(app, reason, steps):
    """QUE-36: the exchange could not send the call where the queue or the hours lead; a listed caller, and one who never came in, is none."""
    row = missed(make_call(from_=CALLER, state=REFUSED, steps=True), *steps)
    assert (row.reason if row else "") == reason


def test_a_queue_that_was_only_asked_to_help_is_not_the_one_it_was_missed_in(app):
    """QUE-20, QUE-36."""
    asked = step(QUEUE, "skipped empty", row_id=8)
    asked.name = "Ajuda"
    row = missed(unanswered(), step(QUEUE, "empty"), asked)
    assert (row.reason, row.queue, row.queue_id) == ("no_agents", "Suporte", 7)


def test_an_internal_caller_who_gave_up_in_a_queue_is_called_back_inside(app):
    """QUE-36."""
    ana, bruno = make_extension("1001"), make_extension("1002")
    row = missed(make_internal_call(ana, bruno, state=NO_ANSWER), step(QUEUE, "abandoned"))
    missed(make_internal_call(bruno, ana, ground.now() - timedelta(minutes=2), steps=True))
    db.session.refresh(row)
    assert row.state == "returned" and "1002" in row.resolved_by


@pytest.mark.parametrize("dialled", [CALLER, "554899991234"])
def test_a_later_answered_call_to_the_number_returns_it(app, dialled):
    """QUE-36: by whom and after how long; also when the ninth digit is not dialled."""
    ana = make_extension("1001", name="Ana")
    row = missed(unanswered(minutes=60))
    missed(make_call(ground.now() - timedelta(minutes=50), from_=ana, to=dialled, direction=OUTBOUND, state=NO_ANSWER, steps=True))
    db.session.refresh(row)
    assert row.state == "open", "not answered"
    back = make_call(row.ended_at + timedelta(seconds=290), from_=ana, to=dialled, direction=OUTBOUND, steps=True)
    missed(back)
    db.session.refresh(row)
    assert (row.state, row.resolved_by, row.resolving_call_id, row.after_seconds) == ("returned", "1001 Ana", back.id, 300)


def test_who_calls_again_and_is_answered_needs_no_call_back(app):
    """QUE-36: called again; an answer of before, and another number, do not count."""
    row = missed(unanswered(minutes=30))
    bruno = make_extension("1002", name="Bruno")
    missed(make_call(ground.now() - timedelta(minutes=45), from_=CALLER, to=bruno, steps=True))
    missed(make_call(ground.now() - timedelta(minutes=5), from_="5548999990000", to=bruno, steps=True))
    db.session.refresh(row)
    assert row.state == "open"
    missed(make_call(ground.now() - timedelta(minutes=5), from_=CALLER, to=bruno, steps=True))
    db.session.refresh(row)
    assert (row.state, row.resolved_by) == ("called_again", "1002 Bruno")


def test_an_answer_that_was_stored_first_counts_too(app):
    """Lines of a call may come late: the ledger does not depend on the order."""
    ana = make_extension("1001", name="Ana")
    missed(make_call(ground.now() - timedelta(minutes=5), from_=ana, to=CALLER, direction=OUTBOUND, steps=True))
    assert missed(unanswered(minutes=30)).state == "returned"


def test_the_page_shows_filters_and_closes(carla):
    """QUE-36: open ones first; by reason, number and day; closed with a note that stays."""
    queue = make_queue("2000", name="Suporte")
    first = missed(unanswered(), step(QUEUE, "abandoned", row_id=queue.id))
    second = missed(unanswered(from_="5511988887777"))
    page = carla.get("/missed_calls")
    assert "(48) 99999-1234" in text_of(page) and "(11) 98888-7777" in text_of(page)
    for query, rows in (("reason=abandoned", [first.id]), (f"queue={queue.id}", [first.id]), ("number=8888", [second.id]), ("state=closed", []),
                        ("start=2001-01-01&end=2001-01-02", []), ("state=nonsense", [])):  # fmt: skip
        text = carla.get(f"/missed_calls?{query}").text
        assert [row for row in (first.id, second.id) if f'data-missed="{row}"' in text] == rows, query
    assert carla.get("/missed_calls?start=nonsense").status_code == 422
    carla.send(f"/missed_calls/{first.id}/close", {"note": ""})
    db.session.refresh(first)
    assert first.state == "open", "a note is wanted"
    carla.send(f"/missed_calls/{first.id}/close", {"note": "Resolvido pelo chat"})
    db.session.refresh(first)
    assert (first.state, first.note, first.resolved_by) == ("closed", "Resolvido pelo chat", "Carla")
    assert "Resolvido pelo chat" in text_of(carla.get("/missed_calls?state=all"))


def test_the_api_lists_pages_and_closes(carla, client):
    """QUE-36; and who has not the menu sees nothing."""
    rows = [missed(unanswered(minutes=60 - place)) for place in range(3)]
    page = carla.get("/api/v1/missed_calls?limit=2").json
    assert [row["id"] for row in page["rows"]] == [rows[2].id, rows[1].id] and page["count"] == 3
    assert [row["id"] for row in carla.get(f"/api/v1/missed_calls?limit=2&before={page['next']}").json["rows"]] == [rows[0].id]
    assert carla.api("PATCH", f"/api/v1/missed_calls/{rows[0].id}", {"note": "ok"}).json["state"] == "closed"
    assert carla.api("PATCH", f"/api/v1/missed_calls/{rows[0].id}", {"note": "ok"}).status_code == 422
    davi = person(client, "davi.reis", modules=["now"])
    assert davi.get("/missed_calls").status_code == 403 and davi.get("/api/v1/missed_calls").status_code == 403


def test_who_is_limited_to_cost_centres_sees_and_closes_only_their_calls(client):
    """QUE-36, USR-18: on the page, by the API, and when a line is closed by its number, as in every other report."""
    make_cost_centre("Loja")
    ana, bruno = make_extension("2001", cost_centre="Loja"), make_extension("2002")
    own, other = missed(unanswered(to=ana)), missed(unanswered(to=bruno, from_="5511988887777"))
    own_id, other_id = own.id, other.id
    davi = person(client, "davi.reis", modules=["missed_calls"], cost_centres=["Loja"])
    text = davi.get("/missed_calls").text
    assert f'data-missed="{own_id}"' in text and f'data-missed="{other_id}"' not in text
    page = davi.get("/api/v1/missed_calls").json
    assert ([row["id"] for row in page["rows"]], page["count"]) == ([own_id], 1)
    assert davi.send(f"/missed_calls/{other_id}/close", {"note": "meu"}).status_code == 404
    assert davi.api("PATCH", f"/api/v1/missed_calls/{other_id}", {"note": "meu"}).status_code == 404
    db.session.refresh(other)
    assert other.state == "open"
    assert davi.api("PATCH", f"/api/v1/missed_calls/{own_id}", {"note": "meu"}).json["state"] == "closed"
    davi.send(f"/missed_calls/{own_id}/close", {"note": "outra vez"})
    assert len(person(client, "eva.reis", modules=["missed_calls"]).get("/api/v1/missed_calls").json["rows"]) == 2
