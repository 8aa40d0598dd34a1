"""`bentevi recordings`: what there is, and whether all of it is as it was sealed."""

from typing import Any

import click


def add_to(group: click.Group, rows: Any, tell: Any) -> None:
    """Hang `recordings list` and `recordings verify` under the command; `rows` opens the application, `tell` prints."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print data instead of words.")

    @group.group("recordings")
    def recordings() -> None:
        """Recordings of calls."""

    @recordings.command("list")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100000))
    @as_json
    def recordings_list(limit: int, as_json: bool) -> None:
        """The newest recordings, newest first, with the number of their call."""
        from appliance.db import read_only
        from appliance.recordings.search import facts, newest

        with rows():
            read_only()
            found = [facts(recording) for recording in newest(limit)]
            tell({"recordings": found}, as_json, lambda: [
                f"{one['id']:>8}  call {one['call']:<8} {one['started_at'][:19]}  {one['seconds']:>6} s  {one['state']:<8} {one['file']}" for one in found])

    @recordings.command("verify")
    @as_json
    def recordings_verify(as_json: bool) -> None:
        """Read every file and every seal again. Status 1 when one is not as it was sealed."""
        from appliance.db import read_only
        from appliance.recordings import chain, files

        with rows():
            read_only()
            wrong, (place, seal) = chain.verify(files.folder()), chain.newest()
            data = {"sealed": place, "seal": seal, "wrong": wrong}
            tell(data, as_json, lambda: [*(f"place {one['place']}: {one['what']}" for one in wrong), f"{place} sealed, newest seal {seal}"])
            if wrong:
                click.get_current_context().exit(1)
