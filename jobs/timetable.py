"""TABLES of what runs by the clock: function, lane, when. Hours are UTC (São Paulo is three hours behind)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timed:
    """One line: every so many seconds, or at the minutes a cron text says (UTC). The function gets 0 for a row id."""

    function: str
    lane: str
    every_seconds: int = 0
    at: str = ""


EACH_MINUTE = [  # short ones, in this order, by jobs/minute.py
    "jobs.upkeep.prepare_late",
    "jobs.recordings.guard",
    "jobs.addresses.put",  # bans end
    "jobs.follow_me.put_all",
    "jobs.company.put_least",
    "jobs.desk_phones.tell_of_port",
    "jobs.voicemail_boxes.look",
    "jobs.imports.tidy",
    "jobs.upkeep.look_at_ports",
]

TIMETABLE = [
    Timed("jobs.minute.run", "telephony", every_seconds=60),
    Timed("jobs.records.reconcile", "default", every_seconds=300),
    Timed("jobs.khomp_boards.read", "telephony", every_seconds=300),
    Timed("jobs.recordings.convert_forgotten", "default", every_seconds=180),
    Timed("jobs.recordings.remove_old", "default", at="10 * * * *"),      # the room fills by day too
    Timed("jobs.recordings.verify_all", "default", at="30 5 * * 0"),      # Sundays, 02:30 in São Paulo
    Timed("jobs.audio_prompts.tidy", "default", at="15 5 * * *"),         # 02:15
    Timed("jobs.blacklists.forget_deleted", "default", at="20 5 * * *"),  # 02:20
    Timed("jobs.certificates.keep", "default", every_seconds=1800),       # another address of the machine, or one about to end
    Timed("jobs.backups.look", "default", every_seconds=300),             # whether the hour of the settings has come
    Timed("jobs.updates.look", "backups", every_seconds=1800),             # once a day at the address
    Timed("jobs.upkeep.look_at_disk", "default", every_seconds=300),
    Timed("jobs.addresses.forget_old", "default", at="40 5 * * *"),       # 02:40
    Timed("jobs.users.forget_old", "default", at="50 5 * * *"),           # 02:50
    Timed("jobs.retention.forget_old", "default", at="45 5 * * *"),       # 02:45
]
