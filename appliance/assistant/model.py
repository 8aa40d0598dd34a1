"""How far the assistant of a new home is, and which rows it made (SYS-15). What it configures are ordinary rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import db as ground
from appliance.db import Base, Instant, db
from appliance.extensions.model import Extension
from appliance.resource import SINGLE_ID, TABLE
from appliance.trunks.model import Trunk

COMPANY, EXTENSIONS, TRUNK, NUMBERS, PHONES, CALLS = "company", "extensions", "trunk", "numbers", "phones", "calls"
STEPS = (COMPANY, EXTENSIONS, TRUNK, NUMBERS, PHONES, CALLS)
DONE, SKIPPED = "done", "skipped"


class Assistant(Base):
    """One row, from the first answer on. `steps` is step → done or skipped; `made` is what a row is for → its id."""

    __tablename__ = "assistant"
    id: Mapped[int] = mapped_column(primary_key=True)
    steps: Mapped[dict[str, str]] = mapped_column(JSON)
    made: Mapped[dict[str, int]] = mapped_column(JSON)
    left_at: Mapped[datetime | None] = mapped_column(Instant())

    def state(self, step: str) -> str:
        """done, skipped or "" for a step that is still open."""
        return self.steps.get(step, "")

    def next_step(self) -> str:
        """The first open step, "" when there is none."""
        return next((step for step in STEPS if not self.state(step)), "")

    def mark(self, step: str, state: str = DONE) -> None:
        """Note a step; one that is done stays done when it is skipped later."""
        if not (state == SKIPPED and self.state(step) == DONE):
            self.steps = self.steps | {step: state}

    def row(self, word: str, purpose: str) -> Any | None:
        """The row it made for a purpose, None when there is none (any more)."""
        return TABLE[word].get(self.made.get(purpose, 0))

    def note(self, purpose: str, row_id: int) -> None:
        """Remember which row serves a purpose, so that asking again changes that row and makes no second one."""
        self.made = self.made | {purpose: row_id}


def shown() -> Assistant:
    """How far it is, for reading only."""
    return db.session.get(Assistant, SINGLE_ID) or Assistant(id=SINGLE_ID, steps={}, made={})


def taken() -> Assistant:
    """How far it is, for writing: who else writes waits until this transaction is over."""
    row = db.session.scalar(select(Assistant).where(Assistant.id == SINGLE_ID).with_for_update())
    if row is None:
        row = Assistant(id=SINGLE_ID, steps={}, made={})
        db.session.add(row)
        db.session.flush()
    return row


def leave() -> None:
    """The person goes on without it; its address and the menu still lead there."""
    taken().left_at = ground.now()


def is_wanted() -> bool:
    """Whether an administrator is led here after the login: it was not left, and there is still something to do."""
    row = shown()
    if row.left_at or not row.next_step():
        return False
    is_empty = not any(db.session.scalar(select(model.id).limit(1)) for model in (Extension, Trunk))
    return is_empty or bool(row.steps)
