"""The parts of the live page: from the picture of what is true now and the names in rows to items, and from items to HTML.

The page renders its first state with it, the process of streams every change, the API its JSON. An item is one element
with an id of its own; its facts are compared, so that only what differs is rendered again. An item holds the same for
everybody who may open its channel: no link and no token in it.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask_babel import gettext as _
from jinja2 import Environment
from markupsafe import Markup
from sqlalchemy import select

from appliance import alarms, khomp_channels, live, ports, settings
from appliance import changes as changes_
from appliance.alarms import MESSAGES
from appliance.db import db
from appliance.extensions.model import Extension
from appliance.khomp_boards import driver
from appliance.khomp_boards.model import boards
from appliance.queues.model import Queue
from appliance.telephony import khomp
from appliance.trunks.model import KHOMP, RECEIVES, SENDS, Trunk
from web import assets

CHANNELS = {  # channel of a stream → the permissions, one of which opens it
    "exchange": ("now",), "calls": ("now",), "extensions": ("now",), "trunks": ("now", "trunks"), "khomp_boards": ("khomp_boards",),
    "queues": ("now", "queues"), "tests": ("assistant",),
}
LISTS = ("calls", "queues", "extensions", "trunks", "khomp_boards", "tests")  # channels whose items lie in an element of that name
FREE, RINGING, TALKING, HOLD, OFFLINE, UNKNOWN, ABSENT = "free", "ringing", "talking", "hold", "offline", "unknown", "absent"
DEVICES = {"NOT_INUSE": FREE, "INUSE": TALKING, "BUSY": TALKING, "RINGING": RINGING, "RINGINUSE": RINGING, "ONHOLD": HOLD}


@dataclass(frozen=True)
class Names:
    """What rows say of extensions and trunks, and the alarms that stand; read again when a row changed."""

    version: tuple[Any, ...] = ()
    extensions: tuple[tuple[int, str, str], ...] = ()  # (id, number, name) in order of number
    trunks: tuple[dict[str, Any], ...] = ()
    alarms: tuple[tuple[int, str, dict[str, Any]], ...] = ()
    boards: tuple[driver.Declared, ...] = ()
    queues: tuple[dict[str, Any], ...] = ()            # in order of name
    by_endpoint: dict[str, str] = field(default_factory=dict)

    def trunk_of(self, endpoint: str) -> dict[str, Any] | None:
        """The trunk whose endpoint this is."""
        return next((trunk for trunk in self.trunks if trunk["endpoint"] == endpoint or endpoint in trunk["channels"]), None)


@dataclass(frozen=True)
class Item:
    """One element: its id, what it shows, and the list it lies in ("" for one that stands alone in the page)."""

    id: str
    template: str
    facts: dict[str, Any]
    into: str = ""


def version() -> tuple[Any, ...]:
    """Changes when a name or an alarm does."""
    standing = tuple((alarm.id, str(alarm.parameters)) for alarm in alarms.active())
    return (changes_.newest_id(), standing)


def names() -> Names:
    """The rows as they are now."""
    found = db.session.execute(select(Extension.id, Extension.number, Extension.name).order_by(Extension.number))
    extensions = tuple((row.id, row.number, row.name) for row in found)
    trunks = tuple(
        {"id": trunk.id, "name": trunk.name, "endpoint": trunk.asterisk_name, "enabled": trunk.enabled, "host": trunk.host,
         "port": trunk.port, "qualify": trunk.qualify, "authentication": trunk.authentication, "call_limit": trunk.call_limit,
         "protocol": trunk.protocol, "channels": tuple(trunk.channels)}
        for trunk in db.session.scalars(select(Trunk).order_by(Trunk.name))
    )
    standing = tuple((alarm.id, alarm.code, dict(alarm.parameters)) for alarm in alarms.active())
    labels = {number: f"{number} {name}" for _id, number, name in extensions}
    lines = tuple(
        {"id": row.id, "name": row.name, "number": row.number, "section": row.section, "members": tuple(one["extension"] for one in row.members)}
        for row in db.session.scalars(select(Queue).order_by(Queue.name))
    )
    return Names(version(), extensions, trunks, standing, tuple(map(driver.declared, boards())), lines, labels)


# ------------------------------------------------------------------------------------------------------- what is shown


def items(channel: str, picture: live.Picture, known: Names) -> list[Item]:
    """The items of a channel, in the order of the page."""
    if channel == "tests":
        from web.assistant import told  # it stands on this module

        return told.items(picture, known)
    found = {"exchange": exchange, "calls": calls, "queues": queues, "extensions": extensions, "trunks": trunks, "khomp_boards": khomp_boards}
    return found[channel](picture, known)


def exchange(picture: live.Picture, known: Names) -> list[Item]:
    """The state of the exchange for the head of the page, what is wrong with it, and the alarms that stand."""
    row = picture.rows("exchange").get("asterisk", {})
    state = "running" if picture.is_running else "stopped" if picture.is_fresh and row else "unknown"
    return [
        Item("exchange-state", "now/_exchange_state.html", {"state": state}),
        Item("exchange", "now/_exchange.html", {"state": state, "since": _instant(row) if state == "stopped" else None}),
        Item("alarms", "now/_alarms.html", {"alarms": known.alarms}),
    ]


def calls(picture: live.Picture, known: Names) -> list[Item]:
    """Every call in progress, oldest first, and how many."""
    rows = picture.rows("calls") if picture.is_running else {}
    ordered = sorted(rows.items(), key=lambda one: _order(one[0], one[1]))
    found = [Item(dom_id("call", call), "now/_calls.html", {"call": call, "order": _order(call, row), **told(row, known)}, "calls")
             for call, row in ordered]
    return [Item("calls-count", "now/_calls_count.html", {"count": len(found), "is_known": picture.is_running}), *found]


def _order(call: str, row: live.Row) -> str:
    """Calls of one second in the order Asterisk numbered them."""
    return f"{row['started_at']}-{call.rpartition('.')[2]:0>12}"


def told(row: live.Row, known: Names) -> dict[str, Any]:
    """A call in words: from whom, to whom, by which trunk."""
    legs = [_leg(leg, known) for leg in row["legs"]]
    wanted = row["legs"][0]["wanted"]
    called = [leg["label"] for leg in legs[1:]] or ([{"number": wanted}] if wanted else [])
    by = next((leg["trunk"] for leg in legs if leg["trunk"]), "")
    return {"state": row["state"], "started_at": row["started_at"], "caller": legs[0]["label"], "called": called, "trunk": by, "legs": legs}


def _leg(leg: dict[str, Any], known: Names) -> dict[str, Any]:
    trunk = known.trunk_of(leg["endpoint"])
    number = leg["dialled"] or leg["number"] if leg["is_outgoing"] else leg["number"]
    if trunk:
        label = {"number": "" if number == "s" else number, "name": "" if leg["is_outgoing"] else leg["name"]}
    elif leg["endpoint"] in known.by_endpoint:
        label = {"extension": known.by_endpoint[leg["endpoint"]]}
    else:
        label = {"number": leg["endpoint"] or number, "name": leg["name"]}
    return {"label": label, "trunk": trunk["name"] if trunk else "", "state": leg["state"], "codec": leg["codec"], "channel": leg["channel"]}


PAUSED = "paused"
STATE_ORDER = (FREE, RINGING, TALKING, HOLD, PAUSED, OFFLINE, UNKNOWN, ABSENT)


def queues(picture: live.Picture, known: Names) -> list[Item]:
    """Every queue with who waits in it and what its members do, and how many wait in all."""
    found = []
    for queue in known.queues:
        callers = sorted((row for row in picture.rows("queue_callers").values() if row["queue"] == queue["id"]),
                         key=lambda row: (row["section"] == queue["section"], row["position"]))  # fmt: skip
        there = {row["extension"]: row for row in picture.rows("queue_members").values() if row["section"] == queue["section"]}
        labels = {row_id: (number, name) for row_id, number, name in known.extensions}
        members = [{"number": labels[row_id][0], "name": labels[row_id][1], "state": member_state(picture, there.get(row_id)),
                    "calls_taken": there.get(row_id, {}).get("calls_taken", 0)} for row_id in queue["members"] if row_id in labels]  # fmt: skip
        counts = {state: sum(one["state"] == state for one in members) for state in STATE_ORDER}
        facts = {
            "id": queue["id"], "name": queue["name"], "number": queue["number"], "members": members, "counts": counts, "is_known": picture.is_running,
            "callers": [{"position": place, "number": row["number"], "name": row["name"], "since": row["since"],
                         "label": known.by_endpoint.get(row["number"], "")} for place, row in enumerate(callers, 1)] if picture.is_running else [],
        }  # fmt: skip
        found.append(Item(f"queue-{queue['id']}", "now/_queues.html", facts, "queues"))
    waiting = sum(len(item.facts["callers"]) for item in found)
    return [Item("queues-count", "now/_queues_count.html", {"count": waiting, "is_known": picture.is_running}), *found]


def member_state(picture: live.Picture, row: live.Row | None) -> str:
    """One word for a member: free, ringing, talking, hold, paused, offline, absent or unknown."""
    if not picture.is_running:
        return UNKNOWN
    if row is None:
        return ABSENT
    state = DEVICES.get(row["device"], OFFLINE)
    return PAUSED if row["paused"] and state in (FREE, OFFLINE) else state


def extensions(picture: live.Picture, known: Names) -> list[Item]:
    """Every extension of the rows with its state, and how many are in which."""
    holding = holds(picture)
    found, counts = [], dict.fromkeys((FREE, RINGING, TALKING, HOLD, OFFLINE), 0)
    for row_id, number, name in known.extensions:
        row = picture.rows("extensions").get(number)
        state = extension_state(picture, row, holding.get(number, False))
        counts[state] = counts.get(state, 0) + 1
        contacts = sorted((row or {}).get("contacts", {}).values(), key=lambda one: str(one["address"])) if picture.is_running else []
        facts = {"row_id": row_id, "number": number, "name": name, "state": state, "contacts": contacts}
        found.append(Item(f"extension-{row_id}", "now/_extensions.html", facts, "extensions"))
    total = Item("extensions-count", "now/_extensions_count.html", {"counts": counts, "is_known": picture.is_running})
    return [total, *found]


def extension_state(picture: live.Picture, row: live.Row | None, is_holding: bool) -> str:
    """One word for what the phone does."""
    if not picture.is_running:
        return UNKNOWN
    if row is None:
        return ABSENT  # not in force yet
    state = DEVICES.get(row.get("device", ""), OFFLINE)
    return HOLD if state == TALKING and is_holding else state


def holds(picture: live.Picture) -> dict[str, bool]:
    """Endpoint → whether every call it is in was put on hold by it."""
    found: dict[str, bool] = {}
    for call in picture.rows("calls").values():
        for leg in call["legs"]:
            if leg["state"] in ("hold", "talking", "up"):
                found[leg["endpoint"]] = found.get(leg["endpoint"], True) and leg["state"] == "hold"
    return found


def trunks(picture: live.Picture, known: Names) -> list[Item]:
    """Every trunk with its state, its calls against the limit, and what to check when it is down (TRK-06)."""
    legs = [leg for call in picture.rows("calls").values() for leg in call["legs"]]
    used = ports.listening(settings.load())
    told = {"sip_port": used.sip, "rtp_start": used.rtp_start, "rtp_end": used.rtp_end}
    found = []
    for trunk in known.trunks:
        if trunk["protocol"] == KHOMP:
            found.append(_khomp_trunk(picture, trunk, legs))
            continue
        row = picture.rows("trunks").get(trunk["endpoint"], {})
        here = picture.rows("extensions").get(trunk["endpoint"], {}) if trunk["authentication"] == RECEIVES else {}
        facts = trunk | told | {
            "status": trunk_status(picture, trunk, row, here), "calls": sum(leg["endpoint"] == trunk["endpoint"] for leg in legs),
            "used": sum(leg["trunk_place"] == trunk["id"] for leg in legs), "since": _instant(row or here),
            "code": row.get("code", 0), "resolves": row.get("resolves", True), "registration": row.get("registration", ""),
            "is_reachable": row.get("is_reachable"), "rtt_ms": row.get("rtt_ms"),
        }
        found.append(Item(f"trunk-{trunk['id']}", "now/_trunks.html", facts, "trunks"))
    return found


def _khomp_trunk(picture: live.Picture, trunk: dict[str, Any], legs: list[dict[str, Any]]) -> Item:
    """A trunk on channels of boards: how many are free, in use or out of service, or that the driver is not there."""
    states = [_channel_state(picture, name) for name in trunk["channels"]]
    counts = {state: states.count(state) for state in (khomp.FREE, khomp.BUSY, khomp.FAILED, ABSENT)}
    row = picture.rows("khomp").get("driver", {})
    facts = trunk | {
        "status": khomp_status(picture, trunk, counts), "calls": sum(leg["endpoint"] in trunk["channels"] for leg in legs),
        "used": sum(leg["trunk_place"] == trunk["id"] for leg in legs), "since": _instant(row), "counts": counts, "channel_count": len(states),
        "failed": [name for name, state in zip(trunk["channels"], states, strict=True) if state == khomp.FAILED][:12],
        "missing": [name for name, state in zip(trunk["channels"], states, strict=True) if state == ABSENT][:12],
    }
    return Item(f"trunk-{trunk['id']}", "now/_khomp_trunk.html", facts, "trunks")


def khomp_status(picture: live.Picture, trunk: dict[str, Any], counts: dict[str, int]) -> str:
    """One word: ready, full, out_of_service, no_driver, checking, disabled or unknown."""
    if not trunk["enabled"]:
        return "disabled"
    if not picture.is_running:
        return UNKNOWN
    row = picture.rows("khomp").get("driver")
    if row is None:
        return "checking"
    if not row["is_present"]:
        return "no_driver"
    if not counts[khomp.FREE] and not counts[khomp.BUSY]:
        return "out_of_service"
    return "ready" if counts[khomp.FREE] else "full"


def _channel_state(picture: live.Picture, name: str) -> str:
    """free, busy or failed; absent for a channel the driver does not list."""
    board, number = khomp_channels.channel_of(name) or (-1, -1)
    return str(picture.rows("khomp").get(f"board-{board}", {}).get("states", {}).get(str(number), ABSENT))


def khomp_boards(picture: live.Picture, known: Names) -> list[Item]:
    """The driver, each board with its links and channels, and what is declared otherwise than found (TRK-17)."""
    rows = picture.rows("khomp") if picture.is_running else {}
    state = UNKNOWN if not picture.is_running else "checking" if "driver" not in rows else "present" if rows["driver"]["is_present"] else "no_driver"
    found = driver.found_in(rows)
    told = driver.differences(known.boards, found) if state == "present" else []
    taken = {name: trunk["name"] for trunk in known.trunks for name in trunk["channels"]}
    head = Item("khomp-driver", "khomp_boards/_driver.html", {
        "state": state, "versions": rows.get("driver", {}).get("versions", []), "since": _instant(rows.get("driver", {})), "differences": told})
    return [head, *(
        Item(f"khomp-board-{board.index}", "khomp_boards/_board.html", {"board": rows[f"board-{board.index}"], "order": f"{board.index:03d}",
             "taken": {name: trunk for name, trunk in taken.items() if name.startswith(f"b{board.index}c")}}, "khomp_boards")
        for board in found)]


def trunk_status(picture: live.Picture, trunk: dict[str, Any], row: live.Row, here: live.Row) -> str:
    """One word: registered, reachable, unregistered, unreachable, not_monitored, checking, disabled, absent or unknown."""
    if not trunk["enabled"]:
        return "disabled"
    if not picture.is_running:
        return UNKNOWN
    if trunk["authentication"] == RECEIVES:
        contacts = here.get("contacts")
        if contacts is None:
            return ABSENT
        if not contacts:
            return "unregistered"
        return "unreachable" if all(one["is_reachable"] is False for one in contacts.values()) else "registered"
    if not row:
        return ABSENT
    if trunk["authentication"] == SENDS and row["registration"] != "registered":
        return "unregistered" if row["registration"] == "rejected" else "checking"
    if row["is_reachable"] is False and trunk["qualify"]:
        return "unreachable"
    if trunk["authentication"] == SENDS:
        return "registered"
    if not trunk["qualify"]:
        return "not_monitored"
    return "reachable" if row["is_reachable"] else "checking"


def _instant(row: live.Row) -> datetime | None:
    return datetime.fromtimestamp(row["since"], UTC) if row.get("since") else None


def dom_id(word: str, name: str) -> str:
    """An id for the page of a name of Asterisk's."""
    return f"{word}-" + "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name)


def alarm_text(code: str, parameters: dict[str, Any]) -> str:
    """What a person reads; an alarm of a newer version is told by its code."""
    try:
        return _(MESSAGES[code]) % parameters
    except KeyError:
        return code


# ---------------------------------------------------------------------------------------------------------------- HTML


ITEM_SECONDS = 0.25  # between two versions of one item


class Board:
    """One channel in one language: the HTML of every item as it was last sent. An item is sent at most four times a second;
    `is_late` says that a change waits for that."""

    def __init__(self, environment: Environment, channel: str) -> None:
        self.environment, self.channel = environment, channel
        self.is_late = False
        self._shown: dict[str, tuple[Item, str]] = {}
        self._sent_at: dict[str, float] = {}

    def update(self, now: list[Item]) -> str:
        """HTML of what differs from last time and may be sent already, "" for nothing. Inside the wanted language."""
        fresh: dict[str, list[str]] = {}
        shown: dict[str, tuple[Item, str]] = {}
        at, self.is_late = time.monotonic(), False
        for item in now:
            before = self._shown.get(item.id)
            is_early = before is not None and at - self._sent_at.get(item.id, 0.0) < ITEM_SECONDS
            if before is not None and (is_early or before[0].facts == item.facts):
                self.is_late = self.is_late or before[0].facts != item.facts
                shown[item.id] = before
                continue
            self._sent_at[item.id] = at
            text = render(self.environment, item)
            shown[item.id] = (item, text)
            fresh.setdefault(item.into, []).append(text)
        for item_id in self._shown.keys() - shown.keys():
            gone = Markup('<i id="{}" data-gone></i>').format(item_id)
            fresh.setdefault(self._shown[item_id][0].into, []).append(gone)
            self._sent_at.pop(item_id, None)
        self._shown = shown
        return "".join(_wrapped(into, texts, "") for into, texts in fresh.items())

    def whole(self) -> str:
        """HTML of everything, as the last update left it."""
        lists: dict[str, list[str]] = {"": [], self.channel: []} if self.channel in LISTS else {"": []}
        for item, text in self._shown.values():
            lists.setdefault(item.into, []).append(text)
        return "".join(_wrapped(into, texts, " data-whole") for into, texts in lists.items())


def render(environment: Environment, item: Item) -> str:
    """One item."""
    values = {"item": item, "asset": assets.url, "alarm_text": alarm_text}
    return environment.get_template(item.template).render(item.facts | values).strip()


def _wrapped(into: str, texts: list[str], mark: str) -> str:
    return f'<div data-into="{into}"{mark}>{"".join(texts)}</div>' if into else "".join(texts)
