"""What is true now, with real phones: events become live state, and what is done with a call in progress."""

import re
import time
from typing import Any

import pytest
from sqlalchemy import select

from appliance import changes, live, settings
from appliance.db import db
from appliance.events import EVENTS
from appliance.telephony import ami
from tests.build import make_extension, make_inbound_route, make_outbound_route, make_profile, make_trunk
from tests.player import until
from tests.streams import Streamed
from tests.visitor import person

pytestmark = pytest.mark.pbx


@pytest.fixture
def two(pbx, phone):
    """Ana and Bruno, their phones registered."""
    make_outbound_route("Fora", {"mask": "48XXXXXXXXX", "external_line": True, "trunk": make_trunk("Operadora", 5099).name})
    make_profile("Completo", "Fora")
    ana, bruno = (make_extension(number, name=name, dialing_profile="Completo") for number, name in (("2001", "Ana"), ("2002", "Bruno")))
    pbx.apply()
    db.session.commit()
    return phone(ana), phone(bruno)


def calls() -> dict[str, Any]:
    return live.now().rows("calls")


def test_a_call_is_seen_from_its_first_ring_to_its_end(two):
    ana, bruno = two
    call = ana.call("2002")
    there = bruno.wait_ringing()
    assert until(lambda: [row["state"] for row in calls().values()] == ["ringing"], 10)
    there.answer()
    assert until(lambda: [[leg["codec"] for leg in row["legs"]] for row in calls().values()] == [["alaw", "alaw"]], 10)
    (row,) = calls().values()
    assert row["state"] == "talking" and [leg["endpoint"] for leg in row["legs"]] == ["2001", "2002"]
    assert abs(row["started_at"] - time.time()) < 60
    call.hang_up()
    assert until(lambda: not calls(), 10)


def test_a_registration_is_seen_with_its_address_and_goes_away(two):
    """Registered with address and round trip; unregistered; and the state of the phone."""
    ana, _bruno = two

    def row() -> dict[str, Any]:
        return live.now().rows("extensions").get("2001", {})

    assert until(lambda: row().get("device") == "NOT_INUSE", 10)
    (contact,) = row()["contacts"].values()
    assert contact["address"].endswith(f":{ana.port}") and contact["is_reachable"] and contact["rtt_ms"] > 0
    ana.unregister()
    assert until(lambda: row()["device"] == "UNAVAILABLE" and row()["contacts"] == {}, 10)


def test_a_hold_is_written_into_queue_log_once_per_event(two, home):
    """By Asterisk itself, asked by the listener: the record files have no other trace of a hold."""
    ana, bruno = two
    file = settings.load().asterisk / "log" / "queue_log"
    before = file.read_text()

    def lines(word: str) -> list[list[str]]:
        return [line.split("|") for line in file.read_text()[len(before):].splitlines() if f"|{word}|" in line]

    call = ana.call("2002")
    bruno.answer()
    call.wait_answered()
    call.hold()
    assert until(lambda: len(lines("HOLD")) == 1, 10)
    call.resume()
    assert until(lambda: len(lines("UNHOLD")) == 1, 10)
    _second, uniqueid, queue, channel, _word, at, linkedid = lines("HOLD")[0]
    assert queue == "NONE" and channel.startswith("PJSIP/2001-") and uniqueid == linkedid
    assert re.fullmatch(r"\d{10}\.\d{6}", at) and abs(float(at) - time.time()) < 60
    call.hang_up()
    assert len(lines("HOLD")) == len(lines("UNHOLD")) == 1


def test_two_legs_joined_by_a_transfer_are_one_call(two, pbx, phone):
    ana, bruno = two
    carlos = make_extension("2003", name="Carlos")
    pbx.apply()
    db.session.commit()
    third = phone(carlos)
    first = ana.call("2002")
    bruno.answer()
    first.hold()
    second = ana.call("2003")
    third.answer()
    second.wait_answered()
    assert until(lambda: sorted(row["state"] for row in calls().values()) == ["hold", "talking"], 10)
    first.transfer_to(second)
    assert until(lambda: [sorted(leg["endpoint"] for leg in row["legs"]) for row in calls().values()] == [["2002", "2003"]], 10)


def test_a_call_is_ended_from_the_page_and_the_api_and_the_trail_says_by_whom(two, carla):
    ana, bruno = two
    for how in ("page", "api"):
        call = ana.call("2002")
        there = bruno.answer()
        assert until(lambda: [row["state"] for row in calls().values()] == ["talking"], 10)
        (call_id,) = calls()
        if how == "page":
            assert "A ligação foi encerrada." in carla.send(f"/now/calls/{call_id}/hangup").text
        else:
            assert carla.api("DELETE", f"/api/v1/now/calls/{call_id}").status_code == 204
        call.wait_ended()
        there.wait_ended()
        change = db.session.scalar(select(changes.Change).order_by(changes.Change.id.desc()))
        assert (change.word, change.action, change.user_name, change.after) == ("calls", "hung_up", "Carla", {"call": call_id})
        db.session.rollback()
        assert until(lambda: not calls(), 10)
        assert "já terminou" in carla.send(f"/now/calls/{call_id}/hangup").text
        assert carla.api("DELETE", f"/api/v1/now/calls/{call_id}").status_code == 404
    assert "encerrou a ligação" in carla.get("/audit").text


def test_nobody_without_the_permission_sees_or_ends_a_call(two, client):
    """Page, post, API; with a forged name nothing reaches Asterisk."""
    ana, bruno = two
    call = ana.call("2002")
    bruno.answer()
    assert until(lambda: [row["state"] for row in calls().values()] == ["talking"], 10)
    (call_id,) = calls()
    davi = person(client, "davi.s", modules=["extensions"])
    assert 'id="calls"' not in davi.get("/").text and "data-live" not in davi.get("/").text
    assert davi.send(f"/now/calls/{call_id}/hangup").status_code == 403
    assert davi.api("GET", "/api/v1/now").status_code == 403
    assert davi.api("DELETE", f"/api/v1/now/calls/{call_id}").status_code == 403
    bruno_ = person(client, "bruno", modules=["now"])
    assert bruno_.post(f"/now/calls/{call_id}/hangup").status_code == 400  # no CSRF token
    assert bruno_.delete(f"/api/v1/now/calls/{call_id}").status_code == 400
    assert bruno_.get(f"/now/calls/{call_id}/hangup").status_code == 405
    trunks_only = person(client, "ana.s", modules=["trunks"])
    found = trunks_only.api("GET", "/api/v1/now").json
    assert [one["name"] for one in found["trunks"]] == ["Operadora"] and "calls" not in found and "extensions" not in found
    for forged in ("x", call_id + "%0d%0aAction:%20Originate", call_id + "%00", "PJSIP%2f2001-00000001", "*", call_id[:-1]):
        assert bruno_.api("DELETE", f"/api/v1/now/calls/{forged}").status_code == 404
    assert call.state == "up"
    assert bruno_.api("GET", "/api/v1/now").json["calls"][0]["state"] == "talking"
    assert bruno_.api("DELETE", f"/api/v1/now/calls/{call_id}").status_code == 204
    call.wait_ended()


def test_a_storm_of_events_loses_nothing_and_stops_nothing(two, carla):
    """Thousands of events, texts among them that froze the original library; the next change is shown."""
    ana, _bruno = two
    with Streamed("/live/extensions", carla.token) as stream, ami.actions(settings.load()) as asterisk:
        stream.wait("2001", "extensions")
        for number in range(5000):
            asterisk.ask({"Action": "UserEvent", "UserEvent": "Storm", "Text": f"{number} status will follow"})
        seen = len(stream.parts("extensions"))
        ana.unregister()
        assert until(lambda: any('data-state="offline"' in part.data for part in stream.parts("extensions")[seen:]), 20)


def test_a_caller_with_a_bad_name_is_shown_as_text_and_listening_goes_on(pbx, carrier, phone, carla):
    make_trunk("Operadora", carrier.port)
    ana = make_extension("2001", name="Ana")
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "2001"}})
    pbx.apply()
    db.session.commit()
    handset = phone(ana)
    with Streamed("/live/calls", carla.token) as stream:
        for name in ("<script>alert(1)</script>", "Queue status will follow", "EventList: Complete", "'><img src=x onerror=alert(1)>"):
            call = carrier.call("4830139018", caller="4833334444", caller_name=name)
            handset.wait_ringing()
            text = stream.wait("(48) 3333-4444", "calls").data
            assert "<script" not in text and "<img" not in text
            call.hang_up()
            assert until(lambda: not calls(), 10)
            stream.messages.clear()
    page = carla.get("/").text
    assert "<script>alert" not in page


def test_the_answer_to_an_originate_is_kept_for_whoever_asked(two):
    """By ActionID, in a stream of Redis."""
    ana, _bruno = two
    number = f"test-{time.time()}"
    with ami.actions(settings.load()) as asterisk:
        text = {"Action": "Originate", "Channel": "PJSIP/2001", "Application": "Wait", "Data": "1", "Async": "true", "ActionID": number}
        asterisk._send(ami._text(text))  # ask() sets an ActionID of its own
        ana.answer()
        with live.connection() as store:
            found = until(lambda: store.xrange(f"originate:{number}"), 10)
            assert '"Response": "Success"' in found[0][1]["event"] and 0 < store.ttl(f"originate:{number}") <= 3600


def test_every_event_has_functions_that_say_what_happened():
    """The table is the whole of what is listened to."""
    assert all(folds and all(fold.__doc__ for fold in folds) for folds in EVENTS.values())
