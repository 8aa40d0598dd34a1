"""Where Asterisk is on this machine, how it is started and how it is asked.

Two places: the distribution's package when it is 22 or newer, else Debian's newer packages unpacked into a private
root in the cache folder and run through their own loader, so that they need no chroot and touch nothing of the system.
"""

import os
import re
import select
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from appliance.errors import Busy
from appliance.settings import Settings
from appliance.telephony import khomp

OLDEST = 22
VENDOR_MODULES = Path("/usr/lib/asterisk/modules")  # where an installer of another vendor puts its module
SYSTEM_ASTERISK = Path("/usr/sbin/asterisk")
FOLDERS = (
    "var/agi-bin", "var/keys", "var/cache", "spool/monitor", "spool/voicemail", "spool/outgoing", "spool/tmp", "run",
    "log/cdr-csv", "log/cdr-custom", "log/cel-custom", "data/sounds", "data/moh", "data/images",
)  # fmt: skip


@dataclass(frozen=True)
class Asterisk:
    """One installed Asterisk: its program behind its loader, and where its modules and shared data are."""

    program: tuple[str, ...]
    modules: Path
    share: Path
    version: str


def private_root() -> Path:
    """Where the unpacked packages are; `.ready` in it says they are complete."""
    cache_folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache_folder) / "bentevi" / "asterisk-root"


@cache
def installed() -> Asterisk:
    """The Asterisk of this machine. Raises Busy when there is none of version 22 or newer."""
    for found in (_system(), _private(private_root())):
        if found is not None:
            return found
    raise Busy(f"No Asterisk {OLDEST} on this machine: neither {SYSTEM_ASTERISK} nor {private_root()}")


def asterisk_argv(*arguments: str) -> list[str]:
    """The command line of Asterisk with these arguments."""
    return [*installed().program, *arguments]


def version() -> str:
    """For example `22.10.1`."""
    return installed().version


def folders(settings: Settings) -> Path:
    """Makes the folders Asterisk writes to, 0700, and the links to its shared data. Returns home/asterisk."""
    state_folders(settings.asterisk)
    for folder in (settings.run, settings.revisions):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    data_links(settings.asterisk / "data")
    module_links(settings)
    return settings.asterisk


def khomp_driver(settings: Settings) -> Path | None:
    """Khomp's module on this machine: put or linked into home/drivers, or where its installer puts it."""
    folders_ = (settings.home / "drivers", installed().modules, VENDOR_MODULES)
    return next((folder / khomp.MODULE for folder in folders_ if (folder / khomp.MODULE).exists()), None)


def modules_folder(settings: Settings) -> Path:
    """Where Asterisk loads modules from: the package's folder, or with Khomp's driver one of our own with links to both."""
    return settings.asterisk / "modules" if khomp_driver(settings) else installed().modules


def trial_modules(settings: Settings) -> Path:
    """The modules of a trial: never Khomp's driver, which would take the boards from the Asterisk that has calls on them."""
    found = installed().modules
    return settings.asterisk / "modules-trial" if (found / khomp.MODULE).exists() else found


def module_links(settings: Settings) -> None:
    """Makes those folders, or brings them up to date; one that a revision may name stays when the driver is taken away."""
    driver, package = khomp_driver(settings), installed().modules
    for folder, extra in ((settings.asterisk / "modules", driver), (settings.asterisk / "modules-trial", None)):
        if driver is None and not folder.exists():
            continue
        folder.mkdir(mode=0o700, exist_ok=True)
        wanted = {path.name: path for path in package.glob("*.so") if path.name != khomp.MODULE} | ({khomp.MODULE: extra} if extra else {})
        for link in folder.iterdir():
            if link.name not in wanted:
                link.unlink()
        for name, target in wanted.items():
            _link(folder / name, target)


def state_folders(where: Path) -> None:
    """var, spool, log, run and data of one Asterisk (the real one or a shadow), each 0700."""
    for name in FOLDERS:
        for folder in (where / name.split("/")[0], where / name):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def data_links(data: Path) -> None:
    """A data folder of our own with links into the packages.

    The package's sounds/en is an absolute link into /etc/alternatives, dead outside a chroot, and without
    `documentation` many modules refuse their configuration. Our own prompts lie beside them in sounds/pt_BR.
    """
    share = installed().share
    data.joinpath("sounds").mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("documentation", "rest-api", "static-http"):
        _link(data / name, share / name)
    english = next(iter(sorted(share.glob("sounds/en_*"))), None)
    if english is not None:
        _link(data / "sounds" / "en", english)


def control(settings: Settings) -> Path:
    """The control socket of the Asterisk that takes calls."""
    return settings.asterisk / "run" / "asterisk.ctl"


def is_running(control: Path) -> bool:
    """Whether an Asterisk answers on this control socket."""
    try:
        command(control, "core show version", timeout=3)
    except Busy:
        return False
    return True


def command(control: Path, text: str, timeout: float = 30) -> str:
    """The answer of a CLI command, asked on the control socket (`run/asterisk.ctl`) as `asterisk -rx` does.

    Asterisk answers "No such command" with success, so callers look at the text. Raises Busy when nothing answers in
    `timeout` seconds. The two lines of this protocol are in main/asterisk.c (ast_remotecontrol, netconsole): the
    server greets with `host/pid/version`, `cli quit after COMMAND` makes it close behind the answer. 20 times faster
    than a process.
    """
    if "\n" in text or "\0" in text:
        raise ValueError("one command at a time")
    ends_at = time.monotonic() + timeout
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as console:
            console.settimeout(timeout)
            with _reachable(control) as path:
                console.connect(path)
            console.recv(4096)
            console.sendall(b"cli quit after " + text.encode() + b"\0")
            return _answer(console, ends_at)
    except OSError as why:
        raise Busy(f"Asterisk does not answer on {control}: {why}") from why


def calls_up(control: Path) -> int:
    """Calls in progress, 0 when Asterisk is down."""
    try:
        found = re.search(r"(\d+) active call", command(control, "core show channels count"))
    except Busy:
        return 0
    return int(found[1]) if found else 0


def wait_booted(control: Path, timeout: float) -> bool:
    """Waits until every module is loaded. False when that does not happen in time or nothing ever answers."""
    ends_at = time.monotonic() + timeout
    while (left := ends_at - time.monotonic()) > 0:
        try:
            if "fully booted" in command(control, "core waitfullybooted", timeout=left).lower():
                return True
        except Busy:
            time.sleep(0.01)
    return False


def _answer(console: socket.socket, ends_at: float) -> str:
    chunks: list[bytes] = []
    while True:
        ready, _, _ = select.select([console], [], [], max(0.0, ends_at - time.monotonic()))
        if not ready:
            raise TimeoutError("no answer in time")
        chunk = console.recv(1 << 16)
        if not chunk:
            break
        chunks.append(chunk)
    text = b"".join(chunks).replace(b"\0", b"").decode("utf-8", "replace")
    # Log lines for consoles start with a byte 127..., the verbose magic of logger.c; they are not part of the answer.
    return "\n".join(line for line in text.split("\n") if not line.startswith("\x7f"))


class _reachable:
    """A path of a socket that fits the 107 bytes of sun_path: long ones are reached through /proc/self/fd."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, -1

    def __enter__(self) -> str:
        if len(os.fsencode(self.path)) < 107:
            return str(self.path)
        self.folder = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/self/fd/{self.folder}/{self.path.name}"

    def __exit__(self, *_: object) -> None:
        if self.folder >= 0:
            os.close(self.folder)


def _private(root: Path) -> Asterisk | None:
    if not (root / ".ready").exists():
        return None
    modules = _first(root, "usr/lib/*-linux-gnu*/asterisk/modules")
    loader = _first(root, "lib64/ld-linux*.so.*") or _first(root, "usr/lib*/ld-linux*.so.*")
    if modules is None or loader is None:
        return None
    program = (str(loader), "--library-path", str(modules.parent.parent), str(root / "usr/sbin/asterisk"))
    return _checked(program, modules, root / "usr/share/asterisk")


def _system() -> Asterisk | None:
    if not SYSTEM_ASTERISK.exists():
        return None
    modules = _first(Path("/usr/lib"), "*-linux-gnu*/asterisk/modules") or Path("/usr/lib/asterisk/modules")
    return _checked((str(SYSTEM_ASTERISK),), modules, Path("/usr/share/asterisk"))


def _first(folder: Path, pattern: str) -> Path | None:
    return next(iter(sorted(folder.glob(pattern))), None)


def _checked(program: tuple[str, ...], modules: Path, share: Path) -> Asterisk | None:
    answer = subprocess.run([*program, "-V"], capture_output=True, text=True, timeout=20, check=False).stdout
    number = re.search(r"Asterisk (?:certified/)?(\d+)(\.[\d.]+)?", answer)
    if number is None or int(number[1]) < OLDEST:
        return None
    return Asterisk(program, modules, share, number[1] + (number[2] or ""))


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and Path(os.readlink(link)) == target:
        return
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        shutil.rmtree(link)  # a copy of an older set-up; ours to replace
    link.symlink_to(target)
