"""Small jobs that keep a home in order."""

import shutil

from appliance import alarms, first_start, ports, reserve, settings
from appliance.db import db

NEARLY_FULL = 90  # per cent


def prepare_late(_: int = 0) -> None:
    """Rows that could not be brought in order at the start of the home. May run at any time."""
    first_start.prepare_late()


def look_at_ports(_: int = 0) -> None:
    """An alarm while another program has the SIP port, or had it when Asterisk started. May run at any time."""
    trouble = ports.sip_trouble(settings.load())
    if trouble:
        alarms.put("sip_port", port=trouble.port, program=f"{trouble.program} ({trouble.pid})" if trouble.program else "–")
    else:
        alarms.clear("sip_port")
    db.session.commit()


def look_at_disk(_: int = 0, percent: int | None = None) -> None:
    """An alarm while the disk of the home is nine tenths full; with plenty of room, some is kept for a start with a full one. May run at any
    time. `percent` None asks the disk."""
    usage = shutil.disk_usage(settings.load().home)
    used = percent if percent is not None else round(100 * (usage.total - usage.free) / usage.total)
    if used >= NEARLY_FULL:
        alarms.put("disk_full", percent=used, free=f"{usage.free / 10**9:.1f}")
    else:
        alarms.clear("disk_full")
        reserve.keep(settings.load())
    db.session.commit()
