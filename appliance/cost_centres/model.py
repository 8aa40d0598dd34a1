"""Cost centres: whom a call's cost belongs to; bound to extensions and users (CFG-11)."""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base
from appliance.fields import Name, Text, field
from appliance.resource import Resource


class CostCentre(Base):
    """A cost centre."""

    __tablename__ = "cost_centres"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, help=_l("Shown in the reports."))
    description: Mapped[str] = field(
        Text(200), _l("Description"), optional=True,
        help=_l("For yourselves: what belongs to it."),
    )


resource = Resource(
    CostCentre, word="cost_centres", label=_l("Cost centres"), one=_l("cost centre"), new=_l("New cost centre"),
    key="name", group="people",
    icon="category", columns=["name", "description"], search=["name", "description"], applies=False,
    tabs={_l("General"): ["name", "description"]},
    empty=_l("A cost centre says whom a call's cost belongs to. Create one and choose it in the extensions."),
    also="Centro de Custos",
)
