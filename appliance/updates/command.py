"""`bentevi update`: on the appliance /usr/bin/bentevi gives it to root's side (os_image/updater/); here is what needs no root, and what root asks of the home."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import click

from appliance.updates.words import NotGood


def add_to(group: click.Group, rows: Any, tell: Any, machine: Any) -> None:
    """Hang `about` and `update` under the command; `rows` opens the application, `tell` prints, `machine` gives the settings of the home."""

    @group.command("about")
    @click.option("--json", "as_json", is_flag=True, help="Print data instead of words.")
    def about_(as_json: bool) -> None:
        """Version, serial number, the parts it stands on, and how much of each module is in use."""
        from appliance import about  # rows and rules take half a second to load; most commands need none

        with rows():
            data = about.facts_of()
            tell(data, as_json, lambda: [
                f"Bentevi {data['version']}  {data['commit']}  {data['date']}".rstrip(), f"serial number {data['serial']}, licence {data['licence']}",
                *(f"{name:<13} {text}" for name, text in data["parts"].items()),
                *(f"{one['module']:<13} {'on ' if one['on'] else 'off'}  {', '.join(f'{count} {word}' for word, count in one['counts'].items())}"
                  for one in data["modules"]),
            ])

    @group.group()
    def update() -> None:
        """The version that is installed, and the next one."""

    @update.command("check")
    @click.argument("file", type=click.File("rb"))
    @click.option("--key", type=click.Path(exists=True, file_okay=False), help="Folder of public keys; default: those of this machine.")
    def check(file: BinaryIO, key: str | None) -> None:
        """Read an update FILE to its end: signature, version, contents. Changes nothing."""
        from pathlib import Path

        from appliance import version
        from appliance.updates import package

        found = package.read(file, package.trusted(Path(key) if key else None))
        package.copy(file, found, None)
        click.echo(f"good: Bentevi {found.version} of {found.date} ({found.commit}), {found.size_bytes / 1e6:.0f} MB; follows {found.after} or newer")
        for line in found.notes.get("en", []):
            click.echo(f"- {line}")
        package.check_version(found, version.number())

    @update.command("status")
    @click.option("--json", "as_json", is_flag=True, help="Print data instead of words.")
    def status(as_json: bool) -> None:
        """The version, the update under way or the last one, and those before."""
        from dataclasses import asdict

        from appliance import version
        from appliance.updates import state, words

        now, past = state.current(), state.history()
        if as_json:
            click.echo(json.dumps({"version": version.number(), "update": asdict(now) if now else None, "history": [asdict(one) for one in past]}, indent=1))
            return
        click.echo(f"Bentevi {version.number()}")
        if not state.is_possible():
            click.echo(words.told("not_appliance", {}))
        for one in past if now is None or now.is_over else [now, *past]:
            click.echo(f"{one.at[:16]}  {one.here} → {one.version}  {one.step}{f': {words.told(one.code, one.values)}' if one.code else ''}")

    for name in ("start", "return", "cancel"):
        @update.command(name, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, help=HELP[name])
        def only_there() -> None:
            raise NotGood("not_appliance")

    _add_data(group, rows, machine)


HELP = {
    "start": "Install the update FILE, or the newest one on a USB stick: start [FILE] [--at HH:MM | --free] [--downgrade] (on the appliance).",
    "return": "Return to the version before: return [--rows-back] (on the appliance).",
    "cancel": "Cancel an update that waits for its restart (on the appliance).",
}


def _add_data(group: click.Group, rows: Any, machine: Any) -> None:
    """What root's side asks of the home, as the home's user; each prints one line of JSON."""

    @group.group("update-data", hidden=True)
    def data() -> None:
        """Steps of an update that belong to the home."""

    def step(name: str, needs_tables: bool = True) -> Callable[[Callable[[Any], Any]], None]:
        def hang(work: Callable[[Any], Any]) -> None:
            @data.command(name, help=work.__doc__)
            def run() -> None:
                with _answering(), rows() if needs_tables else _bare():
                    click.echo(json.dumps({"said": work(machine())}))

        return hang

    from appliance.updates import state

    @step("backup")
    def backup(home: Any) -> Any:
        """A backup that is proved."""
        from appliance.updates import data as of_home

        return of_home.back_up(home)

    @step("snapshot")
    def snapshot(home: Any) -> Any:
        """The rows right before the restart."""
        from appliance.updates import data as of_home

        state.spool(home)
        return of_home.snapshot(home)

    @step("fresh", needs_tables=False)
    def fresh(home: Any) -> Any:
        """The next start applies anew."""
        from appliance.updates import data as of_home

        return of_home.fresh_version(home)

    @step("rows-back", needs_tables=False)
    def back(home: Any) -> Any:
        """The rows of before, where the tables differ."""
        from appliance.updates import data as of_home

        return of_home.rows_back(home)

    @step("rows-back-always", needs_tables=False)
    def always(home: Any) -> Any:
        """The rows of before."""
        from appliance.updates import data as of_home

        return of_home.rows_back(home, even_same=True)

    @step("same-tables")
    def same(home: Any) -> Any:
        """Whether the version before reads these rows."""
        from appliance.updates import data as of_home

        return of_home.has_same_tables(home)

    @step("health", needs_tables=False)
    def healthy(home: Any) -> Any:
        """Whether this version is well."""
        from appliance.updates import data as of_home

        of_home.health(home)
        return True

    @step("calls", needs_tables=False)
    def calls(home: Any) -> Any:
        """How many channels are up."""
        from appliance.updates import data as of_home

        return of_home.calls_up(home)


@contextmanager
def _bare() -> Iterator[None]:
    """The application without a look at the tables: they may be those of another version."""
    from appliance import changes
    from appliance.app import bare_app

    with bare_app().app_context():
        changes.actor.set(changes.Actor(name="bentevi update"))
        yield


@contextmanager
def _answering() -> Iterator[None]:
    """What is not good is an answer, not a failure."""
    try:
        yield
    except NotGood as why:
        click.echo(json.dumps({"code": why.code, "values": why.values}))
        sys.exit(3)
