"""The store of backups: restic, and nothing else knows that it is (DECISIONS.md). Encrypted, deduplicated, incremental.

Every call may take as long as it takes and may be killed: restic's own locks of dead processes are taken off, and what was carried
before is found again.
"""

import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from flask_babel import gettext as _

from appliance import settings
from appliance.backups.destination import Destination
from appliance.errors import Busy, Refused

log = logging.getLogger("bentevi.backups")
HOST = "bentevi"  # a snapshot's host: one store is one home's, whatever the machine is called
SOME_UNREAD = 3   # restic's exit status when a file vanished while it was read; the rest is saved
GROUPS = 28       # a look at the store reads one such part of it, so that within so many nights everything was read

Progress = Callable[[int, int], None]  # bytes so far, bytes in all


class Damaged(Busy):
    """What lies in the store is not what was put there."""


@dataclass(frozen=True)
class Snapshot:
    """One backup in the store."""

    name: str
    at: datetime


@dataclass(frozen=True)
class Saved:
    """What a backup came to: bytes it holds, and how many of them were new."""

    snapshot: str
    size_bytes: int
    added_bytes: int
    unread: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A file of a snapshot; the path is relative to the home."""

    path: str
    size_bytes: int


def prepare(destination: Destination) -> None:
    """Make the store when there is none. Raises Refused for a wrong password, Busy when it does not answer."""
    destination.look()
    done = _run(destination, "unlock")  # takes off only locks of processes that are dead
    if done.returncode and _is_missing(done.stderr):
        done = _run(destination, "init")
    _good(destination, done)


def save(destination: Destination, home: Path, paths: list[str], excluded: list[str], told: Progress) -> Saved:
    """Put these files and folders of the home into the store as one snapshot."""
    words = ["backup", "--json", "--host", HOST, "--ignore-inode", *(f"--exclude={home / path}" for path in excluded), "--", *paths]
    with _started(destination, *words, folder=home) as (process, errors):
        summary: dict[str, Any] = {}
        for line in process.stdout or ():
            said = _read(line)
            if said.get("message_type") == "status":
                told(int(said.get("bytes_done", 0)), int(said.get("total_bytes", 0)))
            elif said.get("message_type") == "summary":
                summary = said
        process.wait()
        text = _end_of(errors)
    unread = tuple(str(said.get("item", "")) for said in map(_read, text.splitlines()) if said.get("message_type") == "error")
    still_there = [path for path in unread if (home / path).exists()]
    if process.returncode not in (0, SOME_UNREAD) or still_there or not summary:
        raise _trouble(destination, text)
    name = next((one.name for one in snapshots(destination) if one.name.startswith(summary["snapshot_id"])), str(summary["snapshot_id"]))
    return Saved(name, int(summary["total_bytes_processed"]), int(summary["data_added"]), unread)


def snapshots(destination: Destination, reads_only: bool = False) -> list[Snapshot]:
    """All backups in the store, oldest first. `reads_only` for whoever may not write there."""
    return _listed(_good(destination, _run(destination, "snapshots", "--json", *(["--no-lock"] if reads_only else []))))


def _listed(done: subprocess.CompletedProcess[str]) -> list[Snapshot]:
    found = [Snapshot(one["id"], datetime.fromisoformat(_shorter(one["time"]))) for one in json.loads(done.stdout) or ()]
    return sorted(found, key=lambda one: one.at)


def look(destination: Destination) -> list[Snapshot] | None:
    """As `snapshots`, and nothing is written anywhere; None when there is no store yet."""
    destination.look(makes=False)
    done = _run(destination, "snapshots", "--json", "--no-lock")
    return None if done.returncode and _is_missing(done.stderr) else _listed(_good(destination, done))


def forget(destination: Destination, keep_count: int) -> None:
    """Remove all but the newest so many, and the room only they took."""
    _good(destination, _run(destination, "forget", "--keep-last", str(keep_count), "--group-by", "", "--prune"))


def entries(destination: Destination, snapshot: str, folder: str) -> Iterator[Entry]:
    """Every file of a snapshot below a folder of the home."""
    with _started(destination, "ls", "--json", "--no-lock", snapshot, f"/{folder}", "--recursive") as (process, errors):
        for line in process.stdout or ():
            said = _read(line)
            if said.get("type") == "file":
                yield Entry(str(said["path"]).lstrip("/"), int(said.get("size", 0)))
        if process.wait():
            raise _trouble(destination, _end_of(errors))


@contextmanager
def opened(destination: Destination, snapshot: str, path: str) -> Iterator[IO[bytes]]:
    """One file of a snapshot as a stream. Raises when it cannot be read to its end."""
    with _started(destination, "dump", "--no-lock", snapshot, f"/{path}") as (process, errors):
        assert process.stdout is not None
        yield process.stdout
        process.stdout.read()  # whoever stopped early did not want the rest
        if process.wait():
            raise _trouble(destination, _end_of(errors))


def bring(destination: Destination, snapshot: str, target: Path, paths: list[str]) -> None:
    """Write these files and folders of a snapshot below a folder of this machine."""
    words = ["restore", "--no-lock", snapshot, "--target", str(target), *(f"--include=/{path}" for path in paths)]
    _good(destination, _run(destination, *words))


def verify(destination: Destination, part: int) -> None:
    """Look whether the store is whole: its structure, and every byte of one part of it. Raises Damaged."""
    done = _run(destination, "check", f"--read-data-subset={part % GROUPS + 1}/{GROUPS}")
    if done.returncode and not any(word in done.stderr for word in (*_WRONG_PASSWORD, *_AWAY)):
        raise Damaged(_("The store of backups is damaged: %(why)s", why=_last(done.stderr)))
    _good(destination, done)


# ------------------------------------------------------------------------------------------------------------------- restic itself


def _words(destination: Destination, words: tuple[str, ...]) -> list[str]:
    if shutil.which("restic") is None:
        raise Refused("restic is not installed. Start with ./bentevi, which installs it.")
    return ["setpriv", "--pdeathsig", "KILL", "restic", *destination.options(), *words]  # it never outlives whoever waits for it


def _environment(destination: Destination) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR") or name.startswith(("XDG_", "SSL_"))}
    cache = settings.load().home / "backup" / "cache"
    return kept | destination.environment() | {"RESTIC_CACHE_DIR": str(cache), "RESTIC_PROGRESS_FPS": "1", "GOMAXPROCS": "1"}


def _run(destination: Destination, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_words(destination, words), env=_environment(destination), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", check=False)  # fmt: skip


@contextmanager
def _started(destination: Destination, *words: str, folder: Path | None = None) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """restic while it runs, and where its complaints go. It is ended when whoever started it does not want to go on."""
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(_words(destination, words), env=_environment(destination), cwd=folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=errors) as process:  # fmt: skip
            try:
                yield process, errors
            finally:
                if process.poll() is None:
                    process.kill()


def _good(destination: Destination, done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    if done.returncode:
        raise _trouble(destination, done.stderr)
    return done


_WRONG_PASSWORD = ("wrong password", "no key found")
_MISSING = ("Is there a repository at the following location", "unable to open config file")
_FULL = ("no space left", "quota exceeded", "Disk quota", "QuotaExceeded", "XMinioStorageFull")
_AWAY = ("connection refused", "no such host", "i/o timeout", "no route to host", "Connection timed out", "Connection closed", "connection reset",
         "unable to start the sftp session", "Could not resolve", "network is unreachable", "server misbehaving", "EOF")  # fmt: skip
_NOT_ALLOWED = ("Access Denied", "AccessDenied", "Permission denied", "permission denied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Host key verification",
                "403 Forbidden", "The Access Key Id")  # fmt: skip
_DAMAGED = ("ciphertext verification failed", "does not match", "unexpected EOF", "invalid data returned", "load(", "unable to load index", "is damaged",
            "id not found", "unable to load tree", "not found in repository", "not found in index", "invalid character")  # fmt: skip


def _is_missing(text: str) -> bool:
    return any(word in text for word in _MISSING) and not any(word in text for word in (*_NOT_ALLOWED, "connection refused", "no such host", "timeout"))


def _trouble(destination: Destination, text: str) -> Exception:
    """What restic's words mean for a person: Refused for what he can put right, Busy for what may be over soon."""
    last = _last(text)
    log.warning("backups: %s: %s", destination.shown, last)
    where = destination.shown
    if any(word in text for word in _WRONG_PASSWORD):
        return Refused(_("The backups at %(where)s are encrypted with another password. Write the one they were made with, or choose an empty folder.",
                         where=where))
    if any(word in text for word in _FULL):
        return Busy(_("There is no room left for the backup at %(where)s. Free some, or keep fewer backups.", where=where))
    if any(word in text for word in _NOT_ALLOWED):
        return Refused(_("%(where)s does not let us in: %(why)s. Look at user name, password and permissions there.", where=where, why=last))
    if any(word in text for word in _MISSING):
        return Refused(_("There are no backups at %(where)s.", where=where)) if _is_missing(text) else Busy(_away(where, last))
    if any(word in text for word in _DAMAGED):
        return Damaged(_("The store of backups is damaged: %(why)s", why=last))
    if any(word in text for word in _AWAY):
        return Busy(_away(where, last))
    return Busy(_("The backup did not work: %(why)s", why=last))


def _away(where: str, why: str) -> str:
    return str(_("%(where)s does not answer: %(why)s. The next try goes on by itself.", where=where, why=why))


def _last(text: str) -> str:
    """The line that says it: the last fatal one, else the last one."""
    lines = [str(_read(line).get("error", {}).get("message", "") if line.startswith("{") else line) for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "Fatal:" in line] or [line for line in lines if line and not line.startswith("/")]
    return telling[-1].removeprefix("Fatal: ")[:200] if telling else "restic"


def _end_of(errors: IO[bytes]) -> str:
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 200_000))
    return errors.read().decode("utf-8", "replace")


def _read(line: bytes | str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _shorter(text: str) -> str:
    """Instants of restic have nanoseconds, which Python does not read."""
    head, dot, tail = text.partition(".")
    digits = "".join(letter for letter in tail if letter.isdigit())[:6] if dot else ""
    zone = tail.lstrip("0123456789")
    return f"{head}.{digits.ljust(6, '0')}{zone.replace('Z', '+00:00')}" if dot else text.replace("Z", "+00:00")
