"""The bundle for support: versions, state, findings, settings, configuration and logs as one file, without secrets and personal data (SYS-19)."""

import io
import itertools
import json
import platform
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from appliance import about, applying, front_door, settings, version
from appliance import db as ground
from appliance.database import copy, facts
from appliance.db import db
from appliance.errors import Busy
from appliance.revisions.model import newest_number
from appliance.settings import Settings
from appliance.support import doctor, masking
from appliance.telephony import runtime, store

MOST_LOG_BYTES = 400_000  # of each log, its end
READ_ME = """What is in here: versions, the state of every process, the doctor's findings, how many rows each table has, the settings of the machine,
the configuration in force without the files that hold passwords, and the end of each log.

What was taken out: passwords, keys and tokens (<secret>), names and whatever people typed into forms (<name-…>), telephone numbers and other
long numbers (<number-…>), e-mail addresses (<email-…>) and public addresses of the network (<address-…>). One value has one mask within this
file and another one in the next. Look into it before you send it.
"""
WITHOUT_ROWS = """
The database could not be read when this was made; doctor.json says why. Names are known from it alone: so the configuration and the logs, which
may hold some, were left out.
"""


def name() -> str:
    """What the file is called."""
    return f"bentevi-{ground.now():%Y%m%d-%H%M%S}.tar.gz"


def make(journal: str = "") -> bytes:
    """The file. Inside an application; reads only. `journal`: what systemd keeps of our units, which only an administrator may read."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, plain in _masked(journal):
            entry = tarfile.TarInfo(f"bentevi/{path}")
            entry.size, entry.mtime, entry.mode = len(plain), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(plain))
    return out.getvalue()


def listed(journal: str = "") -> list[tuple[str, int]]:
    """Path and bytes of all that the file would hold."""
    return [(path, len(plain)) for path, plain in _masked(journal)]


def _masked(journal: str) -> Iterator[tuple[str, bytes]]:
    machine = settings.load()
    try:
        ground.read_only()
        mask, has_rows = masking.of_home(machine), True
    except ground.AWAY as why:
        if not ground.trouble(why):
            raise
        db.session.rollback()
        mask, has_rows = masking.without_rows(machine), False
    yield "READ-ME.txt", (READ_ME if has_rows else READ_ME + WITHOUT_ROWS).encode()
    for path, text in itertools.chain(_of_the_machine(machine), _of_rows(machine, journal) if has_rows else ()):
        yield path, mask.text(text).encode()


def _of_the_machine(machine: Settings) -> Iterator[tuple[str, str]]:
    yield "versions.json", _json(_versions())
    yield "status.json", _json(front_door.status(machine))
    yield "doctor.json", _json([asdict(one) for one in doctor.examine(machine)])
    yield "machine.json", _json(_machine(machine))


def _of_rows(machine: Settings, journal: str) -> Iterator[tuple[str, str]]:
    """What rows tell, and what may name people: only who knows the rows can take the names out."""
    yield "modules.json", _json(about.facts_of()["modules"])
    yield "database.json", _json(facts.facts() | {"rows": _rows()})
    hidden = applying.hidden_files()
    for path, text in sorted(store.files_of(machine, newest_number()).items()):
        if path not in hidden:
            yield f"configuration/{path}", text
    if journal:
        yield "logs/journal.txt", journal[-MOST_LOG_BYTES:]
    for file in _logs(machine):
        yield f"logs/{file.relative_to(machine.home)}", _end_of(file)


def _versions() -> dict[str, Any]:
    found = {"bentevi": version.number(), "commit": version.build().commit, "date": version.build().date, "python": platform.python_version(), "system": platform.platform(), "packages": {}}
    try:
        found["asterisk"] = runtime.version()
    except Busy as why:
        found["asterisk"] = str(why)
    for program in (["redis-server", "--version"], ["restic", "version"]):
        found[program[0]] = subprocess.run(program, capture_output=True, text=True, check=False).stdout.strip()
    found["packages"] = {one.metadata["Name"]: one.version for one in metadata.distributions()}
    return found


def _machine(machine: Settings) -> dict[str, Any]:
    known = {key: str(value) for key, value in vars(machine).items() if key != "database_url"}
    return known | {"database": machine.database_url.partition(":")[0]}


def _rows() -> dict[str, int]:
    return {table.name: db.session.scalar(select(func.count()).select_from(table)) or 0 for table in copy.tables()}


def _logs(machine: Settings) -> list[Path]:
    """Of our processes and of Asterisk; the record files of calls are personal data through and through, and stay."""
    return [file for file in (*sorted(machine.log.glob("*.log")), *sorted((machine.asterisk / "log").glob("*.log"))) if file.is_file()]


def _end_of(file: Path) -> str:
    with open(file, "rb") as stream:
        stream.seek(0, 2)
        size = stream.tell()
        stream.seek(max(0, size - MOST_LOG_BYTES))
        text = stream.read().decode("utf-8", "replace")
    return text.partition("\n")[2] if size > MOST_LOG_BYTES else text


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, default=str)
