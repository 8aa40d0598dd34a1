"""What is true now, in Redis: put, drop, rows, and a number per kind that grows with every change.

One process writes (appliance/events.py): it keeps the whole picture in memory and copies what changed to Redis, so that
a dead, emptied or restarted Redis loses nothing for good. Readers take `picture()` once and then follow MESSAGES:

    {"epoch", "kind", "number", "set": {id: row}, "gone": [id]}   what changed; number is the one before plus 1
    {"epoch"}                                                      everything was replaced: take the picture again
    {"beat": seconds}                                              once a second: the writer lives

A reader that misses a number, or meets another epoch, takes the picture again. A kind whose name begins with `_` is
the writer's own and never leaves its memory. Rows are small dictionaries of ids, numbers and words; names stand in the
database.
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from appliance import settings

log = logging.getLogger("bentevi.live")

Row = dict[str, Any]
Kinds = dict[str, dict[str, Row]]

KINDS = ("exchange", "calls", "extensions", "trunks", "khomp", "tests", "queue_callers", "queue_members")
MESSAGES, NOTICES = "live:messages", "live:notices"  # names for subscribers
BEAT_SECONDS, BEAT_LASTS_SECONDS = 1.0, 4.0
GATHER_SECONDS = 0.02  # changes of so long go out together; the first one goes at once
LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Picture:
    """Everything at one moment. `is_fresh` is False when the writer has not been heard of for some seconds."""

    epoch: str = ""
    numbers: dict[str, int] = field(default_factory=dict)
    kinds: Kinds = field(default_factory=dict)
    is_fresh: bool = False

    def rows(self, kind: str) -> dict[str, Row]:
        """Id → row; empty for a kind that has none."""
        return self.kinds.get(kind, {})

    @property
    def is_running(self) -> bool:
        """Whether Asterisk is there and what stands here is true."""
        return self.is_fresh and bool(self.rows("exchange").get("asterisk", {}).get("running"))


def connection() -> redis.Redis:
    """This home's Redis, without silent second tries: a lost connection may mean lost writes."""
    return redis.Redis.from_url(
        settings.load().redis_url, socket_timeout=5, socket_connect_timeout=2, decode_responses=True, retry=Retry(NoBackoff(), 0)
    )


def picture(store: redis.Redis | None = None) -> Picture:
    """All rows of all kinds, read in one transaction. Raises redis.RedisError when Redis is dead."""
    with (store or connection()).pipeline(transaction=True) as ask:
        ask.get("live:epoch")
        ask.get("live:beat")
        ask.hgetall("live:numbers")
        for kind in KINDS:
            ask.hgetall(f"live:{kind}")
        epoch, beat, numbers, *rows = ask.execute()
    kinds = {kind: {row_id: json.loads(row) for row_id, row in found.items()} for kind, found in zip(KINDS, rows, strict=True)}
    return Picture(epoch or "", {kind: int(number) for kind, number in numbers.items()}, kinds, bool(epoch and beat))


def now() -> Picture:
    """The picture for a page: an empty one that is not fresh when Redis is dead."""
    try:
        return picture()
    except redis.RedisError as why:
        log.warning("no picture: %s", why)
        return Picture()


def row(kind: str, row_id: str) -> Row:
    """One row as it is now; empty when there is none, nobody keeps it up to date, or Redis is dead."""
    try:
        with connection().pipeline(transaction=True) as ask:
            ask.get("live:beat")
            ask.hget(f"live:{kind}", row_id)
            beat, found = ask.execute()
    except redis.RedisError as why:
        log.warning("no row: %s", why)
        return {}
    held: Row = json.loads(found) if beat and found else {}
    return held


def announce(**notice: str | int) -> None:
    """Tell the process of streams that something else changed: `apply=12`, `session="…"`, `user=3`.

    A dead Redis is survived: who misses a notice looks by itself within a minute.
    """
    try:
        with connection() as store:
            store.publish(NOTICES, json.dumps(notice))
    except redis.RedisError as why:
        log.info("nobody was told %s: %s", notice, why)


# ------------------------------------------------------------------------------------------------- the writer's side


class Writer:
    """The picture in memory and the thread that copies it to Redis. Handlers use `put`, `drop`, `get` and `rows`."""

    def __init__(self) -> None:
        self._kinds: Kinds = {}
        self._changed: dict[tuple[str, str], None] = {}  # in the order of the first change
        self._numbers: dict[str, int] = {}
        self._epoch = ""
        self._replaced = True
        self._lock = threading.Condition(threading.RLock())
        self._is_rebuilding = False

    def put(self, kind: str, row_id: str, **values: Any) -> None:
        """Set fields of a row, which begins to exist with the first."""
        with self._lock:
            rows = self._kinds.setdefault(kind, {})
            row = rows.get(row_id, {}) | values
            if rows.get(row_id) != row:
                rows[row_id] = row
                self._touch(kind, row_id)

    def replace(self, kind: str, row_id: str, row: Row) -> None:
        """The row is this, whatever it was."""
        with self._lock:
            rows = self._kinds.setdefault(kind, {})
            if rows.get(row_id) != row:
                rows[row_id] = row
                self._touch(kind, row_id)

    def drop(self, kind: str, row_id: str) -> None:
        """The row is no more; nothing happens when there is none."""
        with self._lock:
            if self._kinds.get(kind, {}).pop(row_id, None) is not None:
                self._touch(kind, row_id)

    def get(self, kind: str, row_id: str) -> Row:
        """A row, {} when there is none. Not to be changed: use put."""
        return self._kinds.get(kind, {}).get(row_id, {})

    def rows(self, kind: str) -> dict[str, Row]:
        """Id → row of a kind. Not to be changed."""
        return self._kinds.get(kind, {})

    @contextmanager
    def rebuilding(self) -> Iterator[Kinds]:
        """Inside, the picture is empty and filled anew; readers see the old one until all of the new one is there.

        Gives the old rows, for what Asterisk cannot say (since when). When the block raises, the old picture stays.
        """
        with self._lock:
            old, self._kinds, self._is_rebuilding = self._kinds, {}, True
            try:
                yield old
                self._replaced = True
                self._lock.notify()
            except BaseException:
                self._kinds = old
                raise
            finally:
                self._is_rebuilding = False

    def _touch(self, kind: str, row_id: str) -> None:
        if not kind.startswith("_"):
            self._changed[kind, row_id] = None
            self._lock.notify()

    # -- copying

    def take_over(self) -> None:
        """Begin with what the writer before us knew: `rebuilding` gives it to those who need a `since`."""
        self._kinds = now().kinds

    def start(self) -> None:
        """Copy for ever, on a thread of its own; called when the picture is true for the first time."""
        threading.Thread(target=self._copy_for_ever, daemon=True, name="live-writer").start()

    def _copy_for_ever(self) -> None:
        store, pause = connection(), 0.1
        beat_at = 0.0
        while True:
            try:
                with self._lock:
                    if not self._changed and not self._replaced:
                        self._lock.wait(max(0.0, beat_at + BEAT_SECONDS - time.monotonic()))
                self._copy(store)
                if time.monotonic() >= beat_at + BEAT_SECONDS:
                    beat_at = time.monotonic()
                    self._beat(store)
                pause = 0.1
                time.sleep(GATHER_SECONDS)
            except redis.RedisError as why:
                log.warning("Redis: %s", why)
                self._replaced = True  # what it holds now is anybody's guess
                store.close()
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _copy(self, store: redis.Redis) -> None:
        """Bring Redis up to date in one transaction."""
        with self._lock:
            if self._is_rebuilding:
                return
            replaced, self._replaced = self._replaced, False
            changed, self._changed = self._changed, {}
            if not replaced and not changed:
                return
            send = store.pipeline(transaction=True)
            if replaced:
                self._write_all(send)
            else:
                self._write(send, list(changed))
        with send:  # outside the lock: a slow Redis must not hold up the reading of events
            send.execute()

    def _write_all(self, send: Any) -> None:
        self._epoch, self._numbers = secrets.token_hex(6), dict.fromkeys(KINDS, 1)
        send.delete(*(f"live:{kind}" for kind in KINDS))
        send.set("live:epoch", self._epoch).hset("live:numbers", mapping=self._numbers)
        send.set("live:beat", f"{time.time():.3f}", px=int(BEAT_LASTS_SECONDS * 1000))
        for kind in KINDS:
            if self.rows(kind):
                send.hset(f"live:{kind}", mapping={row_id: json.dumps(row) for row_id, row in self.rows(kind).items()})
        send.publish(MESSAGES, json.dumps({"epoch": self._epoch}))

    def _write(self, send: Any, changed: list[tuple[str, str]]) -> None:
        for kind in dict.fromkeys(kind for kind, _row_id in changed):
            ids = [row_id for one, row_id in changed if one == kind]
            there = {row_id: self.get(kind, row_id) for row_id in ids if row_id in self.rows(kind)}
            gone = [row_id for row_id in ids if row_id not in there]
            self._numbers[kind] += 1
            if there:
                send.hset(f"live:{kind}", mapping={row_id: json.dumps(row) for row_id, row in there.items()})
            if gone:
                send.hdel(f"live:{kind}", *gone)
            send.hincrby("live:numbers", kind, 1)
            message = {"epoch": self._epoch, "kind": kind, "number": self._numbers[kind], "set": there, "gone": gone}
            send.publish(MESSAGES, json.dumps(message))

    def _beat(self, store: redis.Redis) -> None:
        """Say that we live, and see whether Redis still holds what we wrote: it may have been emptied or set back."""
        with store.pipeline(transaction=True) as ask:
            ask.set("live:beat", f"{time.time():.3f}", px=int(BEAT_LASTS_SECONDS * 1000))
            ask.get("live:epoch")
            ask.hgetall("live:numbers")
            ask.publish(MESSAGES, json.dumps({"beat": time.time()}))
            _set, epoch, numbers, _heard = ask.execute()
        if epoch != self._epoch or {kind: int(number) for kind, number in numbers.items()} != self._numbers:
            log.warning("Redis holds an older picture: written again")
            with self._lock:
                self._replaced = True


writer = Writer()
put, replace, drop, get, rows = writer.put, writer.replace, writer.drop, writer.get, writer.rows
