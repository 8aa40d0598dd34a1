"""The Khomp side of a trunk: its channels, the order they are taken in, options of its lines (TRK-16 to TRK-19)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from appliance import khomp_channels
from appliance import resource as resources
from appliance.db import db
from appliance.errors import Refused
from appliance.fields import Reader, is_plain
from appliance.khomp_boards.model import KhompBoard, boards
from appliance.khomp_channels import Channel
from appliance.links import References
from appliance.telephony.khomp_options import CHANNELS

if TYPE_CHECKING:
    from appliance.trunks.model import Trunk

ORDERS = {
    khomp_channels.ASCENDING: _l("Ascending: the first free channel"),
    khomp_channels.DESCENDING: _l("Descending: the last free channel"),
    khomp_channels.CYCLIC_ASCENDING: _l("Cyclic ascending: the least used, from low to high"),
    khomp_channels.CYCLIC_DESCENDING: _l("Cyclic descending: the least used, from high to low"),
}

# Options with a field of their own, and those we write ourselves; neither may stand in the extra settings.
FIELDS = {"drop-collect-call", "echo-canceller", "input-volume", "output-volume"}
OURS = {"accountcode", "language", "setvar", "enabled", "callgroup", "pickupgroup"}


def explain_extra(key: str, value: str) -> str:
    """What is wrong with an extra line of a Khomp trunk; "" when it may stand in khomp.conf."""
    key, value = key.strip().lower(), value.strip()
    if key in FIELDS:
        return _("“%(key)s” has a field of its own above.", key=key)
    if key not in CHANNELS or key in OURS:
        return _("Khomp's channels have no option “%(key)s” that could be set here.", key=key)
    if not CHANNELS[key].accepts(value):
        return _("“%(key)s” takes: %(values)s.", key=key, values=CHANNELS[key].takes())
    return ""


@dataclass(frozen=True)
class Offered:
    """A channel as the picker shows it. `taken_by` names another trunk that has it."""

    name: str
    number: int
    link: int | None
    taken_by: str = ""


class Channels(References):
    """Channels of Khomp boards. Outside b0c3, b0c0-3 (a range), b0l0 (an E1 link) or b0 (a board); stored one by one, in order."""

    widget = "channels"

    def __init__(self) -> None:
        super().__init__("khomp_boards")

    def read(self, value: Any, reader: Reader) -> list[str] | None:  # type: ignore[override]  # names, because boards have no row per channel
        if not isinstance(value, list):
            return reader.refuse(_("Write a list."))
        known = {board.index: board for board in boards()}
        found: set[Channel] = set()
        for index, text in enumerate(value):
            found.update(_channels_of(str(text) if is_plain(text) else "?", known, reader.at(index)))
        return [khomp_channels.name_of(channel) for channel in sorted(found)]

    def show(self, stored: Any) -> Any:
        return list(stored or [])

    def text(self, stored: Any) -> str:
        return khomp_channels.section(channels_of(stored)).replace("+", ", ")

    def refers(self, stored: Any) -> Iterator[tuple[str, int]]:
        used = {board for board, _number in channels_of(stored)}
        if used:
            for row in db.session.execute(select(KhompBoard.id).where(KhompBoard.index.in_(used))):
                yield "khomp_boards", row.id

    def offered(self, row: Any) -> list[tuple[KhompBoard, list[Offered]]]:
        """Every board with its channels, for the trunk that chooses (None for a new one)."""
        taken = taken_channels(row.id if row is not None else 0)
        return [
            (board, [Offered(khomp_channels.name_of((board.index, number)), number, number // khomp_channels.LINK_CHANNELS if board.link_count else None,
                             taken.get((board.index, number), "")) for number in range(board.channels)])
            for board in boards()
        ]


def _channels_of(text: str, known: dict[int, KhompBoard], reader: Reader) -> Iterator[Channel]:
    """The channels one piece names; a piece that names none is refused."""
    piece = khomp_channels.atom(text.lower())
    if piece is None or piece.is_serial:
        reader.refuse(_("“%(text)s” names no channels. Write b0c3, b0c0-3, b0l0 (a link) or b0 (a board).", text=text))
        return
    board = known.get(piece.board)
    if board is None:
        reader.refuse(_("There is no Khomp board %(board)s. Declare it first, or read the boards from the driver.", board=piece.board))
        return
    if board.is_for_handsets:
        reader.refuse(_("Board %(board)s (%(model)s) is for handsets; a trunk needs lines.", board=board.index, model=board.model))
        return
    first, last = piece.first or 0, board.channels - 1 if piece.last is None else piece.last
    is_link = "l" in text.lower()
    if first >= board.channels or (last >= board.channels and not is_link) or (is_link and not board.link_count):
        reader.refuse(_("Board %(board)s (%(model)s) has %(count)s channels and %(links)s links: there is no %(text)s.", board=board.index,
                        model=board.model, count=board.channels, links=board.link_count, text=text))
        return
    yield from ((board.index, number) for number in range(first, min(last, board.channels - 1) + 1))


def channels_of(names: Iterable[str] | None) -> list[Channel]:
    """(board, channel) of stored names."""
    return [channel for channel in map(khomp_channels.channel_of, names or ()) if channel]


def taken_channels(but_for: int = 0) -> dict[Channel, str]:
    """Channel → name of the trunk that has it, but for those of one trunk."""
    trunks = (trunk for trunk in resources.TABLE["trunks"].rows() if trunk.id != but_for)
    return {channel: trunk.name for trunk in trunks for channel in channels_of(trunk.channels)}


def check(trunk: "Trunk") -> None:
    """At least one channel, each in no other trunk; extra settings the driver knows. Raises Refused."""
    mine = channels_of(trunk.channels)
    if not mine:
        raise Refused(_("Choose at least one channel."), field="channels")
    sizes = {board.index: board.channels for board in boards()}
    gone = [channel for channel in mine if channel[1] >= sizes.get(channel[0], 0)]
    if gone:
        raise Refused(_("There is no channel %(channels)s on the Khomp boards.", channels=", ".join(map(khomp_channels.name_of, gone[:8]))), field="channels")
    taken = taken_channels(trunk.id or 0)
    both = [channel for channel in mine if channel in taken]
    if both:
        raise Refused(_("%(channels)s already belongs to the trunk %(trunk)s. A channel is in one trunk only.",
                        channels=", ".join(map(khomp_channels.name_of, both[:8])), trunk=taken[both[0]]), field="channels")
    for number, (key, value) in enumerate(trunk.extra.items(), 1):
        wrong = explain_extra(key, value)
        if wrong:
            raise Refused(f"{_('line')} {number}: {wrong}", field="extra")
