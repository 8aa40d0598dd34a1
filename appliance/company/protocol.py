"""The counts behind protocol numbers (CFG-08), and the floor under them that follows from the calls that are stored.

The dialplan counts in Asterisk's own database, `protocol/KEY`; a key is what the numbers are made of and the period: `Ymds6-20300131`.
That database may be lost, or come back from an older backup, and another format may write what an earlier one wrote. So each minute, and
before a new configuration comes into force, the stored numbers the count would soon come to are looked for; it goes on behind them
(`protocol-least/KEY`, read by the dialplan and written only here).
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select
from sqlalchemy.sql.elements import ColumnElement

from appliance import db as ground
from appliance import settings
from appliance.calls.model import Call
from appliance.company.model import NEVER, SEQUENCE, TOLD_BY, Company
from appliance.db import db
from appliance.resource import SINGLE_ID
from appliance.telephony import ami, runtime

MARKS = {"year": "%Y", "short_year": "%y", "month": "%m", "day": "%d"}
PERIODS = {"daily": "%Y%m%d", "monthly": "%Y%m", "yearly": "%Y", NEVER: "ever"}  # what one count lasts for
_LETTERS = {"year": "Y", "short_year": "y", "month": "m", "day": "d"}
_WIDTHS = {"year": 4, "short_year": 2, "month": 2, "day": 2}
# How far ahead of a count stored numbers matter: more calls than come until the next look. What lies further on was written by another
# format (a day's digits read as part of a sequence) and is passed when it is reached.
NEAR = 5000
FAMILY, LEAST = "protocol", "protocol-least"


def keys(company: Company) -> list[str]:
    """The keys its numbers are counted under, as STRFTIME and strftime write them: its own period first, then every other that would tell
    its numbers apart. All are kept, so that a count that is to begin again less often, or more often, goes on behind what it wrote."""
    parts = company.protocol_format or []
    layout = "".join(_LETTERS.get(part, f"s{company.protocol_digits}") for part in parts)
    told = {"year" if part == "short_year" else part for part in parts}
    others = [restart for restart, needed in TOLD_BY.items() if told.issuperset(needed) and restart != company.protocol_restart]
    return [f"{layout}-{PERIODS[restart]}" for restart in (company.protocol_restart, *others)] if parts else []


def put_least() -> int:
    """Bring the floor under the count of this moment to what the stored calls say; the floor when it was raised, else 0. Raises Busy while Asterisk is down.

    Reads in a transaction of its own: call it after the commit.
    """
    db.session.rollback()
    ground.read_only()
    company = db.session.get_one(Company, SINGLE_ID)
    now = ground.now().astimezone(ZoneInfo(company.timezone))
    own = [now.strftime(key) for key in keys(company)[:1]]
    db.session.rollback()
    if not own:
        return 0
    count = max(_there(FAMILY, own[0]), _there(LEAST, own[0]))
    ground.read_only()
    least = highest(db.session.get_one(Company, SINGLE_ID), now, count)
    db.session.rollback()  # Asterisk is asked without holding a transaction
    if least == count:
        return 0
    with ami.actions(settings.load()) as asterisk:
        asterisk.ask({"Action": "DBPut", "Family": LEAST, "Key": own[0], "Val": str(least)})
    return least


def highest(company: Company, now: datetime, count: int) -> int:
    """The count from which on the next numbers are stored with no call: `count` itself, or the end of the stored ones it would run into."""
    while True:
        found = max((_stored(company, now, width, count) for width in _widths(company.protocol_digits, count)), default=0)
        if not found:
            return count
        count = found


def _widths(least: int, count: int) -> range:
    """How many digits the next numbers' sequences have."""
    return range(max(least, len(str(count + 1))), max(least, len(str(count + NEAR))) + 1)


def _stored(company: Company, now: datetime, width: int, count: int) -> int:
    """The highest stored sequence of so many digits that is near above a count, 0 for none: of the period of `now`, whatever format wrote it."""
    conditions: list[ColumnElement[bool]] = []
    before, place, sequence = "", 1, func.substr(Call.protocol, 1, 0)
    known = TOLD_BY[company.protocol_restart]
    is_beginning = True
    for part in company.protocol_format:
        length = _WIDTHS.get(part, width)
        piece = func.substr(Call.protocol, place, length)
        if part == SEQUENCE:
            sequence, is_beginning = piece, False
        elif ("year" if part == "short_year" else part) in known:
            conditions.append(piece == now.strftime(MARKS[part]))
            before += now.strftime(MARKS[part]) if is_beginning else ""
        else:
            is_beginning = False
        place += length
    low, high = f"{count + 1:0{width}}", f"{min(count + NEAR, 10**width - 1):0{width}}"
    all_digits = place - 1
    conditions += [func.length(Call.protocol) == all_digits, sequence.between(low, high),
                   Call.protocol.between(before + "0" * (all_digits - len(before)), before + "9" * (all_digits - len(before)))]
    return int(db.session.scalar(select(func.max(sequence)).where(and_(*conditions))) or 0)


def _there(family: str, key: str) -> int:
    """What Asterisk holds."""
    answer = runtime.command(runtime.control(settings.load()), f"database get {family} {key}").partition("Value:")[2].split()
    return int(answer[0]) if answer and answer[0].isdigit() else 0
