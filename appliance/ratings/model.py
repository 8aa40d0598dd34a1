"""A rating (avaliação de atendimento): a score the customer types at the end of a call (SVY-01 to SVY-08); and the scores."""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from appliance import paths
from appliance.db import Base, Instant
from appliance.errors import Refused
from appliance.fields import Name, Seconds, Text, Whole, field
from appliance.links import HANGUP, Destination, Reference
from appliance.resource import Resource

HIGHEST = 99


class Rating(Base):
    """One question with a range of scores. Queues and IVRs name it; it may lead to another."""

    __tablename__ = "ratings"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, also="Nome", help=_l("How the rating is called in queues, IVRs and among the scores."))
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, also="Descrição", help=_l("For yourselves: what is being rated."))
    prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("Question"), name="prompt", optional=True, also="Áudio principal",
        help=_l("Asks for the score: “how do you rate …, from 1 to 5?” A key pressed meanwhile counts at once."),
    )
    min_score: Mapped[int] = field(Whole(0, HIGHEST), _l("Lowest score"), default=1, also="Nota mínima", help=_l("Anything lower is refused."))
    max_score: Mapped[int] = field(
        Whole(1, HIGHEST), _l("Highest score"), default=5, also="Nota máxima",
        help=_l("Anything higher is refused. From 10 on a score may have two digits: who types one waits for the time below, or ends with #."),
    )
    timeout_seconds: Mapped[int] = field(
        Seconds(1, 60), _l("Wait for a digit"), default=5, also="Timeout(s)",
        help=_l("From the end of the question, and again after each digit. 4 to 6 seconds are usual."),
    )
    attempts: Mapped[int] = field(
        Whole(1, 10), _l("Attempts"), default=2, also="Tentativas", help=_l("How often the question is asked in all. With 1 it is not asked again."),
    )
    error_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("After a wrong score"), name="error_prompt", optional=True, also="Áudio erro",
        help=_l("Heard when the score is out of the range and the question is asked again."),
    )
    success_prompt_id: Mapped[int | None] = field(
        Reference("audio_prompts"), _l("After a score"), name="success_prompt", optional=True, also="Áudio sucesso agradecimento",
        help=_l("Thanks the customer for a score that was taken."),
    )
    on_finish: Mapped[str] = field(
        Destination("rating", HANGUP), _l("When it is over"), default=lambda: {"hangup": True}, also="Ao finalizar",
        help=_l("Hang up, or ask another rating: the agent first, then the product, then the company."),
    )

    def check(self) -> None:
        """A range with at least two scores, and a chain that ends."""
        if self.max_score <= self.min_score:
            raise Refused(_("The highest score must be above the lowest."), field="max_score")
        paths.check(self)


class RatingScore(Base):
    """What one customer answered to one rating: `score` is empty when no valid one was typed. Names are those of the time.

    Made from the steps of its call, again whenever the call is built again (appliance/ratings/record.py).
    """

    __tablename__ = "rating_scores"
    __table_args__ = (
        Index("ix_rating_scores_at_id", "at", "id"), Index("ix_rating_scores_rating_id_at", "rating_id", "at"), {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(Instant())
    protocol: Mapped[str] = mapped_column(String(30))
    customer: Mapped[str] = mapped_column(String(40))              # the caller's number, with country code when from outside
    rating_id: Mapped[int]
    rating: Mapped[str] = mapped_column(String(80))
    queue_id: Mapped[int | None]
    queue: Mapped[str] = mapped_column(String(80))
    extension_id: Mapped[int | None]
    extension: Mapped[str] = mapped_column(String(40))             # number of whoever answered last before
    extension_name: Mapped[str] = mapped_column(String(80))
    score: Mapped[int | None]


resource = Resource(
    Rating, word="ratings", label=_l("Ratings"), one=_l("rating"), new=_l("New rating"), key="name", group="telephony", icon="star",
    columns=["name", "min_score", "max_score", "on_finish"], search=["name", "description"],
    tabs={
        _l("General"): ["name", "description", "min_score", "max_score", "timeout_seconds", "attempts", "on_finish"],
        _l("What is heard"): ["prompt", "error_prompt", "success_prompt"],
    },
    destination="rating",
    empty=_l("A rating asks the customer for a score when the agent has hung up. Create one and choose it in a queue or an IVR."),
    also="Avaliações de atendimento avaliação nota pesquisa de satisfação",
)
