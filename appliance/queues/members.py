"""The members of queues in the running Asterisk: put in, taken out, paused and weighed by the manager interface, from the rows.

No apply is waited for. `sync` may run at any time, twice and in several processes: it compares what rows say with what Asterisk has,
one process at a time, and does what differs. It runs after a row was stored, after an apply, and when Asterisk has started again.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from appliance import db as ground
from appliance import settings
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.extensions.model import Extension
from appliance.queues.model import Queue, resource
from appliance.telephony import ami, locks

WAIT_SECONDS = 20.0
SECTION = re.compile(r"queue-(\d+)(?:-\d+)?")


@dataclass(frozen=True)
class Member:
    """One member as it should be, or is. `device` is whose state counts."""

    interface: str
    device: str
    name: str
    penalty: int
    paused: bool


@dataclass
class Section:
    """A section as Asterisk has it, members in their order."""

    name: str
    waiting_count: int = 0
    members: list[Member] = field(default_factory=list)

    @property
    def is_in_order(self) -> bool:
        """Whether its members are a list (Queue.section)."""
        return self.name.count("-") == 2


@dataclass(frozen=True)
class Wanted:
    """What a row says: the section that calls go into, and members in order."""

    section: str
    members: list[Member]


def queue_id(section: str) -> int | None:
    """12 of `queue-12` and `queue-12-2`; None for a section that is no row's."""
    found = SECTION.fullmatch(section)
    return int(found[1]) if found else None


def name(extension_id: int) -> str:
    """How Asterisk and queue_log call a member: by the extension's row."""
    return f"extension-{extension_id}"


def sync(only: int | None = None) -> None:
    """Bring Asterisk to what the rows say, of one queue or of all. Raises Busy when it does not answer.

    Reads the rows in a transaction of its own: call it after the commit.
    """
    machine = settings.load()
    machine.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locks.held(machine.run / "queue-members.lock", WAIT_SECONDS) as is_ours:
        if not is_ours:
            raise Busy("the members of the queues are being changed")
        wanted = _wanted(only)
        if not wanted:
            return
        with ami.actions(machine) as asterisk:
            for section in _sections(asterisk):
                queue = wanted.get(queue_id(section.name))
                if queue:
                    is_used = section.name == queue.section or section.waiting_count
                    _bring(asterisk, section, queue.members if is_used else [])


def _wanted(only: int | None) -> dict[int | None, Wanted]:
    """Queue id → what its row says."""
    db.session.rollback()
    ground.read_only()
    known = {row.id: row for row in db.session.execute(select(Extension.id, Extension.number, Extension.devices))}
    query = select(Queue) if only is None else select(Queue).where(Queue.id == only)
    found: dict[int | None, Wanted] = {}
    for row in db.session.scalars(query):
        members = [_member(known[one["extension"]], one) for one in row.members if one["extension"] in known]
        found[row.id] = Wanted(row.section, members)
    db.session.rollback()
    return found


def _member(extension: Any, line: dict[str, Any]) -> Member:
    device = f"PJSIP/{extension.number}"
    interface = device if extension.devices == 1 else f"Local/{extension.number}@bentevi-queue-member/n"  # dialplan/queue.conf
    return Member(interface, device, name(extension.id), line["penalty"], line["paused"])


def _sections(asterisk: ami.Connection) -> list[Section]:
    found: dict[str, Section] = {}
    for event in asterisk.ask({"Action": "QueueStatus"}).events:
        if event.get("Event") == "QueueParams":
            found.setdefault(event["Queue"], Section(event["Queue"])).waiting_count = int(event["Calls"])
        elif event.get("Event") == "QueueMember":
            member = Member(event["Location"], event["StateInterface"], event["Name"], int(event["Penalty"]), event["Paused"] == "1")
            found.setdefault(event["Queue"], Section(event["Queue"])).members.append(member)
    return list(found.values())


def _bring(asterisk: ami.Connection, section: Section, wanted: list[Member]) -> None:
    """One section to what it should be. Who stays where he is, is not touched: taken out and put in again he would lose his wrap-up time and
    his counts. Members come before others go, so that those who wait never find nobody there meanwhile."""
    def tell(action: str, member: Member, **more: Any) -> None:
        asterisk.ask({"Action": action, "Queue": section.name, "Interface": member.interface, **more})

    have = {member.interface: member for member in section.members}
    staying = _staying(section, wanted)
    for member in wanted:
        if member.interface not in staying:
            if member.interface in have:
                tell("QueueRemove", have.pop(member.interface))
            tell("QueueAdd", member, Penalty=member.penalty, Paused="yes" if member.paused else "no", MemberName=member.name,
                 StateInterface=member.device)  # fmt: skip
        else:
            old = have.pop(member.interface)
            if old.penalty != member.penalty:
                tell("QueuePenalty", member, Penalty=member.penalty)
            if old.paused != member.paused:
                tell("QueuePause", member, Paused="true" if member.paused else "false")
    for member in have.values():
        tell("QueueRemove", member)


def _staying(section: Section, wanted: list[Member]) -> set[str]:
    """The interfaces of those who need not be taken out. A list only grows at its end, so of one these are the members that, when all
    others are gone, are the beginning of the list that is wanted."""
    if not section.is_in_order:
        names = {member.interface: member.name for member in section.members}
        return {member.interface for member in wanted if names.get(member.interface) == member.name}
    staying: set[str] = set()
    for member in section.members:
        if len(staying) < len(wanted):
            next_one = wanted[len(staying)]
            if (member.interface, member.name) == (next_one.interface, next_one.name):
                staying.add(member.interface)
    return staying


# ------------------------------------------------------------------------------------------ what a person asks for, at once


def change(row: Queue, extension: str, **values: Any) -> bool:
    """Change one member's line: paused, penalty. False when it was so already. Raises Refused when there is no such member."""
    lines = resource.show(row)["members"]
    line = next((one for one in lines if one["extension"] == extension), None)
    if line is None:
        raise Refused(_("Extension %(number)s is no member of the queue %(queue)s.", number=extension[:20], queue=row.name))
    line.update(values)
    return resource.update(row, {"members": lines})


def join(row: Queue, extension: str, **values: Any) -> bool:
    """Put an extension in as the last member, with penalty and paused as given. False when it is one already.

    Raises Refused when there is no such extension, and for a value that is none.
    """
    lines = resource.show(row)["members"]
    if any(one["extension"] == extension for one in lines):
        return False
    return resource.update(row, {"members": [*lines, {"extension": extension, **values}]})


def leave(row: Queue, extension: str) -> bool:
    """Take a member out. False when it is none."""
    lines = resource.show(row)["members"]
    return resource.update(row, {"members": [one for one in lines if one["extension"] != extension]})
