"""Pickup groups: who may pick up whose ringing phone (EXT-26)."""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base
from appliance.fields import Name, Text, field
from appliance.resource import Resource


class PickupGroup(Base):
    """A group of extensions. In Asterisk it bears its id, so renaming keeps its members."""

    __tablename__ = "pickup_groups"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True,
        help=_l("How the group is called in the extensions."),
    )
    description: Mapped[str] = field(
        Text(200), _l("Description"), optional=True,
        help=_l("For yourselves: who is in it and why."),
    )


resource = Resource(
    PickupGroup, word="pickup_groups", label=_l("Pickup groups"), one=_l("pickup group"), new=_l("New pickup group"),
    key="name", group="telephony",
    icon="users", columns=["name", "description"], search=["name", "description"],
    tabs={_l("General"): ["name", "description"]},
    empty=_l("Extensions of one group may pick up each other's ringing calls. Create one and choose it in the extensions."),
    also="Grupos Grupo de captura",
)
