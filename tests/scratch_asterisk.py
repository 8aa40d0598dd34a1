"""A throw-away Asterisk 22 on ports of its own, from a folder of its own, for proving the phones.

The product has its own way to start Asterisk; this one knows nothing of rows or revisions.
"""

import os
import socket
import subprocess
import time
import wave
from array import array
from math import pi, sin
from pathlib import Path

START_SECONDS, STOP_SECONDS, POLL_SECONDS = 30.0, 20.0, 0.05
MUSIC_HZ = 450
FOLDERS = ["etc", "var", "spool/tmp", "spool/monitor", "spool/voicemail", "run", "log", "data/sounds", "data/moh"]
# Declined anyway without a configuration of their own, or open ports that nobody asked for.
LEFT_OUT = ["app_voicemail_odbc", "res_odbc_transaction", "chan_iax2", "chan_unistim", "pbx_dundi", "res_hep",
            "res_phoneprov", "res_xmpp", "chan_motif", "cdr_sqlite3_custom", "cel_sqlite3_custom"]  # fmt: skip


def asterisk_root() -> Path:
    """The private root that set-up makes, else the machine's own. Raises FileNotFoundError when there is neither."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bentevi" / "asterisk-root"
    for root in (cache, Path("/")):
        if (root / "usr/sbin/asterisk").exists():
            return root
    raise FileNotFoundError(f"no Asterisk in {cache} nor in /usr/sbin: let the set-up make the private root first")


def free_udp_port() -> int:
    """A UDP port that nobody had on 127.0.0.1 a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ScratchAsterisk:
    """Runs between `start` and `stop`. `files` are names in etc/ and their text; `sip_port` is for pjsip.conf.

    Music on hold is a tone of 450 Hz.
    """

    def __init__(self, folder: Path, sip_port: int, files: dict[str, str]) -> None:
        self.folder, self.sip_port, self.root = folder, sip_port, asterisk_root()
        self.exchange = ("127.0.0.1", sip_port)
        self.files = {"asterisk.conf": self._asterisk_conf(), "modules.conf": self._modules_conf(),
                      "logger.conf": "[logfiles]\nmessages.log => notice,warning,error,verbose(3)\n",
                      "rtp.conf": self._rtp_conf(),
                      "musiconhold.conf": f"[default]\nmode=files\ndirectory={folder}/data/moh\n", **files}  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "ScratchAsterisk":
        self._write()
        with (self.folder / "log/output.log").open("ab") as output:
            self._process = subprocess.Popen(self._command("-f"), stdout=output, stderr=output,
                                             stdin=subprocess.DEVNULL, cwd=self.folder)  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while "fully booted" not in self._try_cli("core waitfullybooted").lower():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Asterisk did not start:\n{self.log()}")
            time.sleep(POLL_SECONDS)
        return self

    def cli(self, command: str) -> str:
        """What the command prints. Raises RuntimeError when Asterisk cannot be asked."""
        answer = self._run_cli(command)
        if answer.returncode:
            raise RuntimeError(f"{command}: {answer.stdout}{answer.stderr}\n{self.log()}")
        return answer.stdout

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def log(self, last: int = 60) -> str:
        """The end of its log, for failure texts."""
        texts = [path.read_text(errors="replace") for path in sorted((self.folder / "log").glob("*.log"))]
        return "\n".join("\n".join(texts).splitlines()[-last:])

    def _try_cli(self, command: str) -> str:
        return self._run_cli(command).stdout if (self.folder / "run/asterisk.ctl").exists() else ""

    def _run_cli(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._command("-rx", command), capture_output=True, text=True, timeout=60)

    def _command(self, *options: str) -> list[str]:
        """A private root is started through its own loader, with its own libraries."""
        start = [f"{self.root}/usr/sbin/asterisk"]
        if self.root != Path("/"):
            start = [str(self._loader()), "--library-path", str(self._libraries()), *start]
        return [*start, "-C", f"{self.folder}/etc/asterisk.conf", *options]

    def _loader(self) -> Path:
        places = ("lib64/ld-linux*", "usr/lib64/ld-linux*", "usr/lib/*/ld-linux*", "lib/ld-linux*")
        return next(path for place in places for path in sorted(self.root.glob(place)))

    def _libraries(self) -> Path:
        return next(iter(sorted(self.root.glob("usr/lib/*-linux-gnu*"))), self.root / "usr/lib")

    def _write(self) -> None:
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        share = self.root / "usr/share/asterisk"
        english = next(iter(sorted(share.glob("sounds/en_US*"))), share / "sounds/en")
        for name, target in (("documentation", share / "documentation"), ("sounds/en", english)):
            (self.folder / "data" / name).symlink_to(target)
        for name, text in self.files.items():
            (self.folder / "etc" / name).write_text(text)
        _write_tone(self.folder / "data/moh/music.wav", MUSIC_HZ)

    def _asterisk_conf(self) -> str:
        places = {"etc": "etc", "varlib": "var", "db": "var", "key": "var", "data": "data", "agi": "var",
                  "spool": "spool", "run": "run", "log": "log"}  # fmt: skip
        lines = [f"ast{name}dir => {self.folder}/{place}" for name, place in places.items()]
        lines.append(f"astmoddir => {self._libraries()}/asterisk/modules")
        return "\n".join(["[directories]", *lines, "[options]", "nocolor = yes", "verbose = 3", ""])

    def _modules_conf(self) -> str:
        return "\n".join(["[modules]", "autoload=yes", *(f"noload => {name}.so" for name in LEFT_OUT), ""])

    def _rtp_conf(self) -> str:
        """Taken ports of the range are skipped by Asterisk itself."""
        start = 20000 + (self.sip_port * 7 % 6000) * 2
        return f"[general]\nrtpstart={start}\nrtpend={start + 400}\n"


def _write_tone(path: Path, frequency: int) -> None:
    samples = array("h", (round(8000 * sin(2 * pi * frequency * n / 8000)) for n in range(8000)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
