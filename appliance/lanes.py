"""The RQ lanes, and the outbox that fills them after the commit.

`put` writes a line of the outbox in the same transaction as the rows; `relay` hands committed lines to Redis. A line
rolled back is never sent; a line relayed twice bears the same job id, and every job may run twice with the effect of once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import db as ground, settings
from appliance.db import Base, Instant, db
from appliance.errors import Busy

LANES = {"telephony": 300, "default": 600, "reports": 1800}  # lane → seconds a job may take


class Outgoing(Base):
    """One job to be handed to its lane: a function by name, and the id of the row it works on."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(String(20))
    function: Mapped[str] = mapped_column(String(80))
    row_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant())


def put(lane: str, function: str, row_id: int) -> None:
    """Ask for `function(row_id)` on the lane, once this transaction is committed."""
    if lane not in LANES:
        raise LookupError(lane)
    db.session.add(Outgoing(lane=lane, function=function, row_id=row_id, at=ground.now()))


def connection() -> "redis.Redis[bytes]":
    """This home's Redis."""
    return redis.Redis.from_url(settings.load().redis_url, socket_timeout=5, socket_connect_timeout=2)


@contextmanager
def needs_redis() -> Iterator[None]:
    """Redis that does not answer is Busy, with words a person can use."""
    try:
        yield
    except redis.RedisError as why:
        raise Busy("The job store (Redis) does not answer. Telephony goes on; try again in a moment.") from why


def is_waiting() -> bool:
    """Whether a committed line has not been handed over yet."""
    return db.session.scalar(select(Outgoing.id).limit(1)) is not None


def relay() -> int:
    """Hand committed lines to Redis; how many. Raises Busy when Redis is dead: the lines wait."""
    lines = list(db.session.scalars(select(Outgoing).order_by(Outgoing.id).with_for_update()))
    with needs_redis():
        for line in lines:
            Queue(line.lane, connection=connection(), serializer=JSONSerializer).enqueue(
                line.function, line.row_id, job_id=f"outbox-{line.id}-{line.at.timestamp():.0f}", job_timeout=LANES[line.lane],
                result_ttl=3600, failure_ttl=30 * 86400,
            )
            db.session.delete(line)
    db.session.commit()
    return len(lines)
