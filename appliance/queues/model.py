"""A call queue (fila): callers wait, members are rung by a strategy (QUE-01 to QUE-20, QUE-22, QUE-28)."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance import lanes
from appliance.business_hours.model import BusinessHours
from appliance.db import Base
from appliance.errors import Refused
from appliance.fields import Boolean, Choice, DialNumber, Name, Phone, Seconds, Text, Whole, field
from appliance.links import ANYWHERE, Destination, Parts, Reference, References, Rows, part
from appliance.resource import Resource

RANDOM, LINEAR, LEAST_RECENT, FEWEST_CALLS, ROTATE, RING_ALL = "random", "linear", "least_recent", "fewest_calls", "rotate", "ring_all"
STRATEGIES = {
    RING_ALL: _l("All members"), ROTATE: _l("Rotating"), LEAST_RECENT: _l("Least recent"), FEWEST_CALLS: _l("Fewest calls"), RANDOM: _l("Random"),
    LINEAR: _l("Linear"),
}
IN_ORDER = (LINEAR, ROTATE)  # Asterisk keeps the members of such a queue as a list, in the order they were added

ALWAYS, WHILE_RINGING, NEVER = "always", "while_ringing", "never"
RING_TONES = {WHILE_RINGING: _l("While a member rings"), ALWAYS: _l("Always"), NEVER: _l("Never")}

MOST_MEMBERS, MOST_GROUPS = 300, 10

_MEMBER = {
    "extension": part(Reference("extensions"), _l("Extension"), also="Ramal", help=_l("Whose telephone rings.")),
    "penalty": part(
        Whole(0, 100), _l("Penalty"), default=0, also="Penalidade",
        help=_l("Rung only while every member with a smaller penalty is on a call, paused or absent; one who just does not answer is rung again."),
    ),
    "paused": part(Boolean(), _l("Paused"), default=False, also="Pausa", help=_l("Gets no calls of this queue; counts as not available.")),
}

_ON_FULL = {
    "max_waiting": part(
        Whole(1, 500), _l("Waiting callers"), optional=True, also="Tamanho máximo",
        help=_l("With so many callers waiting, the next one goes on at once. Empty: no limit."),
    ),
    "destination": part(Destination(*ANYWHERE), _l("Destination"), optional=True, also="Destino", help=_l("Where that call goes. Nothing chosen: it ends.")),
}

_OVERFLOW = {
    "on_timeout": part(
        Destination(*ANYWHERE), _l("When the longest wait is over"), optional=True, also="Quando atingir um timeout",
        help=_l("Where a call goes that waited too long. Nothing chosen: it ends."),
    ),
    "on_full": part(Parts(_ON_FULL), _l("When it is full"), optional=True, also="Quando atingir um tamanho máximo",
                    help=_l("How many callers may wait, and where the next one goes.")),
    "on_no_agents": part(
        Destination(*ANYWHERE), _l("When nobody is available"), optional=True, also="Quando não houver agentes disponíveis",
        help=_l("Where a call goes when every member is in a call, paused or without a registered telephone. Callers already waiting leave when all "
                "are paused or absent. Nothing chosen: callers wait."),
    ),
}


class Queue(Base):
    """A call queue. Its section in Asterisk bears the row's id; members are put in and out while it runs (queues/members.py)."""

    __tablename__ = "queues"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, also="Nome", help=_l("Shown in calls, panels and reports."))
    number: Mapped[str] = field(
        DialNumber(), _l("Queue extension"), unique=True, also="Ramal Fila", help=_l("What extensions dial, and what calls are transferred to."),
    )
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, also="Descrição", help=_l("For yourselves: what it is for."))
    business_hours_id: Mapped[int | None] = field(
        Reference("business_hours"), _l("Business hours"), name="business_hours", optional=True, also="Horário de atendimento",
        help=_l("When it takes calls. Nothing chosen: always."),
    )
    strategy: Mapped[str] = field(
        Choice(STRATEGIES), _l("Strategy"), default=RING_ALL, also="Estratégia", help=_l(
            "Whose telephone rings. All members: everybody free, the first to answer keeps the call. Rotating: round the list, from the one after who "
            "was rung last. Least recent: who has been longest without a call of the queue. Fewest calls: who took the fewest. Random: any free one. "
            "Linear: always from the top of the list."),
    )
    members: Mapped[list[dict[str, Any]]] = field(
        Rows(_MEMBER, _l("member"), MOST_MEMBERS), _l("Members"), optional=True, default=list, also="Membros Ramais",
        help=_l("Who takes the calls, in this order where the strategy has one. Takes effect when it is saved; nothing has to be applied."),
    )
    ring_timeout_seconds: Mapped[int] = field(
        Seconds(5, 120), _l("Ring time"), default=15, also="Tempo de toque", help=_l("How long one member rings before the next is tried."),
    )
    ring_in_use: Mapped[bool] = field(
        Boolean(), _l("Ring members who are in a call"), default=False, also="Chamada em uso",
        help=_l("Off: a telephone in any call is left alone until it is free."),
    )
    autofill: Mapped[bool] = field(
        Boolean(), _l("Parallel calls"), default=True, also="Chamada em paralelo",
        help=_l("On: each waiting call rings a free member at once. Off: one after the other, the first to come is answered first."),
    )
    queue_weight: Mapped[int] = field(
        Whole(0, 100), _l("Priority"), default=0, also="Prioridade",
        help=_l("Who is a member of several queues gets the call of the one with the higher priority first."),
    )
    wrap_up_seconds: Mapped[int] = field(
        Seconds(0, 3600), _l("Wrap-up time"), default=0, also="Pós atendimento",
        help=_l("After a call of this queue its member gets no other of this queue for so long; calls of other queues still ring."),
    )
    max_wait_seconds: Mapped[int] = field(
        Seconds(5, 7200), _l("Longest wait"), default=300, also="Tempo chamando Timeout da fila", help=_l("Then the call goes to the overflow."),
    )
    overflow: Mapped[dict[str, Any]] = field(
        Parts(_OVERFLOW), _l("Overflow"), optional=True, default=dict, also="Transbordo",
        help=_l("Where calls go that this queue does not take."),
    )
    overflow_queues: Mapped[list[int]] = field(
        References("queues"), _l("Queues that help"), optional=True, default=list, also="Transbordo grupos ordem",
        help=_l("When nobody is available or this queue is closed, the call goes to the first of these that is open and has somebody free. When "
                "none has, the overflow of this queue decides, or its hours when it is closed; without an overflow the caller waits here."),
    )
    moh_class_id: Mapped[int | None] = field(
        Reference("moh_classes"), _l("Music on hold"), name="moh_class", optional=True, also="Música de espera",
        help=_l("What callers hear while they wait. Nothing chosen: the exchange's own tune."),
    )
    ring_tone_mode: Mapped[str] = field(
        Choice(RING_TONES), _l("Ringing tone"), default=WHILE_RINGING, also="Tom de ring",
        help=_l("While a member rings: music, and the ringing tone once a telephone rings. Always: the ringing tone instead of music. Never: music only."),
    )
    announce_wait: Mapped[bool] = field(
        Boolean(), _l("Announce the estimated wait"), default=False, also="Tempo estimado de espera",
        help=_l("In minutes, from how long earlier callers of this queue waited; silent below one minute."),
    )
    announce_position: Mapped[bool] = field(
        Boolean(), _l("Announce the position"), default=False, also="Posição na fila", help=_l("Which place in the queue the caller has."),
    )
    announce_seconds: Mapped[int] = field(
        Seconds(15, 3600), _l("Announce every"), default=60, also="Frequência", help=_l(
            "How often wait and position are announced. Telephones that ring are not interrupted: with a strategy that rings one member after the "
            "other it is said between two of them, so at the soonest after each ring time."),
    )
    periodic_announcement: Mapped[bool] = field(
        Boolean(), _l("Periodic announcement"), default=False, also="Periódico", help=_l("A sound that callers hear again and again while they wait."),
    )
    periodic_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("Sound of the periodic announcement"), name="periodic_prompt", optional=True, also="Áudio",
        help=_l("Nothing chosen: a sentence that asks the caller to wait."),
    )
    periodic_seconds: Mapped[int] = field(
        Seconds(10, 3600), _l("Repeat it every"), default=60, also="Frequência",
        help=_l("Seconds from one to the next, the first after so many. With a strategy that rings one member after the other it is heard between "
                "two of them, so at the soonest after each ring time."),
    )
    recording: Mapped[bool] = field(
        Boolean(), _l("Record calls"), default=False, also="Gravar Ligações",
        help=_l("Records what callers of the queue and its members say. Of calls of a queue this decides, not the member's class."),
    )
    caller_id: Mapped[str] = field(
        Phone(), _l("Number shown outside"), optional=True, default="", also="Bina Identificação", example="4830139018",
        help=_l("For calls that members make for this queue; the carrier must allow the number. Takes effect with the active queue of call centre agents."),
    )
    service_level_percent: Mapped[int] = field(
        Whole(1, 100, "%"), _l("Wanted share answered in time"), default=80, also="Atendimento (%) SLA", help=_l("Reports warn below it."),
    )
    service_level_seconds: Mapped[int] = field(
        Seconds(1, 3600), _l("Answer within"), default=20, also="Tempo Atendimento(s) SLA", help=_l("A call answered within so long is in time."),
    )
    abandon_seconds: Mapped[int] = field(
        Seconds(0, 3600), _l("Acceptable abandon"), default=3, also="Tempo Abandono(s) SLA",
        help=_l("Who gives up within so long is not counted as lost."),
    )

    ratings: Mapped[list[int]] = field(
        References("ratings"), _l("Ratings"), optional=True, default=list, also="Avaliações de atendimento pesquisa de satisfação",
        help=_l("Asked of the caller one after the other when the member has hung up. Nothing chosen: the call ends then."),
    )

    business_hours: Mapped[BusinessHours | None] = relationship()

    @property
    def section(self) -> str:
        """The section of Asterisk that calls go into. Asterisk makes the box for the members once, as a list or not, and keeps it through
        a change of the strategy, and a section that is taken away is deaf to everything while callers wait in it. So each queue has
        two all the time: who waited in the other one finishes there."""
        return f"queue-{self.id}-2" if self.strategy in IN_ORDER else f"queue-{self.id}"

    def numbers(self) -> list[str]:
        """What it occupies in the numbering."""
        return [self.number]

    def check(self) -> None:
        """Members once each; an overflow that is whole and leads away from here."""
        seen: set[int] = set()
        for index, member in enumerate(self.members):
            if member["extension"] in seen:
                raise Refused(_("This extension is already a member."), field=f"members-{index}-extension")
            seen.add(member["extension"])
        full = self.overflow.get("on_full") or {}
        if full.get("destination") and not full.get("max_waiting"):
            raise Refused(_("Write how many callers may wait."), field="overflow-on_full-max_waiting")
        self._check_leads_away()

    def _check_leads_away(self) -> None:
        targets = {"overflow-on_timeout": self.overflow.get("on_timeout"), "overflow-on_no_agents": self.overflow.get("on_no_agents"),
                   "overflow-on_full-destination": (self.overflow.get("on_full") or {}).get("destination")}
        for name, target in targets.items():
            if self.id and target == f"queue:{self.id}":
                raise Refused(_("The queue %(name)s cannot overflow into itself. Choose another destination.", name=self.name), field=name)
        if self.id in self.overflow_queues:
            raise Refused(_("The queue %(name)s cannot overflow into itself. Choose another destination.", name=self.name), field="overflow_queues")
        if len(self.overflow_queues) > MOST_GROUPS:
            raise Refused(_("At most %(most)s.", most=MOST_GROUPS), field="overflow_queues")

    def stored(self) -> None:
        """The members go to Asterisk as soon as the row is committed."""
        lanes.put("telephony", "jobs.queues.members", self.id)


resource = Resource(
    Queue, word="queues", label=_l("Queues"), one=_l("queue"), new=_l("New queue"), key="name", group="telephony", icon="users-group",
    columns=["name", "number", "strategy", "members", "business_hours"], search=["name", "number"], filters=["strategy", "business_hours"],
    tabs={
        _l("General"): ["name", "number", "description", "strategy", "ring_timeout_seconds", "wrap_up_seconds", "queue_weight", "autofill",
                        "ring_in_use", "recording", "business_hours", "caller_id", "ratings"],
        _l("Members"): ["members"],
        _l("Waiting"): ["moh_class", "ring_tone_mode", "announce_position", "announce_wait", "announce_seconds", "periodic_announcement",
                        "periodic_prompt", "periodic_seconds"],
        _l("Overflow"): ["max_wait_seconds", "overflow", "overflow_queues"],
        _l("Targets"): ["service_level_percent", "service_level_seconds", "abandon_seconds"],
    },
    destination="queue", passes=["business_hours", "ratings"], lent_to=["overflow_queues"], at_once=["members"],
    empty=_l("A queue holds callers until one of its members answers. Create one and choose its members."),
    also="Filas fila serviço departamento grupo",
)
