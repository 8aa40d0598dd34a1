"""`bentevi doctor`, `bentevi bundle` and `bentevi capture`."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from appliance.errors import Refused


def add_to(group: click.Group, rows: Any, tell: Any) -> None:
    """Hang the commands of support under the program; `rows` opens the application, `tell` prints."""

    @group.command("doctor")
    @click.option("--json", "as_json", is_flag=True, help="Print data instead of words.")
    def doctor_(as_json: bool) -> None:
        """Look at the machine; each finding ends in what to do. Ends with 1 when something is badly wrong."""
        from appliance import settings  # rows and rules take half a second to load; most commands need none
        from appliance.support import doctor

        with rows(even_ailing=True):
            found = doctor.examine(settings.load())
            tell({"findings": [asdict(one) for one in found]}, as_json,
                 lambda: [line for one in found for line in (f"{one.level:<8} {one.text}", f"{'':<8} → {one.todo}")] or ["nothing found"])
            sys.exit(1 if any(one.level == doctor.ERROR for one in found) else 0)

    @group.command("bundle")
    @click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write it (-: to the standard output); default: a name with the time, here.")
    @click.option("--dry-run", is_flag=True, help="Only list what it would hold, with the bytes of each.")
    @click.option("--journal", is_flag=True, hidden=True, help="The standard input is systemd's journal of our units (the appliance's command adds it).")
    def bundle_(output: Path | None, dry_run: bool, journal: bool) -> None:
        """Write a bundle for support, without secrets, names and telephone numbers."""
        from appliance.support import bundle

        said = sys.stdin.buffer.read().decode(errors="replace") if journal else ""
        with rows(even_ailing=True):
            if dry_run:
                click.echo("\n".join(f"{size:>10}  {path}" for path, size in bundle.listed(said)))
                return
            if str(output) == "-":
                sys.stdout.buffer.write(bundle.make(said))
                return
            file = output or Path(bundle.name())
            try:
                handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except OSError as why:
                raise Refused(f"{file}: {why.strerror}") from why
            with os.fdopen(handle, "wb") as out:
                out.write(bundle.make(said))
            click.echo(str(file))

    @group.command("capture")
    @click.option("--number", default="", help="Only calls from or to this number.")
    @click.option("--seconds", default=60, show_default=True, type=click.IntRange(1, 3600), help="How long to listen at most.")
    @click.option("--calls", default=1, show_default=True, type=click.IntRange(1, 100), help="End when so many calls are over.")
    @click.option("--messages", is_flag=True, help="Print whole messages below each ladder, passwords left out.")
    def capture_(number: str, seconds: int, calls: int, messages: bool) -> None:
        """Listen to SIP and draw the ladder of the next call: who said what to whom, and when. Ends with 1 when there was none."""
        from appliance import settings
        from appliance.support import capture

        found = capture.listen(settings.load(), number, seconds, calls, lambda text: click.echo(text, err=True))
        for call in found:
            click.echo("\n".join(capture.ladder(call)))
            if messages:
                click.echo("\n".join(capture.texts(call)))
        sys.exit(0 if found else 1)
