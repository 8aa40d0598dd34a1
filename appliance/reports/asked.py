"""What a person asks of the call report (REP-01, REP-02): the filters as they are typed, read into what the database can be asked.

The same texts come from the address bar, the API and a stored report, so all of them are read here, with one message per field.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from appliance import db as ground
from appliance.calls.model import ANSWERED, INBOUND, INTERNAL, OPEN, OUTBOUND, STATES, Call
from appliance.company.model import Company
from appliance.cost_centres.model import CostCentre
from appliance.db import db
from appliance.errors import Refused
from appliance.numbers import pretty
from appliance.resource import SINGLE_ID
from appliance.trunks.model import Trunk
from appliance.users.model import User

MOST_YEARS = 10
YEARS = (2000, 2099)
MOST_LETTERS = 40
MOST_ROWS = 500  # queues, IVRs or agents named in one search
PARTIAL, EXACT = "partial", "exact"
MATCHES = {PARTIAL: _l("contains"), EXACT: _l("is exactly")}
AND, OR = "and", "or"
JOINS = {AND: _l("and"), OR: _l("or")}
RECEIVED, MADE = "received", "made"
DIRECTIONS = {RECEIVED: (INBOUND,), MADE: (OUTBOUND, INTERNAL)}
DIRECTION_WORDS = {RECEIVED: _l("received"), MADE: _l("made")}
EXTERNAL = "external"
DOMAINS = {INTERNAL: (INTERNAL,), EXTERNAL: (INBOUND, OUTBOUND)}
DOMAIN_WORDS = {INTERNAL: _l("internal"), EXTERNAL: _l("external")}
NOT_ANSWERED = "not_answered"  # every end but an answer
STATE_WORDS = {ANSWERED: STATES[ANSWERED], NOT_ANSWERED: _l("all but answered")} | {
    word: label for word, label in STATES.items() if word not in (OPEN, ANSWERED)}

FIELDS: dict[str, tuple[Any, Any]] = {  # filter → (label, what it means)
    "start": (_l("Start"), _l("First day of the search. Without a time it begins at 00:00.")),
    "end": (_l("End"), _l("Last day of the search. Without a time the whole day counts; with one, calls that began before it.")),
    "direction": (_l("Direction"), _l("Received: calls from outside. Made: calls our extensions made, to outside and among themselves.")),
    "domain": (_l("Domain"), _l("Internal: between extensions. External: with the outside world.")),
    "state": (_l("Result"), _l("What became of the call.")),
    "from_number": (_l("Origin number"), _l("Who called: a telephone as you write it, or an extension.")),
    "from_cost_centre": (_l("Origin cost centre"), _l("Cost centre of the extension that called, as it was at the time.")),
    "join": (_l("And / or"), _l("Joins origin and destination. And: both must fit. Or: one is enough, for example all calls with one telephone.")),
    "to_number": (_l("Destination number"), _l("Who was called or who received the call.")),
    "to_cost_centre": (_l("Destination cost centre"), _l("Cost centre of the extension that received the call, as it was at the time.")),
    "extension": (_l("Extension"), _l("The extension made or received the call. Write its number.")),
    "trunk": (_l("Trunk"), _l("The line the call came in or left by.")),
    "protocol": (_l("Protocol number"), _l("The number a caller was given; it finds one call.")),
}
NAMES = (*FIELDS, "start_time", "end_time", "from_match", "to_match")

_MOMENT = re.compile(
    r"(?:(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4}))(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?)?(Z)?", re.ASCII)
_NUMBER = re.compile(r"[0-9*# ().+/\u2010-\u2015-]+")


@dataclass(frozen=True)
class Asked:
    """A search: instants in UTC, the period half-open; numbers as the rows hold them, each in every way it may be held.

    `scope`: the only cost centres this person may see, None for all of them.
    """

    start: datetime
    end: datetime
    zone: str
    direction: str = ""
    domain: str = ""
    state: str = ""
    from_numbers: tuple[str, ...] = ()
    from_match: str = PARTIAL
    from_cost_centre: int | None = None
    join: str = AND
    to_numbers: tuple[str, ...] = ()
    to_match: str = PARTIAL
    to_cost_centre: int | None = None
    extension: str = ""
    trunk: int | None = None
    protocol: str = ""
    scope: frozenset[int] | None = None

    @property
    def has_row_filters(self) -> bool:
        """Whether something is asked that the roll-ups do not know."""
        return bool(self.from_numbers or self.to_numbers or self.extension or self.trunk or self.protocol)


def zone() -> ZoneInfo:
    """The company's zone."""
    company = db.session.get(Company, SINGLE_ID)
    return ZoneInfo(company.timezone if company else "America/Sao_Paulo")


def scope_of(user: User) -> frozenset[int] | None:
    """Cost centres whose calls the person may see (USR-18); None: all, for administrators and people nobody limited."""
    return None if user.administrator or not user.cost_centres else frozenset(user.cost_centres)


def may_see(call: Call, user: User) -> bool:
    """Whether a call is of a cost centre the person may see; of one end is enough."""
    scope = scope_of(user)
    return scope is None or bool(scope & {call.from_cost_centre_id, call.to_cost_centre_id})


def cost_centres(user: User) -> list[tuple[int, str]]:
    """(id, name) of those that are filter values for the person (CFG-12)."""
    scope = scope_of(user)
    query = select(CostCentre.id, CostCentre.name).order_by(CostCentre.name)
    return [(row_id, name) for row_id, name in db.session.execute(query) if scope is None or row_id in scope]


def defaults(of: ZoneInfo) -> dict[str, str]:
    """What an empty form offers: this month so far."""
    today = ground.now().astimezone(of).date()
    return {"start": today.replace(day=1).isoformat(), "end": today.isoformat()}


def read(values: Mapping[str, str], user: User) -> Asked:
    """Typed texts → a search of this person. Names that are absent mean no filter, without a start it is this month.

    Raises Refused with a message per field.
    """
    return Reading(values, user).asked()


class Reading:
    """One reading; collects every message before it refuses. Other reports read the filters they share in the same way."""

    names: tuple[str, ...] = NAMES

    def __init__(self, values: Mapping[str, str], user: User) -> None:
        self.user, self.zone, self.messages = user, zone(), dict[str, str]()
        self.company = db.session.get(Company, SINGLE_ID)
        given = {name: str(values.get(name, "")).strip() for name in self.names}
        self.values = {name: text for name, text in given.items() if text}
        if "start" not in self.values and "end" not in self.values:
            self.values |= defaults(self.zone)

    def asked(self) -> Asked:
        start, end = self.period()
        found = Asked(
            start=start, end=end, zone=str(self.zone), direction=self.word("direction", DIRECTIONS), domain=self.word("domain", DOMAINS),
            state=self.word("state", STATE_WORDS), from_numbers=self.number("from_number", "from_match"), from_match=self.word("from_match", MATCHES) or PARTIAL,
            from_cost_centre=self.cost_centre("from_cost_centre"), join=self.word("join", JOINS) or AND, to_numbers=self.number("to_number", "to_match"),
            to_match=self.word("to_match", MATCHES) or PARTIAL, to_cost_centre=self.cost_centre("to_cost_centre"),
            extension=self.extension(), trunk=self.trunk(), protocol=self.protocol(), scope=scope_of(self.user),
        )
        if self.messages:
            raise Refused(next(iter(self.messages.values())), messages=self.messages)
        return found

    def wrong(self, name: str, text: str) -> None:
        self.messages.setdefault(name, text)

    def period(self) -> tuple[datetime, datetime]:
        start, end = self.moment("start", ends=False), self.moment("end", ends=True)
        if start and end:
            if end <= start:
                self.wrong("end", _("The end is before the start. Swap them or choose a later end."))
            elif end > _years_after(start, MOST_YEARS):
                self.wrong("end", _("A search covers at most %(years)s years. Choose a shorter period.", years=MOST_YEARS))
        return start or ground.now(), end or ground.now()

    def moment(self, name: str, *, ends: bool) -> datetime | None:
        """An instant in UTC from a day and a time as people here write them; a day at the end counts whole."""
        text, clock = self.values.get(name, ""), self.values.get(f"{name}_time", "")
        if not text:
            self.wrong(name, _("Write a day, for example 20/11/2026."))
            return None
        found = _MOMENT.fullmatch(f"{text} {clock}" if clock else text) if len(text) + len(clock) <= MOST_LETTERS else None
        if found is None:
            self.wrong(name, _("“%(value)s” is not a day. Write for example 20/11/2026 or 20/11/2026 14:05.", value=short(f"{text} {clock}")))
            return None
        year, month, day = (int(part) for part in (found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)))
        hour, minute, second = (int(part or 0) for part in found.group(7, 8, 9))
        if not YEARS[0] <= year <= YEARS[1]:
            self.wrong(name, _("Choose a year from %(first)s to %(last)s.", first=YEARS[0], last=YEARS[1]))
            return None
        whole_day = ends and found[7] is None
        later = timedelta(days=1) if whole_day or (hour, minute, second) == (24, 0, 0) else timedelta()
        try:
            local = datetime(year, month, day, 0 if hour == 24 and later else hour, minute, second, tzinfo=UTC) + later
        except ValueError:
            self.wrong(name, _("There is no such day or time: %(value)s.", value=short(f"{text} {clock}")))
            return None
        return local.replace(tzinfo=UTC if found[10] else self.zone).astimezone(UTC)

    def word(self, name: str, words: Mapping[str, Any]) -> str:
        text = self.values.get(name, "")
        if text and text not in words:
            self.wrong(name, _("“%(value)s” is none of the choices.", value=short(text)))
            return ""
        return text

    def number(self, name: str, match: str) -> tuple[str, ...]:
        text = self.values.get(name, "")
        if not text:
            return ()
        dialled = re.sub("[^0-9*#]", "", text)
        if not _NUMBER.fullmatch(text) or not dialled or len(dialled) > MOST_LETTERS:
            self.wrong(name, _("“%(value)s” is not a telephone number. Write digits, for example (48) 99999-1234.", value=short(text)))
            return ()
        code, area = (self.company.country_code, self.company.area_code) if self.company else ("55", "")
        if self.values.get(match) == EXACT:
            return held(dialled, code, area)
        return _parts(dialled)

    def extension(self) -> str:
        text = self.values.get("extension", "")
        if text and not re.fullmatch("[0-9]{1,10}", text, re.ASCII):
            self.wrong("extension", _("“%(value)s” is not the number of an extension.", value=short(text)))
            return ""
        return text

    def protocol(self) -> str:
        text = self.values.get("protocol", "")
        if text and not re.fullmatch(r"[A-Za-z0-9._-]{1,30}", text):
            self.wrong("protocol", _("“%(value)s” is not a protocol number.", value=short(text)))
            return ""
        return text

    def cost_centre(self, name: str) -> int | None:
        text = self.values.get(name, "")
        if not text:
            return None
        allowed = {str(row_id): row_id for row_id, _name in cost_centres(self.user)}
        if text not in allowed:
            self.wrong(name, _("This cost centre does not exist, or you may not see its calls."))
        return allowed.get(text)

    def trunk(self) -> int | None:
        text = self.values.get("trunk", "")
        if not text:
            return None
        found = db.session.get(Trunk, int(text)) if re.fullmatch("[0-9]{1,9}", text, re.ASCII) else None
        if found is None:
            self.wrong("trunk", _("This trunk does not exist."))
        return found.id if found else None


    def ids(self, name: str) -> tuple[int, ...]:
        """Rows by their ids, `3,5`. One that was deleted is asked like any other: its calls are still there."""
        text = self.values.get(name, "")
        if text and not re.fullmatch("[0-9]{1,9}(,[0-9]{1,9})*", text, re.ASCII):
            self.wrong(name, _("“%(value)s” is none of the choices.", value=short(text)))
            return ()
        return tuple(sorted({int(part) for part in text.split(",")}))[:MOST_ROWS] if text else ()


def held(dialled: str, country: str, area: str) -> tuple[str, ...]:
    """Every way rows may hold a number that was typed whole: with country code, without, and as it was typed.

    `048 99999-1234`, `(48) 99999-1234`, `+55 48 99999-1234` and, at home in 48, `99999-1234` are one telephone.
    """
    found = [dialled]
    bare = dialled
    if bare.startswith("00"):
        found.append(bare[2:])
    elif bare.startswith("0") and len(bare) in (11, 12):
        bare = bare[1:]
    elif bare.startswith(country) and len(bare) - len(country) in (10, 11):
        bare = bare[len(country):]
    if len(bare) in (8, 9) and area and bare.isdigit() and bare[0] not in "01":
        bare = area + bare
    if len(bare) in (10, 11) and bare.isdigit() and bare[0] != "0":
        found += [country + bare, bare]
    return tuple(dict.fromkeys(found))


def _parts(dialled: str) -> tuple[str, ...]:
    """What is looked for inside the stored numbers: as typed, and without the 0 before an area code, which no row holds."""
    if dialled.startswith("0") and not dialled.startswith("00") and len(dialled) >= 6:
        return dialled, dialled[1:]
    return (dialled,)


def _years_after(moment: datetime, years: int) -> datetime:
    """The same day years later; a day more, so that a leap day or a change of the clocks refuses nobody."""
    return moment + timedelta(days=years * 366)


def short(text: str) -> str:
    """Of what somebody typed as much as a message can hold, without what no screen can show."""
    clean = "".join(letter if letter.isprintable() else "�" for letter in text.strip())
    return clean if len(clean) <= MOST_LETTERS else f"{clean[:MOST_LETTERS]}…"


def joined(typed: Any, names: Iterable[str]) -> dict[str, str]:
    """The filters of these names in an address, without what is empty; several boxes of one name become `3,5`."""
    every = typed.getlist if hasattr(typed, "getlist") else lambda name: [typed[name]] if name in typed else []
    found = {name: ",".join(text for text in map(str.strip, map(str, every(name))) if text) for name in names}
    return {name: text for name, text in found.items() if text}


def values(asked: Mapping[str, str]) -> dict[str, str]:
    """The filters of an address without what is empty or no filter."""
    return {name: text for name in NAMES if (text := str(asked.get(name, "")).strip())}


def stored(asked: Asked, typed: Mapping[str, str]) -> dict[str, str]:
    """The typed filters with the period made firm, to be read again later: “this month” must not move with the days."""
    return firm(asked.start, asked.end, values(typed))


def firm(start: datetime, end: datetime, typed: Mapping[str, str]) -> dict[str, str]:
    """Typed filters with this period in place of theirs."""
    period = {"start": f"{start:%Y-%m-%d %H:%M:%S}Z", "end": f"{end:%Y-%m-%d %H:%M:%S}Z"}
    return {name: text for name, text in typed.items() if name not in ("start_time", "end_time")} | period


def in_form(asked: Asked, typed: Mapping[str, str]) -> dict[str, str]:
    """The typed filters with the period as the form's day and time fields hold it, however it was written."""
    return in_fields(asked.start, asked.end, asked.zone, typed)


def in_fields(since: datetime, until: datetime, zone: str, typed: Mapping[str, str]) -> dict[str, str]:
    """The same for any report's period."""
    local = ZoneInfo(zone)
    start, end = since.astimezone(local), until.astimezone(local)
    whole = (end.hour, end.minute, end.second) == (0, 0, 0)  # midnight ends the day before
    period = {
        "start": f"{start:%Y-%m-%d}", "start_time": _clock(start) if start.hour or start.minute or start.second else "",
        "end": f"{end - timedelta(days=whole):%Y-%m-%d}", "end_time": "" if whole else _clock(end),
    }
    return {name: text for name, text in (dict(typed) | period).items() if text}


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def told(asked: Asked, typed: Mapping[str, str]) -> list[tuple[str, str]]:
    """(label, value) of every filter in use, as a printed report names them."""
    local = ZoneInfo(asked.zone)
    names = {row_id: name for row_id, name in db.session.execute(select(CostCentre.id, CostCentre.name))}
    trunk = db.session.get(Trunk, asked.trunk) if asked.trunk else None
    words = {"direction": DIRECTION_WORDS, "domain": DOMAIN_WORDS, "state": STATE_WORDS}
    said = {"start": f"{asked.start.astimezone(local):%d/%m/%Y %H:%M}", "end": f"{asked.end.astimezone(local):%d/%m/%Y %H:%M}"}
    said |= {name: str(words[name].get(getattr(asked, name), "")) for name in words}
    for side, match in (("from", asked.from_match), ("to", asked.to_match)):
        text = str(typed.get(f"{side}_number", "")).strip()
        said[f"{side}_number"] = f"{pretty(text)} ({MATCHES[match]})" if text else ""
        said[f"{side}_cost_centre"] = names.get(getattr(asked, f"{side}_cost_centre"), "")
    both = [any(said[f"{side}_{what}"] for what in ("number", "cost_centre")) for side in ("from", "to")]
    said |= {"join": str(JOINS[asked.join]) if all(both) else "", "extension": asked.extension, "protocol": asked.protocol,
             "trunk": trunk.name if trunk else ""}
    shown = [(str(label), said[name]) for name, (label, _help) in FIELDS.items() if said[name]]
    if asked.scope is not None:
        shown.append((_("Only cost centres"), centre_names(asked.scope)))
    return shown


def centre_names(scope: frozenset[int] | None) -> str:
    """The cost centres a person is limited to; "" for nobody's limit."""
    if scope is None:
        return ""
    return ", ".join(sorted(db.session.scalars(select(CostCentre.name).where(CostCentre.id.in_(scope)))))
