"""Extensions (ramais): one SIP user each (EXT-01 to EXT-09, EXT-12, EXT-13, EXT-28)."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance import resource as resources
from appliance.cost_centres.model import CostCentre
from appliance.db import Base, db
from appliance.dialing_profiles.model import DialingProfile
from appliance.errors import Refused
from appliance.extension_classes.model import ExtensionClass
from appliance.fields import Boolean, DialNumber, Name, Secret, Whole, field
from appliance.links import Reference
from appliance.pickup_groups.model import PickupGroup
from appliance.resource import Resource


def _default_class() -> str | None:
    """The oldest class, so that number, name and password are enough for a new extension (EXT-13)."""
    return db.session.scalar(select(ExtensionClass.name).order_by(ExtensionClass.id).limit(1))


class Extension(Base):
    """An extension. Its PJSIP endpoint bears its number, because that is how PJSIP finds it."""

    __tablename__ = "extensions"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = field(
        DialNumber(), _l("Number"), unique=True, example="1001", also="Ramal",
        help=_l("What others dial, and the user name the phone registers with."),
    )
    name: Mapped[str] = field(
        Name(80), _l("Name"), example="Ana", also="Nome Identificação",
        help=_l("Shown on the called phone, in reports and on the panel."),
    )
    password: Mapped[str] = field(
        Secret(8), _l("SIP password"), also="Senha", help=_l("What the phone registers with. Left empty for a new extension it is generated."),
    )
    extension_class_id: Mapped[int] = field(
        Reference("extension_classes"), _l("Class"), name="class", default=_default_class, also="Categoria",
        help=_l("What this extension may do."),
    )
    dialing_profile_id: Mapped[int | None] = field(
        Reference("dialing_profiles"), _l("Dialing profile"), name="dialing_profile", optional=True, also="Perfil de ligações",
        help=_l("Whom it may call outside. Without one: other extensions and emergency numbers only."),
    )
    pickup_group_id: Mapped[int | None] = field(
        Reference("pickup_groups"), _l("Pickup group"), name="pickup_group", optional=True, also="Grupo",
        help=_l("Extensions of the same group may pick up its calls."),
    )
    cost_centre_id: Mapped[int | None] = field(
        Reference("cost_centres"), _l("Cost centre"), name="cost_centre", optional=True, also="Centro de Custos",
        help=_l("Whom the calls of this extension belong to in the reports."),
    )
    devices: Mapped[int] = field(
        Whole(1, 5), _l("Devices"), default=1, help=_l("How many phones may register at the same time; all of them ring."),
    )
    provisioning: Mapped[bool] = field(
        Boolean(), _l("Provisioning"), default=False, also="Provisionamento autoprovisionamento",
        help=_l("Its desk phone fetches number, password and phone book from here by itself. The phone is created under Desk phones."),
    )
    hide_in_phonebook: Mapped[bool] = field(
        Boolean(), _l("Hide in phone book"), default=False, also="Ocultar na agenda",
        help=_l("Left out of the phone book the desk phones show; whoever dials the number still reaches it."),
    )

    extension_class: Mapped[ExtensionClass] = relationship(lazy="joined")
    dialing_profile: Mapped[DialingProfile | None] = relationship()
    pickup_group: Mapped[PickupGroup | None] = relationship()
    cost_centre: Mapped[CostCentre | None] = relationship()

    def numbers(self) -> list[str]:
        """What it occupies in the numbering."""
        return [self.number]

    def stored(self) -> None:
        """A class with voicemail gives it a mailbox."""
        give_mailboxes(self)

    def check_delete(self) -> None:
        """Its mailbox goes with it, unless calls are sent there."""
        boxes = resources.TABLE["voicemail_boxes"]
        box = boxes.find(self.number)
        users = list(resources.used_by(boxes.word, box.id)) if box else []
        if users:
            raise Refused(_("The mailbox of %(row)s is still used by: %(users)s. Change those first.", row=self.number,
                            users=", ".join(f"{other.one} {other.title(user)}" for other, user in users[:10])))


def give_mailboxes(*extensions: Extension) -> None:
    """Make the mailboxes these extensions lack."""
    boxes = resources.TABLE["voicemail_boxes"]
    for extension in extensions:
        if extension.extension_class and extension.extension_class.voicemail and boxes.find(extension.number) is None:
            boxes.create({"number": extension.number})


resource = Resource(
    Extension, word="extensions", label=_l("Extensions"), one=_l("extension"), new=_l("New extension"),
    key="number", group="telephony", icon="phone",
    columns=["number", "name", "class", "dialing_profile", "pickup_group", "cost_centre"], search=["number", "name"],
    filters=["class", "dialing_profile", "pickup_group", "cost_centre"],
    tabs={_l("General"): ["number", "name", "password", "class", "dialing_profile"],
          _l("Groups"): ["pickup_group", "cost_centre", "devices"],
          _l("Phone"): ["provisioning", "hide_in_phonebook"]},
    at_once=["provisioning", "hide_in_phonebook"], destination="extension",
    empty=_l("An extension is a phone of yours: number, name and password are enough. Create the first one."),
    also="Ramais ramal telefone SIP",
)
