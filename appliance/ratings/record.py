"""The steps of a call → the scores its customer gave. Run again for a call that is built again, it gives the same rows."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, insert

from appliance.calls.model import ANSWER, QUEUE, RATING, Call
from appliance.db import db
from appliance.ratings.model import RatingScore


def keep(calls: Iterable[tuple[int, str, Call]]) -> None:
    """Scores in place of those the calls had: (id and protocol number it is stored with, the call as it was built)."""
    calls = list(calls)
    ids = [call_id for call_id, _protocol, _call in calls]
    for start in range(0, len(ids), 500):
        gone = delete(RatingScore).where(RatingScore.call_id.in_(ids[start:start + 500]))
        db.session.execute(gone.execution_options(synchronize_session=False))
    values = [score for call_id, protocol, call in calls for score in scores(call_id, protocol, call)]
    if values:
        db.session.execute(insert(RatingScore), values)


def scores(call_id: int, protocol: str, call: Call) -> list[dict[str, Any]]:
    """A row for each rating that was asked; whom it speaks of is the queue entered and the extension that answered last before."""
    found: list[dict[str, Any]] = []
    queue: dict[str, Any] = {"queue_id": None, "queue": ""}
    extension: dict[str, Any] = {"extension_id": None, "extension": "", "extension_name": ""}
    for step in call.steps:
        if step.kind == QUEUE:
            queue = {"queue_id": step.row_id, "queue": step.name}
        elif step.kind == ANSWER and step.word == "extensions":
            extension = {"extension_id": step.row_id, "extension": step.number, "extension_name": step.name}
        elif step.kind == RATING:
            found.append({"call_id": call_id, "at": step.at, "protocol": protocol, "customer": call.from_number, "rating_id": step.row_id,
                          "rating": step.name, **queue, **extension, "score": int(step.result) if step.result.isdigit() else None})
    return found
