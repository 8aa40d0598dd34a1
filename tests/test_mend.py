"""Files that a power cut or an ailing disk spoilt are noticed, and mended or set aside before their programs start (SYS-23)."""

import shutil
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
import redis

from appliance import mend, settings
from appliance.telephony import store


@pytest.fixture
def folder():
    """A short one: a socket must fit into it."""
    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Kept:
    """A real Redis with an append-only file, stopped by a crash at the end of the block."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(self.folder / "s"), "--dir", str(self.folder), "--appendonly", "yes",
                                         "--appendfsync", "always", "--save", ""], stdout=subprocess.DEVNULL)  # fmt: skip
        self.asked = redis.Redis(unix_socket_path=str(self.folder / "s"), decode_responses=True)
        ends_at = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < ends_at:
            try:
                self.asked.ping()
                return self
            except redis.RedisError:
                time.sleep(0.05)
        self.process.kill()
        self.process.wait()
        raise RuntimeError("Redis does not start")

    def __exit__(self, *_error):
        self.asked.close()
        self.process.kill()
        self.process.wait()
        (self.folder / "s").unlink(missing_ok=True)


def spoil(file, place):
    """Forty bytes of nothing in the midst of it."""
    content = bytearray(file.read_bytes())
    content[place : place + 40] = bytes(40)
    file.write_bytes(content)


def test_what_can_be_read_of_redis_stays_and_what_cannot_is_set_aside(folder, capfd):
    with Kept(folder) as store:
        for number in range(200):
            store.asked.set(f"key-{number:03}", "x" * 50)
    grown, base = (next((folder / "appendonlydir").glob(f"*.{kind}")) for kind in ("incr.aof", "base.rdb"))
    spoil(grown, grown.stat().st_size // 2)
    with pytest.raises(RuntimeError):
        Kept(folder).__enter__()
    mend.redis(folder)
    with Kept(folder) as store:
        assert 80 < len(store.asked.keys()) < 120, "the half that can be read"
    mend.redis(folder)
    assert not (folder / "damaged").exists() and not capfd.readouterr().err, "a whole one is left as it is"
    spoil(base, 0)
    mend.redis(folder)
    assert "set aside" in capfd.readouterr().err and (folder / "damaged").is_dir()
    with Kept(folder) as store:
        assert store.asked.keys() == []


def test_asterisks_own_database_is_set_aside_only_when_it_is_damaged(folder, capfd):
    file = folder / "astdb.sqlite3"
    mend.astdb(file)
    assert not file.exists()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE astdb (key TEXT, value TEXT, PRIMARY KEY(key))")
        connection.executemany("INSERT INTO astdb VALUES (?, ?)", [(f"/registrar/contact/{number}", "x" * 300) for number in range(500)])
        connection.commit()
    whole = file.read_bytes()
    mend.astdb(file)
    assert file.read_bytes() == whole and not capfd.readouterr().err
    for damage in (b"\xa5" * 8192, whole[:4096] + b"\xa5" * 4096 + whole[8192:]):
        file.write_bytes(damage)
        mend.astdb(file)
        assert not file.exists() and file.with_name("astdb.sqlite3.damaged").read_bytes() == damage and "set aside" in capfd.readouterr().err


def test_a_database_another_still_holds_is_not_damaged(folder, capfd):
    """An Asterisk that was not gone yet: where telephones registered from would be lost for nothing."""
    file = folder / "astdb.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE astdb (key TEXT, value TEXT, PRIMARY KEY(key))")
        connection.execute("BEGIN EXCLUSIVE")
        mend.astdb(file)
    assert file.exists() and not capfd.readouterr().err


def test_a_revision_knows_whether_its_files_are_those_that_were_written(folder):
    machine = settings.load({"BENTEVI_HOME": str(folder)})
    files = {"one.conf": "[a]\r\nb = ç\n", "part/two.conf": "x\n"}
    where = store.write(machine, 1, files, {})
    assert store.is_intact(machine, 1), "line ends of another kind are no damage"
    for name, spoilt in (("etc/one.conf", b""), ("etc/part/two.conf", b"\xff\xfe"), (store.DIGESTS, b""), (store.DIGESTS, b"\xa5\xa5")):
        kept = (where / name).read_bytes()
        (where / name).write_bytes(spoilt)
        assert not store.is_intact(machine, 1), name
        (where / name).write_bytes(kept)
    (where / "etc" / "one.conf").unlink()
    assert not store.is_intact(machine, 1) and not store.is_intact(machine, 2)
