"""What is removed every night because its days are over, by kind of data (SYS-20). Recordings have their own rules (jobs/recordings.py)."""

import logging
from datetime import timedelta

from sqlalchemy import select

from appliance import changes
from appliance import db as ground
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import SINGLE_ID
from appliance.retention_policy import forget
from appliance.retention_policy.model import RetentionPolicy
from appliance.voicemail_boxes import messages
from appliance.voicemail_boxes.model import VoicemailBox

log = logging.getLogger("bentevi.retention")


def forget_old(_: int = 0) -> int:
    """Every kind by its days; how many calls and messages. May die at any point and be done again. Raises Busy while Asterisk, which removes
    messages, is down."""
    policy = db.session.get_one(RetentionPolicy, SINGLE_ID)
    changes.forget_old(policy.audit_days)
    db.session.commit()
    count = _calls(policy) if policy.call_days else 0
    return count + (_messages(policy.voicemail_days) if policy.voicemail_days else 0)


def _calls(policy: RetentionPolicy) -> int:
    before, count = ground.now() - timedelta(days=policy.call_days), 0
    while done := forget.batch(policy, before):
        db.session.commit()
        count += done
    db.session.commit()
    if count:
        log.info("people outside were taken out of %s calls that began before %s", count, before)
    return count


def _messages(days: int) -> int:
    oldest, count = ground.now() - timedelta(days=days), 0
    boxes = list(db.session.scalars(select(VoicemailBox).order_by(VoicemailBox.id)))
    old = [(box, one) for box in boxes for one in messages.of_box(box) if one.at < oldest]
    db.session.expunge_all()
    db.session.rollback()  # Asterisk may take its time: nobody who writes waits for it
    for box, one in old:
        try:
            messages.remove(box, one)
            count += 1
        except Refused as why:  # heard and removed, or moved, by its person meanwhile
            log.info("a message stays until tomorrow: %s", why)
    return count
