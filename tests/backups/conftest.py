"""Homes with backups, and where these go: a folder, a real server of SFTP, a stand-in for S3 that keeps state and speaks the protocol."""

import asyncio
import atexit
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from appliance.settings import CHECKOUT
from tests.databases.conftest import FILL, Filled
from tests.homes import free_ports
from tests.postgresql import Server, running

PASSWORD, PASSWORD_THERE = "senha-dos-backups-1", "senha do outro lado 1"
FILES = {
    "recordings/2026/11/20/000000001.mp3": 400_000, "recordings/2026/11/21/000000002.mp3": 300_000, "audio/1-abc.wav": 60_000,
    "asterisk/spool/voicemail/default/1/INBOX/msg0000.wav": 30_000, "reports/1-x.pdf": 10_000,
}


def environment_of(folder: Path) -> dict[str, str]:
    """Of a command that means this home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BENTEVI_")}
    return kept | {"BENTEVI_HOME": str(folder), "PYTHONPATH": str(CHECKOUT)}


class Kept(Filled):
    """A home whose every table has rows, with files of every kind, and settings of its backups: a copy of one that is made once."""

    made: Path | None = None

    def __init__(self, folder: Path, **policy: object) -> None:
        if Kept.made is None:
            Kept.made = Path(tempfile.mkdtemp(prefix="bt-")) / "home"
            atexit.register(shutil.rmtree, Kept.made.parent, ignore_errors=True)
            Filled(Kept.made, FILL)
            for name, size in FILES.items():
                (Kept.made / name).parent.mkdir(parents=True, exist_ok=True)
                (Kept.made / name).write_bytes(os.urandom(size))
        shutil.copytree(Kept.made, folder)
        folder.chmod(0o700)
        self.folder, self.environment = folder, environment_of(folder)
        self.policy(**{"kind": "disk", "address": str(folder.with_name("store")), "username": "", "password": None, "encryption_password": PASSWORD,
                       "keep_count": 5, "time": "02:30", "rehearse": True} | policy)

    def policy(self, **values: object) -> None:
        """Other settings, past the pages."""
        cipher = Fernet((self.folder / "secrets" / "key").read_bytes().strip())
        for name in {"password", "encryption_password"} & set(values):
            values[name] = cipher.encrypt(str(values[name]).encode()).decode() if values[name] else None
        with closing(sqlite3.connect(self.folder / "bentevi.sqlite")) as connection:
            connection.execute(f"UPDATE backup_policy SET {', '.join(f'{name} = ?' for name in values)} WHERE id = 1", list(values.values()))
            connection.commit()

    def files(self) -> dict[str, bytes]:
        """What must come back byte by byte."""
        folders = ("recordings", "audio", "reports", "asterisk/spool/voicemail")
        found = {str(file.relative_to(self.folder)): file.read_bytes() for name in folders for file in (self.folder / name).rglob("*") if file.is_file()}
        return found | {"key": (self.folder / "secrets" / "key").read_bytes()}

    def rows(self) -> dict[str, list[object]]:
        """Tables by digest and last id; the list of backups and the alarms tell of the backups themselves."""
        return {name: held for name, held in self.held().items() if name not in ("backups", "alarms")}


class Bare(Filled):
    """A folder that is no home yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = environment_of(folder) | {"BENTEVI_BACKUP_PASSWORD": PASSWORD}

    files, rows = Kept.files, Kept.rows


@pytest.fixture
def place() -> Iterator[Path]:
    """A short folder: sockets of a home must fit into it."""
    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Server]:
    """A PostgreSQL server of these tests."""
    with running() as server:
        yield server


@pytest.fixture
def sshd(place: Path) -> Iterator[tuple[str, Path]]:
    """(host:port, file of keys it lets in) of a server of SFTP whose folders are this machine's."""
    folder = place / "sshd"
    folder.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")], check=True)
    (port,) = free_ports(1)
    (folder / "config").write_text(f"""
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
""")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with open(folder / "log", "wb") as log, subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")], stderr=log) as process:
        ends_at = time.monotonic() + 20
        while b"listening" not in (folder / "log").read_bytes():
            assert time.monotonic() < ends_at and process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"127.0.0.1:{port}", folder / "keys"
        process.send_signal(signal.SIGTERM)


@pytest.fixture
def asking_sshd(place: Path) -> Iterator[tuple[str, list[str]]]:
    """(host:port, passwords it was told) of a server of SFTP that lets `ana` in by the password PASSWORD_THERE, and by nothing else."""
    import asyncssh

    told: list[str] = []

    class Door(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            told.append(password)
            return (username, password) == ("ana", PASSWORD_THERE)

    class Files(asyncssh.SFTPServer):
        def exit(self) -> None:
            self.channel.exit(0)  # as OpenSSH's ends; the library would end the session without a word

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    (port,) = free_ports(1)

    async def opened() -> asyncssh.SSHAcceptor:
        key = asyncssh.generate_private_key("ssh-ed25519")
        return await asyncssh.create_server(Door, "127.0.0.1", port, server_host_keys=[key], sftp_factory=Files)

    server = asyncio.run_coroutine_threadsafe(opened(), loop).result(20)
    yield f"127.0.0.1:{port}", told
    loop.call_soon_threadsafe(server.close)
    asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of a store that speaks S3."""
    from moto.server import ThreadedMotoServer

    (port,) = free_ports(1)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def killed_at(home: Filled, line: str, *words: str) -> bool:
    """Run a command and kill -9 it and all it started as soon as it says something that begins so. False when it never did."""
    with subprocess.Popen([sys.executable, "-u", "-m", "appliance.cli", *words], env=home.environment, cwd=CHECKOUT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, start_new_session=True) as process:  # fmt: skip
        for said in process.stdout:
            if said.startswith(line):
                os.killpg(process.pid, signal.SIGKILL)
                return True
    return False
