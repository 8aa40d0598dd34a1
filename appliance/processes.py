"""TABLE: the processes of one home: how each is started, how long it may take to stop, and what shows that it answers.

The supervisor starts them in this order and stops them in the opposite one; the appliance's systemd units run the same
command lines, some of them several, by a supervisor of their own.
"""

import getpass
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance import mend, ports
from appliance.errors import Busy, Refused
from appliance.settings import CHECKOUT, Settings
from appliance.telephony import agi, runtime

if TYPE_CHECKING:
    import redis

RECORDS_SECONDS = 15  # a transaction of thousands of lines may take some

Command = Callable[[Settings], list[str]]
Answers = Callable[[Settings, int], bool]


@dataclass(frozen=True)
class Process:
    """One long-running program. `answers` gets the pid of the running one and may take up to about two seconds."""

    name: str
    command: Command
    answers: Answers
    stop_seconds: int = 10  # from SIGTERM to SIGKILL
    needed_by_next: bool = False  # the next ones start only when this one answers
    has_rows: bool = False  # started again when the home gets another database
    unit: str = ""  # of the appliance: the unit that forks it, where several share the memory of one program; "" is a unit of its own
    memory_mb: int = 0  # at most, where such a unit forks it; the others' limits stand in their units


def redis_command(settings: Settings) -> list[str]:
    """Private Redis: no TCP port; every change is in the append-only file at once and on the disk within two seconds. It looks after itself once a
    second: ten times, its own way, is work for nothing where few ask it anything."""
    folder = settings.home / "redis"
    folder.mkdir(exist_ok=True)
    mend.redis(folder)
    return ["redis-server", "--port", "0", "--unixsocket", str(settings.run / "redis.sock"), "--unixsocketperm", "700",
            "--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--hz", "1"]  # fmt: skip


def asterisk_command(settings: Settings) -> list[str]:
    """Asterisk in the foreground, on the revision in force."""
    mend.astdb(settings.asterisk / "var" / "astdb.sqlite3")
    ports.note_start(settings)
    return runtime.asterisk_argv("-f", "-C", str(settings.asterisk / "etc" / "asterisk.conf"))


def proving_command(settings: Settings) -> list[str]:
    """Boots each revision cold after the switch and keeps the second Asterisk that tries the next one."""
    return [sys.executable, "-m", "appliance.proving"]


def web_command(settings: Settings) -> list[str]:
    """Pages and API behind nginx. Threads, because requests wait for rows and for Redis, not for the processor."""
    return [sys.executable, "-m", "gunicorn", "web.app:create_app()", "--chdir", str(CHECKOUT), "--config", "python:web.serving",
            "--bind", f"unix:{settings.run / 'web.sock'}", "--umask", "0o077", "--no-control-socket",
            "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--graceful-timeout", "5"]  # fmt: skip


def worker_command(settings: Settings) -> list[str]:
    """The jobs people wait for."""
    return [sys.executable, "-m", "jobs.worker", "telephony", "default"]


def reports_command(settings: Settings) -> list[str]:
    """Report files, one after another: a long one must not delay an apply."""
    return [sys.executable, "-m", "jobs.worker", "reports"]


def backups_command(settings: Settings) -> list[str]:
    """Backups, which may take hours the first time: nothing else waits for them."""
    return [sys.executable, "-m", "jobs.worker", "backups"]


def cron_command(settings: Settings) -> list[str]:
    """What runs at which minute or hour."""
    return [sys.executable, "-m", "jobs.cron"]


def records_command(settings: Settings) -> list[str]:
    """What Asterisk notes about calls goes into the database."""
    return [sys.executable, "-m", "appliance.records"]


def events_command(settings: Settings) -> list[str]:
    """The listener to Asterisk's events, which keeps the picture of what is true now."""
    return [sys.executable, "-m", "appliance.events"]


def live_command(settings: Settings) -> list[str]:
    """The streams. One worker: it holds the one subscription to Redis and every open page."""
    return [sys.executable, "-m", "gunicorn", "web.live:app", "--chdir", str(CHECKOUT),
            "--bind", f"unix:{settings.run / 'live.sock'}", "--umask", "0o077", "--no-control-socket",
            "--worker-class", "asgi", "--workers", "1", "--worker-connections", "4000", "--timeout", "60",
            "--graceful-timeout", "5"]  # fmt: skip


def agi_command(settings: Settings) -> list[str]:
    """Answers what the dialplan asks during a call."""
    return [sys.executable, "-m", "appliance.agi_scripts"]


def nginx_command(settings: Settings) -> list[str]:
    """nginx with a configuration written here at each start, and a certificate if none was given."""
    # Large, as what is read below, and needed by few: every unit of the appliance reads this table before it starts.
    from appliance import own_certificate

    folder = settings.home / "nginx"
    folder.mkdir(exist_ok=True)
    own_certificate.ensure(settings.secrets, settings.bind)
    (folder / "nginx.conf").write_text(nginx_conf(settings))
    return [program("nginx"), "-e", "stderr", "-p", f"{settings.home}/", "-c", "nginx/nginx.conf"]


def nginx_conf(settings: Settings) -> str:
    """The whole configuration, from appliance/nginx.conf.j2."""
    import jinja2

    from appliance import own_certificate

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(CHECKOUT / "appliance"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # not HTML; front_door.check_home refuses paths that nginx could read as anything else
        trim_blocks=True,
    )
    return environment.get_template("nginx.conf.j2").render(
        address=f"[{settings.bind}]" if ":" in settings.bind else settings.bind,
        http_port=settings.http_port,
        https_port=settings.https_port,
        web=CHECKOUT / "web",
        home=settings.home,
        certificate=own_certificate.path(settings.secrets),
        ws_port=settings.ws_port,
        mime_types="/etc/nginx/mime.types",
        as_root=os.geteuid() == 0,
        user=getpass.getuser(),
        has_http2_directive=nginx_version() >= (1, 25, 1),
    )


def nginx_version() -> tuple[int, ...]:
    """For example (1, 22, 1). Newer ones warn about the older way to ask for HTTP/2."""
    said = subprocess.run([program("nginx"), "-v"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(number) for number in found.groups()) if found else (0,)


def program(name: str) -> str:
    """Full path of a program, also of one in /usr/sbin, which is not on an ordinary user's path."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise Refused(f"{name} is not installed. Start with ./bentevi, which installs it.")
    return path


def _of_redis(settings: Settings, question: Callable[["redis.Redis"], Any]) -> Any:
    """Its answer; None when Redis gives none."""
    import redis

    try:
        with redis.Redis.from_url(settings.redis_url, socket_timeout=1, decode_responses=True) as connection:
            return question(connection)
    except redis.RedisError:
        return None


def redis_answers(settings: Settings, pid: int) -> bool:
    """It has loaded its file and takes commands."""
    return bool(_of_redis(settings, lambda connection: connection.ping()))


def asterisk_answers(settings: Settings, pid: int) -> bool:
    """Every module is loaded; the control socket exists well before that."""
    try:
        return "fully booted" in runtime.command(runtime.control(settings), "core waitfullybooted", timeout=2).lower()
    except Busy:
        return False


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket, which the standard library does not offer."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def _status(connection: http.client.HTTPConnection) -> int:
    """The HTTP status of /healthz; 0 when nothing answers."""
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


WELL, WAITING = 200, 503  # what the pages say of themselves: all is well; or they are, and the database or Redis is not


def web_answers(settings: Settings, pid: int) -> bool:
    """The application answers. Starting it again would not bring a database back that is away."""
    return _status(_UnixConnection(settings.run / "web.sock", timeout=2)) in (WELL, WAITING)


def events_answers(settings: Settings, pid: int) -> bool:
    """It says every second that it lives."""
    return bool(_of_redis(settings, lambda connection: connection.exists("live:beat")))


def live_answers(settings: Settings, pid: int) -> bool:
    """Streams can be opened."""
    return _status(_UnixConnection(settings.run / "live.sock", timeout=2)) == WELL


def worker_answers(settings: Settings, pid: int) -> bool:
    """A worker that registered itself belongs to this process; entries of a killed one stay in Redis for minutes."""
    pids = _of_redis(settings, lambda connection: [connection.hget(str(key), "pid") for key in connection.smembers("rq:workers")])
    return any(_session(int(str(found))) == pid for found in pids or () if found)


def cron_answers(settings: Settings, pid: int) -> bool:
    """A scheduler of this process told Redis of itself."""
    names = _of_redis(settings, lambda connection: connection.zrange("rq:cron_schedulers", 0, -1))
    return any(str(name).split(":")[1:2] == [str(pid)] for name in names or ())


def records_answers(settings: Settings, pid: int) -> bool:
    """It noted in its small file, some seconds ago at most, that it works; also while it waits for the database."""
    file = settings.home / "records.json"
    try:
        return json.loads(file.read_text()).get("pid") == pid and time.time() - file.stat().st_mtime < RECORDS_SECONDS
    except (FileNotFoundError, ValueError):
        return False


def proving_answers(settings: Settings, pid: int) -> bool:
    """It noted that it began."""
    try:
        return json.loads((settings.run / "proving.json").read_text()).get("pid") == pid
    except (FileNotFoundError, ValueError):
        return False


def agi_answers(settings: Settings, pid: int) -> bool:
    """It answers a question that changes nothing, as Asterisk would put it."""
    try:
        return "BENTEVI_ANSWERED" in agi.ask(settings.agi_port, (settings.secrets / "agi_token").read_text().strip(), "alive")
    except OSError:
        return False


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def nginx_answers(settings: Settings, pid: int) -> bool:
    """Both ports lead to the pages; the plain one may send to the other, which depends on the address bound."""
    host = reachable(settings.bind)
    any_certificate = ssl.create_default_context()
    any_certificate.check_hostname, any_certificate.verify_mode = False, ssl.CERT_NONE
    encrypted = http.client.HTTPSConnection(host, settings.https_port, timeout=2, context=any_certificate)
    plain = http.client.HTTPConnection(host, settings.http_port, timeout=2)
    return _status(plain) in (WELL, WAITING, 301) and _status(encrypted) in (WELL, WAITING)


def reachable(bind: str) -> str:
    """The address under which this machine reaches itself."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)


PROCESSES = [
    Process("redis", redis_command, redis_answers, needed_by_next=True),
    Process("asterisk", asterisk_command, asterisk_answers),
    Process("proving", proving_command, proving_answers, has_rows=True, unit="program", memory_mb=700),
    Process("records", records_command, records_answers, has_rows=True, unit="program", memory_mb=400),
    Process("events", events_command, events_answers, unit="program", memory_mb=300),
    Process("agi", agi_command, agi_answers, has_rows=True, unit="program", memory_mb=250),
    Process("web", web_command, web_answers, has_rows=True, unit="pages", memory_mb=700),
    Process("live", live_command, live_answers, has_rows=True, unit="pages", memory_mb=400),
    Process("worker", worker_command, worker_answers, stop_seconds=20, has_rows=True, unit="program", memory_mb=900),
    Process("reports", reports_command, worker_answers, stop_seconds=20, has_rows=True, unit="program", memory_mb=900),
    Process("backups", backups_command, worker_answers, stop_seconds=20, has_rows=True, unit="program", memory_mb=1200),
    Process("cron", cron_command, cron_answers, has_rows=True, unit="program", memory_mb=200),
    Process("nginx", nginx_command, nginx_answers, stop_seconds=5),
]


def processes(settings: Settings) -> list[Process]:
    """Those of this home: a Redis given by BENTEVI_REDIS_URL is run by somebody else."""
    own_redis = settings.redis_url == f"unix://{settings.run / 'redis.sock'}"
    return [process for process in PROCESSES if process.name != "redis" or own_redis]
