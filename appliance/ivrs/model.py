"""An IVR (URA): a menu of spoken options (IVR-01)."""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance.business_hours.model import BusinessHours
from appliance.db import Base
from appliance.fields import DialNumber, Name, Text, field
from appliance.links import Reference
from appliance.resource import Resource


class Ivr(Base):
    """An IVR (URA): a menu of spoken options (IVR-01)."""

    __tablename__ = "ivrs"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, also="Nome", help=_l("Shown in calls, panels and reports."))
    number: Mapped[str] = field(
        DialNumber(), _l("IVR extension"), unique=True, also="Ramal", help=_l("What extensions dial, and what calls are transferred to."),
    )
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, also="Descrição", help=_l("For yourselves: what it is for."))
    business_hours_id: Mapped[int | None] = field(
        Reference("business_hours"), _l("Business hours"), name="business_hours", optional=True, also="Horário de atendimento",
        help=_l("When it takes calls. Nothing chosen: always."),
    )

    business_hours: Mapped[BusinessHours | None] = relationship()

    def numbers(self) -> list[str]:
        """What it occupies in the numbering."""
        return [self.number]


resource = Resource(
    Ivr, word="ivrs", label=_l("IVRs"), one=_l("IVR"), new=_l("New IVR"), key="name", group="telephony", icon="keyboard",
    columns=["name", "number", "business_hours"], search=["name", "number"], filters=["business_hours"],
    tabs={_l("General"): ["name", "number", "description", "business_hours"]}, destination="ivr",
    empty=_l("An IVR asks the caller with your voice and goes where the pressed digit says. Create one and choose its audio."),
    also="URAs URA menu autoatendimento",
)
