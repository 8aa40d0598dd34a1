"""Work shifts (turnos de trabalho): when the people bound to one may log in and call (HRS-17, HRS-18, USR-15)."""

from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance import hours
from appliance.db import Base
from appliance.fields import Name, Whole, field
from appliance.resource import Resource


class WorkShift(Base):
    """A shift. Logging in is possible inside it; who is in stays in, and may call, until the tolerance is over."""

    __tablename__ = "work_shifts"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, also="Nome", help=_l("How the shift is called in the users."))
    periods: Mapped[list[dict[str, Any]]] = field(
        hours.Periods(), _l("Hours of the shift"), default=hours.working_days, also="Início Fim Dias da semana",
        help=_l("When the people of this shift may log in, by the company's clock."),
    )
    tolerance_minutes: Mapped[int] = field(
        Whole(0, 720, "min"), _l("Tolerance"), default=0, also="Tolerância",
        help=_l("How long after the end somebody may stay logged in and make calls. Then the session ends and new calls are refused; a call in "
                "progress goes on."),
    )

    def takes_logins(self, at: datetime) -> bool:
        """Whether somebody may log in at this moment of the company's clock."""
        return hours.covers(self.periods, at)

    def is_on(self, at: datetime) -> bool:
        """Whether somebody who is in may stay and call: the shift and its tolerance."""
        return hours.covers(self.periods, at, self.tolerance_minutes)


resource = Resource(
    WorkShift, word="work_shifts", label=_l("Work shifts"), one=_l("work shift"), new=_l("New work shift"), key="name", group="people",
    icon="clock", columns=["name", "periods", "tolerance_minutes"], search=["name"],
    tabs={_l("General"): ["name", "periods", "tolerance_minutes"]},
    empty=_l("A work shift says when people may log in and make calls. Create one and choose it in the users."),
    also="Turno de Trabalho turnos jornada expediente tolerância",
)
