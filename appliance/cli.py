"""The command `bentevi`: reads words, calls a function, prints, ends with 0 (fine), 1 (not fine) or 2 (refused).

Each command is thin; its work is in the module it names. `./bentevi` prepares the environment and comes here.
"""

import json
import os
import subprocess
import sys
from typing import Any

import click

from appliance import front_door, settings
from appliance.errors import Busy, Refused
from appliance.settings import CHECKOUT, Settings


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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
def up(foreground: bool) -> None:
    """Start everything; return when everything answers."""
    machine = home()
    try:
        started = front_door.up(machine, click.echo)
    except RuntimeError as why:
        click.echo(f"bentevi: {why}", err=True)
        sys.exit(1)
    if not started:
        click.echo("already running")
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
        click.echo(json.dumps({"processes": entries}, indent=1))
    else:
        for entry in entries:
            word = "answers" if entry["answers"] else "does not answer" if entry["running"] else "is down"
            facts = [f"{label} {entry[key]}" for key, label in (("pid", "pid"), ("uptime_seconds", "seconds up"),
                                                                ("restarts", "restarts")) if entry.get(key)]  # fmt: skip
            click.echo(f"{entry['name']:<11} {word:<16} {', '.join(facts)}".rstrip())
    sys.exit(0 if all(entry["answers"] for entry in entries) else 1)


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

    with bare_app().app_context():
        first_start.prepare()


# ---- Development -----------------------------------------------------------------------------------------------------


@bentevi.command()
@click.option("--long", is_flag=True, help="Also the heavy proofs: thousands of calls, images.")
@click.option("-k", "word", help="Only tests whose name holds WORD.", metavar="WORD")
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), help="Everything on this database.")
@click.argument("paths", nargs=-1)
def test(long: bool, word: str | None, database: str | None, paths: tuple[str, ...]) -> None:
    """Run the tests: rules, screens, real calls, a real browser. PATHS: files or folders of tests/."""
    words = [] if long else ["-m", "not long"]
    words += ["-k", word] if word else []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")}
    if database:
        environment["BENTEVI_TEST_DATABASE"] = database
    run = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words, *(paths or ["tests"])],
                         cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, check=False)  # fmt: skip
    sys.exit(run.returncode)


if __name__ == "__main__":
    bentevi(prog_name="bentevi")
