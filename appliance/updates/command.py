"""`bentevi update`: on the appliance /usr/bin/bentevi gives it to root's side (os_image/updater/); here is what needs no root, and what root asks of the home."""

import json
import sys
from collections.abc import Iterator
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

    @update.command("look")
    @click.option("--fetch", "is_wanted", is_flag=True, help="Fetch the file too; it goes on where it was cut off.")
    def look_(is_wanted: bool) -> None:
        """What is at the address of the update policy."""
        from appliance.updates import fetch, state, words

        with rows():
            address = fetch.policy().address
        said = (fetch.fetch if is_wanted else fetch.look)(machine(), address)
        if said.code:
            raise NotGood(said.code, **said.values)
        click.echo(f"Bentevi {said.version} of {said.date}, {said.size_bytes / 1e6:.0f} MB" if said.version else words.told("nothing", {}))
        if said.version and is_wanted:
            click.echo(f"bentevi update start {state.spool(machine()) / state.SENT}")

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


# Step → function of appliance/updates/data.py, and whether the tables must be those of this version.
DATA = {
    "backup": ("back_up", True), "snapshot": ("snapshot", True), "same-tables": ("has_same_tables", True), "fresh": ("fresh_version", False),
    "rows-back": ("rows_back", False), "rows-back-always": ("rows_back_always", False), "health": ("health", False), "calls": ("calls_up", False),
}


def _add_data(group: click.Group, rows: Any, machine: Any) -> None:
    """What root's side asks of the home, as the home's user; each prints one line of JSON."""

    @group.command("update-data", hidden=True)
    @click.argument("step", type=click.Choice(list(DATA)))
    def data(step: str) -> None:
        """One step of an update that belongs to the home."""
        from appliance.updates import data as of_home
        from appliance.updates import state

        name, needs_tables = DATA[step]
        with _answering(), rows() if needs_tables else _bare():
            state.spool(machine())
            click.echo(json.dumps({"said": getattr(of_home, name)(machine())}))


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
