"""The copy in Asterisk's own database that calls read: `lock/ID` = yes, `follow/ID-always` = any/1002, by row id of the extension.

Put there after each change, and compared with the rows every minute: an Asterisk that lost its database has it again.
"""

from sqlalchemy import select

from appliance import settings
from appliance.db import db
from appliance.follow_me.model import OFF, SITUATIONS, FollowMe
from appliance.telephony import ami, runtime

FAMILIES = ("lock", "follow")


def wanted(row: FollowMe) -> dict[tuple[str, str], str]:
    """(family, key) → value of one row."""
    found = {("lock", str(row.extension_id)): "yes"} if row.is_locked else {}
    for situation in SITUATIONS:
        origin, number = row.rule(situation)
        if origin != OFF:
            found["follow", f"{row.extension_id}-{situation}"] = f"{origin}/{number}"
    return found


def put(extension_id: int) -> None:
    """Bring Asterisk's copy of one extension to what its row says. Raises Busy while Asterisk is down."""
    row = db.session.scalar(select(FollowMe).where(FollowMe.extension_id == extension_id))
    should = wanted(row) if row else {}
    keys = [("lock", str(extension_id)), *(("follow", f"{extension_id}-{situation}") for situation in SITUATIONS)]
    db.session.rollback()  # Asterisk is asked without holding a transaction
    _write({key: should.get(key, "") for key in keys})


def put_all() -> int:
    """Bring the whole copy to what the rows say; how many entries were wrong. Raises Busy while Asterisk is down."""
    should: dict[tuple[str, str], str] = {}
    for row in db.session.scalars(select(FollowMe)):
        should |= wanted(row)
    db.session.rollback()
    there = {key: value for family in FAMILIES for key, value in _there(family).items()}
    wrong = {key: should.get(key, "") for key in {*should, *there} if should.get(key) != there.get(key)}
    _write(wrong)
    return len(wrong)


def _there(family: str) -> dict[tuple[str, str], str]:
    """What Asterisk holds of a family: lines as `/lock/12      : yes`."""
    found = {}
    for line in runtime.command(runtime.control(settings.load()), f"database show {family}").splitlines():
        name, colon, value = line.partition(":")
        if colon and name.startswith(f"/{family}/"):
            found[family, name.strip().removeprefix(f"/{family}/")] = value.strip()
    return found


def _write(values: dict[tuple[str, str], str]) -> None:
    if not values:
        return
    with ami.actions(settings.load()) as connection:
        for (family, key), value in values.items():
            if value:
                connection.ask({"Action": "DBPut", "Family": family, "Key": key, "Val": value})
            else:
                connection.ask({"Action": "DBDel", "Family": family, "Key": key})
