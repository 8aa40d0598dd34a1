"""One emulated machine: started, watched, asked over SSH and HTTPS, photographed, and always stopped by its own pid."""

import base64
import contextlib
import http.client
import shutil
import socket
import ssl
import subprocess
import time
import zlib
from pathlib import Path

FIRMWARE = Path("/usr/share/OVMF")
SSH_SECONDS = 600
STOPS = ("Kernel panic", "INSTALL ERROR", "You are in emergency mode", "end Kernel panic")


class Failed(Exception):
    """The proof did not come about; the text says where it stopped."""


def free_port() -> int:
    """A port nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Machine:
    """A PC with two processors and 2 GB. `firmware`: bios, uefi or secureboot. `tap`: its network is this device, and it is found at `address`;
    else ports of this machine lead to it. One that `restarts` does so when it wants to; else it ends there. Leaves NAME.serial and NAME-*.png in `folder`."""

    limits_memory = True  # its kernel does, for every process of its own

    def __init__(self, folder: Path, name: str, *, firmware: str = "bios", answers: str = "", network: bool = True, timeout_seconds: int = 1500,
                 tap: str = "", address: str = "127.0.0.1", restarts: bool = False) -> None:
        self.tap, self.address, self.restarts = tap, address, restarts
        self.folder, self.name, self.firmware, self.answers, self.network = folder, name, firmware, answers, network
        self.ends_at, self.began = time.monotonic() + timeout_seconds, time.monotonic()
        self.ssh_port, self.https_port, self.http_port = (22, 443, 80) if tap else (free_port(), free_port(), free_port())
        self.serial, self.monitor = folder / f"{name}.serial", folder / f"{name}.monitor"
        self.disks: list[str] = []
        self.first_disk = Path()  # what it writes to now
        self.process: subprocess.Popen[bytes] | None = None

    def disk(self, file: Path, *, bus: str = "virtio", thrown_away: bool = False) -> "Machine":
        """Attach a disk; `thrown_away`: what is written to it is forgotten."""
        number = len(self.disks)
        if not number:
            self.first_disk = file
        kind = "qcow2" if file.suffix == ".qcow2" else "raw"
        words = f"file={file},format={kind},cache=unsafe,if=none,id=d{number}{',snapshot=on' if thrown_away else ''}"
        device = {"virtio": f"virtio-blk-pci,drive=d{number},serial=disk{number}", "sata": f"ide-hd,drive=d{number},serial=disk{number}",
                  "nvme": f"nvme,drive=d{number},serial=disk{number}"}[bus]  # fmt: skip
        self.disks += ["-drive", words, "-device", device]
        return self

    def medium(self, iso: Path, *, stick: bool = False) -> "Machine":
        """The ISO, as a disc or written to a stick."""
        if stick:
            self.disks += ["-device", "qemu-xhci", "-drive", f"file={iso},format=raw,readonly=on,if=none,id=stick",
                           "-device", "usb-storage,drive=stick,bootindex=0"]
        else:
            self.disks += ["-drive", f"file={iso},media=cdrom,readonly=on", "-boot", "d"]
        return self

    def words(self) -> list[str]:
        """The command line. Emulated also where the kernel could do better, so that figures compare; `max` is every instruction there is."""
        smm = ",smm=on" if self.firmware == "secureboot" else ""
        words = ["qemu-system-x86_64", "-machine", f"q35{smm}", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
                 "-m", "2048", "-display", "none", "-serial", f"file:{self.serial}", "-monitor", f"unix:{self.monitor},server,nowait",
                 *([] if self.restarts else ["-no-reboot"]), "-device", "virtio-rng-pci", *self.disks]  # fmt: skip
        if self.tap:
            words += ["-netdev", f"tap,id=n0,ifname={self.tap},script=no,downscript=no", "-device", "virtio-net-pci,netdev=n0"]
        elif self.network:
            forward = ",".join(f"hostfwd=tcp:127.0.0.1:{ours}-:{theirs}" for ours, theirs in
                               ((self.ssh_port, 22), (self.https_port, 443), (self.http_port, 80)))
            words += ["-netdev", f"user,id=n0,{forward}", "-device", "virtio-net-pci,netdev=n0"]
        else:
            words += ["-nic", "none"]
        if self.answers:
            text = base64.b64encode(self.answers.encode()).decode()
            words += ["-smbios", f"type=11,value=io.systemd.credential.binary:bentevi.install={text}"]
        if self.firmware != "bios":
            secure = self.firmware == "secureboot"
            variables = self.folder / f"{self.name}.vars"
            shutil.copy(FIRMWARE / ("OVMF_VARS_4M.ms.fd" if secure else "OVMF_VARS_4M.fd"), variables)
            words += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE / ('OVMF_CODE_4M.secboot.fd' if secure else 'OVMF_CODE_4M.fd')}",
                      "-drive", f"if=pflash,format=raw,file={variables}"]
            words += ["-global", "driver=cfi.pflash01,property=secure,value=on"] if secure else []
        return words

    def __enter__(self) -> "Machine":
        self.serial.unlink(missing_ok=True)
        self.monitor.unlink(missing_ok=True)
        self.began = time.monotonic()
        with (self.folder / f"{self.name}.qemu").open("wb") as out:
            self.process = subprocess.Popen(self.words(), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            if self.running:
                self.picture("end")
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.monitor.unlink(missing_ok=True)

    @property
    def running(self) -> bool:
        """Whether the emulator runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def seconds(self) -> float:
        """Since power on."""
        return round(time.monotonic() - self.began, 1)

    def said(self) -> str:
        """Everything on the serial line."""
        return self.serial.read_text(errors="replace") if self.serial.exists() else ""

    def look(self) -> None:
        """Raises Failed when there is no hope, or no time."""
        text = self.said()
        for word in STOPS:
            if word in text:
                at = text.index(word)
                raise Failed(f"{self.name}: {text[at:at + 300].splitlines()[0]}")
        if time.monotonic() > self.ends_at:
            raise Failed(f"{self.name}: not ready in time; the end of the serial line:\n{text[-1500:]}")

    def wait_for(self, ready, what: str, every_seconds: float = 1.0) -> float:
        """Until ready() is true; the seconds since power on."""
        while not ready():
            self.look()
            if not self.running:
                raise Failed(f"{self.name}: ended while waiting for {what}")
            time.sleep(every_seconds)
        print(f"{self.name}: {what} {self.seconds} s", flush=True)
        return self.seconds

    def wait_off(self) -> float:
        """Until it switched itself off (or asked for a restart, which ends the emulator)."""
        while self.running:
            self.look()
            time.sleep(1)
        print(f"{self.name}: off {self.seconds} s", flush=True)
        return self.seconds

    def ask_monitor(self, text: str) -> None:
        """One line to QEMU's monitor."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.monitor))
            line.sendall(text.encode() + b"\n")
            time.sleep(1)

    def picture(self, word: str) -> None:
        """What is on the screen now, as NAME-WORD.png."""
        raw, target = self.folder / f"{self.name}.ppm", self.folder / f"{self.name}-{word}.png"
        self.ask_monitor(f"screendump {raw}")
        target.write_bytes(png(raw.read_bytes()))
        raw.unlink()

    def keys(self, *names: str) -> None:
        """Presses keys, as QEMU calls them (ret, tab, a, shift-a…)."""
        for name in names:
            self.ask_monitor(f"sendkey {name}")

    def https(self, path: str) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers; (0, "", {}) when nothing answers."""
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(self.address, self.https_port, timeout=10, context=context)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace"), dict(answer.getheaders())
        except (OSError, http.client.HTTPException):
            return 0, "", {}
        finally:
            connection.close()

    def greets_by_ssh(self) -> bool:
        """Whether sshd says its line."""
        try:
            with socket.create_connection((self.address, self.ssh_port), 3) as line:
                line.settimeout(3)
                return line.recv(64).startswith(b"SSH")
        except OSError:
            return False

    def ssh(self, command: str, key: Path, *, sudo_password: str = "", check: bool = True) -> str:
        """A command as the administrator; with a password, as root. Raises Failed when it fails (unless not to be checked)."""
        if sudo_password:
            command = f"sudo -S -p '' -- sh -c {quoted(command)}"
        run = subprocess.run(self.ssh_words(command, key), input=f"{sudo_password}\n" if sudo_password else None, stdin=None if sudo_password else subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=SSH_SECONDS, check=False)
        if check and run.returncode:
            raise Failed(f"{self.name}: {command}: {run.returncode}\n{run.stdout[-1000:]}{run.stderr[-1000:]}")
        return run.stdout

    def ssh_words(self, command: str, key: Path) -> list[str]:
        return ["ssh", "-i", str(key), "-p", str(self.ssh_port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                "-o", "ConnectTimeout=30", "-o", "IdentitiesOnly=yes", f"admin@{self.address}", command]

    def put(self, file: Path, name: str, key: Path) -> str:
        """A file into the administrator's folder; its name there."""
        with file.open("rb") as stream:
            subprocess.run(self.ssh_words(f"cat > {name}", key), stdin=stream, check=True, timeout=1800)
        return name

    def fetch(self, name: str, file: Path, key: Path) -> None:
        """One of the administrator's files."""
        with file.open("wb") as out:
            subprocess.run(self.ssh_words(f"cat {name}", key), stdin=subprocess.DEVNULL, stdout=out, check=True, timeout=1800)

    def freeze(self, further: Path) -> Path:
        """From this moment on the first disk's changes go to `further`. Returns the file that stays as it is: what a power cut would have left now."""
        kept = self.first_disk
        self.ask_monitor(f"snapshot_blkdev d0 {further} qcow2")
        if not further.exists():
            raise Failed(f"{self.name}: the disk cannot be set aside as {further}")
        self.first_disk = further
        return kept

    def pull_the_plug(self) -> None:
        """As when the current fails: what the machine did not write is gone."""
        assert self.process
        self.process.kill()
        self.process.wait()


def quoted(text: str) -> str:
    """As one word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def png(ppm: bytes) -> bytes:
    """QEMU's picture as one a browser shows. Source: the PNG specification, colour type 2."""
    magic, width, height, _depth = ppm.split(maxsplit=4)[:4]
    assert magic == b"P6", magic
    wide, high = int(width), int(height)
    pixels = ppm[-wide * high * 3 :]
    lines = b"".join(b"\0" + pixels[at : at + wide * 3] for at in range(0, len(pixels), wide * 3))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = wide.to_bytes(4, "big") + high.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
