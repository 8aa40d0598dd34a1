"""The RQ lanes, and the outbox that fills them after the commit.

`put` writes a line of the outbox in the same transaction as the rows; `relay` hands committed lines to Redis. A line
rolled back is never sent; a line relayed twice bears the same job id, and every job may run twice with the effect of once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import redis
from rq import Queue, Retry
from rq.job import Job
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import db as ground
from appliance import settings
from appliance.db import Base, Instant, db
from appliance.errors import Busy

LANES = {"telephony": 600, "default": 600, "reports": 1800, "backups": 12 * 3600}  # lane → seconds a job may take
AGAIN_SECONDS = [30, 120, 600]  # a job that ended badly (or was killed) is tried again after so long
KEPT_SECONDS, FAILED_KEPT_SECONDS = 3600, 30 * 86400


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


def connection() -> redis.Redis:
    """This home's Redis."""
    return redis.Redis.from_url(settings.load().redis_url, socket_timeout=5, socket_connect_timeout=2)


@contextmanager
def needs_redis() -> Iterator[None]:
    """Redis that does not answer is Busy, with words a person can use."""
    try:
        yield
    except redis.RedisError as why:
        raise Busy("The job store (Redis) does not answer. Telephony goes on; try again in a moment.") from why


def lane(name: str) -> Queue:
    """The RQ queue of a lane."""
    return Queue(name, connection=connection(), serializer=JSONSerializer)


def is_asked(function: str) -> bool:
    """Whether the function waits already: in the outbox or on a lane. Timed jobs do not pile up while nobody works."""
    if db.session.scalar(select(Outgoing.id).where(Outgoing.function == function).limit(1)) is not None:
        return True
    with needs_redis():
        return any(job.func_name == function for name in LANES for job in _jobs(name, lane(name).get_job_ids(length=200)))


@dataclass(frozen=True)
class Lane:
    """A lane as the page of jobs shows it; failed and waiting ones newest first, at most SHOWN of each."""

    name: str
    waiting_count: int
    failed_count: int
    waiting: list[Job]
    running: list[Job]
    later: list[Job]
    failed: list[Job]


SHOWN = 100


def state() -> list[Lane]:
    """Every lane as it is now. Raises Busy when Redis is dead."""
    found = []
    with needs_redis():
        for name in LANES:
            queue = lane(name)
            failed = FailedJobRegistry(queue=queue)
            found.append(Lane(
                name, queue.count, failed.count, _jobs(name, queue.get_job_ids(length=SHOWN)),
                _jobs(name, StartedJobRegistry(queue=queue).get_job_ids()), _jobs(name, ScheduledJobRegistry(queue=queue).get_job_ids()),
                _jobs(name, failed.get_job_ids(0, SHOWN - 1, desc=True)),
            ))
    return found


def _jobs(name: str, ids: list[str]) -> list[Job]:
    fetched = Job.fetch_many([one.partition(":")[0] for one in ids], connection=connection(), serializer=JSONSerializer)
    return [job for job in fetched if job is not None]


def retry(job_id: str) -> bool:
    """A failed job goes back to its lane. False when it is no longer among the failed ones."""
    with needs_redis():
        for name in LANES:
            failed = FailedJobRegistry(queue=lane(name))
            if job_id in failed:
                failed.requeue(job_id)
                return True
    return False


def forget(job_id: str) -> bool:
    """A failed job is not wanted any more. False when it is not among the failed ones."""
    with needs_redis():
        for name in LANES:
            failed = FailedJobRegistry(queue=lane(name))
            if job_id in failed:
                failed.remove(job_id, delete_job=True)
                return True
    return False


def is_waiting() -> bool:
    """Whether a committed line has not been handed over yet."""
    return db.session.scalar(select(Outgoing.id).limit(1)) is not None


def relay() -> int:
    """Hand committed lines to Redis; how many. Raises Busy when Redis is dead: the lines wait."""
    lines = list(db.session.scalars(select(Outgoing).order_by(Outgoing.id).with_for_update()))
    with needs_redis():
        for line in lines:
            lane(line.lane).enqueue(
                line.function, line.row_id, job_id=f"outbox-{line.id}-{line.at.timestamp():.0f}", job_timeout=LANES[line.lane],
                result_ttl=KEPT_SECONDS, failure_ttl=FAILED_KEPT_SECONDS, retry=Retry(max=len(AGAIN_SECONDS), interval=AGAIN_SECONDS),
            )
            db.session.delete(line)
    db.session.commit()
    return len(lines)
