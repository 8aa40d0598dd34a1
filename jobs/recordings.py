"""Jobs around recordings: convert one or the forgotten ones, retention and room, the disk's guard, the chain's check."""

import shutil
from datetime import timedelta

from sqlalchemy import update

from appliance import alarms, settings
from appliance import db as ground
from appliance.db import db
from appliance.recordings import chain, check, files
from appliance.recordings.check import RecordingCheck
from appliance.recordings.model import DAMAGED, WAITING, Recording


def convert(recording_id: int) -> None:
    """Make one recording ready to be heard. May run twice and die at any point: the small file is put into place whole, then the
    row is sealed, then Asterisk's file goes. Raises Busy when the disk does not let us: the lane tries again."""
    recording = db.session.get(Recording, recording_id)
    if recording is None or recording.state not in (WAITING, DAMAGED):
        if recording is not None:
            files.drop_raw(recording)
        db.session.rollback()
        return
    raw_name, name = recording.raw_name, files.name_of(recording)
    db.session.rollback()  # converting takes long: nobody waits for us meanwhile
    made = files.made_of(raw_name, name)
    recording = db.session.get(Recording, recording_id, with_for_update=True)
    if recording is not None and recording.state in (WAITING, DAMAGED):
        files.settle(recording, *made)
        db.session.commit()
        files.drop_raw(recording)
    db.session.rollback()


def convert_forgotten(_: int = 0) -> None:
    """What a killed worker or an emptied Redis left behind."""
    for recording_id in files.forgotten():
        convert(recording_id)


def remove_old(_: int = 0, quota_bytes: int = 0, disk: tuple[int, int] | None = None) -> int:
    """Retention, then room: over the quota the oldest go until nine tenths of it remain, and on a full disk the oldest too. How many. May die
    at any point. `disk` is (used, total) bytes; None asks the disk."""
    rules = files.policy()
    quota, oldest = quota_bytes or rules.quota_gb * files.GB, ground.now() - timedelta(days=rules.retention_days)
    removed = 0
    while gone := files.mark_older(oldest):
        db.session.commit()
        removed += gone
    used = files.used_bytes()
    is_full = used > quota
    while is_full and (over := files.used_bytes() - quota * files.AFTER_QUOTA) > 0 and (gone := files.mark_oldest(over)):
        db.session.commit()
        removed += gone
    if is_full:
        alarms.put("recordings_quota", used=f"{used / files.GB:.1f}", quota=f"{quota / files.GB:.1f}")
    else:
        alarms.clear("recordings_quota")
    db.session.commit()
    while files.sweep():
        db.session.commit()
    removed += _room_on_disk(disk)
    files.orphans()
    db.session.rollback()
    return removed


def _room_on_disk(disk: tuple[int, int] | None) -> int:
    """The oldest recordings go from a disk that is full to the per cent of the policy, whatever filled it. How many."""
    rules = files.policy()
    usage = shutil.disk_usage(settings.load().home)
    used, total = disk or (usage.used, usage.total)
    percent = round(100 * used / total)
    if percent < rules.disk_percent:
        alarms.clear("recordings_room")
        db.session.commit()
        return 0
    over, oldest, removed = used - total * (rules.disk_percent - files.AFTER_DISK) / 100, ground.now() - timedelta(days=rules.least_days), 0
    while over > 0 and (found := files.mark_for_disk(over, oldest))[0]:
        removed, over = removed + found[0], over - found[1]
        db.session.commit()
        while files.sweep():
            db.session.commit()
    said = next((one.parameters["count"] for one in alarms.active() if one.code == "recordings_room"), 0)
    alarms.put("recordings_room", percent=percent, count=said + removed, days=rules.least_days)
    db.session.commit()
    return removed


def guard(_: int = 0, free_bytes: int | None = None) -> bool:
    """Pause recording while the disk is nearly full; True while it is paused. `free_bytes` None asks the disk."""
    least = files.policy().free_gb * files.GB
    db.session.rollback()  # Asterisk may take its time
    free = shutil.disk_usage(settings.load().home).free if free_bytes is None else free_bytes
    paused = files.pause(free, least)
    if paused:
        alarms.put("recordings_paused", free=f"{free / files.GB:.1f}")
    else:
        alarms.clear("recordings_paused")
    db.session.commit()
    return paused


def verify(check_id: int) -> None:
    """Walk the chain of seals for a check somebody asked for. May be delivered twice: it only reads, and a killed one begins again."""
    found = db.session.get(RecordingCheck, check_id)
    if found is None or found.state == check.DONE:
        db.session.rollback()
        return
    found.state = check.RUNNING
    db.session.commit()

    def told(checked: int) -> None:
        db.session.execute(update(RecordingCheck).where(RecordingCheck.id == check_id).values(checked_count=checked))
        db.session.commit()

    wrong = chain.verify(files.folder(), told)
    check.finished(db.session.get_one(RecordingCheck, check_id), wrong)
    db.session.commit()


def verify_all(_: int = 0) -> None:
    """The weekly walk."""
    asked = check.ask("")
    db.session.commit()
    verify(asked.id)
