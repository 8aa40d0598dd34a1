"""Who changed which row, when, from what to what; which changes are not yet in force."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import JSON, CursorResult, String, Text, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from appliance import db as ground
from appliance.db import Base, Instant, db

CREATED, UPDATED, DELETED, RESTORED, HUNG_UP = "created", "updated", "deleted", "restored", "hung_up"


@dataclass(frozen=True)
class Actor:
    """Who acts: a person (user_id), or a command on the machine (0)."""

    name: str = "system"
    user_id: int = 0
    address: str = ""


NOBODY = Actor()
actor: ContextVar[Actor] = ContextVar("actor", default=NOBODY)
batch: ContextVar[str] = ContextVar("batch", default="")  # many writes of one act (an import, a bulk edit) bear one name
undoing: ContextVar[int | None] = ContextVar("undoing", default=None)  # the change that the writes of this moment take back


class Change(Base):
    """One write of one row. before/after hold the shown values of the fields that differ; secrets only as “changed”."""

    __tablename__ = "changes"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant(), index=True)
    user_id: Mapped[int]
    user_name: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(60))
    word: Mapped[str] = mapped_column(String(40), index=True)
    row_id: Mapped[int] = mapped_column(index=True)
    row_title: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(20))
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
    sealed: Mapped[str | None] = mapped_column(Text)      # secrets of a deleted row, so that a rollback can bring it back
    pending: Mapped[bool] = mapped_column(index=True)      # not yet in force in Asterisk
    revision: Mapped[int | None]                           # the revision that put it in force
    batch: Mapped[str] = mapped_column(String(40), index=True, server_default="", default="")   # "import-12": what was done at once
    undoes: Mapped[int | None] = mapped_column(index=True)  # the change this one took back


def record(word: str, row_id: int, title: str, action: str, before: dict[str, Any], after: dict[str, Any],
           *, pending: bool, secrets: dict[str, str] | None = None) -> None:
    """Write down one change, in the same transaction as the row."""
    who = actor.get()
    db.session.add(Change(
        at=ground.now(), user_id=who.user_id, user_name=who.name, address=who.address, word=word, row_id=row_id,
        row_title=title[:200], action=action, before=before, after=after, pending=pending,
        sealed=ground.seal(json.dumps(secrets)) if secrets else None, batch=batch.get(), undoes=undoing.get(),
    ))


@contextmanager
def together(name: str) -> Iterator[None]:
    """Every change recorded inside belongs to one act, which can be taken back as a whole."""
    token = batch.set(name)
    try:
        yield
    finally:
        batch.reset(token)


def is_site_file() -> bool:
    """Whether what is written now comes with a whole site file, whose other rows may be written later."""
    return batch.get().startswith("site-")


def pending() -> list[Change]:
    """Changes not yet in force, oldest first."""
    return list(db.session.scalars(select(Change).where(Change.pending).order_by(Change.id)))


def pending_by_author() -> list[tuple[str, int]]:
    """(person, number of changes) not yet in force, for the bar."""
    count = func.count()
    query = select(Change.user_name, count).where(Change.pending).group_by(Change.user_name).order_by(count.desc())
    return [(name, number) for name, number in db.session.execute(query)]


def newest_id() -> int:
    """The newest change; what a snapshot taken in the same transaction holds."""
    return db.session.scalar(select(func.max(Change.id))) or 0


def put_in_force(revision: int, up_to: int) -> None:
    """Everything up to this change is in force with the revision."""
    db.session.execute(
        update(Change).where(Change.pending, Change.id <= up_to).values(pending=False, revision=revision)
    )


def out_of_force(good: int) -> None:
    """What came into force after revision `good` was taken back: it is pending again."""
    db.session.execute(update(Change).where(Change.revision > good).values(pending=True, revision=None))


def touched() -> dict[str, set[int]]:
    """{word: ids of its rows} of everything not yet in force."""
    found: dict[str, set[int]] = {}
    for word, row_id in db.session.execute(select(Change.word, Change.row_id).where(Change.pending)):
        found.setdefault(word, set()).add(row_id)
    return found


def secrets_of_deleted(word: str, row_id: int) -> dict[str, str]:
    """The secrets a deleted row had last; empty when it had none."""
    query = select(Change.sealed).where(
        Change.word == word, Change.row_id == row_id, Change.action == DELETED
    ).order_by(Change.id.desc()).limit(1)
    sealed = db.session.scalar(query)
    return json.loads(ground.unseal(sealed)) if sealed else {}


def opened(change: Change) -> dict[str, str]:
    """{attr: stored} of the secrets a deletion kept sealed; empty when it had none."""
    return json.loads(ground.unseal(change.sealed)) if change.sealed else {}


def forget_old(kept_days: int) -> int:
    """Drop what is older and in force. May run at any time, twice too."""
    oldest = ground.now() - timedelta(days=kept_days)
    result = db.session.execute(delete(Change).where(Change.at < oldest, ~Change.pending))
    return cast("CursorResult[Any]", result).rowcount
