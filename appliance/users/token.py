"""Tokens of the API: a person's rights without a browser. Shown once, kept as a digest."""

import secrets
from datetime import datetime

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance import db as ground
from appliance.db import Base, Instant, db
from appliance.users.model import User


class Token(Base):
    """One token of a person; `name` says what it is for."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(60), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant())

    user: Mapped[User] = relationship()


def create(user: User, name: str) -> str:
    """A new token; the text returned is not kept and cannot be shown again."""
    text = f"bentevi_{secrets.token_urlsafe(32)}"
    db.session.add(Token(user_id=user.id, name=name[:80], digest=ground.digest(text), created_at=ground.now()))
    return text


def of_bearer(text: str) -> User | None:
    """Whose token it is."""
    token = db.session.scalar(select(Token).where(Token.digest == ground.digest(text)))
    return token.user if token else None
