"""Jobs around blacklists: read a file of numbers, remove numbers of lists that were deleted."""

from appliance import changes
from appliance.blacklists import entries, imports
from appliance.blacklists.imports import CANCELLED, REFUSED, RUNNING, SHOWN_FAULTS, BlacklistImport
from appliance.blacklists.model import Blacklist
from appliance.db import db
from appliance.errors import Refused


def load(import_id: int) -> None:
    """Read one file into its list. May run twice and be killed at any point: the numbers lie beside the list until all of them are there,
    and come into it in one transaction."""
    row = db.session.get(BlacklistImport, import_id)
    if row is None or not row.is_open:
        db.session.rollback()
        return
    row.state = RUNNING
    path, wanted_type = imports.folder() / row.file, row.wanted_type
    imports.unstage(import_id)
    db.session.commit()
    try:
        found, repeated = imports.read(path.read_bytes(), wanted_type, lambda done, total: imports.tell(import_id, done, 2 * total))
        db.session.rollback()
        for start in range(0, len(found), entries.BATCH):
            imports.tell(import_id, len(found) + start, 2 * len(found))
            imports.stage(import_id, found[start:start + entries.BATCH])
            db.session.commit()
        imports.tell(import_id, 1, 1)
        _put_in_force(import_id, repeated)
    except imports.Stopped:
        _end(import_id, CANCELLED)
    except imports.Faulty as why:
        _end(import_id, REFUSED, faults=[list(fault) for fault in why.faults[:SHOWN_FAULTS]], fault_count=len(why.faults))
    except Refused as why:
        _end(import_id, REFUSED, faults=[[0, str(why)]], fault_count=1)
    except FileNotFoundError:  # somebody tidied the home
        _end(import_id, CANCELLED)
    path.unlink(missing_ok=True)


def _put_in_force(import_id: int, repeated: int) -> None:
    row = db.session.get_one(BlacklistImport, import_id, with_for_update=True)
    blacklist = db.session.get(Blacklist, row.blacklist_id)
    if blacklist is None:
        raise imports.Stopped
    if row.is_open:
        token = changes.actor.set(changes.Actor(row.author, row.user_id, row.address))
        try:
            imports.put_in_force(row, blacklist.name, repeated)
            db.session.commit()
        finally:
            changes.actor.reset(token)


def _end(import_id: int, state: str, **values: object) -> None:
    db.session.rollback()
    row = db.session.get_one(BlacklistImport, import_id)
    if row.is_open:
        imports.unstage(import_id)
        imports.end(row, state, **values)
    db.session.commit()


def forget_deleted(_: int = 0) -> None:
    """The nightly round: numbers of lists that were deleted a month ago, and imports of long ago."""
    entries.forget_deleted(imports.staging())
    imports.forget_old()
    db.session.commit()
