"""Taking secrets and personal data out of a text: what this home holds of them is known, the rest is recognised by its shape.

A value always gets the same mask within one bundle, so that support can follow a call through the logs; the key of the masks is thrown away.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets as random
from collections.abc import Iterable, Iterator

from sqlalchemy import JSON, LargeBinary, inspect, select

from appliance import ports
from appliance import resource as resources
from appliance.calls.model import Call
from appliance.db import db
from appliance.fields import Boolean, Choice, Day, Words
from appliance.numbering import Number
from appliance.settings import Settings
from appliance.users.model import User

SHORTEST_NAME, SHORTEST_SECRET = 3, 4
NEWEST_CALLS = 20_000   # names of callers of so many calls are known; older ones are in no log any more
PUBLIC_WORDS = {"pt_br", "admin", "localhost", "127.0.0.1", "bentevi", "asterisk", "default", "none", "true", "false"}

_TIME = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"
_KEPT = re.compile(_TIME)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_QUOTED = re.compile(r'"([^"<>\n]{1,80})"(\s*<)')                       # "Maria Silva" <48…> of SIP and of Asterisk
_HASH = re.compile(r"\$argon2[^\s\"']+|\bgAAAA[\w=-]{40,}")
_SAID = re.compile(r"(?i)\b(pass(?:word|wd)?|senha|secret|token|authorization|proxy-authorization|cookie|set-cookie|x-csrftoken|api[_-]?key|nonce|response"
                   r"|pin)(\"?\s*[=:]\s*>?\s*)([^\r\n,;&]+)")
_ADDRESS_WITH_PASSWORD = re.compile(r"(\w+://[^\s/:@]+):[^\s@]+@")
_ADDRESS = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F:]{1,4}(?![\w:])")
_NUMBER = re.compile(r"(?<![\w.])\+?\d(?:[\d]|[ ().-](?=[\d(])){3,}\d?|\d{4,}")
_TOKEN = re.compile(r"\w+")


class Mask:
    """Masks texts of one home."""

    def __init__(self, secrets: Iterable[str], names: Iterable[str], numbers: Iterable[str], kept: Iterable[str]) -> None:
        self._key = random.token_bytes(16)
        self._kept = set(kept)
        self._known: dict[str, list[tuple[str, str]]] = {}  # first word → (whole value, what it is), the longest first
        for kind, values, shortest in (("secret", secrets, SHORTEST_SECRET), ("name", names, SHORTEST_NAME), ("number", numbers, 2)):
            for value in values:
                self._learn(kind, value.strip().lower(), shortest)
        for found in self._known.values():
            found.sort(key=lambda one: -len(one[0]))

    def _learn(self, kind: str, value: str, shortest: int) -> None:
        first = _TOKEN.search(value)
        if first is None or len(value) - first.start() < shortest or (kind == "name" and value in PUBLIC_WORDS):
            return
        self._known.setdefault(first[0], []).append((value[first.start():], kind))

    def text(self, text: str) -> str:
        """The text without what must not be in it."""
        return "\n".join(self._line(line) for line in text.split("\n"))

    def _line(self, line: str) -> str:
        line = _ADDRESS_WITH_PASSWORD.sub(r"\1:<secret>@", line)
        line = _HASH.sub("<secret>", self._by_value(line))
        line = _SAID.sub(lambda found: f"{found[1]}{found[2]}<secret>", line)
        line = _QUOTED.sub(lambda found: f'"{self._mask("name", found[1])}"{found[2]}', line)
        line = _MAIL.sub(lambda found: self._mask("email", found[0]), line)
        pieces, place = [], 0
        for kept in _KEPT.finditer(line):
            pieces += [self._numbers(line[place:kept.start()]), kept[0]]
            place = kept.end()
        return "".join([*pieces, self._numbers(line[place:])])

    def _by_value(self, line: str) -> str:
        """Every value of this home, wherever it stands, capital or not; part of a longer word only when it is a secret."""
        lowered, pieces, place, at = line.lower(), [], 0, 0
        if len(lowered) != len(line):  # a letter that changes its length with its case
            lowered = line
        while found := _TOKEN.search(lowered, at):
            at = found.end()
            for value, kind in self._known.get(found[0], ()):
                end = found.start() + len(value)
                if lowered.startswith(value, found.start()) and not re.match(r"\w", lowered[end:end + 1]):
                    if kind == "number" and self._is_part_of_more(line, found.start(), end):
                        continue
                    pieces += [line[place:found.start()], self._mask(kind, value)]
                    place = at = end
                    break
        return "".join([*pieces, line[place:]])

    @staticmethod
    def _is_part_of_more(line: str, start: int, end: int) -> bool:
        """Whether a short number stands within an address, a version or a time."""
        if re.match(r"[.:]\d", line[end : end + 2]) or re.fullmatch(r"\d[.:]", line[max(0, start - 2) : start]):
            return True
        return any(found.start() <= start and end <= found.end() for found in _KEPT.finditer(line))

    def _numbers(self, text: str) -> str:
        text = _ADDRESS.sub(lambda found: self._address(found[0]), text)
        return re.sub(r"<[a-z]+-[0-9a-f]{6}>|" + _NUMBER.pattern, lambda found: self._number(found[0]), text)

    def _address(self, text: str) -> str:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        return text if address.is_private or address.is_loopback or address.is_unspecified else self._mask("address", text)

    def _number(self, text: str) -> str:
        digits = re.sub(r"\D", "", text)
        is_mask_or_address = text.startswith("<") or text.count(".") == 3
        return text if is_mask_or_address or digits in self._kept or len(digits) < 4 else self._mask("number", digits)

    def _mask(self, kind: str, value: str) -> str:
        return "<secret>" if kind == "secret" else f"<{kind}-{hmac.new(self._key, value.lower().encode(), hashlib.sha256).hexdigest()[:6]}>"


def of_home(machine: Settings) -> Mask:
    """The mask that knows what this home holds."""
    return Mask([*_sealed(), *_secrets(machine)], _names(), db.session.scalars(select(Number.number)), _used_ports(machine))


def without_rows(machine: Settings) -> Mask:
    """The mask that knows the files of this home alone: names and short numbers would get past it."""
    return Mask(_secrets(machine), [], [], _used_ports(machine))


def _used_ports(machine: Settings) -> set[str]:
    """Numbers that are nobody's telephone."""
    own = (machine.http_port, machine.https_port, machine.ami_port, machine.agi_port, machine.ws_port)
    return {str(port) for port in (*ports.listening(machine), *ports.in_force(machine), *own)}


def _sealed() -> Iterator[str]:
    """Every sealed value in clear."""
    for resource in resources.TABLE.values():
        for spec in resource.fields.values():
            if spec.kind.secret:
                yield from (str(value) for value in db.session.scalars(select(getattr(resource.model, spec.attr))) if value)


def _secrets(machine: Settings) -> Iterator[str]:
    """Every line of the folder of secrets, and the password of the database."""
    for file in sorted(path for path in machine.secrets.rglob("*") if path.is_file()):
        yield from (line for line in file.read_text(errors="replace").splitlines() if len(line) > SHORTEST_SECRET and "-----" not in line)
    if "@" in machine.database_url:
        yield machine.database_url.partition("://")[2].partition("@")[0].partition(":")[2]


def _names() -> Iterator[str]:
    """Whatever people typed as text into a row, and the names callers came with."""
    for resource in resources.TABLE.values():
        for spec in resource.fields.values():
            column = inspect(resource.model).columns[spec.attr]
            if spec.kind.secret or isinstance(spec.kind, Choice | Words | Boolean | Day) or isinstance(column.type, JSON | LargeBinary):
                continue
            if column.type.python_type is str:
                yield from (str(value) for value in db.session.scalars(select(column)) if value)
    yield from (name for pair in db.session.execute(select(User.name, User.login)) for name in pair)
    parties = [column for name, column in inspect(Call).columns.items() if name.endswith("_name")]
    for row in db.session.execute(select(*parties).order_by(Call.id.desc()).limit(NEWEST_CALLS)):
        yield from (str(value) for value in row if value)
