"""`bentevi backup` and `bentevi restore`."""

import getpass
import json
import os
import sys
from dataclasses import asdict
from typing import Any

import click

from appliance.errors import Refused

ENCRYPTION, FAR = "BENTEVI_BACKUP_PASSWORD", "BENTEVI_BACKUP_FAR_PASSWORD"


def add_to(group: click.Group, rows: Any, tell: Any) -> None:
    """Hang `backup` and `restore` under the command; `rows` opens the application, `tell` prints."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print data instead of words; what goes on is told on stderr.")

    @group.group("backup", invoke_without_command=True)
    @click.pass_context
    def backup(context: click.Context) -> None:
        """Make a backup now (the same as `backup now`), or list what there is."""
        if context.invoked_subcommand is None:
            context.invoke(backup_now)

    @backup.command("now")
    @click.option("--dry-run", is_flag=True, help="Only look at the place and say what would be kept there.")
    @as_json
    def backup_now(as_json: bool = False, dry_run: bool = False) -> None:
        """Make a backup here and now, to where the settings say; needs neither browser nor worker. Status 1 when it fails."""
        with rows():
            if dry_run:
                planned = _plan()
                tell({"backup": planned}, as_json, lambda: [_line_of_plan(planned)])
                return
            found = _make()
            tell({"backup": found}, as_json, lambda: [_line(found)])
            sys.exit(0 if found["state"] == "done" else 1)

    @backup.command("list")
    @as_json
    def backup_list(as_json: bool) -> None:
        """The last attempts, newest first: state, when, size, what was new, how long, rehearsal."""
        from appliance.backup_policy import attempts  # rows and rules take half a second to load; most commands need none
        from appliance.db import read_only

        with rows():
            read_only()
            found = [facts(one) for one in attempts.newest()]
            tell({"backups": found}, as_json, lambda: [_line(one) for one in found] or ["no backup was made yet"])

    @backup.command("rehearse")
    @click.argument("number", type=int, required=False)
    def backup_rehearse(number: int | None) -> None:
        """Restore a backup, the newest if none is named, into a scratch database and compare. Status 1 when it is not good."""
        from appliance.backup_policy import attempts
        from appliance.backups import rehearsal
        from appliance.db import db

        with rows():
            chosen = db.session.get(attempts.Backup, number) if number else attempts.last_good()
            if chosen is None or chosen.state != attempts.DONE:
                raise Refused("there is no such complete backup; see `bentevi backup list`")
            number = chosen.id
            is_good = rehearsal.run(number)
            click.echo("restored and compared: it is good" if is_good else db.session.get_one(attempts.Backup, number).rehearsal_reason)
            sys.exit(0 if is_good else 1)

    @backup.command("key")
    def backup_key() -> None:
        """The key by which this machine logs in at another (SFTP): a line for its file .ssh/authorized_keys."""
        from appliance.backups import destination

        click.echo(destination.public_key())

    _add_restore(group, rows, tell)


def _add_restore(group: click.Group, rows: Any, tell: Any) -> None:
    as_json = click.option("--json", "as_json", is_flag=True, help="Print data instead of words; what goes on is told on stderr.")

    @group.command("restore")
    @click.argument("backup", required=False, default="")
    @click.option("--from", "kind", type=click.Choice(["disk", "usb", "sftp", "s3"]), help="Where the backups lie; default: what this home's settings say.")
    @click.option("--address", default="", help="The folder; host:port/folder for sftp; https://host/bucket/folder for s3.")
    @click.option("--username", default="", help="The person (sftp) or access key ID (s3).")
    @click.option("--database", default="", help="The database to restore into, as in `database move`; default: the one this home has.")
    @click.option("--dry-run", is_flag=True, help="Only say what would change.")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @as_json
    def restore(backup: str, kind: str | None, address: str, username: str, database: str, dry_run: bool, yes: bool, as_json: bool) -> None:
        """Bring this home to what BACKUP holds, the newest if none is named, whatever database it was made on.

        \b
        Passwords are asked for, or taken from the environment:
          BENTEVI_BACKUP_PASSWORD      the password of the backups
          BENTEVI_BACKUP_FAR_PASSWORD  of the person at the other machine, or the secret access key

        Everything is made ready and compared while the home may run; then it is stopped for a moment, and started again if it ran. What it
        was before stays in a folder before-restore-… of the home. When it is killed, ask for it again.
        """
        where = _where(rows, kind, address, username)
        report = _restore(where, backup, database, dry_run, yes, as_json)
        tell(report, as_json, lambda: _told(report))


def _plan() -> dict[str, Any]:
    """What a backup made now would do: the place is opened with its passwords, and nothing is written."""
    from appliance import settings
    from appliance.backup_policy import model
    from appliance.backups import content, destination, store
    from appliance.db import read_only

    read_only()
    policy = model.current()
    where = destination.of(policy)
    found = store.look(where)
    return {"to": policy.kind, "address": where.shown, "backups_there": len(found or []), "is_new": found is None, "keep": policy.keep_count,
            "file_bytes": content.size_bytes(settings.load())}  # fmt: skip


def _line_of_plan(plan: dict[str, Any]) -> str:
    there = "no backups yet, the place would be made ready" if plan["is_new"] else f"{plan['backups_there']} backups there, the newest {plan['keep']} would stay"
    return f"would back up the rows and {plan['file_bytes'] / 1_000_000:.1f} MB of files to {plan['to']} {plan['address']}: {there}; nothing was written"


def _make() -> dict[str, Any]:
    from appliance.backup_policy import attempts
    from appliance.backups import take
    from appliance.db import db

    attempts.give_up_silent()
    backup = attempts.new(f"{getpass.getuser()} (bentevi)")
    db.session.commit()
    number = backup.id
    take.run(number, lambda step, percent: click.echo(f"{step} {percent} %", err=True))
    return facts(db.session.get_one(attempts.Backup, number))


def facts(backup: Any) -> dict[str, Any]:
    """One attempt as data."""
    return {
        "id": backup.id, "state": backup.state, "reason": backup.reason, "snapshot": backup.snapshot, "to": backup.kind, "at": backup.at.isoformat(),
        "seconds": backup.seconds, "rows": backup.row_count, "bytes": backup.size_bytes, "new_bytes": backup.added_bytes, "asked_by": backup.asked_by,
        "rehearsal": backup.rehearsal, "rehearsal_reason": backup.rehearsal_reason,
    }


def _line(one: dict[str, Any]) -> str:
    sizes = f"{one['bytes'] / 1e6:10.1f} MB {one['new_bytes'] / 1e6:9.1f} MB new {one['rows']:>9} rows" if one["snapshot"] else one["reason"]
    rehearsed = f"  rehearsal {one['rehearsal']}" if one["rehearsal"] else ""
    return f"{one['id']:>6}  {one['snapshot'][:8] or '-':<8}  {one['at'][:16]}Z  {one['state']:<9} {one['seconds']:>5} s {sizes}{rehearsed}"


def _where(rows: Any, kind: str | None, address: str, username: str) -> Any:
    """The store: as the words say, else as the settings of the home say."""
    from appliance.backup_policy import model as policies
    from appliance.backups import destination
    from appliance.db import AWAY, WrongKey, db, read_only, trouble

    if kind is None:
        try:
            with rows():
                read_only()
                found = destination.of(policies.current())
                db.session.rollback()
                return found
        except (*AWAY, WrongKey) as why:
            if not isinstance(why, WrongKey) and not trouble(why):
                raise
            raise Refused("the database cannot be read, and so not where its backups lie: say it by --from and --address, with the password of the backups") from why
    if not address:
        raise Refused("say where the backups lie: --address")
    return destination.Destination(kind, address, _password(ENCRYPTION, "Password of the backups: "), username,
                                   _password(FAR, "Password at the other machine, or secret access key (empty for none): ") if kind in ("sftp", "s3") else "")


def _password(variable: str, question: str) -> str:
    if variable in os.environ:
        return os.environ[variable]
    if not sys.stdin.isatty():
        if variable == FAR:
            return ""
        raise Refused(f"set {variable}, or run this where it can be asked for")
    return getpass.getpass(question)


def _restore(where: Any, name: str, database: str, dry_run: bool, yes: bool, as_json: bool) -> dict[str, Any]:
    from appliance import front_door, settings, supervisor, units
    from appliance.app import bare_app
    from appliance.backups import restore, take

    machine = settings.load()
    front_door.check_home(machine)
    front_door.prepare_home(machine)
    url = restore.goal(machine, database)
    with bare_app().app_context():
        restore.finish(machine)
        with take.alone():
            snapshot = restore.choose(where, name)
            said = restore.manifest(where, snapshot.name)
            changes = restore.difference(machine, where, snapshot.name, said)
            foreseen = {"snapshot": snapshot.name, "at": said.at, "version": said.version, "rows": said.row_count, "difference": asdict(changes)}
            if dry_run:
                return foreseen
            units.need_stopped(machine)
            if not yes:
                click.echo("\n".join(_told(foreseen)), err=True)
                click.confirm(f"Replace what {machine.home} holds by this backup?", abort=True, err=True)
            was_up = supervisor.supervisor_pid(machine) is not None
            report = restore.restore(where, snapshot, said, changes, url, lambda: _stop(front_door, machine), lambda text: click.echo(text, err=True))
    if was_up:
        front_door.up(settings.load(), lambda text: click.echo(text, err=True))
    found: dict[str, Any] = json.loads(json.dumps(asdict(report)))
    return found | {"started": was_up}


def _stop(front_door: Any, machine: Any) -> None:
    from appliance import units

    if units.managed():
        units.need_stopped(machine)
        return
    click.echo("stopping what runs", err=True)
    front_door.down(machine)


def _told(report: dict[str, Any]) -> list[str]:
    from appliance import units

    start = "sudo systemctl start bentevi.target" if units.managed() else "bentevi up"
    changes = report["difference"]
    lines = [f"backup {report['snapshot'][:8]} of {report['at'][:16]}Z", f"{'table':<28} {'here':>10} {'backup':>10}"]
    differing = [table for table in changes["tables"] if not table["same"]]
    lines += [f"{table['name']:<28} {table['here']:>10} {table['backup']:>10}" for table in differing]
    same = len(changes["tables"]) - len(differing)
    lines.append(f"{same} tables are the same on both sides")
    lines.append(f"recordings: {changes['recordings_here']} here ({changes['bytes_here'] / 1e6:.1f} MB), {changes['recordings_backup']} in the backup "
                 f"({changes['bytes_backup'] / 1e6:.1f} MB), {changes['recordings_missing']} here that the backup lacks")
    if "kept" in report:
        lines.append(f"restored {report['rows']} rows into {report['database']} in {report['seconds']:.1f} s")
        lines += [f"what was here before is kept in {report['kept']}; remove that folder when you are sure"] if report["kept"] else []
        lines.append("started again" if report["started"] else f"start it with `{start}`: the configuration is applied anew for this machine")
    return lines
