"""A call queue (fila): callers wait, members are rung by a strategy (QUE-01)."""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance.business_hours.model import BusinessHours
from appliance.db import Base
from appliance.fields import DialNumber, Name, Text, field
from appliance.links import Reference, References
from appliance.resource import Resource


class Queue(Base):
    """A call queue (fila): callers wait, members are rung by a strategy (QUE-01)."""

    __tablename__ = "queues"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, also="Nome", help=_l("Shown in calls, panels and reports."))
    number: Mapped[str] = field(
        DialNumber(), _l("Queue extension"), unique=True, also="Ramal", help=_l("What extensions dial, and what calls are transferred to."),
    )
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, also="Descrição", help=_l("For yourselves: what it is for."))
    business_hours_id: Mapped[int | None] = field(
        Reference("business_hours"), _l("Business hours"), name="business_hours", optional=True, also="Horário de atendimento",
        help=_l("When it takes calls. Nothing chosen: always."),
    )

    ratings: Mapped[list[int]] = field(
        References("ratings"), _l("Ratings"), optional=True, default=list, also="Avaliações de atendimento pesquisa de satisfação",
        help=_l("Asked of the caller one after the other when the member has hung up. Nothing chosen: the call ends then."),
    )

    business_hours: Mapped[BusinessHours | None] = relationship()

    def numbers(self) -> list[str]:
        """What it occupies in the numbering."""
        return [self.number]


resource = Resource(
    Queue, word="queues", label=_l("Queues"), one=_l("queue"), new=_l("New queue"), key="name", group="telephony", icon="users-group",
    columns=["name", "number", "business_hours"], search=["name", "number"], filters=["business_hours"],
    tabs={_l("General"): ["name", "number", "description", "business_hours", "ratings"]}, destination="queue",
    empty=_l("A queue holds callers until one of its members answers. Create one and choose its members."),
    also="Filas fila serviço departamento grupo",
)
