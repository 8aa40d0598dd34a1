"""Alarms: what somebody should look at now, each once, until it is over. Shown on the page “Agora” and by `bentevi status`."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, mapped_column

from appliance import db as ground
from appliance.db import Base, Instant, db


def N_(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


MESSAGES = {  # code → what a person reads and what to do; %(…)s come from the alarm's parameters
    "records_gap": N_("Call records may be missing: Asterisk counted %(counted)s, %(stored)s are stored. Keep the log folder and call support."),
    "recordings_quota": N_("Recordings fill their space (%(used)s of %(quota)s GB): the oldest are removed."),
    "recordings_room": N_("The disk was %(percent)s %% full: the %(count)s oldest recordings were removed to make room. Those of the last %(days)s days stay; look what else fills it."),
    "recordings_paused": N_("Calls are not recorded: the disk has only %(free)s GB left. Free some space; recording begins again by itself."),
    "sip_port": N_("The SIP port %(port)s (UDP) is not the exchange's: %(program)s has it. No phone can register. Stop that program or choose another port on the page SIP, "
                   "then start the exchange again."),
    "disk_full": N_("The disk is %(percent)s %% full (%(free)s GB free). Lower days or room in the recording policy, or remove what is not needed."),
    "backup_failed": N_("The backup failed: %(reason)s It is tried again; see the page Backups."),
    "backup_old": N_("The last complete backup is %(days)s days old. Look at the page Backups why, and make one."),
    "backup_rehearsal": N_("The rehearsal of the restore failed: %(reason)s Make a new backup and rehearse it; see the page Backups."),
    "certificate_failed": N_("No certificate could be fetched: %(reason)s The one in force stays; see the page Domain and certificate."),
    "certificate_ends": N_("The certificate browsers are shown ends on %(day)s. Give a new one on the page Domain and certificate."),
    "update_found": N_("Version %(version)s of Bentevi is there. What it brings, and how to install it, stands on the page Updates."),
    "recordings_broken": N_("%(count)s recordings are missing or differ from what was sealed. See the verify page."),
}


class Alarm(Base):
    """One alarm from when it was first raised until it was cleared."""

    __tablename__ = "alarms"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), index=True)
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(Instant())
    cleared_at: Mapped[datetime | None] = mapped_column(Instant())


def put(code: str, **parameters: Any) -> None:
    """Raise it, or bring the parameters of the one that stands up to date."""
    if code not in MESSAGES:
        raise LookupError(code)
    standing = _standing(code)
    if standing:
        standing.parameters = parameters
    else:
        db.session.add(Alarm(code=code, parameters=parameters, at=ground.now()))


def clear(code: str) -> None:
    """It is over; nothing happens when none stands."""
    standing = _standing(code)
    if standing:
        standing.cleared_at = ground.now()


def active() -> list[Alarm]:
    """Those that stand, oldest first."""
    return list(db.session.scalars(select(Alarm).where(Alarm.cleared_at.is_(None)).order_by(Alarm.id)))


def _standing(code: str) -> Alarm | None:
    return db.session.scalar(select(Alarm).where(Alarm.code == code, Alarm.cleared_at.is_(None)).limit(1))
