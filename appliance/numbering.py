"""Who has a number: a dialable number is free, or this says who has it.

SIP user names of trunks that register to us live in the same space, because PJSIP finds both by section name.
"""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, db
from appliance.errors import Refused


class Number(Base):
    """One number (or SIP user name) and the row that has it."""

    __tablename__ = "numbers"
    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    word: Mapped[str] = mapped_column(String(40), index=True)
    row_id: Mapped[int]
    owner: Mapped[str] = mapped_column(String(200))


RESERVED = {"*43": _l("the echo test")}  # numbers the exchange itself answers (asterisk/dialplan/echo.conf)


def claim(word: str, row_id: int, owner: str, numbers: list[str]) -> None:
    """Give the row exactly these numbers. `owner` is how people call it: “extension 2001 Ana”.

    Raises Refused when another row has one. Running it again with the same numbers changes nothing.
    """
    for number in numbers:
        if number in RESERVED:
            raise Refused(_("The number %(number)s is already used by %(owner)s. Choose another number or change that one.",
                            number=number, owner=RESERVED[number]))
        holder = db.session.get(Number, number)
        if holder and (holder.word, holder.row_id) != (word, row_id):
            refuse(holder)
    free(word, row_id)
    db.session.add_all(Number(number=number, word=word, row_id=row_id, owner=owner[:200]) for number in numbers)
    db.session.flush()


def refuse(holder: Number) -> None:
    """Raises Refused: somebody has the number."""
    raise Refused(_("The number %(number)s is already used by %(owner)s. Choose another number or change that one.", number=holder.number,
                    owner=holder.owner), link=f"/{holder.word}/{holder.row_id}" if holder.row_id else "")


def free(word: str, row_id: int) -> None:
    """The row gives up its numbers."""
    db.session.execute(delete(Number).where(Number.word == word, Number.row_id == row_id))


def beginning_with(digits: str, word: str) -> str | None:
    """A number of this resource that begins with these digits."""
    query = select(Number.number).where(Number.word == word, Number.number.startswith(digits, autoescape=True)).limit(1)
    return db.session.scalar(query) if digits else None


def holder(number: str) -> Number | None:
    """Who has the number."""
    return db.session.scalar(select(Number).where(Number.number == number))
