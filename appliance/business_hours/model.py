"""Business hours (horários de atendimento): when queues and IVRs are open (HRS-01 to HRS-06)."""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base
from appliance.fields import Name, field
from appliance.resource import Resource


class BusinessHours(Base):
    """Hours in which a queue or an IVR takes calls, and what becomes of a call outside them."""

    __tablename__ = "business_hours"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True, also="Nome",
        help=_l("How these hours are called here, in the queues and IVRs and in the reports."),
    )


resource = Resource(
    BusinessHours, word="business_hours", label=_l("Business hours"), one=_l("business hours"), new=_l("New business hours"), key="name",
    group="telephony", icon="clock", columns=["name"], search=["name"], tabs={_l("General"): ["name"]},
    empty=_l("Business hours say when queues and IVRs take calls, and what callers hear outside them."),
    also="Horários de Atendimento expediente",
)
