"""Jobs around mailboxes: announce a message by e-mail, and look for messages nobody was told of."""

from datetime import datetime
from email.message import EmailMessage
from typing import Any, cast

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import or_, select, update
from sqlalchemy.engine import CursorResult

from appliance import db as ground
from appliance.company.model import Company
from appliance.db import db
from appliance.email import post
from appliance.errors import Busy, Refused
from appliance.resource import SINGLE_ID
from appliance.voicemail_boxes import messages
from appliance.voicemail_boxes.model import VoicemailMessage, of_extension


def announce(row_id: int) -> None:
    """Write about one message. Only one that was not written about, and that nobody writes about now, is taken: a job delivered twice writes
    once. A worker killed in between leaves its claim, which is no longer believed after messages.CLAIM; `look` then asks again. Killed
    between the mail server's yes and our commit the e-mail goes out twice, with the same Message-ID: rather twice than never.

    Raises Busy or Refused when the mail server did not take it: the message is then free for the next try.
    """
    now = ground.now()
    is_free = or_(VoicemailMessage.claimed_at.is_(None), VoicemailMessage.claimed_at < now - messages.CLAIM)
    mine = update(VoicemailMessage).where(VoicemailMessage.id == row_id, VoicemailMessage.mailed_at.is_(None), is_free)
    taken = cast("CursorResult[Any]", db.session.execute(mine.values(claimed_at=now))).rowcount
    db.session.commit()
    if not taken:
        return
    made = _message(row_id)
    try:
        if made is not None:
            post.send(made)
    except (Busy, Refused):
        db.session.rollback()
        _note(row_id, claimed_at=None)
        raise
    db.session.rollback()
    _note(row_id, mailed_at=ground.now())


def _note(row_id: int, **values: datetime | None) -> None:
    db.session.execute(update(VoicemailMessage).where(VoicemailMessage.id == row_id).values(**values))
    db.session.commit()


def _message(row_id: int) -> EmailMessage | None:
    """None when the message, its mailbox or the address is gone meanwhile."""
    row = db.session.scalar(select(VoicemailMessage).where(VoicemailMessage.id == row_id))
    box = of_extension(row.extension_id) if row else None
    found = messages.find(box, row.message_id) if box and row else None
    if box is None or found is None or not box.email:
        return None
    company = db.session.get_one(Company, SINGLE_ID)
    with force_locale(company.language):
        caller = found.caller or _("withheld number")
        subject = _("New voice message from %(caller)s for extension %(number)s", caller=caller, number=box.number)
        text = _("%(caller)s left a message of %(seconds)s s for extension %(number)s (%(name)s).", caller=caller, seconds=found.seconds,
                 number=box.number, name=box.extension.name)
    made = post.message(box.email, subject, text + "\n", f"voicemail-{found.id}")
    if box.attach:
        made.add_attachment(found.sound.read_bytes(), maintype="audio", subtype="wav", filename=f"{box.number}-{found.at:%Y%m%d-%H%M%S}.wav")
    return made


def look(_row_id: int = 0) -> None:
    """All mailboxes, and e-mails that were begun and not ended."""
    messages.look_everywhere()
    messages.ask_again()
    db.session.commit()
