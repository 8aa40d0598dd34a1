"""The lines Asterisk writes about a call, read one by one: steps (cel-custom), legs (cdr-custom) and queue_log.

The columns are those of asterisk/fixed/cel_custom.conf and cdr_custom.conf. Asterisk's clock is the wall clock in all three
(cdr.c and cel.c call ast_tvnow), also for the durations of a CDR: a step of the clock within a call is in them.
"""

import csv
import json
import re
from dataclasses import dataclass, field
from typing import Any

CEL, CDR, QUEUE = "cel", "cdr", "queue"
_CEL_COLUMNS, _CDR_COLUMNS, _QUEUE_COLUMNS = 16, 21, 5
# Where a whole line begins behind a torn one: Asterisk died while it wrote, and the next one went on in the same line.
_CEL_BEGINS = re.compile(r'"[A-Z][A-Z0-9_]*","\d{9,11}\.\d{6}","')
_CDR_BEGINS = re.compile(r'"[^",]*\d{9,11}\.\d+","[^",]*\d{9,11}\.\d+","\d+","')
_QUEUE_BEGINS = re.compile(r"\d{10}\|[^|]*\|[^|]*\|[^|]*\|[A-Z]")


@dataclass(frozen=True)
class Line:
    """One line. `at` is seconds since 1970, `place` its file and offset: the order of writing, whatever the clock did.

    `shift` is by how many seconds the clock had been set forward, in all, when the line was written, as far as is known.
    CEL: event, its channel and `extra`. CDR: a leg that is over. Queue: `event` with its `data`.
    """

    kind: str
    place: tuple[int, int]
    at: float
    text: str
    uniqueid: str
    linkedid: str = ""
    event: str = ""
    channel: str = ""
    number: str = ""
    name: str = ""
    exten: str = ""
    app: str = ""
    app_data: str = ""
    account: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    queue: str = ""
    data: tuple[str, ...] = ()
    shift: float = 0.0


def parse(kind: str, text: str, place: tuple[int, int] = (0, 0), shift: float = 0.0) -> Line:
    """The line this text is. Raises ValueError when it is none."""
    if kind == QUEUE:
        return _queue_line(text, place, shift)
    try:
        columns = next(csv.reader([text], strict=True), [])
    except csv.Error as why:
        raise ValueError(str(why)) from why
    return (_cel_line if kind == CEL else _cdr_line)(columns, text, place, shift)


def whole_part(kind: str, text: str) -> str:
    """What follows the first torn piece and looks like a whole line; "" when nothing does."""
    begins = {CEL: _CEL_BEGINS, CDR: _CDR_BEGINS, QUEUE: _QUEUE_BEGINS}[kind]
    found = begins.search(text, 1)
    return text[found.start():] if found else ""


def _cel_line(columns: list[str], text: str, place: tuple[int, int], shift: float) -> Line:
    if len(columns) != _CEL_COLUMNS:
        raise ValueError(f"{len(columns)} columns instead of {_CEL_COLUMNS}")
    event, at, uniqueid, linkedid, channel, number, name, exten, _context, app, app_data, _peer, account, _own, _user, extra = columns
    return Line(CEL, place, _instant(at), text, _given(uniqueid), _given(linkedid), event, channel, number, name, exten, app, app_data,
                account, _extra(extra), shift=shift)  # fmt: skip


def _cdr_line(columns: list[str], text: str, place: tuple[int, int], shift: float) -> Line:
    if len(columns) != _CDR_COLUMNS:
        raise ValueError(f"{len(columns)} columns instead of {_CDR_COLUMNS}")
    names = ("uniqueid", "linkedid", "sequence", "start", "answer", "end", "duration", "billsec", "disposition", "src", "dst")
    leg = dict(zip(names, columns, strict=False)) | {"channel": columns[13], "dstchannel": columns[14], "account": columns[18]}
    return Line(CDR, place, _instant(leg["end"] or leg["start"]), text, _given(leg["uniqueid"]), _given(leg["linkedid"]),
                channel=leg["channel"], number=leg["src"], exten=leg["dst"], account=leg["account"], extra=leg, shift=shift)  # fmt: skip


def _queue_line(text: str, place: tuple[int, int], shift: float) -> Line:
    parts = text.split("|")
    if len(parts) < _QUEUE_COLUMNS or not parts[0].isdigit():
        raise ValueError("no line of queue_log")
    at, uniqueid, queue, member, event, *data = parts
    instant = _instant(data[0]) if event in ("HOLD", "UNHOLD") and data and data[0] else _instant(at)
    linkedid = data[1] if event in ("HOLD", "UNHOLD") and len(data) > 1 else ""
    return Line(QUEUE, place, instant, text, uniqueid, linkedid, event, member, queue=queue, data=tuple(data), shift=shift)


def _instant(text: str) -> float:
    """Seconds since 1970; only ones this century can hold, so that no line moves a call to nowhere."""
    instant = float(text)
    if not 946684800 <= instant < 4102444800:
        raise ValueError(f"{text} is no time of this century")
    return instant


def _given(text: str) -> str:
    if not text or len(text) > 60:
        raise ValueError("without a channel")
    return text


def _extra(text: str) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    if not isinstance(found, dict):
        raise ValueError("its extra is no object")
    return found
