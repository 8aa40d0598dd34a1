"""An announcement (anúncio): sounds played one after the other, then the call goes on (IVR-29)."""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance import paths
from appliance.db import Base
from appliance.fields import Name, Text, field
from appliance.links import ANYWHERE, Destination, References
from appliance.resource import Resource


class Announcement(Base):
    """Sounds in an order, and where the call goes afterwards."""

    __tablename__ = "announcements"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(40), _l("Name"), unique=True, also="Anúncio Nome", help=_l("How the announcement is called in destinations and in the story of a call."),
    )
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, also="Descrição", help=_l("For yourselves: what it tells, and until when."))
    prompts: Mapped[list[int]] = field(
        References("audio_prompts"), _l("Sounds"), also="Áudios desejados",
        help=_l("Played to the caller one after the other, in this order, whole: no key ends them."),
    )
    destination: Mapped[str] = field(
        Destination(*ANYWHERE), _l("Then"), default=lambda: {"hangup": True}, also="Destino próximo passo",
        help=_l("Where the call goes when the last sound has ended."),
    )

    def check(self) -> None:
        """No call goes round without a key."""
        paths.check(self)


resource = Resource(
    Announcement, word="announcements", label=_l("Announcements"), one=_l("announcement"), new=_l("New announcement"), key="name",
    group="telephony", icon="speakerphone", columns=["name", "prompts", "destination"], search=["name", "description"],
    tabs={_l("General"): ["name", "description", "prompts", "destination"]}, destination="announcement",
    empty=_l("An announcement plays sounds to a caller and goes on. Create one and choose it as a destination, for example of a route."),
    also="Anúncios Anúncio mensagem aviso áudio informativo",
)
