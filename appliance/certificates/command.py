"""`bentevi certificate`: what browsers are shown."""

import getpass
import os
import sys
from pathlib import Path
from typing import Any

import click

PASSWORD = "BENTEVI_CERTIFICATE_PASSWORD"


def add_to(group: click.Group, rows: Any, tell: Any) -> None:
    """Hang `certificate` under the command; `rows` opens the application, `tell` prints."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print data instead of words.")

    @group.group(invoke_without_command=True)
    @click.pass_context
    def certificate(context: click.Context) -> None:
        """The certificate browsers are shown: which one, give another, make or fetch a new one."""
        if context.invoked_subcommand is None:
            context.invoke(show)

    @certificate.command()
    @as_json
    def show(as_json: bool = False) -> None:
        """Names, issuer, end, fingerprint."""
        from appliance.certificates import keep  # rows and rules take half a second to load; most commands need none

        with rows():
            found = keep.facts()
            found = found | {"ends_at": found["ends_at"] and found["ends_at"].isoformat(), "tried_at": found["tried_at"] and found["tried_at"].isoformat()}
            tell({"certificate": found}, as_json, lambda: [
                f"source       {found['source']}", f"names        {', '.join(found['names'])}", f"issuer       {found['issuer']}",
                f"ends         {found['ends_at']}", f"SHA-256      {found['fingerprint']}", *([f"last failure {found['reason']}"] if found["reason"] else [])])

    @certificate.command()
    @click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
    def install(files: tuple[Path, ...]) -> None:
        """Give certificate, chain and key (PEM files, in any order), or one .pfx. Its password is asked for, or taken from
        BENTEVI_CERTIFICATE_PASSWORD."""
        from appliance.certificates import keep

        contents = [file.read_bytes() for file in files]
        password = os.environ.get(PASSWORD, "")
        if not password and sys.stdin.isatty() and any(b"ENCRYPTED" in one or b"-----BEGIN" not in one for one in contents):
            password = getpass.getpass("Password of the file: ")
        with rows():
            click.echo(f"in force: {', '.join(keep.take(contents, password)['names'])}")

    @certificate.command()
    def renew() -> None:
        """Make or fetch it now, as the settings say. Status 1 when that fails."""
        from appliance.certificate import model
        from appliance.certificates import keep

        with rows():
            model.current().tried_at = None
            keep.now()
            why = keep.problem()
            click.echo(why or f"in force: {', '.join(keep.facts()['names'])}")
            sys.exit(1 if why else 0)

    @certificate.command()
    def authority() -> None:
        """The public half of the exchange's own authority (PEM), to be trusted by the company's computers."""
        from appliance import own_certificate, settings

        click.echo(own_certificate.authority_certificate(settings.load().secrets).decode(), nl=False)
