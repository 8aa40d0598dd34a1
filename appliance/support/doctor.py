"""`bentevi doctor`: looks at the running machine; each finding says what is wrong and ends in what to do (SYS-19)."""

import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import select

from appliance import alarms, applying, clock, front_door, lanes, own_certificate, ports, schema, units
from appliance import db as ground
from appliance import resource as resources
from appliance.backup_policy import attempts
from appliance.backup_policy import model as policies
from appliance.db import db
from appliance.errors import Busy
from appliance.lanes import Outgoing
from appliance.settings import Settings
from appliance.telephony import store

OLD_SECONDS = 600      # a committed job that waits longer than this is handed over by nobody
LEAST_FREE = 0.1       # of the disk
ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Finding:
    """One thing to be put right: how bad, what it is, and what to do."""

    level: str
    check: str
    text: str
    todo: str


def examine(machine: Settings) -> list[Finding]:
    """Every finding, the bad ones first; an empty list is good news. Inside an application on the home's database, which may ail: then that is a
    finding, and what can be looked at without rows is looked at all the same."""
    found = [finding for check in OF_THE_MACHINE for finding in check(machine)]
    try:
        ground.read_only()
        found += [finding for check in OF_ROWS for finding in check(machine)]
    except ground.AWAY as why:
        kind = ground.trouble(why)
        if not kind:
            raise
        db.session.rollback()
        found.insert(0, Finding(ERROR, "database", ground.WORDS[kind], TODO[kind]))
    except ground.WrongKey as why:
        db.session.rollback()
        found.insert(0, Finding(ERROR, "secrets", str(why), "Put the file back from where you keep it, or all from a backup: bentevi restore --from …"))
    return sorted(found, key=lambda one: one.level)


def _processes(machine: Settings) -> Iterator[Finding]:
    entries = front_door.status(machine)
    if not any(entry["running"] for entry in entries):
        yield Finding(ERROR, "processes", "nothing of this home runs", f"Start it: {_start()}")
        return
    for entry in entries:
        if not entry["answers"]:
            word = "runs but does not answer" if entry["running"] else "is down"
            yield Finding(ERROR, "processes", f"{entry['name']} {word}",
                          f"Read why: bentevi logs {entry['name']}. It is started again by itself; if it stays so: {_anew()}.")
        elif (entry.get("restarts") or 0) >= 3:
            yield Finding(WARNING, "processes", f"{entry['name']} was started again {entry['restarts']} times", f"Read why: bentevi logs {entry['name']}")


def _start() -> str:
    return "sudo systemctl start bentevi.target" if units.managed() else "bentevi up"


def _anew() -> str:
    return "sudo systemctl restart bentevi.target" if units.managed() else "bentevi down, then bentevi up"


def _tables(machine: Settings) -> Iterator[Finding]:
    with db.engine.execution_options(read_only=True).connect() as connection:
        held = set(schema.held(connection))
    if held != schema.newest():
        yield Finding(ERROR, "database", "the tables are of another version than this program", "Bring them forward: bentevi database upgrade")


def _key(machine: Settings) -> Iterator[Finding]:
    """One sealed value is opened. Raises WrongKey, which is a finding for whoever asks for all of them."""
    for resource in resources.TABLE.values():
        for spec in resource.fields.values():
            column = getattr(resource.model, spec.attr)
            if isinstance(column.type, ground.Sealed) and db.session.scalar(select(column).where(column.is_not(None)).limit(1)):
                return
    yield from ()


def _disk(machine: Settings) -> Iterator[Finding]:
    usage = shutil.disk_usage(machine.home)
    if usage.free < usage.total * LEAST_FREE:
        yield Finding(ERROR if usage.free < usage.total / 50 else WARNING, "disk", f"only {usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB are free",
                      "Lower days or room in the recording policy, or remove folders before-restore-… and old files; then look again.")
    for folder in sorted(machine.home.glob("before-restore-*")):
        yield Finding(WARNING, "disk", f"{folder} still holds what was here before a restore", f"When everything is as it should be, remove it: rm -r {folder}")


def _files(machine: Settings) -> Iterator[Finding]:
    for path in (machine.home, machine.secrets, *(machine.secrets.iterdir() if machine.secrets.exists() else ())):
        if path.exists() and not path.name.endswith(".pub") and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding(ERROR, "files", f"others on this machine may read {path}", f"Close it: chmod go= {path}")


def _alarms(machine: Settings) -> Iterator[Finding]:
    for alarm in alarms.active():
        words = alarms.MESSAGES.get(alarm.code, alarm.code)
        yield Finding(WARNING, "alarms", words % alarm.parameters, "Do what it says; it goes by itself when it is over.")


def _revision(machine: Settings) -> Iterator[Finding]:
    number = store.in_force(machine)
    if number and not store.is_intact(machine, number):
        yield Finding(ERROR, "revision", f"the files of revision {number}, which is in force, are not those that were written",
                      f"Look at the disk; they are made anew at the next start: {_anew()}.")


def _clock(machine: Settings) -> Iterator[Finding]:
    try:
        is_right = clock.is_synchronised()
    except OSError:
        is_right = True  # a container, whose clock is its host's
    if not is_right:
        yield Finding(WARNING, "clock", "no time server steers the clock: hours and reports may drift", "Let one do it: timedatectl set-ntp true")


def _sip_port(machine: Settings) -> Iterator[Finding]:
    trouble = ports.sip_trouble(machine)
    if trouble and not trouble.is_taken:
        yield Finding(ERROR, "sip", f"Asterisk runs but does not listen on the SIP port {trouble.port}", f"Read why: bentevi logs asterisk; then {_anew()}.")
    elif trouble:
        yield Finding(ERROR, "sip", f"another program has the SIP port {trouble.port}: {trouble.program or '?'} ({trouble.pid})",
                      f"Stop that program or choose another port on the page SIP, then {_anew()}.")


def _certificate(machine: Settings) -> Iterator[Finding]:
    if not own_certificate.path(machine.secrets).exists():
        return
    found = own_certificate.read(machine.secrets)
    if found is None:
        yield Finding(ERROR, "certificate", "the certificate of the pages is damaged", f"Another is made at the next start: {_anew()}; or give yours again: bentevi certificate install FILES.")
        return
    ends = found.not_valid_after_utc
    if (ends - ground.now()).days < 14:
        yield Finding(WARNING, "certificate", f"the certificate of the pages ends on {ends:%Y-%m-%d}", "Renew it: bentevi certificate renew; or give another: bentevi certificate install FILES.")


def _jobs(machine: Settings) -> Iterator[Finding]:
    oldest = db.session.scalar(select(Outgoing.at).order_by(Outgoing.id).limit(1))
    if oldest and (ground.now() - oldest).total_seconds() > OLD_SECONDS:
        yield Finding(ERROR, "jobs", "jobs wait and nobody hands them over", "Look at the worker: bentevi logs worker")
    try:
        failed = sum(lane.failed_count for lane in lanes.state())
    except Busy:
        yield Finding(ERROR, "jobs", "the job store (Redis) does not answer", "Read why: bentevi logs redis")
        return
    if failed:
        yield Finding(WARNING, "jobs", f"{failed} jobs have failed for good", "Open the page Jobs: each says why; try it again or remove it.")


def _applies(machine: Settings) -> Iterator[Finding]:
    if applying.waiting_restart():
        yield Finding(WARNING, "applying", "settings wait for a restart of Asterisk", "It comes by itself as soon as no call is up; or confirm it on the page Revisions.")


def _first_password(machine: Settings) -> Iterator[Finding]:
    if (machine.secrets / "first_password").exists():
        yield Finding(WARNING, "login", "the first password of admin was never changed", "Log in as admin and choose one; or bentevi user password admin.")


def _backups(machine: Settings) -> Iterator[Finding]:
    if policies.current().kind == policies.NONE:
        yield Finding(WARNING, "backups", "no backup is made", "Choose a place on the page Backup settings; keep the password of the backups elsewhere.")
        return
    good, rehearsed = attempts.last_good(), attempts.last_rehearsed()
    if good is None or ground.now() - good.at > attempts.OLD:
        since = f"the last complete backup is of {good.at:%Y-%m-%d}" if good else "no backup was completed yet"
        yield Finding(ERROR, "backups", since, "Make one and read what it says: bentevi backup")
    if rehearsed is not None and rehearsed.rehearsal == attempts.BAD:
        yield Finding(ERROR, "backups", f"the last rehearsal failed: {rehearsed.rehearsal_reason}", "Make a new backup and rehearse it: bentevi backup, bentevi backup rehearse")


OF_THE_MACHINE: list[Callable[[Settings], Iterator[Finding]]] = [_processes, _disk, _files, _revision, _sip_port, _clock, _certificate, _first_password]
OF_ROWS: list[Callable[[Settings], Iterator[Finding]]] = [_tables, _key, _jobs, _backups, _applies, _alarms]
TODO = {  # what ails the database → what to do
    ground.LOCKED: "Look again in a minute; if it stays so: bentevi logs, and start the exchange again.",
    ground.FULL: "Make room on its disk: remove folders before-restore-… and old files; then look again.",
    ground.GONE: "Look whether its disk and, with PostgreSQL, its server are there: bentevi logs web says what they answer.",
    ground.DAMAGED: "Restore the last backup: bentevi restore --from disk --address FOLDER (or usb, sftp, s3); what is here now is kept beside it.",
}
