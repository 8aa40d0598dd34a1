"""Scheduled conferences: open from a moment until another, entered by one number and a password of their own (FEA-13, FEA-21)."""

import secrets
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import db as ground
from appliance.company.model import Company
from appliance.conference_rooms.model import NONE, RECORDINGS, Pin
from appliance.db import Base, Instant, db
from appliance.errors import Refused
from appliance.fields import Choice, Kind, Name, Reader, field
from appliance.resource import SINGLE_ID, Resource


class Moment(Kind):
    """A day and a time in the company's zone, yyyy-mm-dd hh:mm."""

    widget, empty = "datetime", None

    def column(self) -> Any:
        return Instant()

    def read(self, value: Any, reader: Reader) -> datetime | None:
        try:
            return datetime.strptime(str(value).strip().replace("T", " ")[:16], "%Y-%m-%d %H:%M").replace(tzinfo=_zone())
        except ValueError:
            return reader.refuse(_("Write day and time as 2026-11-20 09:00."))

    def show(self, stored: Any) -> Any:
        return stored.astimezone(_zone()).strftime("%Y-%m-%d %H:%M") if stored else None


def _zone() -> ZoneInfo:
    company = db.session.get(Company, SINGLE_ID)
    return ZoneInfo(company.timezone if company else "America/Sao_Paulo")


class GeneratedPin(Pin):
    """A password of six digits, made when none is given."""

    def __init__(self) -> None:
        super().__init__(least=4, generated=True)

    def generate(self) -> str:
        return f"{secrets.randbelow(900000) + 100000}"


class ScheduledConference(Base):
    """One appointment."""

    __tablename__ = "scheduled_conferences"
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = field(
        Name(80), _l("Subject"), unique=True, example="Reunião de segunda", also="Assunto", help=_l("What the conference is about; how it is called in reports."),
    )
    pin: Mapped[str] = field(
        GeneratedPin(), _l("Password"), also="Senha",
        help=_l("Typed after the code for conferences. Left empty for a new conference it is generated."),
    )
    opens_at: Mapped[datetime] = field(
        Moment(), _l("Opens"), example="2026-11-23 09:00", also="Abertura", help=_l("Before it nobody gets in. Day and time in the company's zone."),
    )
    closes_at: Mapped[datetime] = field(
        Moment(), _l("Closes"), example="2026-11-23 10:00", also="Encerramento",
        help=_l("From then on nobody gets in; who is inside stays. Day and time in the company's zone."),
    )
    recording: Mapped[str] = field(
        Choice(RECORDINGS), _l("Record"), default=NONE, also="Gravar",
        help=_l("Keeps what is heard in the conference, one recording for each person in it."),
    )

    def check(self) -> None:
        """It closes after it opens, and no other that is not over has its password: the password alone says which one is meant."""
        if self.closes_at <= self.opens_at:
            raise Refused(_("It must close after it opens."), field="closes_at")
        for other in _open_later(ground.now()):
            if other.id != self.id and other.pin == self.pin:
                raise Refused(_("The conference “%(name)s” has this password. Choose another.", name=other.subject), field="pin")


def _open_later(now: datetime) -> list[ScheduledConference]:
    """Those that are not over for more than a day: after that a password means nobody's conference."""
    query = select(ScheduledConference).where(ScheduledConference.closes_at > now - timedelta(days=1))
    return list(db.session.scalars(query.order_by(ScheduledConference.opens_at)))


def of_pin(typed: str, now: datetime) -> ScheduledConference | None:
    """The conference of a password."""
    return next((one for one in _open_later(now) if typed and one.pin == typed), None)


resource = Resource(
    ScheduledConference, word="scheduled_conferences", label=_l("Scheduled conferences"), one=_l("scheduled conference"),
    new=_l("New scheduled conference"), key="subject", group="telephony", icon="calendar-event",
    columns=["subject", "opens_at", "closes_at", "recording"], search=["subject"], applies=False,
    tabs={_l("General"): ["subject", "opens_at", "closes_at", "pin", "recording"]},
    empty=_l("A scheduled conference is open for some hours. People dial the code for conferences and type its password. Create the first one."),
    also="Conferências agendadas reunião sala senha abertura encerramento",
)
