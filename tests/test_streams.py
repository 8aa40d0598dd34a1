"""The streams of live pages: who may open them, what they carry, and that nobody can break them for the others."""

import asyncio
import os
import re
import secrets
import signal
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import current_app
from sqlalchemy import delete

from appliance import changes, live, settings
from appliance.db import db
from appliance.resource import TABLE
from appliance.revisions.model import Attempt
from appliance.supervisor import read_state
from appliance.users import token as tokens
from appliance.users.model import by_login
from tests.build import make_extension, make_user
from tests.player import everything_answers, until
from tests.streams import Streamed
from tests.visitor import person
from web import live as streams
from web import panel


@pytest.fixture(autouse=True)
def _nothing_open(app):
    """The product may write while a stream is looked at."""
    db.session.commit()


def attempt_of(author: str) -> int:
    attempt = Attempt(at=changes.ground.now(), author=author, reason="", state="queued", steps=[], findings=[], warning="")
    db.session.add(attempt)
    db.session.commit()
    return attempt.id


# ------------------------------------------------------------------------------------------------------- who may listen


def nobody(client: Any) -> tuple[str, str, dict[str, str]]:
    return "/live/calls", "", {}


def an_invented_session(client: Any) -> tuple[str, str, dict[str, str]]:
    return "/live/calls", secrets.token_urlsafe(32), {}


def a_session_of_another_home(client: Any) -> tuple[str, str, dict[str, str]]:
    return "/live/calls", "", {"Cookie": f"bentevi_1={person(client, 'bruno', modules=['now']).token}"}


def who_logged_out(client: Any) -> tuple[str, str, dict[str, str]]:
    visitor = person(client, "bruno", modules=["now"])
    visitor.send("/logout")
    return "/live/calls", visitor.token, {}


def a_token_of_the_api(client: Any) -> tuple[str, str, dict[str, str]]:
    text = tokens.create(make_user("bruno", modules=["now"]), "t")
    db.session.commit()
    return "/live/calls", "", {"Authorization": f"Bearer {text}"}


def whose_password_changed(client: Any) -> tuple[str, str, dict[str, str]]:
    visitor = person(client, "bruno", modules=["now"])
    by_login("bruno").password = "-"
    db.session.commit()
    return "/live/calls", visitor.token, {}


def who_is_not_active(client: Any) -> tuple[str, str, dict[str, str]]:
    return "/live/calls", person(client, "bruno", modules=["now"], active=False).token, {}


def who_must_change_the_password(client: Any) -> tuple[str, str, dict[str, str]]:
    return "/live/calls", person(client, "bruno", modules=["now"], must_change_password=True).token, {}


def davi(client: Any) -> tuple[str, str, dict[str, str]]:
    return "/live/calls", person(client, "davi.s", modules=["extensions"]).token, {}


def davi_hides_it_behind_what_he_may(client: Any) -> tuple[str, str, dict[str, str]]:
    return "/live/trunks,calls", person(client, "davi.s", modules=["trunks"]).token, {}


def davi_asks_for_an_attempt_of_another(client: Any) -> tuple[str, str, dict[str, str]]:
    return f"/live/apply/{attempt_of('Carla')}", person(client, "davi.s", modules=["extensions"]).token, {}


def another_site(client: Any) -> tuple[str, str, dict[str, str]]:
    return "/live/calls", person(client, "bruno", modules=["now"]).token, {"Sec-Fetch-Site": "cross-site"}


REFUSED = [(nobody, 401), (an_invented_session, 401), (a_session_of_another_home, 401), (who_logged_out, 401), (a_token_of_the_api, 401),
           (whose_password_changed, 401), (who_is_not_active, 401), (who_must_change_the_password, 403), (davi, 403),
           (davi_hides_it_behind_what_he_may, 403), (davi_asks_for_an_attempt_of_another, 403), (another_site, 403)]  # fmt: skip


@pytest.mark.parametrize(("who", "status"), REFUSED, ids=[who.__name__ for who, _status in REFUSED])
def test_a_stream_is_refused_to(client, who, status):
    path, token, headers = who(client)
    with Streamed(path, token, headers=headers) as stream:
        assert stream.status == status
        assert until(lambda: stream.is_over, 5) and not stream.messages


ODD_PATHS = ["/live/", "/live", "/live/secrets", "/live/CALLS", "/live/calls,", "/live/calls,calls", "/live/calls%2Ctrunks%00", "/live/..%2fcalls",
             "/live/calls/../../healthz", "/live/apply/0", "/live/apply/1%20or%201=1", "/live/apply/99999999999", "/live/apply/1/../2",
             "/live/apply/-1", "/live/calls%0d%0aX-A:%20b", "/live/exchange;calls", "/live/live:messages", "/live//calls", "/live/apply/"]  # fmt: skip


@pytest.mark.parametrize("path", ODD_PATHS)
def test_a_name_that_is_no_channel_is_not_found_even_for_an_administrator(carla, path):
    with Streamed(path, carla.token) as stream:
        assert stream.status in (301, 400, 404)
        assert until(lambda: stream.is_over, 5) and not stream.messages


def test_only_reading_is_possible(carla):
    for method in ("POST", "PUT", "DELETE"):
        with Streamed("/live/calls", carla.token, method=method, headers={"Content-Length": "0"}) as stream:
            assert stream.status == 405


def test_who_may_open_the_page_may_listen(client, carla):
    """Trunks open for people of the trunk menu too; the own attempt for its author, others for who may see revisions."""
    bruno = person(client, "bruno", modules=["now"])
    for channel in ("exchange", "calls", "extensions", "trunks", "exchange,calls,extensions,trunks"):
        with Streamed(f"/live/{channel}", bruno.token) as stream:
            assert stream.status == 200
            for one in channel.split(","):
                assert until(lambda one=one: stream.parts(one), 10)
    ana = person(client, "ana.s", modules=["trunks"], name="Ana")
    with Streamed("/live/trunks", ana.token) as stream:
        assert stream.status == 200
    own = attempt_of("Ana")
    for token in (ana.token, carla.token):
        with Streamed(f"/live/apply/{own}", token) as stream:
            assert stream.status == 200
            stream.wait("apply-progress")
    with Streamed(f"/live/apply/{own + 1000}", carla.token) as stream:
        assert stream.status == 404
    db.session.execute(delete(Attempt).where(Attempt.id == own))
    db.session.commit()


def logs_out(visitor: Any, user: Any) -> None:
    visitor.send("/logout")


def gets_a_new_password(visitor: Any, user: Any) -> None:
    visitor.carla.api("PATCH", f"/api/v1/users/{user.id}", {"password": "Outra#Senha9"})


def loses_the_permission(visitor: Any, user: Any) -> None:
    assert visitor.carla.api("PATCH", f"/api/v1/users/{user.id}", {"modules": ["extensions"]}).status_code == 200


def is_switched_off(visitor: Any, user: Any) -> None:
    visitor.carla.api("PATCH", f"/api/v1/users/{user.id}", {"active": False})


@pytest.mark.parametrize("loses", [logs_out, gets_a_new_password, loses_the_permission, is_switched_off], ids=lambda one: one.__name__)
def test_an_open_stream_ends_at_once_for_a_person_who(client, whole_app, loses):
    """USR-35: the others stay open."""
    other = person(client, "ana.s", modules=["now"])
    visitor = person(client, "bruno", modules=["now"])
    carla = whole_app.test_client().is_person(by_login("carla"))
    visitor.carla = carla
    user = by_login("bruno")
    db.session.rollback()
    with Streamed("/live/calls", visitor.token) as stream, Streamed("/live/calls", other.token) as of_another:
        assert until(lambda: stream.parts("calls") and of_another.parts("calls"), 10)
        loses(visitor, user)
        assert stream.wait_over()[-1].kind == "gone"
        assert not of_another.is_over


def test_the_permission_is_looked_at_again_without_being_told(client):
    """A right taken away behind our back (a command line, another program) ends the stream within a minute."""
    assert streams.CHECK_SECONDS <= 60
    visitor = person(client, "bruno", modules=["now"])
    with Streamed("/live/calls", visitor.token) as stream:
        assert until(lambda: stream.parts("calls"), 10)
        by_login("bruno").modules = ["extensions"]
        db.session.commit()
        assert stream.wait_over(60)[-1].kind == "gone"


# --------------------------------------------------------------------------------------------------- what streams carry


def test_the_first_message_of_each_channel_is_everything_and_then_they_are_numbered(carla):
    row = make_extension("2001", name="Ana")
    with Streamed("/live/extensions", carla.token) as stream:
        first = stream.wait("2001", "extensions")
        assert 'data-whole' in stream.parts("extensions")[0].data or "Ana" in first.data
        for name in ("Ana B", "Ana C", "Ana D"):
            TABLE["extensions"].update(row, {"name": name})
            db.session.commit()
            stream.wait(name, "extensions")
        numbers = [message.number for message in stream.parts("extensions")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert "data-whole" not in stream.parts("extensions")[-1].data  # only what changed


@pytest.fixture
def forged_call():
    """A call written into Redis behind the listener's back, which a reader finds when it reads everything again."""
    with live.connection() as store:
        yield lambda row: store.hset("live:calls", "bentevi-1.1", row)
        store.hdel("live:calls", "bentevi-1.1")
        store.publish(live.MESSAGES, '{"epoch": "again"}')


def test_a_gap_in_the_numbers_makes_everything_be_read_again(carla, forged_call):
    row = ('{"started_at": 1, "state": "up", "legs": [{"id": "bentevi-1.1", "channel": "PJSIP/x-00000001", "endpoint": "x", "state": "up",'
           ' "number": "7", "name": "", "dialled": "", "wanted": "55123", "is_outgoing": false, "codec": "", "trunk_place": 0}]}')  # fmt: skip
    with Streamed("/live/calls", carla.token) as stream, live.connection() as store:
        assert until(lambda: stream.parts("calls"), 10)
        forged_call(row)
        epoch, number = store.get("live:epoch"), int(store.hget("live:numbers", "calls") or 0)
        store.publish(live.MESSAGES, f'{{"epoch": "{epoch}", "kind": "calls", "number": {number + 5}, "set": {{}}, "gone": []}}')
        stream.wait("55123", "calls")


def test_texts_from_outside_are_text_and_cannot_forge_a_message():
    """Line breaks of any kind stay inside their message; marks are escaped; nothing of it is markup of ours."""
    name = 'x\r\n\r\nevent: gone\ndata: 1\r\rid: 7\u2028<script>alert(1)</script>" onload="x status will follow'
    leg = {"id": "b-1.1", "channel": "PJSIP/trunk-1-00000001", "endpoint": "trunk-9", "state": "ringing", "number": name, "name": name,
           "dialled": name, "wanted": name, "is_outgoing": False, "codec": name, "trunk_place": 0}  # fmt: skip
    picture = live.Picture("e", {}, {"exchange": {"asterisk": {"running": True}},
                                     "calls": {name: {"started_at": 1, "state": "ringing", "legs": [leg, leg]}}}, True)  # fmt: skip
    board = panel.Board(current_app.jinja_env, "calls")
    with current_app.test_request_context():
        text = board.update(panel.items("calls", picture, panel.Names()))
    assert "<script" not in text and 'onload="' not in text and text.count("<article") == 1
    message = streams.Hub._message(type("Run", (), {"run_id": "r"})(), "calls", 3, text).decode()
    lines = re.split("\r\n|\r|\n", message)
    assert lines[:2] == ["event: part", "id: r.calls.3"] and lines[-2:] == ["", ""]
    assert all(line.startswith("data: ") for line in lines[2:-2])


def hub_with(*languages: str) -> tuple[streams.Hub, list[streams.Stream]]:
    hub = streams.Hub()
    opened = [streams.Stream(str(number), 1, language, ("calls",)) for number, language in enumerate(languages)]
    hub.streams.update(opened)
    return hub, opened


async def end(hub: streams.Hub) -> None:
    for task in hub.tasks:
        task.cancel()
    await asyncio.gather(*hub.tasks, return_exceptions=True)


def run(story: Coroutine[Any, Any, Any]) -> Any:
    """What the story gives; on a thread of its own, because a browser of other tests keeps a loop on this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, story).result()


def test_a_page_that_does_not_keep_up_begins_anew_and_slows_nobody(home):
    async def story() -> tuple[int, int, list[bytes]]:
        hub, (slow, quick) = hub_with("pt_BR", "pt_BR")
        await hub.whole(slow)
        await hub.whole(quick)
        taken = most = 0
        for number in range(streams.QUEUE_LENGTH * 3):
            hub._send("calls", "pt_BR", f"<i>{number}</i>")
            while not quick.queue.empty():
                quick.queue.get_nowait()
                taken += 1
            most = max(most, slow.queue.qsize())
        assert slow.waits
        sent: list[bytes] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message.get("body", b""))

        feeding = asyncio.ensure_future(streams._feed(hub, slow, send))
        while not any(b"data-whole" in body for body in sent) or slow.waits:
            await asyncio.sleep(0.01)
        feeding.cancel()
        await end(hub)
        return taken, most, sent

    taken, most, sent = run(story())
    assert taken >= streams.QUEUE_LENGTH * 3 and most <= streams.QUEUE_LENGTH
    assert not [body for body in sent if b"<i>" in body]  # what it missed is not sent late, but as a whole


def test_a_change_is_rendered_once_for_all_pages_of_a_language(home):
    async def story() -> list[set[int]]:
        hub, opened = hub_with(*["pt_BR"] * 30, *["en"] * 20)
        for stream in opened:
            await hub.whole(stream)
        while any(stream.waits for stream in opened):
            await asyncio.sleep(0.01)
        for stream in opened:
            while not stream.queue.empty():
                stream.queue.get_nowait()
        rendered: list[str] = []
        render, panel.render = panel.render, lambda environment, item: rendered.append(item.id) or render(environment, item)  # counts only
        try:
            hub.picture = live.Picture("e", {}, {"exchange": {"asterisk": {"running": True}}, "calls": {"b-1.1": {"started_at": 1, "state": "up", "legs": [
                {"id": "b-1.1", "channel": "PJSIP/x-00000001", "endpoint": "x", "state": "up", "number": "7", "name": "", "dialled": "",
                 "wanted": "", "is_outgoing": False, "codec": "", "trunk_place": 0}]}}}, True)  # fmt: skip
            hub.heard_at = hub.loop.time()
            hub.changed.set()
            while any(stream.queue.empty() for stream in opened):
                await asyncio.sleep(0.01)
        finally:
            panel.render = render
        assert rendered.count("call-b-1-1") == 2  # once per language
        got = [{id(stream.queue.get_nowait()) for stream in opened if stream.language == language} for language in ("pt_BR", "en")]
        await end(hub)
        return got

    assert [len(same) for same in run(story())] == [1, 1]


def test_a_page_that_opens_after_a_change_nobody_saw_gets_it(home):
    """Found by the panel test: nginx died, a call changed while no stream was open, and the page came back to the old state."""
    def picture(number: str) -> live.Picture:
        leg = {"id": "b-1.1", "channel": "PJSIP/x-00000001", "endpoint": "x", "state": "up", "number": "7", "name": "", "dialled": "",
               "wanted": number, "is_outgoing": False, "codec": "", "trunk_place": 0}  # fmt: skip
        return live.Picture("e", {}, {"exchange": {"asterisk": {"running": True}},
                                      "calls": {"b-1.1": {"started_at": 1, "state": "up", "legs": [leg]}}}, True)  # fmt: skip

    async def story() -> bytes:
        hub, (first,) = hub_with("pt_BR")
        for task in hub.tasks:
            task.cancel()  # this story says itself what is true and when it is drawn
        hub.heard_at, hub.picture = hub.loop.time(), picture("111")
        await hub.whole(first)
        hub.streams.clear()
        hub.picture = picture("222")
        hub.changed.set()
        await hub._draw()
        second = streams.Stream("2", 1, "pt_BR", ("calls",))
        hub.streams.add(second)
        await hub.whole(second)
        while second.waits:
            await asyncio.sleep(0.01)
        return second.queue.get_nowait()

    assert b"222" in run(story())


def test_a_dead_redis_is_said(home):
    """Nothing that was true before is shown as if it were."""
    picture = live.Picture("e", {}, {"exchange": {"asterisk": {"running": True}}, "calls": {"b-1.1": {"legs": []}}}, is_fresh=False)
    assert panel.exchange(picture, panel.Names())[0].facts["state"] == "unknown"
    assert [item.id for item in panel.calls(picture, panel.Names())] == ["calls-count"]
    known = panel.Names(extensions=((1, "2001", "Ana"),))
    assert panel.extensions(picture, known)[1].facts["state"] == "unknown"


def test_open_streams_do_not_keep_the_process_from_stopping(carla):
    """SIGTERM, and it is gone well before it would be killed; the supervisor starts another."""
    with Streamed("/live/calls", carla.token) as stream:
        assert until(lambda: stream.parts("calls"), 10)
        pid = read_state(settings.load())["live"].pid
        os.kill(pid, signal.SIGTERM)
        assert until(lambda: not Path(f"/proc/{pid}").exists() or read_state(settings.load())["live"].pid != pid, 9)
        assert stream.wait_over()
    everything_answers()
