"""The process of streams: `/live/CHANNELS`, server-sent events for open pages. Plain ASGI, no framework.

A page opens one stream for all channels it shows (`/live/exchange,calls,trunks`, or `/live/apply/12`). It gets the whole
of each, then numbered messages with what changed, each item at most four times a second; `id` is `RUN.CHANNEL.NUMBER`. Each change is
rendered once per language and handed to every stream's queue; a queue that is full is emptied and its page gets the
whole again. Nothing waits for a slow page, and the loop waits for no database: rendering and rows have threads.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

import redis
import redis.asyncio
from flask_babel import force_locale

from appliance import closed, live, settings
from appliance import db as ground
from appliance.app import LANGUAGES, bare_app
from appliance.errors import Busy
from web import access, applies, formats, panel
from web.access import Refusal

log = logging.getLogger("bentevi.live")

TICK_SECONDS = 0.05  # what changes together is drawn together; one item goes out at most four times a second (panel.Board)
CLOCK_SECONDS = 10.0  # a page that hears nothing for longer than twice this looks for another connection
CHECK_SECONDS = 30.0  # how often every stream's permission is looked at again
ROWS_SECONDS = 2.0  # how often names and alarms are compared with what is shown
QUEUE_LENGTH = 100
BACKLOG = 4096
STREAMS_PER_SESSION = 60
WHOLE = b""  # in a queue: everything again

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(eq=False)
class Stream:
    """One open page."""

    key: str  # of its session, as the cookie says it
    user_id: int
    language: str
    channels: tuple[str, ...]
    address: str = ""
    queue: "asyncio.Queue[bytes]" = field(default_factory=lambda: asyncio.Queue(QUEUE_LENGTH))
    task: "asyncio.Task[None] | None" = None
    waits: bool = True  # for the whole; until then it gets no changes
    refusal: str = ""


class Hub:
    """The one subscription to Redis, what is shown now, and every stream."""

    def __init__(self) -> None:
        self.flask = bare_app()
        ground.serve()
        formats.prepare(self.flask.jinja_env)
        self.streams: set[Stream] = set()
        self.picture, self.names = live.Picture(), panel.Names()
        self.heard_at = 0.0  # of the writer's last beat, by the loop's clock
        self.run_id, self.numbers = secrets.token_hex(4), {}
        self.changed = asyncio.Event()
        self.boards: dict[tuple[str, str], panel.Board] = {}
        self.drawing = ThreadPoolExecutor(1, "draw")  # one: messages leave in the order they were drawn
        self.asking = ThreadPoolExecutor(2, "ask")
        self.loop = asyncio.get_running_loop()
        self.tasks = [self.loop.create_task(_for_ever(work)) for work in (self._listen, self._draw, self._watch, self._check)]

    # -- what happens

    async def _listen(self) -> None:
        """Follow Redis until it is lost; then nothing is known, and it is tried again."""
        store = redis.asyncio.Redis.from_url(settings.load().redis_url, decode_responses=True, socket_connect_timeout=2)
        try:
            async with store.pubsub() as pubsub:
                await pubsub.subscribe(live.MESSAGES, live.NOTICES)
                await self._take_picture()
                async for message in pubsub.listen():
                    if message["type"] == "message":
                        await self._heard(message["channel"], json.loads(message["data"]))
        except (redis.RedisError, OSError) as why:
            log.warning("Redis: %s", why)
        finally:
            self.picture = live.Picture()
            self.changed.set()
            await store.aclose()
        await asyncio.sleep(0.2)

    async def _take_picture(self) -> None:
        self.picture = await self.loop.run_in_executor(self.asking, live.picture)
        self.heard_at = self.loop.time() if self.picture.is_fresh else 0.0
        self.changed.set()

    async def _heard(self, channel: str, message: dict[str, Any]) -> None:
        if channel == live.NOTICES:
            self._noticed(message)
        elif "beat" in message:
            self.heard_at = self.loop.time()
            if not self.picture.is_fresh:
                await self._take_picture()
        elif "kind" not in message or message["epoch"] != self.picture.epoch:
            await self._take_picture()
        else:
            known = self.picture.numbers.get(message["kind"], 0)
            if message["number"] == known + 1:
                rows = self.picture.kinds.setdefault(message["kind"], {})
                rows.update(message["set"])
                for row_id in message["gone"]:
                    rows.pop(row_id, None)
                self.picture.numbers[message["kind"]] = message["number"]
                self.changed.set()
            elif message["number"] > known:
                await self._take_picture()

    def _noticed(self, notice: dict[str, Any]) -> None:
        if "session" in notice or "user" in notice:
            self.loop.create_task(self._check_now([
                stream for stream in self.streams
                if stream.key == notice.get("session") or stream.user_id == notice.get("user")
            ]))
        if "addresses" in notice:
            self._end_closed()
        self.changed.set()

    # -- drawing

    async def _draw(self) -> None:
        """Once something changed: draw it at once, and what was too early for that soon after."""
        await self.changed.wait()
        self.changed.clear()
        wanted = {(channel, stream.language) for stream in self.streams for channel in stream.channels}
        if wanted:
            picture = live.Picture(self.picture.epoch, {}, {kind: dict(rows) for kind, rows in self.picture.kinds.items()}, self._is_fresh())
            await self.loop.run_in_executor(self.drawing, self._drawn, wanted, picture)
        else:  # what nobody was told is not kept for the next one as if it were the newest
            await self.loop.run_in_executor(self.drawing, self.boards.clear)
        await asyncio.sleep(TICK_SECONDS)
        if any(board.is_late for board in list(self.boards.values())):
            self.changed.set()

    def _is_fresh(self) -> bool:
        return self.picture.is_fresh and self.loop.time() - self.heard_at < live.BEAT_LASTS_SECONDS

    def _drawn(self, wanted: set[tuple[str, str]], picture: live.Picture) -> None:
        """On the drawing thread: what differs, handed to the loop in this order."""
        for one in self.boards.keys() - wanted:
            del self.boards[one]
        items: dict[str, list[panel.Item]] = {}
        with self._rows():
            for channel, language in sorted(wanted):
                if channel not in items:
                    items[channel] = self._items(channel, picture)
                with force_locale(language):
                    board = self.boards.setdefault((channel, language), panel.Board(self.flask.jinja_env, channel))
                    text = board.update(items[channel])
                if text:
                    self.loop.call_soon_threadsafe(self._send, channel, language, text)

    @contextlib.contextmanager
    def _rows(self) -> Iterator[None]:
        """Rows for a thread, for reading only: this process never holds up one that writes."""
        with self.flask.app_context():
            ground.read_only()
            yield

    def _items(self, channel: str, picture: live.Picture) -> list[panel.Item]:
        if channel.startswith("apply/"):
            return applies.items(int(channel.partition("/")[2]))
        return panel.items(channel, picture, self.names)

    def _send(self, channel: str, language: str, text: str) -> None:
        number = self.numbers[channel, language] = self.numbers.get((channel, language), 0) + 1
        message = self._message(channel, number, text)
        for stream in self.streams:
            if stream.language == language and channel in stream.channels and not stream.waits:
                self._put(stream, message)

    def _put(self, stream: Stream, message: bytes) -> None:
        """Hand it over, or begin anew with a page that does not keep up."""
        try:
            stream.queue.put_nowait(message)
        except asyncio.QueueFull:
            while not stream.queue.empty():
                stream.queue.get_nowait()
            stream.waits = True
            stream.queue.put_nowait(WHOLE)

    def _message(self, channel: str, number: int, text: str) -> bytes:
        """Line breaks in a value become lines of the same message: no text can forge one of its own."""
        data = "\n".join(f"data: {line}" for line in re.split("\r\n|\r|\n", text))
        return f"event: part\nid: {self.run_id}.{channel}.{number}\n{data}\n\n".encode()

    async def whole(self, stream: Stream) -> None:
        """Put everything of its channels into the queue, and changes from then on."""
        picture = live.Picture(self.picture.epoch, {}, {kind: dict(rows) for kind, rows in self.picture.kinds.items()}, self._is_fresh())
        await self.loop.run_in_executor(self.drawing, self._whole, stream, picture)

    def _whole(self, stream: Stream, picture: live.Picture) -> None:
        missing = {(channel, stream.language) for channel in stream.channels} - self.boards.keys()
        if missing:
            self._drawn(set(self.boards) | missing, picture)
        texts = [(channel, self.boards[channel, stream.language].whole()) for channel in stream.channels]
        self.loop.call_soon_threadsafe(self._give, stream, texts)

    def _give(self, stream: Stream, texts: list[tuple[str, str]]) -> None:
        for channel, text in texts:
            stream.queue.put_nowait(self._message(channel, self.numbers.get((channel, stream.language), 0), text))
        stream.waits = False

    # -- watching

    async def _watch(self) -> None:
        """Names and alarms as the rows have them, and whether the writer still lives."""
        await asyncio.sleep(ROWS_SECONDS)
        if self.picture.is_fresh and not self._is_fresh():
            self.picture = live.Picture(self.picture.epoch, self.picture.numbers, self.picture.kinds)
            self.changed.set()
        if self.streams:
            await self.loop.run_in_executor(self.asking, self.read_rows)

    def read_rows(self) -> None:
        """Read the names again when a row changed."""
        with self._rows():
            if panel.version() != self.names.version:
                self.names = panel.names()
                self.loop.call_soon_threadsafe(self.changed.set)
        if any(channel.startswith("apply/") for stream in list(self.streams) for channel in stream.channels):
            self.loop.call_soon_threadsafe(self.changed.set)  # a notice may have been missed

    def _end_closed(self) -> None:
        """Streams of addresses that may not come in any more end."""
        for stream in self.streams:
            if stream.task and closed.keeps_out(stream.address):
                stream.refusal = "403"
                stream.task.cancel()

    async def _check(self) -> None:
        """Whether everybody who listens still may."""
        await asyncio.sleep(CHECK_SECONDS)
        self._end_closed()
        await self._check_now(list(self.streams))

    async def _check_now(self, streams: list[Stream]) -> None:
        asked = {(stream.key, stream.channels) for stream in streams}
        answers = await self.loop.run_in_executor(self.asking, self._look, asked)
        for stream in streams:
            refusal = answers[stream.key, stream.channels]
            if refusal and stream.task:
                stream.refusal = refusal
                stream.task.cancel()

    def _look(self, asked: set[tuple[str, tuple[str, ...]]]) -> dict[tuple[str, tuple[str, ...]], str]:
        found = {}
        with self._rows():
            for key, channels in asked:
                found[key, channels] = ""
                try:
                    access.by_key(key, channels)
                except Refusal as why:
                    found[key, channels] = str(why.status)
                except (Busy, *ground.AWAY) as why:
                    log.warning("permission not looked at: %s", why)  # Redis is dead: nothing is told meanwhile either
        return found

    def admit(self, token: str, channels: tuple[str, ...]) -> tuple[str, int, str]:
        """On a thread: (session, person, language). Raises Refusal or Busy."""
        with self._rows():
            if not self.names.version:
                self.names = panel.names()
            return access.by_token(token, channels)


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """What goes wrong in one round is logged, and the next one follows."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("%s went wrong", work.__name__)
            await asyncio.sleep(1)


def let_many_knock() -> None:
    """Every page comes back at once when nginx or this process was restarted.

    asyncio lets 100 connections wait and gunicorn's worker has no setting for it; the system refuses the others (measured:
    198 of 300). A second listen() on the same socket only moves that limit.
    """
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(number))) as found:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.listen(BACKLOG)


# ----------------------------------------------------------------------------------------------------------- requests

_hub: Hub | None = None


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI's one function."""
    global _hub
    if scope["type"] == "lifespan":
        await _live_and_end(receive, send)
        return
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    if _hub is None:
        let_many_knock()
        _hub = Hub()
    if scope["path"] == "/healthz":
        await _answer(send, 200, "ok")
    else:
        await _stream(_hub, scope, receive, send)


async def _live_and_end(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def _stream(hub: Hub, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        stream = await _opened(hub, scope)
    except Refusal as why:
        await _answer(send, why.status, str(why))
        return
    except (Busy, *ground.AWAY) as why:
        await _answer(send, 503, str(why) if isinstance(why, Busy) else "the database does not answer")
        return
    hub.streams.add(stream)
    try:
        stream.task = asyncio.ensure_future(_feed(hub, stream, send))
        gone = asyncio.ensure_future(_until_gone(receive))
        await asyncio.wait({stream.task, gone}, return_when=asyncio.FIRST_COMPLETED)
        stream.task.cancel()
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await stream.task
        if stream.refusal:
            await send({"type": "http.response.body", "body": b"event: gone\ndata: " + stream.refusal.encode() + b"\n\n"})
    finally:
        hub.streams.discard(stream)


async def _opened(hub: Hub, scope: Scope) -> Stream:
    """The stream that is asked for. Raises Refusal or Busy."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if scope["method"] != "GET":
        raise Refusal(405, "GET")
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refusal(403, "another site asks")
    address = headers.get("x-forwarded-for", "")  # nginx sets it to who is connected
    if closed.keeps_out(address):
        raise Refusal(403, "this address is blocked")
    channels = access.channels_of(scope["path"].removeprefix("/live/") if scope["path"].startswith("/live/") else "")
    key, user_id, language = await hub.loop.run_in_executor(hub.asking, hub.admit, _token(headers.get("cookie", "")), channels)
    if sum(stream.key == key for stream in hub.streams) >= STREAMS_PER_SESSION:
        raise Refusal(429, "too many pages are open")
    return Stream(key, user_id, language if language in LANGUAGES else LANGUAGES[0], channels, address)


def _token(header: str) -> str:
    try:
        cookie = SimpleCookie(header).get(access.cookie_name())
    except CookieError:
        return ""
    return cookie.value if cookie else ""


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _feed(hub: Hub, stream: Stream, send: Send) -> None:
    """Send what is in the queue, as fast as the page takes it; the time every now and then."""
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send(_body(b"retry: 1000\n\n" + _clock()))
    await hub.whole(stream)
    for _number in itertools.count():
        try:
            message = await asyncio.wait_for(stream.queue.get(), CLOCK_SECONDS)
        except TimeoutError:
            message = _clock()
        if message == WHOLE:
            await hub.whole(stream)
        else:
            await send(_body(message))


def _clock() -> bytes:
    """The server's time, by which pages count durations; it also keeps the connection alive."""
    return f"event: clock\ndata: {time.time():.3f}\n\n".encode()


def _body(message: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": message, "more_body": True}
