"""Revisions as they lie on disk: home/revisions/NNNNNN, complete or not there, and the link that says which one is in force."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.settings import Settings
from appliance.telephony import conf, points, runtime

DIGESTS = "digests.json"  # beside the files of a revision: path → SHA-256


def in_force(settings: Settings) -> int:
    """Number of the revision the link points at; 0 before the first."""
    link = settings.asterisk / "etc"
    if not link.is_symlink():
        return 0
    name = Path(os.readlink(link)).parent.name
    return int(name) if name.isdigit() else 0


def folder(settings: Settings, number: int) -> Path:
    """Where a revision lies."""
    return settings.revisions / f"{number:06d}"


def files_of(settings: Settings, number: int) -> dict[str, str]:
    """Path under etc/ → text of a stored revision; empty for 0 or one that is not kept any more."""
    etc = folder(settings, number) / "etc"
    paths = [path for path in sorted(etc.rglob("*")) if path.is_file()]
    return {str(path.relative_to(etc)): path.read_text(encoding="utf-8", errors="replace") for path in paths}  # a disk may have spoilt one


def is_intact(settings: Settings, number: int, files: Mapping[str, str] | None = None) -> bool:
    """Whether the files of a revision (read already, or read here) are those that were written. Of one without digests, whether there are any."""
    found = files_of(settings, number) if files is None else files
    noted = folder(settings, number) / DIGESTS
    try:
        return bool(json.loads(noted.read_bytes()) == _digests(found)) if noted.exists() else bool(found)
    except ValueError:  # the note itself was spoilt
        return False


def _digests(files: Mapping[str, str]) -> dict[str, str]:
    """Of the text as files_of() reads it, where every line ends alike."""
    return {path: hashlib.sha256(text.replace("\r\n", "\n").replace("\r", "\n").encode()).hexdigest() for path, text in files.items()}


@dataclass(frozen=True)
class Source:
    """Where a generated line comes from: template, row and the line's text."""

    template: str
    word: str
    row_id: int
    text: str


def trace(files: Mapping[str, str], file: str, line: int) -> Source:
    """Template and row of a line (from 1). `file` is a path under etc/. Raises KeyError or IndexError when there is
    none."""
    source = conf.read_file(file, files[file])
    word, row_id = source.origin(line)
    return Source(source.template, word, row_id, files[file].split("\n")[line - 1])


def write(settings: Settings, number: int, files: Mapping[str, str], beside: Mapping[str, str]) -> Path:
    """Stores a complete set of files, and what lies beside them, as revision `number`: complete under that name, or not there.

    Returns the folder.
    """
    runtime.folders(settings)
    final = folder(settings, number)
    draft = final.with_name(final.name + ".new")
    for leftover in (draft, final):  # of an apply that was refused or killed; never the one in force
        if leftover.exists():
            shutil.rmtree(leftover)
    before = folder(settings, in_force(settings))
    old = files_of(settings, in_force(settings))
    for path, text in files.items():
        if old.get(path) == text:
            _share_file(before, draft, f"etc/{path}")
        else:
            _write_file(draft, f"etc/{path}", text)
    for path, text in {**beside, DIGESTS: json.dumps(_digests(files))}.items():
        _write_file(draft, path, text)
    for directory in [draft, *(path for path in draft.rglob("*") if path.is_dir())]:
        _sync(directory)
    points.reached("folder.before_rename")
    draft.rename(final)
    points.reached("folder.after_rename")
    _sync(settings.revisions)
    return final


def _share_file(before: Path, draft: Path, path: str) -> None:
    """An unchanged file is one with that of the revision before: files of a revision are never written to again."""
    target = _target(draft, path)
    os.link(before / path, target)


def _target(draft: Path, path: str) -> Path:
    """Where a file of a draft goes, its folders made. Raises ValueError for a path that leads out."""
    target = (draft / path).resolve()
    if not target.is_relative_to(draft.resolve()):
        raise ValueError(f"{path} leaves the revision's folder")
    for parent in reversed(target.relative_to(draft.resolve()).parents):
        (draft / parent).mkdir(mode=0o700, parents=True, exist_ok=True)
    return target


def _write_file(draft: Path, path: str, text: str) -> None:
    target = _target(draft, path)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def link(settings: Settings, number: int, why: str = "switch") -> None:
    """Points home/asterisk/etc at a revision in one rename (`why`: switch or return); 0 removes the link."""
    link = settings.asterisk / "etc"
    if not number:
        link.unlink(missing_ok=True)
        return
    draft = settings.asterisk / "etc.new"
    draft.unlink(missing_ok=True)
    draft.symlink_to(Path("..") / "revisions" / f"{number:06d}" / "etc")
    points.reached(f"{why}.before_rename")
    draft.rename(link)
    points.reached(f"{why}.after_rename")
    _sync(settings.asterisk)


def _sync(directory: Path) -> None:
    """Makes names in a folder survive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
