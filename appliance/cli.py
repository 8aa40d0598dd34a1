"""The command `bentevi`: reads words, calls a function, prints, ends with 0 (fine), 1 (not fine) or 2 (refused).

Each command is thin; its work is in the module it names. `./bentevi` prepares the environment and comes here.
"""

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from appliance import developing, front_door, imaging, settings, version
from appliance.addresses import command as addresses_command
from appliance.backups import command as backups_command
from appliance.calls import command as calls_command
from appliance.certificates import command as certificates_command
from appliance.database import command as database_command
from appliance.errors import Busy, Refused
from appliance.queues import command as queues_command
from appliance.recordings import command as recordings_command
from appliance.settings import Settings
from appliance.support import command as support_command
from appliance.updates import command as updates_command


class Commands(click.Group):
    """The edge: what a person can put right is one message and 2, what is not ready is one message and 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as why:
            click.echo(f"bentevi: {why}", err=True)
            sys.exit(2)
        except Busy as why:
            click.echo(f"bentevi: {why}", err=True)
            sys.exit(1)
        except Exception as why:
            if not (text := _of_database(why)):
                raise
            click.echo(f"bentevi: {text}", err=True)
            sys.exit(1)


def _of_database(why: Exception) -> str:
    """What ails the database, if that is it; it cannot be where nothing of it was loaded."""
    ground = sys.modules.get("appliance.db")
    return ground.WORDS.get(ground.trouble(why), "") if ground and isinstance(why, ground.AWAY) else ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version.number(), prog_name="bentevi", message="%(prog)s %(version)s")
def bentevi() -> None:
    """Bentevi, a telephone exchange for small businesses.

    BENTEVI_HOME says which one is meant (default: var/ in the checkout).
    """


def home() -> Settings:
    """The settings of this home. Refused when a variable makes no sense."""
    try:
        return settings.load()
    except ValueError as why:
        raise Refused(str(why)) from why


# ---- Starting and stopping -------------------------------------------------------------------------------------------


@bentevi.command()
@click.option("--foreground", is_flag=True, help="Stay until stopped by Ctrl-C or SIGTERM, then stop everything.")
@click.option("--site", "site_file", type=click.File("r", encoding="utf-8"), help="Start with this site file applied.")
@click.option("--skip-unavailable", is_flag=True, help="With --site: leave out what is not built yet.")
def up(foreground: bool, site_file: TextIO | None, skip_unavailable: bool) -> None:
    """Start everything; return when everything answers."""
    machine = home()
    try:
        started = front_door.up(machine, click.echo)
    except RuntimeError as why:
        click.echo(f"bentevi: {why}", err=True)
        sys.exit(1)
    if not started:
        click.echo("already running")
    if site_file:
        with rows():
            load_site(site_file, dry_run=False, skip_unavailable=skip_unavailable, replace=False)
            apply_now("up --site")
    click.echo(f"URL: {front_door.address(machine)}")
    click.echo("Login: admin")
    click.echo(f"Password: {front_door.first_password(machine) or '(already changed)'}")
    if foreground:
        sys.stdout.flush()
        sys.exit(front_door.follow(machine))


@bentevi.command()
def down() -> None:
    """Stop everything; return when nothing is left."""
    click.echo("stopped" if front_door.down(home()) else "nothing was running")


@bentevi.command()
@click.option("--json", "as_json", is_flag=True, help="Print data instead of a table.")
def status(as_json: bool) -> None:
    """Tell how each process is. Ends with 1 when one does not run or does not answer."""
    entries = front_door.status(home())
    if as_json:
        click.echo(json.dumps({"processes": entries, "alarms": standing_alarms()}, indent=1))
    else:
        for entry in entries:
            word = "answers" if entry["answers"] else "does not answer" if entry["running"] else "is down"
            facts = [f"{label} {entry[key]}" for key, label in (("pid", "pid"), ("uptime_seconds", "seconds up"),
                                                                ("restarts", "restarts")) if entry.get(key)]  # fmt: skip
            click.echo(f"{entry['name']:<11} {word:<16} {', '.join(facts)}".rstrip())
    sys.exit(0 if all(entry["answers"] for entry in entries) else 1)


def standing_alarms() -> list[dict[str, Any]]:
    """Code, parameters and begin of the alarms that stand; none while there are no tables yet."""
    from appliance import alarms  # rows and rules take half a second to load; most commands need none

    try:
        with rows():
            return [{"code": one.code, "parameters": one.parameters, "at": one.at.isoformat()} for one in alarms.active()]
    except Refused:
        return []


@bentevi.command()
@click.argument("name", required=False)
@click.option("-n", "--lines", default=30, show_default=True, help="How many lines of each.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
def logs(name: str | None, lines: int, follow: bool) -> None:
    """Show the end of the logs, of all processes or of NAME."""
    files = front_door.log_files(home(), name)
    if not files:
        raise Refused("there is no log yet: nothing was started in this home")
    os.execvp("tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), "--", *map(str, files)])


@bentevi.command("first-start", hidden=True)
def first_start_() -> None:
    """What `up` does before it starts anything: tables, keys, the first login, the first revision."""
    from appliance import first_start  # rows and rules take half a second to load; most commands need none
    from appliance.app import bare_app

    finish_restore()
    with bare_app().app_context():
        first_start.prepare()


# ---- Configuration ---------------------------------------------------------------------------------------------------


@contextmanager
def rows(even_ailing: bool = False) -> Iterator[None]:
    """The application inside its context, for commands that touch rows; they sign as the person at the machine. `even_ailing`: also
    when the database cannot be read, for those who are to say so."""
    from appliance import changes  # rows and rules take half a second to load; most commands need none
    from appliance.app import bare_app, need_rows

    if not home().home.exists():
        raise Refused(f"{home().home} is no home yet: run `bentevi up` first")
    finish_restore()
    with bare_app().app_context():
        need_rows(home(), even_ailing)
        changes.actor.set(changes.Actor(name=f"{getpass.getuser()} (bentevi)"))
        yield


def finish_restore() -> None:
    """A restore that was cut off while it took over is brought to its end before anybody reads a row."""
    if (home().home / "restoring" / "plan.json").exists():
        from appliance.backups import restore  # most commands need none of it

        restore.finish(home())


def store() -> None:
    """Commit what a command changed."""
    from appliance.db import db

    db.session.commit()


def tell(data: Any, as_json: bool, lines: Callable[[], list[str]]) -> None:
    """Print data, or the lines a person reads."""
    click.echo(json.dumps(data, indent=1, ensure_ascii=False, default=str) if as_json else "\n".join(lines()))


@bentevi.group("site")
def site() -> None:
    """The whole exchange as one text file."""


@site.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--skip-unavailable", is_flag=True, help="Leave out what is not built yet, and list it.")
@click.option("--replace", is_flag=True, help="Delete rows that a section of the file does not name.")
@click.option("--apply", "then_apply", is_flag=True, help="Put it into force at once.")
def site_import(file: TextIO, dry_run: bool, skip_unavailable: bool, replace: bool, then_apply: bool) -> None:
    """Create or update the rows a site file names. A mistake anywhere stores nothing."""
    with rows():
        report = load_site(file, dry_run=dry_run, skip_unavailable=skip_unavailable, replace=replace)
        for word, titles in (("created", report.created), ("updated", report.updated), ("deleted", report.deleted)):
            for title in titles:
                click.echo(f"{'would be ' if dry_run else ''}{word}: {title}")
        for line in report.skipped:
            click.echo(line)
        for title, secret in [] if dry_run else report.secrets:
            click.echo(f"password of {title}, shown only now: {secret}")
        if then_apply and not dry_run:
            apply_now("site import")


def load_site(file: TextIO, *, dry_run: bool, skip_unavailable: bool, replace: bool) -> Any:
    """Import a site file and commit, or roll back. Refused with every line that is wrong, also when it is no text."""
    from appliance import sitefile
    from appliance.db import db

    try:
        text = file.read()
    except UnicodeDecodeError as why:
        raise Refused(f"{file.name} is not UTF-8 text (byte {why.start})") from why
    try:
        report = sitefile.load(text, skip_unavailable=skip_unavailable, replace=replace)
    except Refused:
        db.session.rollback()
        raise
    if dry_run:
        db.session.rollback()
    else:
        db.session.commit()
    return report


@site.command("export")
@click.argument("words", nargs=-1)
def site_export(words: tuple[str, ...]) -> None:
    """Print the rows as a site file, without secrets; WORDS choose sections."""
    from appliance import sitefile

    with rows():
        click.echo(sitefile.dump(list(words)), nl=False)


def apply_now(reason: str) -> None:
    """Apply here and now. Ends with 2 and the findings when it is refused."""
    from appliance import applying

    attempt = applying.now(reason)
    for step in attempt.steps:
        click.echo(f"{step['name']:<8} {step['state']:<8} {step['seconds']:.2f} s")
    if attempt.state != "done":
        found = [applying.told(one) for one in attempt.findings]
        lines = [f"{one['row'] or one['file']}: {one['text']} ({one['file']}:{one['line']})" for one in found]
        raise Refused("\n".join(["not applied; what was in force stays in force", *lines]))
    click.echo(f"in force: revision {attempt.revision}")
    if attempt.warning:
        click.echo(attempt.warning)


@bentevi.command()
@click.option("--reason", default="", help="Kept with the revision.")
def apply(reason: str) -> None:
    """Put all pending changes into force; needs neither browser nor worker."""
    with rows():
        apply_now(reason)


@bentevi.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("-n", "--number", default=20, show_default=True)
def revisions(as_json: bool, number: int) -> None:
    """List the configurations that were in force, newest first, and what waits to be applied."""
    from sqlalchemy import select

    from appliance import changes
    from appliance.db import db
    from appliance.revisions.model import Revision

    with rows():
        found = list(db.session.scalars(select(Revision).order_by(Revision.number.desc()).limit(number)))
        data = [{"number": one.number, "at": one.at, "author": one.author, "reason": one.reason, "changes": one.change_count}
                for one in found]
        waiting = [{"author": name, "changes": count} for name, count in changes.pending_by_author()]
        tell({"revisions": data, "pending": waiting}, as_json, lambda: [
            *(f"pending      {one['changes']} by {one['author']}" for one in waiting),
            *(f"{one['number']:>6}  {one['at']:%Y-%m-%d %H:%M}Z  {one['author']:<20} {one['changes']:>4} changes  {one['reason']}"
              for one in data),
        ])


@bentevi.command()
@click.argument("first", type=int)
@click.argument("second", type=int)
def diff(first: int, second: int) -> None:
    """The difference of two revisions in lines of the files, passwords left out."""
    from appliance import applying
    from appliance.telephony import store
    from appliance.telephony.difference import difference

    with rows():
        machine = home()
        for number in (first, second):
            if not store.folder(machine, number).exists():
                raise Refused(f"revision {number} is not kept")
        for file in difference(store.files_of(machine, first), store.files_of(machine, second), applying.hidden_files()):
            click.echo(f"=== {file.file}")
            for hunk in file.hunks:
                click.echo("\n".join(hunk.lines))


@bentevi.command()
@click.argument("number", type=int)
def rollback(number: int) -> None:
    """All rows as revision NUMBER had them, with today's secrets, in force as a new revision."""
    from appliance import snapshots
    from appliance.db import db

    with rows():
        snapshots.restore(number)
        db.session.commit()
        apply_now(f"back to revision {number}")


@bentevi.command()
@click.argument("place", metavar="FILE:LINE")
def trace(place: str) -> None:
    """From a generated line to its template, its row and the screen where it is changed."""
    from appliance import applying

    file, _colon, line = place.rpartition(":")
    with rows():
        click.echo(applying.trace(file, int(line) if line.isdigit() else 0))


@bentevi.group("user")
def user() -> None:
    """People who use the screens."""


@user.command("password")
@click.argument("login")
@click.option("--dry-run", is_flag=True, help="Only say who it is.")
def user_password(login: str, dry_run: bool) -> None:
    """Give LOGIN a new generated password, to be changed at the next login; unlocks it too."""
    from appliance.db import db
    from appliance.users import model, password

    with rows():
        person = model.by_login(login)
        if person is None:
            raise Refused(f"there is no user {login}")
        if dry_run:
            click.echo(f"would give {person.login} ({person.name}) a new password{' and unlock it' if person.locked_until else ''}; nothing changed")
            return
        text = password.generate()
        model.resource.update(person, {"password": text, "must_change_password": True})
        person.locked_until, person.wrong_passwords = None, 0
        db.session.commit()
        click.echo(f"password of {person.login}, shown only now: {text}")


@bentevi.group("token")
def token() -> None:
    """Tokens of the API."""


@token.command("create")
@click.argument("login")
@click.argument("name")
def token_create(login: str, name: str) -> None:
    """A token with the rights of LOGIN; NAME says what it is for."""
    from appliance.db import db
    from appliance.users import model
    from appliance.users import token as tokens

    with rows():
        person = model.by_login(login)
        if person is None:
            raise Refused(f"there is no user {login}")
        text = tokens.create(person, name)
        db.session.commit()
        click.echo(f"token, shown only now: {text}")


addresses_command.add_to(bentevi, rows, tell, store)
backups_command.add_to(bentevi, rows, tell)
calls_command.add_to(bentevi, rows, tell)
certificates_command.add_to(bentevi, rows, tell)
database_command.add_to(bentevi, rows, tell)
queues_command.add_to(bentevi, rows, tell, store)
recordings_command.add_to(bentevi, rows, tell)
support_command.add_to(bentevi, rows, tell)
updates_command.add_to(bentevi, rows, tell, home)
developing.add_to(bentevi)
imaging.add_to(bentevi)


if __name__ == "__main__":
    bentevi(prog_name="bentevi")
