"""Whether everything Asterisk did is stored: its own counters against our rows, for the run of Asterisk that lasts.

Asterisk numbers its PJSIP channels from 0 at each start, without a gap, in their names: a number that is missing is a channel
whose lines were lost. `core show channels count` says how many calls its dialplan processed, also those of which no line came.
Both are exact over transfers, conferences, parking, pick-up and failed calls (tests/story/test_reconcile.py). The sequence of
CDRs is not: channels that are only called use up numbers and write no record; nor is the counter in uniqueids, which records
themselves advance.
"""

import re
import time
from dataclasses import dataclass

from sqlalchemy import select

from appliance import alarms
from appliance.calls.raw import AsteriskBoot
from appliance.db import db, read_only
from appliance.settings import Settings
from appliance.telephony import runtime

PATIENCE_SECONDS, LOOK_SECONDS = 10.0, 0.3


@dataclass(frozen=True)
class Gap:
    """What Asterisk counted and what is stored; channels or calls, whichever lacks more."""

    counted: int
    stored: int


def reconcile(settings: Settings, patience: float = PATIENCE_SECONDS) -> Gap | None:
    """Raise or clear the alarm; the caller commits. Raises Busy when Asterisk does not answer; nothing is known then.

    Asterisk is asked first and our rows for as long as `patience` after: lines on their way are no gap.
    """
    processed = calls_processed(settings)
    ends_at = time.monotonic() + patience
    while (gap := _gap(processed)) and time.monotonic() < ends_at:
        time.sleep(LOOK_SECONDS)
    if gap:
        alarms.put("records_gap", counted=gap.counted, stored=gap.stored)
    else:
        alarms.clear("records_gap")
    return gap


def calls_processed(settings: Settings) -> int:
    """Calls that the dialplan of the running Asterisk took since it started. Raises Busy when it does not answer."""
    answer = runtime.command(runtime.control(settings), "core show channels count")
    found = re.search(r"(\d+) calls? processed", answer)
    return int(found[1]) if found else 0


def _gap(processed: int) -> Gap | None:
    read_only()
    boot = db.session.scalar(select(AsteriskBoot).order_by(AsteriskBoot.id.desc()).limit(1))
    found = None
    if boot and boot.pjsip_count < boot.pjsip_last + 1:
        found = Gap(boot.pjsip_last + 1, boot.pjsip_count)
    elif boot and boot.dialplan_count < processed:
        found = Gap(processed, boot.dialplan_count)
    db.session.rollback()  # no transaction while we wait
    return found
