"""Addresses that were blocked by themselves: each as a row, with the reason and the users tried (USR-36)."""

from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import changes
from appliance import db as ground
from appliance.address_policy import model as policies
from appliance.closed import PAGES, SIP
from appliance.db import Base, Instant, db

REASONS = {SIP: _l("wrong SIP passwords"), PAGES: _l("wrong passwords of the pages")}
SHOWN_USERS = 20
MOST = 2000      # of a larger attack the oldest come free first: a list that grows for ever would slow every call
KEPT_DAYS = 180


class Ban(Base):
    """One address, from `since` to `until`, or to `ended_at` when a person lifted it. `kind` says what is closed."""

    __tablename__ = "bans"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(45), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    users: Mapped[list[str]] = mapped_column(JSON)      # the first SHOWN_USERS that were tried
    users_count: Mapped[int]
    tries_count: Mapped[int]
    since: Mapped[datetime] = mapped_column(Instant(), index=True)
    until: Mapped[datetime] = mapped_column(Instant(), index=True)
    ended_at: Mapped[datetime | None] = mapped_column(Instant())
    ended_by: Mapped[str] = mapped_column(String(80), default="")

    @property
    def reason(self) -> Any:
        """Why, in words."""
        return REASONS[self.kind]


def standing() -> list[Ban]:
    """Bans in force now, newest first."""
    query = select(Ban).where(Ban.ended_at.is_(None), Ban.until > ground.now()).order_by(Ban.since.desc(), Ban.id.desc()).limit(MOST)
    return list(db.session.scalars(query))


def of_address(address: str) -> list[Ban]:
    """Those of one address."""
    return [ban for ban in standing() if ban.address == address]


def put(address: str, kind: str, users: list[str], tries_count: int) -> Ban | None:
    """A new ban by the policy; None when one of this kind stands already, so that being told twice bans once. The caller commits."""
    if any(ban.kind == kind for ban in of_address(address)):
        return None
    since = ground.now()
    ban = Ban(address=address, kind=kind, users=users[:SHOWN_USERS], users_count=len(users), tries_count=tries_count, since=since,
              until=since + timedelta(minutes=policies.current().ban_minutes))
    db.session.add(ban)
    db.session.flush()
    changes.record("addresses", ban.id, address, "banned", {}, {"users": ", ".join(ban.users), "tries": tries_count, "until": ban.until.isoformat()}, pending=False)
    return ban


def lift(ban: Ban) -> None:
    """End a ban now; who did it is written down. The caller commits."""
    ban.ended_at, ban.ended_by = ground.now(), changes.actor.get().name
    changes.record("addresses", ban.id, ban.address, "unblocked", {}, {}, pending=False)


def forget_old() -> None:
    """Bans long past are removed."""
    db.session.execute(delete(Ban).where(Ban.until < ground.now() - timedelta(days=KEPT_DAYS)))
