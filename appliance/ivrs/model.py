"""An IVR (URA): a menu of spoken options (IVR-01 to IVR-10)."""

from collections.abc import Iterator
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance import paths
from appliance.business_hours.model import BusinessHours
from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Boolean, Choice, DialNumber, Lead, Name, Reader, Seconds, Text, Whole, field, is_plain
from appliance.links import ANYWHERE, KEYS, Destination, Options, Reference, References, key_choice, part, split
from appliance.resource import Resource

OPTION = "option"
MODES = {"basic": _l("Basic")}  # the word `advanced` is kept for flows that are drawn (appliance/planned.py)


class DefaultDestination(Destination):
    """A destination, or one of the menu's own options: {"option": "3"}, or simply "3" (IVR-08)."""

    keys = KEYS

    def __init__(self) -> None:
        super().__init__(OPTION, *ANYWHERE)

    def labels(self) -> dict[str, str]:
        return {OPTION: str(_l("Option of this menu"))} | super().labels()

    def read(self, value: Any, reader: Reader) -> str | None:
        chosen = value.get(OPTION) if isinstance(value, dict) and list(value) == [OPTION] else value
        if not is_plain(chosen):
            return super().read(value, reader)
        if str(chosen) not in KEYS:
            return reader.refuse(_("“%(key)s” is no key of a telephone: write 0 to 9, * or #.", key=chosen))
        return f"{OPTION}:{chosen}"

    def show(self, stored: Any) -> Any:
        kind, target = split(stored or "")
        return {OPTION: target} if kind == OPTION else super().show(stored)

    def refers(self, stored: Any) -> Iterator[tuple[str, int]]:
        return iter(()) if split(stored or "")[0] == OPTION else super().refers(stored)

    def leads(self, stored: Any) -> Iterator[Lead]:
        """None: only the row knows what its option leads to (Ivr.goes_on)."""
        return iter(())


class Ivr(Base):
    """A menu: what is heard, the keys and where they lead, and what becomes of a caller who presses none or a wrong one."""

    __tablename__ = "ivrs"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, also="Nome URA", help=_l("Shown in calls, panels and reports."))
    number: Mapped[str] = field(
        DialNumber(), _l("IVR extension"), unique=True, also="Ramal da URA", help=_l("What extensions dial, and what calls are transferred to."),
    )
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, also="Descrição", help=_l("For yourselves: what it is for."))
    mode: Mapped[str] = field(
        Choice(MODES), _l("Mode"), default="basic", also="Modo de configuração Tipo de URA",
        help=_l("Basic: one question and a destination for each key."),
    )
    business_hours_id: Mapped[int | None] = field(
        Reference("business_hours"), _l("Business hours"), name="business_hours", optional=True, also="Horário de atendimento",
        help=_l("When it takes calls. Nothing chosen: always."),
    )
    blacklists: Mapped[list[int]] = field(
        References("blacklists"), _l("Blacklists"), optional=True, default=list, also="Blacklist Inbound URA números bloqueados",
        help=_l("Callers from outside whose number is in one of these lists are refused at this menu. They still reach other menus, "
                "and you can still dial them."),
    )
    greeting_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("Greeting"), name="greeting_prompt", optional=True, also="Áudio de Saudação boas-vindas",
        help=_l("Heard once, before the question. Who knows the menu may press a key meanwhile."),
    )
    prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("Question"), name="prompt", optional=True, also="Áudio principal Áudio de Menu pergunta opções",
        help=_l("The main audio: says which key leads where. A key pressed meanwhile counts at once."),
    )
    invalid_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("After a wrong key"), name="invalid_prompt", optional=True, also="Áudio erro Áudio de Opção Inválida",
        help=_l("The error audio, heard before the question is asked again."),
    )
    timeout_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("After silence"), name="timeout_prompt", optional=True, also="Áudio de Timeout",
        help=_l("Heard when no key was pressed, before the question is asked again. Nothing chosen: the audio for a wrong key."),
    )
    attempts_exceeded_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("After the last attempt"), name="attempts_exceeded_prompt", optional=True, also="Áudio de Tentativas Excedidas",
        help=_l("Heard when all attempts are used up, before the call goes to the default destination or ends."),
    )
    timeout_seconds: Mapped[int] = field(
        Seconds(1, 60), _l("Wait for a key"), default=4, also="Timeout", help=_l("From the end of the question. 4 seconds are usual."),
    )
    attempts: Mapped[int] = field(
        Whole(1, 10), _l("Attempts"), default=3, also="Tentativas", help=_l("How often the question is asked in all, when nothing or a wrong key is pressed."),
    )
    dial_extension: Mapped[bool] = field(
        Boolean(), _l("Callers may dial an extension"), default=False, also="Opção discar ramal",
        help=_l("Besides the options, the number of an extension may be typed. An option that begins such a number then waits a moment "
                "for more digits."),
    )
    options: Mapped[dict[str, str]] = field(
        Options(
            part(key_choice(), _l("Key"), default="1", also="Opção Número", help=_l("What the caller presses: a digit, * or #.")),
            part(Destination(*ANYWHERE), _l("Destination"), also="Ação Destino", help=_l("Where the call goes then.")),
            _l("option"),
        ),
        _l("Options"), optional=True, default=dict, also="Opções Ação", help=_l("The keys callers may press, and where each leads. Every other key is a wrong one."),
    )
    default_destination: Mapped[str] = field(
        DefaultDestination(), _l("Default destination"), optional=True, also="Destino Padrão",
        help=_l("Where the call goes after the last attempt: an option of this menu, or any other destination. Nothing chosen: the call ends."),
    )
    rating_id: Mapped[int | None] = field(
        Reference("ratings"), _l("Rating at the end"), name="rating", optional=True, also="Pesquisa de satisfação Avaliação",
        help=_l("Asked of a caller who came through this menu and was answered, once the other side has hung up. Nothing chosen: not asked."),
    )

    business_hours: Mapped[BusinessHours | None] = relationship()

    def numbers(self) -> list[str]:
        """What it occupies in the numbering."""
        return [self.number]

    @property
    def default_stored(self) -> str:
        """The default destination as any other: what its option leads to when it names one, "" for none."""
        kind, key = split(self.default_destination or "")
        return (self.options or {}).get(key, "") if kind == OPTION else self.default_destination or ""

    def goes_on(self) -> Iterator[tuple[str, str]]:
        """Where calls go by themselves: who presses nothing comes there too."""
        if self.default_stored:
            yield "default_destination", self.default_stored

    def check(self) -> None:
        """The default is an option that is there, and no call goes round without a key."""
        kind, key = split(self.default_destination or "")
        if kind == OPTION and key not in (self.options or {}):
            raise Refused(_("This menu has no option %(key)s. Add it, or choose another default destination.", key=key), field="default_destination")
        paths.check(self)


resource = Resource(
    Ivr, word="ivrs", label=_l("IVRs"), one=_l("IVR"), new=_l("New IVR"), key="name", group="telephony", icon="keyboard",
    columns=["name", "number", "options", "business_hours"], search=["name", "number", "description"], filters=["business_hours"],
    tabs={
        _l("General"): ["name", "number", "description", "mode", "business_hours", "blacklists"],
        _l("What is heard"): ["greeting_prompt", "prompt", "invalid_prompt", "timeout_prompt", "attempts_exceeded_prompt"],
        _l("Options"): ["options", "dial_extension", "timeout_seconds", "attempts", "default_destination", "rating"],
    },
    destination="ivr", passes=["business_hours", "rating"],
    empty=_l("An IVR asks the caller with your voice and goes where the pressed digit says. Create one and choose its audio."),
    also="URAs URA menu autoatendimento",
)
