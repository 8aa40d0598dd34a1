"""The newest version at an address: told by the head of its file alone, fetched in pieces that outlive a break (SYS-11).

The address is believed for nothing. The head is signed like that of any update file; what was fetched is compared with it before anybody is
offered to install it; and root's side compares once more.
"""

import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance import db as ground
from appliance import version, whole_files
from appliance.db import db
from appliance.resource import SINGLE_ID
from appliance.settings import Settings
from appliance.telephony import locks
from appliance.update_policy.model import UpdatePolicy
from appliance.updates import package, state
from appliance.updates.package import Package
from appliance.updates.words import NotGood

if TYPE_CHECKING:  # takes a fifth of a second to load; pages and most commands fetch nothing
    import requests

FOUND, FETCHED = "found.json", "fetched.part"  # in the spool
ASKED, FETCHING, FAILED = "asked", "fetching", "failed"
CONNECT_SECONDS, SILENT_SECONDS, HEAD_SECONDS = 10.0, 60.0, 60.0
ROOM_BYTES = 200_000_000  # left free beside the file
TRIES, PAUSE_SECONDS = 5, 3.0
FRESH_SECONDS = 150.0  # a file that did not grow for so long is not being fetched


@dataclass
class Found:
    """What the last look said. `version` is "" when there is nothing newer; `code` and `values` say what was wrong."""

    at: str = ""
    version: str = ""
    date: str = ""
    size_bytes: int = 0  # of the whole file
    sha256: str = ""
    notes: dict[str, list[str]] = field(default_factory=dict)
    step: str = ""
    code: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def looked_at(self) -> datetime | None:
        """As an instant, for pages."""
        return datetime.fromisoformat(self.at) if self.at else None


def policy() -> UpdatePolicy:
    """The one row."""
    return db.session.get_one(UpdatePolicy, SINGLE_ID)


def found(machine: Settings) -> Found:
    """What the last look said; an empty one when there was none, or it speaks of a version that is installed by now."""
    try:
        said = Found(**json.loads((state.spool(machine) / FOUND).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return Found()
    is_installed = said.version and version.parts(said.version) <= version.parts(version.number())
    return Found(at=said.at) if is_installed else said


def has_bytes(machine: Settings) -> int:
    """How much of it is here."""
    file = state.spool(machine) / FETCHED
    return file.stat().st_size if file.exists() else 0


def is_fetching(machine: Settings) -> bool:
    """Whether it grows, or was asked for a moment ago; a process that died leaves it standing."""
    if found(machine).step not in (ASKED, FETCHING):
        return False
    files = [state.spool(machine) / name for name in (FETCHED, FOUND)]
    return time.time() - max(file.stat().st_mtime for file in files if file.exists()) < FRESH_SECONDS


def note(machine: Settings, said: Found) -> Found:
    """Keep it."""
    whole_files.write(state.spool(machine) / FOUND, json.dumps(asdict(said), ensure_ascii=False))
    return said


def forget(machine: Settings) -> None:
    """Throw away what was fetched so far; who fetches ends by that."""
    (state.spool(machine) / FETCHED).unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------------------------------- over the network


def look(machine: Settings, address: str) -> Found:
    """Read the head of the file at the address. What is wrong stands in what is given back and kept; nothing is raised."""
    before, said = found(machine), Found(at=ground.now().isoformat())
    try:
        if not address:
            raise NotGood("no_address")
        head = _head(address)
        package.check_version(head, version.number())
        said = Found(said.at, head.version, head.date, head.offset_bytes + head.size_bytes, head.sha256, head.notes)
    except NotGood as why:
        if why.code not in ("same", "older"):
            said.code, said.values, said.step = why.code, why.values, FAILED
    if said.code == "no_answer":  # what was found before may still be fetched later
        said = replace(before, at=said.at, step=FAILED, code=said.code, values=said.values)
    elif said.sha256 != before.sha256:
        forget(machine)  # pieces of another file
    return note(machine, said)


def fetch(machine: Settings, address: str) -> Found:
    """Look, and fetch what is newer, from where a break left it; it then lies where a file that was sent lies. Does nothing when it, or a newer
    one, lies there already, or another process is at it. As `look`: what is wrong is kept and given back. May be killed and run again."""
    with locks.held(state.spool(machine) / "fetch.lock", 0) as is_ours:
        return _fetched(machine, address) if is_ours else found(machine)


def _fetched(machine: Settings, address: str) -> Found:
    said = look(machine, address)
    if said.code or not said.version:
        return said
    spool = state.spool(machine)
    said.step = FETCHING
    note(machine, said)
    try:
        if not _lies_there(spool / state.SENT, said):
            _all(address, spool / FETCHED, said)
            _checked(spool / FETCHED)
            (spool / FETCHED).rename(spool / state.SENT)
        said.step = ""
    except NotGood as why:
        said.step, said.code, said.values = FAILED, why.code, why.values
    except FileNotFoundError:  # somebody threw it away meanwhile
        said.step, said.code = FAILED, "cancelled"
    return note(machine, said)


def _lies_there(file: Path, said: Found) -> bool:
    """This version or a newer one that somebody sent."""
    if not file.exists():
        return False
    with file.open("rb") as stream:
        try:
            return version.parts(package.read(stream, package.trusted()).version) >= version.parts(said.version)
        except NotGood:
            return False


def _checked(file: Path) -> None:
    """Compared to its last byte; one that is damaged is thrown away. Raises NotGood."""
    try:
        with file.open("rb") as stream:
            package.copy(stream, package.read(stream, package.trusted()), None)
    except NotGood:
        file.unlink(missing_ok=True)
        raise


def _head(address: str) -> Package:
    """The description of the file at the address. Raises NotGood."""
    ends_at, head = time.monotonic() + HEAD_SECONDS, b""
    most = package.BLOCK + package.MOST_DESCRIPTION
    with _answer(address, 0, most) as answer:
        for chunk in answer.iter_content(16384):
            head += chunk
            if len(head) >= most or not head.startswith(package.ANY_MAGIC[: len(head)]):
                break
            if time.monotonic() > ends_at:
                raise NotGood("no_answer", why=f"{HEAD_SECONDS:.0f} s")
    return package.described(io.BytesIO(head), package.trusted())


def _all(address: str, file: Path, said: Found) -> None:
    """Append until the file is whole; some breaks are borne. Raises NotGood."""
    tries = 0
    with open(file, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        while (has := out.tell()) < said.size_bytes:
            free = shutil.disk_usage(file.parent).free
            if free < said.size_bytes - has + ROOM_BYTES:
                raise NotGood("no_room", free=free // 1_000_000, needed=(said.size_bytes - has + ROOM_BYTES) // 1_000_000)
            try:
                _piece(address, out, said.size_bytes)
            except NotGood as why:
                tries = 0 if out.tell() > has else tries + 1
                if why.code != "no_answer" or tries >= TRIES:
                    raise
                time.sleep(PAUSE_SECONDS)
            finally:
                out.flush()
                os.fsync(out.fileno())


def _piece(address: str, out: io.BufferedWriter, size: int) -> None:
    """One answer to its end, or to the end of the file. One who gives the whole although a part was asked for begins anew. Raises NotGood."""
    has = out.tell()
    with _answer(address, has, size) as answer:
        if has and (answer.status_code != 206 or not answer.headers.get("Content-Range", "").startswith(f"bytes {has}-")):
            out.truncate(0)
            out.seek(0)
            if answer.status_code == 206:
                raise NotGood("no_answer", why="Content-Range")
        for chunk in answer.iter_content(1 << 18):
            if out.tell() + len(chunk) > size:
                raise NotGood("too_long")
            out.write(chunk)


@contextmanager
def _answer(address: str, start: int, end: int) -> Iterator["requests.Response"]:
    """The bytes from `start` to before `end`. Raises NotGood, also for what goes wrong while they are read."""
    import requests

    headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity", "User-Agent": f"bentevi/{version.number()}"}
    try:
        with requests.get(address, headers=headers, stream=True, timeout=(CONNECT_SECONDS, SILENT_SECONDS)) as answer:
            if answer.status_code not in (200, 206):
                raise NotGood("not_there", status=answer.status_code)
            yield answer
    except requests.RequestException as why:  # its text may hold the whole address
        raise NotGood("no_answer", why=type(why).__name__) from why
