"""`bentevi queue`: members at the console. What it does stands in members.py, loaded only when it is asked for."""

from collections.abc import Callable
from typing import Any

import click


def add_to(group: click.Group, rows: Any, tell: Any, store: Callable[[], None]) -> None:
    """Hang `queue list`, `join`, `leave`, `pause` and `unpause` under the command; `rows` opens the application, `tell` prints, `store` commits."""

    @group.group("queue")
    def queue() -> None:
        """Queues: their members now."""

    @queue.command("list")
    @click.option("--json", "as_json", is_flag=True, help="Print data instead of words.")
    def queue_list(as_json: bool) -> None:
        """Every queue with its members, and how many callers wait."""
        from appliance import live
        from appliance.queues.model import resource

        with rows():
            waiting = [row["queue"] for row in live.now().rows("queue_callers").values()]
            found = [{"name": row.name, "number": row.number, "strategy": row.strategy, "waiting": waiting.count(row.id),
                      "members": resource.show(row)["members"]} for row in resource.rows()]
            tell({"queues": found}, as_json, lambda: [
                f"{one['number']:<8} {one['name']:<24} {one['strategy']:<14} waiting {one['waiting']:<4} "
                + ", ".join(line["extension"] + (" (paused)" if line["paused"] else "") for line in one["members"]) for one in found])

    def act(name: str, help_text: str, change: Callable[[Any, str], bool]) -> None:
        @queue.command(name, help=help_text)
        @click.argument("which", metavar="QUEUE")
        @click.argument("extension")
        def _act(which: str, extension: str) -> None:
            with rows():
                _changed(which, extension, change, store)

    def _members() -> Any:
        from appliance.queues import members

        return members

    act("join", "Put EXTENSION into QUEUE (its name or number), as the last member.", lambda row, one: _members().join(row, one))
    act("leave", "Take EXTENSION out of QUEUE.", lambda row, one: _members().leave(row, one))
    act("pause", "EXTENSION gets no calls of QUEUE.", lambda row, one: _members().change(row, one, paused=True))
    act("unpause", "EXTENSION gets calls of QUEUE again.", lambda row, one: _members().change(row, one, paused=False))


def _changed(which: str, extension: str, change: Callable[[Any, str], bool], store: Callable[[], None]) -> None:
    """One change, in force at once. Raises Refused, or Busy when Asterisk is away (the row is stored)."""
    from sqlalchemy import or_, select

    from appliance.db import db
    from appliance.errors import Refused
    from appliance.queues import members
    from appliance.queues.model import Queue

    row = db.session.scalar(select(Queue).where(or_(Queue.name == which, Queue.number == which)))
    if row is None:
        raise Refused(f"there is no queue {which}")
    row_id, changed = row.id, change(row, extension)
    store()
    members.sync(row_id)
    click.echo("done" if changed else "it was so already")
