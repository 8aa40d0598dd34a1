"""CSV imports: whose file, for which resource, how far it is, what was found; the file itself lies in the home until the import is over.

A file is uploaded, its columns are given to fields, a job checks every line, the person decides, a job stores all good lines at once.
"""

import json
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, ForeignKey, Index, String, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from appliance import db as ground
from appliance import lanes, settings
from appliance import resource as resources
from appliance.db import Base, Instant, Sealed, db
from appliance.errors import Refused
from appliance.resource import Resource
from appliance.users.model import User

MAPPING, WAITING, CHECKING, CHECKED = "mapping", "waiting", "checking", "checked"
ASKED, STORING, STORED, FAILED, CANCELLED = "asked", "storing", "stored", "failed", "cancelled"
STATES = {
    MAPPING: _l("columns to be chosen"), WAITING: _l("waits to be checked"), CHECKING: _l("being checked"), CHECKED: _l("checked, you decide"),
    ASKED: _l("waits to be stored"), STORING: _l("being stored"), STORED: _l("stored"), FAILED: _l("failed"), CANCELLED: _l("cancelled"),
}
OPEN = (MAPPING, WAITING, CHECKING, CHECKED, ASKED, STORING)
MOVES = (WAITING, CHECKING, ASKED, STORING)
RUNS = {WAITING: CHECKING, ASKED: STORING}  # what a worker makes of it

OPEN_HOURS = 24            # a file nobody decides about is removed after so long: it may hold passwords
KEPT_DAYS = 7              # what an import did is kept so long; the changes stay in the audit trail
MOST_OPEN = 5              # per person
MOST_RUNS = 3              # one that was killed so often is not tried again
LEASE_SECONDS = 30         # a worker that has given no sign of life for so long was killed
WAITS_SECONDS = 120        # after so long a waiting one is handed to its lane again: Redis may have lost it


class Import(Base):
    """One file somebody brought. `mapping`: field → index of a column of `head`; counts are of the rows in the file."""

    __tablename__ = "imports"
    __table_args__ = (Index("ix_imports_user_id_state", "user_id", "state"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(12), default=MAPPING, index=True)
    reason: Mapped[str] = mapped_column(String(300), default="")
    name: Mapped[str] = mapped_column(String(120))                   # as the person called the file
    file: Mapped[str] = mapped_column(String(80))                    # relative to the folder of imports; "" when it is removed
    size_bytes: Mapped[int]
    head: Mapped[list[str]] = mapped_column(JSON)
    mapping: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    row_count: Mapped[int]
    created_count: Mapped[int] = mapped_column(default=0)
    changed_count: Mapped[int] = mapped_column(default=0)
    same_count: Mapped[int] = mapped_column(default=0)
    bad_count: Mapped[int] = mapped_column(default=0)                # lines, not faults
    faults: Mapped[list[Any]] = mapped_column(JSON, deferred=True, default=list)  # [line, column, text] of every bad line
    preview: Mapped[list[Any]] = mapped_column(JSON, deferred=True, default=list)  # see store.Outcome
    generated: Mapped[str | None] = mapped_column(Sealed(), deferred=True)    # passwords made for new rows, until they are fetched
    generated_count: Mapped[int] = mapped_column(default=0)
    leave_out: Mapped[bool] = mapped_column(default=False)           # the person chose to store the good lines without the bad ones
    run_count: Mapped[int] = mapped_column(default=0)                # how often a worker took it: the newest one writes, older ones stop
    language: Mapped[str] = mapped_column(String(10))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    user_name: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime] = mapped_column(Instant())
    beat_at: Mapped[datetime] = mapped_column(Instant())             # when its state changed last
    expires_at: Mapped[datetime] = mapped_column(Instant(), index=True)

    @property
    def resource(self) -> Resource:
        return resources.TABLE[self.word]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def moves(self) -> bool:
        """Whether a worker has it, or should."""
        return self.state in MOVES

    @property
    def batch(self) -> str:
        """The name its changes bear in the audit trail."""
        return f"import-{self.id}"

    @property
    def bad_lines(self) -> set[int]:
        return {line for line, _column, _text in self.faults}

    @property
    def good_count(self) -> int:
        return self.created_count + self.changed_count

    def may_be_seen_by(self, user: User) -> bool:
        """Its owner, as long as this person may change the rows it is for; nobody else, because a file may hold passwords."""
        return user.id == self.user_id and self.word in resources.TABLE and user.may_write(self.resource)


def folder() -> Path:
    """Where uploaded files lie, for this home's own user only."""
    found = settings.load().home / "imports"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def content(row: Import) -> bytes:
    """The file as it was uploaded. Raises Refused when it is not there any more."""
    try:
        return (folder() / row.file).read_bytes() if row.file else b""
    except FileNotFoundError:
        raise Refused(_("The file of this import is not there any more. Upload it again.")) from None


def bring(resource: Resource, user_id: int, address: str, name: str, data: bytes, head: list[str], row_count: int) -> Import:
    """Keep a file that can be read. Raises Refused when the person has too many open. The caller removes the file if it rolls back."""
    user = db.session.get_one(User, user_id, with_for_update=True)  # two requests of one person are counted one after another
    is_open = select(func.count()).where(Import.user_id == user.id, Import.state.in_(OPEN), Import.expires_at > ground.now())
    if (db.session.scalar(is_open) or 0) >= MOST_OPEN:
        raise Refused(_("%(count)s of your imports are still open. Finish or cancel one first.", count=MOST_OPEN))
    file = f"{secrets.token_hex(16)}.csv"
    path = folder() / file
    path.touch(mode=0o600)
    path.write_bytes(data)
    now = ground.now()
    row = Import(
        word=resource.word, state=MAPPING, name=name[:120], file=file, size_bytes=len(data), head=head, row_count=row_count,
        language=str(get_locale() or "pt_BR"), user_id=user.id, user_name=user.name, address=address[:60], at=now, beat_at=now,
        expires_at=now + timedelta(hours=OPEN_HOURS), mapping={}, faults=[], preview=[], reason="", run_count=0,
    )
    db.session.add(row)
    db.session.flush()
    return row


def of_person(user: User) -> list[Import]:
    """The person's own, newest first."""
    query = select(Import).where(Import.user_id == user.id, Import.expires_at > ground.now()).order_by(Import.id.desc()).limit(100)
    return [row for row in db.session.scalars(query) if row.may_be_seen_by(user)]


# ------------------------------------------------------------------------------------------------------- steps of a person


def ask_check(row: Import, mapping: dict[str, int]) -> None:
    """Columns are chosen: have every line looked at. Raises Refused when it is too late for that."""
    _step(row, (MAPPING, CHECKED), WAITING, mapping=mapping, faults=[], preview=[], reason="", run_count=0)


def ask_store(row: Import, leave_out: bool) -> None:
    """The person decided: store. Raises Refused when lines are bad and not left out, when nothing is left, or too late."""
    if row.bad_count and not leave_out:
        raise Refused(_("%(count)s lines are bad. Leave them out, or correct the file and upload it again.", count=row.bad_count))
    if not row.good_count:
        raise Refused(_("There is nothing to store."))
    _step(row, (CHECKED,), ASKED, leave_out=leave_out, reason="", run_count=0)


def _step(row: Import, before: tuple[str, ...], after: str, **values: Any) -> None:
    mine = update(Import).where(Import.id == row.id, Import.state.in_(before))
    if not db.session.execute(mine.values(state=after, beat_at=ground.now(), **values)).rowcount:  # type: ignore[attr-defined]
        raise Refused(_("This import is already further. Look at it again."))
    db.session.refresh(row)
    _put(row.id, after)


def _put(import_id: int, asked: str) -> None:
    if asked == WAITING:
        lanes.put("default", "jobs.imports.check", import_id)
    else:
        lanes.put("default", "jobs.imports.store_rows", import_id)


def ask_to_stop(import_id: int) -> None:
    """Tell the worker before the database is asked: while it stores, nobody else can write."""
    with lanes.needs_redis(), lanes.connection() as store:
        store.set(_key(import_id, "stop"), 1, ex=3600)


def cancel(import_id: int) -> bool:
    """Keep nothing of it. False when it was over before. Call ask_to_stop first; the caller commits and then removes the file."""
    mine = update(Import).where(Import.id == import_id, Import.state.in_(OPEN))
    values = over() | {"state": CANCELLED, "beat_at": ground.now(), "faults": [], "preview": []}
    return bool(db.session.execute(mine.values(**values)).rowcount)  # type: ignore[attr-defined]


def over() -> dict[str, Any]:
    """What an import that is over keeps: no file (it may hold passwords; who calls removes it after the commit), and days to be seen."""
    return {"file": "", "expires_at": ground.now() + timedelta(days=KEPT_DAYS)}


# --------------------------------------------------------------------------------------------------------- for the worker


def take(import_id: int, asked: str) -> int:
    """Take an import that waits (`asked`: WAITING or ASKED); the number of this run, 0 when it is over or in other hands."""
    row = db.session.scalar(select(Import).where(Import.id == import_id).with_for_update())
    if row is None or not (row.state == asked or (row.state == RUNS[asked] and not is_alive(import_id))):
        return 0
    row.state, row.run_count, row.beat_at = RUNS[asked], row.run_count + 1, ground.now()
    progress(import_id, 0, max(1, row.row_count))
    return row.run_count


def finish(import_id: int, run: int, **values: Any) -> bool:
    """Write the end of a run; False when it was cancelled or taken over: then nothing of it may be committed."""
    mine = update(Import).where(Import.id == import_id, Import.state.in_((CHECKING, STORING)), Import.run_count == run)
    return bool(db.session.execute(mine.values(beat_at=ground.now(), **values)).rowcount)  # type: ignore[attr-defined]


def progress(import_id: int, done: int, total: int) -> bool:
    """A sign of life with how far it is, outside the database (which its own transaction holds); False when it is to stop."""
    with lanes.needs_redis(), lanes.connection() as store:
        pipe = store.pipeline(transaction=False)
        pipe.set(_key(import_id, "progress"), json.dumps([done, total]), ex=LEASE_SECONDS)
        pipe.exists(_key(import_id, "stop"))
        return not pipe.execute()[1]


def progress_of(import_id: int) -> tuple[int, int] | None:
    """(rows done, rows) of a run in progress, None when no worker has it."""
    with lanes.needs_redis(), lanes.connection() as store:
        found = store.get(_key(import_id, "progress"))
    return tuple(json.loads(found)) if found else None


def is_alive(import_id: int) -> bool:
    return progress_of(import_id) is not None


def let_go(import_id: int) -> None:
    """The run is over: nobody has it."""
    with lanes.needs_redis(), lanes.connection() as store:
        store.delete(_key(import_id, "progress"))


def _key(import_id: int, what: str) -> str:
    return f"imports:{import_id}:{what}"


def tidy() -> None:
    """Give back what a killed worker or an emptied Redis left lying, remove what is past its days. May run twice. The caller commits."""
    now = ground.now()
    lying = select(Import).where(Import.state.in_(MOVES), Import.beat_at < now - timedelta(seconds=LEASE_SECONDS)).with_for_update()
    for row in db.session.scalars(lying):
        old = row.beat_at < now - timedelta(seconds=WAITS_SECONDS)
        if (row.state in RUNS and old) or (row.state in RUNS.values() and not is_alive(row.id)):
            _put_again(row)
    db.session.execute(delete(Import).where(Import.expires_at <= now, Import.state.not_in(RUNS.values())))


def tidy_files() -> None:
    """Remove files no row speaks of (any more); one that is being uploaded has none yet."""
    kept = set(db.session.scalars(select(Import.file)))
    oldest = (ground.now() - timedelta(minutes=5)).timestamp()
    for path in folder().iterdir():
        if path.name not in kept and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _put_again(row: Import) -> None:
    asked = {running: waiting for waiting, running in RUNS.items()}.get(row.state, row.state)
    if row.run_count >= MOST_RUNS:
        with force_locale(row.language):
            row.reason = _("It was interrupted several times; nothing was stored. Split the file, or tell support.")
        row.state, row.beat_at, row.file = FAILED, ground.now(), ""
        return
    row.state, row.beat_at = asked, ground.now()  # whoever still believes to have it cannot finish: see run_count
    _put(row.id, asked)


def take_generated(row: Import) -> list[list[str]]:
    """[key, name, field, password] of what was generated; once, then it is forgotten. Raises Refused the second time."""
    mine = select(Import).where(Import.id == row.id).with_for_update()
    held = db.session.scalars(mine.execution_options(populate_existing=True)).one()
    if not held.generated:
        raise Refused(_("The generated passwords were already downloaded."))
    found: list[list[str]] = json.loads(held.generated)
    held.generated, held.generated_count = None, 0
    return found
