"""Ratings → contexts of the dialplan, and which of them follow a queue."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance.audio_prompts.files import playable
from appliance.db import db
from appliance.links import split
from appliance.queues.model import Queue
from appliance.ratings.model import Rating
from appliance.telephony.render import render


def extensions_conf() -> str:
    """Every rating and every queue in order of id."""
    return render(
        "ratings.extensions.conf.j2",
        ratings=[_shown(row) for row in db.session.scalars(select(Rating).order_by(Rating.id))],
        queues=[SimpleNamespace(word="queues", id=row.id, ratings=list(row.ratings or ()))
                for row in db.session.scalars(select(Queue).order_by(Queue.id))],
    )


def _shown(row: Rating) -> SimpleNamespace:
    kind, following = split(row.on_finish)
    return SimpleNamespace(
        word="ratings", id=row.id, sound=playable(row.prompt_id), error_sound=playable(row.error_prompt_id), success_sound=playable(row.success_prompt_id),
        digits=len(str(row.max_score)), lowest=row.min_score, highest=row.max_score, timeout=row.timeout_seconds, attempts=row.attempts,
        following=following if kind == "rating" else "",
    )
