"""The records process: follows the files in which Asterisk notes its calls, and stores what they say, each line exactly once.

`python -m appliance.records`. How far a file is read is stored in the transaction of its lines, so that a kill at any moment
repeats or loses nothing. When the database cannot be written the process waits; Asterisk and its files do not.
"""

import contextlib
import json
import logging
import os
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import delete, insert, select

from appliance import db as ground
from appliance import settings as machine_settings
from appliance import supervisor
from appliance.app import bare_app
from appliance.calls import store
from appliance.calls.lines import CDR, CEL, QUEUE, Line, parse, whole_part
from appliance.calls.model import Call
from appliance.calls.raw import AsteriskBoot, BadLine, RecordChannel, RecordFile, RecordLine
from appliance.clock import Steps
from appliance.db import db
from appliance.errors import Busy
from appliance.settings import Settings
from appliance.telephony import journal, runtime
from appliance.telephony.journal import File, Piece

log = logging.getLogger("bentevi.records")

# TABLE: record file (below asterisk/log) → the kind of its lines, and how many of them one transaction takes. CEL first: only it
# tells which channels belong together.
RECORDS = {"cel-custom/Master.csv": (CEL, 2000), "cdr-custom/Master.csv": (CDR, 400), "queue_log": (QUEUE, 400)}

POLL_SECONDS, MARK_SECONDS, RETRY_SECONDS, SUSPECT_SECONDS, CHECK_SECONDS, TIDY_SECONDS = 0.2, 0.5, 1.0, 1.0, 30.0, 60.0
QUIET_SECONDS, QUIET_POLL_SECONDS = 10.0, 0.6  # nothing came for so long: it is looked less often
ROTATE_BYTES = 64_000_000
KEEP_DAYS = 4             # lines of conversations that are over, and files that are read
ORPHAN_SECONDS = 60.0     # so long a leg's record waits for the steps of its channel
BAD_TEXT_LENGTH = 4000


@dataclass
class Position:
    """Where a file is read to: its row of record_files, in memory."""

    row_id: int
    inode: int
    head: str
    offset: int


class Follower:
    """One of the record files, through its renames."""

    def __init__(self, path: Path, kind: str, line_count: int) -> None:
        self.path, self.kind, self.line_count = path, kind, line_count
        self.position: Position | None = None

    def load(self) -> None:
        """What the database says; after a start, and after whatever went wrong."""
        query = select(RecordFile).where(RecordFile.kind == self.kind, ~RecordFile.is_finished).order_by(RecordFile.id.desc()).limit(1)
        row = db.session.scalar(query)
        self.position = Position(row.id, row.inode, row.head, row.offset) if row else None
        if row and not any(self.is_same(file) for file in journal.files(self.path)):
            log.error("the file of %s we were reading is gone, from offset %s on", self.kind, row.offset)
            row.is_finished, self.position = True, None

    def is_same(self, file: File) -> bool:
        """Whether this is the file we are reading: by its first line where both have one, because inodes are given again."""
        position = self.position
        if position is None or file.size < position.offset:
            return False
        return file.head == position.head if file.head and position.head else file.inode == position.inode

    def piece(self) -> Piece | None:
        """Lines that are new, None when there are none. Only looks at the file's size while nothing comes."""
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            facts = None
        position = self.position
        if position and facts and (facts.st_ino, facts.st_size) == (position.inode, position.offset):
            return None
        files = journal.files(self.path)
        if position is None:
            self.begin(files)
            return self.piece() if self.position else None
        file = next((one for one in files if self.is_same(one)), None)
        if file is None:
            self.load()
            return None
        position.inode, position.head = file.inode, file.head
        found = journal.read(file, position.offset, is_current=file.path == self.path, now=time.time(), line_count=self.line_count)
        is_last = file is files[-1]  # renamed, and Asterisk has not begun another yet: it may still write to this one
        return found if found.lines or (found.has_ended and not is_last) else None

    def begin(self, files: list[File]) -> None:
        """The oldest file that was not read before gets its row, in a transaction of its own. Before the first call there is none, and nothing is asked."""
        if not files:
            return
        done = set(db.session.scalars(select(RecordFile.head).where(RecordFile.kind == self.kind, RecordFile.is_finished)))
        file = next((one for one in files if not one.head or one.head not in done), None)
        if file is None:
            db.session.rollback()
            return
        row = RecordFile(kind=self.kind, inode=file.inode, head=file.head)
        db.session.add(row)
        db.session.commit()
        self.position = Position(row.id, file.inode, file.head, 0)

    def keep(self, piece: Piece, bad_count: int) -> None:
        """Note in this transaction how far we are."""
        position = self.position
        if position is None:
            raise RuntimeError("a piece of no file")
        row = db.session.get_one(RecordFile, position.row_id)
        row.inode, row.head, row.offset = position.inode, position.head, piece.offset
        row.line_count, row.bad_count = (row.line_count or 0) + len(piece.lines), (row.bad_count or 0) + bad_count
        row.is_finished = piece.has_ended

    def advance(self, piece: Piece) -> None:
        """The transaction is committed."""
        if self.position:
            self.position.offset = piece.offset
        if piece.has_ended:
            self.position = None


class Mark:
    """A small file: which Asterisk was seen alive last and when, the clock, and that this process works. Not in the database,
    which would be written twice a second for it.

    `cut_at` is the last moment at which an Asterisk that died was seen alive, until its conversations are closed; 0 for none.
    """

    def __init__(self, settings: Settings) -> None:
        self.path = mark_file(settings)
        known = read_mark(settings)
        self.asterisk: str = known.get("asterisk", "")
        self.alive_at: float = known.get("alive_at", 0.0)
        self.cut_at: float = known.get("cut_at", 0.0)
        self.steps = Steps(known.get("clock"))
        self.written_at = 0.0

    def see(self, identity: str, started_at: float) -> bool:
        """Asterisk as it is now; True when it is not the one that was there before."""
        is_new = identity not in ("", self.asterisk)
        if is_new:
            self.cut_at = self.cut_at or min(self.alive_at, started_at) - self.steps.shift
            self.asterisk = identity
        if identity:
            self.alive_at = time.time()
        if is_new or time.monotonic() - self.written_at > MARK_SECONDS:
            self.write()
        return is_new

    def write(self) -> None:
        """Whole or not at all."""
        facts = {"asterisk": self.asterisk, "alive_at": self.alive_at, "cut_at": self.cut_at, "clock": self.steps.facts(),
                 "pid": os.getpid()}  # fmt: skip
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(facts))
        fresh.rename(self.path)
        self.written_at = time.monotonic()


def mark_file(settings: Settings) -> Path:
    """Outlives `down` and a power cut, unlike the run folder."""
    return settings.home / "records.json"


def read_mark(settings: Settings) -> dict[str, Any]:
    """What the process noted last; nothing when there is no such file, or a power cut left half of one."""
    try:
        return dict(json.loads(mark_file(settings).read_text()))
    except (FileNotFoundError, ValueError):
        return {}


class Records:
    """Everything the process does, a step at a time. Needs an application context."""

    def __init__(self, settings: Settings, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.settings, self.rotate_bytes = settings, rotate_bytes
        folder = settings.asterisk / "log"
        self.followers = [Follower(folder / name, kind, count) for name, (kind, count) in RECORDS.items()]
        self.mark = Mark(settings)
        self.is_behind = False
        self.suspects: set[int] = set()
        self.checked_at, self.tidied_at = -CHECK_SECONDS, time.monotonic()

    def load(self) -> None:
        """Go on from what the database says."""
        for follower in self.followers:
            follower.load()
        db.session.commit()

    def step(self) -> int:
        """Store what is new; how many lines that was. `is_behind` says that more waits."""
        step = self.mark.steps.look()
        if step:
            log.warning("the clock was set by %+.1f s; calls that last are counted without it", step)
        self.look_at_asterisk()
        count = self.ingest()
        if not self.is_behind:
            self.look_for_the_dead()
            self.tidy()
        return count

    # ---- new lines

    def ingest(self) -> int:
        """One transaction of new lines of all files."""
        pieces = [(follower, piece) for follower in self.followers if (piece := follower.piece())]
        self.is_behind = any(len(piece.lines) == follower.line_count for follower, piece in pieces)
        if not pieces:
            return 0
        lines: list[Line] = []
        bad: list[dict[str, Any]] = []
        for follower, piece in pieces:
            own: list[dict[str, Any]] = []
            lines += [line for offset, raw in piece.lines if (line := self.understood(follower, offset, raw, own))]
            follower.keep(piece, len(own))
            bad += own
        if bad:
            db.session.execute(insert(BadLine), bad)
            log.warning("%s lines could not be read and were kept aside, for example: %s", len(bad), bad[0]["reason"])
        store.store(lines)
        db.session.commit()
        for follower, piece in pieces:
            follower.advance(piece)
        return sum(len(piece.lines) for _follower, piece in pieces)

    def understood(self, follower: Follower, offset: int, raw: bytes, bad: list[dict[str, Any]]) -> Line | None:
        """The line, or None. Goes to the bad ones too when only a part of it makes sense: torn by a crash, not UTF-8, blocks of NUL."""
        place = follower.position.row_id if follower.position else 0, offset
        text = raw.decode("utf-8", "replace").replace("\0", "").rstrip("\r")
        reason = "not UTF-8" if "\ufffd" in text else "blocks of NUL" if b"\0" in raw else ""
        line = None
        try:
            line = parse(follower.kind, text, place)
        except ValueError as why:
            reason = str(why)
            rest = whole_part(follower.kind, text)
            with contextlib.suppress(ValueError):  # said already: the whole line is among the bad ones
                line = parse(follower.kind, rest, place) if rest else None
        if reason:
            bad.append({"file_id": place[0], "offset": offset, "at": ground.now(), "reason": reason[:200], "text": text[:BAD_TEXT_LENGTH]})
        shift = self.mark.steps.shift_at(line.at) if line else 0.0
        return replace(line, shift=shift) if line and shift else line

    # ---- Asterisk's starts

    def look_at_asterisk(self) -> None:
        """Which Asterisk runs, and that it does; a new one is noted before any of its lines is read."""
        identity, started_at = running_asterisk(self.settings)
        if self.mark.see(identity, started_at):
            if db.session.scalar(select(AsteriskBoot.id).where(AsteriskBoot.identity == identity)) is None:
                db.session.add(AsteriskBoot(identity=identity, started_at=started_at - self.mark.steps.shift))
            db.session.commit()

    def look_for_the_dead(self) -> None:
        """End conversations that Asterisk does not know any more: after a new start those of the old one, and now and then what
        lost its last line. Asking Asterisk for its channels is right whatever the clock did and whatever was lost. It must say so
        twice, and in between everything it wrote is read."""
        since = time.monotonic() - self.checked_at
        if since < (SUSPECT_SECONDS if self.suspects or self.mark.cut_at else CHECK_SECONDS):
            return
        self.checked_at = time.monotonic()
        try:
            silent = self.unknown_to_asterisk()
        except Busy:
            return  # it is starting, or down: asked again
        dead = [call for call in silent if call.id in self.suspects]
        if dead:
            store.close(dead, self.mark.cut_at)
            db.session.commit()
            log.warning("%s conversations ended without a word of Asterisk and were closed", len(dead))
        else:
            db.session.rollback()
        if self.suspects or not silent:
            self.mark.cut_at = 0.0
        self.suspects = set() if dead else {call.id for call in silent}

    def unknown_to_asterisk(self) -> list[Call]:
        """Open conversations of which no channel is alive. Raises Busy when Asterisk does not answer."""
        ground.read_only()
        open_calls = list(db.session.scalars(select(Call).where(Call.ended_at.is_(None))))
        names = [(call, set(db.session.scalars(select(RecordChannel.uniqueid).where(RecordChannel.call_id == call.id)))) for call in open_calls]
        db.session.commit()  # no transaction while Asterisk is asked
        alive = live_channels(self.settings) if names else set()
        return [call for call, channels in names if not channels & alive]

    # ---- housekeeping

    def tidy(self) -> None:
        """Legs without steps, old lines, large and old files."""
        if time.monotonic() - self.tidied_at < TIDY_SECONDS:
            return
        self.tidied_at = time.monotonic()
        store.store_orphans(time.time() - ORPHAN_SECONDS)
        prune(ground.now() - timedelta(days=KEEP_DAYS))
        db.session.commit()
        for follower in self.followers:
            self.rotate(follower)

    def rotate(self, follower: Follower) -> None:
        """Set a large file aside; delete those that were read to the end and are old."""
        if follower.path.exists() and follower.path.stat().st_size > self.rotate_bytes:
            journal.set_aside(follower.path, f"{datetime.now(UTC):%Y%m%d%H%M%S%f}")
            if follower.kind == QUEUE:  # the only one Asterisk keeps open
                try:
                    runtime.command(runtime.control(self.settings), "logger reload")
                except Busy as why:
                    log.warning("queue_log was set aside, Asterisk begins a new one at its next start: %s", why)
        done = set(db.session.scalars(select(RecordFile.head).where(RecordFile.kind == follower.kind, RecordFile.is_finished)))
        db.session.rollback()
        for file in journal.files(follower.path):
            if file.path != follower.path and file.head in done and time.time() - file.modified_at > KEEP_DAYS * 86400:
                file.path.unlink()


def prune(before: datetime) -> None:
    """Forget the lines of conversations that ended before; what is stored of them stays as it is. In pieces of some thousand calls."""
    old = select(Call.id).where(Call.ended_at < before, Call.id.in_(select(RecordChannel.call_id))).order_by(Call.id).limit(2000)
    ids = list(db.session.scalars(old))
    for table in (RecordLine, RecordChannel):
        db.session.execute(delete(table).where(table.call_id.in_(ids)))
    db.session.execute(delete(RecordLine).where(RecordLine.call_id.is_(None), RecordLine.at < before.timestamp()))
    db.session.execute(delete(BadLine).where(BadLine.at < before - timedelta(days=60)))


def running_asterisk(settings: Settings) -> tuple[str, float]:
    """(pid and birth of the Asterisk that runs, when it began), ("", 0.0) when none does. Two small files are read."""
    file = settings.asterisk / "run" / "asterisk.pid"
    try:
        pid, started_at = file.read_text().strip(), file.stat().st_mtime
    except FileNotFoundError:
        return "", 0.0
    birth = supervisor.born(int(pid)) if pid.isdigit() else None
    return (f"{pid} {birth}", started_at) if birth else ("", 0.0)


def live_channels(settings: Settings) -> set[str]:
    """Uniqueids of every channel Asterisk has now. Raises Busy when it does not answer."""
    control = runtime.control(settings)
    if not runtime.wait_booted(control, 0.5):
        raise Busy("Asterisk is starting")
    answer = runtime.command(control, "core show channels concise", timeout=10)
    return {line.rpartition("!")[2].strip() for line in answer.splitlines() if "!" in line}


def follow(app: Flask, settings: Settings) -> None:
    """Work until told to stop. A database that cannot be written is said once, waited for, and then gone on with."""
    records: Records | None = None
    waits, heard_at = False, time.monotonic()
    with app.app_context():
        while True:
            try:
                if records is None:
                    records = Records(settings)
                    records.load()
                if records.step():
                    heard_at = time.monotonic()
            except ground.AWAY as why:
                db.session.rollback()
                if not waits:
                    log.error("records wait in Asterisk's files, telephony goes on: %s", str(getattr(why, "orig", None) or why).strip())
                waits = True
                if records:
                    records.mark.see(*running_asterisk(settings))
                records = None  # what is in memory may be ahead of the database
                time.sleep(RETRY_SECONDS)
                continue
            if waits:
                log.warning("the database takes records again")
                waits = False
            db.session.remove()
            if not records.is_behind:
                time.sleep(POLL_SECONDS if time.monotonic() - heard_at < QUIET_SECONDS else QUIET_POLL_SECONDS)


def main() -> None:
    """The process."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    settings = machine_settings.load()
    ground.serve()
    follow(bare_app(), settings)


if __name__ == "__main__":
    main()
