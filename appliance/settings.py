"""Where this home lives and which addresses it uses: everything comes from the environment, with these defaults."""

import os
from dataclasses import dataclass
from pathlib import Path

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
    database_url: str
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
        database_url=env.get("BENTEVI_DATABASE_URL") or f"sqlite:///{home}/bentevi.sqlite",
        redis_url=env.get("BENTEVI_REDIS_URL") or f"unix://{home}/run/redis.sock",
    )


def _port(env: "os._Environ[str] | dict[str, str]", name: str, default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"{name}={text}: not a port number")
    return int(text)
