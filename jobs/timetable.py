"""TABLE of what runs by the clock: function, lane, when. Hours are UTC (São Paulo is three hours behind)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timed:
    """One line: every so many seconds, or at the minutes a cron text says (UTC). The function gets 0 for a row id."""

    function: str
    lane: str
    every_seconds: int = 0
    at: str = ""


TIMETABLE = [
    Timed("jobs.records.reconcile", "default", every_seconds=300),
    Timed("jobs.follow_me.put_all", "telephony", every_seconds=60),
    Timed("jobs.company.put_least", "telephony", every_seconds=60),
    Timed("jobs.voicemail_boxes.look", "default", every_seconds=60),
    Timed("jobs.addresses.put", "telephony", every_seconds=60),           # bans end
    Timed("jobs.desk_phones.tell_of_port", "telephony", every_seconds=60),
    Timed("jobs.khomp_boards.read", "telephony", every_seconds=300),
    Timed("jobs.recordings.guard", "telephony", every_seconds=60),
    Timed("jobs.recordings.convert_forgotten", "default", every_seconds=180),
    Timed("jobs.recordings.remove_old", "default", at="10 * * * *"),      # the room fills by day too
    Timed("jobs.recordings.verify_all", "default", at="30 5 * * 0"),      # Sundays, 02:30 in São Paulo
    Timed("jobs.audio_prompts.tidy", "default", at="15 5 * * *"),         # 02:15
    Timed("jobs.blacklists.forget_deleted", "default", at="20 5 * * *"),  # 02:20
    Timed("jobs.certificates.keep", "default", every_seconds=1800),       # another address of the machine, or one about to end
    Timed("jobs.backups.look", "default", every_seconds=300),             # whether the hour of the settings has come
    Timed("jobs.imports.tidy", "default", every_seconds=60),
    Timed("jobs.upkeep.look_at_disk", "default", every_seconds=300),
    Timed("jobs.upkeep.look_at_ports", "default", every_seconds=60),
    Timed("jobs.addresses.forget_old", "default", at="40 5 * * *"),       # 02:40
    Timed("jobs.users.forget_old", "default", at="50 5 * * *"),           # 02:50
    Timed("jobs.upkeep.forget_old_changes", "default", at="45 5 * * *"),  # 02:45
]
