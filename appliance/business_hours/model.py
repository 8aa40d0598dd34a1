"""Business hours (horários de atendimento): when queues and IVRs are open (HRS-01 to HRS-06).

Which queues and IVRs keep to them stands on the queue and on the IVR; the form of the hours changes the same column (HRS-04).
"""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import hours
from appliance import resource as resources
from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import Name, field
from appliance.links import ANYWHERE, Destination, Reference, split
from appliance.resource import Resource

DOORS = ("queues", "ivrs")  # words of what may keep to hours


class BusinessHours(Base):
    """Hours in which a queue or an IVR takes calls, and what becomes of a call outside them."""

    __tablename__ = "business_hours"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True, also="Nome",
        help=_l("How these hours are called here, in the queues and IVRs and in the reports."),
    )
    periods: Mapped[list[dict[str, Any]]] = field(
        hours.Periods(), _l("Open"), default=hours.working_days, also="Horário Início Fim Dias da semana Adicionar Horário",
        help=_l("When calls are taken, by the company's clock. Outside all ranges it is closed."),
    )
    closed_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("Message when closed"), name="closed_prompt", optional=True, also="Mensagem fora de expediente",
        help=_l("What callers hear, to its end. Nothing chosen: nothing is said and the call goes on at once."),
    )
    closed_destination: Mapped[str] = field(
        Destination(*ANYWHERE), _l("After the message"), optional=True, default=None, also="Após a mensagem Não Desviar Desligar",
        help=_l("Where the call goes outside the hours. Nothing chosen: it ends."),
    )

    def check(self) -> None:
        """A closed queue or IVR does not send its calls to itself."""
        door = next((one for one in doors(self.id) if self.id and points_at(self.closed_destination, *one)), None)
        if door:
            row = resources.TABLE[door[0]].get(door[1])
            raise Refused(_("%(row)s keeps to these hours itself: a call would go round in circles. Choose another destination.",
                            row=resources.TABLE[door[0]].title(row)), field="closed_destination")


def doors(hours_id: int) -> list[tuple[str, int]]:
    """(word, id) of every queue and IVR that keeps to these hours."""
    found = []
    for word in DOORS:
        model = resources.TABLE[word].model
        found += [(word, row_id) for row_id in db.session.scalars(
            select(model.id).where(model.business_hours_id == hours_id).order_by(model.name))]
    return found


def points_at(destination: str | None, word: str, row_id: int) -> bool:
    """Whether a stored destination is this row."""
    kind, target = split(destination or "")
    return kind == resources.TABLE[word].destination and target == str(row_id)


resource = Resource(
    BusinessHours, word="business_hours", label=_l("Business hours"), one=_l("business hours"), new=_l("New business hours"), key="name",
    group="telephony", icon="clock", columns=["name", "periods", "closed_prompt", "closed_destination"], search=["name"],
    tabs={_l("General"): ["name", "periods", "closed_prompt", "closed_destination"]},
    empty=_l("Business hours say when queues and IVRs take calls, and what callers hear outside them. Create them, then choose the queues and IVRs."),
    also="Horários de Atendimento expediente",
)
