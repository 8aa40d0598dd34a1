"""Record lines → conversations in the database, in the caller's transaction. The same lines again change nothing."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import selectinload

from appliance.calls import parties, totals, visit_rows
from appliance.calls.legs import ROOM_APPS, base_shift
from appliance.calls.lines import CDR, CEL, QUEUE, Line, parse
from appliance.calls.model import Call, CallStep
from appliance.calls.raw import AsteriskBoot, QueueEvent, RecordChannel, RecordLine
from appliance.calls.record import Here, protocol, record_call
from appliance.db import Base, db
from appliance.missed_calls import record as missed_calls
from appliance.ratings import record as ratings
from appliance.recordings import record as recordings
from appliance.recordings.model import Recording

log = logging.getLogger("bentevi.records")

AT_ONCE = 500  # names in one IN (…)
# What a joined conversation names: channels that belong to it from now on.
_JOINED_WITH = ("channel2_uniqueid", "transferee_channel_uniqueid", "transfer_target_channel_uniqueid", "pickup_channel_uniqueid")
_NOT_KEPT = {"id", "linkedid", "protocol", "node", "recording_count"}  # of a stored Call when it is built again
NEW_COLUMNS = [column.key for column in Call.__table__.columns if column.key != "id"]
COLUMNS = [name for name in NEW_COLUMNS if name not in _NOT_KEPT]
STEP_COLUMNS = [column.key for column in CallStep.__table__.columns if column.key not in ("id", "call_id")]


@dataclass(eq=False)
class Home:
    """One conversation while lines are put into it; `into` is the one it was joined with."""

    call: Call | None = None
    lines: list[Line] = field(default_factory=list)
    channels: dict[str, str] = field(default_factory=dict)  # uniqueid → linkedid, as seen by these lines
    absorbed: list[Call] = field(default_factory=list)
    into: "Home | None" = None
    is_changed: bool = False

    def final(self) -> "Home":
        """Where its lines go now."""
        home = self
        while home.into:
            home = home.into
        return home


def store(lines: list[Line]) -> None:
    """Put lines into their conversations, and build each again that they change.

    Lines of one transaction; whatever their order, those of CEL are taken first, because only they tell which channels belong together.
    """
    _store(lines, CEL)


def store_orphans(before: float) -> int:
    """Conversations of which only the legs' records came: every CEL line was lost. How many legs; `before` is seconds since 1970."""
    query = select(RecordLine).where(RecordLine.call_id.is_(None), RecordLine.kind == CDR, RecordLine.at < before).limit(1000)
    lines = []
    for row in db.session.scalars(query).all():
        lines.append(parse(row.kind, row.text, (row.file_id, row.offset), row.shift))
        db.session.delete(row)
    db.session.flush()
    _store(lines, CDR)
    return len(lines)


def close(calls: Iterable[Call], cut_at: float) -> None:
    """End conversations whose channels are gone without a word, at the later of `cut_at` and their last line; see record_call."""
    _build([Home(call, is_changed=True) for call in calls], parties.here(), cut_at)


def _store(lines: list[Line], beginning: str) -> None:
    ordered = sorted(lines, key=lambda line: (line.kind == QUEUE, line.kind == CDR, line.place))
    placing = _Placing(ordered, beginning)
    for line in ordered:
        placing.put(line)
    placing.claim()
    homes = placing.homes()
    _build(homes, parties.here(), None)
    placing.keep_lines(homes)


class _Placing:
    """Which conversation each line belongs to. Lines of the kind `beginning` may begin one."""

    def __init__(self, lines: list[Line], beginning: str) -> None:
        self.beginning = beginning
        self.by_channel: dict[str, Home] = {}
        self.linkedid: dict[str, str] = {}
        self.by_call: dict[int, Home] = {}
        self.unclaimed: list[Line] = []
        self.fresh: list[str] = []
        self.claimed: list[tuple[RecordLine, Home]] = []
        self.boots = list(db.session.scalars(select(AsteriskBoot).order_by(AsteriskBoot.started_at.desc()).limit(5)))
        self._load({name for line in lines for name in _names(line)}, {line.linkedid for line in lines})

    def _load(self, uniqueids: set[str], linkedids: set[str]) -> None:
        rows = [row for some in _chunks(uniqueids) for row in db.session.execute(
            select(RecordChannel.uniqueid, RecordChannel.linkedid, RecordChannel.call_id).where(RecordChannel.uniqueid.in_(some)))]
        unknown = linkedids - {row.uniqueid for row in rows}
        query = select(Call).options(selectinload(Call.steps))
        calls = {call.id: call for some in _chunks({row.call_id for row in rows}) for call in db.session.scalars(query.where(Call.id.in_(some)))}
        calls |= {call.id: call for some in _chunks(unknown) for call in db.session.scalars(query.where(Call.linkedid.in_(some)))}
        self.by_call = {call_id: Home(call) for call_id, call in calls.items()}
        self.by_linkedid = {home.call.linkedid: home for home in self.by_call.values() if home.call}
        for row in rows:
            self.by_channel[row.uniqueid], self.linkedid[row.uniqueid] = self.by_call[row.call_id], row.linkedid

    def put(self, line: Line) -> None:
        """One line into its conversation; a queue's or a leg's line waits when its channel is not known yet."""
        home = self.by_channel.get(line.uniqueid)
        if home is None and line.kind != self.beginning:
            self.unclaimed.append(line)
            return
        home = (home or self._moved_in(line)).final()
        if line.kind == CEL:
            home = self._join(line, home)
        home.lines.append(line)
        home.is_changed = home.is_changed or line.kind != CDR or self.beginning == CDR  # a leg's record says nothing new

    def _moved_in(self, line: Line) -> Home:
        """The conversation of a channel that is seen for the first time."""
        home = self.by_channel.get(line.linkedid) or self.by_linkedid.get(line.linkedid) or Home()
        home = home.final()
        self.by_channel[line.uniqueid] = home
        self.by_linkedid.setdefault(line.linkedid, home)
        self.linkedid[line.uniqueid] = home.channels[line.uniqueid] = line.linkedid
        self.fresh.append(line.uniqueid)
        self._count(line)
        return home

    def _join(self, line: Line, home: Home) -> Home:
        """Two conversations become one when a channel is bridged into the other, or a transfer or pickup names both. Who only
        meets in a room of ConfBridge stays apart, else a permanent room would be one endless conversation."""
        others = [str(line.extra[key]) for key in _JOINED_WITH if key in line.extra]
        if line.linkedid != self.linkedid[line.uniqueid] and line.app not in ROOM_APPS:
            self.linkedid[line.uniqueid] = home.channels[line.uniqueid] = line.linkedid
            others.append(line.linkedid)
        for name in others:
            other = self.by_channel.get(name) or self.by_linkedid.get(name)
            if other and other.final() is not home:
                home = _joined(home, other.final())
        return home

    def _count(self, line: Line) -> None:
        """One more channel of this run of Asterisk."""
        boot = next((boot for boot in self.boots if boot.started_at <= line.at - line.shift), None)
        if boot is None or line.event != "CHAN_START":
            return
        technology, _slash, rest = line.channel.partition("/")
        if line.linkedid == line.uniqueid or (technology == "Local" and rest.endswith(";2")):
            boot.dialplan_count += 1
        number = rest.rpartition("-")[2]
        if technology == "PJSIP" and len(number) == 8:
            boot.pjsip_count, boot.pjsip_last = boot.pjsip_count + 1, max(boot.pjsip_last, int(number, 16))

    def claim(self) -> None:
        """Lines that waited for a channel which is known now."""
        for some in _chunks(set(self.fresh)):
            waiting = select(RecordLine).where(RecordLine.call_id.is_(None), RecordLine.uniqueid.in_(some))
            for row in db.session.scalars(waiting):
                home = self.by_channel[row.uniqueid].final()
                home.lines.append(parse(row.kind, row.text, (row.file_id, row.offset), row.shift))
                home.is_changed = home.is_changed or row.kind != CDR
                self.claimed.append((row, home))

    def homes(self) -> list[Home]:
        """Every conversation that got a line."""
        found = {id(home.final()): home.final() for home in [*self.by_channel.values(), *self.by_call.values()]}
        return [home for home in found.values() if home.lines or home.absorbed]

    def keep_lines(self, homes: list[Home]) -> None:
        """The lines themselves, and whom their channels belong to."""
        claimed = {(row.file_id, row.offset) for row, _home in self.claimed}
        values = [_line_values(line, home.call.id) for home in homes if home.call for line in home.lines if line.place not in claimed]
        values += [_line_values(line, None) for line in self.unclaimed if line.uniqueid not in ("NONE", "MANAGER", "REALTIME")]
        if values:
            db.session.execute(insert(_table(RecordLine)), values)
        fresh = set(self.fresh)
        new = [{"uniqueid": name, "linkedid": linkedid, "call_id": home.call.id} for home in homes if home.call
               for name, linkedid in home.channels.items() if name in fresh]  # fmt: skip
        if new:
            db.session.execute(insert(_table(RecordChannel)), new)
        for home in homes:
            for name in set(home.channels) - fresh:
                db.session.execute(update(RecordChannel).where(RecordChannel.uniqueid == name).values(linkedid=home.channels[name]))
        for row, home in self.claimed:
            row.call_id = home.call.id if home.call else None
        self._keep_queue_events(homes)

    def _keep_queue_events(self, homes: list[Home]) -> None:
        owners = [(line, home.call.id if home.call else None) for home in homes for line in home.lines if line.kind == QUEUE]
        for row, home in self.claimed:
            if row.kind == QUEUE and home.call:
                place = (QueueEvent.file_id == row.file_id) & (QueueEvent.offset == row.offset)
                db.session.execute(update(QueueEvent).where(place).values(call_id=home.call.id))
        waited = {(row.file_id, row.offset) for row, _home in self.claimed}
        owners = [(line, call_id) for line, call_id in owners if line.place not in waited]
        owners += [(line, None) for line in self.unclaimed if line.kind == QUEUE]
        values = [_event_values(line, call_id) for line, call_id in owners if line.event not in ("HOLD", "UNHOLD")]
        if values:
            db.session.execute(insert(_table(QueueEvent)), values)


def _joined(one: Home, other: Home) -> Home:
    """The older row takes the younger one's lines."""
    def age(home: Home) -> tuple[bool, object, object]:
        return (home.call is None, home.call.started_at if home.call else 0, home.call.id if home.call else 0)

    older, younger = sorted((one, other), key=age)
    younger.into = older
    older.lines += younger.lines
    older.channels |= younger.channels
    older.absorbed += younger.absorbed + ([younger.call] if younger.call else [])
    older.is_changed = True
    younger.lines, younger.absorbed = [], []
    return older


def _build(homes: list[Home], here: Here, cut_at: float | None) -> None:
    """Every changed conversation anew from all its lines, its roll-ups and recordings with it."""
    changed = [home for home in homes if home.is_changed]
    before = [totals.contribution(call) for home in changed for call in [home.call, *home.absorbed] if call]
    earlier = _kept_lines([call.id for home in changed for call in [home.call, *home.absorbed] if call])
    built = [(home, call) for home in changed if (call := _built(home, earlier, here, cut_at))]
    visits = visit_rows.before([home.call for home, _call in built if home.call] + [call for home in changed for call in home.absorbed])
    known = parties.look_up({key for _home, call in built for key in _rows_of(call)})
    for home, call in built:
        names = [parties.remembered(one) for one in [*reversed(home.absorbed), home.call] if one]
        parties.put_names(call, known | {key: party for kept in names for key, party in kept.items()})
    _write([call for home, call in built if home.call is None])
    for home, call in built:
        if home.call is None:
            home.call = call
        else:
            _replace(home.call, call)
            if call.protocol != protocol(call.linkedid, here.timezone):  # of the company's own format, and told after the first line
                home.call.protocol = call.protocol
    _write_steps([(home.call.id, call) for home, call in built if home.call])
    visit_rows.write([(home.call, call, [home.call.id, *(one.id for one in home.absorbed)]) for home, call in built if home.call], visits)
    ratings.keep((home.call.id, home.call.protocol, call) for home, call in built if home.call)
    for home in changed:
        _take_over(home)
        _tell_recordings(home)
    missed_calls.stored([(home.call, call.steps) for home, call in built if home.call])
    totals.add(totals.difference(before, [totals.contribution(home.call) for home in changed if home.call]))


def _kept_lines(call_ids: list[int]) -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = {}
    for some in _chunks(set(call_ids)):
        for row in db.session.scalars(select(RecordLine).where(RecordLine.call_id.in_(some))):
            found.setdefault(row.call_id or 0, []).append(parse(row.kind, row.text, (row.file_id, row.offset), row.shift))
    return found


def _built(home: Home, earlier: dict[int, list[Line]], here: Here, cut_at: float | None) -> Call | None:
    """The Call of all its lines. None when it can only be left as it is: its lines were pruned long ago, or make no sense to us."""
    stored = [line for call in [home.call, *home.absorbed] if call for line in earlier.get(call.id, [])]
    if home.call and home.call.ended_at and not stored:
        return None
    try:
        lines = [*stored, *home.lines]
        if home.call and home.call.is_cut and home.call.ended_at:  # what was cut stays cut, whatever comes late
            cut_at = home.call.ended_at.timestamp() - base_shift(lines)
        return record_call(lines, here, cut_at)
    except Exception:  # an edge: one conversation we cannot read must not keep all others out
        log.exception("calls: a conversation could not be built: %s", [line.text for line in [*stored, *home.lines]][:3])
        return None


def _rows_of(call: Call) -> set[parties.Key]:
    own = {("extensions", call.from_extension_id), ("extensions", call.reached_extension_id), ("trunks", call.trunk_id)}
    return parties.named_rows(call.steps) | {(word, row_id) for word, row_id in own if row_id is not None}


def _write(calls: list[Call]) -> None:
    """New rows, by the thousand in one statement, which objects of a session cannot; gives the Calls their ids."""
    if calls:
        values = [{name: getattr(call, name) for name in NEW_COLUMNS} for call in calls]
        ids = db.session.scalars(insert(_table(Call)).returning(_table(Call).c.id, sort_by_parameter_order=True), values)
        for call, call_id in zip(calls, ids, strict=True):
            call.id = call_id


def _write_steps(calls: list[tuple[int, Call]]) -> None:
    """The steps of conversations in place of those they had."""
    for some in _chunks(call_id for call_id, _call in calls):
        db.session.execute(delete(CallStep).where(CallStep.call_id.in_(some)).execution_options(synchronize_session=False))
    values = [{"call_id": call_id} | {name: getattr(step, name) for name in STEP_COLUMNS} for call_id, call in calls for step in call.steps]
    if values:
        db.session.execute(insert(_table(CallStep)), values)


def _replace(row: Call, built: Call) -> None:
    """A stored row as it was built anew. Its steps are written elsewhere."""
    for name in COLUMNS:
        value = getattr(built, name)
        if getattr(row, name) != value:
            setattr(row, name, value)
    db.session.expire(row, ["steps"])


def _take_over(home: Home) -> None:
    """What hung on conversations that are part of this one now."""
    if not home.absorbed or home.call is None:
        return
    ids = [call.id for call in home.absorbed]
    for table in (RecordLine, RecordChannel, QueueEvent, Recording):
        db.session.execute(update(table).where(table.call_id.in_(ids)).values(call_id=home.call.id))
    home.call.recording_count = db.session.scalar(select(func.count()).where(Recording.call_id == home.call.id)) or 0
    for call in home.absorbed:
        db.session.expunge(call)
    db.session.execute(delete(Call).where(Call.id.in_(ids)))


def _tell_recordings(home: Home) -> None:
    began = [line for line in home.lines if line.event == "BENTEVI_RECORDING"]
    if home.call is None or not (began or home.call.recording_count):
        return
    call = db.session.get_one(Call, home.call.id)
    for line in began:
        recordings.began(call, line.uniqueid, _instant(line), str(line.extra.get("extra", "")))
    if call.ended_at:
        recordings.call_ended(call)


def _instant(line: Line) -> datetime:
    return datetime.fromtimestamp(line.at, UTC)


def _names(line: Line) -> Iterator[str]:
    yield line.uniqueid
    yield line.linkedid
    yield from (str(line.extra[key]) for key in _JOINED_WITH if key in line.extra)


def _line_values(line: Line, call_id: int | None) -> dict[str, object]:
    return {"file_id": line.place[0], "offset": line.place[1], "kind": line.kind, "at": line.at, "shift": line.shift,
            "uniqueid": line.uniqueid, "call_id": call_id, "text": line.text}  # fmt: skip


def _event_values(line: Line, call_id: int | None) -> dict[str, object]:
    return {"file_id": line.place[0], "offset": line.place[1], "at": _instant(line), "call_id": call_id, "uniqueid": line.uniqueid[:60],
            "queue": line.queue[:80], "member": line.channel[:80], "event": line.event[:40], "data": list(line.data)}  # fmt: skip


def _table(model: type[Base]) -> Any:
    """The bare table: rows go in with one statement, whichever of their values are empty."""
    return model.__table__


def _chunks(names: Iterable[object]) -> Iterator[list[object]]:
    every = list(names)
    for start in range(0, len(every), AT_ONCE):
        yield every[start:start + AT_ONCE]
