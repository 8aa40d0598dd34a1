"""Where this home lives and which addresses it uses: everything comes from the environment, with these defaults."""

import os
from dataclasses import dataclass, field
from pathlib import Path

# How people begin the address of a database → how SQLAlchemy calls the driver.
DATABASES = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """One home. Two homes with different folders and ports run side by side on one machine."""

    home: Path
    bind: str
    http_port: int
    https_port: int
    sip_port: int
    rtp_start: int
    rtp_end: int
    ami_port: int
    agi_port: int
    ws_port: int
    database_url: str = field(repr=False)  # may hold a password
    redis_url: str

    @property
    def run(self) -> Path:
        """Sockets and process ids; empty after `down`."""
        return self.home / "run"

    @property
    def log(self) -> Path:
        """One file per process."""
        return self.home / "log"

    @property
    def secrets(self) -> Path:
        """Generated keys and passwords, one 0600 file each; never in a backup of rows."""
        return self.home / "secrets"

    @property
    def database_file(self) -> Path:
        """Where the address of this home's database stands when it is not the SQLite file every home begins with."""
        return self.secrets / "database_url"

    @property
    def sqlite_file(self) -> Path:
        """The database every home begins with."""
        return self.home / "bentevi.sqlite"

    @property
    def revisions(self) -> Path:
        """One folder per applied revision, named by its number."""
        return self.home / "revisions"

    @property
    def asterisk(self) -> Path:
        """Asterisk's own state: `etc` is a link to the revision in force; var, spool, log and run are real folders."""
        return self.home / "asterisk"


def load(environment: dict[str, str] | None = None) -> Settings:
    """The settings of this process. Raises ValueError with the variable's name when one is no number."""
    env = os.environ if environment is None else environment
    home = Path(env.get("BENTEVI_HOME") or CHECKOUT / "var").resolve()
    start, _, end = env.get("BENTEVI_RTP_PORTS", "10000-20000").partition("-")
    return Settings(
        home=home,
        bind=env.get("BENTEVI_BIND", "127.0.0.1"),
        http_port=_port(env, "BENTEVI_HTTP_PORT", 8080),
        https_port=_port(env, "BENTEVI_HTTPS_PORT", 8443),
        sip_port=_port(env, "BENTEVI_SIP_PORT", 5060),
        rtp_start=int(start),
        rtp_end=int(end or start),
        ami_port=_port(env, "BENTEVI_AMI_PORT", 5038),
        agi_port=_port(env, "BENTEVI_AGI_PORT", 4573),
        ws_port=_port(env, "BENTEVI_WS_PORT", 8088),
        database_url=_database_url(env.get("BENTEVI_DATABASE_URL", ""), home),
        redis_url=env.get("BENTEVI_REDIS_URL") or f"unix://{home}/run/redis.sock",
    )


def _database_url(given: str, home: Path) -> str:
    """What the environment says, else the home's own file, else SQLite in the home. Raises ValueError without showing a password."""
    name, file = "BENTEVI_DATABASE_URL", home / "secrets" / "database_url"
    if not given and file.exists():
        name, given = str(file), file.read_text(encoding="utf-8").strip()
    if not given:
        return f"sqlite:///{home}/bentevi.sqlite"
    scheme, colon, rest = given.partition("://")
    if not colon or scheme not in DATABASES:
        raise ValueError(f"{name}: not the address of a database; it begins with {' or '.join(f'{word}://' for word in ('postgresql', 'sqlite'))}")
    return f"{DATABASES[scheme]}://{rest}"


def _port(env: "os._Environ[str] | dict[str, str]", name: str, default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"{name}={text}: not a port number")
    return int(text)
