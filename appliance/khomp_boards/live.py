"""What Khomp's driver says now (TRK-06, TRK-17): whether it is there, its boards, links and channels.

It sends no events, so a thread of the listening process asks its console, by a manager session of its own. Rows of kind `khomp`:

    driver      is_present, versions (its own words), since (seconds since 1970 when it came or went)
    board-0     index, model, serial, channels, links, more (fields of its line behind the channels, as they stand),
                alarms (link → Ok or its alarms), states (channel → free, busy or failed), words (channel → the driver's words)
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from appliance import live, settings
from appliance.errors import Busy
from appliance.khomp_channels import Channel
from appliance.telephony import ami, khomp

log = logging.getLogger("bentevi.events")

PRESENT_SECONDS, ABSENT_SECONDS = 2.0, 30.0  # between two questions; without the driver a question is one line
SUMMARY, LINKS, CHANNELS = "khomp summary concise", "khomp links show concise", "khomp channels show concise"

_asked_again = threading.Event()


def rebuild(_ask: Callable[..., list[ami.Headers]], old: live.Kinds) -> None:
    """What was known stays until the driver is asked, which happens at once: Asterisk may have started anew, with it or without."""
    for name, row in old.get("khomp", {}).items():
        live.put("khomp", name, **row)
    _asked_again.set()


def follow() -> None:
    """Ask for ever, on a thread of its own."""
    threading.Thread(target=_follow, daemon=True, name="khomp").start()


def command(connection: ami.Connection, text: str) -> str:
    """What the console prints for a command; Asterisk answers one it does not know with an error of that text."""
    answer = connection.ask({"Action": "Command", "Command": text}, timeout=10)
    return answer.output or answer.headers.get("Message", "")


def _follow() -> None:
    connection: ami.Connection | None = None
    while True:
        _asked_again.wait(PRESENT_SECONDS if _driver().get("is_present") else ABSENT_SECONDS)
        _asked_again.clear()
        try:
            connection = connection or ami.actions(settings.load())
            look(lambda text, to=connection: command(to, text))  # type: ignore[misc]
        except (Busy, OSError) as why:  # Asterisk is away; the picture says so by itself
            log.debug("khomp: %s", why)
            if connection:
                connection.close()
            connection = None
        except Exception:  # an edge like the dispatch of events: one answer that was not understood ends nothing
            log.exception("khomp: what the driver said was not understood")
        if connection and not _driver().get("is_present"):
            connection.close()
            connection = None


def look(ask: khomp.Ask) -> None:
    """One look at the driver: everything it says, or that it is not there."""
    summary = ask(SUMMARY)
    is_present = not khomp.is_absent(summary)
    versions, boards = khomp.read_summary(summary) if is_present else ([], [])
    links = khomp.read_links(ask(LINKS)) if any(board.links for board in boards) else {}
    channels = khomp.read_channels(ask(CHANNELS)) if boards else {}
    since = _driver()["since"] if _driver().get("is_present") == is_present else time.time()
    live.put("khomp", "driver", is_present=is_present, versions=versions, since=since)
    for board in boards:
        live.replace("khomp", f"board-{board.index}", _row(board, links, channels))
    here = {f"board-{board.index}" for board in boards}
    for name in [name for name in live.rows("khomp") if name != "driver" and name not in here]:
        live.drop("khomp", name)


def _row(board: khomp.FoundBoard, links: dict[Channel, str], channels: dict[Channel, khomp.FoundChannel]) -> dict[str, Any]:
    mine = {str(number): found for (index, number), found in channels.items() if index == board.index}
    return {
        "index": board.index, "model": board.model, "serial": board.serial, "channels": board.channels, "links": board.links,
        "more": list(board.more), "alarms": {str(number): text for (index, number), text in links.items() if index == board.index},
        "states": {number: khomp.state(found) for number, found in mine.items()},
        "words": {number: ":".join(part for part in (found.call, found.channel, found.operator) if part) for number, found in mine.items()},
    }


def _driver() -> live.Row:
    return live.get("khomp", "driver")
