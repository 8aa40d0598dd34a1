"""Takes what is known of people outside out of old calls, in every table that holds it (SYS-20).

What counts stays: direction, instants, seconds, queues, menus, members, causes, the protocol number. A party outside becomes GONE, which no
number is; one that was withheld stays "".
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from appliance.calls.model import INBOUND, OUTBOUND, Call, CallStep, IvrVisit, QueueVisit
from appliance.calls.raw import QueueEvent
from appliance.db import db
from appliance.missed_calls.model import MissedCall
from appliance.ratings.model import RatingScore
from appliance.recordings.model import READY, RUNNING, WAITING, Recording
from appliance.retention_policy.model import RetentionPolicy

GONE = "-"
BATCH = 500
KEPT_DETAIL = {"door", "door_id", "door_name", "cause"}  # of a step: which queue or menu was closed, why a call ended
OURS = {"extensions"}  # words of steps whose number is one of the house
NUMBER_AT = {"ENTERQUEUE": 1, "BLINDTRANSFER": 0, "ATTENDEDTRANSFER": 0, "TRANSFER": 0}  # event of queue_log → where a number stands in its data


def batch(policy: RetentionPolicy, before: datetime) -> int:
    """The next calls that began before; how many, 0 when all are done. To be committed by whoever asks; may be killed and done again."""
    begin = (Call.started_at >= policy.calls_up_to,) if policy.calls_up_to else ()
    old = (*begin, Call.started_at < before, Call.ended_at.is_not(None), ~Call.is_forgotten)
    held = select(Recording.call_id).where(Recording.state.in_((READY, WAITING, RUNNING)))
    ids = list(db.session.scalars(select(Call.id).where(*old, Call.id.not_in(held)).order_by(Call.started_at).limit(BATCH)))
    if ids:
        _forget(ids)
    else:
        policy.calls_up_to = db.session.scalar(select(func.min(Call.started_at)).where(*old)) or before  # who is held by a recording is looked at again
    return len(ids)


def _forget(ids: list[int]) -> None:
    outside = Call.direction.in_((INBOUND, OUTBOUND))
    _party(ids, outside & Call.from_extension_id.is_(None), Call.from_number, Call.from_name)
    _party(ids, Call.direction == OUTBOUND, Call.to_number, Call.to_name)
    _party(ids, outside & Call.reached_extension_id.is_(None), Call.reached_number, Call.reached_name)
    db.session.execute(update(Call).where(Call.id.in_(ids)).values(is_forgotten=True))
    _steps(ids)
    for number, of_call in ((QueueVisit.number, QueueVisit.call_id), (IvrVisit.number, IvrVisit.call_id), (RatingScore.customer, RatingScore.call_id)):
        _blank(of_call.in_(ids), number)
    _blank(MissedCall.call_id.in_(ids), MissedCall.number)
    db.session.execute(update(MissedCall).where(MissedCall.call_id.in_(ids)).values(number_key=MissedCall.number, name="", note=""))
    for event in db.session.scalars(select(QueueEvent).where(QueueEvent.call_id.in_(ids), QueueEvent.event.in_(NUMBER_AT))):
        place = NUMBER_AT[event.event]
        event.data = [GONE if at == place and value else value for at, value in enumerate(event.data)]


def _party(ids: list[int], which: ColumnElement[bool], number: InstrumentedAttribute[str], name: InstrumentedAttribute[str]) -> None:
    _blank(Call.id.in_(ids) & which, number)
    db.session.execute(update(Call).where(Call.id.in_(ids), which).values({name: ""}))


def _blank(which: ColumnElement[bool], number: InstrumentedAttribute[str]) -> None:
    db.session.execute(update(number.class_).where(which, number != "").values({number: GONE}))


def _steps(ids: list[int]) -> None:
    """A step of one of our rows keeps its name; its number only when it is an extension's."""
    for step in db.session.scalars(select(CallStep).where(CallStep.call_id.in_(ids))):
        step.number = step.number if step.word in OURS or not step.number else GONE
        step.name = step.name if step.row_id is not None else ""
        kept: dict[str, Any] = {name: value for name, value in step.detail.items() if name in KEPT_DETAIL}
        step.detail = kept
