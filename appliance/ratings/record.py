"""The steps of a call → the scores its customer gave. Run again for a call that is built again, it gives the same rows."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, insert

from appliance.calls.model import ANSWER, ANSWERED, QUEUE, RATING, Call
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
    """A row for each rating that was asked; whom it speaks of is who answered last before: the queue that was entered last, unless nobody there
    took the call, and the extension, unless it was a telephone outside."""
    found: list[dict[str, Any]] = []
    no_queue: dict[str, Any] = {"queue_id": None, "queue": ""}
    nobody: dict[str, Any] = {"extension_id": None, "extension": "", "extension_name": ""}
    queue, extension = no_queue, nobody
    for step in call.steps:
        if step.kind == QUEUE:
            queue = {"queue_id": step.row_id, "queue": step.name} if step.result == ANSWERED else no_queue
        elif step.kind == ANSWER:
            is_inside = step.word == "extensions"
            extension = {"extension_id": step.row_id, "extension": step.number, "extension_name": step.name} if is_inside else nobody
        elif step.kind == RATING:
            found.append({"call_id": call_id, "at": step.at, "protocol": protocol, "customer": call.from_number, "rating_id": step.row_id,
                          "rating": step.name, **queue, **extension, "score": int(step.result) if step.result.isdigit() else None})
    return found
