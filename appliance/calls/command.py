"""`bentevi calls`: conversations at the console. What it prints comes from search.py, loaded only when it is asked for."""

from typing import Any

import click


def add_to(group: click.Group, rows: Any, tell: Any) -> None:
    """Hang `calls list` and `calls show` under the command; `rows` opens the application, `tell` prints."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print data instead of words.")
    chosen = click.option("--language", "chosen", type=click.Choice(["pt_BR", "en"]), default=None, help="Of the words; default the company's.")

    @group.group("calls")
    def calls() -> None:
        """Conversations that were."""

    @calls.command("list")
    @click.option("--from", "begin", default="", metavar="WHEN", help="Not before this day or time of the company's zone.")
    @click.option("--to", "end", default="", metavar="WHEN", help="Before this day or time.")
    @click.option("--number", default="", help="Only with this number on one side; its last digits are enough.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100000))
    @as_json
    @chosen
    def calls_list(begin: str, end: str, number: str, limit: int, as_json: bool, chosen: str | None) -> None:
        """The newest conversations, newest first."""
        from appliance.calls import search
        from appliance.calls.story import facts
        from appliance.db import read_only

        with rows():
            read_only()
            with search.language(chosen or ""):
                some = search.listed(begin, end, number, limit)
                tell({"calls": [facts(call) for call in some]}, as_json, lambda: [search.line(call) for call in some])

    @calls.command("show")
    @click.argument("which", metavar="ID")
    @as_json
    @chosen
    def calls_show(which: str, as_json: bool, chosen: str | None) -> None:
        """One conversation as a story; ID is its number or its protocol."""
        from appliance.calls import search
        from appliance.calls.story import facts, story
        from appliance.db import read_only

        with rows():
            read_only()
            with search.language(chosen or ""):
                call = search.found(which)
                words = [{"at": at.isoformat(), "text": text} for at, text in story(call)]
                tell({"calls": [facts(call) | {"story": words}]}, as_json, lambda: search.told(call))
