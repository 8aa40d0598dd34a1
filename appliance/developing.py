"""`bentevi test` and `bentevi bench`: for those who build the product. Tests run three at a time, each with homes of its own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from appliance.settings import CHECKOUT

SIDE_BY_SIDE = 3       # most tests wait for telephones: with two at once, two cores are idle half of the time
AGAIN_AT_MOST = 12     # failures of more tests than this are no accident of timing
NOTHING_TO_RUN = 5     # exit status of pytest
BENCHES = ("agi", "apply", "blacklists", "calls", "gaps", "idle", "imports", "ingest", "panel", "reports", "restore", "treated")


def add_to(group: click.Group) -> None:
    """Hang `test` and `bench` under the command."""

    @group.command()
    @click.option("--long", is_flag=True, help="Also the heavy proofs: thousands of calls, images.")
    @click.option("-k", "word", help="Only tests whose name holds WORD.", metavar="WORD")
    @click.option("--database", type=click.Choice(["sqlite", "postgresql"]), help="Everything on this database, and nothing on the other.")
    @click.argument("paths", nargs=-1)
    def test(long: bool, word: str | None, database: str | None, paths: tuple[str, ...]) -> None:
        """Run the tests: rules, screens, real calls, a real browser. PATHS: files or folders of tests/.

        Everything runs on SQLite; then what depends on the database runs on PostgreSQL too. What fails beside others
        is tried once more alone, and named as unstable when it passes then.
        """
        which = [] if long else ["not long"]
        rounds = [(database, which)] if database else [("sqlite", which), ("postgresql", [*which, "database"])]
        sys.exit(max(_tested(kind, " and ".join(marks), word, paths) for kind, marks in rounds))

    @group.command()
    @click.argument("name", type=click.Choice(BENCHES))
    @click.argument("arguments", nargs=-1)
    @click.option("--json", "as_json", is_flag=True, help="The only format there is; accepted for scripts.")
    def bench(name: str, arguments: tuple[str, ...], as_json: bool) -> None:
        """Measure NAME on this machine, on a home of its own, and print JSON. apply, imports: ARGUMENTS are numbers of extensions; gaps: of calls and of applies; calls, treated: of new calls a second; reports: of calls, ingest: of waiting calls and seconds, both also sqlite or postgresql; idle: seconds; restore: gigabytes."""
        run = subprocess.run([sys.executable, "-m", f"tests.bench.{name}", *arguments], cwd=CHECKOUT, env=_environment(), check=False)
        sys.exit(run.returncode)


def _environment() -> dict[str, str]:
    """Ours, without what would lead tests into a home that is in use."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")}


def _tested(database: str, marks: str, word: str | None, paths: tuple[str, ...]) -> int:
    """One round on a database; its exit status, 0 when there was nothing to run."""
    click.echo(f"on {database}{': what depends on the database' if marks.endswith('database') else ''}")
    words = [*(["-m", marks] if marks else []), *(["-k", word] if word else [])]
    beside = ["-n", str(SIDE_BY_SIDE), "--dist", "loadfile", "--no-loadscope-reorder"] if not (word or paths) else []
    with tempfile.TemporaryDirectory(prefix="bt-") as folder:
        failed = Path(folder) / "failed"
        status = _pytest(database, [*beside, *words, *(paths or ["tests"])], failed)
        names = failed.read_text().splitlines() if failed.exists() else []
        if beside and status == 1 and 0 < len(names) <= AGAIN_AT_MOST:
            click.echo(f"once more, alone: {len(names)}")
            status = _pytest(database, names, failed)
            click.echo("\n".join(["unstable:" if not status else "failed again, or only now stable:", *names]))
    return 0 if status == NOTHING_TO_RUN and (word or paths) else status


def _pytest(database: str, words: list[str], failed: Path) -> int:
    """`failed` gets a line for each test that failed; beside it, on a short path because sockets have at most 107 letters, lie their folders."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={failed.parent / 't'}", *words], cwd=CHECKOUT, stdin=subprocess.DEVNULL, check=False,
        env=_environment() | {"BENTEVI_TEST_DATABASE": database, "BENTEVI_TEST_FAILED": str(failed)},
    ).returncode
