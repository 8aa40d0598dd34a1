"""Jobs around backups: make one, rehearse one, and look whether one is due or the last good one is too old."""

from datetime import datetime, timedelta

from sqlalchemy import select

from appliance import alarms, lanes
from appliance import db as ground
from appliance.backup_policy import attempts
from appliance.backup_policy import model as policies
from appliance.backup_policy.attempts import DONE, FAILED, Backup
from appliance.backups import rehearsal, take
from appliance.db import db
from appliance.reports.asked import zone

AGAIN = timedelta(minutes=30)  # a scheduled one that failed is tried again after so long
MOST_TRIES = 4                 # a night


def run(backup_id: int) -> None:
    """Make a backup; one the clock asked for is rehearsed afterwards. May be delivered twice. Raises Busy while another is at it."""
    if not take.run(backup_id):
        return
    backup = db.session.get_one(Backup, backup_id)
    if not backup.asked_by and policies.current().rehearse and not backup.rehearsal:
        lanes.put("backups", "jobs.backups.rehearse", backup_id)
    db.session.commit()


def rehearse(backup_id: int) -> None:
    """Restore a backup into a scratch database and compare. May be delivered twice."""
    rehearsal.run(backup_id)


def look(_: int = 0) -> None:
    """Ask for the backup of the day when its hour has come, and say so when the last good one is too old. May run at any time."""
    attempts.give_up_silent()
    policy, now = policies.current(), ground.now()
    if policy.kind == policies.NONE:
        for code in ("backup_failed", "backup_old", "backup_rehearsal"):
            alarms.clear(code)
        db.session.commit()
        return
    if _is_due(last_hour(policy.time, now), now):
        attempts.ask()
    good = attempts.last_good()
    since = good.at if good else db.session.scalar(select(Backup.at).order_by(Backup.id).limit(1)) or now
    if now - since > attempts.OLD:
        alarms.put("backup_old", days=(now - since).days)
    else:
        alarms.clear("backup_old")
    db.session.commit()


def last_hour(clock: str, now: datetime) -> datetime:
    """The instant at which the hour of the day last came, in the company's zone."""
    hour, minute = map(int, clock.split(":"))
    local = now.astimezone(zone())
    due = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return due if due <= local else due - timedelta(days=1)


def _is_due(hour: datetime, now: datetime) -> bool:
    """None was begun since the hour, or those that were failed a while ago."""
    tries = list(db.session.scalars(select(Backup).where(Backup.at >= hour, Backup.asked_by == "").order_by(Backup.id)))
    if any(one.state != FAILED for one in tries) or attempts.open_one() is not None:
        return False
    if not tries:
        return db.session.scalar(select(Backup.id).where(Backup.at >= hour, Backup.state == DONE).limit(1)) is None
    ended = tries[-1].ended_at or tries[-1].at
    return len(tries) < MOST_TRIES and now - ended > AGAIN
