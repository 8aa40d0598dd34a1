"""Conversations as the console lists and tells them."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import force_locale
from sqlalchemy import or_, select
from sqlalchemy.orm import selectinload

from appliance.calls.model import DIRECTIONS, STATES, Call
from appliance.calls.parties import here
from appliance.calls.story import story
from appliance.company.model import Company
from appliance.db import db
from appliance.errors import Refused
from appliance.numbers import digits, pretty
from appliance.resource import SINGLE_ID


def listed(begin: str, end: str, number: str, limit: int) -> list[Call]:
    """The newest conversations, newest first. `begin` and `end` are days or instants in the company's zone, half open."""
    zone = ZoneInfo(here().timezone)
    query = select(Call).options(selectinload(Call.steps)).order_by(Call.started_at.desc(), Call.id.desc()).limit(limit)
    if begin:
        query = query.where(Call.started_at >= _instant(begin, zone))
    if end:
        query = query.where(Call.started_at < _instant(end, zone))
    if number:
        wanted = digits(number)
        query = query.where(or_(*(column.endswith(wanted) for column in (Call.from_number, Call.to_number, Call.reached_number))))
    return list(db.session.scalars(query))


def found(text: str) -> Call:
    """The conversation with this id or protocol number. Refused when there is none."""
    if text.isdigit():
        by_id = db.session.get(Call, int(text)) if len(text) < 10 and text[0] != "0" else None  # a row's number has no zero in front, a protocol may
        call = by_id or db.session.scalar(select(Call).where(Call.protocol == text))
        if call:
            return call
    raise Refused(f"there is no call {text}: give its number or its protocol")


def language(chosen: str) -> AbstractContextManager[Any]:
    """The language to tell in: the one chosen, else the company's."""
    row = db.session.get(Company, SINGLE_ID)
    found: AbstractContextManager[Any] = force_locale(chosen or (row.language if row else "pt_BR"))
    return found


def line(call: Call) -> str:
    """A conversation as one line."""
    at = call.started_at.astimezone(ZoneInfo(here().timezone))
    return (f"{call.id:>7}  {at:%Y-%m-%d %H:%M:%S}  {DIRECTIONS[call.direction]!s:<9} {pretty(call.from_number):<16} {pretty(call.to_number):<16} "
            f"{STATES[call.state]!s:<14} {call.talk_seconds:>5} s")


def told(call: Call) -> list[str]:
    """A conversation as a story, a line for each step."""
    zone = ZoneInfo(here().timezone)
    return [line(call), *(f"  {at.astimezone(zone):%H:%M:%S}  {text}" for at, text in story(call))]


def _instant(text: str, zone: ZoneInfo) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as why:
        raise Refused(f"{text} is no day or time; write 2026-11-20 or 2026-11-20T14:30") from why
    return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
