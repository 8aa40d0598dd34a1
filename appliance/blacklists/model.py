"""Blacklists: numbers whose calls are refused, by routes that name the list (CON-03, CON-04, CON-06, RTE-05, RTE-10).

The numbers are a table of their own, up to hundreds of thousands; adding or removing one takes effect with the next call. What belongs
to the list itself (prompts, calls without a number, which routes use it) is applied like everything else.
"""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.blacklists import entries
from appliance.db import Base
from appliance.fields import Boolean, Name, Text, field
from appliance.links import Reference
from appliance.resource import Resource


class Blacklist(Base):
    """A list. It refuses nothing until a route names it."""

    __tablename__ = "blacklists"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, also="Nome", help=_l("Shown in the story of a refused call."))
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, also="Descrição", help=_l("For yourselves: who is on this list, and why."))
    block_withheld: Mapped[bool] = field(
        Boolean(), _l("Also refuse calls without a number"), default=False, also="sem identificação número privado oculto anônimo",
        help=_l("Calls that come in with the number withheld, by inbound routes that use this list."),
    )
    inbound_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("Refused callers hear"), name="inbound_prompt", optional=True, also="Áudio mensagem",
        help=_l("Nothing chosen: the call is refused in silence, as if the line rejected it. The caller pays nothing either way."),
    )
    outbound_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("Who dials a listed number hears"), name="outbound_prompt", optional=True, also="Áudio mensagem",
        help=_l("Nothing chosen: our own text, “this number is on the list of blocked numbers”."),
    )

    def is_empty(self) -> bool:
        """Whether it holds no number; the list says so beside its name."""
        return not entries.page(self.id, limit=1).entries


resource = Resource(
    Blacklist, word="blacklists", label=_l("Blacklists"), one=_l("blacklist"), new=_l("New blacklist"), key="name", group="telephony",
    icon="ban", columns=["name", "description", "block_withheld"], search=["name", "description"],
    tabs={_l("General"): ["name", "description", "block_withheld", "inbound_prompt", "outbound_prompt"]},
    long_lists={"numbers": entries.Numbers()},
    empty=_l("A blacklist holds numbers whose calls are refused. Create one, add numbers, and choose it in the inbound or outbound routes."),
    also="Blacklist lista negra números bloqueados bloquear trote",
)
