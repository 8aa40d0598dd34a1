"""The second Asterisk that tries a candidate: booted cold, in a network of its own, thrown away afterwards.

Nothing of it can reach a trunk or a phone, and it writes only below a private folder. A reload proves less than a
boot: a file without a closing bracket keeps the old objects on reload and loses every one of them at the next boot.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from appliance.errors import Busy
from appliance.settings import Settings
from appliance.telephony import complaints, readings, runtime
from appliance.telephony.findings import Finding, finding
from appliance.telephony.known import Known
from appliance.telephony.readings import Object, Reading

WRITTEN_SECONDS = 10.0
BOOT_SECONDS = 300  # a small machine that starts, or boots two at once, needs more than one would think; what ends is seen at once
NOT_ISOLATED = (
    "This machine refuses network namespaces: the trial ran on other ports, without registrations and qualify."
)

# lo is down in a new namespace; the address phones reach us on is added so that transports can bind to it. The death
# signal is set last: a change of user namespace clears it (kernel/cred.c, commit_creds).
_ISOLATE = (
    "address=$1; shift; ip link set lo up || exit 70; "
    '[ -z "$address" ] || ip address add "$address" dev lo || exit 70; '
    'exec setpriv --pdeathsig KILL -- "$@"'
)


@dataclass(frozen=True)
class Verdict:
    """What the trial said. `readings` are the wanted objects as the shadow prints them, secrets among them: never log
    it."""

    findings: list[Finding]
    seconds: float
    isolated: bool
    readings: dict[Object, Reading] = field(default_factory=dict, repr=False)

    @property
    def warning(self) -> str:
        """What the person should know although nothing is wrong."""
        return "" if self.isolated else NOT_ISOLATED


@dataclass
class Shadow:
    """A running trial: where its folder is and whether it booted. Complaints older than `heard_bytes` of its log are past."""

    folder: Path
    booted: bool
    heard_bytes: int = 0

    def ask(self, text: str) -> str:
        """One CLI command. Raises Busy when it does not answer."""
        return runtime.command(self.folder / "run" / "asterisk.ctl", text)

    def lives(self) -> bool:
        """Whether its process is there."""
        return self._pid() > 0

    def rest(self) -> None:
        """It stands still until it is woken: an idle Asterisk asks its sockets a hundred times a second (res_pjsip.c, monitor_thread_exec)."""
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        """It goes on where it stood still."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it died just now
            if pid := self._pid():
                os.kill(pid, number)

    def _pid(self) -> int:
        """0 when it is not there."""
        file = self.folder / "run" / "asterisk.pid"
        pid = file.read_text().strip() if file.exists() else ""
        return int(pid) if pid.isdigit() and _is_of(Path(f"/proc/{pid}/cmdline"), self.folder) else 0

    def messages(self) -> list[str]:
        """Its complaints (ERROR and WARNING), oldest first; what it printed when it died before it had a log."""
        self._wait_written()
        log = self._log()
        found = complaints.lines(log.read_bytes()[self.heard_bytes :].decode(errors="replace")) if log.exists() else []
        if not found and not self.booted:
            found = complaints.lines((self.folder / "stdout.log").read_text(errors="replace"))
        return [text.replace(str(self.folder), "") for text in found]

    def begin_messages(self) -> None:
        """What it complained of until now is past."""
        self._wait_written()
        log = self._log()
        self.heard_bytes = log.stat().st_size if log.exists() else 0

    def _log(self) -> Path:
        return self.folder / "log" / "messages.log"

    def _wait_written(self) -> None:
        """Until what it said stands in its log, which a thread of its own writes behind its answers (main/logger.c, one queue in order).

        A module of this name does not exist: once Asterisk's complaint of it stands there, so does everything before. One that is gone
        has written what it will. Raises Busy when it does not write.
        """
        mark = f"{complaints.END}{time.monotonic_ns()}.so'"
        try:
            self.ask(f"module load {mark[:-1]}")
        except Busy:
            return
        ends_at = time.monotonic() + WRITTEN_SECONDS
        while mark not in (text := self._log().read_text(errors="replace") if self._log().exists() else "") or not text.endswith("\n"):
            if time.monotonic() > ends_at:
                raise Busy(f"the second Asterisk did not write its log within {WRITTEN_SECONDS:.0f} s")
            time.sleep(0.002)


def judge(
    settings: Settings, etc: Path, files: Mapping[str, str], known: Known, wanted: Sequence[Object] = ()
) -> Verdict:
    """Boots Asterisk on a candidate's etc folder and says what is wrong with it. `files` is the same as text.

    `wanted` are the objects whose values the caller will look for in the live Asterisk afterwards.
    """
    began = time.monotonic()
    with booted(settings, etc, files) as (shadow, isolated):
        return verdict(shadow, isolated, files, known, wanted, began)


def verdict(
    shadow: Shadow, isolated: bool, files: Mapping[str, str], known: Known, wanted: Sequence[Object], began: float
) -> Verdict:
    """What a shadow that was just booted on these files says of them."""
    messages = [text for text in shadow.messages() if complaints.normal(text) not in known.noise]
    found = complaints.findings(messages, files)
    if not shadow.booted:
        is_slow = not messages and shadow.lives()
        found.append(finding("", 0, "not_ready", value=str(BOOT_SECONDS)) if is_slow else
                     finding("", 0, "did_not_boot", value="; ".join(messages[-3:]) or "no reason given"))
        return Verdict(found, time.monotonic() - began, isolated)
    written = readings.objects(files, ("pjsip.conf", "extensions.conf", "queues.conf"))
    found += readings.not_loaded(shadow.ask, written, frozenset() if isolated else frozenset({"registration"}))
    return Verdict(found, time.monotonic() - began, isolated, readings.take(shadow.ask, wanted))


@contextmanager
def booted(settings: Settings, etc: Path, files: Mapping[str, str]) -> Iterator[tuple[Shadow, bool]]:
    """A second Asterisk on this etc folder, stopped and removed at the end whatever happens."""
    runtime.folders(settings)
    folder = Path(tempfile.mkdtemp(prefix="shadow-", dir=settings.run))
    (folder / "owner").write_text(f"{os.getpid()} {_born(os.getpid())}")
    try:
        isolated = isolation(settings) is not None
        runtime.state_folders(folder)
        if isolated:
            relink(folder, etc)
        else:
            _quiet_copy(folder, files)
        (folder / "asterisk.conf").write_text(_main(settings, files["asterisk.conf"], folder), encoding="utf-8")
        process = _start(settings, folder)
        try:
            yield Shadow(folder, _wait(process, folder)), isolated
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def relink(folder: Path, etc: Path) -> None:
    """Points a shadow at a candidate's etc folder, in one rename."""
    draft = folder / "etc.new"
    draft.unlink(missing_ok=True)
    draft.symlink_to(etc.resolve())
    draft.rename(folder / "etc")


def clear(settings: Settings) -> None:
    """Removes what killed trials left: processes (should their death signal have been lost) and folders."""
    for folder in settings.run.glob("shadow-*"):
        owner = folder / "owner"
        if owner.exists() and _lives(owner.read_text()):
            continue
        pid_file = folder / "run" / "asterisk.pid"
        if pid_file.exists() and pid_file.read_text().strip().isdigit():
            _kill_if_ours(int(pid_file.read_text()), folder)
        shutil.rmtree(folder, ignore_errors=True)


def isolation(settings: Settings) -> list[str] | None:
    """The words in front of a command that give it a network of its own; None where the machine refuses that."""
    return _isolation(_address(settings))


def forget_isolation() -> None:
    """Asks the machine again at the next trial; the answer is kept for the life of the process."""
    _isolation.cache_clear()


@cache
def _isolation(address: str) -> list[str] | None:
    words = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    command = [*words, "--", "env", f"PATH={path}", "sh", "-c", _ISOLATE, "sh", address]
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return None
    tried = subprocess.run([*command, "true"], capture_output=True, timeout=10, check=False)
    return command if tried.returncode == 0 else None


def _address(settings: Settings) -> str:
    """BENTEVI_BIND as something `ip address add` takes; "" when loopback or every address is meant."""
    if settings.bind in ("0.0.0.0", "::", "localhost") or settings.bind.startswith("127.") or settings.bind == "::1":
        return ""
    return f"{settings.bind}/{128 if ':' in settings.bind else 32}"


def _start(settings: Settings, folder: Path) -> "subprocess.Popen[bytes]":
    prefix = isolation(settings) or ["setpriv", "--pdeathsig", "KILL", "--"]
    argv = [*prefix, *runtime.asterisk_argv("-C", str(folder / "asterisk.conf"), "-f")]
    with (folder / "stdout.log").open("wb") as output:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, start_new_session=True
        )


def _wait(process: "subprocess.Popen[bytes]", folder: Path) -> bool:
    ends_at = time.monotonic() + BOOT_SECONDS
    control = folder / "run" / "asterisk.ctl"
    while time.monotonic() < ends_at and process.poll() is None:
        if control.exists() and runtime.wait_booted(control, 2):  # less is too little for one answer on a busy machine
            return True
        time.sleep(0.005)
    return False


def _lives(owner: str) -> bool:
    """Whether the process that made a folder (`pid born`) still runs; a number given to another since does not count."""
    pid, _, born = owner.partition(" ")
    return pid.isdigit() and born != "" and _born(int(pid)) == born


def _born(pid: int) -> str:
    """When a process began, in ticks since the machine did; "" when there is none or it is dead (proc(5), fields 3, 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _main(settings: Settings, text: str, folder: Path) -> str:
    """The candidate's asterisk.conf with every folder but the shared data moved into the private one."""
    inside = re.compile(rf"=> {re.escape(str(settings.asterisk))}/(.*)$", re.M)
    kept = {"data": f"{settings.asterisk}/data", "modules": str(runtime.trial_modules(settings))}
    return inside.sub(lambda match: f"=> {kept.get(match[1]) or folder / match[1]}", text)


def _kill_if_ours(pid: int, folder: Path) -> None:
    """Ends the Asterisk of a folder and waits until it writes no more."""
    command_line = Path(f"/proc/{pid}/cmdline")
    ends_at = time.monotonic() + 2
    while time.monotonic() < ends_at and _is_of(command_line, folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _is_of(command_line: Path, folder: Path) -> bool:
    try:
        return os.fsencode(folder) in command_line.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _quiet_copy(folder: Path, files: Mapping[str, str]) -> None:
    """The candidate on free loopback ports and without anything that would call out. Line numbers stay."""
    for name, text in files.items():
        target = folder / "etc" / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_text(quiet(name, text), encoding="utf-8")


def quiet(name: str, text: str) -> str:
    """A file for a trial that shares the machine's network: free ports, no qualify, registrations commented out."""
    if name.endswith("pjsip.conf"):
        text = re.sub(r"(?m)^(\s*qualify_frequency\s*=).*$", r"\1 0", text)
        text = re.sub(r"(?m)^(\s*bind\s*=).*$", lambda match: f"{match[1]} 127.0.0.1:{_free_port()}", text)
        return re.sub(r"(?m)^\[[^\n]*\n(?:(?!\[)[^\n]*\n)*?\s*type\s*=\s*registration\s*\n(?:(?!\[)[^\n]*\n?)*",
                      lambda match: re.sub(r"(?m)^", ";", match[0].rstrip("\n")) + "\n", text)  # fmt: skip
    if name in ("manager.conf", "http.conf"):
        return re.sub(r"(?m)^(\s*(?:bind)?port\s*=).*$", lambda match: f"{match[1]} {_free_port()}", text)
    return text


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
