"""Calendar events (eventos, feriados): dated times in which chosen queues and IVRs are closed, whatever their hours (HRS-07, HRS-08)."""

from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Boolean, Name, field
from appliance.hours import LocalTime
from appliance.links import ANYWHERE, Destination, Reference, References, split
from appliance.resource import TABLE, Resource

LONGEST_DAYS, LONGEST_YEARLY_DAYS = 366, 364


class CalendarEvent(Base):
    """A holiday, a party, an inventory. It goes before business hours and never opens anything."""

    __tablename__ = "calendar_events"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(80), _l("Name"), unique=True, example="Natal 2026", also="Nome", help=_l("Shown in the story of a call and in the reports."),
    )
    start: Mapped[str] = field(
        LocalTime(), _l("Start"), example="2026-12-24 12:00", also="Início", help=_l("The first minute of it, by the company's clock."),
    )
    end: Mapped[str] = field(
        LocalTime(), _l("End"), example="2026-12-26 08:00", also="Fim", help=_l("The first minute after it. A whole day ends at 00:00 of the next one."),
    )
    every_year: Mapped[bool] = field(
        Boolean(), _l("Every year"), default=False, also="Todo ano recorrente",
        help=_l("On the same days of every year; the year above says nothing then. For holidays that move, take each year's over."),
    )
    prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("Message"), name="prompt", optional=True, also="Mensagem",
        help=_l("What callers hear, to its end. Nothing chosen: nothing is said and the call goes on at once."),
    )
    destination: Mapped[str] = field(
        Destination(*ANYWHERE), _l("After the message"), optional=True, default=None, also="Após Mensagem Não Desviar Desligar",
        help=_l("Where the call goes during the event. Nothing chosen: it ends."),
    )
    queues: Mapped[list[int]] = field(
        References("queues"), _l("Queues"), optional=True, also="Filas", help=_l("Queues that are closed during the event, whatever their hours."),
    )
    ivrs: Mapped[list[int]] = field(
        References("ivrs"), _l("IVRs"), optional=True, also="URAs", help=_l("IVRs that are closed during the event, whatever their hours."),
    )

    def check(self) -> None:
        """It lasts, and not longer than the calendar can tell; nothing it closes is where it sends the calls."""
        begins, ends = self.period
        if begins == ends:
            raise Refused(_("The event begins and ends at the same minute. A whole day ends at 00:00 of the next day."), field="end")
        if ends < begins:
            raise Refused(_("The end is before the start. Swap them or choose a later end."), field="end")
        most = LONGEST_YEARLY_DAYS if self.every_year else LONGEST_DAYS
        if ends - begins > timedelta(days=most):
            raise Refused(_("An event lasts at most %(days)s days. Use business hours for what is longer.", days=most), field="end")
        kind, target = split(self.destination or "")
        for word, closed in (("queues", self.queues), ("ivrs", self.ivrs)):
            if kind and kind == TABLE[word].destination and int(target) in closed:
                raise Refused(_("%(row)s is closed by this event itself: a call would go round in circles. Choose another destination.",
                                row=TABLE[word].title(TABLE[word].get(int(target)))), field="destination")

    @property
    def period(self) -> tuple[datetime, datetime]:
        """(start, first moment after it), by the company's clock."""
        return datetime.fromisoformat(self.start), datetime.fromisoformat(self.end)


resource = Resource(
    CalendarEvent, word="calendar_events", label=_l("Holidays and events"), one=_l("event"), new=_l("New event"), key="name",
    group="telephony", icon="calendar-event", columns=["name", "start", "end", "every_year", "queues", "ivrs"], search=["name"],
    filters=["every_year"],
    takes=["queues", "ivrs"],
    tabs={_l("General"): ["name", "start", "end", "every_year"], _l("Calls"): ["queues", "ivrs", "prompt", "destination"]},
    empty=_l("On a holiday or during an event, chosen queues and IVRs are closed whatever their hours. Take over the holidays of your state, or create an event."),
    also="Eventos Feriados feriado evento calendário recesso",
)
