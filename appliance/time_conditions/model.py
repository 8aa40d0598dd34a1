"""Time conditions (condições de horário): a destination that is one place inside its periods and another outside (HRS-11, HRS-12)."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Name, Whole, Words, field
from appliance.hours import MONTHS, WEEKDAYS, TimeOfDay, days_told, minutes, range_problem
from appliance.links import ANYWHERE, Destination, Rows, part, split
from appliance.resource import Resource


class PeriodLines(Rows):
    """Lines of a time condition. What a line leaves out does not narrow it."""

    def __init__(self) -> None:
        super().__init__({
            "weekdays": part(Words(WEEKDAYS), _l("Weekdays"), optional=True, help=_l("Nothing ticked: every day of the week.")),
            "first_day": part(Whole(1, 31), _l("From day"), optional=True, example="1", help=_l("First day of the month, when only some days count.")),
            "last_day": part(Whole(1, 31), _l("To day"), optional=True, example="5", help=_l("Last day of the month that counts, itself included.")),
            "months": part(Words(MONTHS), _l("Months"), optional=True, help=_l("Nothing ticked: every month.")),
            "start": part(TimeOfDay(), _l("Start"), default="00:00", example="09:00", help=_l("The first minute that is inside.")),
            "end": part(TimeOfDay(), _l("End"), default="24:00", example="17:00", help=_l("The first minute that is outside again; 24:00 is the end of the day.")),
        }, _l("period"), most=50)

    def read(self, value: Any, reader: Any) -> list[dict[str, Any]] | None:
        before = len(reader.problems)
        found = super().read(value, reader)
        if found is None or len(reader.problems) > before:
            return found
        for index, line in enumerate(found):
            field_name, problem = _wrong(line)
            if problem:
                reader.at(index).at(field_name).refuse(problem)
        return found

    def text(self, stored: Any) -> str:
        return "; ".join(_told(line) for line in stored or [])


def _wrong(line: dict[str, Any]) -> tuple[str, str]:
    """(field, what is wrong with it) of a line; ("", "") when nothing is."""
    problem = range_problem(line["start"], line["end"])
    if problem:
        return "end", problem
    first, last = line["first_day"], line["last_day"]
    if (first is None) != (last is None):
        return ("first_day" if first is None else "last_day"), _("Write both days of the month, or neither.")
    if first is not None and last < first:
        return "last_day", _("The last day is before the first. For days on both sides of a month's end write two lines.")
    if minutes(line["end"]) < minutes(line["start"]) and (first is not None or line["months"]):
        return "end", _("%(end)s is before %(start)s. With days of the month or months write two lines, until 24:00 and from 00:00.",
                        start=line["start"], end=line["end"])
    return "", ""


def _told(line: dict[str, Any]) -> str:
    """A line in a few words."""
    days = days_told(line["weekdays"]) if line["weekdays"] else ""
    of_month = _("days %(first)s to %(last)s", first=line["first_day"], last=line["last_day"]) if line["first_day"] else ""
    months = ", ".join(str(MONTHS[month]) for month in MONTHS if month in line["months"])
    return " ".join(text for text in (days, of_month, months, f"{line['start']}–{line['end']}") if text)


class TimeCondition(Base):
    """A destination with two sides. Periods count together: one that fits is enough."""

    __tablename__ = "time_conditions"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True, also="Condição de horário", help=_l("Chosen by this name where a destination is wanted."),
    )
    periods: Mapped[list[dict[str, Any]]] = field(
        PeriodLines(), _l("Periods"), default=lambda: [{"weekdays": list(WEEKDAYS)[:5], "start": "08:00", "end": "18:00"}],
        also="Períodos Adicionar Período dias da semana dias do mês mês hora de início hora de término",
        help=_l("When the call goes to the first destination, by the company's clock. One line that fits is enough."),
    )
    inside_destination: Mapped[str] = field(
        Destination(*ANYWHERE), _l("Destination inside the periods"), also="Destino dentro do período", help=_l("Where the call goes in the periods."),
    )
    outside_destination: Mapped[str] = field(
        Destination(*ANYWHERE), _l("Destination outside the periods"), also="Destino fora do período",
        help=_l("Where the call goes at any other time."),
    )

    def check(self) -> None:
        """It does not lead to itself."""
        for name in ("inside_destination", "outside_destination"):
            if self.id and split(getattr(self, name) or "") == ("time_condition", str(self.id)):
                raise Refused(_("A time condition cannot lead to itself. Choose another destination."), field=name)


resource = Resource(
    TimeCondition, word="time_conditions", label=_l("Time conditions"), one=_l("time condition"), new=_l("New time condition"), key="name",
    group="telephony", icon="arrows-shuffle", columns=["name", "periods", "inside_destination", "outside_destination"], search=["name"],
    tabs={_l("General"): ["name", "periods", "inside_destination", "outside_destination"]}, destination="time_condition",
    empty=_l("A time condition sends a call to one place inside its periods and to another outside. Create one, then choose it as a destination."),
    also="Condição de horário condições",
)
