"""Jobs of CSV imports: check every line, store all good lines in one transaction, tidy. Each may run twice and may be killed."""

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from appliance import applying, changes, csv_files, live
from appliance import db as ground
from appliance.changes import Actor
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.imports import model, store
from appliance.imports.model import ASKED, CHECKED, FAILED, STORED, WAITING, Import
from appliance.imports.store import Outcome, Stopped
from appliance.users.model import User

log = logging.getLogger("bentevi.imports")


def check(import_id: int) -> None:
    """Look at every line as if it were stored, and keep what was found. Nothing of the rows is kept."""
    with _taken(import_id, WAITING) as run:
        if not run:
            return
        outcome = _work(import_id, dry=True)
        db.session.rollback()
        _end(import_id, run, **_found(outcome), state=CHECKED)


def store_rows(import_id: int) -> None:
    """Store all lines, or those the check found good when the person chose that: one transaction, all or nothing."""
    with _taken(import_id, ASKED) as run:
        if not run:
            return
        known = db.session.get_one(Import, import_id).bad_lines
        db.session.rollback()
        outcome = _work(import_id)
        if outcome.bad_lines != known:
            db.session.rollback()
            changed = _("Something has changed since the check; nothing was stored. Look at the result again.")
            _end(import_id, run, **_found(outcome), state=CHECKED, reason=changed)
            return
        row = db.session.get_one(Import, import_id)
        file, people = row.file, [person.id for person in outcome.touched if row.word == "users"]
        if row.resource.may_apply:
            applying.ask_if_wanted()
        made = json.dumps(outcome.generated) if outcome.generated else None
        _end(import_id, run, **_found(outcome), state=STORED, generated=made, generated_count=len(outcome.generated), **model.over())
        (model.folder() / file).unlink(missing_ok=True)
        for user_id in people:
            live.announce(user=user_id)  # open streams are looked at again: what the person may open may have changed


def tidy(_: int = 0) -> None:
    """Imports whose worker was killed go back to their lane; those past their days and their files are removed."""
    model.tidy()
    db.session.commit()
    model.tidy_files()
    db.session.rollback()


@contextmanager
def _taken(import_id: int, asked: str) -> Iterator[int]:
    """The number of this run (0: nothing to do), as the person who asks and in that language; every end is on the row."""
    run = model.take(import_id, asked)
    db.session.commit()
    if not run:
        yield 0
        return
    row = db.session.get_one(Import, import_id)
    who, batch, language = Actor(row.user_name, row.user_id, row.address), row.batch, row.language
    db.session.rollback()
    token = changes.actor.set(who)
    try:
        with force_locale(language), changes.together(batch):
            yield run
    except Stopped:
        log.info("imports %s: stopped", import_id)
    except Refused as why:
        _failed(import_id, run, str(why))
    except (Busy, OperationalError):  # the lane tries again
        raise
    except Exception:  # the edge of a job: the whole trace to the log, a sentence with a code on the row
        code = secrets.token_hex(3).upper()
        log.exception("imports %s: failed, code %s", import_id, code)
        with force_locale(language):
            said = _("Something went wrong on our side; nothing was stored. Tell support this code: %(code)s", code=code)
        _failed(import_id, run, said)
    finally:
        db.session.rollback()
        changes.actor.reset(token)
        model.let_go(import_id)


def _work(import_id: int, *, dry: bool = False) -> Outcome:
    """Go through the file, writing into the open transaction. Raises Refused when the person may not (any more)."""
    row = db.session.get_one(Import, import_id)
    user = db.session.get(User, row.user_id)
    if user is None or not user.active or not row.may_be_seen_by(user):
        raise Refused(_("You may not change these rows any more."))
    resource, mapping, data = row.resource, row.mapping, model.content(row)
    db.session.rollback()
    sheet = csv_files.read(data)
    total = len(sheet.rows)
    if dry and not hasattr(resource.model, "check"):
        ground.read_only()
    return store.run(resource, sheet, mapping, lambda done: model.progress(import_id, done, total), dry=dry)


def _found(outcome: Outcome) -> dict[str, Any]:
    faults = [[fault.line, fault.column, fault.text] for fault in outcome.faults]
    return {"created_count": outcome.created, "changed_count": outcome.changed, "same_count": outcome.same,
            "bad_count": len(outcome.bad_lines), "faults": faults, "preview": outcome.preview}


def _end(import_id: int, run: int, **values: Any) -> None:
    """Commit what was done together with the end of the run. Raises Stopped when it was cancelled meanwhile: then neither is kept."""
    if not model.progress(import_id, 1, 1) or not model.finish(import_id, run, **values):
        raise Stopped
    db.session.commit()


def _failed(import_id: int, run: int, reason: str) -> None:
    db.session.rollback()
    file = db.session.scalar(select(Import.file).where(Import.id == import_id))
    if file and model.finish(import_id, run, state=FAILED, reason=reason[:300], **model.over()):
        db.session.commit()
        (model.folder() / file).unlink(missing_ok=True)
