"""Jobs around blacklists: read a file of numbers, remove numbers of lists that were deleted."""

from appliance import changes
from appliance.blacklists import entries, imports
from appliance.blacklists.imports import CANCELLED, REFUSED, RUNNING, SHOWN_FAULTS, BlacklistImport
from appliance.blacklists.model import Blacklist
from appliance.db import db
from appliance.errors import Refused


def load(import_id: int) -> None:
    """Read one file into its list. May run twice and be killed at any point: everything is stored in one transaction, or nothing."""
    row = db.session.get(BlacklistImport, import_id)
    if row is None or not row.is_open:
        db.session.rollback()
        return
    row.state = RUNNING
    path, wanted_type, blacklist_id = imports.folder() / row.file, row.wanted_type, row.blacklist_id
    who = changes.Actor(row.author, row.user_id, row.address)
    db.session.commit()
    try:
        found, repeated = imports.read(path.read_bytes(), wanted_type, lambda done, total: imports.tell(import_id, done, total))
        db.session.rollback()
        token = changes.actor.set(who)
        try:
            blacklist = db.session.get(Blacklist, blacklist_id)
            if blacklist is None:
                raise imports.Stopped
            imports.store(db.session.get_one(BlacklistImport, import_id), blacklist.name, found, repeated)
            db.session.commit()
        finally:
            changes.actor.reset(token)
    except imports.Stopped:
        _end(import_id, CANCELLED)
    except imports.Faulty as why:
        _end(import_id, REFUSED, faults=[list(fault) for fault in why.faults[:SHOWN_FAULTS]], fault_count=len(why.faults))
    except Refused as why:
        _end(import_id, REFUSED, faults=[[0, str(why)]], fault_count=1)
    except FileNotFoundError:  # killed between the commit and the removal of the file, or somebody tidied the home
        _end(import_id, CANCELLED)
    path.unlink(missing_ok=True)


def _end(import_id: int, state: str, **values: object) -> None:
    db.session.rollback()
    row = db.session.get_one(BlacklistImport, import_id)
    if row.is_open:
        imports.end(row, state, **values)
    db.session.commit()


def forget_deleted(_: int = 0) -> None:
    """The nightly round: numbers of lists that were deleted a month ago, and imports of long ago."""
    entries.forget_deleted()
    imports.forget_old()
    db.session.commit()
